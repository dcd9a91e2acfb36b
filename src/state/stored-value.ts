/**
 * What happens to a value on its way into state. State outlives the record it came from, and with object
 * reuse the record may be changed by the next operator: so a mutable value is copied as it is stored.
 * In dev mode what is stored is checked against its type and frozen, so that a value that could not be written to
 * a checkpoint, or is changed after it was read, fails where it happens.
 */
import { ClusterError } from '../protocol/errors.ts';
import type { Ownership } from './keyed-state-store.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';

/** Makes the value that is kept. Primitives come back as they are. */
export type StoreValue = (value: unknown) => unknown;

/** How the values of one state are kept. */
export interface StoringOptions {
  /** Of the state, for messages. */
  readonly name: string;
  readonly freeze: boolean;
  readonly ownership: Ownership;
}

/** How values of `type` are stored; `type` null copies whatever it is given. Owned values are kept as they come. */
export function storeValueOf(type: TypeDescriptor<unknown> | null, { name, freeze, ownership }: StoringOptions): StoreValue {
  if (ownership === 'owned') return (value) => value;
  const copy = type === null ? copyAny : type.immutable ? (value: unknown) => value : (value: unknown) => type.codec().copy(value);
  if (!freeze) return copy;
  return (value) => {
    if (type !== null) checkValue(type, value, name);
    return deepFreeze(copy(value));
  };
}

/** Whether whoever reads a value of the state could change it in place. */
export function mayChange(type: TypeDescriptor<unknown> | null, { freeze, ownership }: StoringOptions): boolean {
  return type?.immutable !== true && (ownership === 'owned' || !freeze);
}

function checkValue(type: TypeDescriptor<unknown>, value: unknown, name: string): void {
  try {
    type.check(value);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new ClusterError('TYPE_MISMATCH', `state '${name}' cannot hold this value: ${what}`, { cause });
  }
}

/** A deep copy of plain data, arrays and class instances; other built-in objects by structured clone. */
export function copyAny(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyAny);
  if (isBuiltIn(value)) return structuredClone(value);
  const copy = Object.create(Object.getPrototypeOf(value) as object | null) as Record<string, unknown>;
  for (const field of Object.keys(value)) copy[field] = copyAny((value as Record<string, unknown>)[field]);
  return copy;
}

/** Objects whose contents are not their properties. */
function isBuiltIn(value: object): boolean {
  return value instanceof Map || value instanceof Set || value instanceof Date || value instanceof RegExp ||
    ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

/** Freezes a value that belongs to state, with all it reaches. Views of bytes cannot be frozen and stay as they are. */
function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
  return value;
}
