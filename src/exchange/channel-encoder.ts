/**
 * Records and events of one channel as buffers in a ring.
 *
 *     emit ─► staging (grows for a long record) ─► ring buffer ─► consumer
 *                        └─ no free buffer ─► overdraft, in order, moved by `refresh`
 *
 * A buffer ends between two records; a record longer than a buffer has its buffers to itself, all but the
 * last marked partial. Each record is preceded by its timestamp: one byte with the step in ms from the one
 * before in this buffer, 0..254, else 255 and 8 bytes. A buffer can be read without those before it, since
 * checkpoints keep buffers (in-flight.ts).
 *
 * Staging costs one copy of each buffer (3 µs for some 1,500 records) and keeps half-written records
 * out of shared memory.
 */
import { BoundedQueue } from '../base/bounded-queue.ts';
import { NO_TIMESTAMP } from '../graph/functions.ts';
import { ClusterError, type ErrorInfo } from '../protocol/errors.ts';
import { ByteWriter } from '../types/byte-writer.ts';
import type { Outlet } from './channel.ts';
import { BUFFER_SIZE_BYTES, type BarrierEvent, type ChannelCodec, type OutputStatus, type StreamEvent } from './contract.ts';
import * as frame from './frame-codec.ts';
import { TIMESTAMP_WHOLE, isBefore, type Announcement, type InFlightPiece } from './in-flight.ts';
import type { RingProducer } from './ring.ts';

/** What the outputs of one emit call may hold beyond the free buffers, per channel. */
export const OVERDRAFT_BUFFERS_MAX = 4096;
const STAGING_SIZE_BYTES = BUFFER_SIZE_BYTES + 4096;
/** A staging that a long record has grown beyond this is given back. */
const STAGING_SIZE_BYTES_MAX = 1024 * 1024;

/** Settings of one channel's encoder. */
export interface EncoderOptions {
  readonly taskName: string;
  readonly channelId: string;
  readonly generation: number;
  readonly codec: ChannelCodec;
  readonly status: OutputStatus;
  /** The ring leads to another TaskManager: its consumer does not see what is in it. */
  readonly isRemote: boolean;
}

/** The producer's end of a ring. */
export class ChannelEncoder implements Outlet {
  bytesOut = 0;
  private readonly options: EncoderOptions;
  private readonly codec: ChannelCodec;
  private readonly ring: RingProducer;
  private readonly header = frame.emptyHeader();
  private readonly overdraft = new BoundedQueue<Buffer>(OVERDRAFT_BUFFERS_MAX);
  private staging = new ByteWriter(STAGING_SIZE_BYTES);
  private timestampMs = NO_TIMESTAMP;
  /** Of the last barrier's buffer. */
  private barrierSequence = 0;

  constructor(ring: RingProducer, options: EncoderOptions) {
    this.ring = ring;
    this.options = options;
    this.codec = options.codec;
    this.header.generation = options.generation;
  }

  /** Throws TYPE_MISMATCH, RECORD_TOO_LARGE, EMIT_OVERFLOW; the channel is unusable afterwards. */
  emit(value: unknown, timestampMs: number): void {
    const staging = this.staging;
    const start = staging.position;
    const stepMs = (timestampMs - this.timestampMs) & 255; // Equal to the difference only when that is 0..255.
    if (this.timestampMs + stepMs !== timestampMs || stepMs === TIMESTAMP_WHOLE) this.writeTimestamp(timestampMs);
    else staging.u8(stepMs);
    this.timestampMs = timestampMs;
    this.codec.encode(value, staging);
    if (staging.position > frame.PAYLOAD_SIZE_BYTES_MAX) this.cut(start, value, timestampMs);
  }

  /** After all records so far. */
  event(event: StreamEvent): void {
    this.flushStaging();
    if (event.kind === 'barrier') this.barrierSequence = this.header.sequence;
    frame.writeEvent(event, this.staging);
    this.send(0, this.staging.position, frame.kindOfEvent(event), 0);
    this.staging.position = 0;
  }

  /** Shows a half-filled buffer to the consumer, if a buffer is free; otherwise it stays for `refresh` or the next cut. */
  flush(): void {
    if (this.staging.position > 0 && this.refresh()) this.flushStaging();
  }

  /** Moves overdraft into freed buffers; true when it is empty and a buffer is free. */
  refresh(): boolean {
    if (this.moveOverdraft()) return true;
    this.ring.starve();
    return this.moveOverdraft(); // A buffer freed before `starve` woke nobody.
  }

  /** The consumer has taken everything, or is gone. */
  isDrained(): boolean {
    if (this.ring.isConsumerClosed()) return true;
    if (!this.refresh()) return false;
    this.flushStaging();
    if (this.ring.isEmpty()) return true;
    this.ring.starve();
    return this.ring.isEmpty();
  }

  showsBarrier(): boolean {
    const behind = (this.header.sequence - this.barrierSequence) & frame.SEQUENCE_MASK; // The barrier and what followed it.
    return behind > this.overdraft.length + (this.options.isRemote ? this.ring.unreleased() : 0);
  }

  overtake(barrier: BarrierEvent): readonly InFlightPiece[] | null {
    const { ring } = this;
    const { isRemote } = this.options;
    if (!isRemote && this.overdraft.length === 0 && ring.isEmpty()) return null;
    const pieces: InFlightPiece[] = []; // Before it is announced: what leaves the ring after that is here.
    if (isRemote) for (let back = ring.unreleased() - 1; back >= 0; back--) this.keep(ring.bytes, ring.publishedOffset(back), pieces);
    for (const buffer of this.overdraft.items()) this.keep(buffer, 0, pieces);
    const announcement: Announcement = { barrier, sequence: this.barrierSequence };
    return ring.announce(JSON.stringify(announcement)) ? pieces : null;
  }

  close(cause: ErrorInfo | null): void {
    this.ring.close(cause);
  }

  /** The buffer at `offset`, if it stands before the barrier. */
  private keep(memory: Buffer, offset: number, pieces: InFlightPiece[]): void {
    const header = frame.emptyHeader();
    frame.readHeader(new DataView(memory.buffer, memory.byteOffset, memory.byteLength), offset, header);
    const { sequence, flags, length, kind } = header;
    if (!isBefore(sequence, this.barrierSequence)) return;
    const start = offset + frame.FRAME_HEADER_SIZE_BYTES;
    const payload = new Uint8Array(memory.subarray(start, kind === frame.KIND_RECORD ? start + length : start));
    pieces.push({ sequence, partial: flags === frame.FLAG_PARTIAL, skip: 0, payload });
  }

  private writeTimestamp(timestampMs: number): void {
    this.staging.u8(TIMESTAMP_WHOLE);
    this.staging.f64(timestampMs);
  }

  /** The record from `start` has overrun the buffer: those before it leave, and it is written once more as the first. */
  private cut(start: number, value: unknown, timestampMs: number): void {
    if (start > 0) {
      this.send(0, start, frame.KIND_RECORD, 0);
      this.beginBuffer();
      return this.emit(value, timestampMs);
    }
    const end = this.staging.position;
    let sent = 0;
    for (; end - sent > frame.PAYLOAD_SIZE_BYTES_MAX; sent += frame.PAYLOAD_SIZE_BYTES_MAX) {
      this.send(sent, sent + frame.PAYLOAD_SIZE_BYTES_MAX, frame.KIND_RECORD, frame.FLAG_PARTIAL);
    }
    this.send(sent, end, frame.KIND_RECORD, 0);
    if (this.staging.store.length > STAGING_SIZE_BYTES_MAX) this.staging = new ByteWriter(STAGING_SIZE_BYTES);
    this.beginBuffer();
  }

  private flushStaging(): void {
    if (this.staging.position === 0) return;
    this.send(0, this.staging.position, frame.KIND_RECORD, 0);
    this.beginBuffer();
  }

  private beginBuffer(): void {
    this.staging.position = 0;
    this.timestampMs = NO_TIMESTAMP;
    this.codec.reset?.();
  }

  /** Sends `start..end` of the staging as one buffer. */
  private send(start: number, end: number, kind: number, flags: number): void {
    const header = this.header;
    header.kind = kind;
    header.flags = flags;
    header.length = end - start;
    if (this.overdraft.length === 0 && this.ring.free() > 0) {
      const offset = this.ring.nextOffset();
      frame.writeHeader(this.ring.view, offset, header);
      this.ring.bytes.set(this.staging.store.subarray(start, end), offset + frame.FRAME_HEADER_SIZE_BYTES);
      this.ring.publish();
    } else this.overdraw(start, end);
    header.sequence = frame.nextSequence(header.sequence);
    this.bytesOut += header.length;
    if (this.overdraft.length > 0 || this.ring.free() === 0) this.options.status.full = true;
  }

  private overdraw(start: number, end: number): void {
    const buffer = Buffer.allocUnsafeSlow(frame.FRAME_HEADER_SIZE_BYTES + end - start);
    frame.writeHeader(new DataView(buffer.buffer), 0, this.header);
    buffer.set(this.staging.store.subarray(start, end), frame.FRAME_HEADER_SIZE_BYTES);
    if (this.overdraft.offer(buffer)) return;
    const { taskName, channelId } = this.options;
    throw new ClusterError(
      'EMIT_OVERFLOW',
      `${taskName}: one call emitted more than ${OVERDRAFT_BUFFERS_MAX} buffers beyond the free ones of channel ${channelId}: ` +
        'return an iterable (it is pulled as room appears) instead of emitting everything in one call',
    );
  }

  private moveOverdraft(): boolean {
    while (this.ring.free() > 0) {
      const buffer = this.overdraft.take();
      if (buffer === undefined) return true;
      this.ring.bytes.set(buffer, this.ring.nextOffset());
      this.ring.publish();
    }
    return false;
  }
}
