/**
 * The `hashmap` state backend: keyed state on the heap, as a table. A row is a key, a column is a state;
 * an index finds the row of the selected key once per record, however many states are read and written.
 *
 *     setKey(k) ─► row index ─► row 5      │ count │ last │
 *                                  row 5 ─►│  17   │ 'ab' │
 *
 * Rows never move while they live, and a freed row is reused. Every touch passes `row`, `rowForWriting`
 * or `onCleared`: an open snapshot therefore needs a cursor over the rows and one bit per row, and
 * encodes a row at its first touch; nothing is copied when it opens. Rows do not store their key group:
 * it follows from the key and is computed when rows are written out.
 *
 * Invariants (test/conformance/state-store.ts): a row is in the index exactly when a column has a value for it.
 */
import { ClusterError } from '../protocol/errors.ts';
import type { ValueState } from '../graph/functions.ts';
import { keyGroupOf } from '../graph/key-groups.ts';
import { keyHashOf, type KeyHash } from '../graph/key-hash.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { KeyedStateStore, KeyGroupRange, Ownership, StateBackend, StateEntry, StateStoreOptions } from './keyed-state-store.ts';
import { keyEqualsOf } from './key-equality.ts';
import { HashedRowIndex, NO_ROW, NumberRowIndex } from './row-index.ts';
import { copyAny } from './stored-value.ts';
import { ValueColumn, type RowSelector } from './value-column.ts';

/** The row of the selected key has not been looked up. */
const UNRESOLVED = -2;
/** Kinds of key (TypeDescriptor.schema) that are surely numbers, and those that surely are not. */
const NUMBER_KEYS: ReadonlySet<unknown> = new Set(['int32', 'float64', 'timestamp']);
const MIXED_KEYS: ReadonlySet<unknown> = new Set(['literal']);

/** Opens heap stores. */
export const heapBackend: StateBackend = {
  name: 'hashmap',
  open: (options) => new HeapStateStore(options),
};

class HeapStateStore implements KeyedStateStore, RowSelector {
  private readonly options: StateStoreOptions;
  private readonly hash: KeyHash;
  /** Exactly one of the two is in use. Undeclared keys begin as numbers, until one is not. */
  private numberIndex: NumberRowIndex | null;
  private readonly hashedIndex: HashedRowIndex;
  private readonly columns: ValueColumn[] = [];
  private selectedKey: unknown = undefined;
  private selectedRow = UNRESOLVED;
  /** Rows ever used: all rows are below. */
  private rowCount = 0;
  private readonly freeRows: number[] = [];

  constructor(options: StateStoreOptions) {
    const kind = options.keyType?.schema['type'];
    this.options = options;
    this.hash = keyHashOf(options.keyType);
    this.numberIndex = options.keyType === null || NUMBER_KEYS.has(kind) || MIXED_KEYS.has(kind) ? new NumberRowIndex() : null;
    this.hashedIndex = new HashedRowIndex(keyEqualsOf(options.keyType));
  }

  get entryCount(): number {
    return this.columns.reduce((count, column) => count + column.valueCount, 0);
  }

  setKey(key: unknown): void {
    if (key === undefined || key === null || key !== key) throw noKey(key);
    this.selectedKey = key;
    this.selectedRow = UNRESOLVED;
  }

  key(): unknown {
    if (this.selectedKey === undefined) {
      throw new ClusterError('KEY_INVALID', 'no key is selected: keyed state belongs to a record with a key');
    }
    return this.selectedKey;
  }

  value<T>(name: string, type: TypeDescriptor<T> | null, ownership: Ownership = 'copied'): ValueState<T> {
    let column = this.columns.find((candidate) => candidate.name === name);
    if (column === undefined) {
      column = new ValueColumn(name, type as TypeDescriptor<unknown> | null, { rows: this, freeze: this.options.freezeValues, ownership });
      this.columns.push(column);
    } else if (type !== null) {
      column.declare(type as TypeDescriptor<unknown>, ownership);
    }
    return column as ValueState<T>;
  }

  row(): number {
    return this.selectedRow === UNRESOLVED ? this.findSelected() : this.selectedRow;
  }

  rowForWriting(): number {
    const row = this.row();
    return row === NO_ROW ? this.addSelected() : row;
  }

  onCleared(row: number): void {
    if (this.columns.some((column) => column.has(row))) return;
    if (this.numberIndex !== null) this.numberIndex.remove(row);
    else this.hashedIndex.remove(row);
    this.freeRows.push(row);
    this.selectedRow = NO_ROW;
  }

  *entries(range: KeyGroupRange): Generator<StateEntry> {
    for (const { keyGroup, row } of this.rowsByKeyGroup(range)) {
      for (const column of this.columns) {
        if (column.has(row)) yield { state: column.name, keyGroup, key: this.keyAt(row), value: column.at(row) };
      }
    }
  }

  restore(entry: StateEntry): void {
    this.setKey(entry.key);
    this.value(entry.state, null).set(entry.value);
  }

  close(): void {
    this.columns.length = 0;
    this.selectedKey = undefined;
    this.selectedRow = UNRESOLVED;
  }

  private findSelected(): number {
    const key = this.key();
    if (this.numberIndex !== null) {
      if (typeof key === 'number') return (this.selectedRow = this.numberIndex.find(key));
      this.becomeHashed(this.numberIndex, key);
    }
    return (this.selectedRow = this.hashedIndex.find(key, this.hash(key)));
  }

  private addSelected(): number {
    const key = this.selectedKey;
    const hash = this.hash(key);
    this.checkKeyGroup(key, hash);
    const row = this.freeRows.pop() ?? this.rowCount++;
    if (this.numberIndex !== null) this.numberIndex.add(key as number, row);
    else this.hashedIndex.add(this.ownedKey(key), hash, row);
    return (this.selectedRow = row);
  }

  /** A key that is an object may be changed by the user after this record. */
  private ownedKey(key: unknown): unknown {
    if (typeof key !== 'object') return key;
    const type = this.options.keyType;
    if (type === null) return copyAny(key);
    return type.immutable ? key : type.codec().copy(key);
  }

  /** Once per key, not per record: a selector that is not deterministic routes records of new keys astray. */
  private checkKeyGroup(key: unknown, hash: number): void {
    const { first, last, maxParallelism } = this.options.keyGroups;
    const keyGroup = keyGroupOf(hash, maxParallelism);
    if (keyGroup >= first && keyGroup <= last) return;
    throw new ClusterError(
      'KEY_INVALID',
      `key ${describe(key)} is in key group ${keyGroup}, outside this subtask's ${first}..${last}: ` +
        'is the key selector deterministic, and the stream keyed by the same selector everywhere?',
    );
  }

  /** The first key that is not a number: all rows go over to the hashed index, keeping their place. */
  private becomeHashed(numbers: NumberRowIndex, key: unknown): void {
    this.hash(key);
    const free = new Set(this.freeRows);
    for (let row = 0; row < this.rowCount; row++) {
      const number = numbers.keyAt(row);
      if (!free.has(row)) this.hashedIndex.add(number, this.hash(number), row);
    }
    this.numberIndex = null;
  }

  private keyAt(row: number): unknown {
    return this.numberIndex !== null ? this.numberIndex.keyAt(row) : this.hashedIndex.keyAt(row);
  }

  private rowsByKeyGroup(range: KeyGroupRange): { readonly keyGroup: number; readonly row: number }[] {
    const free = new Set(this.freeRows);
    const rows: { keyGroup: number; row: number }[] = [];
    for (let row = 0; row < this.rowCount; row++) {
      if (free.has(row)) continue;
      const keyGroup = keyGroupOf(this.hash(this.keyAt(row)), this.options.keyGroups.maxParallelism);
      if (keyGroup >= range.first && keyGroup <= range.last) rows.push({ keyGroup, row });
    }
    return rows.sort((a, b) => a.keyGroup - b.keyGroup);
  }
}

function noKey(key: unknown): ClusterError {
  if (Number.isNaN(key)) return new ClusterError('KEY_INVALID', 'NaN cannot be a key: it is not equal to itself');
  return new ClusterError('KEY_INVALID', `the key selector returned ${String(key)}: every record needs a key`);
}

/** Bound on a key shown in a message, in characters. */
const KEY_SHOWN_MAX = 100;

function describe(key: unknown): string {
  const text = typeof key === 'object' ? JSON.stringify(key) : String(key);
  return text.length > KEY_SHOWN_MAX ? `${text.slice(0, KEY_SHOWN_MAX)}…` : text;
}
