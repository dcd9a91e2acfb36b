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
