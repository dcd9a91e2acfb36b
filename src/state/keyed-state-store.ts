/**
 * The seam between keyed operators and state backends. Built snapshot-ready: entries belong to key
 * groups, and reading a mutable value marks its entry (architecture: keyed state through one seam).
 */
import type { ValueState } from '../graph/functions.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';

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

/** One entry, as a snapshot sees it. */
export interface StateEntry {
  readonly state: string;
  readonly keyGroup: number;
  readonly key: unknown;
  readonly value: unknown;
}

/** Who may hold a stored value besides the store. */
export type Ownership = 'copied' | 'owned';

/** Keyed state of one operator subtask. */
export interface KeyedStateStore {
  /** Selects the key for all states. Cheap: nothing is looked up until a state is touched. */
  setKey(key: unknown): void;
  /** The selected key. Throws KEY_INVALID when none is. */
  key(): unknown;
  /**
   * Declares a state, or returns the one declared. `type` null only for engine operators on undeclared streams.
   * `owned`: nobody but the engine operator holds the values; they are kept as they come and may be changed in place after
   * `get` (which counts as a write). Otherwise values are copied as they are stored.
   */
  value<T>(name: string, type: TypeDescriptor<T> | null, ownership?: Ownership): ValueState<T>;
  /** Live entries over all states. */
  readonly entryCount: number;
  /** All entries of a key-group range, grouped by ascending key group. */
  entries(range: KeyGroupRange): Iterable<StateEntry>;
  /** Puts an entry back (restore). */
  restore(entry: StateEntry): void;
  close(): void;
}

/** Opens stores; one per backend (`hashmap` first). */
export interface StateBackend {
  readonly name: string;
  open(options: StateStoreOptions): KeyedStateStore;
}
