/**
 * Where a producer in the same slot hands records to a segment that has nothing else to do: the record runs
 * through the segment on the producer's stack, without a queue between.
 *
 * The two stay two tasks: what fails here is kept for the segment's own turn, so that its task fails and not
 * the producer's, and a segment without room takes no further record.
 */
import type { DirectReceiver } from '../exchange/contract.ts';
import type { RecordFunction, Segment } from './chain.ts';

/** The entry of one segment. */
export class DirectEntry implements DirectReceiver {
  readonly readsOnly: boolean;
  recordsIn = 0;
  private readonly status: Segment['status'];
  private readonly run: RecordFunction;
  private settledRecords = 0;
  private failure: { readonly thrown: unknown } | null = null;

  constructor(segment: Segment, run: RecordFunction) {
    this.status = segment.status;
    this.run = run;
    this.readsOnly = segment.entry.every(({ operator, hop }) => hop === null && operator?.operator.readsOnly === true);
  }

  accept(value: unknown, timestampMs: number): boolean {
    try {
      this.run(value, timestampMs);
    } catch (thrown) {
      this.failure = { thrown };
      return false;
    }
    this.recordsIn++;
    return !this.status.full;
  }

  /** On the segment's turn: throws what failed; true when records have come since the last call. */
  settle(): boolean {
    if (this.failure !== null) throw this.failure.thrown;
    const hasRun = this.recordsIn > this.settledRecords;
    this.settledRecords = this.recordsIn;
    return hasRun;
  }
}
