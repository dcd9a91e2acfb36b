/**
 * A trigger at work: its context is one object, moved from window to window, and every call selects the window's
 * namespace first, so that the trigger's state is that of the window.
 */
import type { StateHandles, StateSpecs, ValueState } from '../graph/functions.ts';
import { GLOBAL_WINDOW, type MergeContext, type TimeWindow, type Trigger, type TriggerResult } from '../graph/windows.ts';
import type { KeyedStateStore, Namespacing } from '../state/keyed-state-store.ts';
import type { TimeDomain, TimerService } from '../state/timer-service.ts';
import { stateHandles } from './window-state.ts';

class CallContext implements MergeContext {
  window: TimeWindow = GLOBAL_WINDOW;
  mergedWindows: readonly TimeWindow[] = [];
  timers: TimerService | null = null;
  readonly state: StateHandles<StateSpecs>;
  private readonly store: KeyedStateStore;

  constructor(store: KeyedStateStore, trigger: Trigger, namespaced: Namespacing) {
    this.store = store;
    this.state = stateHandles(store, trigger.state ?? {}, { prefix: 'trigger/', namespaced });
  }

  get currentWatermarkMs(): number {
    return this.service.currentWatermarkMs;
  }

  currentProcessingTimeMs(): number {
    return this.service.currentProcessingTimeMs();
  }

  registerEventTimeTimer(timestampMs: number): void {
    this.service.register('event', timestampMs, this.window);
  }

  registerProcessingTimeTimer(timestampMs: number): void {
    this.service.register('processing', timestampMs, this.window);
  }

  deleteEventTimeTimer(timestampMs: number): void {
    this.service.delete('event', timestampMs, this.window);
  }

  deleteProcessingTimeTimer(timestampMs: number): void {
    this.service.delete('processing', timestampMs, this.window);
  }

  mergeState<T>(name: string, combine: (a: T, b: T) => T): void {
    const state = this.state[name] as unknown as ValueState<T>;
    let merged: T | undefined;
    for (const window of this.mergedWindows) {
      this.store.setNamespace(window);
      const value = state.get();
      if (value === undefined) continue;
      state.clear();
      merged = merged === undefined ? value : combine(merged, value);
    }
    this.store.setNamespace(this.window);
    if (merged !== undefined) state.set(merged);
  }

  private get service(): TimerService {
    return this.timers as TimerService;
  }
}

/** Calls the trigger of one operator, for the selected key. */
export class TriggerCalls {
  private readonly trigger: Trigger;
  private readonly store: KeyedStateStore;
  private readonly context: CallContext;

  constructor(trigger: Trigger, store: KeyedStateStore, namespaced: Namespacing) {
    this.trigger = trigger;
    this.store = store;
    this.context = new CallContext(store, trigger, namespaced);
  }

  open(timers: TimerService): void {
    this.context.timers = timers;
  }

  onElement(value: unknown, timestampMs: number, window: TimeWindow): TriggerResult {
    this.enter(window);
    return this.trigger.onElement(value, timestampMs, window, this.context);
  }

  onTimer(domain: TimeDomain, timeMs: number, window: TimeWindow): TriggerResult {
    this.enter(window);
    if (domain === 'event') return this.trigger.onEventTime(timeMs, window, this.context);
    return this.trigger.onProcessingTime(timeMs, window, this.context);
  }

  /** `window` has taken the place of `mergedWindows`, which are cleared next. */
  onMerge(window: TimeWindow, mergedWindows: readonly TimeWindow[]): void {
    this.enter(window);
    this.context.mergedWindows = mergedWindows;
    this.trigger.onMerge?.(window, this.context);
  }

  clear(window: TimeWindow): void {
    this.enter(window);
    this.trigger.clear(window, this.context);
  }

  private enter(window: TimeWindow): void {
    this.context.window = window;
    this.store.setNamespace(window);
  }
}
