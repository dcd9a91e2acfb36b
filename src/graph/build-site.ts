/**
 * Where in the user's program something was declared. Some mistakes (two operators that do not fit)
 * show only when the whole graph is known; the error still points at the call that declared the operator.
 */
import { OWN_ROOTS, shownPlace } from '../base/source-place.ts';
import { ClusterError } from '../protocol/errors.ts';

/** The stack at a declaration. Its text is made only when an error needs it. */
export type BuildSite = Error;

/** Remembers the current stack. */
export function buildSite(): BuildSite {
  return new Error('declared here');
}

/** PLAN_INVALID that points at `site`: its message names the user's call, and its stack starts there. */
export function planError(message: string, site: BuildSite = buildSite()): ClusterError {
  const frames = userFrames(site);
  const place = frames[0]?.match(/\(?((?:file:\/\/)?[^\s()]+:\d+:\d+)\)?$/)?.[1];
  const where = place === undefined ? '' : ` (at ${shownPlace(place)})`;
  const error = new ClusterError('PLAN_INVALID', message + where);
  error.stack = [`${error.name}: ${error.message}`, ...frames].join('\n');
  return error;
}

function userFrames(site: BuildSite): readonly string[] {
  const frames = (site.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  const first = frames.findIndex((frame) => !isOurs(frame));
  return first < 0 ? frames : frames.slice(first);
}

function isOurs(frame: string): boolean {
  return ['api/', 'graph/'].some((room) => OWN_ROOTS.some((root) => frame.includes(root + room)));
}
