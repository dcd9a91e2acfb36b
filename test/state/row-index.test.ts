/** The two indices against a `Map`, through growth, removal and reuse of rows. */
import fc from 'fast-check';
import test from 'ava';
import { hashKey } from '../../src/graph/key-hash.ts';
import { HashedRowIndex } from '../../src/state/hashed-row-index.ts';
import { NO_ROW, NumberRowIndex } from '../../src/state/row-index.ts';

interface Index {
  find(key: unknown): number;
  add(key: unknown, row: number): void;
  remove(row: number): void;
  keyAt(row: number): unknown;
}

/** Adds a key that is missing, removes one that is there, and compares all of them now and then. */
function walk(index: Index, keys: readonly unknown[]): boolean {
  const rows = new Map<unknown, number>();
  const free: number[] = [];
  let used = 0;
  for (const [i, key] of keys.entries()) {
    const row = rows.get(key);
    if (index.find(key) !== (row ?? NO_ROW)) return false;
    if (row === undefined) {
      const added = free.pop() ?? used++;
      index.add(key, added);
      rows.set(key, added);
    } else {
      index.remove(row);
      rows.delete(key);
      free.push(row);
    }
    if (i % 64 === 0 && ![...rows].every(([k, r]) => index.find(k) === r && index.keyAt(r) === k)) return false;
  }
  return [...rows].every(([key, row]) => index.find(key) === row);
}

/** Around the border of what a bucket holds: 10 to 12 characters, below and above 256. */
const text = fc.oneof(
  fc.string({ maxLength: 3 }),
  fc.string({ minLength: 10, maxLength: 12, unit: fc.constantFrom('a', '\0', 'ÿ') }),
  fc.string({ maxLength: 12, unit: fc.constantFrom('a', 'ÿ', 'Ā', '\0') }),
);
const number = fc.oneof(fc.integer({ min: -9, max: 9 }), fc.double({ noNaN: true }).map((n) => (n === 0 ? 0 : n)));

test('text and other keys in the hashed index are found, and only they', (t) => {
  const key = fc.oneof(text, number, fc.boolean());
  t.notThrows(() => fc.assert(fc.property(fc.array(key, { maxLength: 2000, size: 'max' }), (keys) => walk(new HashedRowIndex(hashKey, null), keys))));
});

test('numbers in the number index are found, and only they', (t) => {
  const index = (): Index => new NumberRowIndex() as Index;
  t.notThrows(() => fc.assert(fc.property(fc.array(number, { maxLength: 2000, size: 'max' }), (keys) => walk(index(), keys))));
});

test('a hundred thousand words keep their rows while the table grows', (t) => {
  const index = new HashedRowIndex(hashKey, null);
  const words = Array.from({ length: 100_000 }, (_, i) => (i % 3 === 0 ? `word-${i}-of-many` : `w${i}`));
  for (const [row, word] of words.entries()) index.add(word, row);
  t.true(words.every((word, row) => index.find(word) === row));
  t.is(index.find('w'), NO_ROW);
});

test('keys of equal hash are told apart', (t) => {
  const index = new HashedRowIndex(hashKey, null);
  const [one, other] = ['Aa and some more of it', 'BB and some more of it'];
  t.is(hashKey(one), hashKey(other));
  index.add(one, 0);
  t.is(index.find(other), NO_ROW);
  index.add(other, 1);
  t.deepEqual([index.find(one), index.find(other)], [0, 1]);
});
