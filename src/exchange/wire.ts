/**
 * Messages between two TaskManagers on the data plane.
 *
 *     0             4      5            8          12
 *     body length   type   0 0 0        channel    body …            little-endian
 *
 *     HELLO    first in both directions     { magic, version, from, to }
 *     OPEN     consumer → producer          { name, generation, producer, consumer, credit }; picks the channel number
 *     OPENED   producer → consumer          both ends are connected
 *     REFUSED  producer → consumer          an ErrorInfo: the producer is of a later generation
 *     BUFFER   producer → consumer          one buffer, header included; takes one credit
 *     CREDIT   consumer → producer          uint32: that many more buffers are free
 *     CLOSED   producer → consumer          an ErrorInfo or null: no `end` will come
 *     GONE     consumer → producer          nobody reads any more
 *     ANNOUNCE producer → consumer          an Announcement: a barrier that overtakes the buffers behind it
 *
 * A reader trusts nothing: a length or type that no peer of this version writes ends the connection
 * before a byte is stored, and every body has a bound.
 */
import { ClusterError } from '../protocol/errors.ts';
import { BUFFER_SIZE_BYTES } from './contract.ts';
import { FRAME_HEADER_SIZE_BYTES } from './frame-codec.ts';

/** Version of this protocol; it changes with the frame's. */
export const WIRE_VERSION = 2;
export const WIRE_MAGIC = 'DREY';
export const WIRE_HEADER_SIZE_BYTES = 12;
/** Bound on every body but a buffer's. */
export const CONTROL_SIZE_BYTES_MAX = 16 * 1024;

export const HELLO = 1;
export const OPEN = 2;
export const OPENED = 3;
export const REFUSED = 4;
export const BUFFER = 5;
export const CREDIT = 6;
export const CLOSED = 7;
export const GONE = 8;
export const ANNOUNCE = 9;

/** Writes a message header at the start of `target`. */
export function writeWireHeader(target: Buffer, type: number, message: { readonly channel: number; readonly bodySizeBytes: number }): void {
  target.writeUInt32LE(message.bodySizeBytes, 0);
  target.writeUInt32LE(type, 4);
  target.writeUInt32LE(message.channel, 8);
}

/** A whole control message. `body` becomes JSON text. */
export function controlMessage(type: number, channel: number, body: unknown): Buffer {
  const text = JSON.stringify(body);
  const sizeBytes = Buffer.byteLength(text);
  const message = Buffer.alloc(WIRE_HEADER_SIZE_BYTES + sizeBytes);
  writeWireHeader(message, type, { channel, bodySizeBytes: sizeBytes });
  message.write(text, WIRE_HEADER_SIZE_BYTES);
  return message;
}

/** What a reader hands on. Throwing from any of these ends the connection. */
export interface WireHandler {
  /** Where the buffer for `channel` goes: an offset in `memory()`, or -1 to drop it. */
  bufferOffset(channel: number): number;
  /** Of the channel last asked about. */
  memory(): Buffer;
  onBuffer(channel: number, sizeBytes: number): void;
  onControl(type: number, channel: number, body: unknown): void;
}

/** Takes a byte stream apart. Buffers are copied once, to where they belong. */
export class WireReader {
  /** May change between two messages, also from within one. */
  handler: WireHandler;
  private readonly header = Buffer.alloc(WIRE_HEADER_SIZE_BYTES);
  private readonly control = Buffer.alloc(CONTROL_SIZE_BYTES_MAX);
  private headerFilled = 0;
  private type = 0;
  private channel = 0;
  private bodySizeBytes = 0;
  private bodyFilled = 0;
  private target: Buffer = this.control;
  /** -1: the body is dropped. */
  private targetOffset = 0;

  constructor(handler: WireHandler) {
    this.handler = handler;
  }

  /** Throws DATA_CORRUPT for what no peer writes. */
  feed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      at = this.headerFilled < WIRE_HEADER_SIZE_BYTES ? this.fillHeader(chunk, at) : this.fillBody(chunk, at);
      if (this.headerFilled === WIRE_HEADER_SIZE_BYTES && this.bodyFilled === this.bodySizeBytes) this.finish();
    }
  }

  private fillHeader(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + WIRE_HEADER_SIZE_BYTES - this.headerFilled);
    chunk.copy(this.header, this.headerFilled, at, end);
    this.headerFilled += end - at;
    if (this.headerFilled === WIRE_HEADER_SIZE_BYTES) this.begin();
    return end;
  }

  private begin(): void {
    this.bodySizeBytes = this.header.readUInt32LE(0);
    this.type = this.header.readUInt32LE(4);
    this.channel = this.header.readUInt32LE(8);
    this.bodyFilled = 0;
    const isBuffer = this.type === BUFFER;
    const isLegal = isBuffer
      ? this.bodySizeBytes >= FRAME_HEADER_SIZE_BYTES && this.bodySizeBytes <= BUFFER_SIZE_BYTES
      : this.type >= HELLO && this.type <= ANNOUNCE && this.bodySizeBytes <= CONTROL_SIZE_BYTES_MAX;
    if (!isLegal) {
      const found = `type ${this.type}, ${this.bodySizeBytes} bytes`;
      throw new ClusterError('DATA_CORRUPT', `no message of protocol version ${WIRE_VERSION}: ${found}`);
    }
    this.targetOffset = isBuffer ? this.handler.bufferOffset(this.channel) : 0;
    this.target = isBuffer && this.targetOffset >= 0 ? this.handler.memory() : this.control;
  }

  private fillBody(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.bodySizeBytes - this.bodyFilled);
    if (this.targetOffset >= 0) chunk.copy(this.target, this.targetOffset + this.bodyFilled, at, end);
    this.bodyFilled += end - at;
    return end;
  }

  private finish(): void {
    this.headerFilled = 0;
    if (this.type !== BUFFER) this.handler.onControl(this.type, this.channel, parseBody(this.control, this.bodySizeBytes));
    else if (this.targetOffset >= 0) this.handler.onBuffer(this.channel, this.bodySizeBytes);
  }
}

function parseBody(control: Buffer, sizeBytes: number): unknown {
  try {
    return JSON.parse(control.toString('utf8', 0, sizeBytes)) as unknown;
  } catch (error) {
    throw new ClusterError('DATA_CORRUPT', 'a control message is not JSON', { cause: error });
  }
}
