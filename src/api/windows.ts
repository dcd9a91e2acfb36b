/**
 * Makers of window assigners, triggers and evictors, for `keyed.window(…).trigger(…).evictor(…)`:
 *
 *     tumbling.eventTime({ size: '10 s' })            session.eventTime({ gap: (click) => click.patienceMs })
 *     trigger.purging(trigger.count(100))             evictor.time('1 min')
 */
import { planError } from '../graph/build-site.ts';
import * as assigners from '../graph/window-assigners.ts';
import * as evictors from '../graph/window-evictors.ts';
import * as triggers from '../graph/window-triggers.ts';
import type { Evictor, Trigger, WindowAssigner } from '../graph/windows.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { durationMs, type Duration } from './duration.ts';
import { invalidOption } from './option-checks.ts';

/** Windows of one size, one after the other. */
export interface TumblingOptions {
  readonly size: Duration;
  /** Shifts the windows from multiples of the size since the epoch: `'-8 h'` for days in UTC+8. Shorter than the size. */
  readonly offset?: Duration;
}

/** Windows of one size, a new one each `slide`. */
export interface SlidingOptions {
  readonly size: Duration;
  readonly slide: Duration;
  /** Shifts the windows. Shorter than the slide. */
  readonly offset?: Duration;
}

/** Windows that end when nothing has come for as long as the gap. */
export interface SessionOptions<T> {
  /** A duration, or milliseconds by record. */
  readonly gap: Duration | ((value: T) => number);
}

/** Windows of equal size that do not overlap. */
export const tumbling = {
  eventTime: (options: TumblingOptions): WindowAssigner => tumblingOf('event', options),
  processingTime: (options: TumblingOptions): WindowAssigner => tumblingOf('processing', options),
};

/** Windows of equal size that overlap: a record is in `size / slide` of them. */
export const sliding = {
  eventTime: (options: SlidingOptions): WindowAssigner => slidingOf('event', options),
  processingTime: (options: SlidingOptions): WindowAssigner => slidingOf('processing', options),
};

/** Windows of activity: records of a key that are at most a gap apart share one. */
export const session = {
  eventTime: <T = unknown>(options: SessionOptions<T>): WindowAssigner<T> => sessionOf('event', options),
  processingTime: <T = unknown>(options: SessionOptions<T>): WindowAssigner<T> => sessionOf('processing', options),
};

/** One window per key for everything. It fires by its trigger only: name one, or let it fire at the end of a bounded input. */
export function globalWindows(options: { readonly fireAtEnd?: boolean } = {}): WindowAssigner {
  return assigners.globalWindows(options.fireAtEnd ?? false);
}

/** When a window is evaluated. Naming a trigger replaces the one of the assigner. */
export const trigger = {
  /** When the watermark passes the end of the window. The default of event-time windows. */
  eventTime: (): Trigger => triggers.eventTimeTrigger,
  /** When the clock passes the end of the window. The default of processing-time windows. */
  processingTime: (): Trigger => triggers.processingTimeTrigger,
  /** Never. The default of `globalWindows`. */
  never: (): Trigger => triggers.neverTrigger,
  /** For every `count` records of a window. */
  count: (count: number): Trigger => triggers.countTrigger(countOf('trigger.count', 'count', count)),
  /** As `inner`; the contents of the window are dropped whenever it fires. */
  purging: <T = unknown>(inner: Trigger<T>): Trigger<T> => triggers.purgingTrigger(inner),
  /** At every multiple of the interval that the watermark passes, and at the end of the window. */
  continuousEventTime: (interval: Duration): Trigger => {
    return triggers.continuousEventTimeTrigger(spanMs(interval, 'trigger.continuousEventTime: interval'));
  },
  /** At every multiple of the interval that the clock passes. */
  continuousProcessingTime: (interval: Duration): Trigger => {
    return triggers.continuousProcessingTimeTrigger(spanMs(interval, 'trigger.continuousProcessingTime: interval'));
  },
  /** When a record is farther than `threshold` from the one that fired last. `type` describes the records, for state. */
  delta: <T>(threshold: number, delta: (last: T, value: T) => number, type: TypeDescriptor<T>): Trigger<T> => {
    return triggers.deltaTrigger(threshold, delta, type) as Trigger<T>;
  },
  /** As `inner`, and at the latest when the timeout of processing time has passed since the first record. */
  processingTimeout: <T = unknown>(inner: Trigger<T>, timeout: Duration, options: Partial<triggers.TimeoutOptions> = {}): Trigger<T> => {
    const { resetOnRecord = false, clearOnTimeout = true } = options;
    const timeoutMs = spanMs(timeout, 'trigger.processingTimeout: timeout');
    return triggers.processingTimeoutTrigger(inner, timeoutMs, { resetOnRecord, clearOnTimeout });
  },
};

/** When an evictor goes to work. */
export interface EvictorOptions {
  /** Default false: before the window function. */
  readonly after?: boolean;
}

/** Which records of a window are left out. A window with an evictor keeps all of its records until it fires. */
export const evictor = {
  /** Keeps the last `count` records. */
  count: <T = unknown>(count: number, options: EvictorOptions = {}): Evictor<T> => {
    return evictors.countEvictor(countOf('evictor.count', 'count', count), options.after === true);
  },
  /** Keeps the records later than the latest one minus `span`. */
  time: <T = unknown>(span: Duration, options: EvictorOptions = {}): Evictor<T> => {
    return evictors.timeEvictor(spanMs(span, 'evictor.time: span'), options.after === true);
  },
  /** Keeps the records whose distance to the last one is below the threshold. */
  delta: <T>(threshold: number, delta: (value: T, last: T) => number, options: EvictorOptions = {}): Evictor<T> => {
    return evictors.deltaEvictor(threshold, delta, options.after === true);
  },
};

function tumblingOf(time: assigners.WindowTime, { size, offset }: TumblingOptions): WindowAssigner {
  const sizeMs = spanMs(size, 'tumbling: size');
  return assigners.tumblingWindows(time, sizeMs, offsetMs(offset, sizeMs, 'tumbling: offset'));
}

function slidingOf(time: assigners.WindowTime, { size, slide, offset }: SlidingOptions): WindowAssigner {
  const [sizeMs, slideMs] = [spanMs(size, 'sliding: size'), spanMs(slide, 'sliding: slide')];
  return assigners.slidingWindows(time, { sizeMs, slideMs, offsetMs: offsetMs(offset, slideMs, 'sliding: offset') });
}

function sessionOf<T>(time: assigners.WindowTime, { gap }: SessionOptions<T>): WindowAssigner<T> {
  if (typeof gap === 'function') return assigners.dynamicSessionWindows(time, gap);
  return assigners.sessionWindows(time, spanMs(gap, 'session: gap'));
}

/** Whole milliseconds, one or more. */
function spanMs(duration: Duration, option: string): number {
  const ms = durationMs(duration, option);
  if (Number.isSafeInteger(ms) && ms > 0) return ms;
  throw planError(`${option} must be whole milliseconds, 1 or more, not '${duration}'`);
}

/** Whole milliseconds, which may be negative: `'-5 s'`. */
export function signedDurationMs(duration: Duration, option: string): number {
  const isNegative = typeof duration === 'number' ? duration < 0 : duration.startsWith('-');
  const length = (typeof duration === 'number' ? Math.abs(duration) : isNegative ? duration.slice(1) : duration) as Duration;
  const lengthMs = durationMs(length, option);
  if (!Number.isSafeInteger(lengthMs)) throw planError(`${option} must be whole milliseconds, not '${duration}'`);
  return isNegative && lengthMs > 0 ? -lengthMs : lengthMs;
}

/** Shorter than `limitMs`, the distance of two windows. */
function offsetMs(offset: Duration | undefined, limitMs: number, option: string): number {
  const ms = signedDurationMs(offset ?? 0, option);
  if (Math.abs(ms) < limitMs) return ms;
  throw planError(`${option} must be shorter than ${limitMs} ms, the distance of two windows, not '${offset}'`);
}

function countOf(where: string, option: string, count: number): number {
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw invalidOption(where, option, count, 'an integer above 0');
}
