/**
 * Benchmark text: words of a seeded Zipf distribution in lines, the same bytes on every machine.
 *
 * Word k of V is drawn with weight 1 / (k + 1) by the alias method (one table, two draws a word). Frequent
 * words are short, as in real text; the mean length is what makes 20 M words fill 135 MB.
 *
 * Source: Walker's alias method as in Vose 1991; xorshift128 (Marsaglia 2003) for the draws.
 */

/** Shape of a text. Equal options give equal bytes. */
export interface TextOptions {
  readonly words: number;
  readonly distinct: number;
  readonly seed: number;
}

const WORDS_PER_LINE = 12;
const CHUNK_WORDS = 120_000;
const CONSONANTS = 'bcdfghjklmnprstvwz';
const VOWELS = 'aeiou';

/** xorshift128: uniform 32-bit numbers. */
export function uniform(seed: number): () => number {
  let x = seed | 0 || 1;
  let y = 362436069;
  let z = 521288629;
  let w = 88675123;
  return () => {
    const t = x ^ (x << 11);
    x = y;
    y = z;
    z = w;
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
    return w >>> 0;
  };
}

/** Pronounceable distinct words; earlier ones (drawn more often) are shorter. */
export function vocabulary(distinct: number, next: () => number): string[] {
  const words = new Set<string>();
  while (words.size < distinct) {
    const syllables = 1 + Math.floor(Math.log10(words.size + 1) * 0.8) + (next() % 3 === 0 ? 1 : 0);
    let word = '';
    for (let i = 0; i < syllables; i++) word += pick(CONSONANTS, next()) + pick(VOWELS, next());
    if (next() % 3 === 0) word += pick(CONSONANTS, next());
    words.add(word);
  }
  return [...words];
}

function pick(letters: string, draw: number): string {
  return letters.charAt(draw % letters.length);
}

/** Draws word indices: alias tables over weights 1 / (k + 1). */
function zipf(distinct: number, next: () => number): () => number {
  const scaled = new Float64Array(distinct);
  let total = 0;
  for (let i = 0; i < distinct; i++) total += 1 / (i + 1);
  for (let i = 0; i < distinct; i++) scaled[i] = distinct / (i + 1) / total;
  const alias = new Uint32Array(distinct);
  const small: number[] = [];
  const large: number[] = [];
  scaled.forEach((weight, i) => (weight < 1 ? small : large).push(i));
  while (small.length > 0 && large.length > 0) {
    const less = small.pop() as number;
    const more = large[large.length - 1] as number;
    alias[less] = more;
    const rest = (scaled[more] as number) - (1 - (scaled[less] as number));
    scaled[more] = rest;
    if (rest < 1) small.push(large.pop() as number);
  }
  for (const i of [...small, ...large]) scaled[i] = 1;
  return () => {
    const i = next() % distinct;
    return next() / 4294967296 < (scaled[i] as number) ? i : (alias[i] as number);
  };
}

/** The text in chunks. Some words are capitalised and some lines carry punctuation, so that tokenizing has work to do. */
export function* textChunks(options: TextOptions): Generator<string> {
  const next = uniform(options.seed);
  const words = vocabulary(options.distinct, next);
  const capitals = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  const draw = zipf(options.distinct, next);
  let chunk = '';
  let inLine = 0;
  for (let i = 0; i < options.words; i++) {
    const index = draw();
    chunk += (inLine === 0 ? capitals[index] : words[index]) as string;
    inLine += 1;
    if (inLine === WORDS_PER_LINE || i === options.words - 1) {
      chunk += '.\n';
      inLine = 0;
    } else {
      chunk += (next() & 15) === 0 ? ', ' : ' ';
    }
    if ((i + 1) % CHUNK_WORDS === 0) {
      yield chunk;
      chunk = '';
    }
  }
  if (chunk !== '') yield chunk;
}
