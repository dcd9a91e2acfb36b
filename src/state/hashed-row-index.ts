/**
 * Rows by any key that can be hashed. A bucket has four words, so that most lookups read one cache line and
 * never the key itself:
 *
 *     short text   row + 1 | chars 0-3 | chars 4-7 | chars 8-10 and the length      the words are the key
 *     other keys   row + 1 | hash      | 0         | OTHER                          keys[row] decides
 *
 * Short text is a string of up to 11 characters below 256. Its words say which string it is, so equal words
 * need no comparison, and two words of unequal strings differ.
 *
 * Counting words, 50 k distinct, strings fresh from `split`: 70 ns a word against 135 with hash and key in
 * columns of their own, where each lookup of a rare word missed the cache four times (Node 20, AMD EPYC
 * with 1 MiB L2 a core; scripts/bench/micro-state.ts).
 */
import type { KeyHash } from '../graph/key-hash.ts';
import { GOLDEN, MOVED, NO_ROW, RowIndex, VACANT } from './row-index.ts';

/** Equality of keys that have equal hashes; null means `===`. */
export type KeyEquals = ((a: unknown, b: unknown) => boolean) | null;

const BUCKET_WORDS = 4;
const SHORT_LENGTH_MAX = 11;
const CHARACTER_MAX = 0xff;
/** Third word of keys that are not short text: its low byte is no length of one. */
const OTHER = 0xff;

/** See the file's head. */
export class HashedRowIndex extends RowIndex {
  private readonly hash: KeyHash;
  private readonly equals: KeyEquals;
  private readonly keys: unknown[] = [];
  /** The words of the key that `read` saw last. */
  private word0 = 0;
  private word1 = 0;
  private word2 = 0;

  /** `hash` and `equals` are asked about keys that are not short text. */
  constructor(hash: KeyHash, equals: KeyEquals) {
    super(BUCKET_WORDS);
    this.hash = hash;
    this.equals = equals;
  }

  /** The row of `key`, or `NO_ROW`. Throws KEY_INVALID for what cannot be a key. */
  find(key: unknown): number {
    this.read(key);
    const spread = spreadOf(this.word0, this.word1, this.word2);
    const row = this.probe(this.buckets, spread >>> this.shift, key);
    if (row !== NO_ROW || this.retiring === null) return row;
    return this.probe(this.retiring, spread >>> (this.shift + 1), key);
  }

  /** Enters `key`, which is not present, at a free row: the lowest never used, or one given back. */
  add(key: unknown, row: number): void {
    this.keys[row] = key;
    const position = this.addRow(row);
    this.read(key); // Adding has moved other keys.
    this.buckets[position + 1] = this.word0;
    this.buckets[position + 2] = this.word1;
    this.buckets[position + 3] = this.word2;
  }

  remove(row: number): void {
    this.removeRow(row);
    this.keys[row] = undefined;
  }

  keyAt(row: number): unknown {
    return this.keys[row];
  }

  protected override spreadAt(row: number): number {
    this.read(this.keys[row]);
    return spreadOf(this.word0, this.word1, this.word2);
  }

  protected override spreadIn(buckets: Int32Array, position: number): number {
    return spreadOf(buckets[position + 1] as number, buckets[position + 2] as number, buckets[position + 3] as number);
  }

  private probe(buckets: Int32Array, homeBucket: number, key: unknown): number {
    const { word0, word1, word2 } = this;
    const mask = buckets.length - 1;
    for (let position = homeBucket * BUCKET_WORDS; ; position = (position + BUCKET_WORDS) & mask) {
      const entry = buckets[position] as number;
      if (entry === VACANT) return NO_ROW;
      if (buckets[position + 1] !== word0 || buckets[position + 2] !== word1 || buckets[position + 3] !== word2) continue;
      if (entry !== MOVED && (word2 !== OTHER || this.isKeyAt(entry - 1, key))) return entry - 1;
    }
  }

  private isKeyAt(row: number, key: unknown): boolean {
    const candidate = this.keys[row];
    return candidate === key || (this.equals !== null && this.equals(candidate, key));
  }

  /** Sets the words of `key`. */
  private read(key: unknown): void {
    if (typeof key === 'string' && key.length <= SHORT_LENGTH_MAX && this.readShort(key)) return;
    this.word0 = this.hash(key);
    this.word1 = 0;
    this.word2 = OTHER;
  }

  /** False when a character does not fit a byte. */
  private readShort(key: string): boolean {
    const { length } = key;
    let word0 = 0;
    let word1 = 0;
    let word2 = 0;
    let seen = 0;
    let i = 0;
    for (; i < length && i < 4; i++) {
      const character = key.charCodeAt(i);
      seen |= character;
      word0 = (word0 << 8) | character;
    }
    for (; i < length && i < 8; i++) {
      const character = key.charCodeAt(i);
      seen |= character;
      word1 = (word1 << 8) | character;
    }
    for (; i < length; i++) {
      const character = key.charCodeAt(i);
      seen |= character;
      word2 = (word2 << 8) | character;
    }
    this.word0 = word0;
    this.word1 = word1;
    this.word2 = (word2 << 8) | length;
    return seen <= CHARACTER_MAX;
  }
}

function spreadOf(word0: number, word1: number, word2: number): number {
  const mixed = Math.imul(word0, GOLDEN) ^ Math.imul(word1, 0x85ebca6b) ^ Math.imul(word2, 0xc2b2ae35);
  return Math.imul(mixed ^ (mixed >>> 15), GOLDEN);
}
