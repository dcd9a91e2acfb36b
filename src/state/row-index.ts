/**
 * Key → row, by open addressing over an Int32Array. A bucket holds `row + 1` in its low bits, so 0 is vacant,
 * and a tag from the key's spread in the bits above; keys lie in columns beside the table, by row. At most half
 * of the buckets are taken, collisions go to the next bucket, and a removal closes the gap, so a table never
 * collects tombstones.
 *
 *     spread(key) ──top bits──► buckets [ 0 | tag·7 | 0 | tag·3 | … ] ──► keys[6] = key?
 *                 └─low bits──► tag: a bucket of another key is passed over without a look at that key
 *
 * So a probe takes the tag it looks for from an entry, and has a row if that leaves less than half the table:
 * `(entry ^ tag) - 1`. What has moved or is vacant never does.
 *
 * Growing is incremental: the former table retires and gives up a few buckets with each addition, so the
 * pause of one addition does not grow with the table (measured with 4 M keys: worst addition 9 ms, the
 * copy of the key column; rehashing at once took 260 ms. Node 20, scripts/bench/micro-state.ts).
 *
 * Invariants (test/state/row-index.test.ts): a row is in exactly one of the two tables; rows never move; a row
 * is below half the number of buckets, so that `row + 1` fits below the tag.
 * Source: Knuth, TAOCP 6.4 (linear probing, algorithm R).
 */
import { assert } from '../base/assert.ts';

/** `find`'s answer for a key that is not there. */
export const NO_ROW = -1;

const BUCKETS_INITIAL_LOG2 = 6;
/** Keys that fit the first table. */
export const ROWS_INITIAL = 1 << (BUCKETS_INITIAL_LOG2 - 1);
/** 2^30 buckets: the longest table that a 32-bit spread can address evenly. */
const BUCKETS_MAX_LOG2 = 30;
/** The former table of S buckets is empty after S/8 additions; the next growth is due after S/2. */
const BUCKETS_MOVED_PER_ADDITION = 8;
export const VACANT = 0;
/** In a retiring table only: the row has moved to the current one, or was removed. */
const MOVED = -1;
/** 2^32 / golden ratio: Fibonacci hashing scatters runs of equal low or high bits. */
export const GOLDEN = 0x9e3779b1;

/** The table without the keys. */
export abstract class RowIndex {
  protected buckets = new Int32Array(1 << BUCKETS_INITIAL_LOG2);
  /** `spread >>> shift` is a bucket of `buckets`, and the low `32 - shift` bits of an entry are its row. */
  protected shift = 32 - BUCKETS_INITIAL_LOG2;
  /** The former, half as long table while rows move out of it. */
  protected retiring: Int32Array | null = null;
  private retiringCursor = 0;
  private rowCount = 0;

  /** The spread of the key at `row`. */
  protected abstract spreadAt(row: number): number;

  /** Enters a row whose key, already in its column, is not present. */
  protected addRow(row: number): void {
    if (2 * ++this.rowCount > this.buckets.length) this.grow();
    assert(2 * row < this.buckets.length, 'the lowest rows are used first');
    if (this.retiring !== null) this.moveSome(this.retiring);
    this.enter(row);
  }

  /** Takes out a row that is present. */
  protected removeRow(row: number): void {
    this.rowCount -= 1;
    const spread = this.spreadAt(row);
    const bucket = bucketOf(this.buckets, this.shift, row, spread);
    if (bucket >= 0) return this.closeGap(bucket);
    assert(this.retiring !== null, 'a row that is removed is in the table');
    const former = bucketOf(this.retiring, this.shift + 1, row, spread);
    assert(former >= 0, 'a row that is removed is in one of the two tables');
    this.retiring[former] = MOVED;
  }

  private enter(row: number): void {
    const { buckets, shift } = this;
    const spread = this.spreadAt(row);
    const mask = buckets.length - 1;
    let bucket = spread >>> shift;
    while (buckets[bucket] !== VACANT) bucket = (bucket + 1) & mask;
    buckets[bucket] = (spread << (32 - shift)) | (row + 1);
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
      if (entry === VACANT || entry === MOVED) continue;
      this.enter((entry & (retiring.length - 1)) - 1);
      retiring[bucket] = MOVED;
    }
    this.retiringCursor = end;
    if (end === retiring.length) this.retiring = null;
  }

  /** Shifts back what was pushed past `gap`, so that no search stops short of it. */
  private closeGap(gap: number): void {
    const { buckets, shift } = this;
    const mask = buckets.length - 1;
    let vacancy = gap;
    for (let bucket = (gap + 1) & mask; buckets[bucket] !== VACANT; bucket = (bucket + 1) & mask) {
      const entry = buckets[bucket] as number;
      const home = this.spreadAt((entry & mask) - 1) >>> shift;
      if (((bucket - home) & mask) < ((bucket - vacancy) & mask)) continue;
      buckets[vacancy] = entry;
      vacancy = bucket;
    }
    buckets[vacancy] = VACANT;
  }
}

/** The bucket that holds `row`, or -1. */
function bucketOf(buckets: Int32Array, shift: number, row: number, spread: number): number {
  const mask = buckets.length - 1;
  for (let bucket = spread >>> shift; buckets[bucket] !== VACANT; bucket = (bucket + 1) & mask) {
    if (buckets[bucket] !== MOVED && ((buckets[bucket] as number) & mask) === row + 1) return bucket;
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
  private keys: Float64Array = new Float64Array(ROWS_INITIAL);

  /** The row of `key`, or `NO_ROW`. NaN is never found. */
  find(key: number): number {
    const spread = spreadOfNumber(key);
    const row = this.probe(this.buckets, this.shift, spread, key);
    if (row !== NO_ROW || this.retiring === null) return row;
    return this.probe(this.retiring, this.shift + 1, spread, key);
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

  private probe(buckets: Int32Array, shift: number, spread: number, key: number): number {
    const keys = this.keys;
    const mask = buckets.length - 1;
    const tag = spread << (32 - shift);
    for (let bucket = spread >>> shift; ; bucket = (bucket + 1) & mask) {
      const entry = buckets[bucket] as number;
      if (entry === VACANT) return NO_ROW;
      const row = (entry ^ tag) - 1;
      if (row >>> 0 <= mask >>> 1 && keys[row] === key) return row;
    }
  }
}

/** Twice as long, contents kept. */
export function grownFloats(column: Float64Array): Float64Array {
  const grown = new Float64Array(2 * column.length);
  grown.set(column);
  return grown;
}
