/** Which loggers are on: a level for the root and for any dotted prefix, the longest prefix counts. */
import type { LogLevel } from './log.ts';

/** A threshold: a level, or one of log4j's ends. */
export type LogThreshold = LogLevel | 'ALL' | 'OFF';

/** From the least to the most weight; a level is on when its weight reaches the threshold's. */
const WEIGHTS: readonly string[] = ['ALL', 'TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'OFF'];

/** Thresholds by logger name. */
export interface LogLevels {
  readonly root: LogThreshold;
  readonly byPrefix: ReadonlyMap<string, LogThreshold>;
}

/** Reads the name of a level in any case; null when it is none. FATAL is ERROR here. */
export function parseThreshold(text: string): LogThreshold | null {
  const upper = text.trim().toUpperCase();
  if (upper === 'FATAL') return 'ERROR';
  return WEIGHTS.includes(upper) ? (upper as LogThreshold) : null;
}

/** The threshold of `logger`. */
export function thresholdOf({ root, byPrefix }: LogLevels, logger: string): LogThreshold {
  for (let prefix = logger; prefix !== ''; prefix = prefix.slice(0, Math.max(0, prefix.lastIndexOf('.')))) {
    const threshold = byPrefix.get(prefix);
    if (threshold !== undefined) return threshold;
  }
  return root;
}

/** Whether `threshold` lets `level` through. */
export function isAbove(threshold: LogThreshold, level: LogLevel): boolean {
  return WEIGHTS.indexOf(level) >= WEIGHTS.indexOf(threshold);
}
