/**
 * The `rocksdb` state backend: keyed state that may be larger than memory. Its rows are those of the heap store, but only so many
 * of them at once: they are a cache over a sorted store on local disk (storage/lsm), which has each row as one entry.
 *
 *     setKey(k) ─► row index ─► row                 as on the heap: a key that comes often costs no encoding
 *                      └ no row ─► sorted store ─► row        and some row that was not used lately goes back
 *
 * A row is clean when the sorted store has it as it is (version 0), and else has the epoch of its last touch. Rows go back a few
 * at a time, when a row is looked for that the cache lacks: no caller has a row in hand then.
 *
 * Unlike Flink: what a key has, in all states and namespaces, is read and written as one. A map or list of one key fits memory.
 */
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { BlockCache } from '../storage/lsm/block-cache.ts';
import { placeOf, Span, type EntryCursor } from '../storage/lsm/entry.ts';
import { LsmTree, type Pinned } from '../storage/lsm/lsm-tree.ts';
import type { Memtable } from '../storage/lsm/memtable.ts';
import type { Cells } from './cells.ts';
import { describeState, HeapStateStore, notWritable, type DeclaredState, type StateKind } from './heap-backend.ts';
import { TIMER_DOMAINS } from './keyed-state-store.ts';
import type {
  KeyedSnapshot, KeyGroupRange, Ownership, SnapshotMode, StateBackend, StateEntry, StateOptions, StateStoreOptions,
} from './keyed-state-store.ts';
import { LsmSnapshot } from './lsm-snapshot.ts';
import type { Namespace } from './namespace.ts';
import { RowCodec } from './row-codec.ts';
import { NO_ROW } from './row-index.ts';
import { SnapshotChains } from './snapshot-chains.ts';
import type { SectionTypes, SectionWriter } from './snapshot-format.ts';
import { TimerGroups } from './timer-groups.ts';

/** What the stores of one slot share. */
interface LsmBackendOptions {
  /** Each store has a directory of its own in it, which is deleted when the store is closed. */
  readonly directory: string;
  /** For caches and memtables of all stores; what rows of the cache take is estimated. */
  readonly memorySizeBytes: number;
}

const MEMTABLE_SIZE_BYTES_MAX = 16 * 1024 * 1024;
const FILE_SIZE_BYTES_MAX = 8 * 1024 * 1024;
const FILE_SIZE_BYTES_MIN = 64 * 1024;
/** What a row takes in memory: its columns, and the objects of its key and values by their size as bytes. */
const ROW_SIZE_BYTES = 96;
const OBJECT_GROWTH = 4;
const ENCODED_SIZE_BYTES_INITIAL = 64;
/** A table of the sorted store, which may get all rows of the cache, has no more entries. */
const ROWS_MAX = 1 << 21;
const ROWS_MIN = 4;
/** Rows that go back at a time. */
const ROWS_EVICTED = 64;
/** Rows that one call looks at to fill a seal. */
const ROWS_SEALED = 16_384;
/** Merged for each byte that is put: what deeper levels have is written again about so often. */
const MERGED_PER_BYTE = 16;
/** So much may always be kept for increments. */
const RECENT_SIZE_BYTES_MIN = 1024 * 1024;
/** Between looks at what is kept for increments, in calls that evict. */
const RECENT_CHECK_INTERVAL = 256;

/** Memory of a slot, divided among the stores that are open. */
class SharedMemory {
  readonly cache: BlockCache;
  storeCount = 0;
  readonly fileSizeBytes: number;
  private readonly sizeBytes: number;

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
    this.cache = new BlockCache(sizeBytes / 2);
    this.fileSizeBytes = Math.max(FILE_SIZE_BYTES_MIN, Math.min(sizeBytes / 4, FILE_SIZE_BYTES_MAX));
  }

  get rowsSizeBytes(): number {
    return this.sizeBytes / 4 / this.storeCount;
  }

  /** Two of them, with what is being written, are in memory at a time. */
  get memtableSizeBytes(): number {
    return Math.min(this.sizeBytes / 8 / this.storeCount, MEMTABLE_SIZE_BYTES_MAX);
  }
}

/** Opens stores on local disk. */
export function lsmBackend({ directory, memorySizeBytes }: LsmBackendOptions): StateBackend {
  const memory = new SharedMemory(memorySizeBytes);
  let count = 0;
  return { name: 'rocksdb', open: (options) => new LsmStateStore(options, `${directory}/${++count}`, memory) };
}

/** Rows of the cache as they were when a snapshot was opened go to its table. */
interface Seal {
  readonly table: Memtable;
  readonly sequence: number;
  readonly epoch: number;
  readonly rowLimit: number;
  scanRow: number;
  failure: unknown;
}

class LsmStateStore extends HeapStateStore {
  private readonly tree: LsmTree;
  private readonly codec: RowCodec;
  private readonly chains = new SnapshotChains();
  private readonly memory: SharedMemory;
  private isClosed = false;
  private rowsMax = 0;
  /** Of a row as bytes, lately. */
  private encodedSizeBytes = ENCODED_SIZE_BYTES_INITIAL;
  private isLayoutNew = true;
  /** Open ones, oldest first. */
  private readonly seals: Seal[] = [];
  /** Rows that were found since the clock hand passed. */
  private used: Uint8Array = new Uint8Array(ROWS_MIN);
  private hand = 0;
  private evictions = 0;
  /** Keys, and their values, that only the sorted store has. */
  private coldRowCount = 0;
  private coldValueCount = 0;
  private readonly keySpan = new Span();
  private readonly rowSpan = new Span();
  private readonly readCell = (state: number, namespace: Namespace, value: unknown): void => {
    this.slots.select(namespace);
    (this.states[state] as DeclaredState).cells.put(value);
  };

  constructor(options: StateStoreOptions, directory: string, memory: SharedMemory) {
    super(options);
    this.epoch = 1;
    this.codec = new RowCodec(options.keyType);
    this.memory = memory;
    memory.storeCount += 1;
    this.limitRows();
    this.tree = new LsmTree({
      directory, cache: memory.cache, memtableSizeBytes: () => memory.memtableSizeBytes, fileSizeBytes: memory.fileSizeBytes,
    });
  }

  override get entryCount(): number {
    return super.entryCount + this.coldValueCount;
  }

  override *entries(range: KeyGroupRange): Generator<StateEntry> {
    const found = [...super.entries(range)];
    this.visitCold((key, row) => {
      const keyGroup = this.keyGroupOfKey(key);
      if (keyGroup < range.first || keyGroup > range.last) return;
      this.codec.readRow(row.store, [row.start, row.end], (state, namespace, value) => {
        found.push({ state: (this.states[state] as DeclaredState).name, keyGroup, key, namespace, value });
      });
    });
    yield* found.toSorted((a, b) => a.keyGroup - b.keyGroup);
  }

  override keysOf(name: string): readonly unknown[] {
    const keys = [...super.keysOf(name)];
    this.visitCold((key, row) => {
      let has = false;
      this.codec.readRow(row.store, [row.start, row.end], (state) => {
        has ||= this.states[state]?.name === name;
      });
      if (has) keys.push(key);
    });
    return keys;
  }

  override snapshot(checkpointId: number, mode: SnapshotMode): KeyedSnapshot {
    this.limitRecent();
    const base = mode === 'incremental' ? this.chains.usableBase(this.liveRowCount + this.coldRowCount) : null;
    if (!this.tree.isKeeping) this.tree.keepSince(0);
    const { table, sequence } = this.tree.openSeal();
    this.seals.push({ table, sequence, epoch: this.epoch, rowLimit: this.rowLimit, scanRow: 0, failure: null });
    this.epoch += 1;
    const pinned = base === null ? this.tree.pin() : this.tree.pinSince(base.mark);
    const snapshot = this.openSnapshot(pinned, base?.checkpointId ?? null, [checkpointId, sequence]);
    this.chains.begin(checkpointId, sequence, base, snapshot.size);
    return snapshot;
  }

  override confirm(checkpointId: number): void {
    if (this.chains.confirm(checkpointId) && this.tree.isKeeping) this.tree.keepSince(this.chains.confirmedMark);
  }

  override close(): void {
    this.tree.close();
    if (!this.isClosed) this.memory.storeCount -= 1;
    this.isClosed = true;
    super.close();
  }

  protected override findSelected(): number {
    const row = super.findSelected();
    if (row === NO_ROW) return this.load();
    this.used[row] = 1;
    return row;
  }

  protected override addSelected(): number {
    const row = super.addSelected();
    if (row >= this.used.length) {
      const longer = new Uint8Array(2 * row);
      longer.set(this.used);
      this.used = longer;
    }
    this.used[row] = 0;
    return row;
  }

  /** Nothing else: idle rows go back as others do. */
  protected override onIdle(): void {
    this.idleCount += 1;
  }

  protected override beforeChange(row: number): void {
    const version = this.versionAt(row);
    if (version === 0) return;
    const seal = this.seals.find(({ epoch }) => epoch >= version);
    if (seal === undefined) return;
    try {
      this.writeRow(row, seal.table);
    } catch (thrown) {
      seal.failure = thrown; // It is the checkpoint that fails, not the record at hand.
    }
  }

  protected override declare(name: string, kind: StateKind, type: TypeDescriptor<unknown> | null, options: StateOptions): Cells {
    this.isLayoutNew = true;
    return super.declare(name, kind, type, options);
  }

  protected override addState(state: Omit<DeclaredState, 'cells'>, ownership: Ownership): DeclaredState {
    this.isLayoutNew = true;
    return super.addState(state, ownership);
  }

  /** The row of the selected key, from the sorted store. */
  private load(): number {
    if (this.usedRowCount >= this.rowsMax) this.evictSome();
    if (this.coldRowCount === 0) return NO_ROW;
    const place = this.encodeKey(this.selectedKey);
    if (!this.tree.find(place, this.keySpan)) return NO_ROW;
    const { store, start, end } = this.tree.value;
    const row = this.addSelected();
    const { selected } = this.slots;
    this.coldValueCount -= this.codec.readRow(store, [start, end], this.readCell);
    this.coldRowCount -= 1;
    this.slots.select(selected);
    this.versions[row] = this.births[row] = 0;
    this.used[row] = 1;
    return row;
  }

  private evictSome(): void {
    let evicted = 0;
    let putBytes = 0;
    for (let looked = 2 * this.rowLimit; looked > 0 && evicted < ROWS_EVICTED; looked--) {
      this.hand = this.hand + 1 >= this.rowLimit ? 0 : this.hand + 1;
      if (this.versionAt(this.hand) < 0) continue;
      if (this.used[this.hand] === 1) {
        this.used[this.hand] = 0;
        continue;
      }
      putBytes += this.evict(this.hand);
      evicted += 1;
    }
    if (this.seals.length > 0) this.scanSeal(ROWS_EVICTED);
    this.tree.work(MERGED_PER_BYTE * putBytes);
    this.limitRows();
    if (++this.evictions % RECENT_CHECK_INTERVAL === 0) this.limitRecent();
  }

  /** Answers how many bytes were put. */
  private evict(row: number): number {
    this.beforeChange(row);
    const putBytes = this.versionAt(row) > 0 ? this.writeRow(row, this.tree) : 0;
    const valueCount = this.valueCounts[row] as number;
    if (valueCount > 0) {
      this.coldRowCount += 1;
      this.coldValueCount += valueCount;
      this.versions[row] = this.epoch;
      for (const { cells } of this.states) cells.clearRow(row);
    }
    this.forget(row);
    return putBytes;
  }

  /** The row as it is goes to `target`, and is clean. Answers its size in bytes. */
  private writeRow(row: number, target: { put(place: number, key: Span, value: Span): void }): number {
    const isIdle = this.isIdle(row);
    // A key that came and went since it was written last leaves nothing.
    if (!isIdle || this.birthAt(row) === 0) {
      const place = this.encodeKey(this.keyAt(row));
      this.encodeRow(row, isIdle);
      target.put(place, this.keySpan, this.rowSpan);
      this.births[row] = 0;
    }
    this.versions[row] = 0;
    return this.keySpan.end + this.rowSpan.end;
  }

  private encodeKey(key: unknown): number {
    const hash = this.hash(key);
    this.codec.encodeKey(key);
    this.keySpan.set(this.codec.key.store, 0, this.codec.key.position);
    return placeOf(this.keyGroupOfHash(hash), hash);
  }

  private encodeRow(row: number, isIdle: boolean): void {
    const { codec } = this;
    if (isIdle) return this.rowSpan.set(codec.row.store, 0, 0);
    if (this.isLayoutNew) {
      codec.declare(this.states.map(({ type, namespaced }) => ({ type, isNamespaced: namespaced !== null })));
      this.isLayoutNew = false;
    }
    codec.beginRow();
    for (let i = 0; i < this.states.length; i++) {
      codec.state = i;
      const { name, cells } = this.states[i] as DeclaredState;
      try {
        cells.visitRow(row, codec.visit);
      } catch (thrown) {
        throw notWritable(`operator '${this.options.operatorName ?? ''}', state '${name}'`, this.keyAt(row), thrown);
      }
    }
    codec.endRow();
    this.rowSpan.set(codec.row.store, 0, codec.row.position);
    this.encodedSizeBytes += (this.keySpan.end + this.rowSpan.end - this.encodedSizeBytes) / 1024;
  }

  private limitRows(): void {
    const rows = this.memory.rowsSizeBytes / (ROW_SIZE_BYTES + OBJECT_GROWTH * this.encodedSizeBytes);
    this.rowsMax = Math.max(ROWS_MIN, Math.min(ROWS_MAX, Math.floor(rows)));
  }

  /** Increments whose base is long ago would cost more than they save. */
  private limitRecent(): void {
    if (!this.tree.isKeeping || this.tree.recentSizeBytes <= 2 * this.tree.sizeBytes + RECENT_SIZE_BYTES_MIN) return;
    this.chains.forget();
    this.tree.keepSince(null);
  }

  private openSnapshot(pinned: Pinned, baseId: number | null, [checkpointId, sequence]: readonly [number, number]): LsmSnapshot {
    const types = { key: this.options.keyType, cells: this.states.map(({ type }) => type) };
    const expires = [...this.expiring.values()].some(({ inSnapshots }) => inSnapshots);
    return new LsmSnapshot({
      baseId, pinned, types,
      range: this.options.keyGroups,
      states: this.states.map(describeState),
      timers: new TimerGroups(TIMER_DOMAINS.map((domain) => this.timers?.capture(domain) ?? []), (key) => this.keyGroupOfKey(key)),
      fillSeal: () => this.fillSeal(sequence),
      writeRow: (section, cursor) => (!expires && this.copyRow(section, cursor, types)) || this.writeDecoded(section, cursor, types),
      writeGone: (section, { key }) => {
        section.beginRow(this.codec.decodeKey(key.store, key.start, key.end));
        section.endRow();
      },
      onReleased: (isComplete) => {
        if (isComplete) return;
        this.chains.drop(checkpointId);
        this.dropSeal(sequence);
      },
    });
  }

  /** False when the row has to be decoded. */
  private copyRow(section: SectionWriter, { key, value }: EntryCursor, types: SectionTypes): boolean {
    const start = this.codec.sectionCells(value.store, [value.start, value.end], types);
    if (start < 0) return false;
    this.rowSpan.set(value.store, start, value.end);
    section.rawRow(key, this.rowSpan);
    return true;
  }

  /** False when nothing of it is left. */
  private writeDecoded(section: SectionWriter, { key, value }: EntryCursor, types: SectionTypes): boolean {
    const cells: (readonly [number, Namespace, unknown])[] = [];
    this.codec.readRow(value.store, [value.start, value.end], (state, namespace, found) => {
      const expiring = this.expiring.get((this.states[state] as DeclaredState).name);
      const kept = expiring?.inSnapshots === true ? expiring.keep(found) : found;
      if (kept !== undefined && state < types.cells.length) cells.push([state, namespace, kept]);
    });
    if (cells.length === 0) return false;
    section.beginRow(this.codec.decodeKey(key.store, key.start, key.end));
    for (const [state, namespace, kept] of cells) {
      section.state = state;
      section.visit(namespace, kept);
    }
    section.endRow();
    return true;
  }

  /** True when the seal has all it should have. Older ones come first. */
  private fillSeal(sequence: number): boolean {
    const [oldest] = this.seals;
    if (oldest === undefined || oldest.sequence > sequence) return true;
    this.scanSeal(ROWS_SEALED);
    if (oldest.failure !== null) throw oldest.failure as Error;
    return this.seals[0] === undefined || this.seals[0].sequence > sequence;
  }

  /** Fills the oldest seal. */
  private scanSeal(rowCount: number): void {
    const seal = this.seals[0] as Seal;
    const end = Math.min(seal.scanRow + rowCount, seal.rowLimit);
    for (; seal.scanRow < end; seal.scanRow++) {
      const version = this.versionAt(seal.scanRow);
      if (version > 0 && version <= seal.epoch) this.beforeChange(seal.scanRow);
    }
    if (end === seal.rowLimit && seal.failure === null) this.dropSeal(seal.sequence);
  }

  /** It is full, or given up: what it lacks goes to the next one. */
  private dropSeal(sequence: number): void {
    const index = this.seals.findIndex((seal) => seal.sequence === sequence);
    if (index < 0) return;
    this.tree.closeSeal(sequence);
    const [{ failure } = { failure: null }] = this.seals.splice(index, 1);
    const next = this.seals[index];
    if (next !== undefined) next.failure ??= failure;
  }

  /** Rows that only the sorted store has. */
  private visitCold(visit: (key: unknown, row: Span) => void): void {
    const all = this.tree.view();
    try {
      const cursor = all.cursor();
      while (cursor.next()) {
        const { key, value } = cursor;
        if (value.end === value.start) continue;
        const decoded = this.codec.decodeKey(key.store, key.start, key.end);
        if (this.rowOf(decoded) === NO_ROW) visit(decoded, value);
      }
    } finally {
      all.release();
    }
  }
}
