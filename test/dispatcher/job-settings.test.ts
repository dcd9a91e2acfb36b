/** From configuration to what a JobMaster is configured with. */
import test from 'ava';
import { jobSettingsOf } from '../../src/dispatcher/job-settings.ts';
import { restartStrategyOf } from '../../src/jobmaster/restart-strategy.core.ts';

test('with checkpoints a failed job restarts after growing pauses, without them it does not', (t) => {
  t.deepEqual(jobSettingsOf({}).restartStrategy, { kind: 'none' });
  const { restartStrategy } = jobSettingsOf({ 'execution.checkpointing.interval': '10 s' });
  t.deepEqual(restartStrategy, {
    kind: 'exponential-delay', initialBackoffMs: 1000, maxBackoffMs: 60_000, backoffMultiplier: 1.5, jitterFactor: 0.1,
    resetBackoffThresholdMs: 3_600_000, attemptsMax: null,
  });
  const strategy = restartStrategyOf(restartStrategy, () => 0.5);
  t.deepEqual([0, 10_000, 20_000].map((nowMs) => strategy.onFailure(nowMs).delayMs), [1000, 1500, 2250]);
  t.is(strategy.onFailure(5_000_000).delayMs, 1000, 'a quiet time starts anew');
  const bounded = restartStrategyOf({ ...restartStrategy, kind: 'exponential-delay', attemptsMax: 2 } as never, () => 1);
  t.deepEqual([0, 10_000, 20_000].map((nowMs) => bounded.onFailure(nowMs).delayMs), [1100, 1650, null]);
});

test('an explicit strategy wins; checkpoints are read from all of their keys', (t) => {
  const { restartStrategy, checkpoints } = jobSettingsOf({
    'execution.checkpointing.interval': '1 min', 'restart-strategy.type': 'none', 'state.checkpoints.dir': 'file:/c',
    'execution.checkpointing.max-concurrent-checkpoints': '3', 'execution.state-recovery.path': '/s/1', 'state.checkpoints.num-retained': '2',
  });
  t.deepEqual(restartStrategy, { kind: 'none' });
  t.like(checkpoints, {
    cadence: { intervalMs: 60_000, timeoutMs: 600_000, concurrentMax: 3 }, directory: 'file:/c', retainedMax: 2, inlineSizeBytesMax: 20 * 1024,
    restore: { path: '/s/1', allowNonRestoredState: false, claimMode: 'NO_CLAIM' },
  });
  t.is(jobSettingsOf({ 'execution.checkpointing.storage': 'jobmanager', 'state.checkpoints.dir': 'file:/c' }).checkpoints.directory, null);
  t.throws(() => jobSettingsOf({ 'execution.checkpointing.storage': 'filesystem' }), { code: 'CONFIG_INVALID', message: /needs execution\.checkpointing\.dir/ });
});
