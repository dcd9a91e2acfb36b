/**
 * What a job goes on from: at its start a savepoint or retained checkpoint that the user named, later the newest completed
 * checkpoint that can be read. One that is damaged is named in the log and the one before it is used; a job that had
 * checkpoints never begins anew because none of them can be read.
 */
import type { Logger } from '../base/log.ts';
import { normalLocation } from '../checkpoint/checkpoint-layout.ts';
import type { CheckpointStorage } from '../checkpoint/checkpoint-storage.ts';
import type { JobGraph } from '../graph/job-graph.ts';
import { ClusterError, errorInfo } from '../protocol/errors.ts';
import type { CheckpointSettings } from './checkpoint-settings.ts';
import type { CompletedCheckpoint, CompletedCheckpointsCore } from './completed-checkpoints.core.ts';
import { checkInFlight } from './in-flight-assignment.core.ts';
import { checkMaxParallelism } from './restored-max-parallelism.core.ts';
import { unclaimedOperators } from './state-assignment.core.ts';

export interface CheckpointRecoveryOptions {
  readonly jobGraph: JobGraph;
  readonly settings: CheckpointSettings;
  readonly storage: CheckpointStorage;
  readonly completed: CompletedCheckpointsCore;
  readonly log: Logger;
}

/** How Flink's log and REST name a checkpoint that is nowhere but in memory. */
export const NOT_ADDRESSABLE = '<checkpoint-not-externally-addressable>';

export class CheckpointRecovery {
  private readonly options: CheckpointRecoveryOptions;

  constructor(options: CheckpointRecoveryOptions) {
    this.options = options;
  }

  /** Reads what the job is to start from, and checks that its state fits. Null: it starts anew. */
  async initial(): Promise<CompletedCheckpoint | null> {
    const { jobGraph, settings: { restore }, storage, completed, log } = this.options;
    if (!restore) return null;
    const { path, allowNonRestoredState, claimMode } = restore;
    const allowing = allowNonRestoredState ? 'allowing non restored state' : '';
    log.info(`Starting job ${jobGraph.jobId} from savepoint ${path} (${allowing})`);
    const { metadata, directory } = await storage.read(path);
    await storage.verify(metadata, false);
    const skipped = unclaimedOperators(jobGraph, metadata, { location: normalLocation(path), mayBeSkipped: allowNonRestoredState });
    for (const { operatorId } of skipped) log.info(`Skipping savepoint state for operator ${operatorId}.`);
    checkMaxParallelism(jobGraph, metadata, normalLocation(path));
    checkInFlight(jobGraph, metadata);
    log.info(`Reset the checkpoint ID of job ${jobGraph.jobId} to ${metadata.checkpointId + 1}.`);
    const checkpoint = { metadata, directory, isOwned: claimMode === 'CLAIM' };
    completed.add(checkpoint);
    return checkpoint;
  }

  /** The newest completed checkpoint whose files are all there; null: there never was one. With `contents` each byte is read. */
  async latest(contents: boolean): Promise<CompletedCheckpoint | null> {
    const { completed, log } = this.options;
    const newest = completed.latest;
    for (let latest = newest; latest !== null; latest = completed.latest) {
      const damage = await this.damageOf(latest, contents);
      if (damage === null) return latest;
      const { checkpointId } = latest.metadata;
      log.warn(`Checkpoint ${checkpointId} located at ${locationOf(latest)} cannot be restored; trying the one before it. ${damage}`);
      completed.dropLatest();
    }
    if (newest === null) return null;
    throw new ClusterError('CHECKPOINT_CORRUPT', 'none of the completed checkpoints of the job can be read; the log names what is damaged');
  }

  /** Null: none. Storage that cannot be reached says nothing about the checkpoint and is thrown. */
  private async damageOf({ metadata, directory }: CompletedCheckpoint, contents: boolean): Promise<string | null> {
    const { storage } = this.options;
    try {
      if (directory !== null) await storage.read(directory);
      await storage.verify(metadata, contents);
      return null;
    } catch (thrown) {
      const { code, message } = errorInfo(thrown, 'INTERNAL');
      if (['CHECKPOINT_CORRUPT', 'CHECKPOINT_NOT_FOUND', 'UNSUPPORTED'].includes(code)) return message;
      throw thrown;
    }
  }
}

/** Where a checkpoint lies, in Flink's words. */
export function locationOf({ directory }: CompletedCheckpoint): string {
  return directory ?? NOT_ADDRESSABLE;
}
