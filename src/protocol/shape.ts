/**
 * Checks of plain data that comes from outside the process, field by field, before anything believes its type. The first
 * thing that is wrong is BAD_REQUEST with its path. Fields that a checker does not know are let through: they may be a
 * newer version's.
 */
import { ClusterError } from './errors.ts';

/** Throws BAD_REQUEST when `value`, which stands at `path`, is not of the shape. */
export type Check = (value: unknown, path: string) => void;

/** Longest text that is taken for an id or a name. */
const NAME_LENGTH_MAX = 4096;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
};

export const text: Check = holding('a text', (value) => typeof value === 'string');
export const name: Check = holding('a name', (value) => typeof value === 'string' && value !== '' && value.length <= NAME_LENGTH_MAX);
export const flag: Check = holding('true or false', (value) => typeof value === 'boolean');
export const figure: Check = holding('a number', (value) => typeof value === 'number');
export const count: Check = holding('a whole number from 0 on', (value) => Number.isSafeInteger(value) && (value as number) >= 0);
export const anything: Check = holding('a value', (value) => value !== undefined);

/** A whole number from `min` to `max`. */
export function within(min: number, max: number): Check {
  const holds = (value: unknown) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
  return holding(`a whole number from ${min} to ${max}`, holds);
}

/** One of some words. */
export function oneOf(words: readonly string[]): Check {
  return holding(`one of ${words.join(', ')}`, (value) => typeof value === 'string' && words.includes(value));
}

export function orNull(check: Check): Check {
  return (value, path) => {
    if (value !== null) check(value, path);
  };
}

export function listOf(check: Check): Check {
  return (value, path) => {
    if (!Array.isArray(value)) throw wrong(path, 'a list', value);
    for (const [i, item] of value.entries()) check(item, `${path}[${i}]`);
  };
}

/** An object with any names. */
export function recordOf(check: Check): Check {
  return (value, path) => {
    if (!isObject(value)) throw wrong(path, 'an object', value);
    for (const [key, field] of Object.entries(value)) check(field, `${path}.${key}`);
  };
}

/** An object with these fields: all that `T` has. */
export function fieldsOf<T>(checks: { readonly [K in keyof T]-?: Check }): Check {
  return (value, path) => {
    if (!isObject(value)) throw wrong(path, 'an object', value);
    for (const [key, check] of Object.entries<Check>(checks)) check(value[key], `${path}.${key}`);
  };
}

/** An object whose `kind` says which fields it has. */
export function kindOf(kinds: Readonly<Record<string, Readonly<Record<string, Check>>>>): Check {
  const kind = oneOf(Object.keys(kinds));
  return (value, path) => {
    if (!isObject(value)) throw wrong(path, 'an object', value);
    kind(value['kind'], `${path}.kind`);
    for (const [key, check] of Object.entries(kinds[value['kind'] as string] ?? {})) check(value[key], `${path}.${key}`);
  };
}

function holding(what: string, holds: (value: unknown) => boolean): Check {
  return (value, path) => {
    if (!holds(value)) throw wrong(path, what, value);
  };
}

function wrong(path: string, expected: string, value: unknown): ClusterError {
  const found = value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 100);
  return new ClusterError('BAD_REQUEST', `${path}: expected ${expected}, found ${found}`);
}
