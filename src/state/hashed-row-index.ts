/**
 * Rows by any key that can be hashed. Four words beside each row say most of its key, so that a lookup reads
 * the bucket and these words, and rarely the key itself:
 *
 *     short text   chars 0-3 | chars 4-7 | chars 8-10 and the length      the words are the key
 *     other keys   hash      | 0         | OTHER                          keys[row] decides
 *
 * Short text is a string of up to 11 characters below 256. Its words say which string it is, so equal words
 * need no comparison, and two words of unequal strings differ.
 *
 * Keys that come often come early, so their words lie together at the low rows: with the words in the buckets
 * each frequent key kept a cache line of its own, in a table of four times the size. Counting words with their
 * garbage, 50 k distinct: 122 ns a word against 142, and 200 with `Map` (Node 20, AMD EPYC with 1 MiB L2 a core).
 */
import type { KeyHash } from '../graph/key-hash.ts';
import { GOLDEN, NO_ROW, ROWS_INITIAL, RowIndex, VACANT } from './row-index.ts';

/** Equality of keys that have equal hashes; null means `===`. */
export type KeyEquals = ((a: unknown, b: unknown) => boolean) | null;

/** Of a row; the fourth is spare, so that no row's words lie on two cache lines. */
const WORDS = 4;
const SHORT_LENGTH_MAX = 11;
const CHARACTER_MAX = 0xff;
/** Third word of keys that are not short text: its low byte is no length of one. */
const OTHER = 0xff;

/** See the file's head. */
export class HashedRowIndex extends RowIndex {
  private readonly hash: KeyHash;
  private readonly equals: KeyEquals;
  private readonly keys: unknown[] = [];
  private words = new Int32Array(WORDS * ROWS_INITIAL);
  /** The words of the key that `read` saw last. */
  private word0 = 0;
  private word1 = 0;
  private word2 = 0;

  /** `hash` and `equals` are asked about keys that are not short text. */
  constructor(hash: KeyHash, equals: KeyEquals) {
    super();
    this.hash = hash;
    this.equals = equals;
  }

  /** The row of `key`, or `NO_ROW`. Throws KEY_INVALID for what cannot be a key. */
  find(key: unknown): number {
    this.read(key);
    const spread = spreadOf(this.word0, this.word1, this.word2);
    const row = this.probe(this.buckets, this.shift, spread, key);
    if (row !== NO_ROW || this.retiring === null) return row;
    return this.probe(this.retiring, this.shift + 1, spread, key);
  }

  /** Enters `key`, which is not present, at a free row: the lowest never used, or one given back. */
  add(key: unknown, row: number): void {
    this.read(key);
    if (WORDS * row >= this.words.length) this.growWords();
    const place = WORDS * row;
    this.words[place] = this.word0;
    this.words[place + 1] = this.word1;
    this.words[place + 2] = this.word2;
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

  protected override spreadAt(row: number): number {
    const { words } = this;
    const place = WORDS * row;
    return spreadOf(words[place] as number, words[place + 1] as number, words[place + 2] as number);
  }

  private probe(buckets: Int32Array, shift: number, spread: number, key: unknown): number {
    const { word0, word1, word2, words } = this;
    const mask = buckets.length - 1;
    const tag = spread << (32 - shift);
    for (let bucket = spread >>> shift; ; bucket = (bucket + 1) & mask) {
      const entry = buckets[bucket] as number;
      if (entry === VACANT) return NO_ROW;
      const row = (entry ^ tag) - 1;
      if (row >>> 0 > mask >>> 1) continue;
      const place = WORDS * row;
      if (words[place] !== word0 || words[place + 1] !== word1 || words[place + 2] !== word2) continue;
      if (word2 !== OTHER || this.isKeyAt(row, key)) return row;
    }
  }

  private growWords(): void {
    const grown = new Int32Array(2 * this.words.length);
    grown.set(this.words);
    this.words = grown;
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
