/** One operator of a savepoint: what it holds, key by key or as a whole. */
import type { OperatorState } from '../checkpoint/checkpoint-metadata.ts';
import type { ReadOnlyMapState } from '../graph/broadcast-functions.ts';
import type { StateSpecs } from '../graph/functions.ts';
import type { TimeWindow } from '../graph/windows.ts';
import type { JsonObject } from '../protocol/json.ts';
import { OperatorStates, readOnlyView } from '../state/operator-state.ts';
import { VOID_NAMESPACE, sameNamespace } from '../state/namespace.ts';
import type { FileSystems } from '../storage/file-system.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { KeyedGroups, type KeyedDeclaration, type KeyedRow } from './keyed-groups.ts';
import { readBytes } from './state-bytes.ts';

/** One keyed state of an operator, as the savepoint describes it. */
export interface KeyedStateInfo {
  readonly name: string;
  /** `value`, `list`, `map`, `reducing` or `aggregating`. */
  readonly kind: string;
  /** Whether there is a value for each window of a key. */
  readonly byWindow: boolean;
  /** Schema of its type; null: the program declared none. */
  readonly schema: JsonObject | null;
}

/** One value of keyed state: a value, a list's elements, a Map, an accumulator. */
export interface KeyedEntry<K, V> {
  readonly key: K;
  readonly state: string;
  /** Null for state that belongs to the key alone. */
  readonly window: TimeWindow | null;
  readonly value: V;
}

/** Name of the state that holds the contents of windows. */
const WINDOW_CONTENTS = 'window-contents';
const NOTHING_DECLARED = { state: {} };

/** Reads one operator. All that is keyed is read key group by key group; rows are valid until the next one. */
export class OperatorReader {
  private readonly operator: OperatorState;
  private readonly files: FileSystems;

  constructor(operator: OperatorState, files: FileSystems) {
    this.operator = operator;
    this.files = files;
  }

  get uid(): string | null {
    return this.operator.uid;
  }

  get operatorId(): string {
    return this.operator.operatorId;
  }

  get name(): string {
    return this.operator.name;
  }

  get parallelism(): number {
    return this.operator.parallelism;
  }

  get maxParallelism(): number {
    return this.operator.maxParallelism;
  }

  /** Empty when it has no keyed state. Throws UNSUPPORTED for native savepoints of backends that keep their own format. */
  keyedStates(): readonly KeyedStateInfo[] {
    return new KeyedGroups(this.operator, this.files).states.map(({ name, kind, namespaced, type }) => {
      return { name, kind, byWindow: namespaced !== null, schema: type };
    });
  }

  /**
   * Keys with the states that are declared, typed. Throws STATE_INCOMPATIBLE, naming state and path, when a declared type cannot
   * take over what is stored.
   */
  async *keyed<K, S extends StateSpecs>(declared: KeyedDeclaration<K, S>): AsyncGenerator<KeyedRow<K, S>> {
    const all = { first: 0, last: this.operator.maxParallelism - 1 };
    for await (const group of new KeyedGroups(this.operator, this.files).groups(declared as KeyedDeclaration<unknown, StateSpecs>, all)) {
      for (const key of group.keys()) yield group.row(key) as unknown as KeyedRow<K, S>;
    }
  }

  /** Every value of every keyed state, in the types it was stored with: also what operators and windows keep. */
  async *entries<K = unknown, V = unknown>(): AsyncGenerator<KeyedEntry<K, V>> {
    const all = { first: 0, last: this.operator.maxParallelism - 1 };
    for await (const group of new KeyedGroups(this.operator, this.files).groups(NOTHING_DECLARED, all)) {
      for (const { key, state, namespace, value } of group.store.entries(group.range)) {
        const window = sameNamespace(namespace, VOID_NAMESPACE) ? null : { startMs: namespace.startMs, endMs: namespace.endMs };
        yield { key: key as K, state, window, value: value as V };
      }
    }
  }

  /** What the windows of a window operator hold: the accumulator, or the elements. */
  async *windows<K = unknown, V = unknown>(): AsyncGenerator<{ readonly key: K; readonly window: TimeWindow; readonly contents: V }> {
    for await (const { key, state, window, value } of this.entries<K, V>()) {
      if (state === WINDOW_CONTENTS && window !== null) yield { key, window, contents: value };
    }
  }

  /** The elements of a list state, those of each subtask in turn. */
  list<T>(name: string, type: TypeDescriptor<T>): AsyncGenerator<T> {
    return this.elements(name, type, 'list');
  }

  /** The elements of a union list state, those of each subtask in turn. */
  unionList<T>(name: string, type: TypeDescriptor<T>): AsyncGenerator<T> {
    return this.elements(name, type, 'union');
  }

  /** A broadcast state. Empty when the operator has none of the name. */
  async broadcast<K, V>(name: string, keyType: TypeDescriptor<K>, type: TypeDescriptor<V>): Promise<ReadOnlyMapState<K, V>> {
    const states = new OperatorStates({ operatorName: this.operator.name, freezeValues: false });
    const map = states.broadcast(name, keyType, type);
    for await (const bytes of this.operatorBytes()) {
      restoreOne(states, bytes);
      break; // It is alike in every subtask.
    }
    return readOnlyView(map);
  }

  private async *elements<T>(name: string, type: TypeDescriptor<T>, kind: 'list' | 'union'): AsyncGenerator<T> {
    for await (const bytes of this.operatorBytes()) {
      const states = new OperatorStates({ operatorName: this.operator.name, freezeValues: false });
      const list = states.list(name, type, kind);
      restoreOne(states, bytes);
      yield* list.get();
    }
  }

  private async *operatorBytes(): AsyncGenerator<Uint8Array> {
    for (const { operator } of this.operator.subtasks) if (operator !== null) yield await readBytes(this.files, operator);
  }
}

function restoreOne(states: OperatorStates, bytes: Uint8Array): void {
  states.restore([{ subtaskIndex: 0, formerParallelism: 1, bytes }], { subtaskIndex: 0, parallelism: 1 });
}
