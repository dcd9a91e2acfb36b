/**
 * The sharing rules of a job (see task/chain.ts): how records are copied and frozen.
 */
import { genericCopy } from '../types/generic.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { Hop, SharingRules } from './chain.ts';

/** Rules for a job with these settings. Undeclared types are copied by the fallback's rules. */
export function sharingRules(settings: { readonly objectReuse: boolean; readonly freezeRecords: boolean }): SharingRules {
  return {
    objectReuse: settings.objectReuse,
    freeze: settings.freezeRecords ? deepFreeze : null,
    copierOf,
  };
}

/** Deep copy of records of an operator's input; the record itself when its type is immutable. */
export function copierOfInput(type: TypeDescriptor<unknown> | null): Hop {
  return copierOf(type) ?? ((value) => value);
}

function copierOf(type: TypeDescriptor<unknown> | null): Hop | null {
  if (type === null) return genericCopy;
  if (type.immutable) return null;
  const codec = type.codec();
  return (value) => codec.copy(value);
}

/** Freezes a record with all it reaches, and answers it. Views of bytes cannot be frozen and stay as they are. */
export function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
  return value;
}
