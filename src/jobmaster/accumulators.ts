/** Merging of accumulators: over the subtasks of a job. Order-independent, so that a result does not depend on timing. */
import type { AccumulatorValue } from '../protocol/deployment.ts';

/** Accumulators by name. */
export type AccumulatorValues = Readonly<Record<string, AccumulatorValue>>;

const TWO_TO_64 = 2n ** 64n;

/** Merges by name. Of two kinds under one name the first stays; within one task `Accumulators` refuses a second kind. */
export function mergeAccumulators(parts: readonly AccumulatorValues[]): AccumulatorValues {
  const merged = new Map<string, AccumulatorValue>();
  for (const part of parts) {
    for (const [name, value] of Object.entries(part)) {
      const before = merged.get(name);
      merged.set(name, before ? mergeTwo(before, value) : value);
    }
  }
  return Object.fromEntries(merged);
}

function mergeTwo(a: AccumulatorValue, b: AccumulatorValue): AccumulatorValue {
  if (a.kind === 'counter' && b.kind === 'counter') return { kind: 'counter', value: a.value + b.value };
  if (a.kind === 'sum64' && b.kind === 'sum64') return { kind: 'sum64', value: String((BigInt(a.value) + BigInt(b.value)) % TWO_TO_64) };
  if (a.kind === 'histogram' && b.kind === 'histogram') return { kind: 'histogram', counts: addCounts(a.counts, b.counts) };
  return a;
}

function addCounts(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const sums: Record<string, number> = { ...a };
  for (const [bucket, count] of Object.entries(b)) sums[bucket] = (sums[bucket] ?? 0) + count;
  return sums;
}
