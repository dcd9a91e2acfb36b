/**
 * The fast path of sessions: merging event-time windows with the default trigger and without an evictor.
 *
 * It does what `WindowOperator` would do with that trigger, without its detours. Of the six timer operations that a
 * growing session costs there (register for the merged window, delete for the old one, and the same again for the cleanup
 * and for the record), two remain; the four others find what they want done already.
 *
 *     grows [0, 8) → [0, 11): register 10, delete 7        joins nothing: register        lies inside: nothing
 *
 * Source: Flink `WindowOperator` with `EventTimeTrigger`.
 */
import type { KeySelector, ValueState } from '../graph/functions.ts';
import type { WindowUser } from '../graph/operator-spec.ts';
import { eventTimeTrigger } from '../graph/window-triggers.ts';
import { maxTimestampOf, type AssignerContext, type TimeWindow } from '../graph/windows.ts';
import { present } from '../base/assert.ts';
import type { TimerMoment } from '../state/timer-queue.ts';
import type { TimeDomain } from '../state/timer-service.ts';
import { stateWindowOf, type Addition, type WindowSet } from './merging-windows.ts';
import type { OperatorCode, RecordVariables } from './operator.ts';
import type { WindowContents } from './window-contents.ts';
import { contentsOf } from './window-parts.ts';
import { addTo, retireFrom, windowSetOf } from './window-set-state.ts';
import { WindowedOperator, type WindowSpec, type WindowSurroundings } from './windowed-operator.ts';

/** Whether this path is right for a program's windows. */
export function isSession({ assigner, trigger, evictor, joins }: WindowUser): boolean {
  return assigner.isMerging === true && assigner.isEventTime && trigger === eventTimeTrigger && evictor === null && !joins;
}

export class SessionWindowOperator extends WindowedOperator {
  override readonly retainsInput = true;
  override readonly retainsOutput = true;
  private readonly contents: WindowContents;
  private readonly windowSet: ValueState<WindowSet>;
  private readonly selector: KeySelector<unknown, unknown>;
  private readonly assignerContext: AssignerContext = { currentProcessingTimeMs: () => this.timers.currentProcessingTimeMs() };

  constructor(name: string, spec: WindowSpec, around: WindowSurroundings) {
    super(name, spec, around);
    this.contents = contentsOf(spec.user, around, 'own');
    this.windowSet = windowSetOf(around.store);
    this.selector = present(around.keys[0], 'windows are keyed').selector;
  }

  process(value: unknown, timestampMs: number): void {
    this.around.store.setKey(this.selector(value));
    let isSkipped = true;
    for (const window of this.user.assigner.assignWindows(value, timestampMs, this.assignerContext)) {
      if (this.enter(window, value, timestampMs)) isSkipped = false;
    }
    if (isSkipped) this.onSkipped(value, timestampMs);
  }

  generate(code: OperatorCode, record: RecordVariables): void {
    code.collector();
    code.line(`${code.constant('sessions', this)}.process(${record.value}, ${record.timestampMs});`);
  }

  onTimer(domain: TimeDomain, timestampMs: number, window: TimeWindow): void {
    const stateWindow = stateWindowOf(this.windowSet.get() ?? [], window);
    if (stateWindow === null) return;
    if (timestampMs === maxTimestampOf(window)) this.emit(window, stateWindow);
    if (!this.isCleanup(domain, timestampMs, window)) return;
    this.around.store.setNamespace(stateWindow);
    this.contents.clear();
    this.evaluation.clear(window);
    retireFrom(this.windowSet, window);
  }

  protected onOpen(): void {
    // Nothing besides the timers, which the base has.
  }

  /** False when the window is late. */
  private enter(added: TimeWindow, value: unknown, timestampMs: number): boolean {
    const addition = addTo(this.windowSet, added);
    const { window, stateWindow } = addition;
    const hasFired = maxTimestampOf(window) <= this.timers.currentWatermarkMs;
    if (addition.mergedWindows.length > 0) this.onMerged(addition, hasFired);
    if (this.isLate(window)) {
      retireFrom(this.windowSet, window);
      return false;
    }
    this.around.store.setNamespace(stateWindow);
    this.contents.add(value, timestampMs);
    if (hasFired) this.emit(window, stateWindow);
    else if (window === added) this.timers.register('event', maxTimestampOf(window), window);
    if (this.keepsEmitted) this.registerCleanup(window);
    return true;
  }

  private onMerged({ window, stateWindow, mergedWindows, mergedStateWindows }: Addition, hasFired: boolean): void {
    this.checkNotPast(window);
    if (mergedStateWindows.length === 0 && !hasFired && !this.keepsEmitted) {
      for (const grown of mergedWindows) this.timers.move(timerOf(grown), timerOf(window));
      return;
    }
    if (!hasFired) this.timers.register('event', maxTimestampOf(window), window);
    for (const merged of mergedWindows) {
      this.timers.delete('event', maxTimestampOf(merged), merged);
      if (this.keepsEmitted) this.deleteCleanup(merged);
    }
    if (mergedStateWindows.length > 0) this.contents.merge(stateWindow, mergedStateWindows);
  }

  private emit(window: TimeWindow, stateWindow: TimeWindow): void {
    this.around.store.setNamespace(stateWindow);
    const elements = this.contents.elements();
    if (elements !== null) this.evaluation.emit(window, elements);
  }
}

function timerOf(window: TimeWindow): TimerMoment {
  return { timestampMs: maxTimestampOf(window), namespace: window };
}
