/**
 * The built-in window assigners, by Flink's formulas.
 *
 *     tumbling   |----|----|----|         start = ts - ((ts - offset) mod size), mod never negative
 *     sliding    |----------|             size / slide windows, the latest first
 *                     |----------|
 *     session    |--x--x-----|   |-x---|  [ts, ts + gap), merged where they overlap or touch
 *     global     |------------- …
 *
 * Sizes are whole milliseconds; whoever makes an assigner has checked them (api/windows.ts).
 *
 * Source: Flink `TimeWindow.getWindowStartWithOffset`, `TumblingEventTimeWindows`, `SlidingEventTimeWindows`,
 * `EventTimeSessionWindows`, `DynamicEventTimeSessionWindows`, `GlobalWindows` and their processing-time forms.
 */
import { ClusterError } from '../protocol/errors.ts';
import { NO_TIMESTAMP } from './functions.ts';
import { endOfStreamTrigger, eventTimeTrigger, neverTrigger, processingTimeTrigger } from './window-triggers.ts';
import { GLOBAL_WINDOW } from './windows.ts';
import type { AssignerContext, PeriodicWindows, TimeWindow, Trigger, WindowAssigner } from './windows.ts';

/** Which clock ends a window. */
export type WindowTime = 'event' | 'processing';

/** Start of the window of `sizeMs` that holds `timestampMs`, where windows start at multiples of the size plus `offsetMs`. */
export function windowStart(timestampMs: number, offsetMs: number, sizeMs: number): number {
  const remainder = (timestampMs - offsetMs) % sizeMs;
  return remainder < 0 ? timestampMs - (remainder + sizeMs) : timestampMs - remainder;
}

/** Throws TIMESTAMP_MISSING for a record without an event time. */
export function requireTimestamp(timestampMs: number): void {
  if (timestampMs > NO_TIMESTAMP) return;
  throw new ClusterError(
    'TIMESTAMP_MISSING',
    "a record has no timestamp, and event-time windows need one: did you forget to call 'assignTimestampsAndWatermarks(…)'? " +
      'Or use processing-time windows.',
  );
}

/** Tumbling windows are sliding windows whose slide is their size. */
class Periodic implements WindowAssigner {
  readonly name: string;
  readonly isEventTime: boolean;
  readonly periodic: PeriodicWindows;

  constructor(name: string, time: WindowTime, periodic: PeriodicWindows) {
    this.name = name;
    this.isEventTime = time === 'event';
    this.periodic = periodic;
  }

  assignWindows(_value: unknown, timestampMs: number, context: AssignerContext): readonly TimeWindow[] {
    if (this.isEventTime) requireTimestamp(timestampMs);
    const { sizeMs, slideMs, offsetMs } = this.periodic;
    const timeMs = this.isEventTime ? timestampMs : context.currentProcessingTimeMs();
    const windows: TimeWindow[] = [];
    const lastStartMs = windowStart(timeMs, offsetMs, slideMs);
    for (let startMs = lastStartMs; startMs > timeMs - sizeMs; startMs -= slideMs) windows.push({ startMs, endMs: startMs + sizeMs });
    return windows;
  }

  defaultTrigger(): Trigger {
    return timeTrigger(this.isEventTime);
  }
}

/** A window for each record, to be merged with its neighbours. */
class Sessions<T> implements WindowAssigner<T> {
  readonly name: string;
  readonly isEventTime: boolean;
  readonly isMerging = true;
  private readonly gapMs: (value: T) => number;

  constructor(name: string, time: WindowTime, gapMs: (value: T) => number) {
    this.name = name;
    this.isEventTime = time === 'event';
    this.gapMs = gapMs;
  }

  assignWindows(value: T, timestampMs: number, context: AssignerContext): readonly TimeWindow[] {
    if (this.isEventTime) requireTimestamp(timestampMs);
    const gapMs = this.gapMs(value);
    if (!(Number.isSafeInteger(gapMs) && gapMs > 0)) {
      throw new ClusterError('TYPE_MISMATCH', `session window: the gap of a record is ${gapMs}, and must be whole milliseconds above 0`);
    }
    const startMs = this.isEventTime ? timestampMs : context.currentProcessingTimeMs();
    return [{ startMs, endMs: startMs + gapMs }];
  }

  defaultTrigger(): Trigger<T> {
    return timeTrigger(this.isEventTime);
  }
}

const GLOBAL_WINDOWS: readonly TimeWindow[] = [GLOBAL_WINDOW];

/** Everything in one window, which a trigger has to fire. */
class GlobalWindows implements WindowAssigner {
  readonly name = 'GlobalWindows()';
  readonly isEventTime = false;
  private readonly trigger: Trigger;

  constructor(trigger: Trigger) {
    this.trigger = trigger;
  }

  assignWindows(): readonly TimeWindow[] {
    return GLOBAL_WINDOWS;
  }

  defaultTrigger(): Trigger {
    return this.trigger;
  }
}

function timeTrigger(isEventTime: boolean): Trigger {
  return isEventTime ? eventTimeTrigger : processingTimeTrigger;
}

const TIME_NAMES = { event: 'EventTime', processing: 'ProcessingTime' } as const;

export function tumblingWindows(time: WindowTime, sizeMs: number, offsetMs: number): WindowAssigner {
  const name = `Tumbling${TIME_NAMES[time]}Windows(${sizeMs}${shownOffset(offsetMs)})`;
  return new Periodic(name, time, { sizeMs, slideMs: sizeMs, offsetMs });
}

export function slidingWindows(time: WindowTime, periodic: PeriodicWindows): WindowAssigner {
  const { sizeMs, slideMs, offsetMs } = periodic;
  return new Periodic(`Sliding${TIME_NAMES[time]}Windows(${sizeMs}, ${slideMs}${shownOffset(offsetMs)})`, time, periodic);
}

/** Flink does not print it; here it is part of the plan's digest. */
function shownOffset(offsetMs: number): string {
  return offsetMs === 0 ? '' : `, offset ${offsetMs}`;
}

export function sessionWindows(time: WindowTime, gapMs: number): WindowAssigner {
  return new Sessions(`${TIME_NAMES[time]}SessionWindows(${gapMs})`, time, () => gapMs);
}

export function dynamicSessionWindows<T>(time: WindowTime, gapMs: (value: T) => number): WindowAssigner<T> {
  return new Sessions(`Dynamic${TIME_NAMES[time]}SessionWindows()`, time, gapMs);
}

/** `atEndOfStream`: the window fires once, when a bounded input has ended. */
export function globalWindows(atEndOfStream: boolean): WindowAssigner {
  return new GlobalWindows(atEndOfStream ? endOfStreamTrigger : neverTrigger);
}
