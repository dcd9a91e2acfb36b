/**
 * The header of a buffer and the bodies of events: the same in a ring and on a socket, so that the main
 * thread moves whole buffers without looking inside.
 *
 *     0        1      2          3        4            8        12         16
 *     version  kind   encoding   flags    generation   length   sequence   payload …
 *
 * `length` is the payload's size in bytes; `sequence` counts the channel's buffers from 0 and wraps at
 * 2^31, so a lost or doubled buffer cannot pass unseen. Integers are little-endian.
 */
import { ClusterError } from '../protocol/errors.ts';
import { BUFFER_SIZE_BYTES, type StreamEvent } from './contract.ts';
import type { ByteReader } from '../types/byte-reader.ts';
import type { ByteWriter } from '../types/byte-writer.ts';

/** From 2 on a buffer can be read without those before it. */
export const FRAME_VERSION = 2;
export const FRAME_HEADER_SIZE_BYTES = 16;
/** Payload that fits one buffer. */
export const PAYLOAD_SIZE_BYTES_MAX = BUFFER_SIZE_BYTES - FRAME_HEADER_SIZE_BYTES;

export const KIND_RECORD = 0;
export const KIND_WATERMARK = 1;
export const KIND_STATUS = 2;
export const KIND_BARRIER = 3;
export const KIND_LATENCY = 4;
export const KIND_EVENT = 5;
export const KIND_END = 6;

/** Records one after the other. `columns` (1) joins with columnar execution. */
export const ENCODING_ROWS = 0;

/** The record goes on in the next buffer. */
export const FLAG_PARTIAL = 1;

/** Of the bits that a sequence number has. */
export const SEQUENCE_MASK = 0x7fffffff;

const KIND_OF: Readonly<Record<StreamEvent['kind'], number>> = {
  watermark: KIND_WATERMARK,
  status: KIND_STATUS,
  barrier: KIND_BARRIER,
  latency: KIND_LATENCY,
  custom: KIND_EVENT,
  end: KIND_END,
};

/** A buffer header, taken apart. */
export interface FrameHeader {
  version: number;
  kind: number;
  encoding: number;
  flags: number;
  generation: number;
  /** Payload bytes. */
  length: number;
  sequence: number;
}

/** The sequence number behind `sequence`. */
export function nextSequence(sequence: number): number {
  return (sequence + 1) & SEQUENCE_MASK;
}

/** Writes `header` at `offset`. */
export function writeHeader(view: DataView, offset: number, header: Readonly<FrameHeader>): void {
  view.setUint8(offset, header.version);
  view.setUint8(offset + 1, header.kind);
  view.setUint8(offset + 2, header.encoding);
  view.setUint8(offset + 3, header.flags);
  view.setInt32(offset + 4, header.generation, true);
  view.setInt32(offset + 8, header.length, true);
  view.setInt32(offset + 12, header.sequence, true);
}

/** Reads the header at `offset` into `header`. Throws DATA_CORRUPT for what this version cannot have written. */
export function readHeader(view: DataView, offset: number, header: FrameHeader): void {
  header.version = view.getUint8(offset);
  header.kind = view.getUint8(offset + 1);
  header.encoding = view.getUint8(offset + 2);
  header.flags = view.getUint8(offset + 3);
  header.generation = view.getInt32(offset + 4, true);
  header.length = view.getInt32(offset + 8, true);
  header.sequence = view.getInt32(offset + 12, true);
  const legal =
    header.version === FRAME_VERSION && header.kind <= KIND_END && header.encoding === ENCODING_ROWS &&
    header.flags <= FLAG_PARTIAL && header.length >= 0 && header.length <= PAYLOAD_SIZE_BYTES_MAX;
  if (!legal) throw new ClusterError('DATA_CORRUPT', `not a buffer of format version ${FRAME_VERSION}: ${JSON.stringify(header)}`);
}

/** A header to read into. */
export function emptyHeader(): FrameHeader {
  return { version: FRAME_VERSION, kind: KIND_RECORD, encoding: ENCODING_ROWS, flags: 0, generation: 0, length: 0, sequence: 0 };
}

/** The buffer kind of an event. */
export function kindOfEvent(event: StreamEvent): number {
  return KIND_OF[event.kind];
}

/** Writes the body of an event. It must fit one buffer. */
export function writeEvent(event: StreamEvent, sink: ByteWriter): void {
  switch (event.kind) {
    case 'watermark':
      return sink.f64(event.timestampMs);
    case 'status':
      return sink.u8(event.idle ? 1 : 0);
    case 'end':
      return;
    case 'barrier':
    case 'latency':
    case 'custom':
      return sink.string(JSON.stringify(event));
  }
}

/** Reads the body of an event of buffer kind `kind`. */
export function readEvent(kind: number, source: ByteReader): StreamEvent {
  switch (kind) {
    case KIND_WATERMARK:
      return { kind: 'watermark', timestampMs: source.f64() };
    case KIND_STATUS:
      return { kind: 'status', idle: source.u8() === 1 };
    case KIND_END:
      return { kind: 'end' };
    default:
      return JSON.parse(source.string()) as StreamEvent;
  }
}
