/**
 * Failure detector for one peer, used by both ends of a connection: each sends at the interval, and each
 * gives the other up when nothing at all has come for the timeout.
 *
 * A stall of our own proves nothing about the peer: when a tick comes late, what the peer sent is still
 * unread, so the peer is given one more interval before it is judged.
 *
 * Unlike Flink: 2 s and 6 s, where Flink waits 10 s and 50 s. A lost connection is not waited for at all.
 */
import { assert } from '../base/assert.ts';

/** Monotonic times, ms. */
export interface HeartbeatOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** What a tick asks for. */
export type HeartbeatVerdict = 'send' | 'timedOut';

/** Watches one peer. */
export class HeartbeatCore {
  private readonly options: HeartbeatOptions;
  private lastHeardMs: number;
  private lastTickMs: number;

  constructor(options: HeartbeatOptions, nowMs: number) {
    assert(options.intervalMs > 0 && options.timeoutMs > options.intervalMs, 'a heartbeat timeout is longer than its interval');
    this.options = options;
    this.lastHeardMs = nowMs;
    this.lastTickMs = nowMs;
  }

  /** Any message of the peer is a sign of life. */
  heard(nowMs: number): void {
    this.lastHeardMs = Math.max(this.lastHeardMs, nowMs);
  }

  /** Called every `intervalMs`. */
  tick(nowMs: number): HeartbeatVerdict {
    const { intervalMs, timeoutMs } = this.options;
    const stalledMs = nowMs - this.lastTickMs - intervalMs;
    this.lastTickMs = nowMs;
    if (stalledMs >= intervalMs) this.lastHeardMs = Math.max(this.lastHeardMs, nowMs - timeoutMs + intervalMs);
    return nowMs - this.lastHeardMs >= timeoutMs ? 'timedOut' : 'send';
  }
}
