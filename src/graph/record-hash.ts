/**
 * The hash of a record, by which two runs of a job are compared without keeping their output: every
 * record is hashed to 32 bits, mixed, and the mixed values are summed, so the order does not matter.
 *
 *     hashRecord: as a key hashes (graph/key-hash.ts), with null, NaN and nested values allowed
 *     mix32:      murmur3's finaliser, so that equal sums of unequal records are unlikely
 *     fold:       the sum of the mixed values as unsigned 32-bit numbers, modulo 2^64
 *
 * Java computes the same: Long.hashCode, Double.hashCode, String.hashCode, Boolean.hashCode,
 * Arrays.hashCode over elements or fields, Objects.hashCode(null) = 0.
 */
import { hashBigint, hashDouble, hashInteger, hashString } from './key-hash.ts';

const HASH_TRUE = 1231;
const HASH_FALSE = 1237;
/** `Double.hashCode(Double.NaN)`. */
const HASH_NAN = 0x7ff80000;
const WORD = 4294967296;
/** A partial sum below this can take another 32-bit value and stay an exact integer. */
const EXACT_SUM_MAX = Number.MAX_SAFE_INTEGER - WORD;

/** Hashes any plain value to a signed 32-bit integer. Objects hash over their values in property order. */
export function hashRecord(value: unknown): number {
  switch (typeof value) {
    case 'number':
      return hashNumber(value);
    case 'string':
      return hashString(value);
    case 'boolean':
      return value ? HASH_TRUE : HASH_FALSE;
    case 'bigint':
      return hashBigint(BigInt.asIntN(64, value));
    case 'object':
      return value === null ? 0 : hashFields(value);
    default:
      return 0;
  }
}

function hashNumber(value: number): number {
  const int32 = value | 0;
  if (int32 === value) return int32 >= 0 ? int32 : ~int32; // Long.hashCode without the division.
  if (Number.isSafeInteger(value)) return hashInteger(value);
  return Number.isNaN(value) ? HASH_NAN : hashDouble(value);
}

function hashFields(value: object): number {
  let hash = 1;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) hash = (Math.imul(hash, 31) + hashRecord(value[i])) | 0;
    return hash;
  }
  if (value instanceof Date) return hashNumber(value.getTime());
  if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value)) {
    return hashFields(Array.from(value as unknown as Iterable<unknown>));
  }
  const fields = value as Record<string, unknown>;
  for (const name in fields) hash = (Math.imul(hash, 31) + hashRecord(fields[name])) | 0;
  return hash;
}

/** Murmur3's 32-bit finaliser. The result is unsigned. */
export function mix32(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/**
 * Count and hash of the records seen. `low` collects as a float, which is exact for 2^21 additions, and
 * spills into `high` before it can round: the record path adds two floats and no bigint.
 */
export class RecordFold {
  count = 0;
  private low = 0;
  private high = 0n;

  add(value: unknown): void {
    this.count++;
    this.low += mix32(hashRecord(value));
    if (this.low > EXACT_SUM_MAX) this.spill();
  }

  /** The sum modulo 2^64, in decimal. */
  sum(): string {
    this.spill();
    return this.high.toString();
  }

  private spill(): void {
    this.high = BigInt.asUintN(64, this.high + BigInt(this.low));
    this.low = 0;
  }
}
