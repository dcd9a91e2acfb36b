/** Dispatcher: the shell around submissions. It starts a JobMaster per job, keeps the archive, and lets callers wait for results. */
import { present, unreachable } from '../base/assert.ts';
import type { Logger, LoggerSource } from '../base/log.ts';
import { Mailbox } from '../base/mailbox.ts';
import type { Ports } from '../base/ports.ts';
import { CheckpointStorage } from '../checkpoint/checkpoint-storage.ts';
import type { JobGraph, ResourceRequirements } from '../graph/job-graph.ts';
import type { HaStores } from '../ha/high-availability.ts';
import type { LeaderPermit } from '../ha/leader-permit.ts';
import type { CheckpointSettings } from '../jobmaster/checkpoint-settings.ts';
import { restoredMaxParallelism } from '../jobmaster/restored-max-parallelism.core.ts';
import type { SavepointOperations } from '../jobmaster/savepoint-operations.ts';
import { JobMaster, type CheckpointDetails } from '../jobmaster/job-master.ts';
import type { JobDetails } from '../jobmaster/job-details.ts';
import type { CollectingCoordinator, CoordinatorMaker } from '../jobmaster/operator-coordinator.ts';
import type { RestartStrategyOptions } from '../jobmaster/restart-strategy.core.ts';
import { jsonBytes } from '../protocol/control.ts';
import type { LocalStateUse } from '../protocol/deployment.ts';
import { ClusterError, errorFromInfo, errorInfo, type ErrorInfo } from '../protocol/errors.ts';
import type { JobId } from '../protocol/ids.ts';
import type { JobResult } from '../protocol/job-result.ts';
import type { ResourceManager } from '../slots/resource-manager.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { DispatcherCore, type DispatcherEffect, type DispatcherEvent } from './dispatcher.core.ts';
import { JobArchive, type ArchivedJob, type JobArchiveOptions } from './job-archive.ts';

export interface DispatcherOptions {
  readonly ports: Ports;
  readonly loggers: LoggerSource;
  readonly permit: LeaderPermit;
  readonly stores: HaStores;
  readonly resourceManager: ResourceManager;
  readonly makeCoordinator: CoordinatorMaker;
  /** Where checkpoints and savepoints lie. */
  readonly files: FileSystems;
  readonly archive: JobArchiveOptions;
  /** Settings of one job, from its configuration over the cluster's. Throws CONFIG_INVALID. */
  readonly jobSettings: (configuration: Readonly<Record<string, string>>) => JobSettings;
}

/** What a JobMaster is configured with. */
export interface JobSettings {
  readonly restartStrategy: RestartStrategyOptions;
  readonly slotRequestTimeoutMs: number;
  readonly failuresMax: number;
  readonly localState: LocalStateUse;
  readonly checkpoints: CheckpointSettings;
}

/** Jobs that are not over. */
const JOBS_MAX = 10_000;
const MAILBOX_CAPACITY = 65_536;
/** Callers that wait for the end of one job. */
const WAITERS_MAX = 1024;

interface Job {
  jobGraph: JobGraph;
  readonly submitted: { readonly resolve: () => void; readonly reject: (error: Error) => void };
  readonly waiting: Set<() => void>;
  jobMaster: JobMaster | null;
  details: JobDetails | null;
}

export class Dispatcher {
  private readonly options: DispatcherOptions;
  private readonly core = new DispatcherCore();
  private readonly mailbox = new Mailbox<DispatcherEvent>(MAILBOX_CAPACITY);
  private readonly current = new Map<JobId, Job>();
  private readonly archive: JobArchive;
  private readonly log: Logger;
  private readonly done: Promise<void>;
  private jobMasterCount = 0;
  private closed = false;

  constructor(options: DispatcherOptions) {
    this.options = options;
    this.archive = new JobArchive(options.archive);
    this.log = options.loggers.logger('org.apache.flink.runtime.dispatcher.StandaloneDispatcher');
    this.done = this.run();
  }

  /** Resolves once the job is durable. Throws DUPLICATE_JOB, JOB_SUBMISSION_FAILED, CONFIG_INVALID. */
  async submitJob(submitted: JobGraph): Promise<void> {
    const { restore } = this.options.jobSettings(submitted.configuration).checkpoints; // Refuses bad settings before anything is stored.
    const jobGraph = restore === null ? submitted : await this.withRestoredMaxParallelism(submitted, restore.path);
    const { jobId, name } = jobGraph;
    this.log.info(`Received JobGraph submission '${name}' (${jobId}).`);
    if (this.closed) throw new ClusterError('NO_LEADER', 'the JobManager is stopping');
    if (this.current.has(jobId) || this.archived(jobId)) {
      throw new ClusterError('DUPLICATE_JOB', `Job has already been submitted: ${jobId}`);
    }
    if (this.current.size >= JOBS_MAX) throw new ClusterError('OVERLOADED', `${JOBS_MAX} jobs are running already`);
    this.log.info(`Submitting job '${name}' (${jobId}).`);
    await new Promise<void>((resolve, reject) => {
      this.current.set(jobId, { jobGraph, submitted: { resolve, reject }, waiting: new Set(), jobMaster: null, details: null });
      this.mailbox.post({ kind: 'submitted', jobId });
    });
  }

  /** What cannot be read is left to the JobMaster, which reads it again and says so. */
  private async withRestoredMaxParallelism(jobGraph: JobGraph, path: string): Promise<JobGraph> {
    const storage = new CheckpointStorage(this.options.files, this.options.ports.random);
    return storage.read(path).then(({ metadata }) => restoredMaxParallelism(jobGraph, metadata), () => jobGraph);
  }

  /** Throws JOB_NOT_FOUND, JOB_ALREADY_TERMINATED. */
  cancelJob(jobId: JobId): void {
    const jobMaster = this.current.get(jobId)?.jobMaster;
    const over = this.archived(jobId);
    if (over) {
      throw new ClusterError(
        'JOB_ALREADY_TERMINATED',
        `Job cancellation failed because the job has already reached another terminal state (${over.details.status}).`,
      );
    }
    if (!jobMaster) throw notFound(jobId);
    jobMaster.cancel();
  }

  /** Running jobs, then archived ones, newest first. */
  jobs(): readonly { readonly details: JobDetails; readonly lastModificationMs: number }[] {
    const running = [...this.current.values()].toReversed().flatMap(({ jobMaster }) => {
      return jobMaster ? [{ details: jobMaster.details(), lastModificationMs: jobMaster.lastModificationMs }] : [];
    });
    return [...running, ...this.archive.jobs(this.nowMs())];
  }

  /** Throws JOB_NOT_FOUND. */
  job(jobId: JobId): JobDetails {
    const details = this.current.get(jobId)?.jobMaster?.details() ?? this.archived(jobId)?.details;
    if (!details) throw notFound(jobId);
    return details;
  }

  /** Null when the job has not ended within `waitMs`. Throws JOB_NOT_FOUND. */
  async jobResult(jobId: JobId, waitMs: number): Promise<JobResult | null> {
    const job = this.current.get(jobId);
    if (job && waitMs > 0) await this.wait(job, waitMs);
    const archived = this.archived(jobId);
    if (!archived && !this.current.has(jobId)) throw notFound(jobId);
    return archived?.result ?? null;
  }

  /** Throws JOB_NOT_FOUND. */
  checkpointDetails(jobId: JobId): CheckpointDetails {
    const jobMaster = this.current.get(jobId)?.jobMaster ?? this.archived(jobId)?.jobMaster;
    if (!jobMaster) throw notFound(jobId);
    return jobMaster.checkpointDetails();
  }

  /** Throws JOB_NOT_FOUND; a job that is over takes no savepoints. */
  savepoints(jobId: JobId): SavepointOperations {
    const jobMaster = this.current.get(jobId)?.jobMaster;
    if (!jobMaster) throw notFound(jobId);
    return jobMaster.savepoints;
  }

  /** Throws JOB_NOT_FOUND. A job that is over keeps the bounds it ended with. */
  resourceRequirements(jobId: JobId): ResourceRequirements {
    const jobMaster = this.current.get(jobId)?.jobMaster ?? this.archived(jobId)?.jobMaster;
    if (!jobMaster) throw notFound(jobId);
    return jobMaster.rescaling.requirements;
  }

  /** Resolves once they are durable. Throws JOB_NOT_FOUND, BAD_REQUEST, NO_RESOURCE_AVAILABLE, OVERLOADED. */
  async updateResourceRequirements(jobId: JobId, requirements: ResourceRequirements): Promise<void> {
    const job = this.current.get(jobId);
    if (!job?.jobMaster) throw notFound(jobId);
    const { stores: { jobGraphs }, permit } = this.options;
    await job.jobMaster.rescaling.update(requirements, async (jobGraph) => {
      await jobGraphs.put(permit, jobId, jsonBytes(jobGraph));
      job.jobGraph = jobGraph;
    });
  }

  /** Throws CHECKPOINT_NOT_FOUND, CHECKPOINT_CORRUPT. */
  async disposeSavepoint(path: string): Promise<void> {
    this.log.info(`Disposing savepoint ${path}.`);
    await new CheckpointStorage(this.options.files, this.options.ports.random).dispose(path);
  }

  /** Throws JOB_NOT_FOUND. */
  collecting(jobId: JobId, collectId: string): CollectingCoordinator {
    const jobMaster = this.current.get(jobId)?.jobMaster ?? this.archived(jobId)?.jobMaster;
    if (!jobMaster) throw notFound(jobId);
    return jobMaster.collecting(collectId);
  }

  /** Lets go of all jobs; their tasks are not touched. */
  async close(): Promise<void> {
    this.closed = true;
    this.log.info('Stopping dispatcher pekko://flink/user/rpc/dispatcher_0.');
    this.log.info('Stopping all currently running jobs of dispatcher pekko://flink/user/rpc/dispatcher_0.');
    for (const { submitted, waiting, jobMaster } of this.current.values()) {
      submitted.reject(new ClusterError('NO_LEADER', 'the JobManager is stopping'));
      for (const wake of waiting) wake();
      await jobMaster?.close();
    }
    this.mailbox.close();
    await this.done;
    this.log.info('Stopped dispatcher pekko://flink/user/rpc/dispatcher_0.');
  }

  private async run(): Promise<void> {
    for await (const event of this.mailbox) for (const effect of this.core.step(event)) this.perform(effect);
  }

  private perform(effect: DispatcherEffect): void {
    const { jobId } = effect;
    const { jobGraphs, jobResults } = this.options.stores;
    const { permit } = this.options;
    switch (effect.kind) {
      case 'checkResult':
        return this.store(jobId, async () => ({ kind: 'checked', jobId, ranBefore: await jobResults.has(jobId) }));
      case 'persistGraph':
        return this.store(jobId, async () => {
          await jobGraphs.put(permit, jobId, jsonBytes(this.held(jobId).jobGraph));
          return { kind: 'persisted', jobId };
        });
      case 'run':
        return this.runJob(jobId);
      case 'acknowledge':
        return this.held(jobId).submitted.resolve();
      case 'refuse':
        return this.refuse(jobId, effect.error);
      case 'storeResult':
        return this.store(jobId, async () => {
          await jobResults.createDirty(permit, resultOf(this.endOf(jobId)));
          return { kind: 'resultStored', jobId };
        });
      case 'removeGraph':
        return this.store(jobId, async () => {
          await jobGraphs.remove(permit, jobId);
          return { kind: 'graphRemoved', jobId };
        });
      case 'markClean':
        return void jobResults.markClean(permit, jobId).catch((thrown: unknown) => this.log.warn(
          `The result of job ${jobId} stays dirty.`, thrown,
        ));
      case 'archive':
        return this.archiveJob(jobId);
      case 'reportStoreFailure':
        return this.log.error(`The end of job ${jobId} could not be stored.`, errorFromInfo(effect.error));
      default:
        return unreachable(effect, 'dispatcher effect');
    }
  }

  private store(jobId: JobId, act: () => Promise<DispatcherEvent>): void {
    void act()
      .catch((thrown: unknown): DispatcherEvent => ({ kind: 'storeFailed', jobId, error: errorInfo(thrown, 'JOB_SUBMISSION_FAILED') }))
      .then((event) => this.mailbox.post(event));
  }

  private runJob(jobId: JobId): void {
    const { ports, loggers, permit, resourceManager, makeCoordinator, files, jobSettings } = this.options;
    const { sessionId } = permit;
    const rpcAddress = `pekko://flink/user/rpc/jobmanager_${2 + this.jobMasterCount++}`;
    const job = this.held(jobId);
    loggers
      .logger('org.apache.flink.runtime.jobmaster.JobMasterServiceLeadershipRunner')
      .info(
        `JobMasterServiceLeadershipRunner for job ${jobId} was granted leadership with leader id ${sessionId}. Creating new JobMasterServiceProcess.`,
      );
    loggers
      .logger('org.apache.flink.runtime.rpc.pekko.PekkoRpcService')
      .info(`Starting RPC endpoint for org.apache.flink.runtime.jobmaster.JobMaster at ${rpcAddress} .`);
    const onTerminated = (details: JobDetails): void => this.jobTerminated(jobId, details);
    const settings = jobSettings(job.jobGraph.configuration);
    job.jobMaster = new JobMaster({
      jobGraph: job.jobGraph, ports, loggers, sessionId, rpcAddress, resourceManager, makeCoordinator, files, onTerminated, ...settings,
    });
    job.jobMaster.start();
  }

  private jobTerminated(jobId: JobId, details: JobDetails): void {
    const cause = details.failures[0]?.error;
    const text = `Job ${jobId} reached terminal state ${details.status}.`;
    this.log.info(details.status === 'FAILED' && cause ? `${text}\n${errorFromInfo(cause).stack ?? cause.message}` : text);
    this.log.info(`Stopping the JobMaster for job '${details.name}' (${jobId}).`);
    this.held(jobId).details = details;
    this.mailbox.post({ kind: 'terminated', jobId });
  }

  private archiveJob(jobId: JobId): void {
    const { jobMaster, waiting } = this.held(jobId);
    const details = this.endOf(jobId);
    const archived = {
      details,
      result: resultOf(details),
      jobMaster: present(jobMaster, 'a job that ended had a JobMaster'),
      lastModificationMs: details.endTimeMs,
    };
    this.archive.add(archived, this.nowMs());
    this.current.delete(jobId);
    for (const wake of waiting) wake();
  }

  private refuse(jobId: JobId, error: ErrorInfo): void {
    const { submitted } = this.held(jobId);
    this.current.delete(jobId);
    submitted.reject(errorFromInfo(error));
  }

  private wait(job: Job, waitMs: number): Promise<void> {
    if (job.waiting.size >= WAITERS_MAX) throw new ClusterError('OVERLOADED', `${WAITERS_MAX} callers wait for this job already`);
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        job.waiting.delete(wake);
        resolve();
      };
      const timer = this.options.ports.clock.after(waitMs, wake);
      job.waiting.add(wake);
    });
  }

  private archived(jobId: JobId): ArchivedJob | null {
    return this.archive.get(jobId, this.nowMs());
  }

  private held(jobId: JobId): Job {
    return present(this.current.get(jobId), 'the dispatcher holds the job that it acts on');
  }

  private endOf(jobId: JobId): JobDetails {
    return present(this.held(jobId).details, 'a terminated job has details');
  }

  private nowMs(): number {
    return this.options.ports.clock.nowMs();
  }
}

function resultOf(details: JobDetails): JobResult {
  const { jobId, name, status, startTimeMs, endTimeMs, accumulators, failures } = details;
  const error = status === 'FAILED' ? (failures[0]?.error ?? null) : null;
  return { jobId, name, status: status as JobResult['status'], startTimeMs, endTimeMs, accumulators, error };
}

function notFound(jobId: JobId): ClusterError {
  return new ClusterError('JOB_NOT_FOUND', `Job ${jobId} not found`);
}
