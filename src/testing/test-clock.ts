/**
 * Processing time that a test moves, for a MiniCluster: what the functions of a job read as the wall clock, and what their timers,
 * windows and time-outs go by. The cluster itself goes on in real time.
 *
 *     const clock = new TestClock();
 *     await using cluster = await MiniCluster.start({ clock });
 *     …
 *     clock.advanceBy(60_000);
 *
 * Whatever waits in a slot also wakes when its time has come in real time: that only looks again, and nothing is early by this clock.
 */
import type { Clock, Timer } from '../base/ports.ts';
import { systemPorts } from '../base/system-ports.ts';
import { ClusterError } from '../protocol/errors.ts';

interface Wait {
  dueMs: number;
  readonly callback: () => void;
}

export class TestClock implements Clock {
  private timeMs: number;
  private readonly startMs: number;
  private readonly waits = new Set<Wait>();

  /** `startMs`: what time it is, ms since the epoch. */
  constructor(startMs = 0) {
    this.timeMs = this.startMs = startMs;
  }

  nowMs(): number {
    return this.timeMs;
  }

  /** Real time, plus what the test has added. */
  monotonicMs(): number {
    return systemPorts.clock.monotonicMs() + this.timeMs - this.startMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const wait: Wait = {
      dueMs: this.timeMs + delayMs,
      callback: () => {
        this.waits.delete(wait);
        timer.cancel();
        callback();
      },
    };
    const timer = systemPorts.clock.after(delayMs, wait.callback);
    this.waits.add(wait);
    return { cancel: () => this.cancel(wait, timer) };
  }

  every(intervalMs: number, callback: () => void): Timer {
    const timer = systemPorts.clock.every(intervalMs, callback);
    const wait: Wait = {
      dueMs: this.timeMs + intervalMs,
      callback: () => {
        wait.dueMs = this.timeMs + intervalMs;
        callback();
      },
    };
    this.waits.add(wait);
    return { cancel: () => this.cancel(wait, timer) };
  }

  /** It is `timeMs` now. A timer of a job fires once the clock is past its time. Throws BAD_REQUEST: time does not go back. */
  advanceTo(timeMs: number): void {
    if (!(timeMs >= this.timeMs)) throw new ClusterError('BAD_REQUEST', `the clock is at ${this.timeMs} ms: it cannot go to ${timeMs}`);
    this.timeMs = timeMs;
    const due = [...this.waits].filter(({ dueMs }) => dueMs <= timeMs).toSorted((a, b) => a.dueMs - b.dueMs);
    for (const wait of due) if (this.waits.has(wait)) wait.callback();
  }

  advanceBy(durationMs: number): void {
    this.advanceTo(this.timeMs + durationMs);
  }

  private cancel(wait: Wait, timer: Timer): void {
    this.waits.delete(wait);
    timer.cancel();
  }
}
