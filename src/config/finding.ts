/** What loading a configuration has to say: errors stop a process, warnings and notices are logged. */
import type { Origin } from './configuration.ts';
import { showOrigin } from './configuration.ts';

/** `error`: a value that cannot be used. `warning`: probably a mistake. `notice`: accepted, but know this. */
export type FindingLevel = 'error' | 'warning' | 'notice';

/** One remark about one setting. */
export interface Finding {
  readonly level: FindingLevel;
  readonly origin: Origin;
  readonly key: string;
  /** A sentence without the key. */
  readonly message: string;
}

/** `file:line: key: what, did you mean …`. */
export function showFinding({ origin, key, message }: Finding): string {
  return `${showOrigin(origin)}: ${key}: ${message}`;
}
