/**
 * One connection of a TaskManager, at the JobManager: its registration, its heartbeats, and the calls that
 * go out to it. A TaskManager that dials again gets a new session; the old one is closed.
 */
import type { Logger } from '../base/log.ts';
import type { Clock, Timer } from '../base/ports.ts';
import type { JobGraph } from '../graph/job-graph.ts';
import type { CheckpointOptions, TaskCheckpointAck } from '../protocol/checkpoint.ts';
import { jsonBytes, type RequestOf, type ResponseOf } from '../protocol/control.ts';
import type { ExecutionReport, OperatorEvent, OperatorEventBody, TaskDeployment } from '../protocol/deployment.ts';
import { ClusterError, type ErrorInfo } from '../protocol/errors.ts';
import type { AllocationId, ArtifactId, ExecutionAttemptId, Generation, InstanceId, JobId, ResourceId } from '../protocol/ids.ts';
import {
  parseAck, parseDescription, parseError, parseExecution, parseExecutions, parseProcessMetrics, parseReaderEvent, parseSlots,
} from '../protocol/report-shapes.ts';
import type { SlotReport, TaskManagerDescription, TaskManagerMetrics } from '../protocol/task-manager.ts';
import type { Term } from '../protocol/term.ts';
import { LeaderFence } from '../rpc/fencing.core.ts';
import { HeartbeatCore, type HeartbeatOptions } from '../rpc/heartbeat.core.ts';
import { RpcPeer } from '../rpc/rpc-peer.ts';
import type { Connection } from '../rpc/transport.ts';

/** Reads a piece of a stored artifact. Throws ARTIFACT_NOT_FOUND. */
export type ArtifactReader = (
  artifactId: ArtifactId,
  offset: number,
  sizeMax: number,
) => Promise<{ readonly data: Uint8Array; readonly totalSize: number }>;

/** What a TaskManager says when it registers. */
export interface Registration {
  readonly description: TaskManagerDescription;
  readonly slots: readonly SlotReport[];
  readonly executions: readonly ExecutionReport[];
}

/** Told by a session. */
export interface SessionListener {
  registered(session: TaskManagerSession, registration: Registration): InstanceId;
  heartbeat(
    session: TaskManagerSession, slots: readonly SlotReport[], executions: readonly ExecutionReport[], metrics: TaskManagerMetrics,
  ): void;
  executionReported(session: TaskManagerSession, report: ExecutionReport): void;
  operatorEvent(session: TaskManagerSession, jobId: JobId, event: OperatorEvent): void;
  checkpointAcknowledged(jobId: JobId, attemptId: ExecutionAttemptId, ack: TaskCheckpointAck): void;
  checkpointDeclined(jobId: JobId, attemptId: ExecutionAttemptId, checkpointId: number, error: ErrorInfo): void;
  /** Once, for a session that had registered. */
  ended(session: TaskManagerSession, reason: string, end: SessionEnd): void;
}

/** How a session ended: said goodbye, fell silent, or lost its connection and may dial again. */
export type SessionEnd = 'disconnected' | 'timedOut' | 'connectionLost';

export interface SessionOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly log: Logger;
  readonly term: Term;
  readonly heartbeat: HeartbeatOptions;
  /** Deadline of every call to the TaskManager. Flink: `pekko.ask.timeout`. */
  readonly callTimeoutMs: number;
  readonly resourceManagerId: string;
  readonly readArtifact: ArtifactReader;
  readonly listener: SessionListener;
}

/** A connection that has not registered after this long is closed. */
const REGISTRATION_WAIT_MS = 10_000;
/** Bound of one artifact chunk, whatever is asked for. */
const CHUNK_SIZE_BYTES_MAX = 1024 * 1024;

export class TaskManagerSession {
  /** Empty until registered. */
  resourceId = '' as ResourceId;
  private readonly options: SessionOptions;
  private readonly peer: RpcPeer;
  private readonly heartbeat: HeartbeatCore;
  private readonly timers: Timer[];
  private end: SessionEnd = 'connectionLost';

  constructor(options: SessionOptions) {
    const { clock, heartbeat } = options;
    this.options = options;
    this.heartbeat = new HeartbeatCore(heartbeat, clock.monotonicMs());
    this.timers = [clock.every(heartbeat.intervalMs, () => this.tick()), clock.after(
      REGISTRATION_WAIT_MS, () => this.expectRegistration(),
    )];
    this.peer = new RpcPeer({
      connection: options.connection,
      clock,
      log: options.log,
      fence: new LeaderFence(options.term),
      onHeard: () => this.heartbeat.heard(clock.monotonicMs()),
      onClose: (reason) => this.closed(reason),
      handlers: {
        registerTaskManager: (request) => this.register(request),
        heartbeat: (request) => this.takeHeartbeat(request),
        taskStateChanged: ({ reportJson }) => acked(() => options.listener.executionReported(this, parseExecution(reportJson))),
        operatorEvent: (request) => acked(() => this.takeOperatorEvent(request)),
        acknowledgeCheckpoint: (request) => acked(() => this.takeAck(request)),
        declineCheckpoint: ({ job, attempt, checkpointId, errorJson }) => acked(() => {
          options.listener.checkpointDeclined(job as JobId, attempt as ExecutionAttemptId, checkpointId, parseError(errorJson));
        }),
        fetchArtifact: (request) => this.fetchArtifact(request),
        disconnect: ({ reason }) => acked(() => this.disconnect(reason)),
      },
    });
  }

  async allocateSlot(request: { readonly jobId: JobId; readonly allocationId: AllocationId; readonly slotIndex: number }): Promise<void> {
    const { jobId, allocationId, slotIndex } = request;
    await this.peer.call('allocateSlot', { job: jobId, allocation: allocationId, slotIndex }, this.options.callTimeoutMs);
  }

  async freeSlot(jobId: JobId, allocationId: AllocationId, reason: string): Promise<void> {
    await this.peer.call('freeSlot', { job: jobId, allocation: allocationId, reason }, this.options.callTimeoutMs);
  }

  /** Resolves once the TaskManager has taken the tasks; how they fare is reported per attempt. */
  async deployTasks(jobGraph: JobGraph, deployments: readonly TaskDeployment[]): Promise<void> {
    const generation = Math.max(...deployments.map((deployment) => deployment.generation));
    const request = { job: jobGraph.jobId, generation, jobGraphJson: jsonBytes(jobGraph), deploymentsJson: jsonBytes(deployments) };
    await this.peer.call('deployTasks', request, this.options.callTimeoutMs);
  }

  async cancelTask(
    task: { readonly jobId: JobId; readonly generation: Generation; readonly attemptId: ExecutionAttemptId },
  ): Promise<void> {
    await this.peer.call(
      'cancelTask', { job: task.jobId, generation: task.generation, attempt: task.attemptId }, this.options.callTimeoutMs,
    );
  }

  async triggerCheckpoint(
    task: { readonly jobId: JobId; readonly generation: Generation; readonly attemptId: ExecutionAttemptId },
    checkpoint: { readonly checkpointId: number; readonly timestampMs: number; readonly options: CheckpointOptions },
  ): Promise<void> {
    const { checkpointId, timestampMs } = checkpoint;
    await this.peer.call('triggerCheckpoint', {
      job: task.jobId, generation: task.generation, attempt: task.attemptId, checkpointId, timestampMs,
      optionsJson: jsonBytes(checkpoint.options),
    }, this.options.callTimeoutMs);
  }

  async notifyCheckpointComplete(jobId: JobId, generation: Generation, checkpointId: number): Promise<void> {
    await this.peer.call('notifyCheckpointComplete', { job: jobId, generation, checkpointId }, this.options.callTimeoutMs);
  }

  async notifyCheckpointAborted(jobId: JobId, generation: Generation, ids: AbortedCheckpoint): Promise<void> {
    await this.peer.call('notifyCheckpointAborted', { job: jobId, generation, ...ids }, this.options.callTimeoutMs);
  }

  releaseJob(jobId: JobId): void {
    this.peer.notify('releaseJob', { job: jobId });
  }

  sendOperatorEvent(task: OperatorEventTarget, body: OperatorEventBody): void {
    const { jobId, generation, attemptId, subtaskIndex, nodeId } = task;
    this.peer.notify('operatorEvent', { job: jobId, generation, attempt: attemptId, subtaskIndex, nodeId, bodyJson: jsonBytes(body) });
  }

  /** Tells the TaskManager why before it closes. */
  close(reason: string): void {
    this.peer.notify('disconnect', { reason });
    this.peer.close(reason);
  }

  private register(request: RequestOf<'registerTaskManager'>): ResponseOf<'registerTaskManager'> {
    const { options } = this;
    if (request.highestEpoch > options.term.epoch) {
      throw new ClusterError('FENCED', `the TaskManager obeys epoch ${request.highestEpoch}; this leader's is ${options.term.epoch}`);
    }
    const registration = {
      description: parseDescription(request.descriptionJson),
      slots: parseSlots(request.slotsJson),
      executions: parseExecutions(request.executionsJson),
    };
    this.resourceId = registration.description.resourceId;
    const instanceId = options.listener.registered(this, registration);
    const { intervalMs, timeoutMs } = options.heartbeat;
    return { instanceId, resourceManagerId: options.resourceManagerId, heartbeatIntervalMs: intervalMs, heartbeatTimeoutMs: timeoutMs };
  }

  private takeHeartbeat({ slotsJson, executionsJson, metricsJson }: RequestOf<'heartbeat'>): ResponseOf<'heartbeat'> {
    return acked(() => {
      if (this.resourceId === '') return;
      const [slots, executions, metrics] = [parseSlots(slotsJson), parseExecutions(executionsJson), parseProcessMetrics(metricsJson)];
      this.options.listener.heartbeat(this, slots, executions, metrics);
    });
  }

  private takeOperatorEvent(request: RequestOf<'operatorEvent'>): void {
    const event = {
      attemptId: request.attempt as ExecutionAttemptId,
      subtaskIndex: request.subtaskIndex,
      nodeId: request.nodeId,
      body: parseReaderEvent(request.bodyJson),
    };
    this.options.listener.operatorEvent(this, request.job as JobId, event);
  }

  private takeAck({ job, attempt, ackJson }: RequestOf<'acknowledgeCheckpoint'>): void {
    const ack = parseAck(ackJson);
    this.options.listener.checkpointAcknowledged(job as JobId, attempt as ExecutionAttemptId, ack);
  }

  private fetchArtifact({ artifact, offset, sizeMax }: RequestOf<'fetchArtifact'>): Promise<ResponseOf<'fetchArtifact'>> {
    if (!Number.isSafeInteger(offset) || offset < 0) throw new ClusterError('BAD_REQUEST', `fetchArtifact: offset ${offset}`);
    return this.options.readArtifact(artifact as ArtifactId, offset, Math.min(sizeMax, CHUNK_SIZE_BYTES_MAX));
  }

  private tick(): void {
    if (this.heartbeat.tick(this.options.clock.monotonicMs()) === 'timedOut') {
      this.end = 'timedOut';
      this.peer.close('heartbeat timed out');
    } else if (this.resourceId !== '') {
      this.peer.notify('heartbeat', NO_STATE);
    }
  }

  private expectRegistration(): void {
    if (this.resourceId === '') this.peer.close(`no registration within ${REGISTRATION_WAIT_MS} ms`);
  }

  private disconnect(reason: string): void {
    this.end = 'disconnected';
    this.peer.close(reason);
  }

  private closed(reason: string): void {
    for (const timer of this.timers) timer.cancel();
    if (this.resourceId !== '') this.options.listener.ended(this, reason, this.end);
  }
}

/** A checkpoint that came to nothing, and the newest that did not (0: none). */
export interface AbortedCheckpoint {
  readonly checkpointId: number;
  readonly latestCompletedId: number;
}

/** Who an operator event is for. */
export interface OperatorEventTarget {
  readonly jobId: JobId;
  readonly generation: Generation;
  readonly attemptId: ExecutionAttemptId;
  readonly subtaskIndex: number;
  readonly nodeId: number;
}

/** The leader's heartbeat says only that it lives. */
const NO_STATE = { slotsJson: new Uint8Array(), executionsJson: new Uint8Array(), metricsJson: new Uint8Array() };

function acked(act: () => void): ResponseOf<'heartbeat'> {
  act();
  return {};
}
