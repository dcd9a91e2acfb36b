/**
 * The splits of a reader that reads ahead in the background: worked off in the order of their arrival, and asked for as soon
 * as the last one at hand has been read up, so that the next arrives while that is decoded.
 *
 *     requestSplit ─► add ─► begin (background) ─► current … finish (reader)
 */
import type { ReaderContext, SourceSplit } from '../graph/functions.ts';

export class ReadAheadSplits<S extends SourceSplit> {
  private readonly context: Pick<ReaderContext, 'requestSplit'>;
  /** Not finished, oldest first; the first `begun` are or were being read. */
  private readonly splits: S[] = [];
  private begun = 0;
  private requested = false;
  private complete = false;

  constructor(context: Pick<ReaderContext, 'requestSplit'>) {
    this.context = context;
  }

  get current(): S | undefined {
    return this.splits[0];
  }

  /** Everything is read and nothing follows. */
  get isEnded(): boolean {
    return this.complete && this.splits.length === 0;
  }

  add(splits: readonly S[]): void {
    this.requested = false;
    this.splits.push(...splits);
  }

  noMore(): void {
    this.complete = true;
  }

  /** The next split to read; undefined: there is none yet, and one was asked for. */
  begin(): S | undefined {
    if (this.begun < this.splits.length) return this.splits[this.begun++];
    if (!this.requested && !this.complete) {
      this.requested = true;
      this.context.requestSplit();
    }
    return undefined;
  }

  /** The current split is worked off. */
  finish(): void {
    this.splits.shift();
    this.begun -= 1;
  }

  /** What is left; the current split at its position. */
  snapshot(currentAt: (split: S) => S): readonly S[] {
    return this.splits.map((split, i) => (i === 0 ? currentAt(split) : split));
  }
}
