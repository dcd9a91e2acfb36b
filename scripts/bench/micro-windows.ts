/**
 * State of windows, as a window operator uses it: one value per (key, window), emptied when the window ends.
 * The alternative is a Map by key in a Map by window.
 */
import { heapBackend } from '../../src/state/heap-backend.ts';
import type { Namespacing } from '../../src/state/keyed-state-store.ts';
import type { MicroBenchmark } from './bench.ts';

const RECORDS = 2_000_000;
const KEYS = 10_000;
const SLIDE_MS = 5000;

/** Tumbling: a window takes 10 records of each key, the one before still gets one record in eight. Sliding: twelve at a time. */
function inStore(namespaced: Namespacing, windowsEach: number, records: number): number {
  const store = heapBackend.open({ keyGroups: { first: 0, last: 127, maxParallelism: 128 }, keyType: null, freezeValues: false });
  const sum = store.value<number>('sum', null, { namespaced, ownership: 'owned' });
  const windowOf = (index: number) => ({ startMs: index * SLIDE_MS, endMs: (index + windowsEach) * SLIDE_MS });
  let fired = 0;
  const perSlide = KEYS * 10;
  for (let slide = 0; slide * perSlide < records; slide++) {
    const windows = Array.from({ length: windowsEach + 1 }, (_, i) => windowOf(slide - i));
    for (let i = 0; i < perSlide; i++) {
      store.setKey(Math.imul(i, 7919) % KEYS);
      for (let w = 0; w < windowsEach; w++) {
        store.setNamespace(windows[i % 8 === 0 ? w + 1 : w] as (typeof windows)[0]);
        sum.set((sum.get() ?? 0) + 1);
      }
    }
    store.setNamespace(windowOf(slide - windowsEach));
    for (let key = 0; key < KEYS; key++) {
      store.setKey(key);
      fired += sum.get() ?? 0;
      sum.clear();
    }
  }
  return fired;
}

function inMaps(windowsEach: number, records: number): number {
  const windows = new Map<number, Map<number, number>>();
  let fired = 0;
  const perSlide = KEYS * 10;
  for (let slide = 0; slide * perSlide < records; slide++) {
    for (let i = 0; i < perSlide; i++) {
      const key = Math.imul(i, 7919) % KEYS;
      for (let w = 0; w < windowsEach; w++) {
        const window = slide - (i % 8 === 0 ? w + 1 : w);
        let sums = windows.get(window);
        if (sums === undefined) windows.set(window, (sums = new Map<number, number>()));
        sums.set(key, (sums.get(key) ?? 0) + 1);
      }
    }
    for (const sum of windows.get(slide - windowsEach)?.values() ?? []) fired += sum;
    windows.delete(slide - windowsEach);
  }
  return fired;
}

const benchmarks: readonly MicroBenchmark[] = [
  {
    name: `tumbling windows over ${KEYS} keys`,
    records: RECORDS,
    variants: {
      shared: () => inStore('shared', 1, RECORDS),
      own: () => inStore('own', 1, RECORDS),
      'Map of Maps': () => inMaps(1, RECORDS),
    },
  },
  {
    name: `sliding windows, twelve at a time, over ${KEYS} keys`,
    records: RECORDS / 10,
    variants: {
      shared: () => inStore('shared', 12, RECORDS / 10),
      own: () => inStore('own', 12, RECORDS / 10),
      'Map of Maps': () => inMaps(12, RECORDS / 10),
    },
  },
];
export default benchmarks;
