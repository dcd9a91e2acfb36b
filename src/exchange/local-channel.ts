/**
 * A channel within one slot: records pass by reference through a circular queue, since both tasks run on
 * the same thread. A mutable record is copied on the way in, so that neither side sees what the other
 * does to it later, exactly as over a ring.
 *
 *     values[tail..head)  and, beside them, events with the position they stand at
 *
 * A reader that has nothing in hand may lend itself to the writer: then `emit` runs the reader, and the queue
 * stays empty. From its first offer on the queue takes nothing more until it is empty and the reader lent
 * (its room is one record): WordCount's edge takes 25 to 35 ns a record less that way (Node 20).
 *
 * The queue is `full` at `LOCAL_RECORDS_MAX`; what one emit call adds beyond that makes it grow, up to
 * `LOCAL_OVERDRAFT_RECORDS_MAX`.
 */
import { NO_TIMESTAMP, type RecordBatch } from '../graph/functions.ts';
import { ClusterError, errorFromInfo, type ErrorInfo } from '../protocol/errors.ts';
import type { ChannelResult, Inlet, Outlet } from './channel.ts';
import type { BarrierEvent, ChannelCodec, DirectReceiver, OutputStatus, StreamEvent } from './contract.ts';
import type { Doorbell } from './doorbell.ts';
import type { InFlightPiece } from './in-flight.ts';
import { LocalRecorder } from './local-recorder.ts';

/** Records in flight before the producer waits. A power of two. */
export const LOCAL_RECORDS_MAX = 4096;
/** Records that one emit call may leave behind; they fit the heap of a slot, so that this is told before memory ends. A power of two. */
const LOCAL_OVERDRAFT_RECORDS_MAX = 1024 * 1024;

interface PlacedEvent {
  readonly position: number;
  readonly event: StreamEvent;
}

/** What both ends share. Positions count records since the start. */
export class LocalQueue {
  values: unknown[] = Array.from({ length: LOCAL_RECORDS_MAX });
  timestampsMs = new Float64Array(LOCAL_RECORDS_MAX);
  mask = LOCAL_RECORDS_MAX - 1;
  head = 0;
  tail = 0;
  /** Oldest first. As many as one call places between two records, hence few. */
  readonly events: PlacedEvent[] = [];
  /** A barrier that overtakes the queue, until the reader has heard of it. */
  announcement: BarrierEvent | null = null;
  /** The reader itself, while it has nothing to do. Set only while the queue is empty. */
  receiver: DirectReceiver | null = null;
  /** The reader lends itself whenever the queue is empty. */
  isLent = false;
  /** The end is on its way: nothing follows. */
  hasEnded = false;
  isReaderIdle = false;
  isReaderClosed = false;
  isWriterStarved = false;
  isWriterClosed = false;
  cause: ErrorInfo | null = null;
  /** Of the slot that both ends run in. */
  readonly doorbell: Doorbell;

  constructor(doorbell: Doorbell) {
    this.doorbell = doorbell;
  }

  /** Doubles the room. */
  grow(): void {
    const size = this.values.length * 2;
    const values: unknown[] = Array.from({ length: size });
    const timestampsMs = new Float64Array(size);
    for (let i = this.tail; i < this.head; i++) {
      values[i & (size - 1)] = this.values[i & this.mask];
      timestampsMs[i & (size - 1)] = this.timestampsMs[i & this.mask] as number;
    }
    this.values = values;
    this.timestampsMs = timestampsMs;
    this.mask = size - 1;
  }

  wakeReader(): void {
    this.isReaderIdle = false;
    this.doorbell.ring();
  }
}

/** Settings of the writing end. `copy` is null when records are immutable. */
export interface LocalOutletOptions {
  readonly taskName: string;
  readonly copy: ((value: unknown) => unknown) | null;
  readonly status: OutputStatus;
}

/** The producer's end. */
export class LocalOutlet implements Outlet {
  readonly bytesOut = 0;
  private readonly queue: LocalQueue;
  private readonly options: LocalOutletOptions;
  private readonly copy: LocalOutletOptions['copy'];

  constructor(queue: LocalQueue, options: LocalOutletOptions) {
    this.queue = queue;
    this.options = options;
    this.copy = options.copy;
  }

  emit(value: unknown, timestampMs: number): void {
    const queue = this.queue;
    if (queue.receiver !== null) return this.handOver(queue.receiver, value, timestampMs);
    const inFlight = queue.head - queue.tail;
    if (inFlight > queue.mask) this.overdraw(inFlight);
    const index = queue.head & queue.mask;
    queue.values[index] = this.copy === null ? value : this.copy(value);
    queue.timestampsMs[index] = timestampMs;
    queue.head++;
    if (inFlight + 1 >= LOCAL_RECORDS_MAX || queue.isLent) this.options.status.full = true;
    if (queue.isReaderIdle) queue.wakeReader();
  }

  event(event: StreamEvent): void {
    const { queue } = this;
    queue.receiver = null;
    if (event.kind === 'end') {
      queue.isLent = false;
      queue.hasEnded = true;
    }
    queue.events.push({ position: queue.head, event });
    if (queue.isReaderIdle) queue.wakeReader();
  }

  /** Records are visible at once. */
  flush(): void {}

  refresh(): boolean {
    const { queue } = this;
    queue.isWriterStarved = queue.isLent ? queue.receiver === null : queue.head - queue.tail >= LOCAL_RECORDS_MAX;
    return !queue.isWriterStarved;
  }

  isDrained(): boolean {
    const { queue } = this;
    const isDrained = queue.isReaderClosed || (queue.head === queue.tail && queue.events.length === 0);
    queue.isWriterStarved = !isDrained;
    return isDrained;
  }

  /** The queue is the reader's too. */
  showsBarrier(): boolean {
    return true;
  }

  overtake(barrier: BarrierEvent): readonly InFlightPiece[] | null {
    const { queue } = this;
    if (!queue.events.some(({ event }) => event.kind === 'barrier' && event.checkpointId === barrier.checkpointId)) return null;
    queue.announcement = barrier;
    queue.wakeReader();
    return [];
  }

  close(cause: ErrorInfo | null): void {
    if (this.queue.isWriterClosed) return;
    this.queue.isWriterClosed = true;
    this.queue.receiver = null;
    this.queue.cause = cause;
    this.queue.wakeReader();
  }

  /** The first record since the reader's last turn makes it take one: it has outputs to flush. */
  private handOver(receiver: DirectReceiver, value: unknown, timestampMs: number): void {
    const { queue, copy } = this;
    if (queue.isReaderIdle) queue.wakeReader();
    const passed = copy === null || receiver.readsOnly ? value : copy(value);
    if (!receiver.accept(passed, timestampMs)) queue.receiver = null;
  }

  private overdraw(inFlight: number): void {
    if (inFlight < LOCAL_OVERDRAFT_RECORDS_MAX) return this.queue.grow();
    throw new ClusterError(
      'EMIT_OVERFLOW',
      `${this.options.taskName}: one call emitted more than ${LOCAL_OVERDRAFT_RECORDS_MAX} records: ` +
        'return an iterable (it is pulled as room appears) instead of emitting everything in one call',
    );
  }
}

/** The consumer's end. */
export class LocalInlet implements Inlet {
  event: StreamEvent | null = null;
  readonly bytesIn = 0;
  private readonly queue: LocalQueue;
  private readonly newCodec: () => ChannelCodec;
  private recorder: LocalRecorder | null = null;

  /** `newCodec`: for records that a checkpoint keeps. */
  constructor(queue: LocalQueue, newCodec: () => ChannelCodec) {
    this.queue = queue;
    this.newCodec = newCodec;
  }

  poll(batch: RecordBatch): ChannelResult {
    this.recorder?.advance();
    const { queue } = this;
    const next = queue.events[0];
    const end = next === undefined ? queue.head : next.position;
    if (queue.tail < end) {
      this.take(batch, end);
      return 'records';
    }
    if (next === undefined) {
      queue.isReaderIdle = true;
      return queue.isWriterClosed ? 'lost' : 'nothing';
    }
    queue.events.shift();
    this.event = next.event;
    this.feed();
    return 'event';
  }

  offer(receiver: DirectReceiver | null): void {
    const { queue } = this;
    if (queue.isReaderClosed || queue.isWriterClosed || queue.hasEnded || this.recorder !== null) return;
    queue.receiver = null;
    if (receiver === null) return;
    queue.isLent = true;
    if (queue.head !== queue.tail || queue.events.length > 0) return;
    queue.receiver = receiver;
    this.feed();
  }

  cause(): Error | null {
    return this.queue.cause === null ? null : errorFromInfo(this.queue.cause);
  }

  announced(): BarrierEvent | null {
    const { announcement } = this.queue;
    this.queue.announcement = null;
    return announcement;
  }

  record(checkpointId: number, keep: (piece: InFlightPiece) => void): void {
    this.queue.receiver = null;
    this.queue.isLent = false; // What is recorded passes through the queue.
    this.recorder = new LocalRecorder(this.queue, this.newCodec(), { id: checkpointId, keep });
    this.recorder.advance();
  }

  isRecorded(): boolean {
    return this.recorder?.isRecorded() ?? true;
  }

  endRecording(): null {
    this.recorder = null;
    return null;
  }

  onPause(): void {
    this.queue.receiver = null;
    this.queue.isLent = false;
    this.feed();
  }

  close(): void {
    const { queue } = this;
    queue.isReaderClosed = true;
    queue.receiver = null;
    queue.isLent = false;
    queue.tail = queue.head;
    queue.values = [];
    queue.timestampsMs = new Float64Array(LOCAL_RECORDS_MAX);
    queue.mask = LOCAL_RECORDS_MAX - 1;
    queue.events.length = 0;
    this.feed();
  }

  private take(batch: RecordBatch, end: number): void {
    const { queue } = this;
    const { values, mask, timestampsMs } = queue;
    const length = Math.min(end - queue.tail, batch.capacity);
    for (let i = 0; i < length; i++) {
      const index = (queue.tail + i) & mask;
      batch.values[i] = values[index];
      values[index] = undefined; // So that the collector may have it.
      batch.timestampsMs[i] = timestampsMs[index] ?? NO_TIMESTAMP;
    }
    batch.length = length;
    queue.tail += length;
    if (queue.isWriterStarved && !queue.isLent && (queue.head - queue.tail) * 2 <= LOCAL_RECORDS_MAX) this.feed();
  }

  private feed(): void {
    if (!this.queue.isWriterStarved) return;
    this.queue.isWriterStarved = false;
    this.queue.doorbell.ring();
  }
}
