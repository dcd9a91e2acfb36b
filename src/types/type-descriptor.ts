/**
 * What a type descriptor is: the run-time counterpart of a TypeScript type, and the maker of its codec.
 * `t.*` (types/t.ts) makes descriptors; state, object keys and connectors require one.
 */
import type { JsonObject } from '../protocol/json.ts';

/** Writes into a growing buffer. Positions are bytes; multi-byte numbers are little-endian unless a method says so. */
export interface ByteSink {
  u8(value: number): void;
  i32(value: number): void;
  f64(value: number): void;
  i64(value: bigint): void;
  /** Unsigned LEB128; 0 ≤ value ≤ 2^53-1. */
  varint(value: number): void;
  /** Length-prefixed UTF-8. A lone surrogate is written as WTF-8, so that any string round-trips. */
  string(value: string): void;
  /** Length-prefixed bytes. */
  bytes(value: Uint8Array): void;
}

/** Reads what a `ByteSink` wrote. Reading past the end throws DATA_CORRUPT. */
export interface ByteSource {
  u8(): number;
  i32(): number;
  f64(): number;
  i64(): bigint;
  varint(): number;
  /** A varint that counts items to follow. Throws DATA_CORRUPT for more than the data can hold. */
  count(): number;
  string(): string;
  bytes(): Uint8Array;
}

/** A binary codec for one type. Stateless; `decode(encode(v))` equals `v`. */
export interface Codec<T> {
  encode(value: T, sink: ByteSink): void;
  decode(source: ByteSource): T;
  /** A deep copy that shares nothing mutable with `value`; the same reference when the type is immutable. */
  copy(value: T): T;
}

/** Run-time description of type `T`. Immutable. */
export interface TypeDescriptor<T> {
  /** Type-level only; never present at run time. */
  readonly __type?: T;
  /**
   * Plain-data schema: part of the plan digest and of every snapshot; what evolution rules compare. `type`
   * names the kind, which also fixes the key hash (graph/key-hash.ts): `string`, `boolean`, `int32`, `int64`,
   * `float64`, `number`, `timestamp`, `bytes`, `literal`; `option`, `nullable` and `array` with `of`; `tuple` with `items`;
   * `object` with `fields: [{ name, type: <schema>, … }]` in declared order; any other kind is no key.
   */
  readonly schema: JsonObject;
  /** Short human name, for example `{ word: string, count: int32 }`. */
  readonly name: string;
  /** True when values cannot be mutated (strings, numbers, frozen): engine copies are skipped. */
  readonly immutable: boolean;
  /** The codec; generated on first use. */
  codec(): Codec<T>;
  /** Throws `TypeMismatchError` naming the path (`$.items[3].price`) when `value` is not a `T`. */
  check(value: unknown): asserts value is T;
}

/** The TypeScript type that a descriptor describes. */
export type Infer<D> = D extends TypeDescriptor<infer T> ? T : never;
