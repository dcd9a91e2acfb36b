/**
 * Keeps the buffers of one ring that lie before a barrier, without taking them: those that are there, and those
 * that come until the barrier is in the ring, or is announced.
 *
 *     tail                         head
 *     [opened][ r ][ W ][ r ][ r ]  …  [ barrier ]
 *             ▲ due ──────────►
 *
 * Invariant: `advance` runs before a buffer is opened, so none goes by unseen.
 */
import { assert } from '../base/assert.ts';
import { ByteReader } from '../types/byte-reader.ts';
import * as frame from './frame-codec.ts';
import type { InFlightPiece } from './in-flight.ts';
import type { RingConsumer } from './ring.ts';

const NOTHING = new Uint8Array(0);

/** See the file's head. */
export class RingRecorder {
  /** The first buffer that is not kept. */
  due: number;
  isDone = false;
  private readonly ring: RingConsumer;
  readonly checkpointId: number;
  private readonly keep: (piece: InFlightPiece) => void;
  private readonly header = frame.emptyHeader();

  constructor(ring: RingConsumer, from: number, checkpoint: { readonly id: number; readonly keep: (piece: InFlightPiece) => void }) {
    this.ring = ring;
    this.due = from;
    this.checkpointId = checkpoint.id;
    this.keep = checkpoint.keep;
  }

  /** Keeps what is there. `oldest`: the sequence of the ring's oldest buffer. `end`: of the barrier, when that is known. */
  advance(oldest: number, end: number | null): void {
    const { ring, header } = this;
    const first = (this.due - oldest) & frame.SEQUENCE_MASK;
    const available = ring.available();
    assert(this.isDone || first <= available, 'a buffer is kept before it is opened');
    for (let ahead = first; ahead < available && !this.isDone; ahead++) {
      if (this.due === end) break;
      const offset = ring.offsetAhead(ahead);
      frame.readHeader(ring.view, offset, header);
      if (this.closes(offset)) this.isDone = true;
      else this.take(offset);
    }
    if (end !== null) this.isDone = true;
  }

  /** The end of the channel, or a barrier that is not an earlier one. */
  private closes(offset: number): boolean {
    const { kind, length } = this.header;
    if (kind === frame.KIND_END) return true;
    if (kind !== frame.KIND_BARRIER) return false;
    const start = offset + frame.FRAME_HEADER_SIZE_BYTES;
    const event = frame.readEvent(kind, new ByteReader(this.ring.bytes.subarray(start, start + length)));
    return event.kind === 'barrier' && event.checkpointId >= this.checkpointId;
  }

  private take(offset: number): void {
    const { kind, flags, length, sequence } = this.header;
    const start = offset + frame.FRAME_HEADER_SIZE_BYTES;
    const payload = kind === frame.KIND_RECORD ? new Uint8Array(this.ring.bytes.subarray(start, start + length)) : NOTHING;
    this.keep({ sequence, partial: flags === frame.FLAG_PARTIAL, skip: 0, payload });
    this.due = frame.nextSequence(this.due);
  }
}
