/**
 * Windows in general: any assigner, trigger and evictor, windows that merge, and window functions over all records.
 *
 *     record ─► assigner ─► each window: merge with others? late? ─► contents.add ─► trigger.onElement ─► fire, purge
 *     timer  ─► trigger.onEventTime, onProcessingTime ─► fire, purge ─► time of cleanup? drop everything
 *
 * The order of these steps is Flink's, down to which timer is registered first: timers of one time fire in the order
 * of a heap, so it shows in the order of results.
 *
 * State: `window-contents` by (key, window); with merging windows by (key, state window), and the value state
 * `merging-window-set` by key. Triggers and window functions have states of their own.
 *
 * Source: Flink `WindowOperator`, `EvictingWindowOperator`.
 */
import type { ValueState } from '../graph/functions.ts';
import { fires, purges } from '../graph/window-triggers.ts';
import type { AssignerContext, TaggedRecord, TimeWindow, TriggerResult } from '../graph/windows.ts';
import type { TimeDomain, TimerService } from '../state/timer-service.ts';
import { stateWindowOf, type Addition, type WindowSet } from './merging-windows.ts';
import type { OperatorCode, RecordVariables } from './operator.ts';
import { TriggerCalls } from './trigger-calls.ts';
import { accumulationOf, contentsOf, evicting, type Evicting } from './window-parts.ts';
import type { WindowContents } from './window-contents.ts';
import { addTo, retireFrom, windowSetOf } from './window-set-state.ts';
import { WindowedOperator, type WindowSpec, type WindowSurroundings } from './windowed-operator.ts';

/** A record on its way into a window. */
interface Entering {
  readonly value: unknown;
  /** What the window keeps of it. */
  readonly element: unknown;
  readonly timestampMs: number;
}

function tagged(value: unknown, inputIndex: 0 | 1): TaggedRecord<unknown, unknown> {
  return inputIndex === 0 ? { first: value } : { second: value };
}

export class WindowOperator extends WindowedOperator {
  override readonly retainsInput = true;
  override readonly retainsOutput = true;
  private readonly trigger: TriggerCalls;
  private readonly contents: WindowContents;
  private readonly evicting: Evicting | null;
  /** Null where windows do not merge. */
  private readonly windowSet: ValueState<WindowSet> | null;
  private readonly assignerContext: AssignerContext = { currentProcessingTimeMs: () => this.timers.currentProcessingTimeMs() };

  constructor(name: string, spec: WindowSpec, around: WindowSurroundings) {
    super(name, spec, around);
    const { user } = spec;
    const isMerging = user.assigner.isMerging === true;
    const namespaced = isMerging ? 'own' : 'shared';
    this.trigger = new TriggerCalls(user.trigger, around.store, namespaced);
    this.contents = contentsOf(user, around, namespaced);
    this.evicting = evicting(user, this.contents, accumulationOf(user.contents, around.copyInput));
    this.windowSet = isMerging ? windowSetOf(around.store) : null;
  }

  process(value: unknown, timestampMs: number, inputIndex: 0 | 1): void {
    const { store, keys } = this.around;
    store.setKey((keys[inputIndex] as (typeof keys)[number]).selector(value));
    const element = this.user.joins ? tagged(value, inputIndex) : value;
    let isSkipped = true;
    for (const window of this.user.assigner.assignWindows(value, timestampMs, this.assignerContext)) {
      const entered = this.windowSet === null
        ? !this.isLate(window) && this.enter(window, window, { value, element, timestampMs })
        : this.enterMerging(this.windowSet, window, { value, element, timestampMs });
      if (entered) isSkipped = false;
    }
    if (isSkipped) this.onSkipped(value, timestampMs);
  }

  generate(code: OperatorCode, record: RecordVariables, inputIndex: 0 | 1): void {
    code.collector();
    code.line(`${code.constant('windows', this)}.process(${record.value}, ${record.timestampMs}, ${inputIndex});`);
  }

  onTimer(domain: TimeDomain, timestampMs: number, window: TimeWindow): void {
    const set = this.windowSet?.get();
    const stateWindow = this.windowSet === null ? window : stateWindowOf(set ?? [], window);
    // A trigger has left a timer behind in a window that has merged: the trigger's state is gone, too.
    if (stateWindow === null) return;
    this.act(this.trigger.onTimer(domain, timestampMs, window), window, stateWindow);
    if (this.isCleanup(domain, timestampMs, window)) this.drop(window, stateWindow);
  }

  protected onOpen(timers: TimerService): void {
    this.trigger.open(timers);
    this.evicting?.open(timers);
  }

  private enter(window: TimeWindow, stateWindow: TimeWindow, { value, element, timestampMs }: Entering): true {
    this.around.store.setNamespace(stateWindow);
    this.contents.add(element, timestampMs);
    this.act(this.trigger.onElement(value, timestampMs, window), window, stateWindow);
    this.registerCleanup(window);
    return true;
  }

  private enterMerging(windowSet: ValueState<WindowSet>, added: TimeWindow, entering: Entering): boolean {
    const addition = addTo(windowSet, added);
    if (addition.mergedWindows.length > 0) this.onMerged(addition);
    if (!this.isLate(addition.window)) return this.enter(addition.window, addition.stateWindow, entering);
    retireFrom(windowSet, addition.window);
    return false;
  }

  private onMerged({ window, stateWindow, mergedWindows, mergedStateWindows }: Addition): void {
    this.checkNotPast(window);
    this.trigger.onMerge(window, mergedWindows);
    for (const merged of mergedWindows) {
      this.trigger.clear(merged);
      this.deleteCleanup(merged);
    }
    if (mergedStateWindows.length > 0) this.contents.merge(stateWindow, mergedStateWindows);
  }

  /** Does what a trigger says. */
  private act(result: TriggerResult, window: TimeWindow, stateWindow: TimeWindow): void {
    if (fires(result)) this.emit(window, stateWindow);
    if (!purges(result)) return;
    this.around.store.setNamespace(stateWindow);
    this.contents.clear();
  }

  private emit(window: TimeWindow, stateWindow: TimeWindow): void {
    this.around.store.setNamespace(stateWindow);
    const elements = this.contents.elements();
    if (elements === null) return;
    if (this.evicting === null) {
      this.evaluation.emit(window, elements);
      return;
    }
    const left = this.evicting.evaluate(elements, window, (kept) => this.evaluation.emit(window, kept));
    this.around.store.setNamespace(stateWindow);
    this.evicting.keep(left);
  }

  private drop(window: TimeWindow, stateWindow: TimeWindow): void {
    this.around.store.setNamespace(stateWindow);
    this.contents.clear();
    this.trigger.clear(window);
    this.evaluation.clear(window);
    if (this.windowSet !== null) retireFrom(this.windowSet, window);
  }
}
