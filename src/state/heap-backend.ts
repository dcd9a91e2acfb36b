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
import { present } from '../base/assert.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { AggregatingState, ListState, MapState, ReduceFunction, ReducingState, ValueState } from '../graph/functions.ts';
import type { AggregateFunction } from '../graph/windows.ts';
import { t } from '../types/t.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { Cells } from './cells.ts';
import { KeyedRows } from './keyed-rows.ts';
import type {
  KeyedStateStore, KeyGroupRange, MergingState, Namespacing, StateBackend, StateEntry, StateOptions,
} from './keyed-state-store.ts';
import type { Namespace } from './namespace.ts';
import { NamespaceSlots } from './namespace-slots.ts';
import { OwnCells } from './own-cells.ts';
import { SharedCells } from './shared-cells.ts';
import { CellAggregatingState, CellListState, CellMapState, CellReducingState } from './state-handles.ts';
import { storeValueOf, type StoreValue, type StoringOptions } from './stored-value.ts';
import { ValueColumn } from './value-column.ts';

/** Opens heap stores. */
export const heapBackend: StateBackend = {
  name: 'hashmap',
  open: (options) => new HeapStateStore(options),
};

type AnyType = TypeDescriptor<unknown>;
type StateKind = 'value' | 'list' | 'map' | 'reducing' | 'aggregating';

interface DeclaredState {
  readonly name: string;
  readonly kind: StateKind;
  readonly namespaced: Namespacing | null;
  readonly cells: Cells;
}

class HeapStateStore extends KeyedRows implements KeyedStateStore {
  readonly slots = new NamespaceSlots();
  private readonly states: DeclaredState[] = [];

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
    const freeze = this.options.freezeValues && options.ownership !== 'owned';
    return new CellListState<T>(cells, this.slots, { stored: this.stored(name, elementType, options), freeze });
  }

  map<K, V>(name: string, keyType: TypeDescriptor<K>, valueType: TypeDescriptor<V>, options: StateOptions = {}): MapState<K, V> {
    const type = t.map(keyType as AnyType, valueType as AnyType);
    const cells = this.declare(name, 'map', type, { ...options, ownership: 'owned' });
    return new CellMapState<K, V>(cells, this.stored(name, valueType, options));
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
      for (const { name, cells } of this.states) {
        for (const { namespace, value } of cells.cellsAt(row)) yield { state: name, keyGroup, key, namespace, value };
      }
    }
  }

  restore({ state, key, namespace, value }: StateEntry): void {
    const { cells } = present(this.states.find(({ name }) => name === state), `state '${state}' is declared before it is restored`);
    this.setKey(key);
    this.setNamespace(namespace);
    cells.set(value);
  }

  close(): void {
    this.states.length = 0;
    this.unselect();
  }

  private declare(name: string, kind: StateKind, type: AnyType | null, options: StateOptions): Cells {
    const { namespaced = null, ownership = 'copied' } = options;
    const known = this.states.find((state) => state.name === name);
    if (known === undefined) {
      const cells = this.cells(namespaced, type, { name, freeze: this.options.freezeValues, ownership });
      this.states.push({ name, kind, namespaced, cells });
      return cells;
    }
    if (known.kind !== kind || known.namespaced !== namespaced) throw declaredOtherwise(known, kind);
    if (type !== null) known.cells.declare(type, ownership);
    return known.cells;
  }

  private cells(namespaced: Namespacing | null, type: AnyType | null, options: StoringOptions): Cells {
    if (namespaced === null) return new ValueColumn(this, type, options);
    return namespaced === 'shared' ? new SharedCells(this, type, options) : new OwnCells(this, type, options);
  }

  private stored<T>(name: string, type: TypeDescriptor<T> | null, { ownership = 'copied' }: StateOptions): StoreValue {
    return storeValueOf(type as AnyType | null, { name, freeze: this.options.freezeValues, ownership });
  }
}

function declaredOtherwise({ name, kind }: DeclaredState, wanted: StateKind): ClusterError {
  const how = kind === wanted ? 'in other namespaces' : `as ${kind} state`;
  return new ClusterError('PROGRAM_INVALID', `state '${name}' is declared twice: first ${how}`);
}
