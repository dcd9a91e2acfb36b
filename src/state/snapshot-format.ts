/**
 * The bytes of keyed state, as snapshots write and restores read them. A file is a row of sections, one for
 * each key group of its range in ascending order; `meta` says where each begins, so a task that owns a part
 * of the key groups reads a part of the file.
 *
 *     section   := row*  NO_ROW  timers(event)  timers(processing)
 *     row       := ROW key cell* NO_CELL           in an increment it replaces the row; no cells: the key is gone
 *     cell      := 1 + index of the state, [start of namespace, its length,] value
 *     timers    := count, (key, start, length, timestamp)*
 *
 * A section stands for itself: codecs that learn as they go (values of undeclared types) begin anew in each.
 */
import { ClusterError } from '../protocol/errors.ts';
import type { JsonObject, JsonValue } from '../protocol/json.ts';
import type { ByteReader } from '../types/byte-reader.ts';
import { ByteWriter } from '../types/byte-writer.ts';
import { GenericCodec } from '../types/generic.ts';
import { readNumber, writeNumber } from '../types/scalar-kinds.ts';
import type { ByteSource, Codec, TypeDescriptor } from '../types/type-descriptor.ts';
import type { CellVisitor } from './cells.ts';
import type { KeyGroupRange, SnapshotTimer } from './keyed-state-store.ts';
import type { Namespace } from './namespace.ts';

const FORMAT_VERSION = 1;
const NO_MORE = 0;
const ROW = 1;
/** Timers of event time, then of processing time. */
const DOMAIN_COUNT = 2;

/** A state as its file describes it. */
export interface StateDescription {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: 'shared' | 'own' | null;
  /** Schema of the cells; null: undeclared, in the tagged encoding. */
  readonly type: JsonObject | null;
}

/** What `KeyedSnapshot.meta` holds. */
export interface SnapshotMeta {
  readonly baseId: number | null;
  readonly first: number;
  readonly last: number;
  readonly maxParallelism: number;
  readonly keyType: JsonObject | null;
  readonly states: readonly StateDescription[];
  /** Where the section of each key group begins, and the end of the last. */
  readonly offsets: readonly number[];
  readonly rowCount: number;
  readonly timerCount: number;
}

/** As plain data. */
export function metaToJson(meta: SnapshotMeta): JsonObject {
  return { version: FORMAT_VERSION, ...meta, states: meta.states.map((state) => ({ ...state })) };
}

/** Checks what came from a file. Throws DATA_CORRUPT, or UNSUPPORTED for a later version. */
export function metaFromJson(json: JsonObject): SnapshotMeta {
  const { version, first, last, offsets, states } = json as { readonly [key: string]: JsonValue | undefined };
  if (version !== FORMAT_VERSION) {
    throw new ClusterError('UNSUPPORTED', `keyed state of format ${String(version)}: this version reads format ${FORMAT_VERSION}`);
  }
  const whole = typeof first === 'number' && typeof last === 'number' && Array.isArray(states) &&
    Array.isArray(offsets) && offsets.length === last - first + 2;
  if (!whole) throw new ClusterError('DATA_CORRUPT', 'the description of keyed state is damaged');
  return json as unknown as SnapshotMeta;
}

/** The bytes of a file that hold the key groups of `range`: `[start, end)`. Empty when it holds none. */
export function keyedFilePart(json: JsonObject, range: KeyGroupRange): { readonly start: number; readonly end: number } {
  const meta = metaFromJson(json);
  const first = Math.max(range.first, meta.first);
  const last = Math.min(range.last, meta.last);
  if (first > last) return { start: 0, end: 0 };
  return { start: meta.offsets[first - meta.first] as number, end: meta.offsets[last - meta.first + 1] as number };
}

/** How keys and the cells of each state are written; null types get a fresh tagged codec. */
export interface SectionTypes {
  readonly key: TypeDescriptor<unknown> | null;
  readonly cells: readonly (TypeDescriptor<unknown> | null)[];
}

type AnyCodec = Codec<unknown>;

/** A codec for values of the type, of its own when the type is null. */
export function codecOf(type: TypeDescriptor<unknown> | null): AnyCodec {
  return type === null ? new GenericCodec() : type.codec();
}

export function writeNamespace(namespace: Namespace, sink: ByteWriter): void {
  sink.f64(namespace.startMs);
  writeNumber(namespace.endMs - namespace.startMs, sink);
}

export function readNamespace(source: ByteSource): Namespace {
  const startMs = source.f64();
  return { startMs, endMs: startMs + readNumber(source) };
}

/** Part of a buffer. */
interface ByteSpan {
  readonly store: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Writes one section. */
export class SectionWriter {
  /** `cell` of the state selected by `state`. */
  readonly visit: CellVisitor = (namespace, value) => this.cell(namespace, value);
  state = 0;
  sink: ByteWriter;
  private readonly keyCodec: AnyCodec;
  private readonly codecs: readonly AnyCodec[];
  private readonly namespaced: readonly boolean[];

  constructor(sink: ByteWriter, types: SectionTypes, namespaced: readonly boolean[]) {
    this.sink = sink;
    this.keyCodec = codecOf(types.key);
    this.codecs = types.cells.map(codecOf);
    this.namespaced = namespaced;
  }

  /** What follows, and what was written so far, goes to `sink`. */
  moveTo(sink: ByteWriter): void {
    sink.raw(this.sink.store, 0, this.sink.position);
    this.sink = sink;
  }

  beginRow(key: unknown): void {
    this.sink.u8(ROW);
    this.keyCodec.encode(key, this.sink);
  }

  private cell(namespace: Namespace, value: unknown): void {
    const { state } = this;
    this.sink.varint(state + 1);
    if (this.namespaced[state] === true) writeNamespace(namespace, this.sink);
    (this.codecs[state] as AnyCodec).encode(value, this.sink);
  }

  /** A row whose key and cells, with what ends them, are bytes already. For types that are declared. */
  rawRow(key: ByteSpan, cells: ByteSpan): void {
    this.sink.u8(ROW);
    this.sink.raw(key.store, key.start, key.end);
    this.sink.raw(cells.store, cells.start, cells.end);
  }

  endRow(): void {
    this.sink.u8(NO_MORE);
  }

  /** The end of the rows, and the timers of one domain after the other. */
  end(timers: readonly (readonly SnapshotTimer[])[]): void {
    this.sink.u8(NO_MORE);
    for (const ofDomain of timers) {
      this.sink.varint(ofDomain.length);
      for (const { key, namespace, timestampMs } of ofDomain) {
        this.keyCodec.encode(key, this.sink);
        writeNamespace(namespace, this.sink);
        this.sink.f64(timestampMs);
      }
    }
  }
}

/** Who gets what a section holds. */
export interface SectionVisitor {
  row(key: unknown): void;
  cell(state: number, namespace: Namespace | null, value: unknown): void;
  timer(domain: number, timer: SnapshotTimer): void;
}

/** Reads one section, the window of `source`, a part at a time. */
export class SectionReader {
  private readonly source: ByteReader;
  private readonly keyCodec: AnyCodec;
  private readonly codecs: readonly AnyCodec[];
  private readonly namespaced: readonly boolean[];
  private readonly visitor: SectionVisitor;
  private hasRows = true;
  private domain = 0;
  /** Timers of the domain that are still to be read; null: their count is. */
  private timersLeft: number | null = null;

  constructor(source: ByteReader, types: SectionTypes, namespaced: readonly boolean[], visitor: SectionVisitor) {
    this.source = source;
    this.keyCodec = codecOf(types.key);
    this.codecs = types.cells.map(codecOf);
    this.namespaced = namespaced;
    this.visitor = visitor;
  }

  /** Reads rows and timers, at most `count`; answers how many there were. Fewer than `count`: the section is read. Throws DATA_CORRUPT. */
  read(count: number): number {
    let left = this.hasRows ? this.readRows(count) : count;
    while (left > 0 && !this.hasRows && this.domain < DOMAIN_COUNT) left = this.readTimers(left);
    if (left > 0 && this.source.position !== this.source.end) {
      throw new ClusterError('DATA_CORRUPT', 'a section of keyed state is longer than what it holds');
    }
    return count - left;
  }

  /** Answers what is left of `count`. */
  private readRows(count: number): number {
    const { source, keyCodec, visitor } = this;
    let left = count;
    while (left > 0) {
      if (source.u8() !== ROW) {
        this.hasRows = false;
        return left;
      }
      left--;
      visitor.row(keyCodec.decode(source));
      for (let tag = source.varint(); tag !== NO_MORE; tag = source.varint()) this.readCell(tag - 1);
    }
    return left;
  }

  private readCell(state: number): void {
    const { source, codecs } = this;
    const codec = codecs[state];
    if (codec === undefined) throw new ClusterError('DATA_CORRUPT', `keyed state names state ${state} of ${codecs.length}`);
    const namespace = this.namespaced[state] === true ? readNamespace(source) : null;
    this.visitor.cell(state, namespace, codec.decode(source));
  }

  private readTimers(count: number): number {
    const { source } = this;
    const due = this.timersLeft ?? source.varint();
    const taken = Math.min(due, count);
    for (let i = 0; i < taken; i++) {
      const key = this.keyCodec.decode(source);
      const namespace = readNamespace(source);
      this.visitor.timer(this.domain, { key, namespace, timestampMs: source.f64() });
    }
    this.timersLeft = due - taken;
    if (this.timersLeft === 0) [this.domain, this.timersLeft] = [this.domain + 1, null];
    return count - taken;
  }
}
