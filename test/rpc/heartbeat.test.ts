/** The failure detector, on made-up clocks. */
import test from 'ava';
import { HeartbeatCore } from '../../src/rpc/heartbeat.core.ts';

const OPTIONS = { intervalMs: 2000, timeoutMs: 6000 };

test('A peer that is silent for the timeout is given up', (t) => {
  const core = new HeartbeatCore(OPTIONS, 0);
  t.deepEqual([2000, 4000, 6000].map((nowMs) => core.tick(nowMs)), ['send', 'send', 'timedOut']);
});

test('Anything that is heard is a sign of life', (t) => {
  const core = new HeartbeatCore(OPTIONS, 0);
  core.tick(2000);
  core.heard(3000);
  t.deepEqual([4000, 6000, 8000].map((nowMs) => core.tick(nowMs)), ['send', 'send', 'send']);
  t.is(core.tick(10_000), 'timedOut');
});

test('A stall of our own gives the peer one more interval', (t) => {
  const core = new HeartbeatCore(OPTIONS, 0);
  t.is(core.tick(20_000), 'send');
  t.is(core.tick(22_000), 'timedOut');
});
