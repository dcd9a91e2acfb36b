/**
 * The main thread's end of a channel to or from another TaskManager, and the JSON bodies that introduce
 * it. Bodies come from the network: they are checked field by field.
 */
import { ClusterError, type ErrorInfo } from '../protocol/errors.ts';
import type { ChannelEntry } from './channel-table.ts';
import type { Announcement } from './in-flight.ts';
import { RingConsumer, RingProducer } from './ring.ts';
import type { Doorbell } from './doorbell.ts';

/** What a consumer says of its channel. */
export interface OpenRequest {
  readonly name: string;
  readonly generation: number;
  readonly producer: string;
  readonly consumer: string;
  readonly credit: number;
}

/** What either side says first; `magic` and `version` are for the caller to judge. */
export interface Hello {
  readonly magic: unknown;
  readonly version: unknown;
  /** Resource ids. */
  readonly from: string;
  readonly to: string;
}

/** We send: from a slot's ring to the connection. */
export class OutboundChannel {
  readonly entry: ChannelEntry;
  readonly ring: RingConsumer;
  /** The consumer's number; -1 until it has opened. */
  channel = -1;
  credit = 0;
  hasEnded = false;

  constructor(entry: ChannelEntry, ring: SharedArrayBuffer, slot: Doorbell) {
    this.entry = entry;
    this.ring = new RingConsumer(ring, slot);
  }
}

/** We receive: from the connection to a slot's ring. */
export class InboundChannel {
  readonly entry: ChannelEntry;
  readonly ring: RingProducer;
  readonly channel: number;
  /** Credit that the producer holds. */
  granted = 0;
  private sequenceDue = 0;

  constructor(entry: ChannelEntry, channel: number, to: { readonly ring: SharedArrayBuffer; readonly slot: Doorbell }) {
    this.entry = entry;
    this.channel = channel;
    this.ring = new RingProducer(to.ring, to.slot);
  }

  /** Credit that is worth announcing: half the ring or more; else asks the slot to wake us then. */
  newCredit(): number {
    if (this.ungranted() === 0) {
      this.ring.starve();
      if (this.ungranted() === 0) return 0;
    }
    const credit = this.ungranted();
    this.granted += credit;
    return credit;
  }

  private ungranted(): number {
    const credit = this.ring.free() - this.granted;
    return credit * 2 >= this.ring.bufferCount ? credit : 0;
  }

  nextSequence(): number {
    return this.sequenceDue++ & 0x7fffffff;
  }
}

/** The body of OPEN. */
export function parseOpen(body: unknown): OpenRequest {
  const { name, generation, producer, consumer, credit } = fieldsOf(body);
  if (typeof name !== 'string' || typeof producer !== 'string' || typeof consumer !== 'string') throw malformed('OPEN');
  return { name, producer, consumer, generation: count(generation), credit: count(credit) };
}

/** The body of HELLO. */
export function parseHello(body: unknown): Hello {
  const { magic, version, from, to } = fieldsOf(body);
  if (typeof from !== 'string' || typeof to !== 'string') throw malformed('HELLO');
  return { magic, version, from, to };
}

/** The body of REFUSED and CLOSED. */
export function parseCause(body: unknown): ErrorInfo | null {
  if (body === null) return null;
  const { code, className, message } = fieldsOf(body);
  if (typeof code !== 'string' || typeof className !== 'string' || typeof message !== 'string') throw malformed('CLOSED');
  return { code: code as ErrorInfo['code'], className, message, stack: '' };
}

/** The body of ANNOUNCE. */
export function parseAnnouncement(body: unknown): Announcement {
  const { barrier, sequence } = fieldsOf(body);
  const { kind, checkpointId, timestampMs, options } = fieldsOf(barrier);
  if (kind !== 'barrier' || typeof options !== 'string') throw malformed('ANNOUNCE');
  return { barrier: { kind, checkpointId: count(checkpointId), timestampMs: count(timestampMs), options }, sequence: count(sequence) };
}

/** A whole number that is not negative. */
export function count(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw malformed('a count');
  return value as number;
}

function fieldsOf(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null) throw malformed('a message');
  return body as Record<string, unknown>;
}

function malformed(what: string): ClusterError {
  return new ClusterError('DATA_CORRUPT', `${what} is malformed`);
}
