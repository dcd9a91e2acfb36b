import { createHash } from 'node:crypto';

import test from 'ava';

import { textChunks, vocabulary, uniform } from '../../scripts/bench/text.ts';

const OPTIONS = { words: 240_000, distinct: 500, seed: 7 };

function textOf(options: typeof OPTIONS): string {
  return [...textChunks(options)].join('');
}

test('equal options give equal bytes, another seed gives others', (t) => {
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
  t.is(hash(textOf(OPTIONS)), hash(textOf(OPTIONS)));
  t.not(hash(textOf(OPTIONS)), hash(textOf({ ...OPTIONS, seed: 8 })));
});

test('a text has as many words as asked for, drawn by rank', (t) => {
  const counts = new Map<string, number>();
  const words = textOf(OPTIONS).toLowerCase().split(/\W+/u).filter((word) => word !== '');
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  t.is(words.length, OPTIONS.words);
  t.is(counts.size, OPTIONS.distinct);
  const [first = '', second = ''] = vocabulary(OPTIONS.distinct, uniform(OPTIONS.seed));
  const ratio = (counts.get(first) ?? 0) / (counts.get(second) ?? 1);
  t.true(ratio > 1.8 && ratio < 2.2, `the first word comes twice as often as the second, was ${ratio}`);
});

test('the vocabulary is distinct', (t) => {
  const words = vocabulary(5000, uniform(1));
  t.is(new Set(words).size, 5000);
});
