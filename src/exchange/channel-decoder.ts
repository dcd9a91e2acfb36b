/**
 * The inverse of channel-encoder.ts: batches of records, and events, from the buffers of one ring.
 * Records are decoded in place and the buffer is given back when its last record is out.
 */
import { assert } from '../base/assert.ts';
import { NO_TIMESTAMP, type RecordBatch } from '../graph/functions.ts';
import { ClusterError, errorFromInfo } from '../protocol/errors.ts';
import { ByteReader } from '../types/byte-reader.ts';
import { ByteWriter } from '../types/byte-writer.ts';
import type { ChannelResult, Inlet } from './channel.ts';
import type { BarrierEvent, ChannelCodec, StreamEvent } from './contract.ts';
import * as frame from './frame-codec.ts';
import { TIMESTAMP_WHOLE, type Announcement, type InFlightPiece } from './in-flight.ts';
import type { RingConsumer } from './ring.ts';
import { RingRecorder } from './ring-recorder.ts';

/** The consumer's end of a ring. */
export class ChannelDecoder implements Inlet {
  /** Of the last `event`. */
  event: StreamEvent | null = null;
  bytesIn = 0;
  private readonly ring: RingConsumer;
  private readonly codec: ChannelCodec;
  private readonly generation: number;
  private readonly header = frame.emptyHeader();
  /** Reads the ring. */
  private readonly buffers: ByteReader;
  /** Reads a record that spans several buffers. */
  private readonly spanning = new ByteReader();
  private assembly: ByteWriter | null = null;
  private source: ByteReader;
  /** Of the next buffer to be opened. */
  private sequence = 0;
  private timestampMs = NO_TIMESTAMP;
  /** Records taken out of the open buffer. */
  private taken = 0;
  private announcement: Announcement | null = null;
  private recorder: RingRecorder | null = null;

  constructor(ring: RingConsumer, codec: ChannelCodec, generation: number) {
    this.ring = ring;
    this.codec = codec;
    this.generation = generation;
    this.buffers = new ByteReader(ring.bytes);
    this.buffers.window(0, 0);
    this.source = this.buffers;
  }

  /** Fills `batch` from one buffer, or finds one event. `lost`: the producer has closed and everything is read. */
  poll(batch: RecordBatch): ChannelResult {
    for (;;) {
      if (this.source.position < this.source.end) {
        this.decode(batch);
        return 'records';
      }
      const isClosed = this.ring.isProducerClosed(); // Before looking: it may publish, then close.
      if (this.ring.available() === 0) return isClosed ? 'lost' : 'nothing';
      if (this.takeBuffer()) return 'event';
    }
  }

  /** Why the channel is lost. */
  cause(): Error | null {
    const info = this.ring.cause();
    return info === null ? null : errorFromInfo(info);
  }

  announced(): BarrierEvent | null {
    const text = this.ring.announcement();
    if (text === null) return null;
    this.announcement = JSON.parse(text) as Announcement;
    return this.announcement.barrier;
  }

  record(checkpointId: number, keep: (piece: InFlightPiece) => void): void {
    const { ring, header, assembly } = this;
    const isOpen = this.source.position < this.source.end;
    if (isOpen) {
      const start = ring.nextOffset() + frame.FRAME_HEADER_SIZE_BYTES;
      const payload = new Uint8Array(ring.bytes.subarray(start, start + header.length));
      keep({ sequence: header.sequence, partial: false, skip: this.taken, payload });
    } else if (assembly !== null) keep({ sequence: header.sequence, partial: true, skip: 0, payload: assembly.toBytes() });
    this.recorder = new RingRecorder(ring, this.sequence, { id: checkpointId, keep });
    this.isRecorded();
  }

  isRecorded(): boolean {
    const { recorder, announcement } = this;
    if (recorder === null) return true;
    const oldest = this.source.position < this.source.end ? this.header.sequence : this.sequence;
    const isAnnounced = announcement !== null && announcement.barrier.checkpointId >= recorder.checkpointId;
    recorder.advance(oldest, isAnnounced ? announcement.sequence : null);
    return recorder.isDone;
  }

  endRecording(): number | null {
    const due = this.recorder?.due ?? null;
    this.recorder = null;
    return due;
  }

  /** The channel will not be read for a while: a producer that waits for room must not wait for half. */
  onPause(): void {
    this.ring.feed();
  }

  close(): void {
    this.ring.close();
  }

  private decode(batch: RecordBatch): void {
    const { values, timestampsMs, capacity } = batch;
    const { source, codec } = this;
    let timestampMs = this.timestampMs;
    let length = 0;
    while (length < capacity && source.position < source.end) {
      const stepMs = source.u8();
      timestampMs = stepMs === TIMESTAMP_WHOLE ? source.f64() : timestampMs + stepMs;
      values[length] = codec.decode(source);
      timestampsMs[length] = timestampMs;
      length++;
    }
    batch.length = length;
    this.taken += length;
    this.timestampMs = timestampMs;
    if (source.position === source.end) this.finishBuffer();
  }

  private finishBuffer(): void {
    if (this.source === this.buffers) this.ring.release();
    this.source = this.buffers;
    this.buffers.window(0, 0);
  }

  /** Opens the oldest buffer; true when it was an event. */
  private takeBuffer(): boolean {
    if (this.recorder !== null) this.isRecorded();
    const offset = this.ring.nextOffset();
    const { header } = this;
    frame.readHeader(this.ring.view, offset, header);
    assert(header.generation === this.generation, 'a channel carries one deployment generation');
    if (header.sequence !== this.sequence) {
      throw new ClusterError('DATA_CORRUPT', `buffer ${header.sequence} came where ${this.sequence} was due`);
    }
    this.sequence = frame.nextSequence(this.sequence);
    this.bytesIn += header.length;
    this.taken = 0;
    const start = offset + frame.FRAME_HEADER_SIZE_BYTES;
    this.buffers.window(start, start + header.length);
    if (header.kind !== frame.KIND_RECORD) {
      this.event = frame.readEvent(header.kind, this.buffers);
      this.finishBuffer();
      return true;
    }
    if (this.assembly === null) {
      this.timestampMs = NO_TIMESTAMP;
      this.codec.reset?.();
    }
    if (header.flags === frame.FLAG_PARTIAL || this.assembly !== null) this.assemble(start, start + header.length);
    return false;
  }

  private assemble(start: number, end: number): void {
    this.assembly ??= new ByteWriter((end - start) * 2);
    this.assembly.raw(this.ring.bytes, start, end);
    this.finishBuffer();
    if (this.header.flags === frame.FLAG_PARTIAL) return;
    this.spanning.reset(this.assembly.store.subarray(0, this.assembly.position));
    this.source = this.spanning;
    this.assembly = null;
  }
}
