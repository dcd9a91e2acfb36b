/** The real clock where Node's own timers would surprise. */
import test from 'ava';
import { systemPorts } from '../../src/base/system-ports.ts';

test('a timer of more than 24.8 days does not fire at once', async (t) => {
  const { clock } = systemPorts;
  const fired: string[] = [];
  const timers = [clock.after(2 ** 31, () => void fired.push('after')), clock.every(2 ** 31, () => void fired.push('every'))];
  t.teardown(() => timers.forEach((timer) => timer.cancel()));
  await new Promise<void>((resolve) => void clock.after(5, resolve)); // Later than Node's 1 ms for such a timer.
  t.deepEqual(fired, []);
});
