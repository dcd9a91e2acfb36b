/**
 * The accumulators of one subtask. They are merged with those of other subtasks at the JobMaster, and
 * travel whole with every report: a report that comes late or twice does no harm.
 */
import { ClusterError } from '../protocol/errors.ts';
import type { Accumulators } from '../graph/functions.ts';
import type { RecordFold } from '../graph/record-hash.ts';
import type { AccumulatorValue } from '../protocol/deployment.ts';

/** Distinct values that one histogram may hold; a report carries all of them. */
const HISTOGRAM_VALUES_MAX = 10_000;

/** Counters, histograms, and the folds of discard sinks. */
export class TaskAccumulators implements Accumulators {
  private readonly counters = new Map<string, number>();
  private readonly histograms = new Map<string, Map<number, number>>();
  private readonly folds = new Map<string, RecordFold>();

  add(name: string, amount: number): void {
    const value = this.counters.get(name);
    if (value === undefined && this.histograms.has(name)) throw kindClash(name, 'histogram');
    this.counters.set(name, (value ?? 0) + amount);
  }

  histogram(name: string, value: number): void {
    const counts = this.histograms.get(name) ?? new Map<number, number>();
    if (counts.size === 0 && this.counters.has(name)) throw kindClash(name, 'counter');
    if (counts.size >= HISTOGRAM_VALUES_MAX && !counts.has(value)) {
      throw new ClusterError('UNSUPPORTED', `histogram '${name}' has ${HISTOGRAM_VALUES_MAX} distinct values: round them before recording`);
    }
    this.histograms.set(name, counts.set(value, (counts.get(value) ?? 0) + 1));
  }

  /** Reports a discard sink as `<name>.count` and `<name>.hash`. */
  fold(name: string, fold: RecordFold): void {
    this.folds.set(name, fold);
  }

  /** All values now. */
  snapshot(): Readonly<Record<string, AccumulatorValue>> {
    const values: Record<string, AccumulatorValue> = {};
    for (const [name, value] of this.counters) values[name] = { kind: 'counter', value };
    for (const [name, counts] of this.histograms) values[name] = { kind: 'histogram', counts: Object.fromEntries(counts) };
    for (const [name, fold] of this.folds) {
      values[`${name}.count`] = { kind: 'counter', value: fold.count };
      values[`${name}.hash`] = { kind: 'sum64', value: fold.sum() };
    }
    return values;
  }
}

function kindClash(name: string, kind: string): ClusterError {
  return new ClusterError('UNSUPPORTED', `accumulator '${name}' is already a ${kind}`);
}
