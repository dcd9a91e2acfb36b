/** From a job's configuration to what its JobMaster is configured with. */
import { Configuration } from '../config/configuration.ts';
import { options } from '../config/options.ts';
import type { CheckpointSettings, InitialRestore } from '../jobmaster/checkpoint-settings.ts';
import type { RestartStrategyOptions } from '../jobmaster/restart-strategy.core.ts';
import type { LocalStateUse } from '../protocol/deployment.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { JobSettings } from './dispatcher.ts';

/** Throws CONFIG_INVALID naming what cannot be read. */
export function jobSettingsOf(texts: Readonly<Record<string, string>>): JobSettings {
  const configuration = Configuration.of(texts);
  try {
    return {
      restartStrategy: restartStrategyFrom(configuration),
      slotRequestTimeoutMs: configuration.get(options.slotRequestTimeout),
      failuresMax: configuration.get(options.webExceptionHistorySize),
      localState: localStateFrom(configuration),
      checkpoints: checkpointSettingsFrom(configuration),
    };
  } catch (thrown) {
    throw new ClusterError('CONFIG_INVALID', `the job's configuration is invalid: ${String(thrown)}`, { cause: thrown });
  }
}

function localStateFrom(configuration: Configuration): LocalStateUse {
  const restore = configuration.get(options.localRecovery);
  return { restore, backup: configuration.get(options.localBackup) ?? restore };
}

function restartStrategyFrom(configuration: Configuration): RestartStrategyOptions {
  const kind = configuration.get(options.restartStrategy) ?? (configuration.get(options.checkpointInterval) ? 'exponential-delay' : 'none');
  switch (kind) {
    case 'none':
      return { kind };
    case 'fixed-delay':
      return { kind, attempts: configuration.get(options.fixedDelayAttempts), delayMs: configuration.get(options.fixedDelay) };
    case 'failure-rate':
      return {
        kind,
        failuresMax: configuration.get(options.failureRateMax),
        intervalMs: configuration.get(options.failureRateInterval),
        delayMs: configuration.get(options.failureRateDelay),
      };
    case 'exponential-delay':
      return {
        kind,
        initialBackoffMs: configuration.get(options.exponentialInitialBackoff),
        maxBackoffMs: configuration.get(options.exponentialMaxBackoff),
        backoffMultiplier: configuration.get(options.exponentialMultiplier),
        jitterFactor: configuration.get(options.exponentialJitter),
        resetBackoffThresholdMs: configuration.get(options.exponentialResetThreshold),
        attemptsMax: configuration.get(options.exponentialAttempts) ?? null,
      };
  }
}

/** State of one operator in the JobManager's memory. Flink: `JobManagerCheckpointStorage.DEFAULT_MAX_STATE_SIZE`. */
const MEMORY_STATE_SIZE_BYTES_MAX = 5 * 1024 * 1024;

function checkpointSettingsFrom(configuration: Configuration): CheckpointSettings {
  const storage = configuration.get(options.checkpointStorage);
  const directory = storage === 'jobmanager' ? null : (configuration.get(options.checkpointDir) ?? null);
  if (storage === 'filesystem' && directory === null) {
    throw new ClusterError('CONFIG_INVALID', 'execution.checkpointing.storage: filesystem needs execution.checkpointing.dir');
  }
  const mode = configuration.get(options.checkpointMode);
  const unaligned = configuration.get(options.unalignedCheckpoints) && mode === 'EXACTLY_ONCE';
  const concurrentMax = configuration.get(options.checkpointsConcurrent);
  if (unaligned && concurrentMax > 1) {
    throw new ClusterError(
      'CONFIG_INVALID',
      `execution.checkpointing.max-concurrent-checkpoints is ${concurrentMax}: ` +
        "maxConcurrentCheckpoints can't be > 1 if UnalignedCheckpoints enabled (execution.checkpointing.unaligned.enabled)",
    );
  }
  return {
    cadence: {
      intervalMs: configuration.get(options.checkpointInterval) || null,
      timeoutMs: configuration.get(options.checkpointTimeout),
      minPauseMs: configuration.get(options.checkpointMinPause),
      concurrentMax,
      tolerableFailures: configuration.get(options.checkpointTolerableFailures),
    },
    alignment: mode === 'EXACTLY_ONCE' ? 'exactly-once' : 'at-least-once',
    unaligned,
    alignedTimeoutMs: configuration.get(options.alignedCheckpointTimeout),
    incremental: configuration.get(options.incrementalCheckpoints),
    afterTasksFinish: configuration.get(options.checkpointsAfterFinish),
    directory,
    subDirectory: configuration.get(options.createCheckpointSubDir),
    savepointDirectory: configuration.get(options.savepointDir) ?? null,
    inlineSizeBytesMax: directory === null ? MEMORY_STATE_SIZE_BYTES_MAX : configuration.get(options.smallStateThreshold),
    retainedMax: configuration.get(options.retainedCheckpoints),
    retention: configuration.get(options.checkpointRetention),
    stateBackend: configuration.get(options.stateBackend),
    historyMax: configuration.get(options.webCheckpointsHistory),
    restore: initialRestoreFrom(configuration),
  };
}

function initialRestoreFrom(configuration: Configuration): InitialRestore | null {
  const path = configuration.get(options.startFromSavepoint);
  if (path === undefined) return null;
  const allowNonRestoredState = configuration.get(options.allowNonRestoredState);
  return { path, allowNonRestoredState, claimMode: configuration.get(options.claimMode) };
}
