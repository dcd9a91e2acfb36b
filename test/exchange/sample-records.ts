/** Records for tests and benchmarks across threads: the same on both sides, by index. */
import type { TypeDescriptor } from '../../src/types/type-descriptor.ts';
import { t } from '../../src/types/t.ts';

const WORDS = Array.from({ length: 50_000 }, (_, i) => `w${((i * 7919) % 50_000).toString(36)}`);
const types = {
  string: t.string,
  number: t.int32,
  row: t.object({ word: t.string, count: t.int32, price: t.float64 }),
} as const;

/** Declared rows and words, and undeclared ones. */
export type RecordName = keyof typeof types | 'anyString' | 'anyNumber' | 'anyObject';

/** Null for those that are not declared. */
export function typeNamed(name: RecordName): TypeDescriptor<unknown> | null {
  return (types as Readonly<Record<string, TypeDescriptor<unknown>>>)[name] ?? null;
}

/** Words repeat as in text; a fresh object each time. */
export function recordOf(name: RecordName, index: number): unknown {
  const word = WORDS[Math.imul(index, index) % WORDS.length & 0xffff] ?? 'the';
  switch (name) {
    case 'string':
    case 'anyString':
      return word;
    case 'number':
    case 'anyNumber':
      return index;
    case 'row':
      return { word, count: index, price: index * 0.5 };
    case 'anyObject':
      return { word, count: 1 };
  }
}
