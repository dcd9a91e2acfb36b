/**
 * Restart strategies: whether a failed job may run again, and after how long. One instance per JobMaster, so
 * counters start anew with it.
 *
 * Source: Flink `RestartBackoffTimeStrategy`, `restart-strategy.*`.
 */
import { unreachable } from '../base/assert.ts';

/** Strategy by configuration. */
export type RestartStrategyOptions =
  | { readonly kind: 'none' }
  | { readonly kind: 'fixed-delay'; readonly attempts: number; readonly delayMs: number }
  | { readonly kind: 'failure-rate'; readonly failuresMax: number; readonly intervalMs: number; readonly delayMs: number };

/** Answers each failure. */
export interface RestartStrategy {
  /** Flink's form, for the log: `FixedDelayRestartBackoffTimeStrategy(…)`. */
  readonly description: string;
  /** Delay before the restart, ms; null: the job fails. Counts the failure. */
  onFailure(nowMs: number): number | null;
}

/** Makes a strategy. */
export function restartStrategyOf(options: RestartStrategyOptions): RestartStrategy {
  switch (options.kind) {
    case 'none':
      return { description: 'NoRestartBackoffTimeStrategy', onFailure: () => null };
    case 'fixed-delay':
      return fixedDelay(options.attempts, options.delayMs);
    case 'failure-rate':
      return failureRate(options);
    default:
      return unreachable(options, 'restart strategy');
  }
}

function fixedDelay(attempts: number, delayMs: number): RestartStrategy {
  let failures = 0;
  return {
    description: `FixedDelayRestartBackoffTimeStrategy(maxNumberRestartAttempts=${attempts}, backoffTimeMS=${delayMs})`,
    onFailure: () => (++failures <= attempts ? delayMs : null),
  };
}

/** Fails the job at the failure that makes more than `failuresMax` within the interval. */
function failureRate(options: { readonly failuresMax: number; readonly intervalMs: number; readonly delayMs: number }): RestartStrategy {
  const { failuresMax, intervalMs, delayMs } = options;
  const recentMs: number[] = []; // At most failuresMax + 1 long.
  return {
    description:
      `FailureRateRestartBackoffTimeStrategy(failuresIntervalMS=${intervalMs},` +
      `backoffTimeMS=${delayMs},maxFailuresPerInterval=${failuresMax})`,
    onFailure: (nowMs) => {
      recentMs.push(nowMs);
      if (recentMs.length > failuresMax + 1) recentMs.shift();
      const oldest = recentMs[0];
      const isTooMany = recentMs.length > failuresMax && oldest !== undefined && nowMs - oldest <= intervalMs;
      return isTooMany ? null : delayMs;
    },
  };
}
