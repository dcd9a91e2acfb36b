/**
 * The snapshots of a heap store: which are open, which one a later increment may be against, and which keys
 * went away since.
 *
 *     epoch 1          epoch 2             epoch 3
 *     ──── snapshot 7 ────────── snapshot 8 ──────►      row touched in epoch 2: part of 8 and of what follows
 *          confirmed: increments hold the rows of later epochs, and the keys that were removed in them
 */
import { HeapSnapshot, type SnapshotContents } from './heap-snapshot.ts';
import type { SnapshotMode } from './keyed-state-store.ts';
import { SnapshotChains } from './snapshot-chains.ts';

/** Beyond, and beyond the number of live rows, removed keys are forgotten, and the next snapshot is complete. */
const REMOVED_KEYS_MIN = 100_000;

interface RemovedRow {
  readonly version: number;
  readonly birth: number;
  /** Rows that are left. */
  readonly liveRowCount: number;
}

interface RemovedKey {
  readonly key: unknown;
  readonly epoch: number;
}

export class HeapSnapshots {
  /** The current one. */
  epoch = 0;
  private readonly open = new Set<HeapSnapshot>();
  private readonly chains = new SnapshotChains();
  /** By key group, in the order of removal. */
  private readonly removed = new Map<number, RemovedKey[]>();
  private removedCount = 0;

  /** `contents` without what this class knows. */
  begin(
    checkpointId: number, mode: SnapshotMode, liveRowCount: number,
    contents: Omit<SnapshotContents, 'epoch' | 'base' | 'removedKeys' | 'onReleased'>,
  ): HeapSnapshot {
    const epoch = Math.max(this.epoch, 1);
    this.epoch = epoch + 1;
    const base = mode === 'incremental' ? this.chains.usableBase(liveRowCount) : null;
    const snapshot = new HeapSnapshot({
      ...contents,
      epoch,
      base: base === null ? null : { checkpointId: base.checkpointId, epoch: base.mark },
      removedKeys: (keyGroup) => this.removedKeys(keyGroup, base?.mark ?? epoch, epoch),
      onReleased: (released) => this.onReleased(checkpointId, released),
    });
    this.open.add(snapshot);
    this.chains.begin(checkpointId, epoch, base, snapshot.size);
    return snapshot;
  }

  beforeChange(row: number): void {
    for (const snapshot of this.open) snapshot.beforeChange(row);
  }

  /** A key is forgotten that had its last value cleared in epoch `version`, and was made in epoch `birth`. */
  onKeyRemoved(key: unknown, keyGroup: number, row: RemovedRow): void {
    const { version, birth, liveRowCount } = row;
    // No snapshot has seen the key, or none that a later increment could be against.
    if (birth === this.epoch || version <= (this.chains.confirmedMark ?? 0)) return;
    if (this.open.size === 0 && this.removedCount >= Math.max(REMOVED_KEYS_MIN, liveRowCount)) return this.forgetBases();
    const ofGroup = this.removed.get(keyGroup);
    if (ofGroup === undefined) this.removed.set(keyGroup, [{ key, epoch: version }]);
    else ofGroup.push({ key, epoch: version });
    this.removedCount += 1;
  }

  confirm(checkpointId: number): void {
    if (this.chains.confirm(checkpointId)) this.pruneRemoved();
  }

  private *removedKeys(keyGroup: number, after: number, upTo: number): Generator<unknown> {
    for (const { key, epoch } of this.removed.get(keyGroup) ?? []) if (epoch > after && epoch <= upTo) yield key;
  }

  private onReleased(checkpointId: number, snapshot: HeapSnapshot): void {
    this.open.delete(snapshot);
    if (!snapshot.isComplete) this.chains.drop(checkpointId);
  }

  /** Open snapshots may be against an older base. */
  private pruneRemoved(): void {
    let oldest = this.chains.confirmedMark ?? 0;
    for (const { contents } of this.open) oldest = Math.min(oldest, contents.base?.epoch ?? oldest);
    this.removedCount = 0;
    for (const [keyGroup, keys] of this.removed) {
      const kept = keys.filter(({ epoch }) => epoch > oldest);
      this.removedCount += kept.length;
      if (kept.length === 0) this.removed.delete(keyGroup);
      else this.removed.set(keyGroup, kept);
    }
  }

  private forgetBases(): void {
    this.chains.forget();
    this.removed.clear();
    this.removedCount = 0;
  }
}
