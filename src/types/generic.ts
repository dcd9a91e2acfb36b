/**
 * The fallback for types that were not declared: tagged values, with the shapes of plain objects learned
 * per channel. Null, undefined, booleans, numbers, bigints, strings, arrays, Map, Set, Date, Uint8Array
 * and plain objects of these travel; functions, symbols and objects with behaviour are refused.
 *
 *     value := tag, then by tag: nothing · 4 bytes · 8 bytes · string · bytes · count and values
 *            | 32 + n                       an integer 0 ≤ n < 224
 *            | SHAPE id, values             an object of a known shape
 *            | NEW_SHAPE n, names, values   the first of its shape; the reader numbers them alike
 *            | FIELDS n, (name, value)*     an object without a shape
 *
 * Stateful: one codec per direction of one channel, and the bytes only make sense in order from where both ends
 * were `reset`.
 */
import { ClusterError } from '../protocol/errors.ts';
import { typeMismatch } from './kind.ts';
import { SHAPES_MAX, ShapeTree, shapeReader, type ReadValue } from './object-shapes.ts';
import type { ByteSink, ByteSource, Codec } from './type-descriptor.ts';

const TAG_NULL = 0;
const TAG_UNDEFINED = 1;
const TAG_FALSE = 2;
const TAG_TRUE = 3;
const TAG_INT32 = 4;
const TAG_FLOAT64 = 5;
const TAG_STRING = 6;
const TAG_BIGINT = 7;
const TAG_DATE = 8;
const TAG_BYTES = 9;
const TAG_ARRAY = 10;
const TAG_MAP = 11;
const TAG_SET = 12;
const TAG_SHAPE = 13;
const TAG_NEW_SHAPE = 14;
const TAG_FIELDS = 15;
const TAG_SMALL_INT = 32;
const SMALL_INT_LIMIT = 256 - TAG_SMALL_INT;

/** Values nested deeper are refused: most likely they contain themselves. */
export const NESTING_MAX = 200;

/** A fresh codec; use one instance to encode one stream of values, or to decode one. */
export class GenericCodec implements Codec<unknown> {
  private tree = new ShapeTree();
  private readonly readers: ReadValue[] = [];
  /** Readers made so far, by their names: after a reset the same shapes come again. */
  private readonly made = new Map<string, ReadValue>();
  private readonly readValue: ReadValue = (source) => this.read(source);

  /** Forgets the shapes: what is written or read from now on stands alone. */
  reset(): void {
    if (!this.tree.isEmpty) this.tree = new ShapeTree();
    this.readers.length = 0;
  }

  encode(value: unknown, sink: ByteSink): void {
    try {
      this.write(value, sink, 0);
    } catch (error) {
      throw located(error, value);
    }
  }

  copy(value: unknown): unknown {
    return genericCopy(value);
  }

  private write(value: unknown, sink: ByteSink, depth: number): void {
    if (typeof value === 'string') {
      sink.u8(TAG_STRING);
      sink.string(value);
    } else if (typeof value === 'number') {
      writeNumber(value, sink);
    } else if (typeof value === 'object' && value !== null) {
      this.writeObject(value, sink, depth);
    } else {
      writeRare(value, sink);
    }
  }

  private writeObject(value: object, sink: ByteSink, depth: number): void {
    if (depth >= NESTING_MAX) throw typeMismatch(`nested deeper than ${NESTING_MAX}: does the record contain itself?`);
    if (Array.isArray(value)) this.writeArray(value, sink, depth + 1);
    else if (value.constructor === Object) this.writeFields(value, sink, depth + 1);
    else if (value instanceof Map) {
      sink.u8(TAG_MAP);
      sink.varint(value.size);
      for (const [key, item] of value as Map<unknown, unknown>) {
        this.write(key, sink, depth + 1);
        this.write(item, sink, depth + 1);
      }
    } else if (value instanceof Set) this.writeSet(value, sink, depth + 1);
    else if (value instanceof Date) {
      sink.u8(TAG_DATE);
      sink.f64(value.getTime());
    } else if (value instanceof Uint8Array) {
      sink.u8(TAG_BYTES);
      sink.bytes(value);
    } else {
      refuseBehaviour(value);
      this.writeFields(value, sink, depth + 1);
    }
  }

  private writeArray(items: readonly unknown[], sink: ByteSink, depth: number): void {
    sink.u8(TAG_ARRAY);
    sink.varint(items.length);
    for (let i = 0; i < items.length; i++) this.write(items[i], sink, depth);
  }

  private writeSet(items: ReadonlySet<unknown>, sink: ByteSink, depth: number): void {
    sink.u8(TAG_SET);
    sink.varint(items.size);
    for (const item of items) this.write(item, sink, depth);
  }

  private writeFields(value: object, sink: ByteSink, depth: number): void {
    const shape = this.tree.find(value);
    if (this.tree.learned) writeNames(value, sink);
    else if (shape >= 0) {
      sink.u8(TAG_SHAPE);
      sink.varint(shape);
    } else return this.writeNamedFields(value as Record<string, unknown>, sink, depth);
    for (const key in value) this.write((value as Record<string, unknown>)[key], sink, depth);
  }

  private writeNamedFields(value: Record<string, unknown>, sink: ByteSink, depth: number): void {
    const names = namesOf(value);
    sink.u8(TAG_FIELDS);
    sink.varint(names.length);
    for (const name of names) {
      sink.string(name);
      this.write(value[name], sink, depth);
    }
  }

  decode(source: ByteSource): unknown {
    try {
      return this.read(source);
    } catch (error) {
      throw error instanceof RangeError ? damaged('values nest without end') : error; // The stack: written values nest NESTING_MAX deep.
    }
  }

  private read(source: ByteSource): unknown {
    const tag = source.u8();
    if (tag >= TAG_SMALL_INT) return tag - TAG_SMALL_INT;
    switch (tag) {
      case TAG_STRING:
        return source.string();
      case TAG_INT32:
        return source.i32();
      case TAG_FLOAT64:
        return source.f64();
      case TAG_SHAPE:
        return this.readerOf(source.varint())(source);
      default:
        return this.readOther(tag, source);
    }
  }

  private readOther(tag: number, source: ByteSource): unknown {
    switch (tag) {
      case TAG_NULL:
        return null;
      case TAG_UNDEFINED:
        return undefined;
      case TAG_FALSE:
      case TAG_TRUE:
        return tag === TAG_TRUE;
      case TAG_BIGINT:
        return readBigint(source.string());
      case TAG_DATE:
        return new Date(source.f64());
      case TAG_BYTES:
        return source.bytes();
      case TAG_ARRAY:
        return this.readItems(source);
      case TAG_MAP:
        return this.readMap(source);
      case TAG_SET:
        return new Set(this.readItems(source));
      case TAG_NEW_SHAPE:
        return this.readNewShape(source);
      case TAG_FIELDS:
        return this.readNamedFields(source);
      default:
        throw damaged(`tag ${tag} does not exist`);
    }
  }

  /** A pair has room for two, where `push` would make room for 17: 30 to 26 ns for (word, 1) (Node 20). */
  private readItems(source: ByteSource): unknown[] {
    const count = source.count();
    if (count === 2) return [this.read(source), this.read(source)];
    const items: unknown[] = [];
    for (let left = count; left > 0; left--) items.push(this.read(source));
    return items;
  }

  private readMap(source: ByteSource): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>();
    for (let left = source.count(); left > 0; left--) {
      const key = this.read(source);
      map.set(key, this.read(source));
    }
    return map;
  }

  private readNewShape(source: ByteSource): unknown {
    const names: string[] = [];
    for (let left = source.count(); left > 0; left--) names.push(readName(source));
    const reader = this.readerFor(names);
    this.readers.push(reader);
    return reader(source);
  }

  private readerFor(names: readonly string[]): ReadValue {
    const spelled = JSON.stringify(names);
    const known = this.made.get(spelled);
    if (known !== undefined) return known;
    const reader = shapeReader(names, this.readValue);
    if (this.made.size < SHAPES_MAX) this.made.set(spelled, reader);
    return reader;
  }

  private readNamedFields(source: ByteSource): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    for (let left = source.count(); left > 0; left--) {
      const name = readName(source);
      value[name] = this.read(source);
    }
    return value;
  }

  private readerOf(shape: number): ReadValue {
    const reader = this.readers[shape];
    if (reader === undefined) throw damaged(`shape ${shape} was never defined on this channel`);
    return reader;
  }
}

function writeNumber(value: number, sink: ByteSink): void {
  const int = value | 0;
  if (int !== value || (int === 0 && 1 / value < 0)) {
    sink.u8(TAG_FLOAT64);
    sink.f64(value);
  } else if (int >= 0 && int < SMALL_INT_LIMIT) {
    sink.u8(TAG_SMALL_INT + int);
  } else {
    sink.u8(TAG_INT32);
    sink.i32(int);
  }
}

function writeRare(value: unknown, sink: ByteSink): void {
  if (value === null) sink.u8(TAG_NULL);
  else if (value === undefined) sink.u8(TAG_UNDEFINED);
  else if (typeof value === 'boolean') sink.u8(value ? TAG_TRUE : TAG_FALSE);
  else if (typeof value === 'bigint') {
    sink.u8(TAG_BIGINT);
    sink.string(String(value));
  } else throw typeMismatch(`a ${typeof value} cannot travel between tasks`);
}

function damaged(what: string): ClusterError {
  return new ClusterError('DATA_CORRUPT', `${what}: the data is damaged, or of a declared type`);
}

function readBigint(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw damaged('a bigint is not made of digits');
  return BigInt(text);
}

/** The names that `namesOf` lets through. */
function readName(source: ByteSource): string {
  const name = source.string();
  if (name === '__proto__') throw damaged('a field is named __proto__');
  return name;
}

/** Checked where a shape is first seen, so that known shapes cost nothing. */
function writeNames(value: object, sink: ByteSink): void {
  const names = namesOf(value);
  sink.u8(TAG_NEW_SHAPE);
  sink.varint(names.length);
  for (const name of names) sink.string(name);
}

function namesOf(value: object): readonly string[] {
  const names = Object.keys(value);
  if (names.includes('__proto__')) throw typeMismatch('a field named __proto__ cannot travel between tasks');
  if (Object.getOwnPropertySymbols(value).length > 0) throw typeMismatch('a field named by a symbol cannot travel between tasks');
  return names;
}

/** Prototypes whose instances are data only. */
const plainPrototypes = new WeakSet<object>([Object.prototype]);

/** An object whose class has methods would lose them on the way. */
function refuseBehaviour(value: object): void {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null || plainPrototypes.has(prototype)) return;
  const isData = Object.getPrototypeOf(prototype) === Object.prototype && Reflect.ownKeys(prototype).every((key) => key === 'constructor');
  if (!isData || !Object.hasOwn(prototype, 'constructor')) {
    const name = value.constructor?.name ?? 'value';
    throw typeMismatch(`a ${name} has behaviour that cannot travel between tasks: emit a plain object, or declare its type`);
  }
  plainPrototypes.add(prototype);
}

/**
 * A deep copy of what `GenericCodec` can carry, by the same rules. Cloning by spread and visiting the
 * copy's fields stays within V8's inline caches.
 */
export function genericCopy(value: unknown): unknown {
  try {
    return copyValue(value, 0);
  } catch (error) {
    throw located(error, value);
  }
}

function copyValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return isPrimitive(value) ? value : refuse(value);
  if (depth >= NESTING_MAX) throw typeMismatch(`nested deeper than ${NESTING_MAX}: does the record contain itself?`);
  if (value.constructor === Object) return copyFields(value, depth + 1);
  if (Array.isArray(value)) return copyItems(value, depth + 1);
  if (value instanceof Map) {
    return new Map([...(value as Map<unknown, unknown>)].map(([key, item]) => [copyValue(key, depth + 1), copyValue(item, depth + 1)]));
  }
  if (value instanceof Set) return new Set([...(value as Set<unknown>)].map((item) => copyValue(item, depth + 1)));
  if (value instanceof Date) return new Date(value);
  if (value instanceof Uint8Array) return new Uint8Array(value);
  refuseBehaviour(value);
  return copyFields(value, depth + 1);
}

/** Slicing and visiting the copy: 3x over `map` with a closure for pairs (Node 20). */
function copyItems(value: readonly unknown[], depth: number): unknown[] {
  const copy = value.slice();
  for (let i = 0; i < copy.length; i++) {
    const item = copy[i];
    if (typeof item === 'object' ? item !== null : !isPrimitive(item)) copy[i] = copyValue(item, depth);
  }
  return copy;
}

function copyFields(value: object, depth: number): object {
  const copy: Record<string, unknown> = { ...value };
  for (const key in copy) {
    const field = copy[key];
    if (typeof field === 'object' ? field !== null : !isPrimitive(field)) copy[key] = copyValue(field, depth);
  }
  return copy;
}

function isPrimitive(value: unknown): boolean {
  return typeof value !== 'function' && typeof value !== 'symbol';
}

function refuse(value: unknown): never {
  throw typeMismatch(`a ${typeof value} cannot travel between tasks`);
}

/** The same error with the path to what was refused: found by trying the parts again, one by one. */
function located(error: unknown, value: unknown): unknown {
  if (!(error instanceof ClusterError) || error.code !== 'TYPE_MISMATCH') return error;
  return typeMismatch(`$${refusedPath(value, 0)}: ${error.message}`);
}

function refusedPath(value: unknown, depth: number): string {
  if (typeof value !== 'object' || value === null || depth >= NESTING_MAX) return '';
  const parts: [string, unknown][] = Array.isArray(value)
    ? value.map((item, i) => [`[${i}]`, item])
    : value instanceof Map
      ? [...(value as Map<unknown, unknown>).values()].map((item, i) => [`.value(${i})`, item])
      : Object.entries(value).map(([name, field]) => [`.${name}`, field]);
  const refused = parts.find(([, part]) => isRefused(part));
  return refused ? refused[0] + refusedPath(refused[1], depth + 1) : '';
}

function isRefused(value: unknown): boolean {
  try {
    copyValue(value, 0);
    return false;
  } catch (error) {
    return error instanceof ClusterError;
  }
}
