/**
 * Assertions, on in production: a broken invariant is a bug, and a bug must not keep computing.
 *
 * The failure is a `BugError`; process entry points do not catch it, so the process exits with the
 * stack and the cluster recovers from the outside. Operating faults are never asserted: they are
 * typed `ClusterError`s (protocol/errors.ts).
 */

/** Raised by `assert` and `unreachable`. Never caught except to log it and exit. */
export class BugError extends Error {
  override readonly name = 'BugError';
}

/** Throws a `BugError` unless `condition` holds. `invariant` is the sentence that was broken. */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new BugError(`invariant broken: ${invariant}`);
}

/** Returns `value`, or throws a `BugError` when it is null or undefined. */
export function present<T>(value: T | null | undefined, invariant: string): T {
  assert(value !== null && value !== undefined, invariant);
  return value;
}

/** Closes a switch over a union: a new member fails to compile here before it can fail to run. */
export function unreachable(value: never, where: string): never {
  throw new BugError(`${where}: unexpected ${JSON.stringify(value)}`);
}
