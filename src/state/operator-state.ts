/**
 * Operator state: what belongs to a subtask and not to a key. Three kinds, which differ in how they are handed out
 * when the parallelism changes:
 *
 *     list        the elements of all subtasks, dealt out: element k goes to subtask k mod parallelism
 *     union list  every subtask gets all elements
 *     broadcast   a map that is alike everywhere; every subtask takes one copy
 *
 * Bytes: version, then for each state its name, kind, schema and a value of the schema. A state that the operator no
 * longer declares is kept as it came.
 */
import { ClusterError } from '../protocol/errors.ts';
import type { JsonObject } from '../protocol/json.ts';
import { ByteReader } from '../types/byte-reader.ts';
import { ByteWriter } from '../types/byte-writer.ts';
import type { ReadOnlyMapState } from '../graph/broadcast-functions.ts';
import type { MapState } from '../graph/functions.ts';
import type { OperatorList } from '../graph/operator-state-functions.ts';
import { isSameSchema, schemaConflict, typeOfSchema } from '../types/schema-evolution.ts';
import { t } from '../types/t.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { checkMapKey } from './state-handles.ts';
import { storeValueOf, type StoreValue } from './stored-value.ts';

const FORMAT_VERSION = 1;
const KINDS = ['list', 'union', 'broadcast'] as const;
type Kind = (typeof KINDS)[number];
type AnyType = TypeDescriptor<unknown>;

/** The operator state of a former subtask. */
export interface FormerOperatorState {
  readonly subtaskIndex: number;
  readonly formerParallelism: number;
  readonly bytes: Uint8Array;
}

class ListOfOperator<T> implements OperatorList<T> {
  elements: T[] = [];
  private readonly stored: StoreValue;

  constructor(stored: StoreValue) {
    this.stored = stored;
  }

  get(): readonly T[] {
    return this.elements;
  }

  add(value: T): void {
    this.elements.push(this.stored(value) as T);
  }

  addAll(values: Iterable<T>): void {
    for (const value of values) this.add(value);
  }

  update(values: Iterable<T>): void {
    this.elements = Array.from(values, (value) => this.stored(value) as T);
  }

  clear(): void {
    this.elements = [];
  }
}

class BroadcastMap<K, V> implements MapState<K, V> {
  map = new Map<K, V>();
  private readonly stored: StoreValue;

  constructor(stored: StoreValue) {
    this.stored = stored;
  }

  get(key: K): V | undefined {
    return this.map.get(key);
  }

  has(key: K): boolean {
    return this.map.has(key);
  }

  set(key: K, value: V): void {
    checkMapKey(key);
    if (value === undefined) this.map.delete(key);
    else this.map.set(key, this.stored(value) as V);
  }

  setAll(entries: Iterable<readonly [K, V]>): void {
    for (const [key, value] of entries) this.set(key, value);
  }

  delete(key: K): void {
    this.map.delete(key);
  }

  isEmpty(): boolean {
    return this.map.size === 0;
  }

  entries(): Iterable<readonly [K, V]> {
    return this.map.entries();
  }

  keys(): Iterable<K> {
    return this.map.keys();
  }

  values(): Iterable<V> {
    return this.map.values();
  }

  clear(): void {
    this.map.clear();
  }
}

/** The map for those who only look: it has nothing to change it with. */
export function readOnlyView<K, V>(map: MapState<K, V>): ReadOnlyMapState<K, V> {
  return {
    get: (key) => map.get(key),
    has: (key) => map.has(key),
    isEmpty: () => map.isEmpty(),
    entries: () => map.entries(),
    keys: () => map.keys(),
    values: () => map.values(),
  };
}

interface DeclaredState {
  readonly name: string;
  readonly kind: Kind;
  /** Of the whole: an array, or a Map. */
  readonly type: AnyType;
  get(): unknown;
  set(value: unknown): void;
}

/** A state as it stands in bytes. */
interface StoredState {
  readonly name: string;
  readonly kind: Kind;
  readonly schema: JsonObject;
  readonly bytes: Uint8Array;
}

/** The operator states of one subtask. Declared first, then restored. */
export class OperatorStates {
  private readonly place: { readonly operatorName: string; readonly freezeValues: boolean };
  private readonly states: DeclaredState[] = [];
  private undeclared: readonly StoredState[] = [];

  constructor(place: { readonly operatorName: string; readonly freezeValues: boolean }) {
    this.place = place;
  }

  list<T>(name: string, elementType: TypeDescriptor<T>, kind: 'list' | 'union' = 'list'): OperatorList<T> {
    const options = { name, freeze: this.place.freezeValues, ownership: 'copied' } as const;
    const state = new ListOfOperator<T>(storeValueOf(elementType as AnyType, options));
    this.states.push({
      name, kind, type: t.array(elementType as AnyType),
      get: () => state.elements,
      set: (value) => (state.elements = value as T[]),
    });
    return state;
  }

  broadcast<K, V>(name: string, keyType: TypeDescriptor<K>, valueType: TypeDescriptor<V>): MapState<K, V> {
    const options = { name, freeze: this.place.freezeValues, ownership: 'copied' } as const;
    const state = new BroadcastMap<K, V>(storeValueOf(valueType as AnyType, options));
    this.states.push({
      name, kind: 'broadcast', type: t.map(keyType as AnyType, valueType as AnyType),
      get: () => state.map,
      set: (value) => (state.map = value as Map<K, V>),
    });
    return state;
  }

  /** Null when there is nothing. Throws CHECKPOINT_FAILED, naming the state, for a value that cannot be written. */
  snapshot(): Uint8Array | null {
    if (this.states.length + this.undeclared.length === 0) return null;
    const sink = new ByteWriter();
    sink.u8(FORMAT_VERSION);
    sink.varint(this.states.length + this.undeclared.length);
    for (const { name, kind, schema, bytes } of [...this.states.map((state) => this.stored(state)), ...this.undeclared]) {
      sink.string(name);
      sink.u8(KINDS.indexOf(kind));
      sink.string(JSON.stringify(schema));
      sink.bytes(bytes);
    }
    return sink.toBytes();
  }

  /**
   * Takes over the state of former subtasks: of its own when the parallelism is what it was, else of all, ascending. Where there are
   * union lists all of it comes also at the same parallelism. Throws STATE_INCOMPATIBLE naming the state.
   */
  restore(former: readonly FormerOperatorState[], subtask: { readonly subtaskIndex: number; readonly parallelism: number }): void {
    const all = former.map(({ bytes }) => this.read(bytes));
    const isSame = former.every(({ formerParallelism }) => formerParallelism === subtask.parallelism);
    const own = isSame ? all.filter((_, i) => former[i]?.subtaskIndex === subtask.subtaskIndex) : all;
    for (const state of this.states) {
      const found = (state.kind === 'list' ? own : all).flatMap((states) => states.filter(({ name }) => name === state.name));
      if (found.length === 0) continue;
      if (state.kind === 'broadcast') {
        state.set(this.decode(state, found[0] as StoredState));
        continue;
      }
      const elements = found.flatMap((stored) => this.decode(state, stored) as unknown[]);
      const isDealt = state.kind === 'list' && !isSame;
      state.set(isDealt ? elements.filter((_, k) => k % subtask.parallelism === subtask.subtaskIndex) : elements);
    }
    const declared = new Set(this.states.map(({ name }) => name));
    const kept = isSame ? own.flat() : (all[0] ?? []).filter(({ kind }) => kind === 'broadcast');
    this.undeclared = kept.filter(({ name }) => !declared.has(name));
  }

  private stored(state: DeclaredState): StoredState {
    const { name, kind, type } = state;
    const sink = new ByteWriter();
    try {
      type.codec().encode(state.get(), sink);
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause);
      const message = `operator '${this.place.operatorName}', state '${name}' cannot be written: ${what}`;
      throw new ClusterError('CHECKPOINT_FAILED', message, { cause });
    }
    return { name, kind, schema: type.schema, bytes: sink.toBytes() };
  }

  private read(bytes: Uint8Array): readonly StoredState[] {
    const source = new ByteReader(bytes);
    const version = source.u8();
    if (version !== FORMAT_VERSION) {
      const message = `operator '${this.place.operatorName}': its state has format ${version}, this version reads ${FORMAT_VERSION}`;
      throw new ClusterError('UNSUPPORTED', message);
    }
    return Array.from({ length: source.varint() }, () => ({
      name: source.string(),
      kind: KINDS[source.u8()] as Kind,
      schema: JSON.parse(source.string()) as JsonObject,
      bytes: source.bytes(),
    }));
  }

  private decode(state: DeclaredState, stored: StoredState): unknown {
    const incompatible = (what: string): ClusterError =>
      new ClusterError('STATE_INCOMPATIBLE', `operator '${this.place.operatorName}', state '${state.name}': ${what}`);
    if (stored.kind !== state.kind) throw incompatible(`it was ${stored.kind} state and is now ${state.kind} state`);
    const source = new ByteReader(stored.bytes);
    if (isSameSchema(stored.schema, state.type.schema)) return state.type.codec().decode(source);
    const conflict = schemaConflict(stored.schema, state.type.schema);
    if (conflict !== null) throw incompatible(conflict);
    return state.type.codec().copy(typeOfSchema(stored.schema).codec().decode(source));
  }
}
