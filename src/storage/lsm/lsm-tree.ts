/**
 * A sorted store on local disk, larger than memory: what is put goes to a memtable; full ones are written as files, which are
 * merged level by level. There is no log: what is in it when its process dies is restored from a checkpoint, so files are
 * not even opened again.
 *
 *     put ──► memtable ──► memtables that are closed ──► level 0 ──► level 1 ──► …         newest first; the first that knows
 *     find    └────────────────── memory ──────────┘    └── files: a filter, then one block ──┘    the key decides
 *
 * All of it runs on its owner's thread: `work` writes and merges a slice at a time, and the owner calls it as it puts.
 * Each table has a number, in the order of time. What came after a number can be had by itself, as increments need it,
 * from the tables and files as they were written first, which are kept for that.
 */
import { mkdirSync } from 'node:fs';
import { assert } from '../../base/assert.ts';
import { storageFault } from '../storage-fault.ts';
import type { BlockCache } from './block-cache.ts';
import { MergeCursor } from './block-format.ts';
import { Span, type EntryCursor, type EntrySource } from './entry.ts';
import { FileMerge } from './file-merge.ts';
import { ChainCursor, fileFor, merged, nextMerge, type Levels, type MergePlan } from './levels.ts';
import { Memtable } from './memtable.ts';
import { deleteLocalDirectory, type SortedFile } from './sorted-file.ts';

/** Sizes in bytes. */
export interface LsmOptions {
  /** Made, and deleted with all that is in it by `close`. */
  readonly directory: string;
  readonly cache: BlockCache;
  memtableSizeBytes(): number;
  readonly fileSizeBytes: number;
}

/** Closed memtables that wait for being written, and files of level 0, beyond which `put` waits for the work to be done. */
const MEMORY_TABLES_MAX = 8;
const LEVEL_0_FILES_MAX = 12;
/** Tables that are smaller in sum become one, and no file: checkpoints of little state make many. */
const COMBINED_SIZE_BYTES_MAX = 256 * 1024;
/** What level 1 may have, in files. */
const FIRST_LEVEL_FILES = 4;

/** The sequence of a table that was made of others. */
const COMBINED = 0;

/** A memtable in the order of time. */
interface NumberedTable {
  readonly table: Memtable;
  readonly sequence: number;
  isOpen: boolean;
}

/** What was written first, in the order of time. */
interface Recent {
  readonly sequence: number;
  source: EntrySource;
}

interface Job {
  readonly merge: FileMerge;
  end(outputs: readonly SortedFile[]): void;
}

/** Entries as they were at some time, or those that came after one. Holds its files. */
export class Pinned {
  private readonly memory: readonly EntrySource[];
  private readonly levels: readonly (readonly EntrySource[])[];
  private isReleased = false;

  /** Newest first. */
  constructor(memory: readonly EntrySource[], levels: readonly (readonly EntrySource[])[]) {
    this.memory = memory;
    this.levels = levels;
    for (const file of levels.flat()) file.retain();
  }

  cursor(): EntryCursor {
    const [overlapping = [], ...deeper] = this.levels;
    return new MergeCursor([
      ...[...this.memory, ...overlapping].map((source) => source.cursor()),
      ...deeper.map((files) => new ChainCursor(files)),
    ]);
  }

  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    for (const file of this.levels.flat()) file.release();
  }
}

/** See the file's head. */
export class LsmTree {
  /** What `find` found. */
  readonly value = new Span();
  private readonly options: LsmOptions;
  private sequence = 0;
  private active: NumberedTable;
  /** Closed ones and seals, newest first. */
  private memory: readonly NumberedTable[] = [];
  private levels: Levels = [[]];
  private readonly mergeCursors: number[] = [];
  private job: Job | null = null;
  private fileCount = 0;
  private recents: Recent[] = [];
  private keepsRecents = false;

  constructor(options: LsmOptions) {
    this.options = options;
    this.active = this.newTable();
  }

  /** Bytes on disk and in memtables. */
  get sizeBytes(): number {
    const tables = this.memory.reduce((size, { table }) => size + table.sizeBytes, this.active.table.sizeBytes);
    return this.levels.flat().reduce((size, file) => size + file.sizeBytes, tables);
  }

  /** Of what is kept for increments. */
  get recentSizeBytes(): number {
    return this.recents.reduce((size, { source }) => size + source.sizeBytes, 0);
  }

  put(place: number, key: Span, value: Span): void {
    if (this.active.table.isFull || this.active.table.sizeBytes >= this.options.memtableSizeBytes()) this.closeActive();
    this.active.table.put(place, key, value);
  }

  /** Whether the key has a value; `value` shows it until the next call. Throws DATA_CORRUPT, naming file and block. */
  find(place: number, key: Span): boolean {
    return this.findNewest(place, key) && this.value.end > this.value.start;
  }

  /**
   * Begins a table that is older than whatever is put from now on, and newer than all there is: the owner fills it
   * with what it has not put yet. `closeSeal` ends it.
   */
  openSeal(): { readonly table: Memtable; readonly sequence: number } {
    this.closeActive();
    const seal = this.newTable();
    this.memory = [seal, ...this.memory];
    this.active = this.newTable();
    if (this.keepsRecents) this.recents.push({ sequence: seal.sequence, source: seal.table });
    return seal;
  }

  closeSeal(sequence: number): void {
    for (const table of this.memory) if (table.sequence === sequence) table.isOpen = false;
  }

  /** All that is not newer than the newest seal. */
  pin(): Pinned {
    assert(this.active.table.isEmpty, 'entries are pinned as a seal is opened');
    return new Pinned(this.memory.map(({ table }) => table), this.levels);
  }

  /** All there is, for as long as nothing is put. */
  view(): Pinned {
    return new Pinned([this.active.table, ...this.memory.map(({ table }) => table)], this.levels);
  }

  /** Whether `pinSince` may be asked. */
  get isKeeping(): boolean {
    return this.keepsRecents;
  }

  /** What came after the table `sequence`. */
  pinSince(sequence: number): Pinned {
    return new Pinned([], [this.recents.filter((recent) => recent.sequence > sequence).map(({ source }) => source).toReversed()]);
  }

  /** From now on `pinSince` may be asked for what comes after `sequence`; null: it will not be asked. */
  keepSince(sequence: number | null): void {
    this.keepsRecents = sequence !== null;
    const [gone, kept] = [[] as Recent[], [] as Recent[]];
    for (const recent of this.recents) (sequence === null || recent.sequence <= sequence ? gone : kept).push(recent);
    this.recents = kept;
    for (const { source } of gone) source.release();
  }

  /** Writes and merges: about `sizeBytes`, when there is so much to do. */
  work(sizeBytes: number): void {
    for (let left = sizeBytes; left > 0;) {
      const job = (this.job ??= this.nextJob());
      if (job === null) return;
      const slice = Math.min(left, this.options.fileSizeBytes);
      left -= slice;
      if (!job.merge.step(slice)) continue;
      this.job = null;
      job.end(job.merge.outputs);
    }
  }

  /** Idempotent. What is pinned can still be read. */
  close(): void {
    this.job?.merge.abort();
    this.job = null;
    this.keepSince(null);
    for (const file of this.levels.flat()) file.release();
    this.levels = [[]];
    this.memory = [];
    deleteLocalDirectory(this.options.directory);
  }

  private findNewest(place: number, key: Span): boolean {
    const { value } = this;
    if (this.active.table.find(place, key, value)) return true;
    for (const { table } of this.memory) if (table.find(place, key, value)) return true;
    const { levels } = this;
    for (const file of levels[0] as readonly SortedFile[]) if (file.find(place, key, value)) return true;
    for (let level = 1; level < levels.length; level++) {
      const files = levels[level] as readonly SortedFile[];
      const index = fileFor(files, place);
      if (index >= 0 && (files[index] as SortedFile).find(place, key, value)) return true;
    }
    return false;
  }

  private newTable(): NumberedTable {
    return { table: new Memtable(), sequence: ++this.sequence, isOpen: true };
  }

  private closeActive(): void {
    const { active } = this;
    if (!active.table.isEmpty) {
      active.isOpen = false;
      this.memory = [active, ...this.memory];
      this.active = this.newTable();
      if (this.keepsRecents) this.recents.push({ sequence: active.sequence, source: active.table });
    }
    if (this.memory.length > MEMORY_TABLES_MAX / 2) this.combineTables();
    while (this.isBehind()) this.work(this.options.fileSizeBytes);
  }

  /** The oldest ones, as far as they are closed. Recents keep them as they were. */
  private combineTables(): void {
    const closed = this.memory.slice(this.memory.findLastIndex(({ isOpen }) => isOpen) + 1);
    const sizeBytes = closed.reduce((size, { table }) => size + table.sizeBytes, 0);
    if (closed.length < 2 || sizeBytes > COMBINED_SIZE_BYTES_MAX || this.job !== null) return;
    const table = new Memtable();
    for (const cursor = new MergeCursor(closed.map((each) => each.table.cursor())); cursor.next();) {
      table.put(cursor.place, cursor.key, cursor.value);
    }
    this.memory = [...this.memory.slice(0, -closed.length), { table, sequence: COMBINED, isOpen: false }];
  }

  /** So much is waiting that what is put has to wait for it. */
  private isBehind(): boolean {
    const canWork = this.job !== null || this.memory.at(-1)?.isOpen === false;
    return (this.memory.length > MEMORY_TABLES_MAX && canWork) || (this.levels[0] ?? []).length > LEVEL_0_FILES_MAX;
  }

  private nextJob(): Job | null {
    const oldest = this.memory.at(-1);
    if (oldest !== undefined && !oldest.isOpen && this.isMemoryFull()) return this.writeTable(oldest);
    const plan = nextMerge(this.levels, FIRST_LEVEL_FILES * this.options.fileSizeBytes, this.mergeCursors);
    return plan === null ? null : this.merge(plan);
  }

  private isMemoryFull(): boolean {
    const sizeBytes = this.memory.reduce((size, { table }) => size + table.sizeBytes, 0);
    return sizeBytes >= this.options.memtableSizeBytes() || this.memory.length > MEMORY_TABLES_MAX / 2;
  }

  private writeTable(written: NumberedTable): Job {
    const { table, sequence } = written;
    const merge = new FileMerge(table.cursor(), this.output(Infinity, false));
    return {
      merge,
      end: (outputs) => {
        this.memory = this.memory.filter((other) => other !== written);
        const recent = this.recents.find((each) => each.sequence === sequence);
        const [file] = outputs;
        if (file === undefined) return;
        this.levels = [[file, ...(this.levels[0] ?? [])], ...this.levels.slice(1)];
        if (recent === undefined) return;
        file.retain();
        recent.source = file;
      },
    };
  }

  private merge(plan: MergePlan): Job {
    const { newer, older, isLast } = plan;
    const cursor = new MergeCursor([...newer.map((file) => file.cursor()), new ChainCursor(older)]);
    return {
      merge: new FileMerge(cursor, this.output(this.options.fileSizeBytes, isLast)),
      end: (outputs) => {
        this.levels = merged(this.levels, plan, outputs);
        for (const file of [...newer, ...older]) file.release();
      },
    };
  }

  /** The directory is made for the first. */
  private nextPath(): string {
    const { directory } = this.options;
    if (this.fileCount === 0) {
      try {
        mkdirSync(directory, { recursive: true });
      } catch (thrown) {
        throw storageFault('create', directory, thrown);
      }
    }
    return `${directory}/${++this.fileCount}.sorted`;
  }

  private output(fileSizeBytes: number, dropsGone: boolean): ConstructorParameters<typeof FileMerge>[1] {
    return { cache: this.options.cache, fileSizeBytes, dropsGone, nextPath: () => this.nextPath() };
  }
}
