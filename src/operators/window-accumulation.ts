/**
 * Windows that combine records as they come: what the first record of a window makes of nothing, and each further one of
 * what is there. The accumulator is one value of state per key and window, owned by the operator.
 *
 * `firstText` and `nextText` are the same as `first` and `next`, for generated code: the user's function becomes a call
 * site of its own. min and max go through `next`: they change an accumulator seldom.
 */
import { present } from '../base/assert.ts';
import type { ReduceFunction } from '../graph/functions.ts';
import type { AggregateData } from '../graph/operator-spec.ts';
import type { AggregateFunction } from '../graph/windows.ts';
import { aggregation } from './keyed-aggregate.ts';
import { fieldOf, plus } from './keyed-sum.ts';
import type { OperatorCode } from './operator.ts';

/** How records are combined. */
export interface Accumulation {
  /** Whether what it emits may be changed by later records: then what is emitted early has to be a copy. */
  readonly changesInPlace: boolean;
  /** Whether an accumulator may hold on to a record it was given. */
  readonly retainsInput: boolean;
  first(value: unknown): unknown;
  next(accumulator: unknown, value: unknown): unknown;
  result(accumulator: unknown): unknown;
  /** Combines the accumulators of two windows. */
  merge(a: unknown, b: unknown): unknown;
  firstText(code: OperatorCode, value: string): string;
  nextText(code: OperatorCode, accumulator: string, value: string): string;
}

/** The first record, reduced with each that follows. */
export function reducing(user: { readonly reduce: ReduceFunction<unknown> }): Accumulation {
  return {
    changesInPlace: false,
    retainsInput: true,
    first: (value) => value,
    next: (accumulator, value) => user.reduce(accumulator, value),
    result: (accumulator) => accumulator,
    merge: (a, b) => user.reduce(a, b),
    firstText: (_code, value) => value,
    nextText: (code, accumulator, value) => `${code.constant('user', user)}.reduce(${accumulator}, ${value})`,
  };
}

/** An accumulator of the user's. */
export function aggregating(user: AggregateFunction<unknown, unknown, unknown>): Accumulation {
  return {
    changesInPlace: true,
    retainsInput: true,
    first: (value) => user.add(user.createAccumulator(), value),
    next: (accumulator, value) => user.add(accumulator, value),
    result: (accumulator) => user.getResult(accumulator),
    merge: (a, b) => present(user.merge?.bind(user), 'aggregations over windows that merge have a merge function')(a, b),
    firstText: (code, value) => {
      const name = code.constant('aggregate', user);
      return `${name}.add(${name}.createAccumulator(), ${value})`;
    },
    nextText: (code, accumulator, value) => `${code.constant('aggregate', user)}.add(${accumulator}, ${value})`,
  };
}

/** One field, combined in a copy of the first record. `copy` is a deep one. */
export function fieldAccumulation(data: AggregateData, copy: (record: unknown) => unknown): Accumulation {
  return data.op === 'sum' ? summing(data.field, copy) : reducing({ reduce: aggregation({ ...data, op: data.op }) });
}

function summing(field: AggregateData['field'], copy: (record: unknown) => unknown): Accumulation {
  const next = (accumulator: unknown, value: unknown): unknown => {
    const sum = plus(fieldOf(accumulator, field), fieldOf(value, field), field);
    if (field === null) return sum;
    (accumulator as Record<string | number, unknown>)[field] = sum;
    return accumulator;
  };
  const accumulation: Accumulation = {
    changesInPlace: field !== null,
    retainsInput: false,
    first(value) {
      plus(0, fieldOf(value, field), field); // A value that cannot be added fails on its first record.
      return copy(value);
    },
    next,
    result: (accumulator) => accumulator,
    merge: next,
    firstText: (code, value) => `${code.constant('sum', accumulation)}.first(${value})`,
    nextText: (code, accumulator, value) => {
      const place = field === null ? '' : `[${JSON.stringify(field)}]`;
      const [kept, added] = [`${accumulator}${place}`, `${value}${place}`];
      const areNumbers = `typeof ${kept} === 'number' && typeof ${added} === 'number'`;
      const fast = field === null ? `${kept} + ${added}` : `(${kept} += ${added}, ${accumulator})`;
      return `${areNumbers} ? ${fast} : ${code.constant('sum', accumulation)}.next(${accumulator}, ${value})`;
    },
  };
  return accumulation;
}
