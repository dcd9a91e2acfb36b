/**
 * `t`: type descriptors as users write them.
 *
 *     const Ride = t.object({ id: t.string, kind: t.literal('START', 'END'), at: t.timestamp });
 *     type Ride = Infer<typeof Ride>;        // { id: string; kind: 'START' | 'END'; at: number }
 */
import { ClusterError } from '../protocol/errors.ts';
import type { JsonObject, JsonValue } from '../protocol/json.ts';
import { codecOf } from './codec.ts';
import { absentKind, arrayKind, mapKind, objectKind, tupleKind, unionKind, type ObjectKind } from './composite-kinds.ts';
import { codecKind, expected, kindOf, registerKind, typeMismatch, type Kind } from './kind.ts';
import { jsonCodec, jsonMismatch } from './json-kind.ts';
import * as scalars from './scalar-kinds.ts';
import { standardKind, type StandardSchema } from './standard-schema.ts';
import type { ByteSink, ByteSource, Codec, Infer, TypeDescriptor } from './type-descriptor.ts';

type AnyType = TypeDescriptor<unknown>;

/** A field that may be missing: `t.object({ note: t.option(t.string) })` describes `{ note?: string }`. */
export interface OptionType<T> extends TypeDescriptor<T | undefined> {
  readonly optional: true;
}

type Shape = Readonly<Record<string, AnyType>>;
type OptionalKeys<S extends Shape> = { [K in keyof S]: S[K] extends OptionType<unknown> ? K : never }[keyof S];
type Flat<T> = { [K in keyof T]: T[K] };

/** The type of an object with the fields of `S`. */
export type ObjectOf<S extends Shape> = Flat<
  { -readonly [K in Exclude<keyof S, OptionalKeys<S>>]: Infer<S[K]> } & { -readonly [K in OptionalKeys<S>]?: Infer<S[K]> }
>;

/** The type of a union told apart by field `D`. */
export type UnionOf<D extends string, V extends Readonly<Record<string, TypeDescriptor<object>>>> = {
  [K in keyof V & string]: Flat<{ [F in D]: K } & Infer<V[K]>>;
}[keyof V & string];

/** What `t.custom` needs. `version` is part of the schema: raise it when the bytes change. */
export interface CustomCodec<T> {
  readonly name: string;
  readonly version: number;
  encode(value: T, sink: ByteSink): void;
  decode(source: ByteSource): T;
  /** Deep. Leave out only when values are immutable. */
  copy?(value: T): T;
  /** Whether `value` is a `T`. Without it everything passes. */
  is?(value: unknown): boolean;
}

class KindType implements TypeDescriptor<unknown> {
  readonly schema: JsonObject;
  readonly name: string;
  readonly immutable: boolean;
  private readonly kind: Kind;
  private made: Codec<unknown> | null = null;

  constructor(kind: Kind) {
    this.schema = kind.schema;
    this.name = kind.name;
    this.immutable = kind.immutable;
    this.kind = kind;
    registerKind(this, kind);
  }

  codec(): Codec<unknown> {
    this.made ??= codecOf(this.kind);
    return this.made;
  }

  check(value: unknown): void {
    const mismatch = this.kind.mismatch(value, '$');
    if (mismatch !== null) throw typeMismatch(mismatch);
  }
}

function typeOf<T>(kind: Kind): TypeDescriptor<T> {
  return new KindType(kind) as TypeDescriptor<T>;
}

/** What identity does not tell apart, or JSON does not spell, cannot be a literal. */
function checkedLiterals<V extends readonly scalars.LiteralValue[]>(values: V): V {
  const odd = values.find((value) => typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)));
  if (odd === undefined) return values;
  throw new ClusterError('PROGRAM_INVALID', `t.literal: ${Object.is(odd, -0) ? '-0' : String(odd)} cannot be a literal`);
}

/** Objects with exactly known fields. */
function object<S extends Shape>(shape: S): TypeDescriptor<ObjectOf<S>> {
  if (Object.hasOwn(shape, '__proto__')) throw new ClusterError('PROGRAM_INVALID', 't.object: a field cannot be named __proto__');
  return typeOf(objectKind(Object.entries(shape).map(([name, type]) => ({ name, kind: kindOf(type) }))));
}

/** Objects told apart by one field: `t.union('kind', { click: t.object({…}), view: t.object({…}) })`. */
function union<D extends string, V extends Readonly<Record<string, TypeDescriptor<object>>>>(
  discriminator: D,
  variants: V,
): TypeDescriptor<UnionOf<D, V>> {
  const kinds = Object.entries(variants).map(([tag, type]): [string, Kind] => {
    const kind = kindOf(type);
    if (!isObjectKind(kind)) throw new ClusterError('PROGRAM_INVALID', `t.union: variant '${tag}' must be a t.object, not ${type.name}`);
    return [tag, variantKind(discriminator, tag, kind)];
  });
  return typeOf(unionKind(discriminator, new Map(kinds)));
}

function isObjectKind(kind: Kind): kind is ObjectKind {
  return kind.schema['type'] === 'object' && 'fields' in kind;
}

/** The variant's object with the discriminator in front. */
function variantKind(discriminator: string, tag: string, variant: ObjectKind): Kind {
  const rest = variant.fields.filter((field) => field.name !== discriminator);
  return objectKind([{ name: discriminator, kind: scalars.literalKind([tag]) }, ...rest]);
}

/** Any of several types; the first that fits a value encodes it. */
function oneOf<T extends readonly AnyType[]>(...types: T): TypeDescriptor<Infer<T[number]>> {
  const kinds = types.map(kindOf);
  const name = kinds.map((kind) => kind.name).join(' | ');
  const indexOf = (value: unknown): number => kinds.findIndex((kind) => kind.mismatch(value, '$') === null);
  const kindAt = (index: number): Kind => {
    const kind = kinds[index];
    if (!kind) throw scalars.unknownIndex(index);
    return kind;
  };
  const codec: Codec<unknown> = {
    encode(value, sink) {
      const index = indexOf(value);
      sink.varint(index);
      kindAt(index).encode(value, sink);
    },
    decode: (source) => kindAt(source.varint()).decode(source),
    copy(value) {
      const index = indexOf(value);
      if (index < 0) throw typeMismatch(expected('$', name, value));
      return kindAt(index).copy(value);
    },
  };
  const described = {
    schema: { type: 'oneOf', of: kinds.map((kind) => kind.schema) },
    name,
    immutable: kinds.every((kind) => kind.immutable),
  };
  return typeOf(codecKind(described, () => codec, (value, path) => (indexOf(value) < 0 ? expected(path, name, value) : null)));
}

/** Anything that JSON can hold without loss, encoded as JSON text: convenient, and slower than naming the fields. */
function json<T = JsonValue>(): TypeDescriptor<T> {
  return typeOf(codecKind({ schema: { type: 'json' }, name: 'json', immutable: false }, () => jsonCodec, jsonMismatch));
}

/** A type with a codec of its own. */
function custom<T>(spec: CustomCodec<T>): TypeDescriptor<T> {
  const codec: Codec<T> = {
    encode: (value, sink) => spec.encode(value, sink),
    decode: (source) => spec.decode(source),
    copy: (value) => (spec.copy ? spec.copy(value) : value),
  };
  const schema = { type: 'custom', name: spec.name, version: spec.version };
  const described = { schema, name: spec.name, immutable: spec.copy === undefined };
  const is = spec.is?.bind(spec);
  return typeOf(codecKind(described, () => codec as Codec<unknown>, (value, path) =>
    is && !is(value) ? expected(path, spec.name, value) : null));
}

function option<T>(type: TypeDescriptor<T>): OptionType<T> {
  const described = typeOf<T | undefined>(absentKind('option', kindOf(type)));
  return Object.assign(described, { optional: true as const });
}

/** Promises that values are never changed after they were emitted: engine copies are skipped. */
function readonly<T>(type: TypeDescriptor<T>): TypeDescriptor<Readonly<T>> {
  const kind = kindOf(type);
  return typeOf({ ...kind, immutable: true, copy: (value) => value, emitCopy: (_writer, value) => value });
}

/** The type descriptors. Immutable values; share them freely. */
export const t = {
  string: typeOf<string>(scalars.stringKind),
  boolean: typeOf<boolean>(scalars.booleanKind),
  /** -2^31 ≤ value < 2^31; -0 becomes 0. */
  int32: typeOf<number>(scalars.int32Kind),
  float64: typeOf<number>(scalars.float64Kind),
  /** Any number; integers take fewer bytes. */
  number: typeOf<number>(scalars.numberKind),
  /** A bigint of 64 bits. */
  int64: typeOf<bigint>(scalars.int64Kind),
  /** Ms since the Unix epoch, a safe integer. */
  timestamp: typeOf<number>(scalars.timestampKind),
  bytes: typeOf<Uint8Array>(scalars.bytesKind),
  /** One of the given values. */
  literal: <const V extends readonly [scalars.LiteralValue, ...scalars.LiteralValue[]]>(...values: V): TypeDescriptor<V[number]> =>
    typeOf(scalars.literalKind(checkedLiterals(values))),
  object,
  tuple: <const I extends readonly AnyType[]>(...items: I): TypeDescriptor<{ -readonly [K in keyof I]: Infer<I[K]> }> =>
    typeOf(tupleKind(items.map(kindOf))),
  array: <T>(item: TypeDescriptor<T>): TypeDescriptor<T[]> => typeOf(arrayKind(kindOf(item))),
  map: <K, V>(key: TypeDescriptor<K>, value: TypeDescriptor<V>): TypeDescriptor<Map<K, V>> => typeOf(mapKind(kindOf(key), kindOf(value))),
  /** May be undefined; an object field of it may be missing. */
  option,
  /** May be null. */
  nullable: <T>(type: TypeDescriptor<T>): TypeDescriptor<T | null> => typeOf(absentKind('nullable', kindOf(type))),
  union,
  oneOf,
  json,
  custom,
  readonly,
  /** Any Standard Schema (Zod, Valibot, ArkType, …): values are validated and travel as JSON. */
  standard: <T>(schema: StandardSchema<T>): TypeDescriptor<T> => typeOf(standardKind(schema)),
};
