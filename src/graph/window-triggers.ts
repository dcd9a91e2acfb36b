/**
 * The built-in triggers, by Flink's rules. A trigger object is shared by all keys and windows: what it remembers lies
 * in value states of (key, window), and what it waits for are timers of (key, window).
 *
 * Rules that are easily missed:
 *  - the event-time trigger fires at once for a record of a window whose end the watermark has passed (allowed lateness);
 *  - the count starts over when it fires, but not when the window fires for another reason;
 *  - the delta trigger takes the first record as reference, fires above the threshold, and then takes the record that fired;
 *  - continuous triggers fire at multiples of the interval, and for the last time at the end of the window.
 *
 * Source: Flink `EventTimeTrigger`, `ProcessingTimeTrigger`, `CountTrigger`, `PurgingTrigger`, `DeltaTrigger`,
 * `ContinuousEventTimeTrigger`, `ContinuousProcessingTimeTrigger`, `ProcessingTimeoutTrigger`, `GlobalWindows.NeverTrigger`.
 */
import { t } from '../types/t.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { ValueState, ValueStateSpec } from './functions.ts';
import { maxTimestampOf, type TimeWindow, type Trigger, type TriggerContext, type TriggerResult } from './windows.ts';

type NumberState = ValueStateSpec<number>;
const numberState: NumberState = { kind: 'value', type: t.number };

const continues = (): TriggerResult => 'continue';
const nothing = (): void => undefined;

/** Fires when the watermark passes the end of the window. */
export const eventTimeTrigger: Trigger<unknown, Record<never, never>> = {
  name: 'EventTimeTrigger()',
  onElement(_value, _timestampMs, window, context) {
    const lastMs = maxTimestampOf(window);
    if (lastMs <= context.currentWatermarkMs) return 'fire';
    context.registerEventTimeTimer(lastMs);
    return 'continue';
  },
  onEventTime: (timeMs, window) => (timeMs === maxTimestampOf(window) ? 'fire' : 'continue'),
  onProcessingTime: continues,
  onMerge(window, context) {
    const lastMs = maxTimestampOf(window);
    if (lastMs > context.currentWatermarkMs) context.registerEventTimeTimer(lastMs);
  },
  clear: (window, context) => context.deleteEventTimeTimer(maxTimestampOf(window)),
};

/** Fires when the clock passes the end of the window. */
export const processingTimeTrigger: Trigger<unknown, Record<never, never>> = {
  name: 'ProcessingTimeTrigger()',
  onElement(_value, _timestampMs, window, context) {
    context.registerProcessingTimeTimer(maxTimestampOf(window));
    return 'continue';
  },
  onEventTime: continues,
  onProcessingTime: () => 'fire',
  onMerge(window, context) {
    const lastMs = maxTimestampOf(window);
    if (lastMs > context.currentProcessingTimeMs()) context.registerProcessingTimeTimer(lastMs);
  },
  clear: (window, context) => context.deleteProcessingTimeTimer(maxTimestampOf(window)),
};

/** Never fires. */
export const neverTrigger: Trigger<unknown, Record<never, never>> = {
  name: 'NeverTrigger()',
  onElement: continues,
  onEventTime: continues,
  onProcessingTime: continues,
  onMerge: nothing,
  clear: nothing,
};

/** Fires once, when the last watermark of a bounded input comes. */
export const endOfStreamTrigger: Trigger<unknown, Record<never, never>> = {
  name: 'EndOfStreamTrigger()',
  onElement(_value, _timestampMs, window, context) {
    context.registerEventTimeTimer(maxTimestampOf(window));
    return 'continue';
  },
  onEventTime: (timeMs, window) => (timeMs === maxTimestampOf(window) ? 'fire' : 'continue'),
  onProcessingTime: continues,
  onMerge: nothing,
  clear: nothing,
};

/** Fires when a window has received `countMax` records since it last did. */
export function countTrigger(countMax: number): Trigger<unknown, { readonly count: NumberState }> {
  return {
    name: `CountTrigger(${countMax})`,
    state: { count: numberState },
    onElement(_value, _timestampMs, _window, { state: { count } }) {
      const now = (count.get() ?? 0) + 1;
      if (now < countMax) {
        count.set(now);
        return 'continue';
      }
      count.clear();
      return 'fire';
    },
    onEventTime: continues,
    onProcessingTime: continues,
    onMerge: (_window, context) => context.mergeState<number>('count', (a, b) => a + b),
    clear: (_window, { state }) => state.count.clear(),
  };
}

/** Fires when a record is farther than `threshold` from the one that fired last (at first: from the first record). */
export function deltaTrigger<T>(
  threshold: number, delta: (last: T, value: T) => number, type: TypeDescriptor<T>,
): Trigger<T, { readonly last: ValueStateSpec<T> }> {
  return {
    name: `DeltaTrigger(${threshold})`,
    state: { last: { kind: 'value', type } },
    onElement(value, _timestampMs, _window, { state }) {
      const lastState = state.last as ValueState<T>;
      const last = lastState.get();
      const fires = last !== undefined && delta(last, value) > threshold;
      if (last === undefined || fires) lastState.set(value);
      return fires ? 'fire' : 'continue';
    },
    onEventTime: continues,
    onProcessingTime: continues,
    clear: (_window, { state }) => state.last.clear(),
  };
}

type Inner<T> = Trigger<T>;

/** As `inner`, and drops the contents of a window whenever it fires. */
export function purgingTrigger<T>(inner: Inner<T>): Trigger<T> {
  const purged = (result: TriggerResult): TriggerResult => (fires(result) ? 'fireAndPurge' : result);
  return {
    name: `PurgingTrigger(${nameOf(inner)})`,
    ...(inner.state ? { state: inner.state } : {}),
    onElement: (value, timestampMs, window, context) => purged(inner.onElement(value, timestampMs, window, context)),
    onEventTime: (timeMs, window, context) => purged(inner.onEventTime(timeMs, window, context)),
    onProcessingTime: (timeMs, window, context) => purged(inner.onProcessingTime(timeMs, window, context)),
    ...(inner.onMerge ? { onMerge: (window, context) => inner.onMerge?.(window, context) } : {}),
    clear: (window, context) => inner.clear(window, context),
  };
}

type FireTime = { readonly fireTime: NumberState };

const earlier = (a: number, b: number): number => Math.min(a, b);

/** The next multiple of the interval after `timeMs`, capped at the window's end. */
function nextFireMs(timeMs: number, intervalMs: number, window: TimeWindow): number {
  return Math.min(timeMs - (timeMs % intervalMs) + intervalMs, maxTimestampOf(window));
}

/** Fires at each multiple of `intervalMs` that the watermark passes, and at the end of the window. */
export function continuousEventTimeTrigger(intervalMs: number): Trigger<unknown, FireTime> {
  const registerNext = (timeMs: number, window: TimeWindow, context: TriggerContext<FireTime>): void => {
    const nextMs = nextFireMs(timeMs, intervalMs, window);
    context.state.fireTime.set(nextMs);
    context.registerEventTimeTimer(nextMs);
  };
  return {
    name: `ContinuousEventTimeTrigger(${intervalMs})`,
    state: { fireTime: numberState },
    onElement(_value, timestampMs, window, context) {
      const lastMs = maxTimestampOf(window);
      if (lastMs <= context.currentWatermarkMs) return 'fire';
      context.registerEventTimeTimer(lastMs);
      if (context.state.fireTime.get() === undefined) registerNext(timestampMs, window, context);
      return 'continue';
    },
    onEventTime(timeMs, window, context) {
      if (timeMs === maxTimestampOf(window)) return 'fire';
      if (context.state.fireTime.get() !== timeMs) return 'continue';
      registerNext(timeMs, window, context);
      return 'fire';
    },
    onProcessingTime: continues,
    onMerge(_window, context) {
      context.mergeState<number>('fireTime', earlier);
      const nextMs = context.state.fireTime.get();
      if (nextMs !== undefined) context.registerEventTimeTimer(nextMs);
    },
    clear(_window, context) {
      const nextMs = context.state.fireTime.get();
      if (nextMs === undefined) return;
      context.deleteEventTimeTimer(nextMs);
      context.state.fireTime.clear();
    },
  };
}

/** Fires at each multiple of `intervalMs` that the clock passes, from the first record on. */
export function continuousProcessingTimeTrigger(intervalMs: number): Trigger<unknown, FireTime> {
  const registerNext = (timeMs: number, window: TimeWindow, context: TriggerContext<FireTime>): void => {
    const nextMs = nextFireMs(timeMs, intervalMs, window);
    context.state.fireTime.set(nextMs);
    context.registerProcessingTimeTimer(nextMs);
  };
  return {
    name: `ContinuousProcessingTimeTrigger(${intervalMs})`,
    state: { fireTime: numberState },
    onElement(_value, _timestampMs, window, context) {
      if (context.state.fireTime.get() === undefined) registerNext(context.currentProcessingTimeMs(), window, context);
      return 'continue';
    },
    onEventTime: continues,
    onProcessingTime(timeMs, window, context) {
      if (context.state.fireTime.get() !== timeMs) return 'continue';
      registerNext(timeMs, window, context);
      return 'fire';
    },
    onMerge(_window, context) {
      context.mergeState<number>('fireTime', earlier);
      const nextMs = context.state.fireTime.get();
      if (nextMs !== undefined) context.registerProcessingTimeTimer(nextMs);
    },
    clear(_window, context) {
      const nextMs = context.state.fireTime.get();
      if (nextMs === undefined) return;
      context.deleteProcessingTimeTimer(nextMs);
      context.state.fireTime.clear();
    },
  };
}

/** How a timeout treats the trigger around which it stands. */
export interface TimeoutOptions {
  /** Each record starts the timeout anew. */
  readonly resetOnRecord: boolean;
  /** The inner trigger is cleared when the timeout fires. */
  readonly clearOnTimeout: boolean;
}

/** Fires when `inner` does, and at the latest `timeoutMs` of processing time after the first record. */
export function processingTimeoutTrigger<T>(inner: Inner<T>, timeoutMs: number, options: TimeoutOptions): Trigger<T> {
  const { resetOnRecord, clearOnTimeout } = options;
  const timeoutOf = (context: TriggerContext): ValueState<number> => context.state['timeout'] as unknown as ValueState<number>;
  const clear = (window: TimeWindow, context: TriggerContext): void => {
    const atMs = timeoutOf(context).get();
    if (atMs !== undefined) {
      context.deleteProcessingTimeTimer(atMs);
      timeoutOf(context).clear();
    }
    inner.clear(window, context);
  };
  const fired = (result: TriggerResult, window: TimeWindow, context: TriggerContext): TriggerResult => {
    if (clearOnTimeout) clear(window, context);
    return purges(result) ? 'fireAndPurge' : 'fire';
  };
  return {
    name: `TimeoutTrigger(${nameOf(inner)}, ${timeoutMs})`,
    state: { ...inner.state, timeout: numberState as ValueStateSpec<unknown> },
    onElement(value, timestampMs, window, context) {
      const result = inner.onElement(value, timestampMs, window, context);
      if (fires(result)) {
        clear(window, context);
        return result;
      }
      const atMs = timeoutOf(context).get();
      if (atMs !== undefined && !resetOnRecord) return result;
      if (atMs !== undefined) context.deleteProcessingTimeTimer(atMs);
      const nextMs = context.currentProcessingTimeMs() + timeoutMs;
      timeoutOf(context).set(nextMs);
      context.registerProcessingTimeTimer(nextMs);
      return result;
    },
    onEventTime: (timeMs, window, context) => fired(inner.onEventTime(timeMs, window, context), window, context),
    onProcessingTime: (timeMs, window, context) => fired(inner.onProcessingTime(timeMs, window, context), window, context),
    clear,
  };
}

/** Whether the window is evaluated. */
export function fires(result: TriggerResult): boolean {
  return result === 'fire' || result === 'fireAndPurge';
}

/** Whether the contents of the window are dropped. */
export function purges(result: TriggerResult): boolean {
  return result === 'purge' || result === 'fireAndPurge';
}

/** How a trigger is shown. */
export function nameOf(trigger: Pick<Trigger, 'name'>): string {
  return trigger.name ?? 'CustomTrigger()';
}
