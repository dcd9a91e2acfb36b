/** The valve, by Flink's StatusWatermarkValveTest and by properties over arbitrary histories. */
import test from 'ava';
import fc from 'fast-check';
import { WatermarkValve } from '../../src/exchange/watermark-valve.core.ts';

const watermark = (timestampMs: number) => ({ kind: 'watermark' as const, timestampMs });
const status = (idle: boolean) => ({ kind: 'status' as const, idle });

test('the watermark is the least of all channels and never goes back', (t) => {
  const valve = new WatermarkValve(3);
  t.deepEqual(valve.onWatermark(0, 10), []);
  t.deepEqual(valve.onWatermark(1, 5), []);
  t.deepEqual(valve.onWatermark(2, 7), [watermark(5)]);
  t.deepEqual(valve.onWatermark(1, 4), []);
  t.deepEqual(valve.onWatermark(1, 12), [watermark(7)]);
  t.deepEqual(valve.onWatermark(2, 20), [watermark(10)]);
});

test('an idle channel is not waited for', (t) => {
  const valve = new WatermarkValve(2);
  valve.onWatermark(0, 10);
  t.deepEqual(valve.onStatus(1, true), [watermark(10)]);
  t.deepEqual(valve.onWatermark(0, 15), [watermark(15)]);
  t.deepEqual(valve.onWatermark(1, 99), [], 'a watermark of an idle channel is ignored');
});

test('a channel that was idle is waited for only once it has caught up', (t) => {
  const valve = new WatermarkValve(2);
  valve.onStatus(1, true);
  valve.onWatermark(0, 20);
  t.deepEqual(valve.onStatus(1, false), []);
  t.deepEqual(valve.onWatermark(1, 18), []);
  t.deepEqual(valve.onWatermark(0, 25), [watermark(25)]);
  t.deepEqual(valve.onWatermark(1, 26), []);
  t.deepEqual(valve.onWatermark(0, 30), [watermark(26)]);
});

test('the stream is idle when all channels are, and the furthest watermark comes before', (t) => {
  const valve = new WatermarkValve(2);
  valve.onWatermark(0, 10);
  valve.onWatermark(1, 5);
  t.deepEqual(valve.onStatus(0, true), []);
  t.deepEqual(valve.onStatus(1, true), [watermark(10), status(true)]);
  t.deepEqual(valve.onStatus(1, true), []);
  t.deepEqual(valve.onStatus(0, false), [status(false)]);
});

/** Flink's `StatusWatermarkValve`, told again without its bookkeeping of who is aligned. */
class ModelValve {
  private readonly channels: { watermarkMs: number; isIdle: boolean; isAligned: boolean }[];
  private lastMs = Number.MIN_SAFE_INTEGER;

  constructor(count: number) {
    this.channels = Array.from({ length: count }, () => ({ watermarkMs: Number.MIN_SAFE_INTEGER, isIdle: false, isAligned: true }));
  }

  step(index: number, act: number | 'idle' | 'active'): unknown[] {
    const channel = this.channels[index]!;
    const wasIdle = this.channels.every(({ isIdle }) => isIdle);
    if (act === 'idle' || act === 'active') {
      if (channel.isIdle === (act === 'idle')) return [];
      channel.isIdle = act === 'idle';
      channel.isAligned = act === 'active' && channel.watermarkMs >= this.lastMs;
      if (act === 'active') return wasIdle ? [status(false)] : [];
      const wasLeast = channel.watermarkMs === this.lastMs;
      const isIdle = this.channels.every((each) => each.isIdle);
      const out = wasLeast ? this.raise(isIdle ? Math.max(...this.channels.map(({ watermarkMs }) => watermarkMs)) : this.least()) : [];
      return isIdle ? [...out, status(true)] : out;
    }
    if (channel.isIdle || act <= channel.watermarkMs) return [];
    channel.watermarkMs = act;
    if (act >= this.lastMs) channel.isAligned = true;
    return this.raise(this.least());
  }

  private least(): number {
    const aligned = this.channels.filter(({ isAligned }) => isAligned).map(({ watermarkMs }) => watermarkMs);
    return aligned.length === 0 ? Number.MIN_SAFE_INTEGER : aligned.toSorted((a, b) => a - b)[0]!;
  }

  private raise(toMs: number): unknown[] {
    if (toMs <= this.lastMs) return [];
    this.lastMs = toMs;
    return [watermark(toMs)];
  }
}

test('over any history the valve does what Flink does', (t) => {
  const act = fc.oneof(fc.nat(30), fc.constantFrom('idle' as const, 'active' as const));
  fc.assert(fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.tuple(fc.nat(4), act), { maxLength: 80 }), (count, steps) => {
    const [valve, model] = [new WatermarkValve(count), new ModelValve(count)];
    for (const [channel, what] of steps) {
      const index = channel % count;
      const outputs = typeof what === 'number' ? valve.onWatermark(index, what) : valve.onStatus(index, what === 'idle');
      t.deepEqual([...outputs], model.step(index, what));
    }
  }));
});

test('over any history watermarks rise strictly and statuses alternate', (t) => {
  const step = fc.record({ channel: fc.nat(2), idle: fc.option(fc.boolean()), timestampMs: fc.nat(50) });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const valve = new WatermarkValve(3);
    const idle = [false, false, false];
    let lastMs = -Infinity;
    let isIdle = false;
    for (const { channel, idle: becomes, timestampMs } of steps) {
      const outputs = becomes === null ? valve.onWatermark(channel, timestampMs) : valve.onStatus(channel, becomes);
      if (becomes !== null) idle[channel] = becomes;
      for (const output of outputs) {
        if (output.kind === 'watermark') {
          if (output.timestampMs <= lastMs) return false;
          lastMs = output.timestampMs;
        } else {
          if (output.idle === isIdle) return false;
          isIdle = output.idle;
        }
      }
      if (isIdle !== idle.every(Boolean)) return false;
    }
    return true;
  }));
  t.pass();
});
