/**
 * A source of one's own: Fibonacci numbers modulo a prime, split by ranges of their index. An enumerator at the
 * JobManager hands out the ranges on request; each reader works off its own, and its whole state is in its splits.
 *
 *     bin/flink run examples/streaming/CustomSource.ts --count 1000 -p 2
 */
import { NO_TIMESTAMP, arg, job, t } from 'drey';
import type { EnumeratorContext, JsonValue, SourceSplit, SplitEnumerator } from 'drey';
import type { PollResult, ReaderContext, RecordBatch, Source, SourceReader } from 'drey';

/** Indexes `next..end`, the end excluded. `next` moves as the split is read. */
interface RangeSplit extends SourceSplit {
  readonly next: number;
  readonly end: number;
}

const RANGE_SIZE = 100;
const MODULUS = 1_000_007n;

class RangeEnumerator implements SplitEnumerator<RangeSplit> {
  private readonly context: EnumeratorContext<RangeSplit>;
  private readonly waiting: RangeSplit[];

  constructor(context: EnumeratorContext<RangeSplit>, waiting: readonly RangeSplit[]) {
    this.context = context;
    this.waiting = [...waiting];
  }

  addReader(): void {}

  handleSplitRequest(subtaskIndex: number): void {
    const split = this.waiting.shift();
    if (split) this.context.assignSplit(split, subtaskIndex);
    else this.context.signalNoMoreSplits(subtaskIndex);
  }

  addSplitsBack(splits: readonly RangeSplit[]): void {
    this.waiting.unshift(...splits);
  }

  snapshot(): JsonValue {
    return this.waiting;
  }
}

class RangeReader implements SourceReader<number, RangeSplit> {
  private readonly context: ReaderContext;
  private readonly splits: RangeSplit[] = [];
  private ended = false;
  private wake: () => void = () => undefined;

  constructor(context: ReaderContext) {
    this.context = context;
  }

  start(): void {
    this.context.requestSplit();
  }

  poll(batch: RecordBatch<number>): PollResult {
    batch.length = 0;
    const split = this.splits[0];
    if (!split) return this.ended ? 'end' : 'nothing';
    const next = Math.min(split.end, split.next + batch.capacity);
    for (let index = split.next; index < next; index++) {
      batch.values[batch.length] = fibonacci(index);
      batch.timestampsMs[batch.length] = NO_TIMESTAMP;
      batch.length += 1;
    }
    if (next < split.end) this.splits[0] = { ...split, next };
    else {
      this.splits.shift();
      if (this.splits.length === 0) this.context.requestSplit();
    }
    return 'more';
  }

  available(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
      if (this.splits.length > 0 || this.ended) resolve();
    });
  }

  addSplits(splits: readonly RangeSplit[]): void {
    this.splits.push(...splits);
    this.wake();
  }

  noMoreSplits(): void {
    this.ended = true;
    this.wake();
  }

  snapshot(): readonly RangeSplit[] {
    return this.splits;
  }

  close(): void {}
}

/** By squaring matrices, so that any index is reached in a few steps. */
function fibonacci(index: number): number {
  let [a, b] = [0n, 1n];
  for (const bit of index.toString(2)) {
    const double = (a * (2n * b - a + MODULUS)) % MODULUS;
    const sum = (a * a + b * b) % MODULUS;
    [a, b] = bit === '0' ? [double, sum] : [sum, (double + sum) % MODULUS];
  }
  return Number(a);
}

function ranges(count: number): readonly RangeSplit[] {
  return Array.from({ length: Math.ceil(count / RANGE_SIZE) }, (_, i) => ({
    id: `range-${i}`,
    next: i * RANGE_SIZE,
    end: Math.min(count, (i + 1) * RANGE_SIZE),
  }));
}

/** The first `count` Fibonacci numbers modulo 1 000 007. */
function fibonacciSource(count: number): Source<number, RangeSplit> {
  return {
    name: 'Fibonacci',
    boundedness: 'bounded',
    type: t.int32,
    createEnumerator(context, restored) {
      return new RangeEnumerator(context, restored === null ? ranges(count) : (restored as unknown as RangeSplit[]));
    },
    createReader: (context) => new RangeReader(context),
  };
}

const args = { count: arg.int({ default: 1000, description: 'numbers in all' }) };

export default job({ name: 'Custom Source', args }, (env, { count }) => {
  env
    .fromSource(fibonacciSource(count))
    .keyBy((n) => n % 2 === 0)
    .max()
    .print();
});
