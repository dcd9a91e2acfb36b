/** Reads `fromElements` and `fromCollection`: values that the program itself holds. */
import { NO_TIMESTAMP, type PollResult, type RecordBatch, type SourceReader } from '../graph/functions.ts';
import type { ElementsSplit } from '../graph/splits.ts';
import { SplitQueue } from './split-queue.ts';

export class ElementsReader implements SourceReader<unknown> {
  private readonly elements: readonly unknown[];
  private readonly splits = new SplitQueue<ElementsSplit>();
  private next = 0;

  constructor(elements: readonly unknown[]) {
    this.elements = elements;
  }

  poll(batch: RecordBatch<unknown>): PollResult {
    batch.length = 0;
    if (this.splits.current() === undefined) return this.splits.emptyResult();
    const count = Math.min(batch.capacity, this.elements.length - this.next);
    for (let i = 0; i < count; i++) {
      batch.values[i] = this.elements[this.next + i];
      batch.timestampsMs[i] = NO_TIMESTAMP;
    }
    batch.length = count;
    this.next += count;
    if (this.next >= this.elements.length) this.splits.finish();
    return 'more';
  }

  available(): Promise<void> {
    return this.splits.available();
  }

  /** The source has one split: its elements from `next` on. */
  addSplits(splits: readonly ElementsSplit[]): void {
    this.next = splits[0]?.next ?? this.next;
    this.splits.add(splits);
  }

  noMoreSplits(): void {
    this.splits.noMoreSplits();
  }

  snapshot(): readonly ElementsSplit[] {
    return this.splits.snapshot((split) => ({ ...split, next: this.next }));
  }

  close(): void {
    this.splits.wake();
  }
}
