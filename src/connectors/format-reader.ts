/**
 * Reads files whose format finds its records itself (graph/file-formats.ts), one split after another. Runs of records are read
 * ahead in the background; a snapshot says where the run at hand begins, and how many of its records are done.
 *
 * Memory: `READY_MAX` runs besides the one at hand and the one being read.
 * Source: Flink `StreamFormatAdapter`, `BulkFormat`, `CheckpointedPosition`.
 */
import {
  NO_TIMESTAMP, type Counter, type PollResult, type ReaderContext, type RecordBatch, type SourceReader,
} from '../graph/functions.ts';
import type { BlockFormat, FormatInput, RecordRun } from '../graph/file-formats.ts';
import { isCompressedName, type FileSplit } from '../graph/splits.ts';
import { ClusterError } from '../protocol/errors.ts';
import { decompressed } from '../storage/compression.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { ReadAheadSplits } from './read-ahead-splits.ts';
import { Signal } from './signal.ts';

/** Runs read ahead. */
const READY_MAX = 2;

/** A run that was read, or the end of its split. */
interface ReadyRun {
  readonly split: FileSplit;
  /** Null: the split has no more. */
  readonly run: RecordRun | null;
}

export class FormatReader implements SourceReader<unknown, FileSplit> {
  private readonly format: BlockFormat;
  private readonly context: ReaderContext;
  private readonly files: FileSystems;
  private readonly changed = new Signal();
  private readonly fetching = new Signal();
  private readonly splits: ReadAheadSplits<FileSplit>;
  private readonly ready: ReadyRun[] = [];
  /** Of the first split; `taken` of its records are done. */
  private run: RecordRun | null = null;
  private taken = 0;
  /** Where to go on in the first split; null when nothing of it was taken yet. */
  private position: Pick<FileSplit, 'positionBytes' | 'recordsAfterPosition'> | null = null;
  private failure: ClusterError | null = null;
  private closed = false;
  private running: Promise<void> | null = null;
  private errors: Counter | null = null;

  constructor(format: BlockFormat, context: ReaderContext, files: FileSystems) {
    this.format = format;
    this.context = context;
    this.splits = new ReadAheadSplits(context);
    this.files = files;
  }

  start(): void {
    this.errors = this.context.counter('numRecordsInErrors');
    this.running = this.readAhead();
  }

  poll(batch: RecordBatch<unknown>): PollResult {
    batch.length = 0;
    while (batch.length < batch.capacity && (this.run !== null || this.nextRun(batch.length === 0))) {
      batch.splitId = this.splits.current?.id ?? null;
      this.takeRecords(batch);
    }
    if (batch.length > 0) return 'more';
    if (this.ready.length === 0 && this.failure !== null) throw this.failure;
    return this.splits.isEnded ? 'end' : 'nothing';
  }

  available(): Promise<void> {
    const hasAnswer = this.ready.length > 0 || this.failure !== null || this.splits.isEnded;
    return hasAnswer ? Promise.resolve() : this.changed.wait();
  }

  addSplits(splits: readonly FileSplit[]): void {
    this.splits.add(splits);
    this.fetching.raise();
  }

  noMoreSplits(): void {
    this.splits.noMore();
    this.changed.raise();
  }

  snapshot(): readonly FileSplit[] {
    const { position } = this;
    return this.splits.snapshot((split) => (position === null ? split : { ...split, ...position }));
  }

  async close(): Promise<void> {
    this.closed = true;
    this.changed.raise();
    this.fetching.raise();
    await this.running;
  }

  /** Makes the next run the one at hand; false when there is none yet. Another split only where a batch begins. */
  private nextRun(mayChangeSplit: boolean): boolean {
    for (let next = this.ready[0]; next !== undefined; next = this.ready[0]) {
      if (next.run === null && !mayChangeSplit) return false;
      this.ready.shift();
      this.fetching.raise();
      if (next.run !== null) return this.begin(next.run);
      this.splits.finish();
      this.position = null;
    }
    return false;
  }

  /** The first run of a split that is read again begins with records that are done. */
  private begin(run: RecordRun): true {
    const split = this.splits.current;
    this.run = run;
    this.taken = split?.positionBytes === run.positionBytes ? (split.recordsAfterPosition ?? 0) : 0;
    return true;
  }

  private takeRecords(batch: RecordBatch<unknown>): void {
    const { records, positionBytes } = this.run as RecordRun;
    const count = Math.min(batch.capacity - batch.length, records.length - this.taken);
    for (let i = 0; i < count; i++) {
      batch.values[batch.length] = records[this.taken++];
      batch.timestampsMs[batch.length++] = NO_TIMESTAMP;
    }
    this.position = { positionBytes, recordsAfterPosition: this.taken };
    if (this.taken >= records.length) this.run = null;
  }

  private async readAhead(): Promise<void> {
    try {
      while (!this.closed) {
        const split = this.splits.begin();
        if (split === undefined) await this.fetching.wait();
        else await this.readSplit(split);
      }
    } catch (thrown) {
      this.failure = thrown instanceof ClusterError ? thrown : new ClusterError('STORAGE_FAILED', String(thrown), { cause: thrown });
      this.changed.raise();
    }
  }

  private async readSplit(split: FileSplit): Promise<void> {
    const { files, path } = this.files.resolve(split.path);
    const { sizeBytes } = await files.stat(path);
    if (sizeBytes < split.endBytes) {
      const before = `it had ${split.endBytes} bytes when it was found`;
      const message = `${split.path} ends at byte ${sizeBytes}, but ${before}: files must not be cut off while they are read`;
      throw new ClusterError('DATA_CORRUPT', message);
    }
    for await (const run of this.format.read(this.inputOf(split, sizeBytes), split)) {
      await this.put({ split, run });
      if (this.closed) return;
    }
    await this.put({ split, run: null });
  }

  private inputOf(split: FileSplit, sizeBytes: number): FormatInput {
    const { files, path } = this.files.resolve(split.path);
    const isPacked = this.format.isText && isCompressedName(split.path);
    const read = (startBytes: number, endBytes = Number.MAX_SAFE_INTEGER): AsyncIterable<Uint8Array> =>
      isPacked ? rangeOf(decompressed(split.path, files.read(path)), startBytes, endBytes) : files.read(path, { startBytes, endBytes });
    return { path: split.path, sizeBytes, read, skipped: (reason) => this.onSkipped(reason) };
  }

  private onSkipped(reason: string): void {
    this.errors?.inc();
    this.context.log.warn(`left out: ${reason}`);
  }

  private async put(run: ReadyRun): Promise<void> {
    while (this.ready.length >= READY_MAX && !this.closed) await this.fetching.wait();
    this.ready.push(run);
    this.changed.raise();
  }
}

async function* rangeOf(chunks: AsyncIterable<Uint8Array>, startBytes: number, endBytes: number): AsyncIterable<Uint8Array> {
  let offsetBytes = 0;
  for await (const chunk of chunks) {
    const part = chunk.subarray(Math.max(0, startBytes - offsetBytes), Math.max(0, endBytes - offsetBytes));
    if (part.length > 0) yield part;
    offsetBytes += chunk.length;
    if (offsetBytes >= endBytes) return;
  }
}
