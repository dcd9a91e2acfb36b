/** Assigners and evictors in exact numbers, and their laws over random ones. */
import test from 'ava';
import fc from 'fast-check';
import { NO_TIMESTAMP } from '../../src/graph/functions.ts';
import * as assigners from '../../src/graph/window-assigners.ts';
import * as evictors from '../../src/graph/window-evictors.ts';
import { GLOBAL_WINDOW, maxTimestampOf, type TimeWindow, type WindowAssigner } from '../../src/graph/windows.ts';

const at = (nowMs: number) => ({ currentProcessingTimeMs: () => nowMs });
const spans = (assigner: WindowAssigner, timestampMs: number, nowMs = 0) =>
  assigner.assignWindows(null, timestampMs, at(nowMs)).map(({ startMs, endMs }) => [startMs, endMs]);

test('a tumbling window starts at a multiple of its size plus the offset, also before the epoch', (t) => {
  const plain = assigners.tumblingWindows('event', 5000, 0);
  t.deepEqual([0, 4999, 5000, -1, -5000, -5001].map((ms) => spans(plain, ms)[0]?.[0]), [0, 0, 5000, -5000, -5000, -10000]);
  const shifted = assigners.tumblingWindows('event', 5000, 100);
  t.deepEqual([0, 99, 100, 5099, 5100].map((ms) => spans(shifted, ms)[0]), [[-4900, 100], [-4900, 100], [100, 5100], [100, 5100], [5100, 10100]]);
  const dayInChina = assigners.tumblingWindows('event', 86_400_000, -28_800_000);
  t.deepEqual(spans(dayInChina, Date.UTC(2024, 0, 1, 15, 59, 59, 999)), [[Date.UTC(2023, 11, 31, 16), Date.UTC(2024, 0, 1, 16)]]);
});

test('a record is in size / slide sliding windows, the latest first; in none when it falls between them', (t) => {
  const sliding = assigners.slidingWindows('event', { sizeMs: 5000, slideMs: 1000, offsetMs: 0 });
  t.deepEqual(spans(sliding, 0), [[0, 5000], [-1000, 4000], [-2000, 3000], [-3000, 2000], [-4000, 1000]]);
  t.deepEqual(spans(sliding, 5000)[0], [5000, 10000]);
  const uneven = assigners.slidingWindows('event', { sizeMs: 7, slideMs: 3, offsetMs: 1 });
  t.deepEqual(spans(uneven, 8), [[7, 14], [4, 11]]);
  const gaps = assigners.slidingWindows('event', { sizeMs: 2, slideMs: 5, offsetMs: 0 });
  t.deepEqual([spans(gaps, 6), spans(gaps, 7)], [[[5, 7]], []]);
});

test('processing-time windows go by the clock', (t) => {
  t.deepEqual(spans(assigners.tumblingWindows('processing', 10, 0), NO_TIMESTAMP, 25), [[20, 30]]);
  t.deepEqual(spans(assigners.sessionWindows('processing', 7), 0, 25), [[25, 32]]);
});

test('event-time windows refuse records without a timestamp', (t) => {
  const all = [assigners.tumblingWindows('event', 1, 0), assigners.slidingWindows('event', { sizeMs: 2, slideMs: 1, offsetMs: 0 }), assigners.sessionWindows('event', 1)];
  for (const assigner of all) t.throws(() => spans(assigner, NO_TIMESTAMP), { code: 'TIMESTAMP_MISSING' });
});

test('a session window is as long as the gap, which may come from the record', (t) => {
  t.deepEqual(spans(assigners.sessionWindows('event', 3000), 1000), [[1000, 4000]]);
  const dynamic = assigners.dynamicSessionWindows('event', (value: number) => value);
  t.deepEqual(dynamic.assignWindows(5, 10, at(0)), [{ startMs: 10, endMs: 15 }]);
  for (const gap of [0, -1, NaN, 1.5]) t.throws(() => dynamic.assignWindows(gap, 10, at(0)), { code: 'TYPE_MISMATCH' });
});

test('the global window never ends', (t) => {
  t.deepEqual(assigners.globalWindows(false).assignWindows(null, NO_TIMESTAMP, at(0)), [GLOBAL_WINDOW]);
  t.is(maxTimestampOf(GLOBAL_WINDOW), Number.MAX_SAFE_INTEGER);
  t.is(maxTimestampOf({ startMs: 0, endMs: 10 }), 9);
});

test('assigners are named as Flink prints them, and know their trigger', (t) => {
  const described = [
    assigners.tumblingWindows('event', 10, 0),
    assigners.slidingWindows('processing', { sizeMs: 10, slideMs: 5, offsetMs: 0 }),
    assigners.sessionWindows('event', 7),
    assigners.dynamicSessionWindows('processing', () => 1),
    assigners.globalWindows(false),
    assigners.globalWindows(true),
  ].map((assigner) => `${assigner.name} ${assigner.defaultTrigger().name}`);
  t.deepEqual(described, [
    'TumblingEventTimeWindows(10) EventTimeTrigger()',
    'SlidingProcessingTimeWindows(10, 5) ProcessingTimeTrigger()',
    'EventTimeSessionWindows(7) EventTimeTrigger()',
    'DynamicProcessingTimeSessionWindows() ProcessingTimeTrigger()',
    'GlobalWindows() NeverTrigger()',
    'GlobalWindows() EndOfStreamTrigger()',
  ]);
});

const sizes = fc.record({ sizeMs: fc.integer({ min: 1, max: 1000 }), slideMs: fc.integer({ min: 1, max: 1000 }), offset: fc.integer({ min: -999, max: 999 }) });

test('the windows of a record are all those that hold it, and no others', (t) => {
  fc.assert(fc.property(sizes, fc.integer({ min: -100_000, max: 100_000 }), ({ sizeMs, slideMs, offset }, timestampMs) => {
    const offsetMs = offset % slideMs;
    const assigner = assigners.slidingWindows('event', { sizeMs, slideMs, offsetMs });
    const found = assigner.assignWindows(null, timestampMs, at(0));
    const expected: TimeWindow[] = [];
    const lowest = Math.floor((timestampMs - sizeMs - offsetMs) / slideMs);
    for (let n = lowest; n * slideMs + offsetMs <= timestampMs; n++) {
      const startMs = n * slideMs + offsetMs;
      if (startMs + sizeMs > timestampMs) expected.unshift({ startMs, endMs: startMs + sizeMs });
    }
    t.deepEqual(found, expected);
  }));
});

const elements = [[1, 0], [9, 20], [5, 10], [7, 15], [6, 12]].map(([value, timestampMs]) => ({ value: value as number, timestampMs: timestampMs as number }));
const values = (kept: readonly { readonly value: number }[] | undefined) => kept?.map(({ value }) => value);
const evictorContext = { currentWatermarkMs: 0, currentProcessingTimeMs: () => 0 };

test('the count evictor keeps the last records', (t) => {
  const keep = (count: number) => values(evictors.countEvictor<number>(count, false).evictBefore?.(elements, GLOBAL_WINDOW, evictorContext));
  t.deepEqual([keep(2), keep(5), keep(9)], [[7, 6], [1, 9, 5, 7, 6], [1, 9, 5, 7, 6]]);
});

test('the time evictor keeps what is later than the latest minus its span; without timestamps it keeps all', (t) => {
  const keep = (input: typeof elements) => values(evictors.timeEvictor<number>(8, false).evictBefore?.(input, GLOBAL_WINDOW, evictorContext));
  t.deepEqual(keep(elements), [9, 7]);
  t.deepEqual(keep(elements.map(({ value }) => ({ value, timestampMs: NO_TIMESTAMP }))), [1, 9, 5, 7, 6]);
});

test('the delta evictor keeps what is nearer to the last record than its threshold', (t) => {
  const keep = values(evictors.deltaEvictor<number>(2, (a, b) => Math.abs(a - b), false).evictBefore?.(elements, GLOBAL_WINDOW, evictorContext));
  t.deepEqual(keep, [5, 7, 6]);
});

test('an evictor evicts before the window function, or after it', (t) => {
  const before = evictors.countEvictor<number>(1, false);
  const after = evictors.countEvictor<number>(1, true);
  t.deepEqual([Object.keys(before), Object.keys(after)], [['name', 'evictBefore'], ['name', 'evictAfter']]);
  t.deepEqual([before.name, evictors.timeEvictor(5, true).name, evictors.deltaEvictor(1, () => 0, true).name], ['CountEvictor(1)', 'TimeEvictor(5)', 'DeltaEvictor(1)']);
});
