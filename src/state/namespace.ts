/**
 * What scopes state and timers below the key: a window, or nothing at all.
 */

/** A window `[startMs, endMs)` as state and timers see it. Two with equal bounds are the same namespace. */
export interface Namespace {
  readonly startMs: number;
  readonly endMs: number;
}

/** The namespace of plain keyed state. No window has these bounds. */
export const VOID_NAMESPACE: Namespace = Object.freeze({ startMs: Number.MIN_SAFE_INTEGER, endMs: Number.MIN_SAFE_INTEGER });

/** Whether two namespaces have the same bounds. */
export function sameNamespace(a: Namespace, b: Namespace): boolean {
  return a === b || (a.startMs === b.startMs && a.endMs === b.endMs);
}
