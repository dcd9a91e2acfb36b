/**
 * Invariants of a simulated cluster. Safety is checked after every event; progress and the absence of leaks at
 * the end, when everything has healed.
 */
import type { JobDetails } from '../../src/dispatcher/gateway.ts';
import type { ExecutionAttemptId, JobId } from '../../src/protocol/ids.ts';
import { isGloballyTerminal, isTerminalExecutionState, type ExecutionState, type JobStatus } from '../../src/protocol/states.ts';
import type { LiveTask } from './sim-slot-host.ts';
import type { SimCluster } from './sim-cluster.ts';

/** How long a second attempt may live beside the current one at a TaskManager that is in touch: cancel, time-out, retry. */
const TWIN_MS_MAX = 20_000;

export class Checkers {
  readonly violations: string[] = [];
  private readonly cluster: SimCluster;
  private readonly jobStatus = new Map<JobId, JobStatus>();
  private readonly terminalTasks = new Map<ExecutionAttemptId, ExecutionState>();
  private readonly twinSinceMs = new Map<string, number>();

  constructor(cluster: SimCluster) {
    this.cluster = cluster;
  }

  /** After every event. */
  check(jobIds: ReadonlySet<JobId>): void {
    this.slotExclusive();
    for (const jobId of jobIds) this.statesOnlyAdvance(this.cluster.jobManager.job(jobId));
    this.noLastingTwins();
    for (const violation of this.cluster.ledger.violations) this.report(violation);
  }

  /** At the end, everything healed and time given. */
  checkEnd(jobIds: ReadonlySet<JobId>): void {
    for (const jobId of jobIds) {
      const { status, vertices } = this.cluster.jobManager.job(jobId);
      if (!isGloballyTerminal(status)) this.report(`acknowledged job ${jobId} is ${status} and goes nowhere`);
      const isFinished = vertices.every(({ subtasks }) => subtasks.every(({ state }) => state === 'FINISHED'));
      if (status === 'FINISHED' && !isFinished) this.report(`job ${jobId} is FINISHED but not all of its subtasks are`);
    }
    for (const { task, resourceId } of this.cluster.live) this.report(`${task.deployment.attemptId} still runs on ${resourceId} after all jobs ended`);
    for (const { description, slots } of this.cluster.jobManager.taskManagers()) {
      for (const { slotIndex, jobId } of slots) if (jobId !== null) this.report(`slot ${slotIndex} of ${description.resourceId} leaked by job ${jobId}`);
    }
  }

  /** All tasks in one slot are of one job. */
  private slotExclusive(): void {
    const owners = new Map<string, string>();
    for (const { resourceId, slotIndex, task } of this.cluster.live) {
      const slot = `${resourceId}/${slotIndex}`;
      const owner = owners.get(slot) ?? task.jobGraph.jobId;
      if (owner !== task.jobGraph.jobId) this.report(`slot ${slot} serves two jobs at once`);
      owners.set(slot, owner);
    }
  }

  /** What is terminal stays as it is. */
  private statesOnlyAdvance({ jobId, status, vertices }: JobDetails): void {
    const before = this.jobStatus.get(jobId);
    if (before !== undefined && before !== status && isGloballyTerminal(before)) this.report(`job ${jobId} went from ${before} to ${status}`);
    this.jobStatus.set(jobId, status);
    for (const { attemptId, state } of vertices.flatMap(({ subtasks }) => subtasks)) {
      const terminal = this.terminalTasks.get(attemptId);
      if (terminal !== undefined && terminal !== state) this.report(`${attemptId} went from ${terminal} to ${state}`);
      if (isTerminalExecutionState(state)) this.terminalTasks.set(attemptId, state);
    }
  }

  /** Two attempts of one subtask may overlap while a TaskManager is out of touch, but not for long once both are in touch. */
  private noLastingTwins(): void {
    const nowMs = this.cluster.clock.monotonicMs();
    const registered = new Set(this.cluster.jobManager.taskManagers().map(({ description }) => String(description.resourceId)));
    const bySubtask = new Map<string, LiveTask>();
    const twins = new Set<string>();
    for (const live of this.cluster.live) {
      const { vertexId, subtaskIndex } = live.task.deployment;
      const subtask = `${live.task.jobGraph.jobId}/${vertexId}/${subtaskIndex}`;
      if (registered.has(live.resourceId) && bySubtask.has(subtask)) twins.add(subtask);
      if (registered.has(live.resourceId)) bySubtask.set(subtask, live);
    }
    for (const subtask of this.twinSinceMs.keys()) if (!twins.has(subtask)) this.twinSinceMs.delete(subtask);
    for (const subtask of twins) {
      const sinceMs = this.twinSinceMs.get(subtask) ?? nowMs;
      this.twinSinceMs.set(subtask, sinceMs);
      if (nowMs - sinceMs > TWIN_MS_MAX) this.report(`two attempts of ${subtask} live on`);
    }
  }

  private report(violation: string): void {
    if (!this.violations.includes(violation)) this.violations.push(violation);
  }
}
