/**
 * Reads `dataGenerator`: record number `index` is a function of `index` alone, so a replay is exact. A rate
 * limit is kept evenly: at any moment a subtask has sent at most what its share of the rate allows since it
 * began, and after a pause it does not send what it missed in one burst.
 */
import type { Clock, Timer } from '../base/ports.ts';
import { NO_TIMESTAMP, type PollResult, type RecordBatch, type SourceReader } from '../graph/functions.ts';
import type { DatagenSplit } from '../graph/splits.ts';
import { SplitQueue } from './split-queue.ts';

/** Records that fell due longer ago than this are not caught up with. */
const CATCH_UP_MS_MAX = 100;
/** Not more wake-ups than this: records that fall due in between go together. */
const PAUSE_MS_MIN = 1;

/** What to generate. */
export interface DatagenOptions {
  readonly count: number | null;
  /** Over all subtasks. */
  readonly perSecond: number | null;
  readonly generate: (index: number) => unknown;
}

export class DatagenReader implements SourceReader<unknown> {
  private readonly options: DatagenOptions;
  private readonly clock: Clock;
  private readonly splits = new SplitQueue<DatagenSplit>();
  private next = 0;
  /** When the next record falls due, on the monotonic clock; null before the first. */
  private dueMs: number | null = null;
  private timer: Timer | null = null;

  constructor(options: DatagenOptions, clock: Clock) {
    this.options = options;
    this.clock = clock;
  }

  poll(batch: RecordBatch<unknown>): PollResult {
    batch.length = 0;
    const split = this.splits.current();
    if (split === undefined) return this.splits.emptyResult();
    batch.splitId = split.id;
    const room = this.options.perSecond === null ? batch.capacity : this.takeDue(
      batch.capacity, 1000 * split.step / this.options.perSecond,
    );
    const end = this.options.count ?? Number.MAX_SAFE_INTEGER;
    let length = 0;
    for (; length < room && this.next < end; length++, this.next += split.step) {
      batch.values[length] = this.options.generate(this.next);
      batch.timestampsMs[length] = NO_TIMESTAMP;
    }
    batch.length = length;
    if (this.next >= end) this.finishSplit();
    else if (length === 0) return 'nothing';
    return 'more';
  }

  /** After `'nothing'`: when the next record falls due, or a split comes. */
  available(): Promise<void> {
    const split = this.splits.current();
    if (split === undefined) return this.splits.available();
    const delayMs = Math.max(PAUSE_MS_MIN, (this.dueMs ?? 0) - this.clock.monotonicMs());
    return new Promise((resolve) => (this.timer = this.clock.after(delayMs, resolve)));
  }

  addSplits(splits: readonly DatagenSplit[]): void {
    if (this.splits.current() === undefined) this.next = splits[0]?.next ?? 0;
    this.splits.add(splits);
  }

  noMoreSplits(): void {
    this.splits.noMoreSplits();
  }

  snapshot(): readonly DatagenSplit[] {
    return this.splits.snapshot((split) => ({ ...split, next: this.next }));
  }

  close(): void {
    this.timer?.cancel();
    this.splits.wake();
  }

  private finishSplit(): void {
    this.splits.finish();
    this.next = this.splits.current()?.next ?? 0;
  }

  /** How many records are due now, at most `max`; they count as sent. `periodMs`: time between two records of this split. */
  private takeDue(max: number, periodMs: number): number {
    const nowMs = this.clock.monotonicMs();
    const dueMs = Math.max(this.dueMs ?? nowMs, nowMs - Math.max(CATCH_UP_MS_MAX, periodMs));
    const due = Math.min(max, nowMs < dueMs ? 0 : Math.floor((nowMs - dueMs) / periodMs) + 1);
    this.dueMs = dueMs + due * periodMs;
    return due;
  }
}
