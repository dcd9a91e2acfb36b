/**
 * Errors about what a build function passed to the API. They name the call that was wrong. The compiler says most of
 * this earlier, to those who ask it: a program is bundled without checking its types.
 */
import { planError } from '../graph/build-site.ts';
import type { ClusterError } from '../protocol/errors.ts';

/** PLAN_INVALID for an option that is not what it must be. */
export function invalidOption(where: string, option: string, value: string | number, expected: string): ClusterError {
  return planError(`${where}: ${option} must be ${expected}, not '${value}'`);
}

/** PLAN_INVALID unless `value` is a function. */
export function requireFunction(where: string, what: string, value: unknown): void {
  if (typeof value !== 'function') throw planError(`${where}: ${what} must be a function, not ${shown(value)}`);
}

/** PLAN_INVALID unless `value` is an object with these methods and a name. */
export function requireNamed(where: string, value: unknown, methods: readonly string[]): void {
  if (typeof value !== 'object' || value === null) throw planError(`${where} needs an object, not ${shown(value)}`);
  const missing = methods.filter((method) => typeof Reflect.get(value, method) !== 'function');
  if (missing.length > 0) throw planError(`${where}: the method ${missing.map((name) => `${name}(…)`).join(' and ')} is missing`);
  if (typeof Reflect.get(value, 'name') !== 'string') throw planError(`${where}: the field name must be a text`);
}

function shown(value: unknown): string {
  return value === undefined || value === null ? String(value) : `a value of type ${typeof value}`;
}
