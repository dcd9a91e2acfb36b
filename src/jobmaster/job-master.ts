/**
 * JobMaster: the shell around one job's scheduler. It performs the scheduler's effects against the
 * ResourceManager and the TaskManagers, drives the operator coordinators, and writes the log that operators read.
 */
import { unreachable } from '../base/assert.ts';
import type { Logger, LoggerSource } from '../base/log.ts';
import { Mailbox } from '../base/mailbox.ts';
import type { Ports, Timer } from '../base/ports.ts';
import { CheckpointStorage } from '../checkpoint/checkpoint-storage.ts';
import type { JobGraph } from '../graph/job-graph.ts';
import type { TaskCheckpointAck } from '../protocol/checkpoint.ts';
import type { ExecutionReport, LocalStateUse, OperatorEvent, OperatorEventBody } from '../protocol/deployment.ts';
import { ClusterError, errorFromInfo, errorInfo, type ErrorCode, type ErrorInfo } from '../protocol/errors.ts';
import type { AllocationId, ExecutionAttemptId, JobVertexId, LeaderSessionId, ResourceId } from '../protocol/ids.ts';
import { isGloballyTerminal, isTerminalExecutionState } from '../protocol/states.ts';
import type { JobListener, ResourceManager } from '../slots/resource-manager.ts';
import type { PooledSlot } from '../slots/slot-pool.core.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { CheckpointCoordinator } from './checkpoint-coordinator.ts';
import type { CheckpointSettings } from './checkpoint-settings.ts';
import type { CheckpointStatistics } from './checkpoint-statistics.ts';
import { CoordinatorHolder } from './coordinator-holder.ts';
import { spellExecution, spellLocation, type Execution } from './execution-graph.core.ts';
import { CONCURRENT_FAILURES_MAX, type JobDetails } from './job-details.ts';
import type { CollectingCoordinator, CoordinatorMaker } from './operator-coordinator.ts';
import { restartStrategyOf, type RestartStrategyOptions } from './restart-strategy.core.ts';
import { Rescaling } from './rescaling.ts';
import { SavepointOperations } from './savepoint-operations.ts';
import { SchedulerCore, type SchedulerEffect, type SchedulerEvent } from './scheduler.core.ts';

export interface JobMasterOptions {
  readonly jobGraph: JobGraph;
  readonly ports: Ports;
  readonly loggers: LoggerSource;
  readonly sessionId: LeaderSessionId;
  /** For the log; nothing dials it. */
  readonly rpcAddress: string;
  readonly resourceManager: ResourceManager;
  readonly restartStrategy: RestartStrategyOptions;
  readonly slotRequestTimeoutMs: number;
  /** `web.exception-history-size`. */
  readonly failuresMax: number;
  readonly localState: LocalStateUse;
  readonly makeCoordinator: CoordinatorMaker;
  readonly checkpoints: CheckpointSettings;
  readonly files: FileSystems;
  /** The job is globally terminal. Called once. */
  readonly onTerminated: (details: JobDetails) => void;
}

/** What REST shows of a job's checkpoints. */
export interface CheckpointDetails {
  readonly statistics: CheckpointStatistics;
  readonly settings: CheckpointSettings;
}

const MAILBOX_CAPACITY = 262_144;
/** A restore that fails so will fail again. */
const NO_WAY_ON: ReadonlySet<ErrorCode> = new Set(['CHECKPOINT_CORRUPT', 'STATE_INCOMPATIBLE']);

export class JobMaster implements JobListener {
  readonly address: string;
  private readonly options: JobMasterOptions;
  private readonly core: SchedulerCore;
  private readonly coordinators: CoordinatorHolder;
  private readonly checkpoints: CheckpointCoordinator;
  /** Checkpoints and savepoints on request. */
  readonly savepoints: SavepointOperations;
  /** The job's parallelism. */
  readonly rescaling: Rescaling;
  private readonly mailbox = new Mailbox<SchedulerEvent>(MAILBOX_CAPACITY);
  private readonly timers = new Set<Timer>();
  private readonly log: Logger;
  private readonly graphLog: Logger;
  private lastChangeMs: number;
  private isClosed = false;
  private finished: Promise<void> = Promise.resolve();

  constructor(options: JobMasterOptions) {
    const { jobGraph, ports, loggers, slotRequestTimeoutMs } = options;
    const restartStrategy = restartStrategyOf(options.restartStrategy, () => ports.random.unit());
    this.options = options;
    this.address = `${options.sessionId.replaceAll('-', '')}@${options.rpcAddress}`;
    this.log = loggers.logger('org.apache.flink.runtime.jobmaster.JobMaster');
    this.graphLog = loggers.logger('org.apache.flink.runtime.executiongraph.ExecutionGraph');
    this.lastChangeMs = ports.clock.nowMs();
    this.core = new SchedulerCore(
      {
        jobGraph, executionGraphId: ports.random.hex(16), restartStrategy, slotRequestTimeoutMs, failuresMax: options.failuresMax,
        localState: options.localState,
        isStopped: () => this.checkpoints.isStopped,
        restoreOf: (execution) => this.checkpoints.restoreOf(execution),
        hasFinalCheckpoint: options.checkpoints.cadence.intervalMs !== null && options.checkpoints.afterTasksFinish,
      },
      this.lastChangeMs,
    );
    this.coordinators = new CoordinatorHolder({
      jobGraph,
      make: options.makeCoordinator,
      send: (target, body) => this.sendToSubtask(target, body),
      fail: (error) => this.mailbox.post({ kind: 'failJob', error }),
    });
    const { graph } = this.core;
    this.checkpoints = new CheckpointCoordinator({
      get jobGraph() {
        return graph.jobGraph;
      },
      ports,
      loggers,
      settings: options.checkpoints,
      storage: new CheckpointStorage(options.files, ports.random),
      executions: () => this.core.graph.executions(),
      coordinators: this.coordinators,
      call: (resourceId, act, onFault) => this.call(resourceId, act, onFault),
      failJob: (error) => this.mailbox.post({ kind: 'failJob', error }),
    });
    this.savepoints = new SavepointOperations({
      jobId: jobGraph.jobId, log: this.log, checkpoints: this.checkpoints, cancel: () => this.cancel(),
    });
    this.rescaling = new Rescaling({
      clock: ports.clock,
      log: this.log,
      jobGraph: () => this.jobGraph,
      status: () => this.core.graph.status,
      isStopped: () => this.checkpoints.isStopped,
      slotsAvailable: () => this.core.slotCount + options.resourceManager.freeSlotCount,
      takeCheckpoint: async () => void await this.savepoints.checkpoint(false),
      checkRestart: (next) => this.checkpoints.checkRestart(next),
      restart: (next) => this.mailbox.post({ kind: 'rescale', jobGraph: next }),
    });
    this.logInitialization(restartStrategy.description);
  }

  start(): void {
    const { name, jobId } = this.jobGraph;
    const { resourceManager, sessionId } = this.options;
    this.log.info(`Starting execution of job '${name}' (${jobId}) under job master id ${sessionId.replaceAll('-', '')}.`);
    resourceManager.addJob(jobId, this);
    this.log.info(`JobManager successfully registered at ResourceManager, leader id: ${sessionId.replaceAll('-', '')}.`);
    this.finished = this.run();
    if (this.options.checkpoints.restore === null) return this.startScheduling();
    void this.checkpoints.recover().then(
      () => this.startScheduling(),
      (thrown: unknown) => this.mailbox.post({ kind: 'failJob', error: errorInfo(thrown, 'INTERNAL'), isFinal: true }),
    );
  }

  /** Its newest revision. */
  get jobGraph(): JobGraph {
    return this.core.graph.jobGraph;
  }

  /** Nothing may be started any more. */
  private get isOver(): boolean {
    return this.isClosed || isGloballyTerminal(this.core.graph.status);
  }

  private startScheduling(): void {
    if (this.isOver) return; // Canceled while the state was read.
    this.coordinators.start(null, this.checkpoints.coordinatorSnapshots);
    const strategy = 'org.apache.flink.runtime.scheduler.strategy.PipelinedRegionSchedulingStrategy';
    this.log.info(`Starting scheduling with scheduling strategy [${strategy}]`);
    this.mailbox.post({ kind: 'start' });
  }

  cancel(): void {
    this.mailbox.post({ kind: 'cancel' });
  }

  details(): JobDetails {
    return this.core.graph.details();
  }

  /** Figures of the job's checkpoints, and how they are configured. */
  checkpointDetails(): CheckpointDetails {
    return { statistics: this.checkpoints.statistics(), settings: this.options.checkpoints };
  }

  /** Wall clock of the last change of any state. */
  get lastModificationMs(): number {
    return this.lastChangeMs;
  }

  /** Throws JOB_NOT_FOUND when the job has no such collect sink. */
  collecting(collectId: string): CollectingCoordinator {
    return this.coordinators.collecting(collectId);
  }

  /** Lets go of everything at this process; the tasks are not touched. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.stopTimers();
    this.coordinators.close();
    this.checkpoints.close();
    this.mailbox.close();
    await this.finished;
  }

  slotOffered(slot: PooledSlot): void {
    this.mailbox.post({ kind: 'slotOffered', slot });
  }

  slotLost(allocationId: AllocationId, error: ErrorInfo): void {
    this.log.info(`Releasing slot [${allocationId}] because: ${error.message}`);
    this.mailbox.post({ kind: 'slotLost', allocationId, error });
  }

  executionReported(report: ExecutionReport): void {
    this.mailbox.post({ kind: 'reported', report });
  }

  executionsReported(resourceId: ResourceId, reports: readonly ExecutionReport[]): void {
    const reported = new Set(reports.map(({ attemptId }) => attemptId));
    for (const report of reports) {
      if (this.core.graph.execution(report.attemptId)) this.executionReported(report);
      else if (!isTerminalExecutionState(report.state)) this.call(resourceId, (session) => session.cancelTask(report));
    }
    for (const execution of this.core.graph.executions()) {
      if (execution.location?.resourceId !== resourceId || !isKnownThere(execution) || reported.has(execution.attemptId)) continue;
      const error = errorInfo(
        new ClusterError('TASK_MANAGER_LOST', `TaskManager ${resourceId} does not run ${spellExecution(execution)} any more`),
      );
      this.mailbox.post({ kind: 'attemptLost', attemptId: execution.attemptId, error });
    }
  }

  operatorEvent(event: OperatorEvent): void {
    if (!this.core.graph.execution(event.attemptId)) return;
    if (event.body.kind === 'endOfData') this.checkpoints.endOfData(event.attemptId);
    else this.coordinators.onOperatorEvent(event);
  }

  checkpointAcknowledged(attemptId: ExecutionAttemptId, ack: TaskCheckpointAck): void {
    this.checkpoints.acknowledged(attemptId, ack);
  }

  checkpointDeclined(attemptId: ExecutionAttemptId, checkpointId: number, error: ErrorInfo): void {
    this.checkpoints.declined(attemptId, checkpointId, error);
  }

  private async run(): Promise<void> {
    for await (const event of this.mailbox) {
      for (const effect of this.core.step(event, this.options.ports.clock.nowMs())) this.perform(effect);
    }
  }

  private perform(effect: SchedulerEffect): void {
    const { jobId } = this.jobGraph;
    switch (effect.kind) {
      case 'jobStatus':
        this.logJobStatus(effect);
        this.checkpoints.jobStatusChanged(effect.to);
        return this.savepoints.jobStatusChanged(effect.to);
      case 'executionState':
        this.logExecutionState(effect);
        return effect.to === 'FINISHED' ? this.checkpoints.taskFinished(effect.execution.attemptId) : undefined;
      case 'declareSlots':
        return effect.count > 0 ? this.options.resourceManager.declareSlots(jobId, effect.count) : undefined; // 0: `removeJob` says it.
      case 'returnSlot':
        return this.options.resourceManager.returnSlot(effect.allocationId, 'the job has no use for it');
      case 'startSlotTimer':
        return this.startTimer(this.options.slotRequestTimeoutMs, { kind: 'slotTimerFired', round: effect.round });
      case 'startRestartTimer':
        return this.startTimer(effect.delayMs, { kind: 'restartTimerFired', round: effect.round });
      case 'deploy':
        return this.deploy(effect);
      case 'cancelTask':
        return this.cancelTask(effect.execution);
      case 'subtaskFailed':
        return this.coordinators.onSubtaskFailed(effect.execution.vertex.id, effect.execution.subtaskIndex, effect.error);
      case 'restore':
        return this.restore(effect);
      case 'restarting':
        return this.logRestart(effect.taskCount, effect.failed);
      case 'failureDropped':
        return this.logDroppedFailure(effect);
      case 'terminated':
        return this.terminated();
      case 'fulfilled':
      case 'unfulfilled':
        return; // Answered within the scheduler.
      default:
        return unreachable(effect, 'scheduler effect');
    }
  }

  /** The failure that led here may be that of a damaged checkpoint: then each of its bytes is looked at. */
  private restore({ round, vertices, jobGraph }: Extract<SchedulerEffect, { kind: 'restore' }>): void {
    const [newest] = this.details().failures;
    const isSuspicious = newest !== undefined && [newest, ...newest.concurrent].some(({ error }) => hasCode(error, 'CHECKPOINT_CORRUPT'));
    void this.checkpoints.restore(isSuspicious, jobGraph).then(
      () => {
        if (this.isOver) return;
        this.coordinators.rescale(jobGraph);
        this.coordinators.start(vertices, this.checkpoints.coordinatorSnapshots);
        this.mailbox.post({ kind: 'restored', round });
      },
      (thrown: unknown) => {
        const error = errorInfo(thrown, 'INTERNAL');
        this.mailbox.post({ kind: 'failJob', error, isFinal: NO_WAY_ON.has(error.code) });
      },
    );
  }

  private deploy({ resourceId, tasks }: Extract<SchedulerEffect, { kind: 'deploy' }>): void {
    for (const { execution } of tasks) this.logDeployment(execution);
    const lose = (thrown: unknown): void => {
      const error = errorInfo(deploymentFault(resourceId, thrown), 'TASK_MANAGER_LOST');
      for (const { execution } of tasks) this.mailbox.post({ kind: 'attemptLost', attemptId: execution.attemptId, error });
    };
    this.call(resourceId, (session) => session.deployTasks(this.jobGraph, tasks.map(({ deployment }) => deployment)), lose);
  }

  /** Without an answer nothing is lost: the next report shows the attempt, and it is asked again. */
  private cancelTask({ location, attemptId, generation }: Execution): void {
    const { jobId } = this.jobGraph;
    if (location) this.call(location.resourceId, (session) => session.cancelTask({ jobId, attemptId, generation }));
  }

  private sendToSubtask(
    target: { readonly vertexId: JobVertexId; readonly subtaskIndex: number; readonly nodeId: number }, body: OperatorEventBody,
  ): void {
    const { jobId } = this.jobGraph;
    const { attemptId, generation, location, state } = this.core.graph.executionOf(target.vertexId, target.subtaskIndex);
    if (!location || isTerminalExecutionState(state)) return;
    const { subtaskIndex, nodeId } = target;
    this.call(location.resourceId, (session) => session.sendOperatorEvent({ jobId, generation, attemptId, subtaskIndex, nodeId }, body));
  }

  private call(
    resourceId: ResourceId,
    act: (session: ReturnType<ResourceManager['session']>) => void | Promise<void>,
    onFault?: (thrown: unknown) => void,
  ): void {
    const report = (thrown: unknown): void => this.log.info(`A call to TaskManager ${resourceId} failed: ${errorInfo(thrown).message}`);
    const fault = onFault ?? report;
    try {
      void Promise.resolve(act(this.options.resourceManager.session(resourceId))).catch(fault);
    } catch (thrown) {
      fault(thrown);
    }
  }

  private startTimer(delayMs: number, event: SchedulerEvent): void {
    const timer = this.options.ports.clock.after(delayMs, () => {
      this.timers.delete(timer);
      this.mailbox.post(event);
    });
    this.timers.add(timer);
  }

  private stopTimers(): void {
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
  }

  private terminated(): void {
    this.stopTimers();
    this.coordinators.jobEnded();
    const details = this.details();
    const { resourceManager, sessionId } = this.options;
    const { name, jobId } = this.jobGraph;
    this.log.info(`Close ResourceManager connection ${sessionId.replaceAll('-', '')}: Stopping JobMaster for job '${name}' (${jobId}).`);
    resourceManager.removeJob(jobId);
    this.options.onTerminated(details);
  }

  private logInitialization(strategy: string): void {
    const { name, jobId } = this.jobGraph;
    this.log.info(`Initializing job '${name}' (${jobId}).`);
    this.log.info(`Using restart back off time strategy ${strategy} for ${name} (${jobId}).`);
    this.graphLog.info(`Created execution graph ${this.core.graph.id} for job ${jobId}.`);
    this.log.info(`Running initialization on master for job ${name} (${jobId}).`);
    this.log.info('Successfully ran initialization on master in 0 ms.');
    const regions = this.core.graph.regionCount();
    const topologyLog = this.options.loggers.logger('org.apache.flink.runtime.scheduler.adapter.DefaultExecutionTopology');
    topologyLog.info(`Built ${regions} new pipelined regions in 0 ms, total ${regions} pipelined regions currently.`);
    const { directory, restore, stateBackend } = this.options.checkpoints;
    const isRocksDb = stateBackend === 'rocksdb';
    this.log.info(
      isRocksDb
        ? 'State backend is set to EmbeddedRocksDBStateBackend by state.backend.type'
        : 'No state backend has been configured, using default (HashMap) org.apache.flink.runtime.state.hashmap.HashMapStateBackend',
    );
    const loaded = isRocksDb ? 'EmbeddedRocksDBStateBackend' : 'HashMapStateBackend';
    this.log.info(`State backend loader loads the state backend as ${loaded}`);
    this.log.info(`Checkpoint storage is set to ${directory === null ? "'jobmanager'" : `'filesystem': (checkpoints "${directory}")`}`);
    if (restore === null) this.log.info('No checkpoint found during restore.');
    const failover = 'org.apache.flink.runtime.executiongraph.failover.RestartPipelinedRegionFailoverStrategy';
    this.log.info(`Using failover strategy ${failover}@${this.core.graph.id.slice(0, 8)} for ${name} (${jobId}).`);
  }

  private logJobStatus({ from, to, error }: Extract<SchedulerEffect, { kind: 'jobStatus' }>): void {
    const { name, jobId } = this.jobGraph;
    this.lastChangeMs = this.options.ports.clock.nowMs();
    const text = `Job ${name} (${jobId}) switched from state ${from} to ${to}.`;
    if (error) this.graphLog.warn(text, errorFromInfo(error));
    else this.graphLog.info(text);
    if (isGloballyTerminal(to)) this.log.info(`Stopping checkpoint coordinator for job ${jobId}.`);
  }

  private logExecutionState({ execution, from, to, error }: Extract<SchedulerEffect, { kind: 'executionState' }>): void {
    this.lastChangeMs = this.options.ports.clock.nowMs();
    const text = `${spellExecution(execution)} switched from ${from} to ${to}`;
    if (!error) return this.graphLog.info(`${text}.`);
    const place = execution.location ? ` on ${spellLocation(execution.location)}` : '';
    this.graphLog.warn(`${text}${place}.`, errorFromInfo(error));
  }

  private logDeployment({ vertex, subtaskIndex, attemptNumber, attemptId, location, allocationId }: Execution): void {
    const task = `${vertex.name} (${subtaskIndex + 1}/${vertex.parallelism})`;
    const place = location ? spellLocation(location) : '';
    this.graphLog.info(
      `Deploying ${task} (attempt #${attemptNumber}) with attempt id ${attemptId} and vertex id ${vertex.id}_${subtaskIndex} ` +
        `to ${place} with allocation id ${allocationId ?? ''}`,
    );
  }

  private logRestart(taskCount: number, failed: Execution | null): void {
    const why = failed ? `the failed task ${failed.attemptId}` : 'from a global failure';
    this.log.info(`${taskCount} tasks will be restarted to recover ${why}.`);
  }

  private logDroppedFailure({ count, failure }: Extract<SchedulerEffect, { kind: 'failureDropped' }>): void {
    if (!Number.isInteger(Math.log2(count))) return; // The 1st, 2nd, 4th, 8th, …: a flood must not fill the log as well.
    const more = `${count} more than the ${CONCURRENT_FAILURES_MAX} failures kept`;
    this.log.warn(`${more} came before the job ran again; the last one: ${failure.taskName ?? 'global'}: ${failure.error.message}`);
  }
}

function hasCode(error: ErrorInfo | undefined, code: ErrorCode): boolean {
  return error !== undefined && (error.code === code || hasCode(error.cause, code));
}

/** A TaskManager that is gone is named as such, with the lost call as the cause; what it refused stays as it said it. */
function deploymentFault(resourceId: ResourceId, thrown: unknown): unknown {
  if (!(thrown instanceof ClusterError) || !['CONNECTION_LOST', 'DEADLINE_EXCEEDED'].includes(thrown.code)) return thrown;
  const message = `TaskManager ${resourceId} was lost while tasks were deployed to it: ${thrown.message}`;
  return new ClusterError('TASK_MANAGER_LOST', message, { cause: thrown });
}

/** States in which the TaskManager must report the attempt. While DEPLOYING, the answer to the deployment decides. */
function isKnownThere({ state }: Execution): boolean {
  return state === 'INITIALIZING' || state === 'RUNNING' || state === 'CANCELING';
}
