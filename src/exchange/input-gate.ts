/**
 * The input gate: all channels of one subtask, read in turn. A channel that yielded goes to the back of
 * the line; a paused one is passed over; one that has ended is not asked again.
 *
 * Source: Flink `SingleInputGate`, `CheckpointedInputGate` (pausing).
 */
import { assert } from '../base/assert.ts';
import type { RecordBatch } from '../graph/functions.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { Inlet } from './channel.ts';
import type { AnnouncedBarrier, DirectReceiver, GateResult, InputGate, StreamEvent } from './contract.ts';
import type { InFlightPiece } from './in-flight.ts';

/** One channel of a gate, with its name for messages. */
export interface GateChannel {
  readonly inlet: Inlet;
  readonly inputIndex: 0 | 1;
  readonly channelId: string;
}

/** See `InputGate`. */
export class FairInputGate implements InputGate {
  channelIndex = 0;
  inputIndex: 0 | 1 = 0;
  event: StreamEvent | null = null;
  readonly channelCount: number;
  readonly inputOf: readonly (0 | 1)[];
  private readonly taskName: string;
  private readonly channels: readonly GateChannel[];
  private readonly inlets: readonly Inlet[];
  /** Channels within the slot, of the input that a receiver is for. */
  private readonly lendable: readonly number[];
  private readonly paused: Uint8Array;
  private readonly ended: Uint8Array;
  private endedCount = 0;
  private next = 0;
  private isClosed = false;

  constructor(taskName: string, channels: readonly GateChannel[]) {
    this.taskName = taskName;
    this.channels = channels;
    this.inlets = channels.map((channel) => channel.inlet);
    this.inputOf = channels.map((channel) => channel.inputIndex);
    this.channelCount = channels.length;
    this.lendable = [...channels.keys()].filter((index) => this.inlets[index]?.offer !== undefined && this.inputOf[index] === 0);
    this.paused = new Uint8Array(channels.length);
    this.ended = new Uint8Array(channels.length);
  }

  poll(batch: RecordBatch): GateResult {
    for (let asked = 0; asked < this.channelCount; asked++) {
      const index = this.next;
      this.next = index + 1 === this.channelCount ? 0 : index + 1;
      if (this.paused[index] === 1 || this.ended[index] === 1) continue;
      const inlet = this.inlets[index] as Inlet;
      const result = inlet.poll(batch);
      if (result === 'records') return this.onRecords(index);
      if (result === 'event') return this.onEvent(index, inlet);
      if (result === 'lost') throw this.partitionLost(index);
    }
    return this.endedCount === this.channelCount ? 'end' : 'nothing';
  }

  announced(): AnnouncedBarrier | null {
    for (let index = 0; index < this.channelCount; index++) {
      if (this.ended[index] === 1) continue;
      const barrier = this.inlet(index).announced();
      if (barrier !== null) return { barrier, channelIndex: index };
    }
    return null;
  }

  record(channelIndex: number, checkpointId: number, keep: (piece: InFlightPiece) => void): void {
    this.inlet(channelIndex).record(checkpointId, keep);
  }

  isRecorded(channelIndex: number): boolean {
    return this.inlet(channelIndex).isRecorded();
  }

  endRecording(channelIndex: number): number | null {
    return this.inlet(channelIndex).endRecording();
  }

  offer(receiver: DirectReceiver | null): void {
    for (const index of this.lendable) {
      if (this.paused[index] === 0 && this.ended[index] === 0) this.inlets[index]?.offer?.(receiver);
    }
  }

  pause(channelIndex: number): void {
    this.paused[channelIndex] = 1;
    this.inlets[channelIndex]?.onPause();
  }

  resume(channelIndex: number): void {
    this.paused[channelIndex] = 0;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const inlet of this.inlets) inlet.close();
  }

  get bytesIn(): number {
    return this.inlets.reduce((sum, inlet) => sum + inlet.bytesIn, 0);
  }

  private inlet(index: number): Inlet {
    return this.inlets[index] as Inlet;
  }

  private onRecords(index: number): GateResult {
    this.channelIndex = index;
    this.inputIndex = this.inputOf[index] as 0 | 1;
    return 'records';
  }

  private onEvent(index: number, inlet: Inlet): GateResult {
    assert(inlet.event !== null, 'a channel that reports an event holds it');
    if (inlet.event.kind === 'end') {
      this.ended[index] = 1;
      this.endedCount++;
    }
    this.event = inlet.event;
    this.channelIndex = index;
    this.inputIndex = this.inputOf[index] as 0 | 1;
    return 'event';
  }

  private partitionLost(index: number): ClusterError {
    const channel = this.channels[index] as GateChannel;
    const cause = channel.inlet.cause();
    const reason = cause === null ? 'its producer is gone' : cause.message;
    const message = `${this.taskName}: channel ${channel.channelId} was lost: ${reason}`;
    return new ClusterError('PARTITION_LOST', message, { cause: cause ?? undefined });
  }
}
