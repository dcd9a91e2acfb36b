/**
 * The snapshots of a heap store: which are open, which one a later increment may be against, and which keys
 * went away since.
 *
 *     epoch 1          epoch 2             epoch 3
 *     ──── snapshot 7 ────────── snapshot 8 ──────►      row touched in epoch 2: part of 8 and of what follows
 *          confirmed: increments hold the rows of later epochs, and the keys that were removed in them
 *
 * A chain of increments is cut by a complete file when it has `CHAIN_LENGTH_MAX` files, when its increments
 * have outgrown the complete one, or when most of what that one holds is gone: a restore reads at most about
 * twice the live bytes.
 */
import { HeapSnapshot, type SnapshotContents } from './heap-snapshot.ts';
import type { SnapshotMode } from './keyed-state-store.ts';

/** Files that a restore reads at most for one subtask. */
const CHAIN_LENGTH_MAX = 16;
/** Snapshots of checkpoints that were neither confirmed nor followed by a confirmed one. */
const PENDING_MAX = 100;
/** Beyond, and beyond the number of live rows, removed keys are forgotten, and the next snapshot is complete. */
const REMOVED_KEYS_MIN = 100_000;

interface SnapshotRecord {
  readonly checkpointId: number;
  readonly epoch: number;
  readonly base: SnapshotRecord | null;
  readonly chainLength: number;
  readonly size: HeapSnapshot['size'];
}

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
  private readonly pending = new Map<number, SnapshotRecord>();
  private confirmed: SnapshotRecord | null = null;
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
    const base = mode === 'incremental' ? this.usableBase(liveRowCount) : null;
    const snapshot = new HeapSnapshot({
      ...contents,
      epoch,
      base,
      removedKeys: (keyGroup) => this.removedKeys(keyGroup, base?.epoch ?? epoch, epoch),
      onReleased: (released) => this.onReleased(checkpointId, released),
    });
    this.open.add(snapshot);
    this.pending.set(checkpointId, { checkpointId, epoch, base, chainLength: (base?.chainLength ?? 0) + 1, size: snapshot.size });
    if (this.pending.size > PENDING_MAX) this.pending.delete(this.pending.keys().next().value as number);
    return snapshot;
  }

  beforeChange(row: number): void {
    for (const snapshot of this.open) snapshot.beforeChange(row);
  }

  /** A key is forgotten that had its last value cleared in epoch `version`, and was made in epoch `birth`. */
  onKeyRemoved(key: unknown, keyGroup: number, row: RemovedRow): void {
    const { version, birth, liveRowCount } = row;
    // No snapshot has seen the key, or none that a later increment could be against.
    if (birth === this.epoch || version <= (this.confirmed?.epoch ?? 0)) return;
    if (this.open.size === 0 && this.removedCount >= Math.max(REMOVED_KEYS_MIN, liveRowCount)) return this.forgetBases();
    const ofGroup = this.removed.get(keyGroup);
    if (ofGroup === undefined) this.removed.set(keyGroup, [{ key, epoch: version }]);
    else ofGroup.push({ key, epoch: version });
    this.removedCount += 1;
  }

  confirm(checkpointId: number): void {
    const record = this.pending.get(checkpointId);
    if (record === undefined) return;
    this.confirmed = record;
    for (const [id, { epoch }] of this.pending) if (epoch <= record.epoch) this.pending.delete(id);
    this.pruneRemoved();
  }

  private usableBase(liveRowCount: number): SnapshotRecord | null {
    const { confirmed } = this;
    if (confirmed === null || confirmed.chainLength >= CHAIN_LENGTH_MAX) return null;
    let full = confirmed;
    let incrementsSizeBytes = 0;
    for (; full.base !== null; full = full.base) incrementsSizeBytes += full.size.bytes;
    const isMostlyGone = full.size.rowCount > 2 * liveRowCount + CHAIN_LENGTH_MAX;
    return incrementsSizeBytes > full.size.bytes || isMostlyGone ? null : confirmed;
  }

  private *removedKeys(keyGroup: number, after: number, upTo: number): Generator<unknown> {
    for (const { key, epoch } of this.removed.get(keyGroup) ?? []) if (epoch > after && epoch <= upTo) yield key;
  }

  private onReleased(checkpointId: number, snapshot: HeapSnapshot): void {
    this.open.delete(snapshot);
    if (!snapshot.isComplete) this.pending.delete(checkpointId);
  }

  /** Open snapshots may be against an older base. */
  private pruneRemoved(): void {
    let oldest = this.confirmed?.epoch ?? 0;
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
    this.confirmed = null;
    this.pending.clear();
    this.removed.clear();
    this.removedCount = 0;
  }
}
