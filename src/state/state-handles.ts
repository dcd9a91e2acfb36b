/**
 * The kinds of state besides value state, as handles over cells. A list is one cell with an array, a map one
 * with a Map, reducing and aggregating states hold what was accumulated. All of these cells are owned by the
 * state: what a user puts in is copied by the handle.
 */
import { assert } from '../base/assert.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { AggregatingState, ListState, MapState, ReduceFunction, ReducingState } from '../graph/functions.ts';
import type { AggregateFunction } from '../graph/windows.ts';
import type { Cells } from './cells.ts';
import type { MergingState } from './keyed-state-store.ts';
import { sameNamespace, type Namespace } from './namespace.ts';
import type { NamespaceSlots } from './namespace-slots.ts';
import type { StoreValue } from './stored-value.ts';

const EMPTY: readonly never[] = [];

/** Combines what two namespaces hold; `target` may be changed. */
type Merge<V> = (target: V, source: V) => V;

function mergeCells<V>(cells: Cells, slots: NamespaceSlots, namespaces: readonly [Namespace, readonly Namespace[]], merge: Merge<V>): void {
  const [target, sources] = namespaces;
  const { selected } = slots;
  slots.select(target);
  let merged = cells.get() as V | undefined;
  for (const source of sources) {
    if (sameNamespace(source, target)) continue;
    slots.select(source);
    const value = cells.get() as V | undefined;
    if (value === undefined) continue;
    cells.clear();
    merged = merged === undefined ? value : merge(merged, value);
  }
  slots.select(target);
  cells.set(merged);
  slots.select(selected);
}

/** How the elements of a list, or the values of a map, are kept. */
export interface ElementOptions {
  readonly stored: StoreValue;
  /** Dev mode: what is read is frozen. */
  readonly freeze: boolean;
  /** What is read may be changed in place: reading counts as writing. */
  readonly mayChange: boolean;
}

export class CellListState<T> implements ListState<T>, MergingState {
  private readonly cells: Cells;
  private readonly slots: NamespaceSlots;
  private readonly stored: StoreValue;
  private readonly elements: ElementOptions;

  constructor(cells: Cells, slots: NamespaceSlots, elements: ElementOptions) {
    this.cells = cells;
    this.slots = slots;
    this.stored = elements.stored;
    this.elements = elements;
  }

  get(): readonly T[] {
    const { freeze, mayChange } = this.elements;
    const list = ((mayChange ? this.cells.get() : this.cells.peek()) as T[] | undefined) ?? EMPTY;
    return freeze ? Object.freeze([...list]) : list;
  }

  add(value: T): void {
    const stored = this.stored(value) as T;
    const list = this.cells.get() as T[] | undefined;
    if (list === undefined) this.cells.set([stored]);
    else list.push(stored);
  }

  addAll(values: Iterable<T>): void {
    for (const value of values) this.add(value);
  }

  update(values: Iterable<T>): void {
    const list = Array.from(values, (value) => this.stored(value) as T);
    this.cells.set(list.length === 0 ? undefined : list);
  }

  clear(): void {
    this.cells.clear();
  }

  mergeNamespaces(target: Namespace, sources: readonly Namespace[]): void {
    mergeCells<T[]>(this.cells, this.slots, [target, sources], (list, more) => {
      for (const value of more) list.push(value);
      return list;
    });
  }
}

export class CellMapState<K, V> implements MapState<K, V> {
  private readonly cells: Cells;
  private readonly stored: StoreValue;
  private readonly mayChange: boolean;

  constructor(cells: Cells, elements: ElementOptions) {
    this.cells = cells;
    this.stored = elements.stored;
    this.mayChange = elements.mayChange;
  }

  get(key: K): V | undefined {
    return this.toRead()?.get(key);
  }

  has(key: K): boolean {
    return this.toLookAt()?.has(key) ?? false;
  }

  set(key: K, value: V): void {
    checkMapKey(key);
    if (value === undefined) return this.delete(key);
    const stored = this.stored(value) as V;
    const map = this.toChange();
    if (map === undefined) this.cells.set(new Map([[key, stored]]));
    else map.set(key, stored);
  }

  setAll(entries: Iterable<readonly [K, V]>): void {
    for (const [key, value] of entries) this.set(key, value);
  }

  delete(key: K): void {
    if (!this.has(key)) return;
    const map = this.toChange();
    map?.delete(key);
    if (map?.size === 0) this.cells.clear();
  }

  isEmpty(): boolean {
    return this.toLookAt() === undefined;
  }

  *entries(): Generator<readonly [K, V]> {
    yield* this.toRead() ?? EMPTY;
  }

  *keys(): Generator<K> {
    yield* this.toLookAt()?.keys() ?? EMPTY;
  }

  *values(): Generator<V> {
    yield* this.toRead()?.values() ?? EMPTY;
  }

  clear(): void {
    this.cells.clear();
  }

  // The map of the selected key is never empty.

  private toLookAt(): Map<K, V> | undefined {
    return this.cells.peek() as Map<K, V> | undefined;
  }

  private toRead(): Map<K, V> | undefined {
    return this.mayChange ? this.toChange() : this.toLookAt();
  }

  private toChange(): Map<K, V> | undefined {
    return this.cells.get() as Map<K, V> | undefined;
  }
}

/** Objects are compared by identity in a Map, and would never be found again after a restore. */
export function checkMapKey(key: unknown): void {
  if (key !== null && key !== undefined && key === key && typeof key !== 'object' && typeof key !== 'function') return;
  const shown = typeof key === 'object' && key !== null ? 'an object' : String(key);
  throw new ClusterError('KEY_INVALID', `${shown} cannot be a key of map state: use a string, number, bigint or boolean`);
}

export class CellReducingState<T> implements ReducingState<T>, MergingState {
  private readonly cells: Cells;
  private readonly slots: NamespaceSlots;
  private readonly reduce: ReduceFunction<T>;

  constructor(cells: Cells, slots: NamespaceSlots, reduce: ReduceFunction<T>) {
    this.cells = cells;
    this.slots = slots;
    this.reduce = reduce;
  }

  get(): T | undefined {
    return this.cells.get() as T | undefined;
  }

  add(value: T): void {
    const accumulated = this.cells.get() as T | undefined;
    this.cells.set(accumulated === undefined ? value : this.reduce(accumulated, value));
  }

  clear(): void {
    this.cells.clear();
  }

  mergeNamespaces(target: Namespace, sources: readonly Namespace[]): void {
    mergeCells(this.cells, this.slots, [target, sources], this.reduce);
  }
}

export class CellAggregatingState<T, A, R> implements AggregatingState<T, R>, MergingState {
  private readonly cells: Cells;
  private readonly slots: NamespaceSlots;
  private readonly aggregation: AggregateFunction<T, A, R>;

  constructor(cells: Cells, slots: NamespaceSlots, aggregation: AggregateFunction<T, A, R>) {
    this.cells = cells;
    this.slots = slots;
    this.aggregation = aggregation;
  }

  get(): R | undefined {
    const accumulator = this.cells.get() as A | undefined;
    return accumulator === undefined ? undefined : this.aggregation.getResult(accumulator);
  }

  add(value: T): void {
    const { aggregation } = this;
    this.cells.set(aggregation.add((this.cells.get() as A | undefined) ?? aggregation.createAccumulator(), value));
  }

  clear(): void {
    this.cells.clear();
  }

  mergeNamespaces(target: Namespace, sources: readonly Namespace[]): void {
    mergeCells<A>(this.cells, this.slots, [target, sources], (a, b) => {
      assert(this.aggregation.merge !== undefined, 'an aggregation over namespaces that merge has a merge function');
      return this.aggregation.merge(a, b);
    });
  }
}
