/**
 * Reads the bytes of file splits in the background, a few chunks ahead of the decoder, so that decoding
 * never waits for storage that can keep up. What belongs to a split is settled here, in bytes:
 *
 *     previous split's last line ┐                         ┌ read beyond the end, up to the line end
 *     ───────────────────────────┼── startBytes … endBytes ┼──────
 *     a split that is not the first of its file is read from `startBytes - 1`, and its first line dropped
 *
 * so a line belongs to the split in which it begins, whatever lies across the boundary.
 *
 * Memory: `READY_MAX` chunks of the file system, besides the one being decoded and the one being read.
 * Source: Hadoop `LineRecordReader`, Flink `TextInputFormat`.
 */
import { ClusterError } from '../protocol/errors.ts';
import { isCompressedName, type FileSplit } from '../graph/splits.ts';
import { decompressed } from '../storage/compression.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { ReadBuffers } from '../storage/read-buffers.ts';
import { Signal } from './signal.ts';

/** Chunks read ahead of the decoder. */
const READY_MAX = 2;
const LINE_FEED = 10;
const NO_BYTES = Buffer.alloc(0);

/** Consecutive bytes of a split. */
export interface FileChunk {
  readonly split: FileSplit;
  /** Offset of `bytes[0]` in the file. */
  readonly offsetBytes: number;
  readonly bytes: Buffer;
  /** `bytes` begins inside a line that belongs to the split before. Only of a split's first chunk. */
  readonly startsInLine: boolean;
  /** The split ends with these bytes. */
  readonly last: boolean;
}

/** Where splits come from and chunks go. */
export interface FetcherListener {
  /** The next split to read, or undefined when there is none yet: `wake` follows. */
  nextSplit(): FileSplit | undefined;
  /** `take` has something that it had not. */
  onProgress(): void;
}

export class FileFetcher {
  private readonly files: FileSystems;
  private readonly listener: FetcherListener;
  private readonly ready: FileChunk[] = [];
  private readonly buffers = new ReadBuffers();
  private readonly changed = new Signal();
  private failure: ClusterError | null = null;
  private closed = false;
  private running: Promise<void> | null = null;

  constructor(files: FileSystems, listener: FetcherListener) {
    this.files = files;
    this.listener = listener;
  }

  /** Begins to fetch. */
  start(): void {
    this.running = this.run();
  }

  /** There may be a split to fetch. */
  wake(): void {
    this.changed.raise();
  }

  /** The next chunk in order, or undefined when none is ready. Throws what reading failed with, after the chunks before it. */
  take(): FileChunk | undefined {
    const chunk = this.ready.shift();
    if (chunk === undefined && this.failure !== null) throw this.failure;
    this.changed.raise();
    return chunk;
  }

  /** The bytes of a chunk that was taken are not looked at any more. At most once for each. */
  release(chunk: FileChunk): void {
    this.buffers.give(chunk.bytes);
  }

  /** Whether `take` has an answer. */
  hasProgress(): boolean {
    return this.ready.length > 0 || this.failure !== null;
  }

  /** Stops reading and closes the file. Idempotent. */
  async close(): Promise<void> {
    this.closed = true;
    this.changed.raise();
    await this.running;
  }

  private async run(): Promise<void> {
    try {
      while (!this.closed) {
        const split = this.listener.nextSplit();
        if (split === undefined) await this.changed.wait();
        else await this.fetch(split);
      }
    } catch (thrown) {
      this.failure = thrown instanceof ClusterError ? thrown : new ClusterError('STORAGE_FAILED', String(thrown), { cause: thrown });
      this.listener.onProgress();
    }
  }

  private async fetch(split: FileSplit): Promise<void> {
    const reading = { offsetBytes: split.positionBytes ?? Math.max(0, split.startBytes - 1) };
    try {
      await (isCompressedName(split.path) ? this.fetchCompressed(split, reading) : this.fetchRange(split, reading));
    } catch (thrown) {
      if (!(thrown instanceof ClusterError)) throw thrown;
      const where = `${split.path} was read up to byte ${reading.offsetBytes}`;
      throw new ClusterError(thrown.code, `${thrown.message} (${where})`, { cause: thrown });
    }
  }

  private async fetchRange(split: FileSplit, reading: { offsetBytes: number }): Promise<void> {
    const { files, path } = this.files.resolve(split.path);
    const { offsetBytes } = reading;
    let startsInLine = split.positionBytes === null && split.startBytes > 0;
    // A split resumed at or beyond its end has no line left.
    const endBytes = offsetBytes < split.endBytes || startsInLine ? Number.MAX_SAFE_INTEGER : offsetBytes;
    for await (const read of files.read(path, { startBytes: offsetBytes, endBytes }, this.buffers)) {
      const bytes = Buffer.from(read.buffer, read.byteOffset, read.length);
      const end = endOfSplit(split, bytes, reading.offsetBytes);
      const chunk = end === null ? bytes : bytes.subarray(0, end);
      await this.put({ split, offsetBytes: reading.offsetBytes, bytes: chunk, startsInLine, last: end !== null });
      if (end !== null || this.closed) return;
      reading.offsetBytes += bytes.length;
      startsInLine = false;
    }
    if (reading.offsetBytes < split.endBytes) throw cutOff(split, reading.offsetBytes);
    await this.put({ split, offsetBytes: reading.offsetBytes, bytes: NO_BYTES, startsInLine: false, last: true });
  }

  /** A compressed file is one split; its positions count in what it holds, and what was read before is read again and dropped. */
  private async fetchCompressed(split: FileSplit, reading: { offsetBytes: number }): Promise<void> {
    const { files, path } = this.files.resolve(split.path);
    let skipBytes = reading.offsetBytes;
    for await (const read of decompressed(split.path, files.read(path))) {
      const skipped = Math.min(skipBytes, read.length);
      skipBytes -= skipped;
      const bytes = Buffer.from(read.buffer, read.byteOffset + skipped, read.length - skipped);
      if (bytes.length > 0) await this.put({ split, offsetBytes: reading.offsetBytes, bytes, startsInLine: false, last: false });
      if (this.closed) return;
      reading.offsetBytes += bytes.length;
    }
    if (skipBytes > 0) throw cutOff(split, reading.offsetBytes - skipBytes);
    await this.put({ split, offsetBytes: reading.offsetBytes, bytes: NO_BYTES, startsInLine: false, last: true });
  }

  private async put(chunk: FileChunk): Promise<void> {
    while (this.ready.length >= READY_MAX && !this.closed) await this.changed.wait();
    this.ready.push(chunk);
    this.listener.onProgress();
  }
}

function cutOff(split: FileSplit, endBytes: number): ClusterError {
  const { path, positionBytes } = split;
  const before = positionBytes === null ? `it had ${split.endBytes} bytes when it was found` : `it was read up to byte ${positionBytes}`;
  return new ClusterError('DATA_CORRUPT', `${path} ends at byte ${endBytes}, but ${before}: files must not be cut off while they are read`);
}

/** How many of `bytes` still belong to the split, when its last line ends in them; else null. */
function endOfSplit(split: FileSplit, bytes: Buffer, offsetBytes: number): number | null {
  const from = Math.max(0, split.endBytes - 1 - offsetBytes);
  if (from >= bytes.length) return null;
  const lineFeed = bytes.indexOf(LINE_FEED, from);
  return lineFeed < 0 ? null : lineFeed + 1;
}
