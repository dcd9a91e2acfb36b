/**
 * min, max, minBy and maxBy of a keyed stream, as reduce functions (sum: keyed-sum.ts).
 *
 * min and max keep the other fields of the key's first record; minBy and maxBy keep whole records,
 * and on a tie the earlier one when `first`. The results are new records: nothing is changed in place.
 * NaN is above all numbers, as in Java: otherwise the first NaN of a key would stay its minimum for ever.
 *
 * Source: Flink `SumAggregator`, `ComparableAggregator`.
 */
import { ClusterError } from '../protocol/errors.ts';
import type { ReduceFunction } from '../graph/functions.ts';
import { formatRecord } from '../graph/record-format.ts';
import type { AggregateData } from '../graph/operator-spec.ts';

/** An aggregation by order. */
type Ordering = AggregateData & { readonly op: Exclude<AggregateData['op'], 'sum'> };
type Comparable = number | bigint | string;

/** The reduce function of an aggregation. It throws TYPE_MISMATCH naming the field for values that cannot be combined. */
export function aggregation(data: Ordering): ReduceFunction<unknown> {
  const read = fieldReader(data);
  switch (data.op) {
    case 'min':
    case 'max': {
      const sign = data.op === 'min' ? -1 : 1;
      return (accumulated, value) => {
        const candidate = read(value);
        return compare(candidate, read(accumulated), data) === sign ? withField(accumulated, data.field, candidate) : accumulated;
      };
    }
    case 'minBy':
    case 'maxBy': {
      const sign = data.op === 'minBy' ? -1 : 1;
      return (accumulated, value) => {
        const order = compare(read(value), read(accumulated), data);
        return order === sign || (order === 0 && !data.first) ? value : accumulated;
      };
    }
  }
}

/** Reads the field, refusing what has no order. */
function fieldReader(data: Ordering): (record: unknown) => Comparable {
  const { field } = data;
  return (record) => {
    const value = field === null ? record : (record as Record<string | number, unknown> | null | undefined)?.[field];
    if (typeof value === 'number' || typeof value === 'string' || typeof value === 'bigint') return value;
    throw mismatch(data, value);
  };
}

function compare(a: Comparable, b: Comparable, data: Ordering): -1 | 0 | 1 {
  if ((typeof a === 'string') !== (typeof b === 'string')) throw mismatch(data, a);
  if (a < b) return -1;
  if (a > b) return 1;
  const [isNaNOfA, isNaNOfB] = [Number.isNaN(a), Number.isNaN(b)];
  return isNaNOfA === isNaNOfB ? 0 : isNaNOfA ? 1 : -1;
}

/** A copy of `record` in which `field` is `value`. */
function withField(record: unknown, field: string | number | null, value: Comparable): unknown {
  if (field === null) return value;
  if (Array.isArray(record)) {
    const copy: unknown[] = record.slice();
    copy[field as number] = value;
    return copy;
  }
  return { ...(record as object), [field]: value };
}

function mismatch(data: Ordering, value: unknown): ClusterError {
  const place = data.field === null ? 'the record' : `field '${data.field}'`;
  const shown = typeof value === 'string' ? JSON.stringify(value) : formatRecord(value);
  return new ClusterError('TYPE_MISMATCH', `${data.op}: ${place} is ${shown}, which has no order among the others`);
}
