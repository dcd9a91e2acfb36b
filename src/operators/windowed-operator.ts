/**
 * What every window operator knows: when a window is late and when it is cleaned up, what becomes of late records, and
 * how watermarks reach timers.
 *
 *     watermark ≥ last timestamp               the default trigger fires
 *     watermark ≥ last timestamp + lateness    contents, trigger state and window state are dropped; the window is late
 *
 * Windows of processing time are dropped at their last timestamp, by the clock. Global windows never are.
 *
 * Source: Flink `WindowOperator`.
 */
import { present } from '../base/assert.ts';
import type { StreamEvent } from '../exchange/contract.ts';
import { MAX_WATERMARK, type Counter } from '../graph/functions.ts';
import type { KeySpec, WindowData, WindowUser } from '../graph/operator-spec.ts';
import { maxTimestampOf, type TimeWindow } from '../graph/windows.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { KeyedStateStore } from '../state/keyed-state-store.ts';
import type { TimeDomain, TimerService, TimerTarget } from '../state/timer-service.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { FunctionOperator } from './function-operator.ts';
import type { OperatorContext, OperatorOutputs } from './operator.ts';
import { WindowEvaluation } from './window-evaluation.ts';

/** What the task supplies. */
export interface WindowSurroundings {
  /** By input. */
  readonly keys: readonly KeySpec[];
  readonly store: KeyedStateStore;
  /** Of the records by input; null when not declared. */
  readonly types: readonly [TypeDescriptor<unknown> | null, TypeDescriptor<unknown> | null];
  /** Deep copy of a record. */
  readonly copyInput: (value: unknown) => unknown;
}

/** A window operator, with its plain and its user half. */
export interface WindowSpec {
  readonly data: WindowData;
  readonly user: WindowUser;
}

/** Flink's name of the counter. */
export const LATE_RECORDS_DROPPED = 'numLateRecordsDropped';

export abstract class WindowedOperator extends FunctionOperator<WindowUser> implements TimerTarget {
  protected readonly around: WindowSurroundings;
  protected readonly evaluation: WindowEvaluation;
  private readonly data: WindowData;
  private service: TimerService | null = null;
  private lateRecordsDropped: Counter | null = null;

  constructor(name: string, { data, user }: WindowSpec, around: WindowSurroundings) {
    super(name, user);
    this.data = data;
    this.around = around;
    this.evaluation = new WindowEvaluation(around.store, user.fn);
  }

  override link(outputs: OperatorOutputs): void {
    super.link(outputs);
    this.evaluation.link(outputs);
  }

  override open(context: OperatorContext): void | Promise<void> {
    this.service = present(context.timers, 'windows are keyed, so they have timers');
    this.service.fireTo(this);
    this.lateRecordsDropped = context.runtime.counter(LATE_RECORDS_DROPPED);
    this.onOpen(this.service);
    this.evaluation.open(this.service);
    return super.open(context);
  }

  onEvent(event: StreamEvent): void | 'more' {
    return event.kind === 'watermark' ? this.timers.advanceWatermark(event.timestampMs) : undefined;
  }

  abstract onTimer(domain: TimeDomain, timestampMs: number, window: TimeWindow): void;

  /** The timers are there. */
  protected abstract onOpen(timers: TimerService): void;

  protected get timers(): TimerService {
    return this.service as TimerService;
  }

  /** When a window is dropped; `MAX_WATERMARK`: never. */
  protected cleanupMs(window: TimeWindow): number {
    const lastMs = maxTimestampOf(window);
    return this.user.assigner.isEventTime ? Math.min(lastMs + this.data.allowedLatenessMs, MAX_WATERMARK) : lastMs;
  }

  protected registerCleanup(window: TimeWindow): void {
    const atMs = this.cleanupMs(window);
    if (atMs < MAX_WATERMARK) this.timers.register(this.domain, atMs, window);
  }

  protected deleteCleanup(window: TimeWindow): void {
    const atMs = this.cleanupMs(window);
    if (atMs < MAX_WATERMARK) this.timers.delete(this.domain, atMs, window);
  }

  /** Whether a window is gone for good. */
  protected isLate(window: TimeWindow): boolean {
    return this.user.assigner.isEventTime && this.cleanupMs(window) <= this.timers.currentWatermarkMs;
  }

  protected isCleanup(domain: TimeDomain, timestampMs: number, window: TimeWindow): boolean {
    return domain === this.domain && timestampMs === this.cleanupMs(window);
  }

  /** A record that entered no window: late, unless it falls between windows. */
  protected onSkipped(value: unknown, timestampMs: number): void {
    if (!this.user.assigner.isEventTime || timestampMs + this.data.allowedLatenessMs > this.timers.currentWatermarkMs) return;
    if (this.data.lateTag === null) this.lateRecordsDropped?.inc();
    else this.outputs.side(this.data.lateTag)?.collect(value, timestampMs);
  }

  /** A window that merged must not end in the past: it would never be evaluated. */
  protected checkNotPast(window: TimeWindow): void {
    const { isEventTime } = this.user.assigner;
    const isPast = isEventTime ? this.isLate(window) : maxTimestampOf(window) <= this.timers.currentProcessingTimeMs();
    if (!isPast) return;
    throw new ClusterError(
      'UNSUPPORTED',
      `the window [${window.startMs}, ${window.endMs}) of operator '${this.name}' cannot end in the past by merging ` +
        `(watermark ${this.timers.currentWatermarkMs}, processing time ${this.timers.currentProcessingTimeMs()})`,
    );
  }

  /** Whether contents outlive the moment they are emitted in. */
  protected get keepsEmitted(): boolean {
    return this.data.allowedLatenessMs > 0;
  }

  protected get emitsLate(): boolean {
    return this.data.lateTag !== null;
  }

  private get domain(): TimeDomain {
    return this.user.assigner.isEventTime ? 'event' : 'processing';
  }
}
