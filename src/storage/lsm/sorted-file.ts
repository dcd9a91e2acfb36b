/**
 * Files of sorted entries. They are written once and never opened again by another process, so what finds a block (the place
 * that each begins with, the filter) stays in memory and the file is blocks and nothing else.
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { ClusterError } from '../../protocol/errors.ts';
import { ByteWriter } from '../../types/byte-writer.ts';
import { storageFault } from '../storage-fault.ts';
import type { BlockCache, BlockOwner } from './block-cache.ts';
import { BLOCK_SIZE_BYTES, BlockReader, BlockWriter, isWhole } from './block-format.ts';
import { BloomFilter } from './bloom-filter.ts';
import { Span, type EntryCursor, type EntrySource } from './entry.ts';

const WRITE_SIZE_BYTES = 256 * 1024;
const NUMBERS_INITIAL = 64;

/** Numbers in a row, as many as come. */
class Numbers {
  length = 0;
  private values = new Float64Array(NUMBERS_INITIAL);

  push(value: number): void {
    if (this.length === this.values.length) {
      const grown = new Float64Array(2 * this.values.length);
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.length++] = value;
  }

  toArray(): Float64Array {
    return this.values.slice(0, this.length);
  }
}

/** What is known of a file that was written. */
interface FileContents {
  readonly path: string;
  readonly fd: number;
  /** First place of each block. */
  readonly firstPlaces: Float64Array;
  /** Where each block begins, and the end of the last. */
  readonly offsets: Float64Array;
  readonly lastPlace: number;
  readonly entryCount: number;
  readonly filter: BloomFilter;
}

/** Writes one file, entry by entry in their order. */
export class SortedFileWriter {
  lastPlace = -1;
  private readonly path: string;
  private readonly fd: number;
  private readonly block = new BlockWriter();
  private readonly pending = new ByteWriter(4 * BLOCK_SIZE_BYTES);
  private readonly places = new Numbers();
  private readonly firstPlaces = new Numbers();
  private readonly offsets = new Numbers();
  private writtenBytes = 0;

  /** Throws STORAGE_FULL and what else `storageFault` knows. */
  constructor(path: string) {
    this.path = path;
    this.fd = guarded('create', path, () => openSync(path, 'wx+'));
    this.offsets.push(0);
  }

  get sizeBytes(): number {
    return this.writtenBytes + this.pending.position;
  }

  add(place: number, key: Span, value: Span): void {
    if (this.block.isFull) this.endBlock();
    this.block.add(place, key, value);
    this.places.push(place);
    this.lastPlace = place;
  }

  /** The file, held once. */
  end(cache: BlockCache): SortedFile {
    if (!this.block.isEmpty) this.endBlock();
    this.write();
    const { path, fd, lastPlace } = this;
    return new SortedFile({
      path, fd, lastPlace, firstPlaces: this.firstPlaces.toArray(), offsets: this.offsets.toArray(), entryCount: this.places.length,
      filter: BloomFilter.of(this.places.toArray()),
    }, cache);
  }

  /** Gives the file up. */
  abort(): void {
    closeSync(this.fd);
    rmSync(this.path, { force: true });
  }

  private endBlock(): void {
    this.firstPlaces.push(this.block.firstPlace);
    this.block.endTo(this.pending);
    this.offsets.push(this.sizeBytes);
    if (this.pending.position >= WRITE_SIZE_BYTES) this.write();
  }

  private write(): void {
    const { pending, path, fd } = this;
    for (let start = 0; start < pending.position;) {
      start += guarded('write', path, () => writeSync(fd, pending.store, start, pending.position - start));
    }
    this.writtenBytes += pending.position;
    pending.position = 0;
  }
}

/** One file, deleted when nobody holds it any more. */
export class SortedFile implements EntrySource, BlockOwner {
  readonly slots: Int32Array;
  readonly firstPlace: number;
  readonly lastPlace: number;
  readonly entryCount: number;
  readonly sizeBytes: number;
  private readonly contents: FileContents;
  private readonly cache: BlockCache;
  private readonly reader = new BlockReader();
  private readonly candidate = new Span();
  private holders = 1;

  constructor(contents: FileContents, cache: BlockCache) {
    this.contents = contents;
    this.cache = cache;
    this.slots = new Int32Array(contents.firstPlaces.length).fill(-1);
    this.firstPlace = contents.firstPlaces[0] as number;
    this.lastPlace = contents.lastPlace;
    this.entryCount = contents.entryCount;
    this.sizeBytes = contents.offsets[this.slots.length] as number;
  }

  find(place: number, key: Span, value: Span): boolean {
    if (place < this.firstPlace || place > this.lastPlace || !this.contents.filter.mayHave(place)) return false;
    const { firstPlaces } = this.contents;
    // Entries of one place may lie on both sides of the end of a block.
    for (let block = Math.max(0, firstAtOrAfter(firstPlaces, place) - 1); block < firstPlaces.length; block++) {
      if ((firstPlaces[block] as number) > place) return false;
      if (this.findInBlock(block, place, [key, value])) return true;
    }
    return false;
  }

  cursor(): EntryCursor {
    return new FileCursor(this);
  }

  retain(): void {
    this.holders += 1;
  }

  release(): void {
    this.holders -= 1;
    if (this.holders > 0) return;
    this.cache.drop(this);
    closeSync(this.contents.fd);
    guarded('delete', this.contents.path, () => rmSync(this.contents.path, { force: true }));
  }

  get blockCount(): number {
    return this.slots.length;
  }

  blockSizeBytes(block: number): number {
    const { offsets } = this.contents;
    return (offsets[block + 1] as number) - (offsets[block] as number);
  }

  /** Throws DATA_CORRUPT when its bytes are not those that were written. */
  readBlock(block: number, buffer: Buffer): void {
    const { path, fd, offsets } = this.contents;
    const sizeBytes = this.blockSizeBytes(block);
    const read = guarded('read', path, () => readSync(fd, buffer, 0, sizeBytes, offsets[block] as number));
    if (read === sizeBytes && isWhole(buffer, sizeBytes)) return;
    throw new ClusterError(
      'DATA_CORRUPT',
      `block ${block} of ${path} (bytes ${offsets[block]} to ${offsets[block + 1]}) is not what was written: its checksum differs. ` +
        'The disk or its memory is at fault; state is restored from the last checkpoint',
    );
  }

  private findInBlock(block: number, place: number, [key, value]: readonly [Span, Span]): boolean {
    const { reader, candidate } = this;
    reader.open(this.blockAt(block), this.blockSizeBytes(block));
    for (let index = reader.seek(place); index < reader.count && reader.placeAt(index) === place; index++) {
      reader.show(index, candidate, value);
      if (candidate.equals(key)) return true;
    }
    return false;
  }

  private blockAt(block: number): Buffer {
    const slot = this.slots[block] as number;
    if (slot >= 0) return this.cache.at(slot);
    const buffer = this.cache.take(this, block, this.blockSizeBytes(block));
    try {
      this.readBlock(block, buffer);
    } catch (thrown) {
      this.cache.drop(this);
      throw thrown;
    }
    return buffer;
  }
}

/** Deletes a directory of files that nobody uses any more, if there is one. */
export function deleteLocalDirectory(path: string): void {
  guarded('delete', path, () => rmSync(path, { recursive: true, force: true }));
}

/** The index of the first of ascending numbers that is not below `value`. */
function firstAtOrAfter(numbers: Float64Array, value: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Reads past the cache: what is read once in a row would only drive out what is read often. */
class FileCursor implements EntryCursor {
  place = -1;
  readonly key = new Span();
  readonly value = new Span();
  private readonly file: SortedFile;
  private readonly reader = new BlockReader();
  private buffer = Buffer.allocUnsafeSlow(2 * BLOCK_SIZE_BYTES);
  private block = -1;
  private index = -1;

  constructor(file: SortedFile) {
    this.file = file;
  }

  next(): boolean {
    this.index += 1;
    if (this.index >= this.reader.count && !this.nextBlock()) return false;
    this.place = this.reader.placeAt(this.index);
    this.reader.show(this.index, this.key, this.value);
    return true;
  }

  private nextBlock(): boolean {
    this.block += 1;
    if (this.block >= this.file.blockCount) return false;
    const sizeBytes = this.file.blockSizeBytes(this.block);
    if (this.buffer.length < sizeBytes) this.buffer = Buffer.allocUnsafeSlow(sizeBytes);
    this.file.readBlock(this.block, this.buffer);
    this.reader.open(this.buffer, sizeBytes);
    this.index = 0;
    return true;
  }
}

function guarded<T>(action: 'create' | 'read' | 'write' | 'delete', path: string, operation: () => T): T {
  try {
    return operation();
  } catch (thrown) {
    throw storageFault(action, path, thrown);
  }
}
