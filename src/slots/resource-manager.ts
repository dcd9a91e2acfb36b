/**
 * ResourceManager: the shell around the slot manager. It holds the sessions of all TaskManagers, routes what
 * they report to the JobMasters, and carries the JobMasters' calls to them.
 *
 * A TaskManager whose connection breaks has `RECONNECT_GRACE_MS` to dial again with its report; only then,
 * or when it falls silent or says goodbye, are its slots lost.
 */
import { Mailbox } from '../base/mailbox.ts';
import { unreachable } from '../base/assert.ts';
import type { Logger, LoggerSource } from '../base/log.ts';
import type { Ports, Timer } from '../base/ports.ts';
import type { TaskCheckpointAck } from '../protocol/checkpoint.ts';
import type { ExecutionReport, OperatorEvent } from '../protocol/deployment.ts';
import { ClusterError, errorInfo, type ErrorInfo } from '../protocol/errors.ts';
import { newId, type AllocationId, type ExecutionAttemptId, type InstanceId, type JobId, type ResourceId } from '../protocol/ids.ts';
import {
  NO_TASK_MANAGER_METRICS,
  type SlotReport,
  type TaskManagerDescription,
  type TaskManagerMetrics,
} from '../protocol/task-manager.ts';
import { isTerminalExecutionState } from '../protocol/states.ts';
import type { Term } from '../protocol/term.ts';
import type { HeartbeatOptions } from '../rpc/heartbeat.core.ts';
import type { Connection } from '../rpc/transport.ts';
import { SlotManagerCore, type SlotManagerEffect, type SlotManagerEvent } from './slot-manager.core.ts';
import type { PooledSlot } from './slot-pool.core.ts';
import type { TaskManagerDetails } from './task-manager-details.ts';
import {
  TaskManagerSession,
  type ArtifactReader,
  type Registration,
  type SessionEnd,
  type SessionListener,
} from './task-manager-session.ts';

/** A JobMaster as the ResourceManager sees it. Every call is a message: it must return at once. */
export interface JobListener {
  /** `<id of the leader>@<RPC address>`, for the log. */
  readonly address: string;
  slotOffered(slot: PooledSlot): void;
  slotLost(allocationId: AllocationId, error: ErrorInfo): void;
  /** One attempt changed state. */
  executionReported(report: ExecutionReport): void;
  /** Everything that a TaskManager runs of this job: what is missing is lost, what is unknown must stop. */
  executionsReported(resourceId: ResourceId, reports: readonly ExecutionReport[]): void;
  operatorEvent(event: OperatorEvent): void;
  checkpointAcknowledged(attemptId: ExecutionAttemptId, ack: TaskCheckpointAck): void;
  checkpointDeclined(attemptId: ExecutionAttemptId, checkpointId: number, error: ErrorInfo): void;
}

export interface ResourceManagerOptions {
  readonly ports: Ports;
  readonly loggers: LoggerSource;
  readonly term: Term;
  readonly heartbeat: HeartbeatOptions;
  readonly callTimeoutMs: number;
  readonly evenlySpreadOut: boolean;
  readonly readArtifact: ArtifactReader;
}

/** How long a TaskManager whose connection broke may take to dial again before its slots are lost. */
const RECONNECT_GRACE_MS = 500;
const MAILBOX_CAPACITY = 65_536;

interface TaskManager {
  readonly description: TaskManagerDescription;
  readonly instanceId: InstanceId;
  session: TaskManagerSession | null;
  grace: Timer | null;
  lastHeartbeatMs: number;
  metrics: TaskManagerMetrics;
}

export class ResourceManager implements SessionListener {
  private readonly options: ResourceManagerOptions;
  private readonly core: SlotManagerCore;
  private readonly mailbox = new Mailbox<SlotManagerEvent>(MAILBOX_CAPACITY);
  private readonly taskManagersById = new Map<ResourceId, TaskManager>();
  private readonly sessions = new Set<TaskManagerSession>();
  private readonly jobs = new Map<JobId, JobListener>();
  private readonly id: string;
  private readonly log: Logger;
  private readonly slotLog: Logger;
  private readonly done: Promise<void>;

  constructor(options: ResourceManagerOptions) {
    const { random } = options.ports;
    this.options = options;
    this.id = random.hex(16);
    this.log = options.loggers.logger('org.apache.flink.runtime.resourcemanager.StandaloneResourceManager');
    this.slotLog = options.loggers.logger('org.apache.flink.runtime.resourcemanager.slotmanager.FineGrainedSlotManager');
    this.core = new SlotManagerCore({ nextAllocationId: () => newId<AllocationId>(random), evenlySpreadOut: options.evenlySpreadOut });
    this.done = this.run();
  }

  /** Takes a connection that a TaskManager dialled. */
  accept(connection: Connection): void {
    const { ports, term, heartbeat, callTimeoutMs, readArtifact } = this.options;
    this.sessions.add(
      new TaskManagerSession({
        connection,
        clock: ports.clock,
        log: this.log,
        term,
        heartbeat,
        callTimeoutMs,
        readArtifact,
        resourceManagerId: this.id,
        listener: this,
      }),
    );
  }

  /** From now on the job is told about its slots and executions. */
  addJob(jobId: JobId, listener: JobListener): void {
    this.log.info(`Registering job manager ${listener.address} for job ${jobId}.`);
    this.jobs.set(jobId, listener);
    this.log.info(`Registered job manager ${listener.address} for job ${jobId}.`);
  }

  /** The job is over: frees what it holds and lets the TaskManagers forget it. */
  removeJob(jobId: JobId): void {
    const address = this.jobs.get(jobId)?.address;
    this.log.info(`Disconnect job manager ${address} for job ${jobId} from the resource manager.`);
    this.jobs.delete(jobId);
    this.declareSlots(jobId, 0);
    for (const { session } of this.taskManagersById.values()) session?.releaseJob(jobId);
  }

  declareSlots(jobId: JobId, count: number): void {
    if (count > 0) {
      const requirement = `ResourceRequirement{resourceProfile=ResourceProfile{UNKNOWN}, numberOfRequiredSlots=${count}}`;
      this.slotLog.info(`Received resource requirements from job ${jobId}: [${requirement}]`);
    } else {
      this.slotLog.info(`Clearing resource requirements of job ${jobId}`);
    }
    this.mailbox.post({ kind: 'declared', jobId, count });
  }

  returnSlot(allocationId: AllocationId, reason: string): void {
    this.mailbox.post({ kind: 'returned', allocationId, reason });
  }

  /** For calls to a TaskManager. Throws TASK_MANAGER_LOST when it is out of touch. */
  session(resourceId: ResourceId): TaskManagerSession {
    const session = this.taskManagersById.get(resourceId)?.session;
    if (!session) throw new ClusterError('TASK_MANAGER_LOST', `TaskManager ${resourceId} is not connected`);
    return session;
  }

  /** By resource id. */
  taskManagers(): readonly TaskManagerDetails[] {
    const ids = [...this.taskManagersById.keys()].toSorted();
    return ids.map((id) => this.taskManager(id)).filter((details) => details !== null);
  }

  taskManager(resourceId: ResourceId): TaskManagerDetails | null {
    const found = this.taskManagersById.get(resourceId);
    if (!found) return null;
    const slots = this.core.slotsOf(resourceId) ?? [];
    const { description, instanceId, lastHeartbeatMs, metrics } = found;
    return { description, instanceId, lastHeartbeatMs, metrics, slots, freeSlotCount: slots.filter(({ jobId }) => jobId === null).length };
  }

  get freeSlotCount(): number {
    return this.core.freeCount;
  }

  async close(): Promise<void> {
    for (const { grace } of this.taskManagersById.values()) grace?.cancel();
    for (const session of this.sessions) session.close('the JobManager is stopping');
    this.taskManagersById.clear();
    this.mailbox.close();
    await this.done;
  }

  registered(session: TaskManagerSession, { description, slots, executions }: Registration): InstanceId {
    const { resourceId, host, rpcPort } = description;
    const before = this.taskManagersById.get(resourceId);
    before?.grace?.cancel();
    if (before?.session && before.session !== session) before.session.close('the TaskManager registered anew');
    const instanceId = newId<InstanceId>(this.options.ports.random);
    this.log.info(
      `Registering TaskManager with ResourceID ${resourceId} (pekko.tcp://flink@${host}:${rpcPort}/user/rpc/taskmanager_0) at ResourceManager`,
    );
    this.slotLog.info(`Registering task executor ${resourceId} under ${instanceId} at the slot manager.`);
    const lastHeartbeatMs = this.options.ports.clock.nowMs();
    this.taskManagersById.set(
      resourceId, { description, instanceId, session, grace: null, lastHeartbeatMs, metrics: NO_TASK_MANAGER_METRICS },
    );
    this.mailbox.post({ kind: 'registered', description, instanceId, slots });
    this.routeExecutions(session, executions);
    return instanceId;
  }

  heartbeat(
    session: TaskManagerSession, slots: readonly SlotReport[], executions: readonly ExecutionReport[], metrics: TaskManagerMetrics,
  ): void {
    const taskManager = this.taskManagersById.get(session.resourceId);
    if (taskManager?.session !== session) return;
    taskManager.lastHeartbeatMs = this.options.ports.clock.nowMs();
    taskManager.metrics = metrics;
    this.mailbox.post({ kind: 'reported', resourceId: session.resourceId, slots });
    this.routeExecutions(session, executions);
  }

  executionReported(_session: TaskManagerSession, report: ExecutionReport): void {
    this.jobs.get(report.jobId)?.executionReported(report);
  }

  operatorEvent(_session: TaskManagerSession, jobId: JobId, event: OperatorEvent): void {
    this.jobs.get(jobId)?.operatorEvent(event);
  }

  checkpointAcknowledged(jobId: JobId, attemptId: ExecutionAttemptId, ack: TaskCheckpointAck): void {
    this.jobs.get(jobId)?.checkpointAcknowledged(attemptId, ack);
  }

  checkpointDeclined(jobId: JobId, attemptId: ExecutionAttemptId, checkpointId: number, error: ErrorInfo): void {
    this.jobs.get(jobId)?.checkpointDeclined(attemptId, checkpointId, error);
  }

  ended(session: TaskManagerSession, reason: string, end: SessionEnd): void {
    this.sessions.delete(session);
    const taskManager = this.taskManagersById.get(session.resourceId);
    if (taskManager?.session !== session) return; // Replaced, or this ResourceManager is closing.
    taskManager.session = null;
    if (end === 'connectionLost') {
      taskManager.grace = this.options.ports.clock.after(RECONNECT_GRACE_MS, () => this.lose(session.resourceId, reason, end));
    } else {
      this.lose(session.resourceId, reason, end);
    }
  }

  /** Every job learns what this TaskManager runs of it; what belongs to no job is stopped there. */
  private routeExecutions(session: TaskManagerSession, executions: readonly ExecutionReport[]): void {
    for (const [jobId, listener] of this.jobs) {
      listener.executionsReported(session.resourceId, executions.filter((report) => report.jobId === jobId));
    }
    const unknown = executions.filter(({ jobId }) => !this.jobs.has(jobId));
    const alive = unknown.filter(({ state }) => !isTerminalExecutionState(state));
    for (const report of alive) {
      void session.cancelTask(report).catch((thrown: unknown) => this.log.warn(`Canceling ${report.attemptId} failed.`, thrown));
    }
    for (const jobId of new Set(unknown.map((report) => report.jobId))) session.releaseJob(jobId);
  }

  private lose(resourceId: ResourceId, reason: string, end: SessionEnd): void {
    const text = {
      timedOut: `The heartbeat of TaskManager with id ${resourceId} timed out.`,
      connectionLost: `TaskManager with id ${resourceId} is no longer reachable.`,
      disconnected: `The TaskExecutor ${resourceId} is shutting down.`,
    }[end];
    this.log.info(text);
    this.log.info(`Closing TaskExecutor connection ${resourceId} because: ${text}`);
    this.taskManagersById.delete(resourceId);
    const error = errorInfo(new ClusterError('TASK_MANAGER_LOST', `${text} (${reason})`));
    this.mailbox.post({ kind: 'unregistered', resourceId, error: { ...error, stack: '' } });
  }

  private async run(): Promise<void> {
    for await (const event of this.mailbox) for (const effect of this.core.step(event)) this.perform(effect);
  }

  private perform(effect: SlotManagerEffect): void {
    switch (effect.kind) {
      case 'allocateSlot':
        return this.answer(
          () => this.session(effect.resourceId).allocateSlot(effect),
          (error) => ({ kind: 'answered', allocationId: effect.allocationId, error }),
        );
      case 'freeSlot':
        return this.answer(
          () => this.session(effect.resourceId).freeSlot(effect.jobId, effect.allocationId, effect.reason),
          (error) => ({ kind: 'freed', allocationId: effect.allocationId, error }),
        );
      case 'slotOffered':
        return this.offer(effect.jobId, { allocationId: effect.allocationId, location: effect.location });
      case 'slotLost':
        return this.jobs.get(effect.jobId)?.slotLost(effect.allocationId, effect.error);
      case 'shortage':
        return this.slotLog.warn(
          `Could not fulfill resource requirements of job ${effect.jobId}. Free slots: ${effect.needed - effect.available} more needed, ${effect.available} of ${effect.needed} allocated.`,
        );
      default:
        return unreachable(effect, 'slot manager effect');
    }
  }

  private offer(jobId: JobId, slot: PooledSlot): void {
    const job = this.jobs.get(jobId);
    if (job) job.slotOffered(slot);
    else this.returnSlot(slot.allocationId, 'the job is over');
  }

  /** Performs a call and posts its outcome. */
  private answer(call: () => Promise<void>, event: (error: ErrorInfo | null) => SlotManagerEvent): void {
    void Promise.resolve()
      .then(call)
      .then(
        () => this.mailbox.post(event(null)),
        (thrown: unknown) => this.mailbox.post(event(errorInfo(thrown, 'SLOT_LOST'))),
      );
  }
}
