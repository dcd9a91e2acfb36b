/** How far the sources of a group may go. */
import fc from 'fast-check';
import test from 'ava';
import { MAX_WATERMARK } from '../../src/index.ts';
import { WatermarkAlignment } from '../../src/jobmaster/watermark-alignment.core.ts';

const from = (nodeId: number, subtaskIndex: number, timestampMs: number, group = 'g') => ({ nodeId, subtaskIndex, timestampMs, group, driftMsMax: 30 });

test('a source may go to the slowest of its group, plus the drift', (t) => {
  const alignment = new WatermarkAlignment();
  t.is(alignment.report(from(1, 0, 100)), 130, 'who has said nothing is not waited for');
  t.is(alignment.report(from(2, 0, 10)), 40);
  t.is(alignment.report(from(1, 0, 100)), 40);
  t.is(alignment.report(from(3, 0, 5, 'others')), 35);
  t.is(alignment.report(from(2, 0, MAX_WATERMARK)), 130, 'one that is idle or has ended holds nobody');
});

test('who is gone is not waited for', (t) => {
  const alignment = new WatermarkAlignment();
  alignment.report(from(2, 0, 10));
  alignment.report(from(2, 1, 20));
  alignment.forget(2, 0);
  t.is(alignment.report(from(1, 0, 100)), 50);
  alignment.forget(2);
  t.is(alignment.report(from(1, 0, MAX_WATERMARK)), MAX_WATERMARK);
});

test('the slowest may always go on', (t) => {
  const report = fc.record({ nodeId: fc.nat(3), subtaskIndex: fc.nat(2), timestampMs: fc.integer({ min: -100, max: 100 }) });
  fc.assert(fc.property(fc.array(report, { minLength: 1 }), (reports) => {
    const alignment = new WatermarkAlignment();
    const known = new Map<string, number>();
    for (const { nodeId, subtaskIndex, timestampMs } of reports) {
      known.set(`${nodeId}/${subtaskIndex}`, timestampMs);
      t.is(alignment.report(from(nodeId, subtaskIndex, timestampMs)), Math.min(...known.values()) + 30);
    }
  }));
});
