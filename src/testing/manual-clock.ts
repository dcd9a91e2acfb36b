/**
 * A clock that stands until the test moves it.
 */
import type { Clock, Timer } from '../base/ports.ts';

interface Alarm {
  dueMs: number;
  readonly intervalMs: number | null;
  readonly callback: () => void;
}

/** Begins at `startMs`. What falls due runs within `advanceTo`, earliest first. */
export class ManualClock implements Clock {
  private timeMs: number;
  private readonly alarms = new Set<Alarm>();

  constructor(startMs = 0) {
    this.timeMs = startMs;
  }

  nowMs(): number {
    return this.timeMs;
  }

  monotonicMs(): number {
    return this.timeMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.start({ dueMs: this.timeMs + delayMs, intervalMs: null, callback });
  }

  every(intervalMs: number, callback: () => void): Timer {
    return this.start({ dueMs: this.timeMs + intervalMs, intervalMs, callback });
  }

  /** It is `timeMs` now, and everything due by then runs; `settle` after each. */
  advanceTo(timeMs: number, settle: () => void): void {
    this.timeMs = timeMs;
    for (let next = this.nextDue(); next !== null; next = this.nextDue()) {
      if (next.intervalMs === null) this.alarms.delete(next);
      else next.dueMs = Math.max(next.dueMs, timeMs) + next.intervalMs; // A late tick does not pile up.
      next.callback();
      settle();
    }
  }

  private start(alarm: Alarm): Timer {
    this.alarms.add(alarm);
    return { cancel: () => void this.alarms.delete(alarm) };
  }

  private nextDue(): Alarm | null {
    let next: Alarm | null = null;
    for (const alarm of this.alarms) if (alarm.dueMs <= this.timeMs && (next === null || alarm.dueMs < next.dueMs)) next = alarm;
    return next;
  }
}

/** The clock for timers: one of timestamp `t` fires at `t`, as in Flink's harness; a cluster waits until the millisecond is over. */
export function timerClockOf(clock: ManualClock): Clock {
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, callback) => clock.after(Math.max(0, delayMs - 1), callback),
    every: (intervalMs, callback) => clock.every(intervalMs, callback),
  };
}
