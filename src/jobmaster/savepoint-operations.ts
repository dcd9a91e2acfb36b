/**
 * What people ask of a job's checkpoints: a checkpoint now, a savepoint, a savepoint and the job's end. A stop is over when
 * the job is: its savepoint stands before that, but is of no use to anybody who still sees the job run.
 *
 * Unlike Flink: a failure after the savepoint stands does not end the stop. The job restarts from the savepoint, commits what that
 * holds, and finishes.
 */
import type { Logger } from '../base/log.ts';
import type { SavepointWish } from '../protocol/checkpoint.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { JobId } from '../protocol/ids.ts';
import { isGloballyTerminal, type JobStatus } from '../protocol/states.ts';
import type { CheckpointCoordinator } from './checkpoint-coordinator.ts';

export interface SavepointOperationsOptions {
  readonly jobId: JobId;
  readonly log: Logger;
  readonly checkpoints: CheckpointCoordinator;
  readonly cancel: () => void;
}

/** A stop whose savepoint is complete, and whose job is not over yet. */
interface Stopping {
  readonly location: string;
  readonly resolve: (location: string) => void;
  readonly reject: (error: Error) => void;
}

export class SavepointOperations {
  private readonly options: SavepointOperationsOptions;
  private readonly stopping: Stopping[] = [];
  private status: JobStatus = 'CREATED';

  constructor(options: SavepointOperationsOptions) {
    this.options = options;
  }

  /** Answers the checkpoint's id. Throws CHECKPOINT_FAILED. */
  async checkpoint(full: boolean): Promise<number> {
    const { jobId, log, checkpoints } = this.options;
    log.info(`Triggering a manual checkpoint for job ${jobId}.`);
    return (await checkpoints.request({ kind: 'checkpoint', stop: 'no', full, targetDirectory: null, format: null })).checkpointId;
  }

  /** Answers where it is. Throws CHECKPOINT_FAILED, BAD_REQUEST when there is no directory. */
  async savepoint({ targetDirectory, cancelJob, format }: SavepointWish & { readonly cancelJob: boolean }): Promise<string> {
    const { jobId, log, checkpoints, cancel } = this.options;
    log.info(`Triggering ${cancelJob ? 'cancel-with-savepoint' : 'savepoint'} for job ${jobId}.`);
    const { location } = await checkpoints.request({ kind: 'savepoint', stop: 'no', full: true, targetDirectory, format });
    if (cancelJob) {
      log.info(`Savepoint stored in ${location}. Now cancelling ${jobId}.`);
      cancel();
    }
    return location;
  }

  /** Resolves once the job has finished. Throws CHECKPOINT_FAILED, BAD_REQUEST when there is no directory. */
  async stop({ targetDirectory, drain, format }: SavepointWish & { readonly drain: boolean }): Promise<string> {
    const { jobId, log, checkpoints } = this.options;
    log.info(`Triggering stop-with-savepoint for job ${jobId}.`);
    const stop = drain ? 'drain' : 'suspend';
    const { location } = await checkpoints.request({ kind: 'savepoint', stop, full: true, targetDirectory, format });
    if (this.status === 'FINISHED') return location;
    if (isGloballyTerminal(this.status)) throw this.fault(location);
    return new Promise((resolve, reject) => this.stopping.push({ location, resolve, reject }));
  }

  jobStatusChanged(status: JobStatus): void {
    this.status = status;
    if (status === 'FINISHED') for (const { resolve, location } of this.stopping.splice(0)) resolve(location);
    else if (status !== 'RUNNING' && status !== 'RESTARTING') this.fail();
  }

  private fail(): void {
    for (const { reject, location } of this.stopping.splice(0)) reject(this.fault(location));
  }

  private fault(location: string): ClusterError {
    const { jobId } = this.options;
    const what = isGloballyTerminal(this.status) ? `ended as ${this.status}` : 'failed during stopping';
    return new ClusterError(
      'CHECKPOINT_FAILED',
      `A savepoint has been created at: ${location}, but the corresponding job ${jobId} ${what}. The savepoint is consistent, ` +
        'but might have uncommitted transactions. If you want to commit the transaction please restart a job from this savepoint.',
    );
  }
}
