/** Parts combined into one watermark, by Flink's rules and by a model over arbitrary histories. */
import fc from 'fast-check';
import test from 'ava';
import { CombinedWatermark } from '../../src/exchange/combined-watermark.core.ts';
import type { ValveOutput } from '../../src/exchange/watermark-valve.core.ts';

const watermark = (timestampMs: number) => ({ kind: 'watermark' as const, timestampMs });
const status = (idle: boolean) => ({ kind: 'status' as const, idle });

function combined(...keys: string[]): CombinedWatermark<string> {
  const whole = new CombinedWatermark<string>();
  for (const key of keys) whole.add(key);
  return whole;
}

test('the watermark is the least of the active parts, and a part without one holds all', (t) => {
  const whole = combined('a', 'b');
  t.deepEqual(whole.onWatermark('a', 10), []);
  t.deepEqual(whole.onWatermark('b', 5), [watermark(5)]);
  t.deepEqual(whole.onWatermark('b', 3), []);
  t.deepEqual(whole.onStatus('b', true), [watermark(10)]);
  t.deepEqual(whole.onWatermark('a', 12), [watermark(12)]);
});

test('a part that comes back is waited for at once', (t) => {
  const whole = combined('a', 'b');
  whole.onStatus('b', true);
  t.deepEqual(whole.onWatermark('a', 20), [watermark(20)]);
  t.deepEqual(whole.onStatus('b', false), []);
  t.deepEqual(whole.onWatermark('a', 30), []);
  t.deepEqual(whole.onWatermark('b', 25), [watermark(25)]);
});

test('all idle is idle, and nothing is put out for who was ahead; active comes before its watermark', (t) => {
  const whole = combined('a', 'b');
  whole.onWatermark('a', 9);
  t.deepEqual(whole.onStatus('a', true), []);
  t.deepEqual(whole.onStatus('b', true), [status(true)]);
  t.deepEqual(whole.onStatus('b', true), []);
  t.deepEqual(whole.onWatermark('a', 12), [status(false), watermark(12)]);
});

test('a part that is removed holds nobody back; without parts there is no news', (t) => {
  const whole = combined('a', 'b');
  whole.onWatermark('a', 9);
  t.deepEqual(whole.remove('b'), [watermark(9)]);
  t.deepEqual(whole.remove('b'), []);
  t.deepEqual(whole.remove('a'), []);
  whole.add('c');
  t.deepEqual(whole.onWatermark('c', 8), []);
  t.deepEqual(whole.onWatermark('c', 10), [watermark(10)]);
});

test('over any history: watermarks rise strictly, are the least of the active, and statuses tell who is idle', (t) => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c'), act: fc.constantFrom('add', 'remove', 'idle', 'active', 'watermark'), timestampMs: fc.nat(30) });
  fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
    const whole = new CombinedWatermark<string>();
    const parts = new Map<string, { watermarkMs: number; isIdle: boolean }>();
    let [lastMs, isIdle] = [Number.MIN_SAFE_INTEGER, false];
    for (const { key, act, timestampMs } of steps) {
      let outputs: readonly ValveOutput[] = [];
      const part = parts.get(key);
      if (act === 'add' && part === undefined) {
        whole.add(key);
        parts.set(key, { watermarkMs: Number.MIN_SAFE_INTEGER, isIdle: false });
        continue; // What an added part changes shows with the next event.
      }
      if (part === undefined) continue;
      if (act === 'remove') {
        outputs = whole.remove(key);
        parts.delete(key);
      } else if (act === 'watermark') {
        outputs = whole.onWatermark(key, timestampMs);
        Object.assign(part, { isIdle: false, watermarkMs: Math.max(part.watermarkMs, timestampMs) });
      } else if (act !== 'add') {
        const wasIdle = part.isIdle;
        outputs = whole.onStatus(key, act === 'idle');
        part.isIdle = act === 'idle';
        if (part.isIdle === wasIdle) {
          t.deepEqual(outputs, []);
          continue;
        }
      } else continue;
      const active = [...parts.values()].filter((each) => !each.isIdle);
      const expected: ValveOutput[] = [];
      const idle = parts.size > 0 ? active.length === 0 : isIdle;
      if (idle !== isIdle) expected.push(status(idle));
      isIdle = idle;
      const leastMs = Math.min(...active.map(({ watermarkMs }) => watermarkMs));
      if (active.length > 0 && leastMs > lastMs) expected.push(watermark((lastMs = leastMs)));
      t.deepEqual(outputs, expected);
    }
  }));
});
