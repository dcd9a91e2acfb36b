/**
 * A source that never runs dry before the test says so: numbers 0, 1, 2 … in small splits, a few at a time. For
 * programs in this process: enumerator, readers and the test share the `Tap`.
 */
import { systemPorts } from '../../src/base/system-ports.ts';
import {
  NO_TIMESTAMP, type EnumeratorContext, type PollResult, type ReaderContext, type RecordBatch, type Source, type SourceReader, type SourceSplit,
  type SplitEnumerator,
} from '../../src/index.ts';

/** The test closes it; then the split that is being read is a reader's last. */
export interface Tap {
  isClosed: boolean;
  /** How many numbers there were, once the source has ended: at least as many as ever went out before a restart. */
  total: number;
}

interface Range extends SourceSplit {
  readonly next: number;
  readonly end: number;
}

const RANGE_SIZE = 20;
const RECORDS_PER_POLL = 3;

export function pacedSource(tap: Tap): Source<number, Range> {
  return {
    name: 'numbers',
    boundedness: 'bounded',
    createEnumerator: (context, restored) => enumerator(tap, context, restored as State | null),
    createReader: (context) => new PacedReader(context),
  };
}

interface State {
  readonly next: number;
  readonly back: readonly Range[];
}

function enumerator(tap: Tap, context: EnumeratorContext<Range>, restored: State | null): SplitEnumerator<Range> {
  let next = restored?.next ?? 0;
  const back: Range[] = [...(restored?.back ?? [])];
  return {
    addReader: () => undefined,
    handleSplitRequest: (subtaskIndex) => {
      const returned = back.shift();
      if (returned === undefined && tap.isClosed && next >= tap.total) {
        tap.total = next;
        return context.signalNoMoreSplits(subtaskIndex);
      }
      context.assignSplit(returned ?? { id: `from-${next}`, next, end: (next += RANGE_SIZE) }, subtaskIndex);
      tap.total = Math.max(tap.total, next);
    },
    addSplitsBack: (splits) => void back.unshift(...splits),
    snapshot: () => ({ next, back }),
  };
}

class PacedReader implements SourceReader<number, Range> {
  private readonly context: ReaderContext;
  private readonly splits: Range[] = [];
  private isAsking = false;
  private hasEnded = false;

  constructor(context: ReaderContext) {
    this.context = context;
  }

  poll(batch: RecordBatch<number>): PollResult {
    batch.length = 0;
    const split = this.splits[0];
    if (split === undefined) {
      if (this.hasEnded) return 'end';
      if (!this.isAsking) this.context.requestSplit();
      this.isAsking = true;
      return 'nothing';
    }
    const next = Math.min(split.end, split.next + RECORDS_PER_POLL);
    for (let n = split.next; n < next; n++) {
      batch.values[batch.length] = n;
      batch.timestampsMs[batch.length++] = NO_TIMESTAMP;
    }
    if (next < split.end) this.splits[0] = { ...split, next };
    else this.splits.shift();
    return 'nothing';
  }

  available(): Promise<void> {
    return new Promise((resolve) => systemPorts.clock.after(1, () => resolve()));
  }

  addSplits(splits: readonly Range[]): void {
    this.isAsking = false;
    this.splits.push(...splits);
  }

  noMoreSplits(): void {
    this.hasEnded = true;
  }

  snapshot(): readonly Range[] {
    return this.splits;
  }

  close(): void {}
}
