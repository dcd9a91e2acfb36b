/** Errors about what a build function passed to the API. They name the call that was wrong. */
import { planError } from '../graph/build-site.ts';
import type { ClusterError } from '../protocol/errors.ts';

/** PLAN_INVALID for an option that is not what it must be. */
export function invalidOption(where: string, option: string, value: string | number, expected: string): ClusterError {
  return planError(`${where}: ${option} must be ${expected}, not '${value}'`);
}
