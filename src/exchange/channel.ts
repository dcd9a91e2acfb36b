/**
 * The two ends of a channel, whatever is in between. Two implementations each: over a ring
 * (channel-encoder.ts, channel-decoder.ts) and within a slot (local-channel.ts).
 */
import type { RecordBatch } from '../graph/functions.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import type { BarrierEvent, DirectReceiver, StreamEvent } from './contract.ts';
import type { InFlightPiece } from './in-flight.ts';

/** The producer's end. Sets `OutputStatus.full` when no further record should be started. */
export interface Outlet {
  /** Throws TYPE_MISMATCH, RECORD_TOO_LARGE, EMIT_OVERFLOW; the channel is unusable afterwards. */
  emit(value: unknown, timestampMs: number): void;
  /** After all records so far; records before it become visible. */
  event(event: StreamEvent): void;
  flush(): void;
  /** True when there is room again. */
  refresh(): boolean;
  isDrained(): boolean;
  /** Whether the consumer can see the last barrier that was sent. */
  showsBarrier(): boolean;
  /**
   * Lets the last barrier that was sent overtake what stands before it. Answers what the consumer cannot see of that, for
   * the checkpoint; null when nothing is overtaken and the barrier keeps its place.
   */
  overtake(barrier: BarrierEvent): readonly InFlightPiece[] | null;
  /** Ends the channel; what was published stays readable. Idempotent. */
  close(cause: ErrorInfo | null): void;
  readonly bytesOut: number;
}

/** What a channel had to offer. `lost`: the producer has closed, and everything is read. */
export type ChannelResult = 'records' | 'event' | 'nothing' | 'lost';

/** The consumer's end. */
export interface Inlet {
  poll(batch: RecordBatch): ChannelResult;
  /** Of the last `event`. */
  readonly event: StreamEvent | null;
  /** Why the channel is lost. */
  cause(): Error | null;
  /** A barrier that overtakes what is still to be polled, once; null: none. It comes again at its place. */
  announced(): BarrierEvent | null;
  /**
   * From now on everything before the barrier of the checkpoint goes to `keep`, read or not, and is polled as ever.
   * Ends with the barrier, its announcement, the end, or `endRecording`. `keep` throws nothing.
   */
  record(checkpointId: number, keep: (piece: InFlightPiece) => void): void;
  /** Keeps what has come since; true when all is kept. Throws TYPE_MISMATCH. */
  isRecorded(): boolean;
  /** Answers the sequence of the first buffer that was not kept; null: there are no buffers. */
  endRecording(): number | null;
  /** See `InputGate.offer`; only within a slot. */
  offer?(receiver: DirectReceiver | null): void;
  /** It will not be read for a while. */
  onPause(): void;
  close(): void;
  readonly bytesIn: number;
}
