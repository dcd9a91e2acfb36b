/**
 * One block of a sorted file: entries, a table to search them by, and a CRC over both.
 *
 *     block   := entry*  (hash 4, group 2, offset 2)*  count 4  crc32 4
 *     entry   := key length (varint), key, value: up to the next entry
 *
 * A block is begun anew once it has `BLOCK_SIZE_BYTES`, so entries begin below 64 KiB; one that is longer has a block to itself.
 */
import { crc32 } from 'node:zlib';
import type { ByteWriter } from '../../types/byte-writer.ts';
import { copyBytes, CursorOfCursors, groupOfPlace, type EntryCursor, type Span } from './entry.ts';

export const BLOCK_SIZE_BYTES = 4096;
const TABLE_ENTRY_SIZE_BYTES = 8;
const TRAILER_SIZE_BYTES = 8;
/** Of a length below 2^31. */
const VARINT_SIZE_BYTES_MAX = 5;

/** Collects the entries of one block. */
export class BlockWriter {
  firstPlace = -1;
  private bytes: Buffer = Buffer.allocUnsafeSlow(2 * BLOCK_SIZE_BYTES);
  private usedBytes = 0;
  private table = new DataView(new ArrayBuffer(BLOCK_SIZE_BYTES));
  private count = 0;

  get isEmpty(): boolean {
    return this.count === 0;
  }

  get isFull(): boolean {
    return this.usedBytes >= BLOCK_SIZE_BYTES;
  }

  add(place: number, key: Span, value: Span): void {
    if (this.count === 0) this.firstPlace = place;
    const keyLength = key.end - key.start;
    const start = this.usedBytes;
    const needed = start + VARINT_SIZE_BYTES_MAX + keyLength + value.end - value.start;
    if (needed > this.bytes.length) this.growBytes(needed);
    if ((this.count + 1) * TABLE_ENTRY_SIZE_BYTES > this.table.byteLength) this.growTable();
    this.table.setInt32(this.count * TABLE_ENTRY_SIZE_BYTES, place | 0, true);
    this.table.setInt32(this.count * TABLE_ENTRY_SIZE_BYTES + 4, groupOfPlace(place) | (start << 16), true);
    this.count += 1;
    let at = this.writeVarint(keyLength, start);
    copyBytes(key, this.bytes, at);
    at += keyLength;
    copyBytes(value, this.bytes, at);
    this.usedBytes = at + value.end - value.start;
  }

  /** Appends the block to `sink`, answers its size in bytes, and begins the next one. */
  endTo(sink: ByteWriter): number {
    const start = sink.position;
    sink.raw(this.bytes, 0, this.usedBytes);
    sink.raw(new Uint8Array(this.table.buffer), 0, this.count * TABLE_ENTRY_SIZE_BYTES);
    sink.i32(this.count);
    sink.i32(crc32(sink.store.subarray(start, sink.position)) | 0);
    this.count = this.usedBytes = 0;
    return sink.position - start;
  }

  private writeVarint(value: number, start: number): number {
    let at = start;
    let rest = value;
    for (; rest >= 128; rest >>>= 7) this.bytes[at++] = (rest & 127) | 128;
    this.bytes[at++] = rest;
    return at;
  }

  private growBytes(sizeBytes: number): void {
    const longer = Buffer.allocUnsafeSlow(Math.max(sizeBytes, 2 * this.bytes.length));
    this.bytes.copy(longer, 0, 0, this.usedBytes);
    this.bytes = longer;
  }

  private growTable(): void {
    const longer = new Uint8Array(2 * this.table.byteLength);
    longer.set(new Uint8Array(this.table.buffer));
    this.table = new DataView(longer.buffer);
  }
}

/** Whether the bytes are those that were written. */
export function isWhole(block: Buffer, sizeBytes: number): boolean {
  const end = sizeBytes - 4;
  return block.readInt32LE(end) === (crc32(block.subarray(0, end)) | 0);
}

/** Looks into blocks. One reader serves any number of them, one at a time. */
export class BlockReader {
  count = 0;
  private block: Buffer = Buffer.alloc(0);
  private tableStart = 0;

  open(block: Buffer, sizeBytes: number): void {
    this.block = block;
    this.count = block.readInt32LE(sizeBytes - TRAILER_SIZE_BYTES);
    this.tableStart = sizeBytes - TRAILER_SIZE_BYTES - this.count * TABLE_ENTRY_SIZE_BYTES;
  }

  placeAt(index: number): number {
    const at = this.tableStart + index * TABLE_ENTRY_SIZE_BYTES;
    const { block } = this;
    const hash = ((block[at] as number) | ((block[at + 1] as number) << 8) | ((block[at + 2] as number) << 16) |
      ((block[at + 3] as number) << 24)) >>> 0;
    return ((block[at + 4] as number) | ((block[at + 5] as number) << 8)) * 4294967296 + hash;
  }

  show(index: number, key: Span, value: Span): void {
    const { block } = this;
    let at = this.offsetAt(index);
    let length = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = block[at++] as number;
      length += (byte & 127) * scale;
      if (byte < 128) break;
    }
    key.set(block, at, at + length);
    value.set(block, at + length, index + 1 < this.count ? this.offsetAt(index + 1) : this.tableStart);
  }

  /** The first entry at `place` or later; `count` when there is none. */
  seek(place: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.placeAt(middle) < place) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private offsetAt(index: number): number {
    const at = this.tableStart + index * TABLE_ENTRY_SIZE_BYTES + 6;
    return (this.block[at] as number) | ((this.block[at + 1] as number) << 8);
  }
}

/** The one of several cursors that comes first: the newest of equal keys, the others are passed over. */
export class MergeCursor extends CursorOfCursors {
  private readonly cursors: EntryCursor[];

  /** Newest first. */
  constructor(cursors: readonly EntryCursor[]) {
    super();
    this.cursors = cursors.filter((cursor) => cursor.next());
  }

  next(): boolean {
    if (this.current !== null) this.passCurrent(this.current);
    let first: EntryCursor | null = null;
    for (const cursor of this.cursors) {
      if (first === null || cursor.place < first.place) first = cursor;
      else if (cursor.place === first.place && cursor.key.compare(first.key) < 0) first = cursor;
    }
    this.current = first;
    return first !== null;
  }

  private passCurrent(current: EntryCursor): void {
    for (let i = this.cursors.length - 1; i >= 0; i--) {
      const cursor = this.cursors[i] as EntryCursor;
      if (cursor === current || cursor.place !== current.place || cursor.key.compare(current.key) !== 0) continue;
      if (!cursor.next()) this.cursors.splice(i, 1);
    }
    if (!current.next()) this.cursors.splice(this.cursors.indexOf(current), 1);
  }
}
