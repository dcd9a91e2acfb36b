/**
 * The writers: one class per partitioning, so that the call from a generated chain is monomorphic and
 * nothing is decided per record that the plan decides once. `writerFor` chooses.
 *
 *     forward, global   one channel           rebalance, rescale   round robin
 *     hash              by key group          shuffle              seeded chance
 *     broadcast         every channel         custom               the user's function
 *
 * Source: Flink `StreamPartitioner` and its subclasses.
 */
import { assert, present } from '../base/assert.ts';
import type { KeySelector, Partitioner } from '../graph/functions.ts';
import { keyGroupOf, operatorIndexOf } from '../graph/key-groups.ts';
import { hashString, keyHashOf, type KeyHash } from '../graph/key-hash.ts';
import { ClusterError, type ErrorInfo } from '../protocol/errors.ts';
import type { Partitioning } from '../graph/stream-graph.ts';
import type { Outlet } from './channel.ts';
import type { BarrierEvent, RecordWriter, StreamEvent, WriterOptions } from './contract.ts';
import type { InFlightPiece } from './in-flight.ts';

/** What all writers do alike: everything but choosing the channel. */
abstract class EdgeWriter implements RecordWriter {
  recordsOut = 0;
  protected readonly outlets: readonly Outlet[];
  private readonly overtakes: boolean;

  constructor(outlets: readonly Outlet[], options: WriterOptions) {
    assert(outlets.length > 0, 'a writer has a channel');
    this.outlets = outlets;
    this.overtakes = overtakes(options.partitioning.kind);
  }

  abstract emit(value: unknown, timestampMs: number): void;

  broadcast(event: StreamEvent): void {
    for (const outlet of this.outlets) outlet.event(event);
  }

  flush(): void {
    for (const outlet of this.outlets) outlet.flush();
  }

  refresh(): boolean {
    let hasRoom = true;
    for (const outlet of this.outlets) hasRoom = outlet.refresh() && hasRoom;
    return hasRoom;
  }

  isDrained(): boolean {
    let isDrained = true; // Every outlet is asked: asking moves what is left.
    for (const outlet of this.outlets) isDrained = outlet.isDrained() && isDrained;
    return isDrained;
  }

  showsBarrier(): boolean {
    return !this.overtakes || this.outlets.every((outlet) => outlet.showsBarrier());
  }

  overtake(barrier: BarrierEvent, keep: (channelIndex: number, piece: InFlightPiece) => void): void {
    if (!this.overtakes) return;
    for (const [channelIndex, outlet] of this.outlets.entries()) {
      for (const piece of outlet.overtake(barrier) ?? []) keep(channelIndex, piece);
    }
  }

  close(cause: ErrorInfo | null): void {
    for (const outlet of this.outlets) outlet.close(cause);
  }

  get bytesOut(): number {
    return this.outlets.reduce((sum, outlet) => sum + outlet.bytesOut, 0);
  }

  protected outlet(index: number): Outlet {
    return this.outlets[index] as Outlet;
  }
}

/** One channel: forward, global, and whatever has a single consumer. */
class SingleWriter extends EdgeWriter {
  private readonly only: Outlet;

  constructor(outlet: Outlet, all: readonly Outlet[], options: WriterOptions) {
    super(all, options);
    this.only = outlet;
  }

  emit(value: unknown, timestampMs: number): void {
    this.recordsOut++;
    this.only.emit(value, timestampMs);
  }
}

/** By key group. A table of key group to channel replaces a division per record. */
class HashWriter extends EdgeWriter {
  private readonly selector: KeySelector<unknown, unknown>;
  private readonly hash: KeyHash;
  private readonly maxParallelism: number;
  private readonly channelOfGroup: Uint16Array;

  constructor(outlets: readonly Outlet[], options: WriterOptions) {
    super(outlets, options);
    const key = present(options.key, 'a hash edge has a key');
    this.selector = key.selector;
    this.hash = keyHashOf(key.type);
    this.maxParallelism = options.maxParallelism;
    this.channelOfGroup = Uint16Array.from({ length: options.maxParallelism }, (_, group) =>
      operatorIndexOf(group, options.maxParallelism, outlets.length));
  }

  emit(value: unknown, timestampMs: number): void {
    const key = this.selector(value);
    const hash = typeof key === 'string' ? hashString(key) : this.hash(key);
    const channel = this.channelOfGroup[keyGroupOf(hash, this.maxParallelism)] as number;
    this.recordsOut++;
    this.outlet(channel).emit(value, timestampMs);
  }
}

/** Round robin, starting at another channel for each producer. */
class RebalanceWriter extends EdgeWriter {
  private next: number;

  constructor(outlets: readonly Outlet[], options: WriterOptions) {
    super(outlets, options);
    this.next = options.producerIndex % outlets.length;
  }

  emit(value: unknown, timestampMs: number): void {
    const channel = this.next;
    this.next = channel + 1 === this.outlets.length ? 0 : channel + 1;
    this.recordsOut++;
    this.outlet(channel).emit(value, timestampMs);
  }
}

/** By chance that repeats with the seed (mulberry32). */
class ShuffleWriter extends EdgeWriter {
  private state: number;

  constructor(outlets: readonly Outlet[], options: WriterOptions) {
    super(outlets, options);
    this.state = options.seed | 0;
  }

  emit(value: unknown, timestampMs: number): void {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    const unit = ((bits ^ (bits >>> 14)) >>> 0) / 4294967296;
    this.recordsOut++;
    this.outlet(Math.floor(unit * this.outlets.length)).emit(value, timestampMs);
  }
}

/** To everyone. Counted once per channel, as Flink does. */
class BroadcastWriter extends EdgeWriter {
  emit(value: unknown, timestampMs: number): void {
    const { outlets } = this;
    this.recordsOut += outlets.length;
    for (let i = 0; i < outlets.length; i++) this.outlet(i).emit(value, timestampMs);
  }
}

interface Custom {
  readonly selector: KeySelector<unknown, unknown>;
  readonly partitioner: Partitioner<unknown>;
}

/** By the user's partitioner. */
class CustomWriter extends EdgeWriter {
  private readonly selector: KeySelector<unknown, unknown>;
  private readonly partitioner: Partitioner<unknown>;
  private readonly taskName: string;

  constructor(outlets: readonly Outlet[], options: WriterOptions, custom: Custom) {
    super(outlets, options);
    this.selector = custom.selector;
    this.partitioner = custom.partitioner;
    this.taskName = options.taskName;
  }

  emit(value: unknown, timestampMs: number): void {
    const channel = this.partitioner(this.selector(value), this.outlets.length);
    if (!Number.isInteger(channel) || channel < 0 || channel >= this.outlets.length) throw this.outOfRange(channel);
    this.recordsOut++;
    this.outlet(channel).emit(value, timestampMs);
  }

  private outOfRange(channel: unknown): ClusterError {
    const range = `an integer from 0 to ${this.outlets.length - 1}`;
    return new ClusterError('KEY_INVALID', `${this.taskName}: the partitioner returned ${String(channel)}, expected ${range}`);
  }
}

/** Whether barriers may overtake: not where a record has one place to go, or all. Source: Flink `supportsUnalignedCheckpoints`. */
export function overtakes(kind: Partitioning['kind']): boolean {
  return kind !== 'forward' && kind !== 'rescale' && kind !== 'broadcast';
}

/** The writer for a partitioning. */
export function writerFor(options: WriterOptions, outlets: readonly Outlet[]): RecordWriter {
  const { partitioning } = options;
  const first = present(outlets[0], 'a writer has a channel');
  switch (partitioning.kind) {
    case 'forward':
    case 'global':
      return new SingleWriter(first, outlets, options);
    case 'custom':
      return new CustomWriter(outlets, options, { selector: partitioning.key.selector, partitioner: partitioning.partitioner });
    case 'hash':
      return outlets.length === 1 ? new SingleWriter(first, outlets, options) : new HashWriter(outlets, options);
    case 'rebalance':
    case 'rescale':
      return outlets.length === 1 ? new SingleWriter(first, outlets, options) : new RebalanceWriter(outlets, options);
    case 'shuffle':
      return outlets.length === 1 ? new SingleWriter(first, outlets, options) : new ShuffleWriter(outlets, options);
    case 'broadcast':
      return outlets.length === 1 ? new SingleWriter(first, outlets, options) : new BroadcastWriter(outlets, options);
  }
}
