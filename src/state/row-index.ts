/**
 * Key → row, by open addressing over an Int32Array. A bucket holds `row + 1`, so 0 is vacant; keys lie
 * in a column beside it, by row. At most half of the buckets are taken, collisions go to the next bucket,
 * and a removal closes the gap, so a table never collects tombstones.
 *
 *     spread(key) ──top bits──► buckets [ 0 | 7 | 0 | 3 | … ] ──► keys[6] = key?
 *
 * Growing is incremental: the former table retires and gives up a few buckets with each addition, so the
 * pause of one addition does not grow with the table (measured with 4 M keys: worst addition 9 ms, the
 * copy of the key column; rehashing at once took 260 ms. Node 20, scripts/bench/micro-state.ts).
 *
 * Invariants (test/state/row-index.test.ts): a row is in exactly one of the two tables; rows never move.
 * Source: Knuth, TAOCP 6.4 (linear probing, algorithm R).
 */
import { assert } from '../base/assert.ts';

/** `find`'s answer for a key that is not there. */
export const NO_ROW = -1;

const BUCKETS_INITIAL_LOG2 = 6;
/** 2^30 buckets of 4 bytes: the longest table an Int32Array can be asked for with a 32-bit spread. */
const BUCKETS_MAX_LOG2 = 30;
/** The former table of S buckets is empty after S/8 additions; the next growth is due after S/2. */
const BUCKETS_MOVED_PER_ADDITION = 8;
const VACANT = 0;
/** In a retiring table only: the row has moved to the current one, or was removed. */
const MOVED = -1;
/** 2^32 / golden ratio: Fibonacci hashing scatters runs of equal low or high bits. */
export const GOLDEN = 0x9e3779b1;

/** The table without the keys, which a subclass keeps in the representation that suits them. */
export abstract class RowIndex {
  protected buckets = new Int32Array(1 << BUCKETS_INITIAL_LOG2);
  /** `spread >>> shift` is a bucket of `buckets`. */
  protected shift = 32 - BUCKETS_INITIAL_LOG2;
  /** The former, half as long table while rows move out of it. */
  protected retiring: Int32Array | null = null;
  private retiringCursor = 0;
  private rowCount = 0;

  /** The spread of the key at `row`, for moving it. */
  protected abstract spreadAt(row: number): number;

  /** Enters a row whose key is not present. */
  protected addRow(row: number): void {
    if (2 * ++this.rowCount > this.buckets.length) this.grow();
    if (this.retiring !== null) this.moveSome(this.retiring);
    this.place(row);
  }

  /** Takes out a row that is present. */
  protected removeRow(row: number): void {
    this.rowCount -= 1;
    const spread = this.spreadAt(row);
    const bucket = bucketOf(this.buckets, row, spread >>> this.shift);
    if (bucket >= 0) return this.closeGap(bucket);
    assert(this.retiring !== null, 'a row that is removed is in the table');
    const former = bucketOf(this.retiring, row, spread >>> (this.shift + 1));
    assert(former >= 0, 'a row that is removed is in one of the two tables');
    this.retiring[former] = MOVED;
  }

  private place(row: number): void {
    const buckets = this.buckets;
    const mask = buckets.length - 1;
    let bucket = this.spreadAt(row) >>> this.shift;
    while (buckets[bucket] !== VACANT) bucket = (bucket + 1) & mask;
    buckets[bucket] = row + 1;
  }

  private grow(): void {
    assert(this.retiring === null, 'a table has retired before the next one is full');
    assert(32 - this.shift < BUCKETS_MAX_LOG2, 'a subtask holds fewer than 2^29 keys');
    this.retiring = this.buckets;
    this.retiringCursor = 0;
    this.buckets = new Int32Array(2 * this.buckets.length);
    this.shift -= 1;
  }

  private moveSome(retiring: Int32Array): void {
    const end = Math.min(this.retiringCursor + BUCKETS_MOVED_PER_ADDITION, retiring.length);
    for (let bucket = this.retiringCursor; bucket < end; bucket++) {
      const entry = retiring[bucket] as number;
      if (entry <= VACANT) continue;
      this.place(entry - 1);
      retiring[bucket] = MOVED;
    }
    this.retiringCursor = end;
    if (end === retiring.length) this.retiring = null;
  }

  /** Shifts back what was pushed past `gap`, so that no search stops short of it. */
  private closeGap(gap: number): void {
    const buckets = this.buckets;
    const mask = buckets.length - 1;
    let vacancy = gap;
    for (let bucket = (gap + 1) & mask; buckets[bucket] !== VACANT; bucket = (bucket + 1) & mask) {
      const entry = buckets[bucket] as number;
      const home = this.spreadAt(entry - 1) >>> this.shift;
      if (((bucket - home) & mask) < ((bucket - vacancy) & mask)) continue;
      buckets[vacancy] = entry;
      vacancy = bucket;
    }
    buckets[vacancy] = VACANT;
  }
}

/** The bucket that holds `row`, or -1. */
function bucketOf(buckets: Int32Array, row: number, home: number): number {
  const mask = buckets.length - 1;
  for (let bucket = home; buckets[bucket] !== VACANT; bucket = (bucket + 1) & mask) {
    if (buckets[bucket] === row + 1) return bucket;
  }
  return -1;
}

const double = new Float64Array(1);
const doubleWords = new Int32Array(double.buffer);

/** Spreads a number: by value where it is an int32, else by its bits. -0 and 0 agree. */
export function spreadOfNumber(key: number): number {
  const int = key | 0;
  if (int === key) return Math.imul(int, GOLDEN);
  double[0] = key;
  return Math.imul((doubleWords[0] as number) ^ Math.imul(doubleWords[1] as number, GOLDEN), GOLDEN);
}

/**
 * Rows by number. Keys lie in a Float64Array: no boxes, 8 bytes a key.
 *
 * Get and set of a counter, random order, 1 k / 100 k / 1 M keys: 50 / 38 / 10.5 M/s; `Map<number, {v}>`
 * reaches 39 / 7.9 / 4.2; keys inline in the buckets 50 / 27 / 8.5; key and value interleaved in one
 * array 42 / 36 / 11 (Node 20, AMD EPYC with 2 MiB L2).
 */
export class NumberRowIndex extends RowIndex {
  private keys: Float64Array = new Float64Array(1 << (BUCKETS_INITIAL_LOG2 - 1));

  /** The row of `key`, or `NO_ROW`. NaN is never found. */
  find(key: number): number {
    const spread = spreadOfNumber(key);
    const row = this.probe(this.buckets, spread >>> this.shift, key);
    if (row !== NO_ROW || this.retiring === null) return row;
    return this.probe(this.retiring, spread >>> (this.shift + 1), key);
  }

  /** Enters `key`, which is not present, at a free row. */
  add(key: number, row: number): void {
    if (row >= this.keys.length) this.keys = grownFloats(this.keys);
    this.keys[row] = key === 0 ? 0 : key;
    this.addRow(row);
  }

  remove(row: number): void {
    this.removeRow(row);
  }

  keyAt(row: number): number {
    return this.keys[row] as number;
  }

  protected override spreadAt(row: number): number {
    return spreadOfNumber(this.keys[row] as number);
  }

  private probe(buckets: Int32Array, home: number, key: number): number {
    const keys = this.keys;
    const mask = buckets.length - 1;
    for (let bucket = home; ; bucket = (bucket + 1) & mask) {
      const entry = buckets[bucket] as number;
      if (entry === VACANT) return NO_ROW;
      if (entry !== MOVED && keys[entry - 1] === key) return entry - 1;
    }
  }
}

/** Equality of keys that have equal hashes; null means `===`. */
export type KeyEquals = ((a: unknown, b: unknown) => boolean) | null;

/**
 * Rows by any hashed key. The frozen key hash is kept by row: a collision is told apart without touching
 * the key, and moving a row needs no hash.
 *
 * Counting words, 50 k distinct, strings as they leave a decoder: 17.6 M/s against 5.7 of a `Map`, which
 * has V8 hash each new string; strings hashed before: 18.4 against 12.3 (Node 20, AMD EPYC).
 */
export class HashedRowIndex extends RowIndex {
  private readonly equals: KeyEquals;
  private readonly keys: unknown[] = [];
  private hashes: Int32Array = new Int32Array(1 << (BUCKETS_INITIAL_LOG2 - 1));

  constructor(equals: KeyEquals) {
    super();
    this.equals = equals;
  }

  /** The row of `key`, or `NO_ROW`. */
  find(key: unknown, hash: number): number {
    const spread = Math.imul(hash, GOLDEN);
    const row = this.probe(this.buckets, spread >>> this.shift, key, hash);
    if (row !== NO_ROW || this.retiring === null) return row;
    return this.probe(this.retiring, spread >>> (this.shift + 1), key, hash);
  }

  /** Enters `key`, which is not present, at a free row: the lowest never used, or one given back. */
  add(key: unknown, hash: number, row: number): void {
    while (row >= this.hashes.length) this.hashes = grownInts(this.hashes);
    this.hashes[row] = hash;
    this.keys[row] = key;
    this.addRow(row);
  }

  remove(row: number): void {
    this.removeRow(row);
    this.keys[row] = undefined;
  }

  keyAt(row: number): unknown {
    return this.keys[row];
  }

  hashAt(row: number): number {
    return this.hashes[row] as number;
  }

  protected override spreadAt(row: number): number {
    return Math.imul(this.hashes[row] as number, GOLDEN);
  }

  private probe(buckets: Int32Array, home: number, key: unknown, hash: number): number {
    const { hashes, keys, equals } = this;
    const mask = buckets.length - 1;
    for (let bucket = home; ; bucket = (bucket + 1) & mask) {
      const entry = buckets[bucket] as number;
      if (entry === VACANT) return NO_ROW;
      if (entry === MOVED || hashes[entry - 1] !== hash) continue;
      const candidate = keys[entry - 1];
      if (candidate === key || (equals !== null && equals(candidate, key))) return entry - 1;
    }
  }
}

/** Twice as long, contents kept. */
export function grownFloats(column: Float64Array): Float64Array {
  const grown = new Float64Array(2 * column.length);
  grown.set(column);
  return grown;
}

function grownInts(column: Int32Array): Int32Array {
  const grown = new Int32Array(2 * column.length);
  grown.set(column);
  return grown;
}
