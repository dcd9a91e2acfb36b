/**
 * TaskExecutor: the shell around slots and tasks, on the TaskManager's main thread. It starts workers, opens
 * channels, hands tasks to slots, and tells the JobManager what becomes of them. User code never runs here.
 */
import { present, unreachable } from '../base/assert.ts';
import { logAt, type Logger, type LoggerSource } from '../base/log.ts';
import type { Ports } from '../base/ports.ts';
import type { ChannelBroker } from '../exchange/contract.ts';
import type { JobGraph } from '../graph/job-graph.ts';
import type { CheckpointOptions } from '../protocol/checkpoint.ts';
import { fromJsonBytes, type RequestOf } from '../protocol/control.ts';
import type { ExecutionReport, OperatorEvent, OperatorEventBody, TaskDeployment, TaskLocation } from '../protocol/deployment.ts';
import { ClusterError, errorFromInfo, errorInfo, type ErrorInfo } from '../protocol/errors.ts';
import type { AllocationId, ExecutionAttemptId, JobId } from '../protocol/ids.ts';
import { isTerminalExecutionState } from '../protocol/states.ts';
import type { SlotReport } from '../protocol/task-manager.ts';
import type { Handlers } from '../rpc/rpc-peer.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { CancellationWatchdog, type CancellationOptions } from './cancellation-watchdog.ts';
import { LocalStates } from './local-states.ts';
import type { ProgramStore } from './program-store.ts';
import type { FromSlot, LocalProgram, SlotHandle, SlotHost } from './slot-protocol.ts';
import { TaskExecutorCore, reportOf, spellTask, type Task, type TaskExecutorEffect, type TaskExecutorEvent } from './task-executor.core.ts';
import { TaskCheckpoints, type TaskCheckpointsOptions } from './task-checkpoints.ts';
import { logSwitch, type TaskLoggers } from './task-log.ts';

/** Where printed text goes: the process's `.out`. */
export interface PrintTarget {
  /** `onWritten` is called once the text has been taken; until then the slot may not print much more. */
  write(stream: 'stdout' | 'stderr', text: string, onWritten: () => void): void;
}

export interface TaskExecutorOptions {
  readonly ports: Ports;
  readonly loggers: LoggerSource;
  readonly slotCount: number;
  readonly slotHost: SlotHost;
  readonly broker: ChannelBroker;
  readonly programs: ProgramStore;
  readonly print: PrintTarget;
  /** Where checkpoints are written. */
  readonly files: FileSystems;
  /** Where this TaskManager's slots are, but for the index. */
  readonly location: Omit<TaskLocation, 'slotIndex'>;
  readonly cancellation: CancellationOptions;
  /** See `LocalStatesOptions`. */
  readonly localStateDirectories: readonly string[];
  readonly toJobManager: {
    taskStateChanged(report: ExecutionReport): void;
    operatorEvent(jobId: JobId, event: OperatorEvent, task: Task): void;
  } & TaskCheckpointsOptions['toJobManager'];
}

/** Events that one event may cause before the first of them is handled. */
const PENDING_MAX = 65_536;

export class TaskExecutor {
  private readonly options: TaskExecutorOptions;
  private readonly core: TaskExecutorCore;
  private readonly checkpoints: TaskCheckpoints;
  private readonly local: LocalStates;
  private readonly slots = new Map<number, SlotHandle>();
  private readonly programs = new Map<JobId, LocalProgram>();
  private readonly watchdog: CancellationWatchdog;
  private readonly pending: TaskExecutorEvent[] = [];
  private readonly log: Logger;
  private readonly jobLeaderLog: Logger;
  private readonly taskLoggers: TaskLoggers;
  private handling = false;
  private closed = false;

  constructor(options: TaskExecutorOptions) {
    const logger = (name: string): Logger => options.loggers.logger(`org.apache.flink.runtime.${name}`);
    this.options = options;
    this.core = new TaskExecutorCore(options.slotCount);
    this.log = logger('taskexecutor.TaskExecutor');
    this.jobLeaderLog = logger('taskexecutor.DefaultJobLeaderService');
    this.local = new LocalStates({ files: options.files, log: this.log, directories: options.localStateDirectories });
    this.checkpoints = new TaskCheckpoints({
      ports: options.ports,
      log: logger('taskmanager.Task'),
      files: options.files,
      local: this.local,
      deploymentOf: (attemptId) => this.liveTask(attemptId)?.deployment ?? null,
      toSlot: (attemptId, message) => {
        const task = this.liveTask(attemptId);
        if (task !== null) this.slots.get(task.slotIndex)?.post(message);
      },
      toJobManager: options.toJobManager,
    });
    this.watchdog = new CancellationWatchdog({
      clock: options.ports.clock,
      log: logger('taskmanager.Task'),
      ...options.cancellation,
      interrupt: (attemptId) => {
        const task = this.liveTask(attemptId);
        if (task) this.askToCancel(task);
      },
      giveUp: (attemptId) => this.apply({ kind: 'cancelTimedOut', attemptId }),
    });
    this.taskLoggers = { executor: this.log, task: logger('taskmanager.Task') };
  }

  /** Starts the slots' workers. */
  start(): void {
    this.apply({ kind: 'started' });
  }

  /** What the JobManager may ask. */
  readonly handlers: Handlers = {
    allocateSlot: (request) => this.allocateSlot(request),
    freeSlot: ({ allocation, reason }) => this.take({ kind: 'freed', allocationId: allocation as AllocationId, reason }),
    deployTasks: (request) => this.deployTasks(request),
    cancelTask: ({ attempt }) => this.take({ kind: 'cancelAsked', attemptId: attempt as ExecutionAttemptId }),
    releaseJob: ({ job }) => this.take({ kind: 'jobReleased', jobId: job as JobId }),
    operatorEvent: (request) => this.operatorEvent(request),
    triggerCheckpoint: (request) => this.triggerCheckpoint(request),
    notifyCheckpointComplete: (request) => {
      return this.tellTasks(request, (attemptId) => this.checkpoints.complete(attemptId, request.checkpointId));
    },
    notifyCheckpointAborted: (request) => {
      return this.tellTasks(request, (attemptId) => this.checkpoints.abort(attemptId, request.checkpointId));
    },
  };

  slotReports(): readonly SlotReport[] {
    return this.core.slotReports();
  }

  executionReports(): readonly ExecutionReport[] {
    return this.core.allTasks().map((task) => this.report(task));
  }

  /** Stops all workers. Nothing is reported any more. */
  async close(): Promise<void> {
    this.closed = true;
    this.watchdog.close();
    await Promise.all([...this.slots.values()].map((slot) => slot.terminate()));
    this.slots.clear();
  }

  private allocateSlot({ job, allocation, slotIndex }: RequestOf<'allocateSlot'>): Record<never, never> {
    const [jobId, allocationId] = [job as JobId, allocation as AllocationId];
    this.log.info(`Receive slot request ${allocationId} for job ${jobId} from resource manager.`);
    const refusal = this.core.refusal(slotIndex, allocationId);
    if (refusal !== null) throw new ClusterError('SLOT_LOST', refusal);
    this.log.info(`Allocated slot for ${allocationId}.`);
    if (!this.core.slotReports().some((slot) => slot.jobId === jobId)) this.logJobLeader(jobId);
    this.log.info(`Offer reserved slots to the leader of job ${jobId}.`);
    this.log.info(`Activate slot ${allocationId}.`);
    return this.take({ kind: 'allocated', jobId, allocationId, slotIndex });
  }

  /** Unlike Flink: the one connection to the JobManager serves all its jobs, so there is nothing to resolve or register at. */
  private logJobLeader(jobId: JobId): void {
    this.jobLeaderLog.info(`Add job ${jobId} for job leader monitoring.`);
    this.log.info(`Establish JobManager connection for job ${jobId}.`);
  }

  private deployTasks({ jobGraphJson, deploymentsJson }: RequestOf<'deployTasks'>): Record<never, never> {
    return this.take({
      kind: 'deployed',
      jobGraph: fromJsonBytes<JobGraph>(jobGraphJson),
      deployments: fromJsonBytes<TaskDeployment[]>(deploymentsJson),
    });
  }

  /** Dropped when the task is over: its coordinator has heard, or will. */
  private operatorEvent({ attempt, nodeId, bodyJson }: RequestOf<'operatorEvent'>): Record<never, never> {
    const task = this.liveTask(attempt as ExecutionAttemptId);
    if (task !== null) {
      const body = fromJsonBytes<OperatorEventBody>(bodyJson);
      this.slots.get(task.slotIndex)?.post({ kind: 'operatorEvent', attemptId: task.deployment.attemptId, nodeId, body });
    }
    return {};
  }

  /** Throws CHECKPOINT_FAILED when the task is not running. */
  private triggerCheckpoint(request: RequestOf<'triggerCheckpoint'>): Record<never, never> {
    const { attempt, generation, checkpointId, timestampMs, optionsJson } = request;
    const task = this.liveTask(attempt as ExecutionAttemptId);
    if (task?.state !== 'RUNNING' || task.deployment.generation !== generation) {
      throw new ClusterError('CHECKPOINT_FAILED', `checkpoint ${checkpointId}: task ${attempt} is not running here`);
    }
    this.checkpoints.trigger(task.deployment.attemptId, checkpointId, timestampMs, fromJsonBytes<CheckpointOptions>(optionsJson));
    return {};
  }

  /** A task of a later generation than the sender knows of has begun without its checkpoints. */
  private tellTasks(
    { job, generation }: Pick<RequestOf<'notifyCheckpointComplete'>, 'job' | 'generation'>, tell: (attemptId: ExecutionAttemptId) => void,
  ): Record<never, never> {
    for (const { deployment, state } of this.core.allTasks()) {
      const isMeant = deployment.jobId === job && deployment.generation <= generation && !isTerminalExecutionState(state);
      if (isMeant) tell(deployment.attemptId);
    }
    return {};
  }

  /** Null when it is over, or not here. */
  private liveTask(attemptId: ExecutionAttemptId): Task | null {
    const task = this.core.task(attemptId);
    return task && !isTerminalExecutionState(task.state) ? task : null;
  }

  private take(event: TaskExecutorEvent): Record<never, never> {
    this.apply(event);
    return {};
  }

  /** One event at a time: what an effect causes at once waits for its turn. */
  private apply(event: TaskExecutorEvent): void {
    if (this.closed) return;
    this.pending.push(event);
    if (this.pending.length > PENDING_MAX) throw new ClusterError('OVERLOADED', 'the TaskExecutor cannot keep up with its events');
    if (this.handling) return;
    this.handling = true;
    try {
      for (let next = this.pending.shift(); next; next = this.pending.shift()) {
        for (const effect of this.core.step(next)) this.perform(effect);
      }
    } finally {
      this.handling = false;
    }
  }

  private perform(effect: TaskExecutorEffect): void {
    switch (effect.kind) {
      case 'startWorker':
        return this.startWorker(effect.slotIndex, effect.worker);
      case 'stopWorker':
        return this.stopWorker(effect.slotIndex);
      case 'fetchProgram':
        return this.fetchProgram(effect);
      case 'forgetProgram':
        this.local.releaseJob(effect.jobId);
        return void this.programs.delete(effect.jobId);
      case 'launch':
        return this.launch(effect.task);
      case 'cancelInSlot':
        this.askToCancel(effect.task);
        return this.watchdog.start(effect.task.deployment.attemptId, spellTask(effect.task));
      case 'releaseChannels':
        return this.options.broker.release(effect.attemptId, effect.cause);
      case 'switched':
        return this.switched(effect);
      case 'slotFreed':
        return this.slotFreed(effect);
      default:
        return unreachable(effect, 'task executor effect');
    }
  }

  private startWorker(slotIndex: number, worker: number): void {
    const handle = this.options.slotHost.start(slotIndex, {
      onMessage: (message) => {
        if (this.core.isCurrent(slotIndex, worker)) this.fromSlot(slotIndex, worker, message);
      },
      onExit: (error) => this.workerExited(slotIndex, worker, error),
    });
    this.slots.set(slotIndex, handle);
    if (handle.doorbell) this.options.broker.addSlot(slotIndex, handle.doorbell);
  }

  private stopWorker(slotIndex: number): void {
    const stopping = this.slots.get(slotIndex)?.terminate();
    this.slots.delete(slotIndex);
    void stopping?.catch((thrown: unknown) => this.log.warn(`Stopping the worker of slot ${slotIndex} failed.`, thrown));
  }

  private workerExited(slotIndex: number, worker: number, error: ErrorInfo): void {
    if (this.core.isCurrent(slotIndex, worker)) {
      this.log.error(`The worker of slot ${slotIndex} ended; it is replaced.`, errorFromInfo(error));
    }
    this.apply({ kind: 'workerExited', slotIndex, worker, error });
  }

  private fromSlot(slotIndex: number, worker: number, message: FromSlot): void {
    switch (message.kind) {
      case 'ready':
        this.options.broker.addSlot(slotIndex, message.doorbell);
        return this.apply({ kind: 'workerReady', slotIndex, worker });
      case 'state': {
        const { attemptId, state, error, metrics, accumulators } = message;
        return this.apply({ kind: 'taskState', attemptId, state, error, figures: { metrics, accumulators } });
      }
      case 'metrics':
        return this.apply({
          kind: 'taskFigures',
          attemptId: message.attemptId,
          figures: { metrics: message.metrics, accumulators: message.accumulators },
        });
      case 'operatorEvent':
        return this.forwardOperatorEvent(message.jobId, message.event);
      case 'checkpointBytes':
      case 'checkpointAck':
      case 'checkpointDecline':
        return this.checkpoints.onMessage(message.attemptId, message);
      case 'print':
        return this.print(slotIndex, worker, message);
      case 'log':
        return this.forwardLog(message);
      default:
        return unreachable(message, 'message of a slot');
    }
  }

  private forwardOperatorEvent(jobId: JobId, event: OperatorEvent): void {
    const task = this.core.task(event.attemptId);
    if (task) this.options.toJobManager.operatorEvent(jobId, event, task);
  }

  private print(slotIndex: number, worker: number, { stream, text }: Extract<FromSlot, { kind: 'print' }>): void {
    const bytes = Buffer.byteLength(text);
    this.options.print.write(stream, text, () => {
      if (this.core.isCurrent(slotIndex, worker)) this.slots.get(slotIndex)?.post({ kind: 'printed', bytes });
    });
  }

  private forwardLog({ level, logger, message }: Extract<FromSlot, { kind: 'log' }>): void {
    logAt(this.options.loggers.logger(logger), level, message);
  }

  private fetchProgram({ jobId, program }: Extract<TaskExecutorEffect, { kind: 'fetchProgram' }>): void {
    void this.options.programs.load(program).then(
      (local) => {
        this.programs.set(jobId, local);
        this.apply({ kind: 'programReady', jobId });
      },
      (thrown: unknown) => this.apply({ kind: 'programFailed', jobId, error: errorInfo(thrown, 'ARTIFACT_NOT_FOUND') }),
    );
  }

  private launch(task: Task): void {
    const { deployment, jobGraph, slotIndex } = task;
    const { broker, location } = this.options;
    const own = { ...location, slotIndex };
    const { generation } = deployment;
    try {
      const outputs = deployment.outputs.map(({ channels }) => channels.map((channel) => broker.openOutput(channel, generation, own)));
      const inputs = deployment.inputs.map(({ channels }) => channels.map((channel) => broker.openInput(channel, generation, own)));
      const program = present(this.programs.get(deployment.jobId), 'a program is loaded before its tasks are launched');
      const localStateDirectories = this.local.directoriesOf(deployment.jobId);
      this.slots.get(slotIndex)?.post({ kind: 'deploy', task: { deployment, jobGraph, program, localStateDirectories, outputs, inputs } });
    } catch (thrown) {
      this.apply({ kind: 'launchFailed', attemptId: deployment.attemptId, error: errorInfo(thrown, 'INTERNAL') });
    }
  }

  private askToCancel({ deployment: { attemptId }, slotIndex }: Task): void {
    this.slots.get(slotIndex)?.post({ kind: 'cancel', attemptId });
  }

  private switched({ task, from, to }: Extract<TaskExecutorEffect, { kind: 'switched' }>): void {
    const { attemptId } = task.deployment;
    logSwitch(this.taskLoggers, { task, from, to });
    if (isTerminalExecutionState(to)) {
      this.checkpoints.end(attemptId);
      this.watchdog.end(attemptId);
    }
    if (to !== 'DEPLOYING') this.options.toJobManager.taskStateChanged(this.report(task));
  }

  private slotFreed({ slotIndex, allocationId, jobId }: Extract<TaskExecutorEffect, { kind: 'slotFreed' }>): void {
    this.log.info(`Free slot TaskSlot(index:${slotIndex}, state:ACTIVE, allocationId: ${allocationId}, jobId: ${jobId}).`);
    if (this.core.slotReports().some((slot) => slot.jobId === jobId)) return;
    this.jobLeaderLog.info(`Remove job ${jobId} from job leader monitoring.`);
    this.log.info(`Close JobManager connection for job ${jobId}.`);
  }

  private report(task: Task): ExecutionReport {
    const { attemptId } = task.deployment;
    const connectedChannels = this.options.broker.connectedChannels(attemptId);
    return reportOf(task, { connectedChannels, checkpoints: this.checkpoints.report(attemptId) });
  }
}
