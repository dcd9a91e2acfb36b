/**
 * Ports of time and chance. Every shell receives these; nothing else may read a clock, start a
 * timer or draw a random number (test/tidy.test.ts bans `Date.now`, `performance.now`, `setTimeout`,
 * `setInterval`, `Math.random` and `randomUUID` outside base/system-ports.ts).
 *
 * Production uses `systemPorts` (base/system-ports.ts); the simulator drives the same shells on virtual time.
 */

/** A timer that was started by `Clock.after` or `Clock.every`. */
export interface Timer {
  /** Idempotent. After it returns the callback will not run. */
  cancel(): void;
}

/** Time, and the only way to wait for it. */
export interface Clock {
  /** Wall clock, ms since the Unix epoch. May jump; for display and event data only. */
  nowMs(): number;
  /** Monotonic ms from an arbitrary start; for durations, deadlines and leases. */
  monotonicMs(): number;
  /** Runs `callback` once, not before `delayMs` has passed. */
  after(delayMs: number, callback: () => void): Timer;
  /** Runs `callback` every `intervalMs` until cancelled; a late tick does not pile up. */
  every(intervalMs: number, callback: () => void): Timer;
}

/** Chance. */
export interface Random {
  /** Lower-case hexadecimal, two characters a byte. */
  hex(sizeBytes: number): string;
  /** Uniform in [0, 1). */
  unit(): number;
}

/** What a shell needs of the outside besides its own I/O port. */
export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
}

/** Resolves after `delayMs` of `clock`. For waits inside a retry loop; conditions are awaited, not slept for. */
export function delay(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}
