/**
 * In-flight records: what a barrier has overtaken, as it is kept in a checkpoint. A piece is the payload of one
 * buffer, or records encoded the same way from memory; it can be read without the pieces before it.
 *
 *     sequence    flags  skip    length   payload …                little-endian
 *     int32       u8     int32   uint32
 *
 *     skip      records at the front that were worked off before the barrier
 *     partial   the record goes on in the next piece
 *     sequence  of the buffer in its channel; -1 for records from memory, which are older than every buffer
 *
 * Both ends of a channel keep what they see, and may see the same buffer: its sequence tells.
 *
 * Source: Flink `ChannelStateSerializer`, FLIP-76.
 */
import { assert } from '../base/assert.ts';
import { NO_TIMESTAMP, type RecordBatch } from '../graph/functions.ts';
import { ClusterError } from '../protocol/errors.ts';
import { ByteReader } from '../types/byte-reader.ts';
import { ByteWriter } from '../types/byte-writer.ts';
import type { BarrierEvent, ChannelCodec } from './contract.ts';
import { PAYLOAD_SIZE_BYTES_MAX, SEQUENCE_MASK } from './frame-codec.ts';

/** In place of a step: the whole timestamp follows. */
export const TIMESTAMP_WHOLE = 255;
/** `InFlightPiece.sequence` of records that were in no buffer. */
export const NO_SEQUENCE = -1;

const PIECE_HEADER_SIZE_BYTES = 13;
const PARTIAL = 1;

/** See the file's head. */
export interface InFlightPiece {
  readonly sequence: number;
  readonly partial: boolean;
  readonly skip: number;
  /** Nobody else's. Empty for an event, which is not kept. */
  readonly payload: Uint8Array;
}

/** A barrier that was told ahead of its place. */
export interface Announcement {
  readonly barrier: BarrierEvent;
  /** Of the barrier's own buffer: those before it are in flight. */
  readonly sequence: number;
}

/** Encodes records from memory, such as wait in a batch or a queue within a slot. Throws TYPE_MISMATCH. */
export class PieceWriter {
  private readonly codec: ChannelCodec;
  private readonly bytes = new ByteWriter();
  private timestampMs = NO_TIMESTAMP;
  private pieces: InFlightPiece[] = [];

  constructor(codec: ChannelCodec) {
    this.codec = codec;
  }

  add(value: unknown, timestampMs: number): void {
    const { bytes } = this;
    const stepMs = timestampMs - this.timestampMs;
    if (stepMs >= 0 && stepMs < TIMESTAMP_WHOLE && Number.isInteger(stepMs)) bytes.u8(stepMs);
    else {
      bytes.u8(TIMESTAMP_WHOLE);
      bytes.f64(timestampMs);
    }
    this.timestampMs = timestampMs;
    this.codec.encode(value, bytes);
    if (bytes.position >= PAYLOAD_SIZE_BYTES_MAX) this.cut();
  }

  /** What was added, in order. */
  take(): readonly InFlightPiece[] {
    this.cut();
    const { pieces } = this;
    this.pieces = [];
    return pieces;
  }

  private cut(): void {
    const { bytes } = this;
    if (bytes.position > 0) this.pieces.push({ sequence: NO_SEQUENCE, partial: false, skip: 0, payload: bytes.toBytes() });
    bytes.position = 0;
    this.timestampMs = NO_TIMESTAMP;
    this.codec.reset?.();
  }
}

/** The pieces as bytes, one after another. `tag` (0..65535) tells the channels of one file apart. */
export function encodePiece(tag: number, { sequence, partial, skip, payload }: InFlightPiece): Uint8Array {
  const bytes = new Uint8Array(2 + PIECE_HEADER_SIZE_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, tag, true);
  view.setInt32(2, sequence, true);
  view.setUint8(6, partial ? PARTIAL : 0);
  view.setInt32(7, skip, true);
  view.setUint32(11, payload.length, true);
  bytes.set(payload, 2 + PIECE_HEADER_SIZE_BYTES);
  return bytes;
}

/** The pieces of `bytes` by tag, in order. Throws CHECKPOINT_CORRUPT. */
export function decodePieces(bytes: Uint8Array): Map<number, InFlightPiece[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pieces = new Map<number, InFlightPiece[]>();
  for (let at = 0; at < bytes.length; ) {
    const start = at + 2 + PIECE_HEADER_SIZE_BYTES;
    const end = start + (start <= bytes.length ? view.getUint32(at + 11, true) : 1);
    if (end > bytes.length) throw new ClusterError('CHECKPOINT_CORRUPT', `in-flight records end at byte ${bytes.length} of ${end}`);
    const tag = view.getUint16(at, true);
    const piece: InFlightPiece = {
      sequence: view.getInt32(at + 2, true), partial: view.getUint8(at + 6) === PARTIAL, skip: view.getInt32(at + 7, true),
      payload: bytes.subarray(start, end),
    };
    const ofTag = pieces.get(tag) ?? [];
    ofTag.push(piece);
    pieces.set(tag, ofTag);
    at = end;
  }
  return pieces;
}

/** Reads the records of one channel's pieces. */
export class PieceReader {
  private readonly codec: ChannelCodec;
  private readonly pieces: InFlightPiece[];
  private readonly source = new ByteReader();
  private timestampMs = NO_TIMESTAMP;

  /** `pieces` in the order of the channel. */
  constructor(codec: ChannelCodec, pieces: readonly InFlightPiece[]) {
    this.codec = codec;
    this.pieces = pieces.toReversed();
  }

  /** Fills `batch`; false when nothing is left. Throws DATA_CORRUPT, CHECKPOINT_CORRUPT. */
  read(batch: RecordBatch): boolean {
    let length = 0;
    while (length < batch.capacity && (this.source.position < this.source.end || this.open())) {
      batch.values[length] = this.next();
      batch.timestampsMs[length] = this.timestampMs;
      length++;
    }
    batch.length = length;
    return length > 0;
  }

  private next(): unknown {
    const { source } = this;
    const stepMs = source.u8();
    this.timestampMs = stepMs === TIMESTAMP_WHOLE ? source.f64() : this.timestampMs + stepMs;
    return this.codec.decode(source);
  }

  /** Opens the next piece that has a record to give; events left empty ones. */
  private open(): boolean {
    for (let piece = this.pieces.pop(); piece !== undefined; piece = this.pieces.pop()) {
      this.start(piece);
      if (this.source.position < this.source.end) return true;
    }
    return false;
  }

  private start(first: InFlightPiece): void {
    let { payload, partial } = first;
    while (partial) {
      const more = this.pieces.pop();
      if (more === undefined) throw new ClusterError('CHECKPOINT_CORRUPT', 'the last record in flight is not whole');
      payload = Buffer.concat([payload, more.payload]);
      ({ partial } = more);
    }
    this.source.reset(payload);
    this.timestampMs = NO_TIMESTAMP;
    this.codec.reset?.();
    for (let skipped = 0; skipped < first.skip; skipped++) this.next();
  }
}

/** Half of the numbers that there are. */
const SEQUENCE_HALF = 2 ** 30;

/** Whether buffer `a` comes before `b`; they are closer than half the numbers there are. */
export function isBefore(a: number, b: number): boolean {
  return a !== b && ((b - a) & SEQUENCE_MASK) < SEQUENCE_HALF;
}

/**
 * One channel's pieces, of both ends. `consumed`: the consumer has kept, or worked off, every buffer before it; null: there
 * were no buffers. Throws CHECKPOINT_CORRUPT when one is missing between the two.
 */
export function joinPieces(input: readonly InFlightPiece[], output: readonly InFlightPiece[], consumed: number | null): InFlightPiece[] {
  assert(consumed !== null || output.length === 0, 'a channel within a slot is kept by its consumer');
  const rest = output.filter(({ sequence }) => consumed !== null && !isBefore(sequence, consumed));
  const [first] = rest;
  if (first !== undefined && first.sequence !== consumed) {
    throw new ClusterError('CHECKPOINT_CORRUPT', `in-flight buffer ${consumed} is missing: the next one is ${first.sequence}`);
  }
  return [...input, ...rest];
}
