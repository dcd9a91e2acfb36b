/** Summary of a set of whole numbers, with the fields that REST shows for subtasks. */
import type { JsonObject } from '../protocol/json.ts';

/** min, max, avg (floored), sum and nearest-rank percentiles; all 0 for an empty set. */
export function distribution(values: readonly number[]): JsonObject {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  const sum = sorted.reduce((total, value) => total + value, 0);
  return {
    min: sorted[0] ?? 0,
    max: sorted.at(-1) ?? 0,
    avg: sorted.length === 0 ? 0 : Math.floor(sum / sorted.length),
    sum,
    median: at(0.5),
    p25: at(0.25),
    p75: at(0.75),
    p95: at(0.95),
  };
}
