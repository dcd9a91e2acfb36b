/**
 * Places in a user's sources, as stack traces spell them and as messages show them. The source map of a bundle
 * names the user's files relative to the job module, below the root `job:`, since a bundle knows no directories.
 */

/** Source root of the source map of a job bundle. */
export const JOB_SOURCE_ROOT = 'job:';

/** `file:line:column` for a message, without the scheme that stack traces put before it. */
export function shownPlace(place: string): string {
  return place.replace(/^(?:file:\/\/|job:)/, '');
}
