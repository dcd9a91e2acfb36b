/**
 * Keyed state of one operator, as checkpoints see it: what is taken as a barrier passes, which checkpoints
 * others may build on, and what a new attempt begins with.
 *
 * Increments are only ever against checkpoints that were themselves asked for as increments: their files are
 * shared, so they outlive the checkpoint. (The store decides when a chain is begun anew.)
 */
import type { Clock } from '../base/ports.ts';
import type { CheckpointOptions } from '../protocol/checkpoint.ts';
import type { JsonObject } from '../protocol/json.ts';
import type { KeyedStateStore, KeyGroupRange } from '../state/keyed-state-store.ts';
import type { RestoredKeyedFile } from './restored-states.ts';

/** How long a restore keeps the thread, as long as a slot's turn. */
const RESTORE_STRETCH_MS = 5;
/** Checkpoints that may still complete. */
const PENDING_MAX = 100;

/** What a checkpoint holds of the keyed state of one operator. */
export interface KeyedPart {
  /** Later checkpoints may build on it. */
  readonly shared: boolean;
  /** May be empty; null at the end. */
  next(sizeBytes: number): Uint8Array | null;
  /** After the last slice. */
  describe(): KeyedPartInfo;
  release(): void;
}

/** Plain data about a part. */
export interface KeyedPartInfo {
  readonly firstKeyGroup: number;
  readonly lastKeyGroup: number;
  readonly meta: JsonObject;
  /** The checkpoint that it builds on; null: it is whole. */
  readonly baseId: number | null;
}

/** Keyed state of one operator of one subtask. */
export class KeyedStates {
  readonly keyGroups: KeyGroupRange;
  private readonly store: KeyedStateStore;
  private readonly sharedIds = new Set<number>();

  constructor(store: KeyedStateStore, keyGroups: KeyGroupRange) {
    this.store = store;
    this.keyGroups = keyGroups;
  }

  /** The state as of now. The synchronous piece does not grow with the state. */
  take(checkpointId: number, options: CheckpointOptions): KeyedPart {
    const shared = options.incremental;
    const mode = options.format === 'CANONICAL' ? 'canonical' : shared ? 'incremental' : 'full';
    const snapshot = this.store.snapshot(checkpointId, mode);
    const { first, last } = this.keyGroups;
    if (shared) this.sharedIds.add(checkpointId);
    for (const id of this.sharedIds) if (this.sharedIds.size > PENDING_MAX) this.sharedIds.delete(id);
    return {
      shared,
      next: (sizeBytes) => snapshot.next(sizeBytes),
      describe: () => ({ firstKeyGroup: first, lastKeyGroup: last, meta: snapshot.meta, baseId: snapshot.baseId }),
      release: () => snapshot.release(),
    };
  }

  /** The checkpoint is complete: later ones may build on it. */
  confirm(checkpointId: number): void {
    if (!this.sharedIds.has(checkpointId)) return;
    for (const id of this.sharedIds) if (id <= checkpointId) this.sharedIds.delete(id);
    this.store.confirm(checkpointId);
  }

  /** Nothing will build on it. */
  forget(checkpointId: number): void {
    this.sharedIds.delete(checkpointId);
  }

  /** Before the operator is opened. Between records it lets others have the thread: `pause` is awaited every few milliseconds. */
  async restore(files: AsyncIterable<RestoredKeyedFile>, clock: Clock, pause: () => Promise<void>): Promise<void> {
    let isEmpty = true;
    let pausedMs = clock.monotonicMs();
    for await (const { handle, bytes, offset } of files) {
      isEmpty = false;
      for (const _ of this.store.restoreSlices({ meta: handle.meta, bytes, offset }, this.keyGroups)) {
        if (clock.monotonicMs() - pausedMs < RESTORE_STRETCH_MS) continue;
        await pause();
        pausedMs = clock.monotonicMs();
      }
    }
    if (!isEmpty) this.store.endRestore();
  }
}
