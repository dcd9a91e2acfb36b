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
import type { FileSplit } from '../graph/splits.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { ReadBuffers } from '../storage/read-buffers.ts';
import { Signal } from './signal.ts';

/** Chunks read ahead of the decoder. */
const READY_MAX = 2;
const LINE_FEED = 10;

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
    const { files, path } = this.files.resolve(split.path);
    let offsetBytes = split.positionBytes ?? Math.max(0, split.startBytes - 1);
    let startsInLine = split.positionBytes === null && split.startBytes > 0;
    // A split resumed at or beyond its end has no line left.
    const endBytes = offsetBytes < split.endBytes || startsInLine ? Number.MAX_SAFE_INTEGER : offsetBytes;
    for await (const read of files.read(path, { startBytes: offsetBytes, endBytes }, this.buffers)) {
      const bytes = Buffer.from(read.buffer, read.byteOffset, read.length);
      const end = endOfSplit(split, bytes, offsetBytes);
      await this.put({ split, offsetBytes, bytes: end === null ? bytes : bytes.subarray(0, end), startsInLine, last: end !== null });
      if (end !== null || this.closed) return;
      offsetBytes += bytes.length;
      startsInLine = false;
    }
    await this.put({ split, offsetBytes, bytes: Buffer.alloc(0), startsInLine: false, last: true });
  }

  private async put(chunk: FileChunk): Promise<void> {
    while (this.ready.length >= READY_MAX && !this.closed) await this.changed.wait();
    this.ready.push(chunk);
    this.listener.onProgress();
  }
}

/** How many of `bytes` still belong to the split, when its last line ends in them; else null. */
function endOfSplit(split: FileSplit, bytes: Buffer, offsetBytes: number): number | null {
  const from = Math.max(0, split.endBytes - 1 - offsetBytes);
  if (from >= bytes.length) return null;
  const lineFeed = bytes.indexOf(LINE_FEED, from);
  return lineFeed < 0 ? null : lineFeed + 1;
}
