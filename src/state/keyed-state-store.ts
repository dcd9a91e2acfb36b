/**
 * The seam between keyed operators and state backends. Built snapshot-ready: entries belong to key
 * groups, and reading a mutable value marks its entry (architecture: keyed state through one seam).
 */
import type { AggregatingState, ListState, MapState, ReduceFunction, ReducingState, ValueState } from '../graph/functions.ts';
import type { AggregateFunction } from '../graph/windows.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { Namespace } from './namespace.ts';

/** Key groups `first..last`, both inclusive, of one subtask. */
export interface KeyGroupRange {
  readonly first: number;
  readonly last: number;
  readonly maxParallelism: number;
}

/** How to open a store. */
export interface StateStoreOptions {
  readonly keyGroups: KeyGroupRange;
  /** Null when the key type was not declared. Fixes the hash (graph/key-groups.ts). */
  readonly keyType: TypeDescriptor<unknown> | null;
  /** Dev mode: values read are deep-frozen so that an in-place change fails where it is made. */
  readonly freezeValues: boolean;
}

/** One entry, as a snapshot sees it: a value, a list's array, a map's Map, an accumulator. */
export interface StateEntry {
  readonly state: string;
  readonly keyGroup: number;
  readonly key: unknown;
  readonly namespace: Namespace;
  readonly value: unknown;
}

/** Who may hold a stored value besides the store. */
export type Ownership = 'copied' | 'owned';

/**
 * How a state is spread over namespaces: `shared` where many keys have the same namespaces (tumbling and sliding
 * windows), `own` where most namespaces belong to one key (sessions). Both are right for any use; they differ in cost.
 */
export type Namespacing = 'shared' | 'own';

/** How a state is kept. */
export interface StateOptions {
  /**
   * `owned`: nobody but the engine operator holds the values; they are kept as they come and may be changed in place
   * after `get` (which counts as a write). Default `copied`: values are copied as they are stored.
   */
  readonly ownership?: Ownership;
  /** Scopes the state to (key, namespace). Default: the key alone, whatever namespace is selected. */
  readonly namespaced?: Namespacing;
}

/** State whose namespaces can merge, as session windows do. */
export interface MergingState {
  /**
   * For the selected key: all of `sources`, in their order, goes to the end of `target`; the sources are empty afterwards.
   * The selected namespace stays selected.
   */
  mergeNamespaces(target: Namespace, sources: readonly Namespace[]): void;
}

/** Keyed state of one operator subtask. */
export interface KeyedStateStore {
  /** Selects the key for all states. Cheap: nothing is looked up until a state is touched. */
  setKey(key: unknown): void;
  /** The selected key. Throws KEY_INVALID when none is. */
  key(): unknown;
  /** Selects the namespace for all namespaced states, until the next call. Nearly free for the one that is selected. */
  setNamespace(namespace: Namespace): void;
  /** Declares a value state, or returns the one declared. `type` null only for engine operators on undeclared streams. */
  value<T>(name: string, type: TypeDescriptor<T> | null, options?: StateOptions): ValueState<T>;
  list<T>(name: string, elementType: TypeDescriptor<T> | null, options?: StateOptions): ListState<T> & MergingState;
  /** Keys are strings, numbers, bigints or booleans. */
  map<K, V>(name: string, keyType: TypeDescriptor<K>, valueType: TypeDescriptor<V>, options?: StateOptions): MapState<K, V>;
  reducing<T>(
    name: string, type: TypeDescriptor<T> | null, reduce: ReduceFunction<T>, options?: StateOptions,
  ): ReducingState<T> & MergingState;
  /** Accumulators are always `owned`. */
  aggregating<T, A, R>(
    name: string, accumulatorType: TypeDescriptor<A> | null, aggregate: AggregateFunction<T, A, R>,
    options?: Pick<StateOptions, 'namespaced'>,
  ): AggregatingState<T, R> & MergingState;
  /** Live entries over all states. */
  readonly entryCount: number;
  /** All entries of a key-group range, grouped by ascending key group. */
  entries(range: KeyGroupRange): Iterable<StateEntry>;
  /** Puts an entry of a declared state back (restore). */
  restore(entry: StateEntry): void;
  close(): void;
}

/** Opens stores; one per backend (`hashmap` first). */
export interface StateBackend {
  readonly name: string;
  open(options: StateStoreOptions): KeyedStateStore;
}
