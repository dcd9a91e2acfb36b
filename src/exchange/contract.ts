/**
 * The exchange as its users see it. Worker side: a task writes records through `RecordWriter`s and reads
 * batches from an `InputGate`. Main-thread side: the TaskExecutor opens channels through `ChannelBroker`.
 *
 *     chain ── RecordWriter ──► channel ──► InputGate ── chain
 *                                 │
 *            same slot: references · same process: shared-memory ring · other TaskManager: ring + TCP
 *
 * Every channel is a bounded queue of buffers with credit: an empty credit means `full`, never a wait.
 */
import type { InFlightPiece } from './in-flight.ts';
import type { Codec, TypeDescriptor } from '../types/type-descriptor.ts';
import type { RecordBatch } from '../graph/functions.ts';
import type { KeySpec } from '../graph/operator-spec.ts';
import type { Partitioning } from '../graph/stream-graph.ts';
import type { ChannelDeployment, TaskLocation } from '../protocol/deployment.ts';
import type { ExecutionAttemptId, Generation } from '../protocol/ids.ts';
import type { ErrorInfo } from '../protocol/errors.ts';

/** Buffers of every channel, data and control alike, are at most this long. Flink: `taskmanager.memory.segment-size`. */
export const BUFFER_SIZE_BYTES = 32 * 1024;

/** What flows between records. Order within a channel is kept. `options` of a barrier: `CheckpointOptions` as JSON. */
export type StreamEvent =
  | { readonly kind: 'watermark'; readonly timestampMs: number }
  | { readonly kind: 'status'; readonly idle: boolean }
  | { readonly kind: 'barrier'; readonly checkpointId: number; readonly timestampMs: number; readonly options: string }
  | { readonly kind: 'latency'; readonly markedAtMs: number; readonly operatorId: string; readonly subtaskIndex: number }
  | { readonly kind: 'custom'; readonly body: string }
  /** The producer subtask has finished; nothing follows on this channel. */
  | { readonly kind: 'end' };

export type BarrierEvent = Extract<StreamEvent, { readonly kind: 'barrier' }>;

/** See `InputGate.announced`. */
export interface AnnouncedBarrier {
  readonly barrier: BarrierEvent;
  readonly channelIndex: number;
}

/**
 * One flag for all outputs of a task. A subtask starts a record, timer or window firing only while `full`
 * is false. Writers set it; `RecordWriter.refresh` of all writers clears it.
 */
export interface OutputStatus {
  full: boolean;
}

/** One end of a channel as it travels to a slot. Structured-cloneable. */
export type ChannelEndpoint =
  /** Both ends are in this slot: the two tasks meet in the slot's own table by `channelId`. */
  | { readonly kind: 'local'; readonly channelId: string; readonly generation: Generation }
  /** Shared-memory ring. `doorbell` wakes the other end, `ownDoorbell` is waited on by this end. */
  | {
      readonly kind: 'ring';
      readonly channelId: string;
      readonly generation: Generation;
      readonly ring: SharedArrayBuffer;
      readonly doorbell: SharedArrayBuffer;
      /** The other end is on another TaskManager. */
      readonly isRemote: boolean;
    };

/** Everything needed to write one edge from one subtask. */
export interface WriterOptions {
  readonly taskName: string;
  readonly partitioning: Partitioning;
  /** Key of the consumer's input when `partitioning` is `hash`. */
  readonly key: KeySpec | null;
  readonly maxParallelism: number;
  readonly producerIndex: number;
  /** Null: the fallback codec, logged once per edge. */
  readonly type: TypeDescriptor<unknown> | null;
  /** One per fed consumer, ascending. */
  readonly endpoints: readonly ChannelEndpoint[];
  /** 0 flushes after every record, -1 only full buffers. The caller drives it through `flush`. */
  readonly bufferTimeoutMs: number;
  readonly status: OutputStatus;
  /** Seed of `shuffle`, so that a run can be repeated. */
  readonly seed: number;
}

/** Writes the records of one subtask to one edge. Never blocks; see `OutputStatus` for the rule. */
export interface RecordWriter {
  /** Throws EMIT_OVERFLOW past the overdraft bound, RECORD_TOO_LARGE, TYPE_MISMATCH. */
  emit(value: unknown, timestampMs: number): void;
  /** After everything emitted before, to every channel. */
  broadcast(event: StreamEvent): void;
  /** Publishes half-filled buffers. */
  flush(): void;
  /** Moves overdraft into freed buffers; true when every channel has a free buffer again. */
  refresh(): boolean;
  /** Everything published has been taken by the readers (they may still be decoding the last buffer). */
  isDrained(): boolean;
  /** Whether every reader can see the last barrier that was broadcast. */
  showsBarrier(): boolean;
  /**
   * Lets the last barrier that was broadcast overtake what stands before it. `keep` is given what a reader cannot see of
   * that. Edges whose records could not be dealt out anew (`overtakes`) keep the barrier in its place.
   */
  overtake(barrier: BarrierEvent, keep: (channelIndex: number, piece: InFlightPiece) => void): void;
  /** Ends the channels without `end`: readers see `closed` with the cause. Idempotent. */
  close(cause: ErrorInfo | null): void;
  readonly recordsOut: number;
  readonly bytesOut: number;
}

/**
 * Takes records straight from a producer that runs on the same thread, while nothing waits before them. Set
 * between two records of the reader; the producer's call returns once the reader is done with the record.
 */
export interface DirectReceiver {
  /** Never throws: what goes wrong is the reader's failure. False: this one was taken, and no further one is. */
  accept(value: unknown, timestampMs: number): boolean;
  /** The reader neither changes nor keeps records, so that it needs no copy of its own. */
  readonly readsOnly: boolean;
}

/** What `InputGate.poll` found. */
export type GateResult =
  /** `batch` holds records of one channel. */
  | 'records'
  /** `gate.event` holds an event of one channel. `end` is the channel's last. */
  | 'event'
  | 'nothing'
  /** Every channel has ended. */
  | 'end';

/** Everything needed to read the inputs of one subtask. */
export interface GateOptions {
  readonly taskName: string;
  readonly inputs: readonly {
    readonly inputIndex: 0 | 1;
    readonly type: TypeDescriptor<unknown> | null;
    readonly endpoints: readonly ChannelEndpoint[];
  }[];
}

/** Reads all input channels of one subtask, fairly. */
export interface InputGate {
  /** Fills `batch` from one channel, or yields one event. Throws PARTITION_LOST when a producer closed without `end`. */
  poll(batch: RecordBatch): GateResult;
  /** Channel of the last result, 0-based over all inputs in order. */
  readonly channelIndex: number;
  /** Input of the last result. */
  readonly inputIndex: 0 | 1;
  /** Event of the last result. Valid until the next poll. */
  readonly event: StreamEvent | null;
  readonly channelCount: number;
  /** Input of each channel. */
  readonly inputOf: readonly (0 | 1)[];
  readonly bytesIn: number;
  /** A barrier that overtakes what is still to be polled, once. Null: none. */
  announced(): AnnouncedBarrier | null;
  /** See `Inlet.record`. */
  record(channelIndex: number, checkpointId: number, keep: (piece: InFlightPiece) => void): void;
  /** True when all is kept. Throws TYPE_MISMATCH. */
  isRecorded(channelIndex: number): boolean;
  /** The sequence of the first buffer that was not kept; null: the channel has no buffers. */
  endRecording(channelIndex: number): number | null;
  /**
   * Until the next `offer`, which is with null before anything else of the reader runs, records of input 0 may go to
   * `receiver`: from channels within the slot that are not paused, and while nothing waits there. After the first offer
   * their producers wait for the next one, so offers go on until the end.
   */
  offer(receiver: DirectReceiver | null): void;
  /** A paused channel is not read (barrier alignment, two-input selection). */
  pause(channelIndex: number): void;
  resume(channelIndex: number): void;
  /** Releases the channels; producers see the reader gone. Idempotent. */
  close(): void;
}

/** Waits in a slot for doorbells and messages; one per slot, made by the exchange, driven by the slot loop. */
export interface SlotDoorbell {
  readonly shared: SharedArrayBuffer;
  /** Current count; compare before sleeping. */
  value(): number;
  /** Resolves when the count is no longer `seen`. Does not keep the event loop alive by itself. */
  changed(seen: number): Promise<void>;
  /** The doorbell has a new owner; waits of this one that are still pending leave it alone. */
  retire(): void;
}

/** Exchange of one slot, worker side. */
export interface SlotExchange {
  createWriter(options: WriterOptions): RecordWriter;
  createGate(options: GateOptions): InputGate;
  readonly doorbell: SlotDoorbell;
}

/** Exchange of one TaskManager, main-thread side: owns all rings and the data-plane sockets. */
export interface ChannelBroker {
  /** Binds the data port; answers the port in use. Throws PORT_IN_USE. */
  listen(bindAddress: string, port: number): Promise<number>;
  /** Registers the doorbell of a slot, before any channel of that slot is opened. */
  addSlot(slotIndex: number, doorbell: SharedArrayBuffer): void;
  /** `own` is where this end runs. Throws INSUFFICIENT_NETWORK_BUFFERS naming the key to raise. */
  openOutput(channel: ChannelDeployment, generation: Generation, own: TaskLocation): ChannelEndpoint;
  openInput(channel: ChannelDeployment, generation: Generation, own: TaskLocation): ChannelEndpoint;
  /** Ends of channels that are connected at both sides, for reports. */
  connectedChannels(attempt: ExecutionAttemptId): readonly string[];
  /** Frees the attempt's ends. `cause` null: it finished; its published data stays readable until taken. */
  release(attempt: ExecutionAttemptId, cause: ErrorInfo | null): void;
  close(): Promise<void>;
}

/** Encodes the records of one channel. One that learns on the way (shapes) starts anew with each buffer: a buffer stands alone. */
export type ChannelCodec = Codec<unknown> & { reset?(): void };
