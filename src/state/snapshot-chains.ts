/**
 * Which checkpoints a later increment may be against, for any state backend. A chain of increments is cut by a complete
 * file when it has `CHAIN_LENGTH_MAX` files, when its increments have outgrown the complete one, or when most of what that
 * one holds is gone: a restore reads at most about twice the live bytes.
 */

/** Files that a restore reads at most for one subtask. */
const CHAIN_LENGTH_MAX = 16;
/** Snapshots of checkpoints that were neither confirmed nor followed by a confirmed one. */
const PENDING_MAX = 100;

/** A snapshot that was taken. */
export interface SnapshotRecord {
  readonly checkpointId: number;
  /** When it was taken, in the backend's own order of time. */
  readonly mark: number;
  readonly base: SnapshotRecord | null;
  readonly chainLength: number;
  /** Of the whole file, after the last slice. */
  readonly size: { readonly bytes: number; readonly rowCount: number };
}

export class SnapshotChains {
  private readonly pending = new Map<number, SnapshotRecord>();
  private confirmed: SnapshotRecord | null = null;

  /** What came up to here is in a checkpoint that later ones may be against; null: there is none. */
  get confirmedMark(): number | null {
    return this.confirmed?.mark ?? null;
  }

  begin(checkpointId: number, mark: number, base: SnapshotRecord | null, size: SnapshotRecord['size']): void {
    this.pending.set(checkpointId, { checkpointId, mark, base, chainLength: (base?.chainLength ?? 0) + 1, size });
    if (this.pending.size > PENDING_MAX) this.pending.delete(this.pending.keys().next().value as number);
  }

  /** The snapshot was given up. */
  drop(checkpointId: number): void {
    this.pending.delete(checkpointId);
  }

  /** False for a checkpoint that is not known. */
  confirm(checkpointId: number): boolean {
    const record = this.pending.get(checkpointId);
    if (record === undefined) return false;
    this.confirmed = record;
    for (const [id, { mark }] of this.pending) if (mark <= record.mark) this.pending.delete(id);
    return true;
  }

  usableBase(liveRowCount: number): SnapshotRecord | null {
    const { confirmed } = this;
    if (confirmed === null || confirmed.chainLength >= CHAIN_LENGTH_MAX) return null;
    let full = confirmed;
    let incrementsSizeBytes = 0;
    for (; full.base !== null; full = full.base) incrementsSizeBytes += full.size.bytes;
    const isMostlyGone = full.size.rowCount > 2 * liveRowCount + CHAIN_LENGTH_MAX;
    return incrementsSizeBytes > full.size.bytes || isMostlyGone ? null : confirmed;
  }

  /** The next snapshot is complete. */
  forget(): void {
    this.confirmed = null;
    this.pending.clear();
  }
}
