/**
 * What a failed user function becomes: an error that names the operator and the place in the user's
 * TypeScript (stacks are source-mapped where they are thrown: the slot worker enables source maps).
 */
import { BugError } from '../base/assert.ts';
import { userPlace } from '../base/source-place.ts';
import { ClusterError, thrownText } from '../protocol/errors.ts';

/** An operator failed. The thrown error is the `cause`. */
class OperatorFailure extends ClusterError {
  override readonly name = 'OperatorFailure';
}

/** Names the operator at fault. A fault with a code of its own keeps it; bugs, and an operator that was named, stay. */
export function operatorFailure(operatorName: string, thrown: unknown): Error {
  if (thrown instanceof OperatorFailure || thrown instanceof BugError) return thrown;
  if (thrown instanceof ClusterError) {
    const isNamed = thrown.message.includes(`'${operatorName}'`);
    return isNamed ? thrown : new OperatorFailure(thrown.code, `operator '${operatorName}': ${thrown.message}`, { cause: thrown });
  }
  const place = userPlace(thrown);
  const where = place === null ? '' : ` at ${place}`;
  return new OperatorFailure('USER_CODE', `operator '${operatorName}' failed${where}: ${thrownText(thrown)}`, { cause: thrown });
}

/** The same for a step of an operator: what it throws names the operator. */
export function blaming<T>(operatorName: string, step: () => T): T {
  try {
    return step();
  } catch (thrown) {
    throw operatorFailure(operatorName, thrown);
  }
}
