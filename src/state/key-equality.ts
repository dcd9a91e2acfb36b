/**
 * When two keys of a declared type are the same key: equal in every declared field. It agrees with
 * graph/key-hash.ts: equal keys have equal hashes. Scalars compare by `===`, which needs no function.
 */
import type { JsonObject } from '../protocol/json.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { KeyEquals } from './hashed-row-index.ts';

type Equals = (a: unknown, b: unknown) => boolean;

/** Equality of keys of `type`; null where `===` is enough. The type must be one that `keyHashOf` accepts. */
export function keyEqualsOf(type: TypeDescriptor<unknown> | null): KeyEquals {
  return type === null ? null : equalsBySchema(type.schema);
}

function equalsBySchema(schema: JsonObject): Equals | null {
  switch (schema['type']) {
    case 'bytes':
      return equalBytes;
    case 'option':
      return optional(elementEquals(schema['of']));
    case 'array':
      return arraysOf(elementEquals(schema['of']));
    case 'tuple':
      return tupleOf((schema['items'] as readonly JsonObject[]).map(elementEquals));
    case 'object':
      return objectOf(schema['fields'] as readonly JsonObject[]);
    default:
      return null;
  }
}

function elementEquals(schema: unknown): Equals {
  return equalsBySchema(schema as JsonObject) ?? ((a, b) => a === b);
}

/** Absent is null or undefined, and both are the same key. */
function optional(equals: Equals): Equals {
  return (a, b) => {
    const absent = a === undefined || a === null;
    return absent || b === undefined || b === null ? absent && (b === undefined || b === null) : equals(a, b);
  };
}

function equalBytes(a: unknown, b: unknown): boolean {
  const left = a as Uint8Array;
  const right = b as Uint8Array;
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}

function arraysOf(equals: Equals): Equals {
  return (a, b) => {
    const left = a as readonly unknown[];
    const right = b as readonly unknown[];
    return left.length === right.length && left.every((item, i) => equals(item, right[i]));
  };
}

function tupleOf(items: readonly Equals[]): Equals {
  return (a, b) => items.every((equals, i) => equals((a as readonly unknown[])[i], (b as readonly unknown[])[i]));
}

function objectOf(fields: readonly JsonObject[]): Equals {
  const comparisons = fields.map((field) => ({ name: field['name'] as string, equals: optional(elementEquals(field['type'])) }));
  return (a, b) => {
    const left = a as Record<string, unknown>;
    const right = b as Record<string, unknown>;
    return comparisons.every(({ name, equals }) => equals(left[name], right[name]));
  };
}
