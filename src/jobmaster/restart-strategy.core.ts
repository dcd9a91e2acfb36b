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
  | { readonly kind: 'failure-rate'; readonly failuresMax: number; readonly intervalMs: number; readonly delayMs: number }
  | ({ readonly kind: 'exponential-delay' } & ExponentialDelay);

/** The pause grows from failure to failure, and starts anew after a time without one. */
export interface ExponentialDelay {
  readonly initialBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly backoffMultiplier: number;
  /** Share of the pause that chance adds or takes away. */
  readonly jitterFactor: number;
  readonly resetBackoffThresholdMs: number;
  /** Failures in a row that fail the job; null: it never gives up. */
  readonly attemptsMax: number | null;
}

/** Answers each failure. */
export interface RestartStrategy {
  /** Flink's form, for the log: `FixedDelayRestartBackoffTimeStrategy(…)`. */
  readonly description: string;
  /** Delay before the restart, ms; null: the job fails. Counts the failure. */
  onFailure(nowMs: number): number | null;
}

/** Makes a strategy. `unit`: uniform in [0, 1). */
export function restartStrategyOf(options: RestartStrategyOptions, unit: () => number): RestartStrategy {
  switch (options.kind) {
    case 'none':
      return { description: 'NoRestartBackoffTimeStrategy', onFailure: () => null };
    case 'fixed-delay':
      return fixedDelay(options.attempts, options.delayMs);
    case 'failure-rate':
      return failureRate(options);
    case 'exponential-delay':
      return exponentialDelay(options, unit);
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

function exponentialDelay(options: ExponentialDelay, unit: () => number): RestartStrategy {
  const { initialBackoffMs, maxBackoffMs, backoffMultiplier, jitterFactor, resetBackoffThresholdMs, attemptsMax } = options;
  let [backoffMs, failures, lastMs] = [initialBackoffMs, 0, Number.NEGATIVE_INFINITY];
  const limit = attemptsMax ?? 'INFINITE';
  return {
    description:
      `ExponentialDelayRestartBackoffTimeStrategy(initialBackoffMS=${initialBackoffMs}, maxBackoffMS=${maxBackoffMs}, ` +
      `backoffMultiplier=${backoffMultiplier}, resetBackoffThresholdMS=${resetBackoffThresholdMs}, jitterFactor=${jitterFactor}, ` +
      `attemptsBeforeResetBackoff=${limit})`,
    onFailure: (nowMs) => {
      const isQuiet = nowMs - lastMs > resetBackoffThresholdMs + backoffMs;
      if (isQuiet) [backoffMs, failures] = [initialBackoffMs, 0];
      lastMs = nowMs;
      failures += 1;
      if (attemptsMax !== null && failures > attemptsMax) return null;
      const delayMs = backoffMs * (1 + jitterFactor * (2 * unit() - 1));
      backoffMs = Math.min(maxBackoffMs, backoffMs * backoffMultiplier);
      return Math.round(Math.min(maxBackoffMs, delayMs));
    },
  };
}
