/**
 * A JobManager: Dispatcher, ResourceManager, BlobStore and the RPC server, from leadership granted to
 * leadership lost. Everything that outlives a term is handed in; the rest is made per term.
 */
import { join } from 'node:path';
import type { Logger, LoggerSource } from '../base/log.ts';
import type { Ports } from '../base/ports.ts';
import type { JobGraph, ResourceRequirements } from '../graph/job-graph.ts';
import type { HaStores, LeaderElection } from '../ha/high-availability.ts';
import type { LeaderPermit } from '../ha/leader-permit.ts';
import type { CoordinatorMaker } from '../jobmaster/operator-coordinator.ts';
import type { ProgramWorkers } from '../jobmaster/program-worker.ts';
import type { SavepointWish } from '../protocol/checkpoint.ts';
import { ClusterError } from '../protocol/errors.ts';
import { DREY_VERSION } from '../protocol/version.ts';
import { newId, type ArtifactId, type JobId, type ResourceId } from '../protocol/ids.ts';
import type { JobResult } from '../protocol/job-result.ts';
import type { HeartbeatOptions } from '../rpc/heartbeat.core.ts';
import { spellAddress, type RpcAddress, type RpcListener, type RpcTransport } from '../rpc/transport.ts';
import { ResourceManager } from '../slots/resource-manager.ts';
import { ArtifactCache } from '../storage/artifact-cache.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { BlobStore } from './blob-store.ts';
import { Dispatcher } from './dispatcher.ts';
import type {
  BuiltProgram,
  CheckpointDetails,
  ClusterOverview,
  CollectedValues,
  JobDetails,
  JobManagerGateway,
  JobOverview,
  ProgramRequest,
  TaskManagerDetails,
} from './gateway.ts';
import type { JobArchiveOptions } from './job-archive.ts';
import { jobOverviewOf } from './job-overview.ts';
import { jobSettingsOf } from './job-settings.ts';

export interface JobManagerOptions {
  readonly ports: Ports;
  readonly loggers: LoggerSource;
  readonly transport: RpcTransport;
  readonly election: LeaderElection;
  readonly stores: HaStores;
  /** `jobmanager.bind-host` and `jobmanager.rpc.port`; port 0 picks one. */
  readonly bindAddress: RpcAddress;
  /** `jobmanager.rpc.address`, for logs. */
  readonly advertisedHost: string;
  readonly heartbeat: HeartbeatOptions;
  /** `pekko.ask.timeout`. */
  readonly callTimeoutMs: number;
  /** `cluster.evenly-spread-out-slots`. */
  readonly evenlySpreadOut: boolean;
  readonly archive: JobArchiveOptions;
  /** `blob.storage.directory`; created when the first artifact comes. */
  readonly blobDirectory: string;
  /** Null where no artifacts are built (registered programs only). */
  readonly programWorkers: ProgramWorkers | null;
  readonly makeCoordinator: CoordinatorMaker;
  /** Where checkpoints and savepoints lie. */
  readonly files: FileSystems;
  /** Effective cluster configuration, flat. */
  readonly configuration: Readonly<Record<string, string>>;
}

/** What exists while this process leads. */
interface Leadership {
  readonly permit: LeaderPermit;
  readonly resourceManager: ResourceManager;
  readonly dispatcher: Dispatcher;
}

export class JobManager implements JobManagerGateway {
  readonly configuration: Readonly<Record<string, string>>;
  private readonly options: JobManagerOptions;
  private readonly blobs: BlobStore;
  private readonly rpcLog: Logger;
  private readonly runnerLog: Logger;
  private listener: RpcListener | null = null;
  private leadership: Leadership | null = null;
  private ending: Promise<void> = Promise.resolve();

  private constructor(options: JobManagerOptions) {
    this.options = options;
    this.configuration = options.configuration;
    this.blobs = new BlobStore(new ArtifactCache(join(options.blobDirectory, 'artifacts')));
    this.rpcLog = options.loggers.logger('org.apache.flink.runtime.rpc.pekko.PekkoRpcServiceUtils');
    this.runnerLog = options.loggers.logger('org.apache.flink.runtime.dispatcher.runner.DefaultDispatcherRunner');
  }

  /** Binds the RPC port and runs for leadership. Throws PORT_IN_USE. */
  static async start(options: JobManagerOptions): Promise<JobManager> {
    const jobManager = new JobManager(options);
    await jobManager.listen();
    options.election.start({
      grantLeadership: (permit) => jobManager.lead(permit),
      revokeLeadership: (reason) => jobManager.resign(reason),
    });
    return jobManager;
  }

  /** Where TaskManagers dial. */
  get address(): RpcAddress {
    return { host: this.options.advertisedHost, port: this.listener?.address.port ?? 0 };
  }

  overview(): ClusterOverview {
    const { resourceManager } = this.leader();
    const taskManagers = resourceManager.taskManagers();
    const statuses = this.leader().dispatcher.jobs().map(({ details }) => details.status);
    const count = (status: string): number => statuses.filter((each) => each === status).length;
    const [finished, cancelled, failed] = [count('FINISHED'), count('CANCELED'), count('FAILED')];
    return {
      taskManagerCount: taskManagers.length,
      slotsTotal: taskManagers.reduce((sum, { slots }) => sum + slots.length, 0),
      slotsAvailable: resourceManager.freeSlotCount,
      jobsRunning: statuses.length - finished - cancelled - failed,
      jobsFinished: finished,
      jobsCancelled: cancelled,
      jobsFailed: failed,
    };
  }

  putArtifact(bytes: Uint8Array): Promise<ArtifactId> {
    this.options.programWorkers?.prepare(); // A request to build it will follow.
    return this.blobs.put(bytes);
  }

  async buildProgram(request: ProgramRequest): Promise<BuiltProgram> {
    const workers = this.options.programWorkers;
    if (!workers) throw new ClusterError('UNSUPPORTED', 'this cluster runs registered programs only');
    const { artifactId, programArgs, expectedPlanDigest } = request;
    const [artifactPath, sizeBytes] = [await this.blobs.path(artifactId), await this.blobs.sizeBytes(artifactId)];
    return workers.build({
      artifactPath,
      program: { kind: 'artifact', artifactId, sizeBytes, apiVersion: DREY_VERSION },
      programArgs,
      configuration: { ...this.configuration, ...request.configuration },
      jobId: request.jobId ?? newId<JobId>(this.options.ports.random),
      submittedAtMs: this.options.ports.clock.nowMs(),
      expectedPlanDigest,
    });
  }

  async submitProgram(request: ProgramRequest): Promise<JobId> {
    const { jobGraph } = await this.buildProgram(request);
    return this.submitJob(jobGraph);
  }

  async submitJob(jobGraph: JobGraph): Promise<JobId> {
    await this.leader().dispatcher.submitJob(jobGraph);
    return jobGraph.jobId;
  }

  jobs(): readonly JobOverview[] {
    const nowMs = this.options.ports.clock.nowMs();
    return this.leader().dispatcher.jobs().map(({ details, lastModificationMs }) => jobOverviewOf(details, lastModificationMs, nowMs));
  }

  job(jobId: JobId): JobDetails {
    return this.leader().dispatcher.job(jobId);
  }

  async cancelJob(jobId: JobId): Promise<void> {
    this.leader().dispatcher.cancelJob(jobId);
  }

  checkpoints(jobId: JobId): CheckpointDetails {
    return this.leader().dispatcher.checkpointDetails(jobId);
  }

  async triggerCheckpoint(jobId: JobId, full: boolean): Promise<number> {
    return this.leader().dispatcher.savepoints(jobId).checkpoint(full);
  }

  async triggerSavepoint(jobId: JobId, request: SavepointWish & { readonly cancelJob: boolean }): Promise<string> {
    return this.leader().dispatcher.savepoints(jobId).savepoint(request);
  }

  async stopWithSavepoint(jobId: JobId, request: SavepointWish & { readonly drain: boolean }): Promise<string> {
    return this.leader().dispatcher.savepoints(jobId).stop(request);
  }

  resourceRequirements(jobId: JobId): ResourceRequirements {
    return this.leader().dispatcher.resourceRequirements(jobId);
  }

  async updateResourceRequirements(jobId: JobId, requirements: ResourceRequirements): Promise<void> {
    await this.leader().dispatcher.updateResourceRequirements(jobId, requirements);
  }

  async disposeSavepoint(path: string): Promise<void> {
    await this.leader().dispatcher.disposeSavepoint(path);
  }

  async jobResult(jobId: JobId, waitMs: number): Promise<JobResult | null> {
    return this.leader().dispatcher.jobResult(jobId, waitMs);
  }

  async collected(
    jobId: JobId, request: { readonly collectId: string; readonly from: number; readonly waitMs: number },
  ): Promise<CollectedValues> {
    return this.leader().dispatcher.collecting(jobId, request.collectId).poll(request.from, request.waitMs);
  }

  taskManagers(): readonly TaskManagerDetails[] {
    return this.leader().resourceManager.taskManagers();
  }

  taskManager(resourceId: ResourceId): TaskManagerDetails | null {
    return this.leader().resourceManager.taskManager(resourceId);
  }

  /** Withdraws from the election, lets go of the jobs, closes the port. */
  async close(): Promise<void> {
    await this.options.election.close();
    await this.ending;
    await this.listener?.close();
    await this.options.programWorkers?.close();
  }

  private async listen(): Promise<void> {
    const { transport, bindAddress, advertisedHost } = this.options;
    this.rpcLog.info(
      `Trying to start actor system, external address ${advertisedHost}:${bindAddress.port}, bind address ${spellAddress(bindAddress)}.`,
    );
    this.listener = await transport.listen(bindAddress, (connection) => {
      if (this.leadership) this.leadership.resourceManager.accept(connection);
      else connection.close('this JobManager does not lead');
    });
    this.rpcLog.info(`Actor system started at pekko.tcp://flink@${spellAddress(this.address)}`);
  }

  private lead(permit: LeaderPermit): void {
    const { ports, loggers, heartbeat, callTimeoutMs, evenlySpreadOut, stores, makeCoordinator, files, archive } = this.options;
    this.logGrant(permit);
    const readArtifact = this.blobs.read;
    const resourceManager = new ResourceManager({
      ports, loggers, term: permit.term, heartbeat, callTimeoutMs, evenlySpreadOut, readArtifact,
    });
    const jobSettings = (job: Readonly<Record<string, string>>) => jobSettingsOf({ ...this.configuration, ...job });
    const dispatcher = new Dispatcher({ ports, loggers, permit, stores, resourceManager, makeCoordinator, files, archive, jobSettings });
    this.leadership = { permit, resourceManager, dispatcher };
  }

  private resign(reason: string): void {
    const { leadership } = this;
    if (!leadership) return;
    this.runnerLog.info(
      `DefaultDispatcherRunner was revoked the leadership with leader id ${leadership.permit.sessionId}. Stopping the DispatcherLeaderProcess. (${reason})`,
    );
    this.leadership = null;
    this.ending = leadership.dispatcher.close().then(() => leadership.resourceManager.close());
  }

  private logGrant({ sessionId }: LeaderPermit): void {
    const { loggers } = this.options;
    const logger = (name: string): Logger => loggers.logger(`org.apache.flink.runtime.${name}`);
    this.runnerLog.info(
      `DefaultDispatcherRunner was granted leadership with leader id ${sessionId}. Creating new DispatcherLeaderProcess.`,
    );
    const processLog = logger('dispatcher.runner.SessionDispatcherLeaderProcess');
    processLog.info('Start SessionDispatcherLeaderProcess.');
    const serviceLog = logger('resourcemanager.ResourceManagerServiceImpl');
    serviceLog.info('Starting resource manager service.');
    serviceLog.info(`Resource manager service is granted leadership with session id ${sessionId}.`);
    processLog.info('Recover all persisted job graphs that are not finished, yet.');
    processLog.info('Successfully recovered 0 persisted job graphs.');
    const endpointLog = logger('rpc.pekko.PekkoRpcService');
    endpointLog.info(
      'Starting RPC endpoint for org.apache.flink.runtime.dispatcher.StandaloneDispatcher at pekko://flink/user/rpc/dispatcher_0 .',
    );
    endpointLog.info(
      'Starting RPC endpoint for org.apache.flink.runtime.resourcemanager.StandaloneResourceManager at pekko://flink/user/rpc/resourcemanager_1 .',
    );
    logger('resourcemanager.StandaloneResourceManager').info('Starting the resource manager.');
    logger('resourcemanager.slotmanager.FineGrainedSlotManager').info('Starting the slot manager.');
  }

  private leader(): Leadership {
    if (!this.leadership) {
      throw new ClusterError('NO_LEADER', 'Service temporarily unavailable due to an ongoing leader election. Please refresh.');
    }
    return this.leadership;
  }
}
