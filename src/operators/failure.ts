/**
 * What a failed user function becomes: an error that names the operator and the place in the user's
 * TypeScript (stacks are source-mapped where they are thrown: the slot worker enables source maps).
 */
import { shownPlace } from '../base/source-place.ts';
import { ClusterError } from '../protocol/errors.ts';

/** A user function threw. The thrown error is the `cause`. */
class OperatorFailure extends ClusterError {
  override readonly name = 'OperatorFailure';
}

/** Names the operator at fault. Faults that already have a code of their own pass unchanged. */
export function operatorFailure(operatorName: string, thrown: unknown): Error {
  if (thrown instanceof ClusterError) return thrown;
  const place = thrown instanceof Error ? userPlace(thrown) : null;
  const what = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return new OperatorFailure('USER_CODE', `operator '${operatorName}' failed${place === null ? '' : ` at ${place}`}: ${what}`, {
    cause: thrown,
  });
}

const FRAME = /^\s+at (?:.*\()?(.+:\d+:\d+)\)?$/;
const NOT_THE_USERS = /^node:|^codegen\/|<anonymous>/;

/** `file:line:column` of the topmost stack frame outside of Node and generated code. */
function userPlace(thrown: Error): string | null {
  for (const line of (thrown.stack ?? '').split('\n')) {
    const place = FRAME.exec(line)?.[1];
    if (place !== undefined && !NOT_THE_USERS.test(place)) return shownPlace(place);
  }
  return null;
}
