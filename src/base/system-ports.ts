/**
 * The real clock and the real chance: the only file that touches them (held by test/tidy.test.ts).
 */
import { randomBytes } from 'node:crypto';
import type { Clock, Ports, Random, Timer } from './ports.ts';

/** Node fires longer timers at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback): Timer {
    const wait = (leftMs: number) => setTimeout(() => {
      if (leftMs > TIMER_MS_MAX) handle = wait(leftMs - TIMER_MS_MAX);
      else callback();
    }, Math.min(leftMs, TIMER_MS_MAX));
    let handle = wait(delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
  every(intervalMs, callback): Timer {
    const handle = setInterval(callback, Math.min(intervalMs, TIMER_MS_MAX));
    return { cancel: () => clearInterval(handle) };
  },
};

const random: Random = {
  hex: (sizeBytes) => randomBytes(sizeBytes).toString('hex'),
  unit: () => Math.random(),
};

/** Time and chance of the operating system. Pending timers keep the process alive, as Node's do. */
export const systemPorts: Ports = { clock, random };
