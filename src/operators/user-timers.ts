/**
 * What a process function has as `context.timers`: the clocks, and on keyed streams the timers of its key.
 */
import type { Clock } from '../base/ports.ts';
import { present } from '../base/assert.ts';
import { NO_TIMESTAMP } from '../graph/functions.ts';
import type { Timers } from '../graph/functions.ts';
import { ClusterError } from '../protocol/errors.ts';
import { VOID_NAMESPACE } from '../state/namespace.ts';
import type { TimeDomain, TimerService } from '../state/timer-service.ts';
import type { OperatorContext } from './operator.ts';

/** See the file's head. Usable from `attach` on. */
export class UserTimers implements Timers {
  currentWatermarkMs = NO_TIMESTAMP;
  private clock: Clock | null = null;
  private service: TimerService | null = null;
  private hasReceiver = false;

  /** `hasReceiver`: the function has an `onTimer`. */
  attach({ clock, timers }: Pick<OperatorContext, 'clock' | 'timers'>, hasReceiver: boolean): void {
    this.clock = clock;
    this.service = timers;
    this.hasReceiver = hasReceiver;
  }

  /** The watermark passes; fires a timer that is due. */
  advanceWatermark(timestampMs: number): void | 'more' {
    if (timestampMs > this.currentWatermarkMs) this.currentWatermarkMs = timestampMs;
    return this.service?.advanceWatermark(timestampMs);
  }

  currentProcessingTimeMs(): number {
    return this.service?.currentProcessingTimeMs() ?? present(this.clock, 'time is read from open on').nowMs();
  }

  registerEventTimeTimer(timestampMs: number): void {
    this.serviceFor('event').register('event', timestampMs, VOID_NAMESPACE);
  }

  registerProcessingTimeTimer(timestampMs: number): void {
    this.serviceFor('processing').register('processing', timestampMs, VOID_NAMESPACE);
  }

  deleteEventTimeTimer(timestampMs: number): void {
    this.serviceFor('event').delete('event', timestampMs, VOID_NAMESPACE);
  }

  deleteProcessingTimeTimer(timestampMs: number): void {
    this.serviceFor('processing').delete('processing', timestampMs, VOID_NAMESPACE);
  }

  private serviceFor(domain: TimeDomain): TimerService {
    if (this.service !== null && this.hasReceiver) return this.service;
    const isKeyed = this.service !== null;
    const reason = isKeyed ? 'the function has no method onTimer(…)' : 'the stream is not keyed: call keyBy(…) before process(…)';
    throw new ClusterError('UNSUPPORTED', `a timer of ${domain} time cannot be set: ${reason}`);
  }
}
