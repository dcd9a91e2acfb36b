/**
 * Keeps what a gate holds before the barriers of one checkpoint that was taken early, channel by channel: the
 * records in hand, what is in the channel, and what comes until its barrier is seen.
 */
import { assert, present } from '../base/assert.ts';
import type { BarrierEvent, ChannelCodec, InputGate } from '../exchange/contract.ts';
import { PieceWriter, type InFlightPiece } from '../exchange/in-flight.ts';
import type { RecordBatch } from '../graph/functions.ts';
import type { InFlightChannelName } from '../protocol/checkpoint.ts';
import type { InFlightPart } from './in-flight-part.ts';

/** A channel as checkpoints see it. */
export interface RecordedChannel {
  readonly name: InFlightChannelName;
  /** Barriers overtake on it. */
  readonly overtakes: boolean;
  readonly newCodec: () => ChannelCodec;
}

/** Records that were polled and have not been worked off: `batch.values[next..length)`. */
export interface RecordsInHand {
  readonly batch: RecordBatch;
  readonly next: number;
}

/** The records in hand as pieces; none when there are none. Throws TYPE_MISMATCH. */
export function piecesInHand({ batch, next }: RecordsInHand, codec: ChannelCodec): readonly InFlightPiece[] {
  const writer = new PieceWriter(codec);
  for (let i = next; i < batch.length; i++) writer.add(batch.values[i], batch.timestampsMs[i] as number);
  return writer.take();
}

/** One recording. */
export class GateRecording {
  readonly barrier: BarrierEvent;
  private readonly gate: InputGate;
  private readonly part: InFlightPart;
  /** Of the channels whose barrier has not been seen. */
  private readonly tags = new Map<number, number>();

  constructor(gate: InputGate, barrier: BarrierEvent, part: InFlightPart) {
    this.gate = gate;
    this.barrier = barrier;
    this.part = part;
  }

  /** `inHand` null: no records of this channel are. */
  begin(channelIndex: number, { name, newCodec }: RecordedChannel, inHand: RecordsInHand | null): void {
    const { gate, part, barrier } = this;
    const tag = part.open(name, 'input');
    this.tags.set(channelIndex, tag);
    this.guard(() => {
      for (const piece of inHand === null ? [] : piecesInHand(inHand, newCodec())) part.keep(tag, piece);
    });
    gate.record(channelIndex, barrier.checkpointId, (piece) => part.keep(tag, piece));
  }

  /** Channels whose barrier is in sight. */
  seen(): readonly number[] {
    return [...this.tags.keys()].filter((channelIndex) => this.isRecorded(channelIndex));
  }

  /** The channel's barrier, or its end, has been seen. */
  end(channelIndex: number): void {
    assert(this.isRecorded(channelIndex), 'a channel is kept up to its barrier');
    this.release(channelIndex);
  }

  /** The checkpoint is given up. */
  stop(): void {
    for (const channelIndex of [...this.tags.keys()]) this.release(channelIndex);
  }

  /** A channel that cannot be kept fails the checkpoint, and is waited for no longer. */
  private isRecorded(channelIndex: number): boolean {
    return this.guard(() => this.gate.isRecorded(channelIndex)) ?? true;
  }

  private release(channelIndex: number): void {
    const tag = present(this.tags.get(channelIndex), 'a channel is recorded once');
    this.tags.delete(channelIndex);
    this.part.close(tag, this.gate.endRecording(channelIndex));
  }

  private guard<T>(action: () => T): T | null {
    try {
      return action();
    } catch (thrown) {
      this.part.failure ??= thrown;
      return null;
    }
  }
}
