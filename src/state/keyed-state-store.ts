/**
 * The seam between keyed operators and state backends. Built snapshot-ready: entries belong to key
 * groups, and reading a mutable value marks its entry (architecture: keyed state through one seam).
 */
import type { AggregatingState, ListState, MapState, ReduceFunction, ReducingState, ValueState } from '../graph/functions.ts';
import type { AggregateFunction } from '../graph/windows.ts';
import type { JsonObject } from '../protocol/json.ts';
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
  /** For messages about the state. */
  readonly operatorName?: string;
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

/** One timer, as a snapshot holds it. */
export interface SnapshotTimer {
  readonly key: unknown;
  readonly namespace: Namespace;
  readonly timestampMs: number;
}

/** Event time first: the order in a file. */
export const TIMER_DOMAINS = ['event', 'processing'] as const;

/** The timers of the operator, which travel with its keyed state. */
export interface SnapshotTimers {
  /** The timers of a domain as they are now: what happens later does not show in the answer. */
  capture(domain: (typeof TIMER_DOMAINS)[number]): readonly SnapshotTimer[];
  restore(timer: SnapshotTimer & { readonly domain: (typeof TIMER_DOMAINS)[number] }): void;
}

/**
 * `incremental`: it may leave out what a confirmed one already holds. `full`: it stands alone. `canonical`: it stands alone, in the
 * format of state/snapshot-format.ts, which every backend restores from.
 */
export type SnapshotMode = 'full' | 'incremental' | 'canonical';

/**
 * The state as it was when the snapshot was opened. Opening costs the same whatever the size of the state: entries that are
 * touched before they were written are written first.
 */
export interface KeyedSnapshot {
  /**
   * The confirmed checkpoint that this one is an increment to; null: it stands alone, which also an `incremental` one does
   * when there is no such checkpoint, or when its chain has grown longer than what it would save.
   */
  readonly baseId: number | null;
  /**
   * Encodes the next slice, of about `sizeBytes` and maybe empty, in a buffer of its own; null when all is written. Called
   * between records. Throws
   * when a value could not be encoded: the error names state and key, and the snapshot is of no use.
   */
  next(sizeBytes: number): Uint8Array | null;
  /** What is needed to read the file (state/snapshot-format.ts). Plain data, after the last slice. */
  readonly meta: JsonObject;
  /** Done, or given up. Idempotent. */
  release(): void;
}

/** A file of a snapshot, or the part of it that is needed. */
export interface KeyedStateFile {
  readonly meta: JsonObject;
  readonly bytes: Uint8Array;
  /** Where `bytes` begin in the file. */
  readonly offset: number;
}

/** Keyed state of one operator subtask. */
export interface KeyedStateStore {
  /** Selects the key for all states. Cheap: nothing is looked up until a state is touched. */
  setKey(key: unknown): void;
  /** The selected key. Throws KEY_INVALID when none is. */
  key(): unknown;
  /** Nothing is selected any more: touching state throws. */
  unsetKey(): void;
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
  /** Keys that have a value of the state in any namespace, as of now. */
  keysOf(state: string): readonly unknown[];
  /**
   * Says what of a value may stay: `keep` answers the value, a smaller one, or undefined. `inSnapshots`: snapshots ask too.
   * For state that is not namespaced.
   */
  expire(state: string, keep: (value: unknown) => unknown, options: { readonly inSnapshots: boolean }): void;
  /** Asks `keep` about the next few rows of a state. */
  sweep(state: string, rowCount: number): void;
  /** Live entries over all states. */
  readonly entryCount: number;
  /** All entries of a key-group range, grouped by ascending key group. */
  entries(range: KeyGroupRange): Iterable<StateEntry>;
  /** Timers that snapshots hold besides the states. Before the first snapshot or restore. */
  attachTimers(timers: SnapshotTimers): void;
  /** Opens a snapshot between two records; several may be open. */
  snapshot(checkpointId: number, mode: SnapshotMode): KeyedSnapshot;
  /** The checkpoint has completed: later increments may be against it. Monotonic; checkpoints that are not known are ignored. */
  confirm(checkpointId: number): void;
  /**
   * Reads the part of a file that belongs to `range`; a complete file first, then its increments in their order. Throws
   * STATE_INCOMPATIBLE, naming the state, when the file holds what the declared states cannot take over.
   */
  restore(file: KeyedStateFile, range: KeyGroupRange): void;
  /** `restore` in steps that take little time each, between which others may run. Nothing else is asked of the store until the last. */
  restoreSlices(file: KeyedStateFile, range: KeyGroupRange): Iterable<void>;
  /** After the last file: no key is selected, and timers are set. */
  endRestore(): void;
  close(): void;
}

/** Opens stores; one per backend (`hashmap` first). */
export interface StateBackend {
  readonly name: string;
  open(options: StateStoreOptions): KeyedStateStore;
}
