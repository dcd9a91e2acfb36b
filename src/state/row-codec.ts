/**
 * A key and its values as bytes, each standing for itself: how rows of the `rocksdb` backend lie in files.
 *
 *     row    := layout (varint), cell*, NO_CELL          cell as in state/snapshot-format.ts
 *     key    := equal keys have equal bytes: -0 is written as 0, null where a value may be absent as absent
 *
 * A layout is the types of all states at one time. A state that is declared later, or gets its type late, makes a new one, and
 * rows of the former are still read as they were written.
 */
import type { JsonObject } from '../protocol/json.ts';
import { ByteReader } from '../types/byte-reader.ts';
import { ByteWriter } from '../types/byte-writer.ts';
import { GenericCodec } from '../types/generic.ts';
import type { Codec, TypeDescriptor } from '../types/type-descriptor.ts';
import type { CellVisitor } from './cells.ts';
import { VOID_NAMESPACE } from './namespace.ts';
import { codecOf, readNamespace, writeNamespace, type SectionTypes } from './snapshot-format.ts';

type AnyType = TypeDescriptor<unknown>;
type Canonical = (value: unknown) => unknown;

const NO_CELL = 0;
/** Of the number of a layout. */
const LAYOUT_SIZE_BYTES_MAX = 8;
/** Shorter keys and rows are copied, and read from where the reader looks already. */
const SCRATCH_SIZE_BYTES = 128;

/** A state, as far as its bytes go. */
export interface EncodedState {
  readonly type: AnyType | null;
  readonly isNamespaced: boolean;
}

interface Layout {
  readonly states: readonly EncodedState[];
  readonly codecs: readonly Codec<unknown>[];
}

/** Gets a cell of a row. */
export type CellReader = (state: number, ...cell: Parameters<CellVisitor>) => void;

/** See the file's head. What was encoded last is in `key` and `row`. */
export class RowCodec {
  readonly key = new ByteWriter();
  readonly row = new ByteWriter();
  /** The cell comes from this state. */
  state = 0;
  readonly visit: CellVisitor = (namespace, value) => {
    const { isNamespaced } = this.layout.states[this.state] as EncodedState;
    this.row.varint(this.state + 1);
    if (isNamespaced) writeNamespace(namespace, this.row);
    (this.layout.codecs[this.state] as Codec<unknown>).encode(value, this.row);
  };
  private readonly keyType: AnyType | null;
  private readonly keyCodec: Codec<unknown>;
  private readonly canonical: Canonical | null;
  private readonly layouts: Layout[] = [];
  private layout: Layout = { states: [], codecs: [] };
  private readonly scratch = Buffer.alloc(SCRATCH_SIZE_BYTES);
  private readonly reader = new ByteReader();
  private isReadingScratch = false;

  constructor(keyType: AnyType | null) {
    this.keyType = keyType;
    this.keyCodec = codecOf(keyType);
    this.canonical = keyType === null ? null : canonicalBySchema(keyType.schema);
  }

  encodeKey(key: unknown): void {
    this.key.position = 0;
    if (this.keyCodec instanceof GenericCodec) this.keyCodec.reset();
    this.keyCodec.encode(key === 0 ? 0 : this.canonical === null ? key : this.canonical(key), this.key);
  }

  decodeKey(store: Uint8Array, start: number, end: number): unknown {
    const codec = this.keyCodec;
    if (codec instanceof GenericCodec) codec.reset();
    this.read(store, start, end);
    return codec.decode(this.reader);
  }

  /** The states have changed. */
  declare(states: readonly EncodedState[]): void {
    this.layout = { states, codecs: states.map(({ type }) => codecOf(type)) };
    this.layouts.push(this.layout);
  }

  /** Then `state` and `visit` for each cell, then `endRow`. */
  beginRow(): void {
    this.row.position = 0;
    this.row.varint(this.layouts.length - 1);
    reset(this.layout);
  }

  endRow(): void {
    this.row.u8(NO_CELL);
  }

  /** Answers how many cells the row has. */
  readRow(store: Uint8Array, [start, end]: readonly [number, number], read: CellReader): number {
    const { reader } = this;
    this.read(store, start, end);
    const layout = this.layouts[reader.varint()] as Layout;
    reset(layout);
    let count = 0;
    for (let tag = reader.varint(); tag !== NO_CELL; tag = reader.varint(), count++) {
      const { isNamespaced } = layout.states[tag - 1] as EncodedState;
      const namespace = isNamespaced ? readNamespace(reader) : VOID_NAMESPACE;
      read(tag - 1, namespace, (layout.codecs[tag - 1] as Codec<unknown>).decode(reader));
    }
    return count;
  }

  /** Where the cells of a row begin when they are, byte for byte, cells of a section with these types; else -1. */
  sectionCells(store: Uint8Array, [start, end]: readonly [number, number], types: SectionTypes): number {
    if (this.keyType === null) return -1;
    const { reader } = this;
    const length = Math.min(end - start, LAYOUT_SIZE_BYTES_MAX);
    this.read(store, start, start + length);
    const { states } = this.layouts[reader.varint()] as Layout;
    for (let i = 0; i < states.length; i++) {
      const { type } = states[i] as EncodedState;
      if (type === null || type !== types.cells[i]) return -1;
    }
    return start + reader.position - (reader.end - length);
  }

  private read(store: Uint8Array, start: number, end: number): void {
    const { reader, scratch } = this;
    if (end - start > SCRATCH_SIZE_BYTES) {
      reader.reset(store);
      reader.window(start, end);
      this.isReadingScratch = false;
      return;
    }
    for (let i = start, to = 0; i < end; i++, to++) scratch[to] = store[i] as number;
    if (!this.isReadingScratch) reader.reset(scratch);
    this.isReadingScratch = true;
    reader.window(0, end - start);
  }
}

function reset({ codecs }: Layout): void {
  for (const codec of codecs) if (codec instanceof GenericCodec) codec.reset();
}

/** Makes keys that are equal (state/key-equality.ts) alike; null where they are. */
function canonicalBySchema(schema: JsonObject): Canonical | null {
  switch (schema['type']) {
    case 'float64':
    case 'number':
      return (value) => (value === 0 ? 0 : value);
    case 'option': {
      const inner = canonicalBySchema(schema['of'] as JsonObject);
      return (value) => (value === undefined || value === null ? undefined : inner === null ? value : inner(value));
    }
    case 'nullable': {
      const inner = canonicalBySchema(schema['of'] as JsonObject);
      return inner === null ? null : (value) => (value === undefined || value === null ? value : inner(value));
    }
    case 'array': {
      const inner = canonicalBySchema(schema['of'] as JsonObject);
      return inner === null ? null : (value) => (value as readonly unknown[]).map(inner);
    }
    case 'tuple': {
      const items = (schema['items'] as readonly JsonObject[]).map(canonicalBySchema);
      return (value) => (value as readonly unknown[]).map((item, i) => (items[i] ?? ((same: unknown) => same))(item));
    }
    case 'object': {
      const fields = (schema['fields'] as readonly JsonObject[]).map((field) => {
        return [field['name'] as string, canonicalBySchema(field['type'] as JsonObject)] as const;
      });
      return (value) => {
        return Object.fromEntries(fields.map(([name, inner]) => {
          const field = (value as Record<string, unknown>)[name];
          return [name, inner === null ? field : inner(field)];
        }));
      };
    }
    default:
      return null;
  }
}
