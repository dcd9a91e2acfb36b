/** Errors about what a build function passed to the API. They are thrown where the call was made. */
import { ClusterError } from '../protocol/errors.ts';

/** PLAN_INVALID for an option that is not what it must be. */
export function invalidOption(where: string, option: string, value: string | number, expected: string): ClusterError {
  return new ClusterError('PLAN_INVALID', `${where}: ${option} must be ${expected}, not '${value}'`);
}

/** PLAN_INVALID for a call that makes no sense where it was made. */
export function invalidPlan(message: string): ClusterError {
  return new ClusterError('PLAN_INVALID', message);
}
