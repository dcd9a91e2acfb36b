/**
 * Micro-benchmark of keyed state: get and set of one counter per record, as a running count does it.
 *
 *     npx tsc -p . && node dist/scripts/bench/micro-state.js
 *
 * Prints M records/s by kind of key, number of keys and order of arrival, `Map<key, {v}>` beside it, and
 * the longest single insertion while a store grows to 4 M keys.
 */
import { heapBackend } from '../../src/state/heap-backend.ts';
import type { KeyedStateStore } from '../../src/state/keyed-state-store.ts';

const RECORDS = 10_000_000;
const KEYS_GROWN = 4_000_000;
const ROUNDS = 3;

function openStore(): KeyedStateStore {
  return heapBackend.open({ keyGroups: { first: 0, last: 127, maxParallelism: 128 }, keyType: null, freezeValues: false });
}

function countInStore(keys: ArrayLike<unknown>): void {
  const store = openStore();
  const count = store.value<number>('count', null);
  for (let i = 0; i < RECORDS; i++) {
    store.setKey(keys[i % keys.length]);
    count.set((count.get() ?? 0) + 1);
  }
}

function countInMap(keys: ArrayLike<unknown>): void {
  const map = new Map<unknown, { v: number }>();
  for (let i = 0; i < RECORDS; i++) {
    const key = keys[i % keys.length];
    const entry = map.get(key);
    if (entry === undefined) map.set(key, { v: 1 });
    else entry.v += 1;
  }
}

function ratePerMicrosecond(run: () => void): number {
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    run();
    best = Math.max(best, RECORDS / (Number(process.hrtime.bigint() - start) / 1000));
  }
  return best;
}

/** A fixed scramble of 0..n. */
function scrambled(i: number, n: number): number {
  return (Math.imul(i, 0x2545f491) >>> 0) % n;
}

function* workloads(): Generator<[string, ArrayLike<unknown>]> {
  for (const n of [1000, 100_000, 1_000_000]) {
    const draws = Math.max(n, 2_000_000);
    yield [`number, ${n} keys, in order`, Float64Array.from({ length: n }, (_, i) => i)];
    yield [`number, ${n} keys, scrambled`, Float64Array.from({ length: draws }, (_, i) => scrambled(i, n))];
    const words = Array.from({ length: n }, (_, i) => `word${i}`);
    yield [`string, ${n} keys, scrambled`, Array.from({ length: draws }, (_, i) => words[scrambled(i, n)])];
  }
}

function longestInsertionMs(): number {
  const store = openStore();
  const count = store.value<number>('count', null);
  let longest = 0;
  for (let i = 0; i < KEYS_GROWN; i++) {
    const start = process.hrtime.bigint();
    store.setKey(i * 3);
    count.set(1);
    longest = Math.max(longest, Number(process.hrtime.bigint() - start) / 1e6);
  }
  return longest;
}

const only = process.argv[2] ?? '';
for (const [name, keys] of workloads()) {
  if (!name.includes(only)) continue;
  const store = ratePerMicrosecond(() => countInStore(keys));
  const map = ratePerMicrosecond(() => countInMap(keys));
  console.log(`${name.padEnd(36)} store ${store.toFixed(1).padStart(6)} M/s   Map ${map.toFixed(1).padStart(6)} M/s`);
}
console.log(`longest insertion while growing to ${KEYS_GROWN} keys: ${longestInsertionMs().toFixed(1)} ms`);
