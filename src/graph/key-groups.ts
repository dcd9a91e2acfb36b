/**
 * Key groups: the unit in which keyed state moves. A key's hash is spread into one of `maxParallelism`
 * groups, and each subtask owns a contiguous range of them, so a rescale moves ranges and never rehashes.
 *
 *     key ── key-hash ──► hash ── murmur ──► key group ── · p div maxP ──► subtask
 *
 * Invariants (test/graph/key-groups.test.ts): the ranges of all subtasks partition the groups, and a
 * group's subtask is the one whose range holds it.
 *
 * Source: Flink `KeyGroupRangeAssignment`, `MathUtils.murmurHash`.
 */
import { assert } from '../base/assert.ts';

/** Bounds of `setMaxParallelism`. */
export const MAX_PARALLELISM_LIMIT = 32768;
const MAX_PARALLELISM_DERIVED_MIN = 128;

/** Murmur's finish over one int. The result is not negative. */
function murmurHash(hash: number): number {
  let code = Math.imul(hash, 0xcc9e2d51);
  code = Math.imul((code << 15) | (code >>> 17), 0x1b873593);
  code = (code << 13) | (code >>> 19);
  code = (Math.imul(code, 5) + 0xe6546b64) ^ 4;
  code = Math.imul(code ^ (code >>> 16), 0x85ebca6b);
  code = Math.imul(code ^ (code >>> 13), 0xc2b2ae35);
  code ^= code >>> 16;
  return code >= 0 ? code : code === -2147483648 ? 0 : -code;
}

/** The key group of a key hash (graph/key-hash.ts). */
export function keyGroupOf(hash: number, maxParallelism: number): number {
  return murmurHash(hash) % maxParallelism;
}

/** The subtask that owns a key group. */
export function operatorIndexOf(keyGroup: number, maxParallelism: number, parallelism: number): number {
  return Math.floor((keyGroup * parallelism) / maxParallelism);
}

/** Key groups `first..last`, both inclusive, of one subtask. Empty ranges cannot occur: parallelism ≤ maxParallelism. */
export function keyGroupRangeOf(
  operatorIndex: number,
  maxParallelism: number,
  parallelism: number,
): { readonly first: number; readonly last: number; readonly maxParallelism: number } {
  assert(parallelism <= maxParallelism, 'parallelism does not exceed max parallelism');
  return {
    first: Math.ceil((operatorIndex * maxParallelism) / parallelism),
    last: Math.floor(((operatorIndex + 1) * maxParallelism - 1) / parallelism),
    maxParallelism,
  };
}

/** The max parallelism of an operator that declares none: the next power of two of 1.5 p, within 128..32768. */
export function deriveMaxParallelism(parallelism: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(parallelism + Math.floor(parallelism / 2)));
  return Math.min(Math.max(wanted, MAX_PARALLELISM_DERIVED_MIN), MAX_PARALLELISM_LIMIT);
}
