/**
 * The two ends of a channel, whatever is in between. Two implementations each: over a ring
 * (channel-encoder.ts, channel-decoder.ts) and within a slot (local-channel.ts).
 */
import type { RecordBatch } from '../graph/functions.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import type { StreamEvent } from './contract.ts';

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
  /** It will not be read for a while. */
  onPause(): void;
  close(): void;
  readonly bytesIn: number;
}
