/**
 * All channels between this TaskManager and one other, over one connection: credit-based, so that a
 * channel whose reader is slow holds nothing but its own buffers.
 *
 *     slot ring ─ available and credit ─► BUFFER ─► ring of the other side's slot
 *                                        CREDIT ◄─ half of it free
 *
 * Channels may be opened here before there is a connection, and by the other side before they are opened
 * here: both wait. When the connection is lost, every channel of the link is closed with the cause.
 *
 * Work per turn is bounded: at most `WRITE_BUFFERS_MAX` buffers are given to the socket, and each comes
 * back before it is used again, so heartbeats on the same thread are never late.
 */
import { assert } from '../base/assert.ts';
import type { Logger } from '../base/log.ts';
import { ClusterError, type ErrorInfo } from '../protocol/errors.ts';
import type { ChannelEntry } from './channel-table.ts';
import { BUFFER_SIZE_BYTES } from './contract.ts';
import { Doorbell } from './doorbell.ts';
import * as frame from './frame-codec.ts';
import { InboundChannel, OutboundChannel, count, parseAnnouncement, parseCause, parseOpen, type OpenRequest } from './remote-channel.ts';
import * as wire from './wire.ts';

/** Buffers that may wait in one socket. */
export const WRITE_BUFFERS_MAX = 64;
/** Channels that the other side has opened and this side has not. */
export const PENDING_OPENS_MAX = 65_536;

/** The bytes of a connection, as a link uses them. */
export interface Pipe {
  /** `done` when the bytes have left; never before `write` returns. */
  write(bytes: Buffer, done: (() => void) | null): void;
  /** Writes between the two leave together. */
  cork(): void;
  uncork(): void;
}

/** What a link needs of its broker. */
export interface LinkOptions {
  readonly peer: string;
  readonly log: Logger;
  /** The doorbell of a slot of ours. */
  slotDoorbell(entry: ChannelEntry): Doorbell;
  /** The output was forwarded to its end, or is lost: nothing of it remains here. */
  onOutputEnded(entry: ChannelEntry): void;
}

type PendingOpen = OpenRequest & { readonly channel: number };

/** See the head of this file. Survives its connections. */
export class PeerLink implements wire.WireHandler {
  private readonly options: LinkOptions;
  private readonly outbound = new Map<string, OutboundChannel>();
  private readonly outboundByChannel = new Map<number, OutboundChannel>();
  private readonly inbound = new Map<number, InboundChannel>();
  /** By channel name: consumers of several generations may wait. */
  private readonly pendingOpens = new Map<string, readonly PendingOpen[]>();
  private pendingCount = 0;
  private readonly freeWrites: Buffer[] = [];
  private writes = 0;
  private pipe: Pipe | null = null;
  private nextChannel = 1;
  private receiving: InboundChannel | null = null;
  private readonly header = frame.emptyHeader();

  constructor(options: LinkOptions) {
    this.options = options;
  }

  get isConnected(): boolean {
    return this.pipe !== null;
  }

  /** Whether `pipe` is this link's connection still. */
  isPipe(pipe: Pipe): boolean {
    return this.pipe === pipe;
  }

  /** The connection stands and both sides have said HELLO. */
  attach(pipe: Pipe): void {
    assert(this.pipe === null, 'a link has one connection');
    this.pipe = pipe;
    for (const inbound of this.inbound.values()) this.sendOpen(inbound);
  }

  /** The connection is gone: so are the channels. */
  detach(cause: ErrorInfo): void {
    this.pipe = null;
    for (const outbound of this.outbound.values()) {
      outbound.ring.close();
      this.options.onOutputEnded(outbound.entry);
    }
    for (const inbound of this.inbound.values()) inbound.ring.close(cause);
    this.outbound.clear();
    this.outboundByChannel.clear();
    this.inbound.clear();
    this.pendingOpens.clear();
    this.pendingCount = 0;
    this.receiving = null;
  }

  addOutput(entry: ChannelEntry, ring: SharedArrayBuffer): void {
    const outbound = new OutboundChannel(entry, ring, this.options.slotDoorbell(entry));
    this.outbound.set(entry.name, outbound);
    for (const pending of this.takePending(entry.name)) this.tryConnect(outbound, pending);
  }

  addInput(entry: ChannelEntry, ring: SharedArrayBuffer): void {
    const inbound = new InboundChannel(entry, this.nextChannel++, { ring, slot: this.options.slotDoorbell(entry) });
    this.inbound.set(inbound.channel, inbound);
    if (this.pipe !== null) this.sendOpen(inbound);
  }

  /** The producer here is gone. True when nothing remains to be sent. */
  releaseOutput(entry: ChannelEntry, cause: ErrorInfo | null): boolean {
    const outbound = this.outbound.get(entry.name);
    if (outbound?.entry !== entry || outbound.hasEnded) return true;
    if (cause === null) return false;
    this.dropOutput(outbound);
    if (outbound.channel >= 0) this.send(wire.CLOSED, outbound.channel, shortened(cause));
    return true;
  }

  /** The producer closed its ring without `end`. */
  private abandonOutput(outbound: OutboundChannel): void {
    const cause = outbound.ring.cause();
    this.send(wire.CLOSED, outbound.channel, cause === null ? null : shortened(cause));
    this.endOutput(outbound);
  }

  /** The consumer here is gone. */
  releaseInput(entry: ChannelEntry): void {
    for (const inbound of this.inbound.values()) {
      if (inbound.entry !== entry) continue;
      this.inbound.delete(inbound.channel);
      this.send(wire.GONE, inbound.channel, null);
    }
  }

  /** Moves what can be moved: buffers out, credit back. */
  pump(): void {
    const { pipe } = this;
    if (pipe === null) return;
    pipe.cork();
    for (const inbound of this.inbound.values()) {
      const credit = inbound.newCredit();
      if (credit > 0) this.send(wire.CREDIT, inbound.channel, credit);
    }
    this.pumpBuffers(pipe);
    for (const outbound of this.outboundByChannel.values()) {
      const announcement = outbound.ring.announcement();
      if (announcement !== null) this.send(wire.ANNOUNCE, outbound.channel, JSON.parse(announcement));
    }
    for (const outbound of this.outboundByChannel.values()) if (isAbandoned(outbound)) this.abandonOutput(outbound);
    pipe.uncork();
  }

  /** One buffer of each channel in turn, so that no channel waits for another. */
  private pumpBuffers(pipe: Pipe): void {
    for (let moved = true; moved; ) {
      moved = false;
      for (const outbound of this.outboundByChannel.values()) {
        if (outbound.credit === 0 || outbound.ring.available() === 0) continue;
        if (this.writes >= WRITE_BUFFERS_MAX) return;
        this.sendBuffer(pipe, outbound);
        moved = true;
      }
    }
  }

  private sendBuffer(pipe: Pipe, outbound: OutboundChannel): void {
    const { ring } = outbound;
    const offset = ring.nextOffset();
    frame.readHeader(ring.view, offset, this.header);
    const sizeBytes = frame.FRAME_HEADER_SIZE_BYTES + this.header.length;
    const message = this.freeWrites.pop() ?? Buffer.allocUnsafeSlow(wire.WIRE_HEADER_SIZE_BYTES + BUFFER_SIZE_BYTES);
    wire.writeWireHeader(message, wire.BUFFER, { channel: outbound.channel, bodySizeBytes: sizeBytes });
    ring.bytes.copy(message, wire.WIRE_HEADER_SIZE_BYTES, offset, offset + sizeBytes);
    ring.release();
    outbound.credit--;
    this.writes++;
    pipe.write(message.subarray(0, wire.WIRE_HEADER_SIZE_BYTES + sizeBytes), () => this.onWritten(message));
    if (this.header.kind === frame.KIND_END) this.endOutput(outbound);
  }

  private onWritten(message: Buffer): void {
    this.freeWrites.push(message);
    if (this.writes-- === WRITE_BUFFERS_MAX) this.pump();
  }

  private endOutput(outbound: OutboundChannel): void {
    outbound.hasEnded = true;
    this.dropOutput(outbound);
    this.options.onOutputEnded(outbound.entry);
  }

  private dropOutput(outbound: OutboundChannel): void {
    if (this.outbound.get(outbound.entry.name) === outbound) this.outbound.delete(outbound.entry.name);
    this.outboundByChannel.delete(outbound.channel);
  }

  // ---- From the connection ----

  bufferOffset(channel: number): number {
    const inbound = this.inbound.get(channel);
    this.receiving = inbound ?? null;
    if (inbound === undefined) return -1; // Released here while the buffer was under way.
    if (inbound.granted === 0) throw new ClusterError('DATA_CORRUPT', `a buffer without credit on channel ${channel}`);
    return inbound.ring.nextOffset();
  }

  memory(): Buffer {
    assert(this.receiving !== null, 'asked only for a channel that exists');
    return this.receiving.ring.bytes;
  }

  onBuffer(channel: number, sizeBytes: number): void {
    const inbound = this.receiving;
    if (inbound === null || this.inbound.get(channel) !== inbound) return; // Released since its first byte.
    const { header } = this;
    frame.readHeader(inbound.ring.view, inbound.ring.nextOffset(), header);
    const isExpected =
      header.length + frame.FRAME_HEADER_SIZE_BYTES === sizeBytes &&
      header.generation === inbound.entry.generation && header.sequence === inbound.nextSequence();
    if (!isExpected) {
      throw new ClusterError('DATA_CORRUPT', `channel ${inbound.entry.name}: an unexpected buffer ${JSON.stringify(header)}`);
    }
    inbound.granted--;
    inbound.ring.publish();
  }

  onControl(type: number, channel: number, body: unknown): void {
    switch (type) {
      case wire.OPEN:
        return this.onOpen({ ...parseOpen(body), channel });
      case wire.OPENED:
        return this.onOpened(channel);
      case wire.REFUSED:
      case wire.CLOSED:
        return this.onClosed(channel, parseCause(body));
      case wire.CREDIT:
        return this.onCredit(channel, count(body));
      case wire.GONE:
        return this.onGone(channel);
      case wire.ANNOUNCE:
        this.inbound.get(channel)?.ring.announce(JSON.stringify(parseAnnouncement(body)));
        return;
      default:
        throw new ClusterError('DATA_CORRUPT', `message type ${type} is not expected here`);
    }
  }

  private onOpen(request: PendingOpen): void {
    const outbound = this.outbound.get(request.name);
    if (outbound !== undefined) return this.tryConnect(outbound, request);
    this.addPending(request);
  }

  private addPending(request: PendingOpen): void {
    if (this.pendingCount >= PENDING_OPENS_MAX) {
      throw new ClusterError('DATA_CORRUPT', `more than ${PENDING_OPENS_MAX} channels wait for their producers`);
    }
    this.pendingCount++;
    this.pendingOpens.set(request.name, [...(this.pendingOpens.get(request.name) ?? []), request]);
  }

  private takePending(name: string): readonly PendingOpen[] {
    const pending = this.pendingOpens.get(name) ?? [];
    this.pendingOpens.delete(name);
    this.pendingCount -= pending.length;
    return pending;
  }

  /** A lower generation is refused; a higher one waits until the producer is redeployed. */
  private tryConnect(outbound: OutboundChannel, request: PendingOpen): void {
    const { entry } = outbound;
    if (request.generation > entry.generation) return this.addPending(request);
    const isSame =
      request.generation === entry.generation && request.producer === entry.producer && request.consumer === entry.consumer;
    if (!isSame || outbound.channel >= 0) return this.refuse(outbound, request);
    outbound.channel = request.channel;
    outbound.credit = request.credit;
    entry.isConnected = true;
    this.outboundByChannel.set(request.channel, outbound);
    this.send(wire.OPENED, request.channel, null);
    this.pump();
  }

  private refuse({ entry }: OutboundChannel, request: PendingOpen): void {
    const message =
      `channel ${entry.name} of generation ${request.generation} is refused: its producer is of generation ${entry.generation}`;
    this.options.log.warn(`${message} (TaskManager ${this.options.peer}).`);
    this.send(wire.REFUSED, request.channel, { code: 'FENCED', className: 'ClusterError', message });
  }

  private onOpened(channel: number): void {
    const inbound = this.inbound.get(channel);
    if (inbound !== undefined) inbound.entry.isConnected = true;
  }

  private onClosed(channel: number, cause: ErrorInfo | null): void {
    this.inbound.get(channel)?.ring.close(cause);
    this.inbound.delete(channel);
  }

  private onCredit(channel: number, credit: number): void {
    const outbound = this.outboundByChannel.get(channel);
    if (outbound === undefined) return; // Ended here while the credit was under way.
    outbound.credit += credit;
  }

  private onGone(channel: number): void {
    const outbound = this.outboundByChannel.get(channel);
    outbound?.ring.close();
    if (outbound !== undefined) this.dropOutput(outbound);
    for (const [name, pending] of this.pendingOpens) {
      if (!pending.some((request) => request.channel === channel)) continue;
      for (const request of this.takePending(name)) if (request.channel !== channel) this.addPending(request);
    }
  }

  // ---- To the connection ----

  private sendOpen(inbound: InboundChannel): void {
    const { name, generation, producer, consumer } = inbound.entry;
    const credit = inbound.ring.free();
    inbound.granted = credit;
    this.send(wire.OPEN, inbound.channel, { name, generation, producer, consumer, credit });
  }

  private send(type: number, channel: number, body: unknown): void {
    this.pipe?.write(wire.controlMessage(type, channel, body), null);
  }
}

/** Longer messages are in the log of the side that failed. */
const CAUSE_TEXT_MAX = 2048;

function shortened({ code, className, message }: ErrorInfo): ErrorInfo {
  return { code, className, message: message.slice(0, CAUSE_TEXT_MAX), stack: '' };
}

/** Closed is asked first: the producer may publish and then close. */
function isAbandoned({ ring }: OutboundChannel): boolean {
  return ring.isProducerClosed() && ring.available() === 0;
}
