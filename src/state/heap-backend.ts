/**
 * The `hashmap` state backend: keyed state on the heap, as a table. A row is a key, a column is a state;
 * an index finds the row of the selected key once per record, however many states are read and written.
 *
 *     setKey(k) ─► row index ─► row 5      │ count │ last │ sum of window 1 │ sum of window 2 │
 *                                  row 5 ─►│  17   │ 'ab' │        4        │                 │
 *
 * Every touch passes `row`, `rowForWriting`, `onFilled` or `onCleared` (state/keyed-rows.ts): an open snapshot
 * therefore needs no copy when it opens, and encodes a row at its first touch. Layouts: state/cells.ts.
 */
import { assert, present } from '../base/assert.ts';
import type { AggregatingState, ListState, MapState, ReduceFunction, ReducingState, ValueState } from '../graph/functions.ts';
import type { AggregateFunction } from '../graph/windows.ts';
import { ClusterError } from '../protocol/errors.ts';
import { schemaConflict } from '../types/schema-evolution.ts';
import { t } from '../types/t.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { Cells } from './cells.ts';
import { HeapRestore, type RestoreTarget } from './heap-restore.ts';
import type { RowTable } from './heap-snapshot.ts';
import { HeapSnapshots } from './heap-snapshots.ts';
import { KeyedRows, shownKey } from './keyed-rows.ts';
import { TIMER_DOMAINS } from './keyed-state-store.ts';
import type {
  KeyedSnapshot, KeyedStateFile, KeyedStateStore, KeyGroupRange, MergingState, Namespacing, Ownership, SnapshotMode, SnapshotTimers,
  StateBackend, StateEntry, StateOptions, StateStoreOptions,
} from './keyed-state-store.ts';
import { VOID_NAMESPACE, type Namespace } from './namespace.ts';
import { NamespaceSlots } from './namespace-slots.ts';
import { OwnCells } from './own-cells.ts';
import { NO_ROW } from './row-index.ts';
import { SharedCells } from './shared-cells.ts';
import type { SectionWriter, StateDescription } from './snapshot-format.ts';
import { CellAggregatingState, CellListState, CellMapState, CellReducingState, type ElementOptions } from './state-handles.ts';
import { mayChange, storeValueOf, type StoringOptions } from './stored-value.ts';
import { ValueColumn } from './value-column.ts';

/** Opens heap stores. */
export const heapBackend = {
  name: 'hashmap',
  open: (options: StateStoreOptions) => new HeapStateStore(options),
} satisfies StateBackend;

type AnyType = TypeDescriptor<unknown>;
/** @internal For what extends the store, as `DeclaredState`. */
export type StateKind = 'value' | 'list' | 'map' | 'reducing' | 'aggregating';

/** A state that was declared, or restored. */
export interface DeclaredState {
  readonly name: string;
  readonly kind: StateKind;
  readonly namespaced: Namespacing | null;
  /** Of the cells; null: undeclared. */
  readonly type: AnyType | null;
  readonly cells: Cells;
}

/** A state with a time to live. */
export interface ExpiringState {
  readonly keep: (value: unknown) => unknown;
  readonly inSnapshots: boolean;
  /** The row that was swept last. */
  cursor: number;
}

/** Keyed state on the heap. */
export class HeapStateStore extends KeyedRows implements KeyedStateStore, RowTable {
  readonly slots = new NamespaceSlots();
  protected readonly states: DeclaredState[] = [];
  private readonly snapshots = new HeapSnapshots();
  protected readonly restoring = new HeapRestore(this.restoreTarget());
  protected timers: SnapshotTimers | null = null;
  protected readonly expiring = new Map<string, ExpiringState>();

  get entryCount(): number {
    return this.states.reduce((count, { cells }) => count + cells.valueCount, 0);
  }

  setNamespace(namespace: Namespace): void {
    this.slots.select(namespace);
  }

  value<T>(name: string, type: TypeDescriptor<T> | null, options: StateOptions = {}): ValueState<T> {
    return this.declare(name, 'value', type as AnyType | null, options) as ValueState<T>;
  }

  list<T>(name: string, elementType: TypeDescriptor<T> | null, options: StateOptions = {}): ListState<T> & MergingState {
    const cells = this.declare(name, 'list', elementType && t.array(elementType as AnyType), { ...options, ownership: 'owned' });
    return new CellListState<T>(cells, this.slots, this.elements(name, elementType, options));
  }

  map<K, V>(name: string, keyType: TypeDescriptor<K>, valueType: TypeDescriptor<V>, options: StateOptions = {}): MapState<K, V> {
    const type = t.map(keyType as AnyType, valueType as AnyType);
    const cells = this.declare(name, 'map', type, { ...options, ownership: 'owned' });
    return new CellMapState<K, V>(cells, this.elements(name, valueType, options));
  }

  reducing<T>(
    name: string, type: TypeDescriptor<T> | null, reduce: ReduceFunction<T>, options: StateOptions = {},
  ): ReducingState<T> & MergingState {
    return new CellReducingState<T>(this.declare(name, 'reducing', type as AnyType | null, options), this.slots, reduce);
  }

  aggregating<T, A, R>(
    name: string, type: TypeDescriptor<A> | null, aggregation: AggregateFunction<T, A, R>,
    options: StateOptions = {},
  ): AggregatingState<T, R> & MergingState {
    const owned = { ...options, ownership: 'owned' } as const;
    const cells = this.declare(name, 'aggregating', type as AnyType | null, owned);
    return new CellAggregatingState<T, A, R>(cells, this.slots, aggregation);
  }

  onColumnEmptied(slot: number): void {
    if (this.states.some(({ cells }) => cells instanceof SharedCells && cells.usesSlot(slot))) return;
    this.slots.release(slot);
  }

  *entries(range: KeyGroupRange): Generator<StateEntry> {
    for (const { keyGroup, row } of this.rowsByKeyGroup(range)) {
      const key = this.keyAt(row);
      const found: StateEntry[] = [];
      for (const { name, cells } of this.states) {
        cells.visitRow(row, (namespace, value) => found.push({ state: name, keyGroup, key, namespace, value }));
      }
      yield* found;
    }
  }

  keysOf(name: string): readonly unknown[] {
    const state = this.states.find((candidate) => candidate.name === name);
    const keys: unknown[] = [];
    for (let row = 0; row < this.rowLimit; row++) if (state?.cells.hasRow(row) === true) keys.push(this.keyAt(row));
    return keys;
  }

  expire(name: string, keep: (value: unknown) => unknown, { inSnapshots }: { readonly inSnapshots: boolean }): void {
    this.expiring.set(name, { keep, inSnapshots, cursor: 0 });
  }

  sweep(name: string, rowCount: number): void {
    const { cells } = present(this.states.find((state) => state.name === name), 'a state that is swept is declared');
    const expiring = present(this.expiring.get(name), 'a state that is swept expires');
    assert(cells instanceof ValueColumn, 'a state that expires is not namespaced');
    for (let i = Math.min(rowCount, this.rowLimit); i > 0; i--) {
      expiring.cursor = expiring.cursor + 1 >= this.rowLimit ? 0 : expiring.cursor + 1;
      cells.sweepRow(expiring.cursor, expiring.keep);
    }
  }

  attachTimers(timers: SnapshotTimers): void {
    this.timers = timers;
  }

  snapshot(checkpointId: number, mode: SnapshotMode): KeyedSnapshot {
    const snapshot = this.snapshots.begin(checkpointId, mode, this.liveRowCount, {
      table: this,
      range: this.options.keyGroups,
      states: this.states.map(describeState),
      types: { key: this.options.keyType, cells: this.states.map(({ type }) => type) },
      timers: TIMER_DOMAINS.map((domain) => this.timers?.capture(domain) ?? []),
      keyGroupOf: (key) => this.keyGroupOfKey(key),
    });
    this.epoch = this.snapshots.epoch;
    return snapshot;
  }

  confirm(checkpointId: number): void {
    this.snapshots.confirm(checkpointId);
  }

  restore(file: KeyedStateFile, range: KeyGroupRange): void {
    for (const _ of this.restoreSlices(file, range)); // All at once.
  }

  restoreSlices(file: KeyedStateFile, range: KeyGroupRange): Iterable<void> {
    return this.restoring.slices(file, range);
  }

  /** Forgets all values of the selected key, in all states and namespaces. */
  clearKey(): void {
    const row = this.row();
    if (row === NO_ROW) return;
    for (const { cells } of this.states) cells.clearRow(row);
  }

  endRestore(): void {
    for (const timer of this.restoring.takeTimers()) this.timers?.restore(timer);
    this.setNamespace(VOID_NAMESPACE);
    this.unsetKey();
  }

  writeCells(row: number, stateCount: number, section: SectionWriter): void {
    for (let i = 0; i < stateCount; i++) {
      section.state = i;
      const state = this.states[i] as DeclaredState;
      const expiring = this.expiring.get(state.name);
      try {
        if (expiring?.inSnapshots !== true) state.cells.visitRow(row, section.visit);
        else state.cells.visitRow(row, (namespace, value) => visitKept(expiring.keep(value), namespace, section));
      } catch (thrown) {
        throw notWritable(`operator '${this.options.operatorName ?? ''}', state '${state.name}'`, this.keyAt(row), thrown);
      }
    }
  }

  close(): void {
    this.states.length = 0;
    this.unsetKey();
  }

  protected override beforeChange(row: number): void {
    this.snapshots.beforeChange(row);
  }

  protected override onReleased(row: number): void {
    const times = { version: this.versionAt(row), birth: this.birthAt(row), liveRowCount: this.liveRowCount };
    this.snapshots.onKeyRemoved(this.keyAt(row), this.keyGroupAt(row), times);
  }

  protected declare(name: string, kind: StateKind, type: AnyType | null, options: StateOptions): Cells {
    const { namespaced = null, ownership = 'copied' } = options;
    const known = this.states.findIndex((state) => state.name === name);
    if (known < 0) return this.addState({ name, kind, namespaced, type }, ownership).cells;
    const state = this.states[known] as DeclaredState;
    if (state.kind !== kind || state.namespaced !== namespaced) throw declaredOtherwise(state, kind);
    if (type !== null) {
      if (state.type !== null) this.checkRedeclared(state, state.type, type);
      state.cells.declare(type, ownership);
      this.states[known] = { ...state, type };
    }
    return state.cells;
  }

  /** A restored state may be declared late. */
  private checkRedeclared({ name }: DeclaredState, former: AnyType, type: AnyType): void {
    const conflict = schemaConflict(former.schema, type.schema);
    if (conflict === null) return;
    throw new ClusterError('STATE_INCOMPATIBLE', `operator '${this.options.operatorName ?? ''}', state '${name}': ${conflict}`);
  }

  protected addState(state: Omit<DeclaredState, 'cells'>, ownership: Ownership): DeclaredState {
    const { name, namespaced, type } = state;
    const declared = { ...state, cells: this.cells(namespaced, type, { name, freeze: this.options.freezeValues, ownership }) };
    this.states.push(declared);
    return declared;
  }

  private restoreTarget(): RestoreTarget {
    const { keyType, keyGroups: { maxParallelism }, operatorName = '' } = this.options;
    return {
      operatorName, keyType, maxParallelism,
      stateNamed: (name) => this.states.find((state) => state.name === name) ?? null,
      addUndeclared: ({ name, kind, namespaced }, type) => this.addState({ name, kind: kind as StateKind, namespaced, type }, 'owned'),
      setKey: (key) => this.setKey(key),
      setNamespace: (namespace) => this.setNamespace(namespace),
      clearKey: () => this.clearKey(),
    };
  }

  private cells(namespaced: Namespacing | null, type: AnyType | null, options: StoringOptions): Cells {
    if (namespaced === null) return new ValueColumn(this, type, options);
    return namespaced === 'shared' ? new SharedCells(this, type, options) : new OwnCells(this, type, options);
  }

  private elements<T>(name: string, type: TypeDescriptor<T> | null, { ownership = 'copied' }: StateOptions): ElementOptions {
    const options = { name, freeze: this.options.freezeValues, ownership };
    return {
      stored: storeValueOf(type as AnyType | null, options),
      freeze: options.freeze && ownership === 'copied',
      mayChange: mayChange(type as AnyType | null, options),
    };
  }
}

function visitKept(value: unknown, namespace: Namespace, section: SectionWriter): void {
  if (value !== undefined) section.visit(namespace, value);
}

export function describeState({ name, kind, namespaced, type }: DeclaredState): StateDescription {
  return { name, kind, namespaced, type: type?.schema ?? null };
}

export function notWritable(place: string, key: unknown, cause: unknown): ClusterError {
  const what = cause instanceof Error ? cause.message : String(cause);
  return new ClusterError('CHECKPOINT_FAILED', `${place} of key ${shownKey(key)} cannot be written: ${what}`, { cause });
}

function declaredOtherwise({ name, kind }: DeclaredState, wanted: StateKind): ClusterError {
  const how = kind === wanted ? 'in other namespaces' : `as ${kind} state`;
  return new ClusterError('PROGRAM_INVALID', `state '${name}' is declared twice: first ${how}`);
}
