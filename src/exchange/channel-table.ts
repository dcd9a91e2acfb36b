/**
 * The channels of one TaskManager, as its main thread knows them. A channel is entered when its first end
 * opens, found by its second, and leaves when every end that is here has been released.
 *
 * The name of a channel holds the execution graph's id, since `channelId` is unique only within a job.
 */
import { assert } from '../base/assert.ts';
import type { ChannelDeployment } from '../protocol/deployment.ts';
import type { ExecutionAttemptId, Generation } from '../protocol/ids.ts';

/** One channel with an end here. */
export interface ChannelEntry {
  /** `<execution graph id>/<channel id>`. */
  readonly name: string;
  readonly channelId: string;
  readonly generation: Generation;
  readonly producer: ExecutionAttemptId;
  readonly consumer: ExecutionAttemptId;
  /** Null for a channel within a slot. */
  readonly ring: SharedArrayBuffer | null;
  readonly bufferCount: number;
  /** The slot of the end that opened first; the only end here when the channel is remote. */
  readonly slotIndex: number;
  /** The other end is on another TaskManager: `peer`. */
  readonly isRemote: boolean;
  /** Resource id of the TaskManager of the other end. */
  readonly peer: string;
  /** Ends that are here: opened and not yet released. */
  hasOutput: boolean;
  hasInput: boolean;
  /** The producer has finished; what it published is still to be sent. */
  isOutputReleased: boolean;
  /** Both ends are open, here or on the other TaskManager. */
  isConnected: boolean;
}

/** The name of a channel. Attempt ids begin with the execution graph's id. */
export function channelName(channel: ChannelDeployment): string {
  const end = channel.producer.indexOf('_');
  return `${channel.producer.slice(0, Math.max(end, 0))}/${channel.channelId}`;
}

/** Entries by name and generation, and by attempt. */
export class ChannelTable {
  private readonly entries = new Map<string, ChannelEntry>();
  private readonly byAttempt = new Map<ExecutionAttemptId, Set<ChannelEntry>>();

  find(name: string, generation: Generation): ChannelEntry | undefined {
    return this.entries.get(keyOf(name, generation));
  }

  /** Enters a channel under both of its attempts. */
  add(entry: ChannelEntry): void {
    const key = keyOf(entry.name, entry.generation);
    assert(!this.entries.has(key), 'a channel is entered once');
    this.entries.set(key, entry);
    for (const attempt of [entry.producer, entry.consumer]) {
      const channels = this.byAttempt.get(attempt) ?? new Set();
      this.byAttempt.set(attempt, channels.add(entry));
    }
  }

  remove(entry: ChannelEntry): void {
    this.entries.delete(keyOf(entry.name, entry.generation));
    for (const attempt of [entry.producer, entry.consumer]) {
      const channels = this.byAttempt.get(attempt);
      channels?.delete(entry);
      if (channels?.size === 0) this.byAttempt.delete(attempt);
    }
  }

  /** A copy: entries may leave while it is walked. */
  of(attempt: ExecutionAttemptId): readonly ChannelEntry[] {
    return [...(this.byAttempt.get(attempt) ?? [])];
  }
}

function keyOf(name: string, generation: Generation): string {
  return `${generation}/${name}`;
}
