/**
 * The real clock and the real chance: the only file that touches them (held by test/tidy.test.ts).
 */
import { randomBytes } from 'node:crypto';
import type { Clock, Ports, Random, Timer } from './ports.ts';

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback): Timer {
    const handle = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
  every(intervalMs, callback): Timer {
    const handle = setInterval(callback, intervalMs);
    return { cancel: () => clearInterval(handle) };
  },
};

const random: Random = {
  hex: (sizeBytes) => randomBytes(sizeBytes).toString('hex'),
  unit: () => Math.random(),
};

/** Time and chance of the operating system. Pending timers keep the process alive, as Node's do. */
export const systemPorts: Ports = { clock, random };
