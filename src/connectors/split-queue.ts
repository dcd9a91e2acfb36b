/**
 * The splits that a reader holds, and the wait for more: what every reader of assigned splits has in common.
 * Splits are worked off in the order of their arrival.
 */
import type { PollResult, SourceSplit } from '../graph/functions.ts';
import { Signal } from './signal.ts';

export class SplitQueue<S extends SourceSplit> {
  private readonly splits: S[] = [];
  private complete = false;
  private readonly changed = new Signal();

  /** The split to work on, or undefined when there is none now. */
  current(): S | undefined {
    return this.splits[0];
  }

  add(splits: readonly S[]): void {
    this.splits.push(...splits);
    this.wake();
  }

  /** The current split is read to its end. */
  finish(): void {
    this.splits.shift();
  }

  noMoreSplits(): void {
    this.complete = true;
    this.wake();
  }

  /** What `poll` answers without a current split. */
  emptyResult(): PollResult {
    return this.complete ? 'end' : 'nothing';
  }

  /** Held splits; the current one at its position. */
  snapshot(currentAt: (split: S) => S): readonly S[] {
    return this.splits.map((split, i) => (i === 0 ? currentAt(split) : split));
  }

  /** Resolves at the next change, or at once when there is work or an end to report. */
  available(): Promise<void> {
    if (this.splits.length > 0 || this.complete) return Promise.resolve();
    return this.changed.wait();
  }

  wake(): void {
    this.changed.raise();
  }
}
