/**
 * One snapshot of a heap store, written in slices between records.
 *
 *     link     rows that belong to the snapshot are chained by key group: one pass over plain arrays
 *     group    timers are grouped by key group
 *     write    key group by key group: rows, then timers
 *
 * A row that is touched before it was written is written first, into the section of its key group, which then is
 * begun early. A row's version tells everything: newer than the snapshot means already written or not part of it.
 *
 * Invariant: what is read back equals the store at the moment of opening (test/conformance/state-snapshots.ts).
 */
import type { ClusterError } from '../protocol/errors.ts';
import type { JsonObject } from '../protocol/json.ts';
import { ByteWriter } from '../types/byte-writer.ts';
import type { KeyedSnapshot, KeyGroupRange, SnapshotTimer } from './keyed-state-store.ts';
import { NO_ROW } from './row-index.ts';
import { metaToJson, SectionWriter, type SectionTypes, type StateDescription } from './snapshot-format.ts';

/** Rows and timers that one call of `next` looks at before there is something to write. */
const ROWS_LINKED = 65_536;
const TIMERS_GROUPED = 16_384;
const SECTION_SIZE_BYTES = 64;

/** The rows of a store, as its snapshots see them (state/keyed-rows.ts). */
export interface RowTable {
  readonly rowLimit: number;
  keyAt(row: number): unknown;
  keyGroupAt(row: number): number;
  versionAt(row: number): number;
  birthAt(row: number): number;
  isIdle(row: number): boolean;
  /** Writes the values of the first `stateCount` states. */
  writeCells(row: number, stateCount: number, section: SectionWriter): void;
}

/** What a snapshot is made of. */
export interface SnapshotContents {
  readonly table: RowTable;
  /** Rows of this version and older ones belong to it. */
  readonly epoch: number;
  /** What an increment is against. */
  readonly base: { readonly checkpointId: number; readonly epoch: number } | null;
  readonly range: KeyGroupRange;
  readonly states: readonly StateDescription[];
  readonly types: SectionTypes;
  /** By domain. */
  readonly timers: readonly (readonly SnapshotTimer[])[];
  keyGroupOf(key: unknown): number;
  /** Keys of a group that went away since the base. */
  removedKeys(keyGroup: number): Iterable<unknown>;
  onReleased(snapshot: HeapSnapshot): void;
}

export class HeapSnapshot implements KeyedSnapshot {
  readonly baseId: number | null;
  /** Of the whole file, after the last slice. */
  readonly size = { bytes: 0, rowCount: 0 };
  isComplete = false;
  readonly contents: SnapshotContents;
  private readonly sink = new ByteWriter();
  /** Sections that were begun, by a touched row or by the cursor. */
  private readonly sections = new Map<number, SectionWriter>();
  private readonly namespaced: readonly boolean[];
  private readonly offsets: number[] = [];
  private readonly timersByGroup: readonly Map<number, SnapshotTimer[]>[];
  private failure: ClusterError | null = null;
  private isReleased = false;
  /** The first row of each key group, and the row after each. Null before there was a slice. */
  private heads: Int32Array | null = null;
  private following: Int32Array = new Int32Array(0);
  private rowsToLink: number;
  private timersToGroup: { readonly domain: number; index: number } = { domain: 0, index: 0 };
  /** Key group that is being written; those below are. */
  private keyGroup: number;
  private isSectionOpen = false;
  /** Next row of the open section, or `NO_ROW`. */
  private cursor = NO_ROW;

  constructor(contents: SnapshotContents) {
    this.contents = contents;
    this.baseId = contents.base?.checkpointId ?? null;
    this.namespaced = contents.states.map(({ namespaced }) => namespaced !== null);
    this.timersByGroup = contents.timers.map(() => new Map<number, SnapshotTimer[]>());
    this.rowsToLink = contents.table.rowLimit;
    this.keyGroup = contents.range.first;
  }

  get meta(): JsonObject {
    const { range: { first, last, maxParallelism }, states, types, timers } = this.contents;
    return metaToJson({
      baseId: this.baseId, first, last, maxParallelism,
      keyType: types.key?.schema ?? null, states, offsets: this.offsets, rowCount: this.size.rowCount,
      timerCount: timers.reduce((count, ofDomain) => count + ofDomain.length, 0),
    });
  }

  /** The row is about to change. */
  beforeChange(row: number): void {
    const { table } = this.contents;
    if (this.isReleased || this.failure !== null || !this.belongs(row) || this.isWritten(row)) return;
    try {
      this.writeRow(row, this.sectionOf(table.keyGroupAt(row)));
    } catch (thrown) {
      this.failure = thrown as ClusterError; // It is the checkpoint that fails, not the record at hand.
    }
  }

  next(sizeBytes: number): Uint8Array | null {
    if (this.failure !== null) throw this.failure;
    if (this.isComplete) return null;
    if (this.rowsToLink > 0) return this.linkRows();
    if (this.timersToGroup.domain < this.contents.timers.length) return this.groupTimers();
    try {
      return this.write(sizeBytes);
    } catch (thrown) {
      this.failure = thrown as ClusterError;
      throw thrown;
    }
  }

  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.sections.clear();
    this.following = this.heads = new Int32Array(0);
    this.contents.onReleased(this);
  }

  /** Whether the row, as it is now, is part of what is to be written. */
  private belongs(row: number): boolean {
    const { table, epoch, base } = this.contents;
    const version = table.versionAt(row);
    if (version < 0 || version > epoch) return false;
    if (base === null) return !table.isIdle(row);
    return version > base.epoch && !(table.isIdle(row) && table.birthAt(row) > base.epoch);
  }

  private isWritten(row: number): boolean {
    const keyGroup = this.contents.table.keyGroupAt(row);
    if (keyGroup !== this.keyGroup) return keyGroup < this.keyGroup;
    return this.isSectionOpen && (this.cursor === NO_ROW || row < this.cursor);
  }

  /** From the last row down, so that each chain ascends. */
  private linkRows(): Uint8Array {
    const { table, range } = this.contents;
    const heads = this.heads ?? new Int32Array(range.last - range.first + 1).fill(NO_ROW);
    if (this.heads === null) this.following = new Int32Array(this.rowsToLink);
    this.heads = heads;
    const end = Math.max(0, this.rowsToLink - ROWS_LINKED);
    for (let row = this.rowsToLink - 1; row >= end; row--) {
      if (!this.belongs(row)) continue;
      const group = table.keyGroupAt(row) - range.first;
      this.following[row] = heads[group] as number;
      heads[group] = row;
    }
    this.rowsToLink = end;
    return new Uint8Array(0);
  }

  private groupTimers(): Uint8Array {
    const { domain, index } = this.timersToGroup;
    const timers = this.contents.timers[domain] as readonly SnapshotTimer[];
    const groups = this.timersByGroup[domain] as Map<number, SnapshotTimer[]>;
    const end = Math.min(index + TIMERS_GROUPED, timers.length);
    for (const timer of timers.slice(index, end)) {
      const keyGroup = this.contents.keyGroupOf(timer.key);
      const group = groups.get(keyGroup);
      if (group === undefined) groups.set(keyGroup, [timer]);
      else group.push(timer);
    }
    this.timersToGroup = end === timers.length ? { domain: domain + 1, index: 0 } : { domain, index: end };
    return new Uint8Array(0);
  }

  private write(sizeBytes: number): Uint8Array {
    const { range } = this.contents;
    for (; this.keyGroup <= range.last; this.keyGroup++) {
      const section = this.openSection();
      for (; this.cursor !== NO_ROW && this.sink.position < sizeBytes; this.cursor = this.following[this.cursor] as number) {
        if (this.belongs(this.cursor)) this.writeRow(this.cursor, section);
      }
      if (this.cursor !== NO_ROW) return this.slice();
      section.end(this.timersByGroup.map((groups) => groups.get(this.keyGroup) ?? []));
      this.sections.delete(this.keyGroup);
      this.isSectionOpen = false;
    }
    this.offsets.push(this.size.bytes + this.sink.position);
    const bytes = this.slice();
    this.isComplete = true;
    this.release();
    return bytes;
  }

  /** The section of the current key group, at its row `cursor`. */
  private openSection(): SectionWriter {
    const section = this.sectionOf(this.keyGroup);
    if (this.isSectionOpen) return section;
    this.offsets.push(this.size.bytes + this.sink.position);
    section.moveTo(this.sink);
    this.cursor = this.heads?.[this.keyGroup - this.contents.range.first] ?? NO_ROW;
    this.isSectionOpen = true;
    return section;
  }

  private slice(): Uint8Array {
    const bytes = this.sink.toBytes();
    this.size.bytes += bytes.length;
    this.sink.position = 0;
    return bytes;
  }

  /** Begins a section with the keys that are gone: one that has come back since follows as a row. */
  private sectionOf(keyGroup: number): SectionWriter {
    const found = this.sections.get(keyGroup);
    if (found !== undefined) return found;
    const section = new SectionWriter(new ByteWriter(SECTION_SIZE_BYTES), this.contents.types, this.namespaced);
    this.sections.set(keyGroup, section);
    for (const key of this.contents.removedKeys(keyGroup)) {
      section.beginRow(key);
      section.endRow();
    }
    return section;
  }

  private writeRow(row: number, section: SectionWriter): void {
    const { table, states } = this.contents;
    section.beginRow(table.keyAt(row));
    table.writeCells(row, states.length, section);
    section.endRow();
    this.size.rowCount += 1;
  }
}
