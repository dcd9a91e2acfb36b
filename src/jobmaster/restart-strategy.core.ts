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
  /** Counts the failure. */
  onFailure(nowMs: number): RestartDecision;
}

/** What to do about a failure. */
export interface RestartDecision {
  /** Time until the restart, ms; null: the job fails. */
  readonly delayMs: number | null;
  /** False: it came while a restart was waiting already, which deals with it too. */
  readonly isNewAttempt: boolean;
}

/** Makes a strategy. `unit`: uniform in [0, 1). */
export function restartStrategyOf(options: RestartStrategyOptions, unit: () => number): RestartStrategy {
  switch (options.kind) {
    case 'none':
      return { description: 'NoRestartBackoffTimeStrategy', onFailure: () => ({ delayMs: null, isNewAttempt: true }) };
    case 'fixed-delay':
      return fixedDelayOf(options.attempts, options.delayMs);
    case 'failure-rate':
      return failureRate(options);
    case 'exponential-delay':
      return exponentialDelay(options, unit);
    default:
      return unreachable(options, 'restart strategy');
  }
}

/** Restarts so many times in all. */
export function fixedDelayOf(attempts: number, delayMs: number): RestartStrategy {
  let failures = 0;
  return {
    description: `FixedDelayRestartBackoffTimeStrategy(maxNumberRestartAttempts=${attempts}, backoffTimeMS=${delayMs})`,
    onFailure: () => ({ delayMs: ++failures <= attempts ? delayMs : null, isNewAttempt: true }),
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
      return { delayMs: isTooMany ? null : delayMs, isNewAttempt: true };
    },
  };
}

/** A failure while a restart waits joins it: many tasks that fail for one reason are one attempt. */
function exponentialDelay(options: ExponentialDelay, unit: () => number): RestartStrategy {
  const { initialBackoffMs, maxBackoffMs, backoffMultiplier, jitterFactor, resetBackoffThresholdMs, attemptsMax } = options;
  let [attempts, restartMs] = [0, Number.NEGATIVE_INFINITY];
  const backoffMs = (attempt: number): number => {
    const plainMs = Math.min(Number.MAX_SAFE_INTEGER, Math.floor(initialBackoffMs * backoffMultiplier ** attempt));
    const jitterMs = Math.round(Math.floor(plainMs * jitterFactor) * (2 * unit() - 1));
    return Math.max(initialBackoffMs, Math.min(maxBackoffMs, plainMs + jitterMs));
  };
  const limit = attemptsMax ?? 'INFINITE';
  return {
    description:
      `ExponentialDelayRestartBackoffTimeStrategy(initialBackoffMS=${initialBackoffMs}, maxBackoffMS=${maxBackoffMs}, ` +
      `backoffMultiplier=${backoffMultiplier}, resetBackoffThresholdMS=${resetBackoffThresholdMs}, jitterFactor=${jitterFactor}, ` +
      `attemptsBeforeResetBackoff=${limit})`,
    onFailure: (nowMs) => {
      const isNewAttempt = nowMs > restartMs;
      if (isNewAttempt) {
        if (nowMs - restartMs >= resetBackoffThresholdMs) attempts = 0;
        restartMs = nowMs + backoffMs(attempts++);
      }
      return { delayMs: attempts > (attemptsMax ?? Infinity) ? null : restartMs - nowMs, isNewAttempt };
    },
  };
}
