/** A trigger at work on its own: state and timers of each window in maps, watermark and clock in the test's hand. */
import type { StateHandles, StateSpecs, ValueState } from '../../src/graph/functions.ts';
import { NO_TIMESTAMP } from '../../src/graph/functions.ts';
import type { MergeContext, TimeWindow, Trigger, TriggerContext, TriggerResult } from '../../src/graph/windows.ts';

type Timers = Record<'event' | 'processing', Set<number>>;

interface WindowEntry {
  readonly state: Map<string, unknown>;
  readonly timers: Timers;
}

export class TriggerDriver<T, S extends StateSpecs> {
  watermarkMs = NO_TIMESTAMP;
  nowMs = 0;
  private readonly trigger: Trigger<T, S>;
  private readonly windows = new Map<string, WindowEntry>();

  constructor(trigger: Trigger<T, S>) {
    this.trigger = trigger;
  }

  element(value: T, timestampMs: number, window: TimeWindow): TriggerResult {
    return this.trigger.onElement(value, timestampMs, window, this.context(window));
  }

  /** Fires the timers of a window that are due at `watermarkMs`; answers what became of each, in order. */
  watermark(watermarkMs: number, window: TimeWindow): TriggerResult[] {
    this.watermarkMs = watermarkMs;
    return this.due('event', watermarkMs, window, (timeMs) => this.trigger.onEventTime(timeMs, window, this.context(window)));
  }

  time(nowMs: number, window: TimeWindow): TriggerResult[] {
    this.nowMs = nowMs;
    return this.due('processing', nowMs, window, (timeMs) => this.trigger.onProcessingTime(timeMs, window, this.context(window)));
  }

  /** `window` takes the place of `merged`. */
  merge(window: TimeWindow, merged: readonly TimeWindow[]): void {
    this.trigger.onMerge?.(window, this.mergeContext(window, merged));
    for (const each of merged) this.clear(each);
  }

  clear(window: TimeWindow): void {
    this.trigger.clear(window, this.context(window));
  }

  timers(domain: 'event' | 'processing', window: TimeWindow): number[] {
    return [...this.entry(window).timers[domain]].toSorted((a, b) => a - b);
  }

  stateSize(window: TimeWindow): number {
    return this.entry(window).state.size;
  }

  private due(domain: 'event' | 'processing', untilMs: number, window: TimeWindow, fire: (timeMs: number) => TriggerResult): TriggerResult[] {
    const results: TriggerResult[] = [];
    for (;;) {
      const [first] = this.timers(domain, window);
      if (first === undefined || first > untilMs) return results;
      this.entry(window).timers[domain].delete(first);
      results.push(fire(first));
    }
  }

  private entry(window: TimeWindow): WindowEntry {
    const name = `${window.startMs}-${window.endMs}`;
    const entry = this.windows.get(name) ?? { state: new Map(), timers: { event: new Set(), processing: new Set() } };
    this.windows.set(name, entry);
    return entry;
  }

  private context(window: TimeWindow): TriggerContext<S> {
    const { timers } = this.entry(window);
    const names = Object.keys(this.trigger.state ?? {});
    return {
      state: Object.fromEntries(names.map((name) => [name, this.handle(window, name)])) as unknown as StateHandles<S>,
      currentWatermarkMs: this.watermarkMs,
      currentProcessingTimeMs: () => this.nowMs,
      registerEventTimeTimer: (timeMs) => void timers.event.add(timeMs),
      registerProcessingTimeTimer: (timeMs) => void timers.processing.add(timeMs),
      deleteEventTimeTimer: (timeMs) => void timers.event.delete(timeMs),
      deleteProcessingTimeTimer: (timeMs) => void timers.processing.delete(timeMs),
    };
  }

  private mergeContext(window: TimeWindow, merged: readonly TimeWindow[]): MergeContext<S> {
    return {
      ...this.context(window),
      mergeState: <V>(name: string, combine: (a: V, b: V) => V): void => {
        const values = merged.flatMap((each) => {
          const handle = this.handle(each, name);
          const value = handle.get();
          handle.clear();
          return value === undefined ? [] : [value as V];
        });
        if (values.length > 0) this.handle(window, name).set(values.reduce(combine));
      },
    };
  }

  private handle(window: TimeWindow, name: string): ValueState<unknown> {
    const { state } = this.entry(window);
    return { get: () => state.get(name), set: (value) => void state.set(name, value), clear: () => void state.delete(name) };
  }
}
