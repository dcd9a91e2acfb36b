/**
 * Places in a user's sources, as stack traces spell them and as messages show them. The source map of a bundle
 * names the user's files relative to the job module, below the root `job:`, since a bundle knows no directories.
 */

/** Source root of the source map of a job bundle. */
export const JOB_SOURCE_ROOT = 'job:';

/** The sources of this package: compiled, and as source maps name them. */
const COMPILED_ROOT = new URL('..', import.meta.url).pathname;
export const OWN_ROOTS: readonly string[] = [COMPILED_ROOT, COMPILED_ROOT.replace('/dist/src/', '/src/')];

const FRAME = /^\s+at (?:.*\()?(.+:\d+:\d+)\)?$/;
/** Node, generated code, and native frames. */
const NOT_THE_USERS = /^node:|^codegen\/|<anonymous>/;
/** The end of a stack that is read: frames come after the message, which may be of any length. */
const STACK_LENGTH_MAX = 64 * 1024;

/** `file:line:column` for a message, without the scheme that stack traces put before it. */
export function shownPlace(place: string): string {
  return place.replace(/^(?:file:\/\/|job:)/, '');
}

/** The lines of a stack that are frames; none of what is no Error, or of one whose stack cannot be read. */
export function stackFrames(thrown: unknown): readonly string[] {
  try {
    const stack: unknown = thrown instanceof Error ? thrown.stack : null;
    return typeof stack === 'string' ? stack.slice(-STACK_LENGTH_MAX).split('\n').filter((line) => /^\s+at /.test(line)) : [];
  } catch {
    return []; // Making the text of a stack reads the error, which is the user's object.
  }
}

/** `file:line:column` of the topmost frame in the user's code; null without one. */
export function userPlace(thrown: unknown): string | null {
  for (const frame of stackFrames(thrown)) {
    const place = FRAME.exec(frame)?.[1];
    if (place !== undefined && !NOT_THE_USERS.test(place) && !isOwn(place)) return shownPlace(place);
  }
  return null;
}

function isOwn(place: string): boolean {
  const path = place.replace(/^file:\/\//, '');
  return OWN_ROOTS.some((root) => path.startsWith(root));
}
