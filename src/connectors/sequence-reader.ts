/** Reads `fromSequence`: the integers of its splits, in order. */
import { NO_TIMESTAMP, type PollResult, type RecordBatch, type SourceReader } from '../graph/functions.ts';
import type { SequenceSplit } from '../graph/splits.ts';
import { SplitQueue } from './split-queue.ts';

export class SequenceReader implements SourceReader<unknown> {
  private readonly splits = new SplitQueue<SequenceSplit>();
  /** The next integer of the current split. */
  private next = 0;

  poll(batch: RecordBatch<unknown>): PollResult {
    batch.length = 0;
    const split = this.splits.current();
    if (split === undefined) return this.splits.emptyResult();
    batch.splitId = split.id;
    const count = Math.min(batch.capacity, split.to - this.next + 1);
    fillSequence(batch, this.next, count);
    this.next += count;
    if (this.next > split.to) {
      this.splits.finish();
      this.next = this.splits.current()?.next ?? 0;
    }
    return 'more';
  }

  available(): Promise<void> {
    return this.splits.available();
  }

  addSplits(splits: readonly SequenceSplit[]): void {
    if (this.splits.current() === undefined) this.next = splits[0]?.next ?? 0;
    this.splits.add(splits);
  }

  noMoreSplits(): void {
    this.splits.noMoreSplits();
  }

  snapshot(): readonly SequenceSplit[] {
    return this.splits.snapshot((split) => ({ ...split, next: this.next }));
  }

  close(): void {
    this.splits.wake();
  }
}

/** A hot loop of its own: `this` and the split stay out of it. */
function fillSequence(batch: RecordBatch<unknown>, first: number, count: number): void {
  const { values, timestampsMs } = batch;
  for (let i = 0; i < count; i++) {
    values[i] = first + i;
    timestampsMs[i] = NO_TIMESTAMP;
  }
  batch.length = count;
}
