/**
 * One snapshot of a store on disk. What it is made of was fixed when it was opened: tables and files that never change, and a
 * seal, which gets the rows that only the row cache has. Then all of them are merged in the order of key groups.
 *
 *     group    timers are grouped by key group
 *     seal     rows of the cache that have changed go to the seal; one that is touched goes there first
 *     emit     the merged entries, section by section
 *
 * An increment is made of what was written since its base, so the bytes that are read and sent are those of changed keys.
 * The file is that of state/snapshot-format.ts, whatever the mode: rows are copied into it as they lie on disk.
 */
import type { JsonObject } from '../protocol/json.ts';
import type { EntryCursor } from '../storage/lsm/entry.ts';
import { groupOfPlace } from '../storage/lsm/entry.ts';
import type { Pinned } from '../storage/lsm/lsm-tree.ts';
import type { KeyedSnapshot, KeyGroupRange } from './keyed-state-store.ts';
import { metaToJson, SectionWriter, type SectionTypes, type StateDescription } from './snapshot-format.ts';
import { SnapshotOutput } from './snapshot-output.ts';
import type { TimerGroups } from './timer-groups.ts';

/** What a snapshot is made of. */
export interface LsmSnapshotContents {
  readonly baseId: number | null;
  readonly pinned: Pinned;
  readonly range: KeyGroupRange;
  readonly states: readonly StateDescription[];
  readonly types: SectionTypes;
  readonly timers: TimerGroups;
  /** Fills the seal with what else belongs to it; false: there is more. Throws what could not be encoded. */
  fillSeal(): boolean;
  /** Writes a row with values as bytes into a section; false: nothing of it is left. */
  writeRow(section: SectionWriter, cursor: EntryCursor): boolean;
  /** Writes that a key is gone. */
  writeGone(section: SectionWriter, cursor: EntryCursor): void;
  onReleased(isComplete: boolean): void;
}

export class LsmSnapshot implements KeyedSnapshot {
  readonly baseId: number | null;
  private readonly contents: LsmSnapshotContents;
  private readonly output = new SnapshotOutput();
  private readonly offsets: number[] = [];
  private readonly namespaced: readonly boolean[];
  private isSealed = false;
  private cursor: EntryCursor | null = null;
  private hasEntry = false;
  private section: SectionWriter | null = null;
  /** The key group that is being written. */
  private keyGroup: number;
  private isReleased = false;
  private isComplete = false;

  constructor(contents: LsmSnapshotContents) {
    this.contents = contents;
    this.baseId = contents.baseId;
    this.keyGroup = contents.range.first;
    this.namespaced = contents.states.map(({ namespaced }) => namespaced !== null);
  }

  /** Of the whole file, after the last slice. */
  get size(): SnapshotOutput['size'] {
    return this.output.size;
  }

  get meta(): JsonObject {
    const { range: { first, last, maxParallelism }, states, types, timers } = this.contents;
    return metaToJson({
      baseId: this.baseId, first, last, maxParallelism,
      keyType: types.key?.schema ?? null, states, offsets: this.offsets, rowCount: this.size.rowCount, timerCount: timers.count,
    });
  }

  next(sizeBytes: number): Uint8Array | null {
    if (this.isComplete) return null;
    const { timers, range } = this.contents;
    if (!timers.isDone) timers.step();
    else if (!this.isSealed) this.isSealed = this.contents.fillSeal();
    else {
      this.emit(sizeBytes);
      if (this.keyGroup > range.last && this.output.waitingBytes === 0) this.complete();
      return this.output.slice(sizeBytes);
    }
    return new Uint8Array(0);
  }

  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.contents.pinned.release();
    this.contents.onReleased(this.isComplete);
  }

  private emit(sizeBytes: number): void {
    const { output, contents: { range } } = this;
    if (this.cursor === null) {
      this.cursor = this.contents.pinned.cursor();
      this.hasEntry = this.cursor.next();
    }
    while (this.keyGroup <= range.last && output.waitingBytes < sizeBytes) {
      this.section ??= this.beginSection();
      if (this.hasEntry && groupOfPlace(this.cursor.place) === this.keyGroup) this.writeEntry(this.section, this.cursor);
      else this.endSection(this.section);
    }
  }

  private beginSection(): SectionWriter {
    this.offsets.push(this.output.endOffset);
    return new SectionWriter(this.output.sink, this.contents.types, this.namespaced);
  }

  private endSection(section: SectionWriter): void {
    section.end(this.contents.timers.of(this.keyGroup));
    this.section = null;
    this.keyGroup += 1;
  }

  private writeEntry(section: SectionWriter, cursor: EntryCursor): void {
    const hasValues = cursor.value.end > cursor.value.start;
    if (hasValues && this.contents.writeRow(section, cursor)) this.size.rowCount += 1;
    else if (this.baseId !== null) this.contents.writeGone(section, cursor);
    this.hasEntry = cursor.next();
  }

  private complete(): void {
    this.offsets.push(this.size.bytes);
    this.isComplete = true;
    this.release();
  }
}
