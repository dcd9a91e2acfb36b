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
import { RingConsumer, RingProducer, allocateRing } from './ring.ts';

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
  private readonly buffers: NetworkBuffers;
  private readonly table = new ChannelTable();
  private readonly doorbells = new Map<number, SharedArrayBuffer>();

  constructor(options: BrokerOptions) {
    this.buffers = new NetworkBuffers(options.networkSizeBytes);
  }

  listen(_bindAddress: string, port: number): Promise<number> {
    return Promise.resolve(port);
  }

  addSlot(slotIndex: number, doorbell: SharedArrayBuffer): void {
    this.doorbells.set(slotIndex, doorbell);
  }

  openOutput(channel: ChannelDeployment, generation: Generation, own: TaskLocation): ChannelEndpoint {
    const entry = this.entryOf(channel, generation, own);
    assert(!entry.hasOutput, 'an output is opened once');
    entry.hasOutput = true;
    return this.endpoint(entry, channel.peer);
  }

  openInput(channel: ChannelDeployment, generation: Generation, own: TaskLocation): ChannelEndpoint {
    const entry = this.entryOf(channel, generation, own);
    assert(!entry.hasInput, 'an input is opened once');
    entry.hasInput = true;
    return this.endpoint(entry, channel.peer);
  }

  connectedChannels(attempt: ExecutionAttemptId): readonly string[] {
    return this.table.of(attempt).filter((entry) => entry.isConnected).map((entry) => entry.channelId);
  }

  release(attempt: ExecutionAttemptId, cause: ErrorInfo | null): void {
    for (const entry of this.table.of(attempt)) {
      if (entry.producer === attempt && entry.hasOutput) this.releaseOutput(entry, cause);
      if (entry.consumer === attempt && entry.hasInput) this.releaseInput(entry);
      if (!entry.hasOutput && !entry.hasInput) this.forget(entry);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private entryOf(channel: ChannelDeployment, generation: Generation, own: TaskLocation): ChannelEntry {
    const name = channelName(channel);
    const found = this.table.find(name, generation);
    if (found) {
      found.isConnected = true;
      return found;
    }
    const isLocal = channel.peer.slotIndex === own.slotIndex;
    const bufferCount = isLocal ? 0 : this.buffers.reserve();
    const { channelId, producer, consumer } = channel;
    const entry: ChannelEntry = {
      name, channelId, generation, producer, consumer, bufferCount,
      ring: isLocal ? null : allocateRing(bufferCount),
      hasOutput: false, hasInput: false, isConnected: false,
    };
    this.table.add(entry);
    return entry;
  }

  private endpoint(entry: ChannelEntry, peer: TaskLocation): ChannelEndpoint {
    const { channelId, generation, ring } = entry;
    if (ring === null) return { kind: 'local', channelId, generation };
    return { kind: 'ring', channelId, generation, ring, doorbell: this.doorbellOf(peer.slotIndex) };
  }

  private doorbellOf(slotIndex: number): SharedArrayBuffer {
    return present(this.doorbells.get(slotIndex), 'a slot is added before its channels are opened');
  }

  private releaseOutput(entry: ChannelEntry, cause: ErrorInfo | null): void {
    entry.hasOutput = false;
    if (entry.ring !== null && cause !== null) new RingProducer(entry.ring, unheard).close(cause);
    this.wakeSlots();
  }

  private releaseInput(entry: ChannelEntry): void {
    entry.hasInput = false;
    if (entry.ring !== null) new RingConsumer(entry.ring, unheard).close();
    this.wakeSlots();
  }

  /** Closing is rare: every slot is woken, and looks. */
  private wakeSlots(): void {
    for (const doorbell of this.doorbells.values()) new Doorbell(doorbell).ring();
  }

  private forget(entry: ChannelEntry): void {
    this.table.remove(entry);
    this.buffers.release(entry.bufferCount);
  }
}
