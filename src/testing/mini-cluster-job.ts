/** A job that runs in a MiniCluster. */
import { delay } from '../base/ports.ts';
import { systemPorts } from '../base/system-ports.ts';
import type { JobManagerGateway } from '../dispatcher/gateway.ts';
import type { SavepointFormat } from '../protocol/checkpoint.ts';
import type { AccumulatorValue } from '../protocol/deployment.ts';
import { ClusterError, errorFromInfo } from '../protocol/errors.ts';
import type { JobId } from '../protocol/ids.ts';
import type { JobResult } from '../protocol/job-result.ts';

/** What a finished job leaves behind. */
export interface JobExecutionResult {
  readonly jobId: string;
  readonly netRuntimeMs: number;
  /** Counters as numbers, 64-bit sums as decimal text, histograms as counts by value. */
  readonly accumulators: Readonly<Record<string, number | string | Readonly<Record<string, number>>>>;
}

/** How a savepoint is taken. */
export interface SavepointOptions {
  /** Default: `execution.checkpointing.savepoint-dir`. */
  readonly directory?: string;
  /** Default `CANONICAL`. */
  readonly format?: SavepointFormat;
}

/** How a job is stopped. */
export interface StopOptions extends SavepointOptions {
  /** The job is over for good: the last watermark is sent first. Default false. */
  readonly drain?: boolean;
}

/** One wait for a result; repeated until the job ends. */
const WAIT_MS = 60_000;
/** Between two looks at the tasks of a job. */
const LOOK_MS = 2;

export class MiniClusterJob {
  readonly jobId: JobId;
  private readonly gateway: JobManagerGateway;

  constructor(gateway: JobManagerGateway, jobId: JobId) {
    this.gateway = gateway;
    this.jobId = jobId;
  }

  /** Waits for the end. Throws the job's failure, or JOB_FAILED when it was canceled. */
  async result(): Promise<JobExecutionResult> {
    for (;;) {
      const result = await this.gateway.jobResult(this.jobId, WAIT_MS);
      if (result) return executionResult(result);
    }
  }

  /**
   * Waits until every task runs, or has finished: before that a checkpoint is refused. (That records come out does not say
   * that the JobManager has heard of all tasks.) Throws the job's failure if it ends first.
   */
  async running(): Promise<void> {
    for (;;) {
      const { vertices, status } = this.gateway.job(this.jobId);
      if (vertices.every(({ subtasks }) => subtasks.every(({ state }) => state === 'RUNNING' || state === 'FINISHED'))) return;
      if (status === 'FAILED' || status === 'CANCELED') await this.result();
      await delay(systemPorts.clock, LOOK_MS);
    }
  }

  /** Values of a collect sink, in order of arrival, as they arrive. May be read once. */
  async *collected(id: string): AsyncGenerator {
    for (let from = 0; ; ) {
      const { values, ended } = await this.gateway.collected(this.jobId, { collectId: id, from, waitMs: WAIT_MS });
      yield* values;
      from += values.length;
      if (ended) return;
    }
  }

  /** Takes a checkpoint now; answers its id. Throws CHECKPOINT_FAILED. */
  checkpoint(): Promise<number> {
    return this.gateway.triggerCheckpoint(this.jobId, false);
  }

  /** Takes a savepoint; answers where it is. Throws CHECKPOINT_FAILED. */
  savepoint({ directory, format = 'CANONICAL' }: SavepointOptions = {}): Promise<string> {
    return this.gateway.triggerSavepoint(this.jobId, { targetDirectory: directory ?? null, cancelJob: false, format });
  }

  /** Stops the job with a savepoint; answers where it is once the job has finished. Throws CHECKPOINT_FAILED. */
  stopWithSavepoint({ directory, format = 'CANONICAL', drain = false }: StopOptions = {}): Promise<string> {
    return this.gateway.stopWithSavepoint(this.jobId, { targetDirectory: directory ?? null, drain, format });
  }

  /** Resolves once canceling has begun. */
  async cancel(): Promise<void> {
    await this.gateway.cancelJob(this.jobId);
  }
}

function executionResult({ jobId, status, error, startTimeMs, endTimeMs, accumulators }: JobResult): JobExecutionResult {
  if (status === 'CANCELED') throw new ClusterError('JOB_FAILED', `Job was canceled (JobID: ${jobId})`);
  if (status === 'FAILED') {
    const text = `Job failed (JobID: ${jobId}): ${error?.message ?? 'for an unknown reason'}`;
    throw new ClusterError('JOB_FAILED', text, error ? { cause: errorFromInfo(error) } : undefined);
  }
  const shown = Object.entries(accumulators).map(([name, value]) => [name, shownValue(value)] as const);
  return { jobId, netRuntimeMs: endTimeMs - startTimeMs, accumulators: Object.fromEntries(shown) };
}

function shownValue(value: AccumulatorValue): JobExecutionResult['accumulators'][string] {
  return value.kind === 'histogram' ? value.counts : value.value;
}
