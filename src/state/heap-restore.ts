/**
 * Reads files of keyed state into a heap store. A state is read with the type it was written with and taken over into
 * the declared one where the rules of types/schema-evolution.ts allow; a state that the program no longer declares is kept
 * as it was, so that it is in the next snapshot too.
 */
import { ClusterError } from '../protocol/errors.ts';
import type { JsonObject } from '../protocol/json.ts';
import { ByteReader } from '../types/byte-reader.ts';
import { isSameSchema, schemaConflict, typeOfSchema } from '../types/schema-evolution.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { Cells } from './cells.ts';
import { TIMER_DOMAINS, type KeyedStateFile, type KeyGroupRange, type SnapshotTimers } from './keyed-state-store.ts';
import { VOID_NAMESPACE, type Namespace } from './namespace.ts';
import { keyedFilePart, metaFromJson, SectionReader } from './snapshot-format.ts';
import type { SectionVisitor, SnapshotMeta, StateDescription } from './snapshot-format.ts';

type AnyType = TypeDescriptor<unknown>;
type RestoredTimer = Parameters<SnapshotTimers['restore']>[0];

/** A state of the store that a file is read into. */
export interface RestoredState {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: 'shared' | 'own' | null;
  readonly type: AnyType | null;
  readonly cells: Cells;
}

/** The store, as a restore sees it. */
export interface RestoreTarget {
  readonly operatorName: string;
  readonly keyType: AnyType | null;
  readonly maxParallelism: number;
  stateNamed(name: string): RestoredState | null;
  /** Makes a state that is not declared. */
  addUndeclared(description: StateDescription, type: AnyType | null): RestoredState;
  setKey(key: unknown): void;
  setNamespace(namespace: Namespace): void;
  /** Forgets all values of the selected key. */
  clearKey(): void;
}

/** How a state's values get from the file into the store. */
interface StateReader {
  readonly cells: Cells;
  readonly type: AnyType | null;
  readonly convert: ((value: unknown) => unknown) | null;
}

/** Rows and timers of one slice: well below a millisecond, unless rows are large. */
const SLICE_ROWS = 512;

export class HeapRestore {
  private readonly target: RestoreTarget;
  /** The last file that has a key group has its timers. */
  private readonly timers = new Map<number, RestoredTimer[]>();

  constructor(target: RestoreTarget) {
    this.target = target;
  }

  /** One file, or the part of it that `range` needs: something of it with each step. */
  *slices(file: KeyedStateFile, range: KeyGroupRange): Generator<void> {
    const meta = metaFromJson(file.meta);
    this.checkKeys(meta);
    const readers = meta.states.map((state) => this.readerOf(state));
    const types = { key: this.target.keyType, cells: readers.map(({ type }) => type) };
    const namespaced = meta.states.map((state) => state.namespaced !== null);
    const source = new ByteReader(file.bytes);
    const { end } = keyedFilePart(file.meta, range);
    if (end > file.offset + file.bytes.length) {
      throw new ClusterError('DATA_CORRUPT', `${this.place()}: the file of its keyed state is too short`);
    }
    let left = SLICE_ROWS;
    for (let keyGroup = Math.max(range.first, meta.first); keyGroup <= Math.min(range.last, meta.last); keyGroup++) {
      const at = keyGroup - meta.first;
      source.window((meta.offsets[at] as number) - file.offset, (meta.offsets[at + 1] as number) - file.offset);
      const section = new SectionReader(source, types, namespaced, this.visitor(keyGroup, readers, meta.baseId !== null));
      for (let isWhole = false; !isWhole; ) {
        const wanted = left;
        const count = section.read(wanted);
        isWhole = count < wanted;
        left -= count;
        if (left > 0) continue;
        left = SLICE_ROWS;
        yield;
      }
    }
  }

  /** The timers that were read. */
  takeTimers(): readonly RestoredTimer[] {
    const timers = [...this.timers.values()].flat();
    this.timers.clear();
    return timers;
  }

  private visitor(keyGroup: number, readers: readonly StateReader[], isIncrement: boolean): SectionVisitor {
    const { target } = this;
    const timers: RestoredTimer[] = [];
    this.timers.set(keyGroup, timers);
    return {
      row: (key) => {
        target.setKey(key);
        if (isIncrement) target.clearKey();
      },
      cell: (state, namespace, value) => {
        const { cells, convert } = readers[state] as StateReader;
        target.setNamespace(namespace ?? VOID_NAMESPACE);
        cells.put(convert === null ? value : convert(value));
      },
      timer: (domain, timer) => timers.push({ ...timer, domain: TIMER_DOMAINS[domain] as RestoredTimer['domain'] }),
    };
  }

  private checkKeys(meta: SnapshotMeta): void {
    const { keyType, maxParallelism } = this.target;
    if (meta.maxParallelism !== maxParallelism) {
      const change = `its max parallelism was ${meta.maxParallelism} and is now ${maxParallelism}`;
      throw incompatible(this.place(), `${change}, which is fixed for the life of its state`);
    }
    if (!isSameSchema(meta.keyType, keyType?.schema ?? null)) {
      const change = `the type of its key was ${shown(meta.keyType)} and is now ${shown(keyType?.schema ?? null)}`;
      throw incompatible(this.place(), `${change}: keys never change`);
    }
  }

  private readerOf(description: StateDescription): StateReader {
    const { name, kind, namespaced, type: schema } = description;
    const place = `${this.place()}, state '${name}'`;
    const state = this.target.stateNamed(name) ?? this.target.addUndeclared(description, this.typeOf(schema, place));
    if (state.kind !== kind) throw incompatible(place, `it was ${kind} state and is now ${state.kind} state`);
    if ((state.namespaced === null) !== (namespaced === null)) {
      throw incompatible(place, `it was kept ${namespaced === null ? 'by key' : 'by key and window'}, and is not any more`);
    }
    const { type, cells } = state;
    if (isSameSchema(schema, type?.schema ?? null)) return { cells, type, convert: null };
    if (schema !== null && type !== null) {
      const conflict = schemaConflict(schema, type.schema);
      if (conflict !== null) throw incompatible(place, conflict);
    }
    const convert = type === null ? null : (value: unknown) => converted(type, value, place);
    return { cells, type: this.typeOf(schema, place), convert };
  }

  private typeOf(schema: JsonObject | null, place: string): AnyType | null {
    if (schema === null) return null;
    try {
      return typeOfSchema(schema);
    } catch (cause) {
      throw incompatible(place, cause instanceof Error ? cause.message : String(cause));
    }
  }

  private place(): string {
    return `operator '${this.target.operatorName}'`;
  }
}

/** Into the shape that the type's codec makes, without fields that are gone. */
function converted(type: AnyType, value: unknown, place: string): unknown {
  try {
    type.check(value);
  } catch (cause) {
    throw incompatible(place, `a stored value does not fit its type: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  return type.codec().copy(value);
}

function incompatible(place: string, what: string): ClusterError {
  return new ClusterError('STATE_INCOMPATIBLE', `${place}: ${what}`);
}

function shown(schema: JsonObject | null): string {
  return schema === null ? 'undeclared' : JSON.stringify(schema);
}
