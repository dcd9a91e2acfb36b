/**
 * An input gate as the input of a chain: records as they come, and the events of all channels combined
 * into those of one stream. A barrier comes out once it is in on every channel; until then the channels
 * that are ahead are paused (exactly-once), and their producers wait for credit.
 */
import { assert } from '../base/assert.ts';
import { NO_TIMESTAMP } from '../graph/functions.ts';
import type { RecordBatch } from '../graph/functions.ts';
import { BarrierAligner } from '../exchange/barrier-aligner.core.ts';
import type { AlignerOutput } from '../exchange/barrier-aligner.core.ts';
import type { BarrierEvent, DirectReceiver, InputGate, StreamEvent } from '../exchange/contract.ts';
import type { CheckpointOptions } from '../protocol/checkpoint.ts';
import { GateTime } from './gate-time.ts';
import type { InputResult, RunnerInput } from './segment-runner.ts';

/** Hears what becomes of barriers. */
export interface BarrierListener {
  /** The first barrier of a checkpoint is in. */
  onBegun(checkpointId: number): void;
  /** The checkpoint cannot be completed here. */
  onOvertaken(checkpointId: number): void;
}

/** One gate at work. */
export class GateInput implements RunnerInput {
  readonly gate: InputGate;
  event: StreamEvent | null = null;
  /** Of the combined stream. */
  currentWatermarkMs = NO_TIMESTAMP;
  private readonly time: GateTime;
  private readonly aligner: BarrierAligner<BarrierEvent>;
  private listener: BarrierListener | null = null;
  /** Put out by time and the aligner, oldest first; at most a watermark and a status, or the barriers under way. */
  private pending: readonly StreamEvent[] = [];

  constructor(gate: InputGate) {
    this.gate = gate;
    this.time = new GateTime(gate.inputOf);
    this.aligner = new BarrierAligner(gate.channelCount);
  }

  get inputIndex(): 0 | 1 {
    return this.gate.inputIndex;
  }

  /** From now on `listener` hears of barriers. */
  listen(listener: BarrierListener): void {
    this.listener = listener;
  }

  poll(batch: RecordBatch): InputResult {
    if (this.pending.length > 0) return this.takePending();
    const result = this.gate.poll(batch);
    if (result !== 'event') return result;
    this.pending = this.combine(this.gate.event);
    return this.pending.length > 0 ? this.takePending() : 'again';
  }

  offer(receiver: DirectReceiver | null): void {
    if (receiver === null || this.pending.length === 0) this.gate.offer(receiver);
  }

  /** The JobManager asks for a checkpoint here, since all producers have finished. Between two records. */
  trigger(barrier: BarrierEvent): void {
    this.pending = [...this.pending, ...this.apply(this.aligner.onTrigger(barrier, blocks(barrier)))];
  }

  /** The JobManager has given a checkpoint up: nothing waits for it any more. Between two records. */
  abort(checkpointId: number): void {
    this.pending = [...this.pending, ...this.apply(this.aligner.onAborted(checkpointId))];
  }

  private takePending(): 'event' {
    this.event = this.pending[0] ?? null;
    if (this.event?.kind === 'watermark') this.currentWatermarkMs = this.event.timestampMs;
    this.pending = this.pending.slice(1);
    return 'event';
  }

  /** The events of the combined stream that an event of one channel brings about. */
  private combine(event: StreamEvent | null): readonly StreamEvent[] {
    if (event === null) return [];
    const { channelIndex } = this.gate;
    switch (event.kind) {
      case 'watermark':
      case 'status':
        return this.time.on(channelIndex, event);
      case 'barrier':
        return this.apply(this.aligner.onBarrier(channelIndex, event, blocks(event)));
      case 'end':
        return this.apply(this.aligner.onEnd(channelIndex));
      default:
        return [event];
    }
  }

  /** Does what the aligner asks for; answers the barriers to pass on. */
  private apply(outputs: readonly AlignerOutput<BarrierEvent>[]): readonly StreamEvent[] {
    const events: StreamEvent[] = [];
    for (const output of outputs) {
      if (output.kind === 'block') this.gate.pause(output.channelIndex);
      else if (output.kind === 'unblock') this.gate.resume(output.channelIndex);
      else if (output.kind === 'begun') this.listener?.onBegun(output.checkpointId);
      else if (output.kind === 'overtaken') this.listener?.onOvertaken(output.checkpointId);
      else if (output.kind === 'taken') events.push(output.barrier);
      else assert(false, 'no barrier overtakes yet');
    }
    return events;
  }
}

/** Whether a channel is held back behind the barrier. */
function blocks(barrier: BarrierEvent): boolean {
  return (JSON.parse(barrier.options) as CheckpointOptions).alignment === 'exactly-once';
}
