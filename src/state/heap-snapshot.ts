/**
 * One snapshot of a heap store, written in slices between records.
 *
 *     group    timers are grouped by key group
 *     scan     all rows in their order; those of some key groups, the band, are written, each into its group's section
 *     emit     the sections of the band, one after the other; then the next band
 *
 * Rows are visited in the order in which they lie in memory: following each key group through the table instead took three
 * times as long. A band is as wide as its sections are to be held at once; a band of one group is sent as it grows.
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
import { metaToJson, SectionWriter, type SectionTypes, type StateDescription } from './snapshot-format.ts';
import { SnapshotOutput } from './snapshot-output.ts';
import { TimerGroups } from './timer-groups.ts';

/** Rows that one call of `next` looks at. */
const ROWS_SCANNED = 65_536;
const SECTION_SIZE_BYTES = 64;
/** The first band, while nothing is known of the size of rows, and what later ones aim at. */
const BAND_ROWS = 16_384;
const BAND_SIZE_BYTES = 16 * 1024 * 1024;

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
  isComplete = false;
  readonly contents: SnapshotContents;
  private readonly output = new SnapshotOutput();
  /** Sections that were begun, by a touched row or by the cursor. */
  private readonly sections = new Map<number, SectionWriter>();
  private readonly namespaced: readonly boolean[];
  private readonly offsets: number[] = [];
  private readonly timers: TimerGroups;
  private failure: ClusterError | null = null;
  private isReleased = false;
  /** Rows from here on were made after the snapshot was opened. */
  private readonly rowLimit: number;
  /** Key groups of the band, `[bandStart, bandEnd)`: those before are written. */
  private bandStart: number;
  private bandEnd: number;
  private bandSizeBytes = 0;
  /** Next row that the scan of the band comes to. */
  private scanRow = 0;
  /** Next key group of the band to be emitted. */
  private emitGroup: number;

  constructor(contents: SnapshotContents) {
    this.contents = contents;
    this.baseId = contents.base?.checkpointId ?? null;
    this.namespaced = contents.states.map(({ namespaced }) => namespaced !== null);
    this.timers = new TimerGroups(contents.timers, (key) => contents.keyGroupOf(key));
    const { first, last } = contents.range;
    this.rowLimit = contents.table.rowLimit;
    this.bandStart = this.bandEnd = this.emitGroup = first;
    this.beginBand(first, Math.floor((BAND_ROWS * (last - first + 1)) / Math.max(1, this.rowLimit)));
  }

  /** Of the whole file, after the last slice. */
  get size(): SnapshotOutput['size'] {
    return this.output.size;
  }

  get meta(): JsonObject {
    const { range: { first, last, maxParallelism }, states, types } = this.contents;
    return metaToJson({
      baseId: this.baseId, first, last, maxParallelism,
      keyType: types.key?.schema ?? null, states, offsets: this.offsets, rowCount: this.size.rowCount,
      timerCount: this.timers.count,
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
    if (!this.timers.isDone) {
      this.timers.step();
      return new Uint8Array(0);
    }
    try {
      return this.scanRow < this.rowLimit ? this.scan(sizeBytes) : this.emit(sizeBytes);
    } catch (thrown) {
      this.failure = thrown as ClusterError;
      throw thrown;
    }
  }

  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.sections.clear();
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
    return keyGroup < this.bandStart || (keyGroup < this.bandEnd && row < this.scanRow);
  }

  private get isOneGroup(): boolean {
    return this.bandEnd - this.bandStart === 1;
  }

  private beginBand(start: number, width: number): void {
    this.bandStart = this.emitGroup = start;
    this.bandEnd = Math.min(start + Math.max(1, width), this.contents.range.last + 1);
    this.bandSizeBytes = 0;
    this.scanRow = 0;
  }

  private scan(sizeBytes: number): Uint8Array {
    const { table } = this.contents;
    if (this.isOneGroup) this.beginSection();
    const rowEnd = Math.min(this.scanRow + ROWS_SCANNED, this.rowLimit);
    let writtenBytes = 0;
    let row = this.scanRow;
    for (; row < rowEnd && writtenBytes < sizeBytes; row++) {
      const keyGroup = table.keyGroupAt(row);
      if (keyGroup < this.bandStart || keyGroup >= this.bandEnd || !this.belongs(row)) continue;
      writtenBytes += this.writeRow(row, this.sectionOf(keyGroup));
    }
    this.scanRow = row;
    this.bandSizeBytes += writtenBytes;
    return this.isOneGroup ? this.output.slice(Infinity) : new Uint8Array(0);
  }

  private emit(sizeBytes: number): Uint8Array {
    while (this.emitGroup < this.bandEnd && this.output.waitingBytes < sizeBytes) {
      const section = this.beginSection();
      section.end(this.timers.of(this.emitGroup));
      this.sections.delete(this.emitGroup);
      this.emitGroup += 1;
    }
    const bytes = this.output.slice(sizeBytes);
    if (this.emitGroup === this.bandEnd && this.output.waitingBytes === 0) this.endBand();
    return bytes;
  }

  /** The section of `emitGroup`, at the end of the file so far; it goes on there. */
  private beginSection(): SectionWriter {
    const section = this.sectionOf(this.emitGroup);
    const { sink, endOffset } = this.output;
    if (section.sink === sink) return section;
    this.offsets.push(endOffset);
    section.moveTo(sink);
    return section;
  }

  private endBand(): void {
    const { last } = this.contents.range;
    const groupSizeBytes = this.bandSizeBytes / (this.bandEnd - this.bandStart);
    if (this.bandEnd <= last) return this.beginBand(this.bandEnd, Math.floor(Math.min(BAND_SIZE_BYTES / groupSizeBytes, last + 1)));
    this.bandStart = this.bandEnd;
    this.offsets.push(this.size.bytes);
    this.isComplete = true;
    this.release();
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

  /** Answers its size in bytes. */
  private writeRow(row: number, section: SectionWriter): number {
    const { table, states } = this.contents;
    const before = section.sink.position;
    section.beginRow(table.keyAt(row));
    table.writeCells(row, states.length, section);
    section.endRow();
    this.size.rowCount += 1;
    return section.sink.position - before;
  }
}
