/**
 * Where a subtask's time goes: busy, idle or back-pressured. A subtask is in one state at a time, and
 * the time since the last look belongs to the state it was left in: one clock reading per look, and the
 * three always sum to the time since the start. Runnable while another subtask has the thread is busy.
 */

/** Names as in Flink's metrics `busyTimeMsPerSecond`, `idleTimeMsPerSecond`, `backPressuredTimeMsPerSecond`. */
export type TimeShare = 'busy' | 'idle' | 'backPressured';

/** Accumulated ms by state. */
export class TimeShares {
  private state: TimeShare = 'idle';
  private sinceMs: number;
  private readonly spentMs = { busy: 0, idle: 0, backPressured: 0 };

  constructor(nowMs: number) {
    this.sinceMs = nowMs;
  }

  /** Books the time up to `nowMs`. */
  book(nowMs: number): void {
    this.spentMs[this.state] += nowMs - this.sinceMs;
    this.sinceMs = nowMs;
  }

  /** From the last booking on. */
  enter(state: TimeShare): void {
    this.state = state;
  }

  read(): { readonly busyTimeMs: number; readonly idleTimeMs: number; readonly backPressuredTimeMs: number } {
    const { busy, idle, backPressured } = this.spentMs;
    return { busyTimeMs: Math.round(busy), idleTimeMs: Math.round(idle), backPressuredTimeMs: Math.round(backPressured) };
  }
}
