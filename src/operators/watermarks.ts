/**
 * Event time in the middle of a program: timestamps, and watermarks of the operator's own instead of those from upstream.
 *
 *     record ─► assigner ─► downstream          every interval ─► tracker ─► watermark │ idle, for what is downstream
 *                  └─► tracker
 *
 * Per record of a built-in strategy there is one comparison. A generator that emits with a record stops the chain
 * behind that record, so that the watermark passes before the next one.
 *
 * Source: Flink `TimestampsAndWatermarksOperator`.
 */
import type { Timer } from '../base/ports.ts';
import { present } from '../base/assert.ts';
import type { StreamEvent } from '../exchange/contract.ts';
import { MAX_WATERMARK } from '../graph/functions.ts';
import type { Lifecycle } from '../graph/functions.ts';
import type { TimestampAssigner, WatermarkData, WatermarkFunctions } from '../graph/watermarks.ts';
import { FunctionOperator } from './function-operator.ts';
import type { OperatorCode, OperatorContext, RecordVariables } from './operator.ts';
import { MAX_TIMESTAMP_CELL, notATimestamp, RECORDS_CELL, WatermarkTracker } from './watermark-tracker.ts';
import type { WatermarkListener } from './watermark-tracker.ts';

type Assigner = Lifecycle & { readonly timestampMs: TimestampAssigner<unknown> };

/** Gives every record the event time that the assigner reads from it. Watermarks pass. */
export class TimestampsOperator extends FunctionOperator<Assigner> {
  process(value: unknown, timestampMs: number): void {
    this.outputs.main.collect(value, checked(this.user.timestampMs(value, timestampMs)));
  }

  generate(code: OperatorCode, record: RecordVariables): void {
    const timestampMs = generateAssignment(code, this.user.timestampMs, record);
    code.collect({ value: record.value, timestampMs });
  }
}

type Assigning = Lifecycle & WatermarkFunctions;

/** See the file's head. */
export class WatermarksOperator extends FunctionOperator<Assigning> implements WatermarkListener {
  private readonly data: WatermarkData;
  private readonly intervalMs: number;
  private readonly tracker: WatermarkTracker;
  private context: OperatorContext | null = null;
  private alarm: Timer | null = null;

  /** `intervalMs` 0: no periodic watermarks. */
  constructor(name: string, user: Assigning, { data, intervalMs }: { readonly data: WatermarkData; readonly intervalMs: number }) {
    super(name, user);
    this.data = data;
    this.intervalMs = intervalMs;
    this.tracker = new WatermarkTracker(data, user, this);
  }

  override open(context: OperatorContext): void | Promise<void> {
    this.context = context;
    const isPeriodic = this.data.generator !== 'none' || this.data.idlenessMs !== null;
    if (isPeriodic && this.intervalMs > 0) this.setAlarm(context);
    return super.open(context);
  }

  process(value: unknown, timestampMs: number): void {
    const { timestampMs: assign } = this.user;
    const assignedMs = assign === null ? timestampMs : checked(assign(value, timestampMs));
    this.outputs.main.collect(value, assignedMs);
    this.onRecord(value, assignedMs);
  }

  generate(code: OperatorCode, record: RecordVariables): void {
    const { timestampMs: assign } = this.user;
    const timestampMs = assign === null ? record.timestampMs : generateAssignment(code, assign, record);
    code.collect({ value: record.value, timestampMs });
    if (this.data.generator === 'custom') {
      code.line(`${code.constant('watermarks', this)}.onRecord(${record.value}, ${timestampMs});`);
      return;
    }
    const cells = code.constant('cells', this.tracker.cells);
    const [greatest, records] = [`${cells}[${MAX_TIMESTAMP_CELL}]`, `${cells}[${RECORDS_CELL}]`];
    if (this.data.generator === 'bounded') code.line(`if (${timestampMs} > ${greatest}) ${greatest} = ${timestampMs};`);
    if (this.data.idlenessMs !== null) code.line(`${records}++;`);
  }

  /** Called by generated code. */
  onRecord(value: unknown, timestampMs: number): void {
    this.tracker.onRecord(value, timestampMs);
  }

  /** Upstream's time ends here, but for its end. */
  onEvent(event: StreamEvent): void | 'stop' {
    if (event.kind === 'status') return 'stop';
    if (event.kind !== 'watermark') return undefined;
    if (event.timestampMs < MAX_WATERMARK) return 'stop';
    if (!this.tracker.isIdle) return undefined;
    this.tracker.emitWatermark(MAX_WATERMARK); // Active first: the watermark of an idle stream is not heard.
    return 'stop';
  }

  onWatermark(timestampMs: number): void {
    this.emit({ kind: 'watermark', timestampMs });
  }

  onIdle(idle: boolean): void {
    this.emit({ kind: 'status', idle });
  }

  override close(): void | Promise<void> {
    this.alarm?.cancel();
    return super.close();
  }

  private emit(event: StreamEvent): void {
    const context = present(this.context, 'watermarks are made from open on');
    context.emitEvent(event);
    context.status.full = true; // Ends the stretch; there is room again at once.
  }

  private setAlarm(context: OperatorContext): void {
    const { clock } = context;
    this.alarm = clock.after(this.intervalMs, () => {
      const dueMs = clock.monotonicMs();
      context.schedule(() => {
        const nowMs = clock.monotonicMs();
        this.tracker.onPeriod(nowMs, nowMs - dueMs);
        this.setAlarm(context);
      });
    });
  }
}

function checked(timestampMs: number): number {
  if (Number.isSafeInteger(timestampMs)) return timestampMs;
  throw notATimestamp('the timestamp of a record', timestampMs);
}

/** Writes the call of the assigner; answers the variable with the new timestamp. */
function generateAssignment(code: OperatorCode, assign: TimestampAssigner<unknown>, record: RecordVariables): string {
  const assigned = code.name('timestampMs');
  code.line(`const ${assigned} = ${code.constant('assign', assign)}(${record.value}, ${record.timestampMs});`);
  code.line(`if (!Number.isSafeInteger(${assigned})) ${code.constant('checked', checked)}(${assigned});`);
  return assigned;
}
