/**
 * Key → row, by open addressing over an Int32Array. A bucket begins with `row + 1`, so 0 is vacant; a
 * subclass keeps keys in a column beside the table, by row, or in further words of the bucket. At most half
 * of the buckets are taken, collisions go to the next bucket, and a removal closes the gap, so a table never
 * collects tombstones.
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
/** Keys that fit the first table. */
export const ROWS_INITIAL = 1 << (BUCKETS_INITIAL_LOG2 - 1);
/** 2^30 buckets: the longest table that a 32-bit spread can address evenly. */
const BUCKETS_MAX_LOG2 = 30;
/** The former table of S buckets is empty after S/8 additions; the next growth is due after S/2. */
const BUCKETS_MOVED_PER_ADDITION = 8;
export const VACANT = 0;
/** In a retiring table only: the row has moved to the current one, or was removed. */
export const MOVED = -1;
/** 2^32 / golden ratio: Fibonacci hashing scatters runs of equal low or high bits. */
export const GOLDEN = 0x9e3779b1;

/** The table without the keys. Positions are indices of Int32s, at the start of a bucket. */
export abstract class RowIndex {
  protected buckets: Int32Array;
  /** `spread >>> shift` is a bucket of `buckets`. */
  protected shift = 32 - BUCKETS_INITIAL_LOG2;
  /** The former, half as long table while rows move out of it. */
  protected retiring: Int32Array | null = null;
  private readonly width: number;
  private retiringCursor = 0;
  private rowCount = 0;

  /** `width`: Int32s of a bucket, a power of two. */
  constructor(width = 1) {
    this.width = width;
    this.buckets = new Int32Array(width << BUCKETS_INITIAL_LOG2);
  }

  /** The spread of the key at `row`. */
  protected abstract spreadAt(row: number): number;

  /** The spread of the key in a taken bucket. */
  protected spreadIn(buckets: Int32Array, position: number): number {
    return this.spreadAt((buckets[position] as number) - 1);
  }

  /** Enters a row whose key is not present. Answers the position of its bucket, whose other words are the caller's. */
  protected addRow(row: number): number {
    if (2 * ++this.rowCount * this.width > this.buckets.length) this.grow();
    if (this.retiring !== null) this.moveSome(this.retiring);
    const position = this.vacancyFor(this.spreadAt(row));
    this.buckets[position] = row + 1;
    return position;
  }

  /** Takes out a row that is present. */
  protected removeRow(row: number): void {
    this.rowCount -= 1;
    const spread = this.spreadAt(row);
    const position = this.positionOf(this.buckets, row, spread >>> this.shift);
    if (position >= 0) return this.closeGap(position);
    assert(this.retiring !== null, 'a row that is removed is in the table');
    const former = this.positionOf(this.retiring, row, spread >>> (this.shift + 1));
    assert(former >= 0, 'a row that is removed is in one of the two tables');
    this.retiring[former] = MOVED;
  }

  private vacancyFor(spread: number): number {
    const { buckets, width } = this;
    const mask = buckets.length - 1;
    let position = (spread >>> this.shift) * width;
    while (buckets[position] !== VACANT) position = (position + width) & mask;
    return position;
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
    const { width } = this;
    const end = Math.min(this.retiringCursor + BUCKETS_MOVED_PER_ADDITION * width, retiring.length);
    for (let position = this.retiringCursor; position < end; position += width) {
      if ((retiring[position] as number) <= VACANT) continue;
      const vacancy = this.vacancyFor(this.spreadIn(retiring, position));
      for (let word = 0; word < width; word++) this.buckets[vacancy + word] = retiring[position + word] as number;
      retiring[position] = MOVED;
    }
    this.retiringCursor = end;
    if (end === retiring.length) this.retiring = null;
  }

  /** Shifts back what was pushed past `gap`, so that no search stops short of it. */
  private closeGap(gap: number): void {
    const { buckets, width } = this;
    const mask = buckets.length - 1;
    let vacancy = gap;
    for (let position = (gap + width) & mask; buckets[position] !== VACANT; position = (position + width) & mask) {
      const home = (this.spreadIn(buckets, position) >>> this.shift) * width;
      if (((position - home) & mask) < ((position - vacancy) & mask)) continue;
      for (let word = 0; word < width; word++) buckets[vacancy + word] = buckets[position + word] as number;
      vacancy = position;
    }
    buckets[vacancy] = VACANT;
  }

  /** The position of the bucket that holds `row`, or -1. */
  private positionOf(buckets: Int32Array, row: number, homeBucket: number): number {
    const mask = buckets.length - 1;
    const { width } = this;
    for (let position = homeBucket * width; buckets[position] !== VACANT; position = (position + width) & mask) {
      if (buckets[position] === row + 1) return position;
    }
    return -1;
  }
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

/** Twice as long, contents kept. */
export function grownFloats(column: Float64Array): Float64Array {
  const grown = new Float64Array(2 * column.length);
  grown.set(column);
  return grown;
}
