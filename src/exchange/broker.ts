/**
 * The channel broker of one TaskManager: opens channel ends for the TaskExecutor and owns their memory.
 *
 *     same slot            local     nothing here but the entry
 *     same TaskManager     ring      between two slot workers; the main thread only allocates it
 *     other TaskManager    ring      between a slot worker and the main thread, which moves whole buffers
 *                                    between it and the connection (transport.ts)
 */
import { assert, present } from '../base/assert.ts';
import type { Logger } from '../base/log.ts';
import type { Ports } from '../base/ports.ts';
import type { ChannelDeployment, TaskLocation } from '../protocol/deployment.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import type { ExecutionAttemptId, Generation } from '../protocol/ids.ts';
import { ChannelTable, channelName, type ChannelEntry } from './channel-table.ts';
import type { ChannelBroker, ChannelEndpoint } from './contract.ts';
import { Doorbell } from './doorbell.ts';
import { NetworkBuffers } from './network-buffers.ts';
import { PeerLink } from './peer-link.ts';
import { RingConsumer, RingProducer, allocateRing } from './ring.ts';
import { Transport } from './transport.ts';

/** What a broker needs. */
export interface BrokerOptions {
  readonly ports: Ports;
  readonly log: Logger;
  /** Network memory: `taskmanager.memory.network.*` resolved. */
  readonly networkSizeBytes: number;
}

/** A doorbell that nobody waits on. */
const unheard = new Doorbell();

/** See `ChannelBroker`. */
export class TaskManagerChannels implements ChannelBroker {
  private readonly log: Logger;
  private readonly buffers: NetworkBuffers;
  private readonly transport: Transport;
  private readonly table = new ChannelTable();
  private readonly doorbells = new Map<number, SharedArrayBuffer>();
  private readonly links = new Map<string, PeerLink>();
  /** Rung by slots whose rings lead to or from another TaskManager. */
  private readonly doorbell = new Doorbell();
  private isClosed = false;

  constructor(options: BrokerOptions) {
    this.log = options.log;
    this.buffers = new NetworkBuffers(options.networkSizeBytes);
    const { clock } = options.ports;
    this.transport = new Transport({ clock, log: options.log, linkTo: (resourceId) => this.linkTo(resourceId) });
  }

  async listen(bindAddress: string, port: number): Promise<number> {
    const used = await this.transport.listen(bindAddress, port);
    void this.pumpForever();
    return used;
  }

  addSlot(slotIndex: number, doorbell: SharedArrayBuffer): void {
    this.doorbells.set(slotIndex, doorbell);
  }

  openOutput(channel: ChannelDeployment, generation: Generation, own: TaskLocation): ChannelEndpoint {
    const entry = this.entryOf(channel, generation, own);
    assert(!entry.hasOutput, 'an output is opened once');
    entry.hasOutput = true;
    if (entry.isRemote && entry.ring !== null) this.linkTo(channel.peer.resourceId).addOutput(entry, entry.ring);
    return this.endpoint(entry, channel.peer, own);
  }

  openInput(channel: ChannelDeployment, generation: Generation, own: TaskLocation): ChannelEndpoint {
    const entry = this.entryOf(channel, generation, own);
    assert(!entry.hasInput, 'an input is opened once');
    entry.hasInput = true;
    if (entry.isRemote && entry.ring !== null) this.linkTo(channel.peer.resourceId).addInput(entry, entry.ring);
    return this.endpoint(entry, channel.peer, own);
  }

  connectedChannels(attempt: ExecutionAttemptId): readonly string[] {
    return this.table.of(attempt).filter((entry) => entry.isConnected).map((entry) => entry.channelId);
  }

  release(attempt: ExecutionAttemptId, cause: ErrorInfo | null): void {
    for (const entry of this.table.of(attempt)) {
      if (entry.producer === attempt && entry.hasOutput) this.releaseOutput(entry, cause);
      if (entry.consumer === attempt && entry.hasInput) this.releaseInput(entry);
      this.forgetIfReleased(entry);
    }
    for (const doorbell of this.doorbells.values()) new Doorbell(doorbell).ring(); // Closing is rare: every slot looks.
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.doorbell.ring();
    await this.transport.close();
  }

  /** Runs until `close`; the sockets' own events move the rest. */
  private async pumpForever(): Promise<void> {
    while (!this.isClosed) {
      const seen = this.doorbell.value();
      for (const link of this.links.values()) link.pump();
      await this.doorbell.changed(seen);
    }
  }

  private linkTo(resourceId: string): PeerLink {
    const found = this.links.get(resourceId);
    if (found) return found;
    const link = new PeerLink({
      peer: resourceId,
      log: this.log,
      slotDoorbell: (entry) => new Doorbell(this.doorbellOf(entry.slotIndex)),
      onOutputEnded: (entry) => this.onOutputEnded(entry),
    });
    this.links.set(resourceId, link);
    return link;
  }

  private entryOf(channel: ChannelDeployment, generation: Generation, own: TaskLocation): ChannelEntry {
    const name = channelName(channel);
    const found = this.table.find(name, generation);
    if (found) {
      found.isConnected = true;
      return found;
    }
    const isRemote = channel.peer.resourceId !== own.resourceId;
    const isLocal = !isRemote && channel.peer.slotIndex === own.slotIndex;
    const bufferCount = isLocal ? 0 : this.buffers.reserve();
    const { channelId, producer, consumer } = channel;
    const entry: ChannelEntry = {
      name, channelId, generation, producer, consumer, bufferCount, isRemote,
      slotIndex: own.slotIndex,
      peer: channel.peer.resourceId,
      ring: isLocal ? null : allocateRing(bufferCount),
      hasOutput: false, hasInput: false, isConnected: false, isOutputReleased: false,
    };
    this.table.add(entry);
    if (isRemote) this.connect(channel.peer, own);
    return entry;
  }

  /** The lesser id dials; the other waits to be dialled. */
  private connect(peer: TaskLocation, own: TaskLocation): void {
    if (own.resourceId < peer.resourceId) this.transport.dial(this.linkTo(peer.resourceId), peer, own);
  }

  private endpoint(entry: ChannelEntry, peer: TaskLocation, own: TaskLocation): ChannelEndpoint {
    const { channelId, generation, ring } = entry;
    if (ring === null) return { kind: 'local', channelId, generation };
    const doorbell = peer.resourceId === own.resourceId ? this.doorbellOf(peer.slotIndex) : this.doorbell.shared;
    return { kind: 'ring', channelId, generation, ring, doorbell, isRemote: entry.isRemote };
  }

  private doorbellOf(slotIndex: number): SharedArrayBuffer {
    return present(this.doorbells.get(slotIndex), 'a slot is added before its channels are opened');
  }

  private releaseOutput(entry: ChannelEntry, cause: ErrorInfo | null): void {
    if (entry.ring !== null && cause !== null) new RingProducer(entry.ring, unheard).close(cause);
    entry.isOutputReleased = true;
    entry.hasOutput = entry.isRemote && !this.linkTo(entry.peer).releaseOutput(entry, cause);
  }

  private releaseInput(entry: ChannelEntry): void {
    entry.hasInput = false;
    if (entry.ring !== null) new RingConsumer(entry.ring, unheard).close();
    if (entry.isRemote) this.linkTo(entry.peer).releaseInput(entry);
  }

  private onOutputEnded(entry: ChannelEntry): void {
    if (!entry.isOutputReleased) return;
    entry.hasOutput = false;
    this.forgetIfReleased(entry);
  }

  private forgetIfReleased(entry: ChannelEntry): void {
    if (entry.hasOutput || entry.hasInput) return;
    this.table.remove(entry);
    this.buffers.release(entry.bufferCount);
  }
}
