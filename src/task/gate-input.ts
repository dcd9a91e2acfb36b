/**
 * An input gate as the input of a chain: records as they come, and the events of all channels combined
 * into those of one stream.
 */
import { NO_TIMESTAMP } from '../graph/functions.ts';
import type { RecordBatch } from '../graph/functions.ts';
import type { InputGate, StreamEvent } from '../exchange/contract.ts';
import type { InputResult, RunnerInput } from './segment-runner.ts';

/** One gate at work. */
export class GateInput implements RunnerInput {
  readonly gate: InputGate;
  event: StreamEvent | null = null;
  private readonly watermarksMs: number[];
  private readonly idle: boolean[];
  private emittedMs = NO_TIMESTAMP;
  private emittedIdle = false;

  constructor(gate: InputGate) {
    this.gate = gate;
    this.watermarksMs = Array.from({ length: gate.channelCount }, () => NO_TIMESTAMP);
    this.idle = Array.from({ length: gate.channelCount }, () => false);
  }

  get inputIndex(): 0 | 1 {
    return this.gate.inputIndex;
  }

  poll(batch: RecordBatch): InputResult {
    const result = this.gate.poll(batch);
    if (result !== 'event') return result;
    this.event = this.combine(this.gate.event);
    return this.event === null ? 'again' : 'event';
  }

  /** The event of the combined stream that an event of one channel brings about; null for none. */
  private combine(event: StreamEvent | null): StreamEvent | null {
    if (event === null) return null;
    if (event.kind === 'watermark') {
      this.watermarksMs[this.gate.channelIndex] = event.timestampMs;
      return this.advance();
    }
    if (event.kind !== 'status') return event;
    this.idle[this.gate.channelIndex] = event.idle;
    const idle = this.idle.every(Boolean);
    if (idle === this.emittedIdle) return this.advance();
    this.emittedIdle = idle;
    return { kind: 'status', idle };
  }

  /** The watermark is the least over the channels that are not idle, and never goes back. */
  private advance(): StreamEvent | null {
    let leastMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.idle.length; i++) {
      if (this.idle[i] === false) leastMs = Math.min(leastMs, this.watermarksMs[i] as number);
    }
    if (leastMs === Number.POSITIVE_INFINITY || leastMs <= this.emittedMs) return null;
    this.emittedMs = leastMs;
    return { kind: 'watermark', timestampMs: leastMs };
  }
}
