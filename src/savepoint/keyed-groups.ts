/**
 * Keyed state of one operator, key group by key group: the sections of all files that have the group go into a store of that
 * group alone, so that what is in memory is one group, however large the state.
 */
import type { OperatorState } from '../checkpoint/checkpoint-metadata.ts';
import type { StateHandles, StateSpecs } from '../graph/functions.ts';
import type { KeyedStateHandle } from '../protocol/checkpoint.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { JsonObject } from '../protocol/json.ts';
import { systemPorts } from '../base/system-ports.ts';
import { declareState } from '../state/declare-state.ts';
import { heapBackend, type HeapStateStore } from '../state/heap-backend.ts';
import type { KeyGroupRange } from '../state/keyed-state-store.ts';
import { keyedFilePart, metaFromJson, type SnapshotMeta } from '../state/snapshot-format.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { isSameSchema, typeOfSchema } from '../types/schema-evolution.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { GroupTimers, type KeyTimers } from './group-timers.ts';
import { readBytes } from './state-bytes.ts';

/** What the caller declares of an operator's keyed state. */
export interface KeyedDeclaration<K, S extends StateSpecs> {
  /**
   * The type of the key. Where the program declares one (`keyBy(…, type)`) it is that one; where it declares none, a type that is
   * said when reading is for the compiler alone, and none is said for new state.
   */
  readonly key?: TypeDescriptor<K>;
  /** States by name, as the program declares them. Those left out stay as they are. */
  readonly state: S;
}

/** One key with its state. Valid until the next one; handles act on this key. */
export interface KeyedRow<K, S extends StateSpecs> {
  readonly key: K;
  readonly state: StateHandles<S>;
  readonly timers: KeyTimers;
}

/** The state of one key group. */
export class KeyGroupState {
  readonly store: HeapStateStore;
  readonly timers: GroupTimers;
  readonly range: KeyGroupRange;
  private readonly handles: StateHandles<StateSpecs>;

  constructor(keyGroup: number, operator: OperatorState, keyType: TypeDescriptor<unknown> | null, specs: StateSpecs) {
    const { name: operatorName, maxParallelism } = operator;
    this.range = { first: keyGroup, last: keyGroup, maxParallelism };
    this.store = heapBackend.open({ keyGroups: this.range, keyType, freezeValues: false, operatorName });
    this.timers = new GroupTimers(keyType);
    this.store.attachTimers(this.timers);
    const nowMs = (): number => systemPorts.clock.nowMs();
    const declared = Object.entries(specs).map(([name, spec]) => [name, declareState(this.store, name, spec, {}, nowMs)]);
    this.handles = Object.fromEntries(declared) as StateHandles<StateSpecs>;
  }

  /** Keys that have state or timers, as of now. */
  keys(): readonly unknown[] {
    const keys = new Map<string, unknown>();
    for (const { key } of this.store.entries(this.range)) keys.set(this.timers.textOf(key), key);
    for (const key of this.timers.keys()) keys.set(this.timers.textOf(key), key);
    return [...keys.values()];
  }

  /** Selects the key. */
  row(key: unknown): KeyedRow<unknown, StateSpecs> {
    this.store.setKey(key);
    return { key, state: this.handles, timers: this.timers.of(key) };
  }

  /** Forgets the key. */
  remove(key: unknown): void {
    this.store.setKey(key);
    this.store.clearKey();
    this.timers.forget(key);
  }
}

/** The keyed state of one operator in a savepoint. */
export class KeyedGroups {
  private readonly operator: OperatorState;
  private readonly files: FileSystems;
  private readonly handles: readonly KeyedStateHandle[];
  private readonly metas: readonly SnapshotMeta[];

  /** Throws UNSUPPORTED for state in the format of a backend. */
  constructor(operator: OperatorState, files: FileSystems) {
    this.operator = operator;
    this.files = files;
    this.handles = operator.subtasks.flatMap(({ keyed }) => keyed);
    this.metas = this.handles.map(({ meta }) => canonical(meta, operator.name));
  }

  /** All states by name; later files know more. */
  get states(): readonly SnapshotMeta['states'][number][] {
    return [...new Map(this.metas.flatMap(({ states }) => states).map((state) => [state.name, state])).values()];
  }

  /** Whether every file stands alone. */
  get isWhole(): boolean {
    return this.metas.every(({ baseId }) => baseId === null);
  }

  /** The type of the keys as it is stored; null: undeclared. Throws STATE_INCOMPATIBLE when `declared` is another. */
  keyType(declared: TypeDescriptor<unknown> | null): TypeDescriptor<unknown> | null {
    const schema = this.metas[0]?.keyType ?? null;
    if (schema === null) return null;
    if (declared === null) return typeOfSchema(schema);
    if (isSameSchema(schema, declared.schema)) return declared;
    throw new ClusterError(
      'STATE_INCOMPATIBLE', `operator '${this.operator.name}': its keys have the type ${JSON.stringify(schema)}, not ${declared.name}`,
    );
  }

  /** One key group after the other, ascending. */
  async *groups(
    declared: KeyedDeclaration<unknown, StateSpecs>, range: { readonly first: number; readonly last: number },
  ): AsyncGenerator<KeyGroupState> {
    const keyType = this.keyType(declared.key ?? null);
    for (let keyGroup = range.first; keyGroup <= range.last; keyGroup++) {
      const group = new KeyGroupState(keyGroup, this.operator, keyType, declared.state);
      for (const { meta, data } of this.handles) {
        const { start, end } = keyedFilePart(meta, group.range);
        const bytes = start === end ? new Uint8Array(0) : await readBytes(this.files, data, { startBytes: start, endBytes: end });
        group.store.restore({ meta, bytes, offset: start }, group.range);
      }
      group.store.endRestore();
      yield group;
      group.store.close();
    }
  }
}

function canonical(meta: JsonObject, operatorName: string): SnapshotMeta {
  try {
    return metaFromJson(meta);
  } catch (cause) {
    const what = `operator '${operatorName}': its keyed state is in the format of a state backend`;
    throw new ClusterError('UNSUPPORTED', `${what}; take a savepoint with -type canonical`, { cause });
  }
}
