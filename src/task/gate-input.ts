/**
 * An input gate as the input of a chain: records as they come, and the events of all channels combined
 * into those of one stream.
 */
import type { RecordBatch } from '../graph/functions.ts';
import type { InputGate, StreamEvent } from '../exchange/contract.ts';
import { WatermarkValve } from '../exchange/watermark-valve.core.ts';
import type { InputResult, RunnerInput } from './segment-runner.ts';

/** One gate at work. */
export class GateInput implements RunnerInput {
  readonly gate: InputGate;
  event: StreamEvent | null = null;
  private readonly valve: WatermarkValve;
  /** Put out by the valve, oldest first; at most a watermark and a status. */
  private pending: readonly StreamEvent[] = [];

  constructor(gate: InputGate) {
    this.gate = gate;
    this.valve = new WatermarkValve(gate.channelCount);
  }

  get inputIndex(): 0 | 1 {
    return this.gate.inputIndex;
  }

  poll(batch: RecordBatch): InputResult {
    if (this.pending.length > 0) return this.takePending();
    const result = this.gate.poll(batch);
    if (result !== 'event') return result;
    this.pending = this.combine(this.gate.event);
    return this.pending.length > 0 ? this.takePending() : 'again';
  }

  private takePending(): 'event' {
    this.event = this.pending[0] ?? null;
    this.pending = this.pending.slice(1);
    return 'event';
  }

  /** The events of the combined stream that an event of one channel brings about. */
  private combine(event: StreamEvent | null): readonly StreamEvent[] {
    if (event === null) return [];
    const { channelIndex } = this.gate;
    if (event.kind === 'watermark') return this.valve.onWatermark(channelIndex, event.timestampMs);
    return event.kind === 'status' ? this.valve.onStatus(channelIndex, event.idle) : [event];
  }
}
