/**
 * Values that travel as JSON text. `JSON.stringify` drops and changes what it cannot write (a Map becomes `{}`, a
 * Date a string, NaN null) without a word, so each value is looked through first. Fields that are undefined are
 * left out, -0 becomes 0.
 */
import { ClusterError } from '../protocol/errors.ts';
import { expected } from './kind.ts';
import type { Codec } from './type-descriptor.ts';

/** Values nested deeper are refused: most likely they contain themselves. */
const NESTING_MAX = 200;

/** The codec of JSON text. */
export const jsonCodec: Codec<unknown> = {
  encode: (value, sink) => sink.string(JSON.stringify(value)),
  decode: (source) => parse(source.string()),
  copy: (value) => JSON.parse(JSON.stringify(value)) as unknown,
};

/** Null when JSON holds all of `value`; else the sentence that starts with the path of the part that it does not. */
export function jsonMismatch(value: unknown, path: string, depth = 0): string | null {
  if (typeof value === 'number') return Number.isFinite(value) ? null : expected(path, 'json', value);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return null;
  if (typeof value !== 'object') return expected(path, 'json', value);
  if (depth > NESTING_MAX) return `${path.slice(0, NESTING_MAX)}…: nested deeper than ${NESTING_MAX}: does the value contain itself?`;
  if (Array.isArray(value)) return firstMismatch(value.entries(), (i) => `${path}[${i}]`, depth);
  const isChanged = value instanceof Map || value instanceof Set || ArrayBuffer.isView(value) || 'toJSON' in value;
  if (isChanged) return expected(path, 'json', value);
  const given = Object.entries(value).filter(([, field]) => field !== undefined);
  return firstMismatch(given, (name) => `${path}.${name}`, depth);
}

function firstMismatch<K>(parts: Iterable<readonly [K, unknown]>, pathOf: (key: K) => string, depth: number): string | null {
  for (const [key, part] of parts) {
    const mismatch = jsonMismatch(part, pathOf(key), depth + 1);
    if (mismatch !== null) return mismatch;
  }
  return null;
}

/** What a number that overflows to infinity looks like; `JSON.stringify` writes none. */
const BEYOND_FINITE = /\d(?:[eE]\+?\d{3}|\d{308})/;

function parse(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw corrupt(error);
  }
  const mismatch = BEYOND_FINITE.test(text) ? jsonMismatch(value, '$') : null;
  if (mismatch !== null) throw corrupt(new Error(mismatch));
  return value;
}

function corrupt(cause: unknown): ClusterError {
  return new ClusterError('DATA_CORRUPT', 'a text is not JSON: the data is damaged, or of another type', { cause });
}
