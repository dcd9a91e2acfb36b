/**
 * The fast path: tumbling and sliding event-time windows with the default trigger that combine records as they come.
 *
 * Consecutive records mostly lie in the same windows, so the windows of a stretch of time are found once:
 *
 *     stretch [fromMs, toMs) ─► its windows           a record in it: one key lookup, and for each window
 *                                                     get, combine, set; timers only when the window is new for the key
 *
 * A stretch ends where the set of windows changes, and when a watermark or a timer comes. A record of which a window
 * has already fired, or is late, goes the long way (`processLate`), which is `WindowOperator` for the default trigger.
 * No object is made for a record: tumbling windows over 10 000 keys pass 12 (reduce) to 16 (sum) M records/s, 12 sliding
 * windows a record 1.1 (sum; Node 20, AMD EPYC).
 *
 * Source: Flink `WindowOperator` with `EventTimeTrigger`.
 */
import { present } from '../base/assert.ts';
import type { StreamEvent } from '../exchange/contract.ts';
import { NO_TIMESTAMP, type KeySelector, type ValueState } from '../graph/functions.ts';
import type { WindowUser } from '../graph/operator-spec.ts';
import { windowStart } from '../graph/window-assigners.ts';
import { eventTimeTrigger } from '../graph/window-triggers.ts';
import { maxTimestampOf, type AssignerContext, type PeriodicWindows, type TimeWindow } from '../graph/windows.ts';
import { copyAny } from '../state/stored-value.ts';
import type { TimeDomain } from '../state/timer-service.ts';
import type { OperatorCode, RecordVariables } from './operator.ts';
import type { Accumulation } from './window-accumulation.ts';
import { accumulatorState } from './window-contents.ts';
import { accumulationOf, accumulatorType } from './window-parts.ts';
import { WindowedOperator, type WindowSpec, type WindowSurroundings } from './windowed-operator.ts';

/** Times whose records lie in the same windows. */
interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
  readonly windows: readonly TimeWindow[];
  /** Last timestamp of the window that fires first. */
  readonly firesMs: number;
}

/** Stretches kept for records out of order. A power of two. */
const STRETCHES_KEPT = 16;
const NO_WINDOWS: readonly TimeWindow[] = [];

/** Whether the fast path is right for a program's windows. */
export function isPeriodic({ assigner, trigger, evictor, contents }: WindowUser): boolean {
  const combinesOnly = evictor === null && contents.kind !== 'list';
  return assigner.periodic !== undefined && assigner.isEventTime && trigger === eventTimeTrigger && combinesOnly;
}

export class PeriodicWindowOperator extends WindowedOperator {
  override readonly retainsInput: boolean;
  override readonly retainsOutput: boolean;
  override readonly readsOnly: boolean;
  /** Start and end of the stretch at hand; in an array of doubles, so that generated code reads them without a box. */
  private readonly bounds = new Float64Array(2);
  /** Windows of the stretch. Read by generated code. */
  windows = NO_WINDOWS;
  private readonly stretches: (Stretch | undefined)[] = Array.from({ length: STRETCHES_KEPT });
  private readonly periodic: PeriodicWindows;
  private readonly accumulation: Accumulation;
  private readonly state: ValueState<unknown>;
  private readonly selector: KeySelector<unknown, unknown>;
  private readonly assignerContext: AssignerContext = { currentProcessingTimeMs: () => this.timers.currentProcessingTimeMs() };

  constructor(name: string, spec: WindowSpec, around: WindowSurroundings) {
    super(name, spec, around);
    const { assigner, contents } = spec.user;
    this.periodic = present(assigner.periodic, 'the fast path is for periodic windows');
    this.accumulation = present(accumulationOf(contents, around.copyInput), 'the fast path combines records');
    this.selector = present(around.keys[0], 'windows are keyed').selector;
    this.state = accumulatorState({ store: around.store, type: accumulatorType(contents, around.types[0]), namespaced: 'shared' });
    this.retainsInput = this.accumulation.retainsInput;
    this.retainsOutput = this.keepsEmitted;
    this.readsOnly = !this.retainsInput && !this.emitsLate;
  }

  process(value: unknown, timestampMs: number): void {
    const { store } = this.around;
    store.setKey(this.selector(value));
    const { bounds } = this;
    if (!(timestampMs >= (bounds[0] as number) && timestampMs < (bounds[1] as number)) && !this.select(timestampMs)) {
      this.processLate(value, timestampMs);
      return;
    }
    for (const window of this.windows) {
      store.setNamespace(window);
      if (this.add(value)) this.register(window);
    }
  }

  generate(code: OperatorCode, record: RecordVariables): void {
    const [self, store] = [code.constant('windows', this), code.constant('store', this.around.store)];
    const [state, bounds] = [code.constant('state', this.state), code.constant('bounds', this.bounds)];
    const [list, i, accumulator, next] = [code.name('list'), code.name('i'), code.name('accumulator'), code.name('next')];
    code.collector();
    code.line(`${store}.setKey(${code.constant('selector', this.selector)}(${record.value}));`);
    const isInStretch = `(${record.timestampMs} >= ${bounds}[0] && ${record.timestampMs} < ${bounds}[1])`;
    code.block(`if (${isInStretch} || ${self}.select(${record.timestampMs}))`, () => {
      code.line(`const ${list} = ${self}.windows;`);
      code.block(`for (let ${i} = 0; ${i} < ${list}.length; ${i}++)`, () => {
        code.line(`${store}.setNamespace(${list}[${i}]);`);
        code.line(`const ${accumulator} = ${state}.get();`);
        code.block(`if (${accumulator} === undefined)`, () => {
          code.line(`${state}.set(${this.accumulation.firstText(code, record.value)});`);
          code.line(`${self}.register(${list}[${i}]);`);
        });
        code.block('else', () => {
          code.line(`const ${next} = ${this.accumulation.nextText(code, accumulator, record.value)};`);
          code.line(`if (${next} !== ${accumulator}) ${state}.set(${next});`);
        });
      });
    });
    code.line(`else ${self}.processLate(${record.value}, ${record.timestampMs});`);
  }

  /** Makes the stretch of a time the one at hand. False when a window of it has fired already, or there is none. */
  select(timestampMs: number): boolean {
    const { offsetMs, slideMs } = this.periodic;
    const startMs = windowStart(timestampMs, offsetMs, slideMs);
    const place = ((startMs - offsetMs) / slideMs) & (STRETCHES_KEPT - 1);
    let stretch = this.stretches[place];
    if (stretch === undefined || timestampMs < stretch.fromMs || timestampMs >= stretch.toMs) {
      stretch = this.stretches[place] = this.stretchOf(timestampMs, startMs);
    }
    if (stretch.firesMs <= this.timers.currentWatermarkMs) {
      this.forget();
      return false;
    }
    this.bounds[0] = stretch.fromMs;
    this.bounds[1] = stretch.toMs;
    this.windows = stretch.windows;
    return true;
  }

  /** The selected key has its first record in a window. */
  register(window: TimeWindow): void {
    this.timers.register('event', maxTimestampOf(window), window);
    this.registerCleanup(window);
  }

  /** A record of which a window has fired, is late, or which has no window. */
  processLate(value: unknown, timestampMs: number): void {
    let isSkipped = true;
    for (const window of this.user.assigner.assignWindows(value, timestampMs, this.assignerContext)) {
      if (this.isLate(window)) continue;
      isSkipped = false;
      this.around.store.setNamespace(window);
      this.add(value);
      if (maxTimestampOf(window) <= this.timers.currentWatermarkMs) this.emit(window);
      else this.timers.register('event', maxTimestampOf(window), window);
      this.registerCleanup(window);
    }
    if (isSkipped) this.onSkipped(value, timestampMs);
  }

  override onEvent(event: StreamEvent): void | 'more' {
    this.forget();
    return super.onEvent(event);
  }

  onTimer(domain: TimeDomain, timestampMs: number, window: TimeWindow): void {
    this.forget();
    if (domain === 'event' && timestampMs === maxTimestampOf(window)) this.emit(window);
    if (!this.isCleanup(domain, timestampMs, window)) return;
    this.around.store.setNamespace(window);
    this.state.clear();
    this.evaluation.clear(window);
  }

  protected onOpen(): void {
    this.forget();
  }

  /** True when the window was empty. */
  private add(value: unknown): boolean {
    const accumulator = this.state.get();
    if (accumulator === undefined) {
      this.state.set(this.accumulation.first(value));
      return true;
    }
    const next = this.accumulation.next(accumulator, value);
    if (next !== accumulator) this.state.set(next);
    return false;
  }

  private emit(window: TimeWindow): void {
    this.around.store.setNamespace(window);
    const accumulator = this.state.get();
    if (accumulator === undefined) return;
    const result = this.accumulation.result(accumulator);
    const isShared = this.keepsEmitted && this.accumulation.changesInPlace && result === accumulator;
    this.evaluation.emit(window, [isShared ? copyAny(result) : result]);
  }

  private forget(): void {
    this.bounds[0] = this.bounds[1] = NaN;
    this.windows = NO_WINDOWS;
  }

  private stretchOf(timestampMs: number, startMs: number): Stretch {
    const { sizeMs, slideMs } = this.periodic;
    const windows = this.user.assigner.assignWindows(undefined, timestampMs, this.assignerContext);
    const turnMs = startMs + (sizeMs % slideMs);
    const isBeforeTurn = timestampMs < turnMs;
    return {
      fromMs: isBeforeTurn ? startMs : turnMs,
      toMs: isBeforeTurn ? turnMs : startMs + slideMs,
      windows,
      firesMs: windows.length === 0 ? NO_TIMESTAMP : Math.min(...windows.map(maxTimestampOf)),
    };
  }
}
