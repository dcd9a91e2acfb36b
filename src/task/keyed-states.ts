/**
 * Keyed state of one operator, as checkpoints follow one another: what is taken in full, and what builds on
 * which checkpoint before it.
 *
 *     full(1) ◄─ delta(2) ◄─ delta(3) …      a delta builds on the last checkpoint that is known to be complete
 *
 * A chain is begun anew when it has too many files, or when its deltas outweigh what they build on: a restore
 * reads at most twice the live state.
 */
import type { CheckpointOptions } from '../protocol/checkpoint.ts';
import type { JsonObject } from '../protocol/json.ts';
import type { KeyGroupRange } from '../state/keyed-state-store.ts';

/** Files of a chain, the full one included. */
const CHAIN_FILES_MAX = 20;
/** Checkpoints whose chains are remembered until one of them is complete. */
const CHAINS_MAX = 64;

/** A store as of one moment. See the state room. */
export interface KeyedSnapshot {
  next(sizeBytes: number): Uint8Array | null;
  readonly meta: JsonObject;
  release(): void;
}

/** What checkpoints need of a store. */
export interface SnapshotStore {
  snapshot(checkpointId: number, mode: 'full' | 'incremental'): KeyedSnapshot;
  confirm(checkpointId: number): void;
}

/** What a checkpoint holds of the keyed state of one operator. */
export interface KeyedPart {
  /** Later checkpoints may build on it. */
  readonly shared: boolean;
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

/** Sizes of what a restore would read. */
interface Chain {
  readonly fileCount: number;
  readonly fullSizeBytes: number;
  readonly deltaSizeBytes: number;
}

/** Keyed state of one operator of one subtask. */
export class KeyedStates {
  private readonly store: SnapshotStore;
  private readonly keyGroups: KeyGroupRange;
  private readonly chains = new Map<number, Chain>();
  /** The last checkpoint that is complete and whose chain is known. */
  private confirmedId: number | null = null;

  constructor(store: SnapshotStore, keyGroups: KeyGroupRange) {
    this.store = store;
    this.keyGroups = keyGroups;
  }

  /** The state as of now. The synchronous piece does not grow with the state. */
  take(checkpointId: number, options: CheckpointOptions): KeyedPart {
    const base = options.incremental ? this.base() : null;
    const snapshot = this.store.snapshot(checkpointId, base === null ? 'full' : 'incremental');
    const { first, last } = this.keyGroups;
    let sizeBytes = 0;
    return {
      shared: options.incremental,
      next: (sliceSizeBytes) => {
        const bytes = snapshot.next(sliceSizeBytes);
        sizeBytes += bytes?.length ?? 0;
        return bytes;
      },
      describe: () => {
        if (options.incremental) this.remember(checkpointId, base === null ? null : base.chain, sizeBytes);
        return { firstKeyGroup: first, lastKeyGroup: last, meta: snapshot.meta, baseId: base === null ? null : base.id };
      },
      release: () => snapshot.release(),
    };
  }

  /** The checkpoint is complete: later ones may build on it. */
  confirm(checkpointId: number): void {
    if (!this.chains.has(checkpointId)) return;
    this.confirmedId = checkpointId;
    for (const id of this.chains.keys()) if (id < checkpointId) this.chains.delete(id);
    this.store.confirm(checkpointId);
  }

  /** The checkpoint was given up: nothing will build on it. */
  forget(checkpointId: number): void {
    if (checkpointId !== this.confirmedId) this.chains.delete(checkpointId);
  }

  private base(): { readonly id: number; readonly chain: Chain } | null {
    const chain = this.confirmedId === null ? undefined : this.chains.get(this.confirmedId);
    if (this.confirmedId === null || chain === undefined) return null;
    const isLong = chain.fileCount >= CHAIN_FILES_MAX || chain.deltaSizeBytes > chain.fullSizeBytes;
    return isLong ? null : { id: this.confirmedId, chain };
  }

  private remember(checkpointId: number, base: Chain | null, sizeBytes: number): void {
    this.chains.set(checkpointId, base === null
      ? { fileCount: 1, fullSizeBytes: sizeBytes, deltaSizeBytes: 0 }
      : { ...base, fileCount: base.fileCount + 1, deltaSizeBytes: base.deltaSizeBytes + sizeBytes });
    for (const id of this.chains.keys()) if (this.chains.size > CHAINS_MAX && id !== this.confirmedId) this.chains.delete(id);
  }
}
