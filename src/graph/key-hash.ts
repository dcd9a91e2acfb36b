/**
 * The key hash: frozen for ever, since it decides which key group a key's state belongs to in every
 * savepoint. It is Java's `hashCode` of the value that a Flink job would have used:
 *
 *     string                          String.hashCode (UTF-16 units)
 *     int32                           the value
 *     safe integer, int64, timestamp  Long.hashCode
 *     other numbers, float64          Double.hashCode; -0 hashes as 0, NaN is refused
 *     boolean                         1231 or 1237
 *     bytes, array, tuple, object     31-fold over elements or declared fields, from 1; an absent field counts 0
 *
 * Both planes and every state backend share these functions. They are free functions on plain values:
 * the record path calls them once per record.
 *
 * Source: java.lang.{String,Long,Double,Boolean}.hashCode, java.util.Arrays.hashCode.
 */
import { ClusterError } from '../protocol/errors.ts';
import { canonicalJson, type JsonObject, type JsonValue } from '../protocol/json.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';

/** Hashes one key to a signed 32-bit integer. Throws KEY_INVALID for what cannot be a key. */
export type KeyHash = (key: unknown) => number;

const UPPER_WORD = 4294967296;
const HASH_TRUE = 1231;
const HASH_FALSE = 1237;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

const double = new Float64Array(1);
const doubleWords = new Int32Array(double.buffer);

/** `String.hashCode`. */
export function hashString(key: string): number {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return hash;
}

/** `Long.hashCode` of a safe integer. */
export function hashInteger(key: number): number {
  return (key | 0) ^ (Math.floor(key / UPPER_WORD) | 0);
}

/** `Double.hashCode`, with -0 as 0. Throws KEY_INVALID for NaN: it equals no key, itself included. */
export function hashDouble(key: number): number {
  if (Number.isNaN(key)) throw new ClusterError('KEY_INVALID', 'NaN cannot be a key: it is not equal to itself');
  double[0] = key === 0 ? 0 : key;
  return (doubleWords[0] ?? 0) ^ (doubleWords[1] ?? 0);
}

/** The hash of a number whose type was not declared: as a long where it is a safe integer, else as a double. */
export function hashNumber(key: number): number {
  return Number.isSafeInteger(key) ? hashInteger(key) : hashDouble(key);
}

/** `Long.hashCode`. Throws KEY_INVALID beyond 64 bits. */
export function hashBigint(key: bigint): number {
  if (key < INT64_MIN || key > INT64_MAX) throw new ClusterError('KEY_INVALID', `key ${key}n does not fit 64 bits`);
  return Number(BigInt.asIntN(32, key)) ^ Number(BigInt.asIntN(32, key >> 32n));
}

/** The hash of a key whose type was not declared: a string, number, bigint or boolean. */
export function hashKey(key: unknown): number {
  switch (typeof key) {
    case 'string':
      return hashString(key);
    case 'number':
      return hashNumber(key);
    case 'boolean':
      return key ? HASH_TRUE : HASH_FALSE;
    case 'bigint':
      return hashBigint(key);
    default:
      throw undeclaredKey(key);
  }
}

/** The hash for keys of a declared type, or `hashKey` for null. Throws KEY_INVALID for types that cannot be keys. */
export function keyHashOf(type: TypeDescriptor<unknown> | null): KeyHash {
  return type === null ? hashKey : hashBySchema(type.schema, type.name);
}

/** Kinds that `hashKey` hashes: by the value alone. */
const HASHED_BY_VALUE: ReadonlySet<JsonValue | undefined> = new Set(['string', 'boolean', 'literal', 'number', 'int64', 'timestamp']);

/** Whether equal keys of both types (null: not declared) have equal hashes, so that their records meet in one subtask. */
export function hashAlike(a: TypeDescriptor<unknown> | null, b: TypeDescriptor<unknown> | null): boolean {
  return hashFamilyOf(a) === hashFamilyOf(b);
}

function hashFamilyOf(type: TypeDescriptor<unknown> | null): string {
  return type === null || HASHED_BY_VALUE.has(type.schema['type']) ? 'by value' : canonicalJson(type.schema);
}

/** `name` is for messages. The kinds are those of `TypeDescriptor.schema`. */
function hashBySchema(schema: JsonObject, name: string): KeyHash {
  switch (schema['type']) {
    case 'string':
    case 'boolean':
    case 'literal':
    case 'number':
    case 'int64':
    case 'timestamp':
      return hashKey;
    case 'int32':
      return (key) => (key as number) | 0;
    case 'float64':
      return (key) => hashDouble(key as number);
    case 'bytes':
      return (key) => hashBytes(key as Uint8Array);
    case 'option':
    case 'nullable':
      return optional(hashBySchema(schema['of'] as JsonObject, name));
    case 'array':
      return hashArray(hashBySchema(schema['of'] as JsonObject, name));
    case 'tuple':
      return hashTuple((schema['items'] as readonly JsonObject[]).map((item) => hashBySchema(item, name)));
    case 'object':
      return hashObject(schema['fields'] as readonly JsonObject[], name);
    default:
      throw notAKeyType(schema['type'], name);
  }
}

function optional(hash: KeyHash): KeyHash {
  return (key) => (key === undefined || key === null ? 0 : hash(key));
}

/** Java bytes are signed. */
function hashBytes(key: Uint8Array): number {
  let hash = 1;
  for (const byte of key) hash = (Math.imul(hash, 31) + ((byte << 24) >> 24)) | 0;
  return hash;
}

function hashArray(element: KeyHash): KeyHash {
  return (key) => (key as readonly unknown[]).reduce<number>((hash, item) => (Math.imul(hash, 31) + element(item)) | 0, 1);
}

function hashTuple(items: readonly KeyHash[]): KeyHash {
  return (key) => {
    const values = key as readonly unknown[];
    let hash = 1;
    for (let i = 0; i < items.length; i++) hash = (Math.imul(hash, 31) + (items[i] as KeyHash)(values[i])) | 0;
    return hash;
  };
}

/** In declared order, whatever the order of the properties in the value. */
function hashObject(fields: readonly JsonObject[], name: string): KeyHash {
  const names = fields.map((field) => field['name'] as string);
  const hashes = fields.map((field) => optional(hashBySchema(field['type'] as JsonObject, name)));
  return (key) => {
    const value = key as Record<string, unknown>;
    let hash = 1;
    for (let i = 0; i < names.length; i++) hash = (Math.imul(hash, 31) + (hashes[i] as KeyHash)(value[names[i] as string])) | 0;
    return hash;
  };
}

function undeclaredKey(key: unknown): ClusterError {
  if (key === undefined || key === null) {
    return new ClusterError('KEY_INVALID', `the key selector returned ${key}: every record needs a key`);
  }
  return new ClusterError(
    'KEY_INVALID',
    `the key selector returned ${Array.isArray(key) ? 'an array' : `a value of type ${typeof key}`}: ` +
      'declare its type, for example keyBy(selector, t.object({ … })), or return a string, number, bigint or boolean',
  );
}

function notAKeyType(kind: JsonValue | undefined, name: string): ClusterError {
  const spelled = typeof kind === 'string' ? kind : 'unknown';
  return new ClusterError('KEY_INVALID', `type ${name} cannot be a key: values of kind '${spelled}' have no stable hash`);
}
