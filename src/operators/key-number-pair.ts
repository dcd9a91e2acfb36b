/**
 * Records that are no more than a key and a number: a tuple of two, or an object declared with two fields.
 * Such a record can be made again from the key and the number, so a keyed aggregate need not keep it.
 */
import type { TypeDescriptor } from '../types/type-descriptor.ts';

/** Where such a record has its two parts. */
export interface KeyNumberPair {
  readonly numberPlace: string | number;
  /** Whether `record` is nothing but `key` and something in the number's place. */
  holds(record: unknown, key: unknown): boolean;
  /** A new record. */
  of(key: unknown, number: unknown): unknown;
  /** The text of `holds` over two variables, for generated code. */
  test(record: string, key: string): string;
  /** The text of `of` over two variables. */
  literal(key: string, number: string): string;
}

type Fields = Record<string | number, unknown>;

/** The shape of records of `type` with a number at `field`; null when they can hold more than a key beside it. */
export function keyNumberPairOf(type: TypeDescriptor<unknown> | null, field: string | number | null): KeyNumberPair | null {
  if (field === 0 || field === 1) return tuplePair(field);
  const fields = type?.schema['type'] === 'object' ? (type.schema['fields'] as readonly { readonly name: string }[]) : [];
  if (fields.length !== 2 || field === null) return null;
  const keyField = fields.find(({ name }) => name !== field);
  return keyField === undefined ? null : objectPair(keyField.name, field);
}

/** A key that is an object may be changed by its owner: the record is kept. */
function isPlain(key: unknown): boolean {
  return typeof key !== 'object';
}

function tuplePair(numberPlace: 0 | 1): KeyNumberPair {
  const keyPlace = 1 - numberPlace;
  return {
    numberPlace,
    holds: (record, key) => Array.isArray(record) && record.length === 2 && record[keyPlace] === key && isPlain(key),
    of: (key, number) => (keyPlace === 0 ? [key, number] : [number, key]),
    test: (record, key) =>
      `Array.isArray(${record}) && ${record}.length === 2 && ${record}[${keyPlace}] === ${key} && typeof ${key} !== 'object'`,
    literal: (key, number) => (keyPlace === 0 ? `[${key}, ${number}]` : `[${number}, ${key}]`),
  };
}

function objectPair(keyField: string, numberPlace: string | number): KeyNumberPair {
  const [keyName, numberName] = [JSON.stringify(keyField), JSON.stringify(numberPlace)];
  return {
    numberPlace,
    holds: (record, key) => (record as Fields | null | undefined)?.[keyField] === key && isPlain(key),
    of: (key, number) => ({ [keyField]: key, [numberPlace]: number }),
    test: (record, key) => `${record}[${keyName}] === ${key} && typeof ${key} !== 'object'`,
    literal: (key, number) => `{ [${keyName}]: ${key}, [${numberName}]: ${number} }`,
  };
}
