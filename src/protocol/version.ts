/** Versions that this build speaks. */

/** Of the package, and of the API that a job is bundled for. Equals package.json (test/graph/version.test.ts). */
export const DREY_VERSION = '0.1.0';
