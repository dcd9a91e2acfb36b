/** Keys as programs declare them: a field or a selector, with the type of the key where it is not primitive. */
import { planError } from '../graph/build-site.ts';
import type { KeySelector } from '../graph/functions.ts';
import { hashAlike, keyHashOf } from '../graph/key-hash.ts';
import type { KeySpec } from '../graph/operator-spec.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { requireFunction } from './option-checks.ts';

type KeyType = TypeDescriptor<unknown> | null | undefined;

/** Throws PLAN_INVALID for what is no selector, and for a type whose values cannot be keys. */
export function keySpec<T>(selectorOrField: KeySelector<T, unknown> | string | number, type: KeyType): KeySpec {
  const isField = typeof selectorOrField === 'string' || typeof selectorOrField === 'number';
  if (!isField) requireFunction('keyBy', 'the key selector', selectorOrField);
  requireKeyType(type);
  const selector = isField ? fieldSelector(selectorOrField) : (selectorOrField as KeySelector<unknown, unknown>);
  return { selector, type: type ?? null };
}

/** Throws PLAN_INVALID when equal keys of two streams would go to different subtasks. */
export function requireKeysToMeet(first: KeySpec, second: KeySpec): void {
  if (hashAlike(first.type, second.type)) return;
  const [a, b] = [first, second].map(({ type }) => type?.name ?? 'no declared type');
  throw planError(
    `equal keys of ${a} and of ${b} have different hashes, so their records would not meet; declare one type for both`,
  );
}

function requireKeyType(type: KeyType): void {
  try {
    keyHashOf(type ?? null);
  } catch (error) {
    throw planError(`keyBy: ${(error as Error).message}`);
  }
}

function fieldSelector(field: string | number): KeySelector<unknown, unknown> {
  return (value) => (value as Record<string | number, unknown>)[field];
}
