/**
 * The call of a window function, and the context it gets: one object, changed from window to window.
 *
 * Without a function the elements themselves (the one result of a reduction or an aggregation) leave. Whatever leaves
 * carries the last timestamp of the window.
 */
import type { Collector, OutputTag, StateHandles, StateSpecs } from '../graph/functions.ts';
import { GLOBAL_WINDOW, maxTimestampOf, type ProcessWindowFunction, type TimeWindow, type WindowContext } from '../graph/windows.ts';
import type { KeyedStateStore } from '../state/keyed-state-store.ts';
import type { TimerService } from '../state/timer-service.ts';
import type { OperatorOutputs } from './operator.ts';
import { stateHandles } from './window-state.ts';

/** A window function of any types. */
export type AnyWindowFunction = ProcessWindowFunction<unknown, unknown, unknown, StateSpecs, StateSpecs>;

class EvaluationContext implements WindowContext<unknown> {
  window: TimeWindow = GLOBAL_WINDOW;
  timestampMs = 0;
  outputs: OperatorOutputs | null = null;
  timers: TimerService | null = null;
  readonly windowState: StateHandles<StateSpecs>;
  readonly globalState: StateHandles<StateSpecs>;
  private readonly store: KeyedStateStore;

  constructor(store: KeyedStateStore, fn: AnyWindowFunction | null) {
    this.store = store;
    this.windowState = stateHandles(store, fn?.windowState ?? {}, { prefix: 'window/', namespaced: 'shared' });
    this.globalState = stateHandles(store, fn?.globalState ?? {}, { prefix: 'global/' });
  }

  get key(): unknown {
    return this.store.key();
  }

  get currentWatermarkMs(): number {
    return (this.timers as TimerService).currentWatermarkMs;
  }

  currentProcessingTimeMs(): number {
    return (this.timers as TimerService).currentProcessingTimeMs();
  }

  output<T>(tag: OutputTag<T>, value: T): void {
    this.outputs?.side(tag.id)?.collect(value, this.timestampMs);
  }
}

/** Evaluates the windows of one operator. */
export class WindowEvaluation {
  private readonly fn: AnyWindowFunction | null;
  private readonly store: KeyedStateStore;
  private readonly context: EvaluationContext;
  private outputs: OperatorOutputs | null = null;
  private readonly collector: Collector<unknown>;

  constructor(store: KeyedStateStore, fn: AnyWindowFunction | null) {
    this.fn = fn;
    this.store = store;
    this.context = new EvaluationContext(store, fn);
    this.collector = { emit: (value) => this.outputs?.main.collect(value, this.context.timestampMs) };
  }

  link(outputs: OperatorOutputs): void {
    this.outputs = this.context.outputs = outputs;
  }

  open(timers: TimerService): void {
    this.context.timers = timers;
  }

  /** For the selected key. Leaves the window selected when there is a function. */
  emit(window: TimeWindow, elements: readonly unknown[]): void {
    const { fn } = this;
    if (fn === null) {
      for (const element of elements) this.outputs?.main.collect(element, maxTimestampOf(window));
      return;
    }
    this.enter(window);
    fn.process(elements, this.context, this.collector);
  }

  /** The window is gone. */
  clear(window: TimeWindow): void {
    if (this.fn?.clear === undefined) return;
    this.enter(window);
    this.fn.clear(this.context);
  }

  private enter(window: TimeWindow): void {
    this.context.window = window;
    this.context.timestampMs = maxTimestampOf(window);
    this.store.setNamespace(window);
  }
}
