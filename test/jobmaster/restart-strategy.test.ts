/**
 * Restart strategies against models that say Flink's rules plainly (`FixedDelayRestartBackoffTimeStrategy`,
 * `FailureRateRestartBackoffTimeStrategy`, `ExponentialDelayRestartBackoffTimeStrategy` of 1.20), over random failures.
 */
import test from 'ava';
import fc from 'fast-check';
import { restartStrategyOf, type ExponentialDelay } from '../../src/jobmaster/restart-strategy.core.ts';

/** Times of failures, ms, ascending. */
const times = fc.array(fc.oneof(fc.nat(5), fc.nat(200), fc.nat(5000)), { maxLength: 40 }).map((gaps) => {
  let nowMs = 0;
  return gaps.map((gap) => (nowMs += gap));
});

test('none never restarts', (t) => {
  fc.assert(fc.property(times, (failedMs) => {
    const strategy = restartStrategyOf({ kind: 'none' }, () => 0);
    for (const nowMs of failedMs) t.deepEqual(strategy.onFailure(nowMs), { delayMs: null, isNewAttempt: true });
  }));
});

test('fixed-delay restarts so many times in all, however far apart', (t) => {
  fc.assert(fc.property(times, fc.nat(50), fc.nat(100), (failedMs, attempts, delayMs) => {
    const strategy = restartStrategyOf({ kind: 'fixed-delay', attempts, delayMs }, () => 0);
    for (const [i, nowMs] of failedMs.entries()) {
      t.deepEqual(strategy.onFailure(nowMs), { delayMs: i < attempts ? delayMs : null, isNewAttempt: true });
    }
  }));
});

test('failure-rate gives up at the first failure that makes more than so many within the interval', (t) => {
  fc.assert(fc.property(times, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 3000 }), (failedMs, failuresMax, intervalMs) => {
    const strategy = restartStrategyOf({ kind: 'failure-rate', failuresMax, intervalMs, delayMs: 7 }, () => 0);
    for (const [i, nowMs] of failedMs.entries()) {
      const within = failedMs.slice(0, i + 1).filter((atMs) => nowMs - atMs <= intervalMs).length;
      t.is(strategy.onFailure(nowMs).delayMs, within > failuresMax ? null : 7);
    }
  }));
});

const exponential = fc.record({
  initialBackoffMs: fc.integer({ min: 1, max: 100 }), maxBackoffMs: fc.integer({ min: 100, max: 3000 }),
  backoffMultiplier: fc.double({ min: 1.1, max: 4, noNaN: true }), jitterFactor: fc.constantFrom(0, 0.1, 0.5, 1),
  resetBackoffThresholdMs: fc.integer({ min: 1, max: 4000 }), attemptsMax: fc.option(fc.integer({ min: 1, max: 8 })),
});

/** Range of the pause before restart `attempt` (from 0) in a row. */
function rangeMs(options: ExponentialDelay, attempt: number): [number, number] {
  const { initialBackoffMs, maxBackoffMs, backoffMultiplier, jitterFactor } = options;
  const plainMs = Math.floor(initialBackoffMs * backoffMultiplier ** attempt);
  const offsetMs = Math.floor(plainMs * jitterFactor);
  const clamp = (ms: number): number => Math.max(initialBackoffMs, Math.min(maxBackoffMs, ms));
  return [clamp(plainMs - offsetMs), clamp(plainMs + offsetMs)];
}

test('exponential-delay grows, begins anew after quiet, merges failures that come while a restart waits, and counts attempts', (t) => {
  fc.assert(fc.property(times, exponential, fc.double({ min: 0, max: 0.999, noNaN: true }), (failedMs, options, unit) => {
    const strategy = restartStrategyOf({ kind: 'exponential-delay', ...options }, () => unit);
    let [attempts, restartMs] = [0, Number.NEGATIVE_INFINITY];
    for (const nowMs of failedMs) {
      const { delayMs, isNewAttempt } = strategy.onFailure(nowMs);
      t.is(isNewAttempt, nowMs > restartMs);
      if (isNewAttempt) {
        if (nowMs - restartMs >= options.resetBackoffThresholdMs) attempts = 0;
        attempts += 1;
      }
      if (options.attemptsMax !== null && attempts > options.attemptsMax) {
        t.is(delayMs, null);
        return; // The job has failed.
      }
      if (!isNewAttempt) {
        t.is(delayMs, restartMs - nowMs, 'the restart that waits deals with it');
        continue;
      }
      const [leastMs, mostMs] = rangeMs(options, attempts - 1);
      t.true(delayMs !== null && delayMs >= leastMs && delayMs <= mostMs, `${delayMs} in ${leastMs} to ${mostMs}`);
      restartMs = nowMs + (delayMs ?? 0);
    }
  }));
});

test('After a thousand failures in a row the pause is still the longest one', (t) => {
  const options = { initialBackoffMs: 1, maxBackoffMs: 50, backoffMultiplier: 10, jitterFactor: 0, resetBackoffThresholdMs: 1000, attemptsMax: null };
  const strategy = restartStrategyOf({ kind: 'exponential-delay', ...options }, () => 0);
  const delays = Array.from({ length: 1000 }, (_, i) => strategy.onFailure(i * 60).delayMs);
  t.is(delays.at(-1), 50);
});
