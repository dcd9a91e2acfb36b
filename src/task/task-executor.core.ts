/**
 * TaskExecutor: the slots and tasks of one TaskManager, as a pure state machine. The I/O is in task-executor.ts.
 *
 *     allocate ─► deploy ─► (program here, worker ready) launch ─► INITIALIZING ─► RUNNING ─► terminal ─► released
 *                                                                       │ cancel
 *                                                                       └► CANCELING ─► CANCELED, or the worker is stopped
 *
 * A slot serves one job at a time. Its worker is replaced once the job lets go of the slot, so that no user
 * state leaks from one job to the next; also when a task ignores its cancellation, or when the worker dies.
 *
 * Invariants: a terminal task never changes; a terminal task stays in the report until the leader releases
 * its job; every launched task reaches a terminal state, at the latest when its worker stops.
 */
import { present } from '../base/assert.ts';
import type { JobGraph, JobVertex, ProgramRef } from '../graph/job-graph.ts';
import type { AccumulatorValue, ExecutionReport, TaskDeployment, TaskIoMetrics } from '../protocol/deployment.ts';
import type { ErrorCode, ErrorInfo } from '../protocol/errors.ts';
import type { AllocationId, ExecutionAttemptId, JobId } from '../protocol/ids.ts';
import { isLegalExecutionTransition, isTerminalExecutionState, type ExecutionState } from '../protocol/states.ts';
import type { SlotReport } from '../protocol/task-manager.ts';

/** What a slot reports of a task. */
export interface TaskFigures {
  readonly metrics: TaskIoMetrics;
  readonly accumulators: Readonly<Record<string, AccumulatorValue>>;
}

export type TaskExecutorEvent =
  | { readonly kind: 'started' }
  | { readonly kind: 'allocated'; readonly jobId: JobId; readonly allocationId: AllocationId; readonly slotIndex: number }
  | { readonly kind: 'freed'; readonly allocationId: AllocationId; readonly reason: string }
  | { readonly kind: 'deployed'; readonly jobGraph: JobGraph; readonly deployments: readonly TaskDeployment[] }
  | { readonly kind: 'cancelAsked'; readonly attemptId: ExecutionAttemptId }
  | { readonly kind: 'cancelTimedOut'; readonly attemptId: ExecutionAttemptId }
  | { readonly kind: 'jobReleased'; readonly jobId: JobId }
  | { readonly kind: 'programReady'; readonly jobId: JobId }
  | { readonly kind: 'programFailed'; readonly jobId: JobId; readonly error: ErrorInfo }
  /** The task's channels could not be opened. */
  | { readonly kind: 'launchFailed'; readonly attemptId: ExecutionAttemptId; readonly error: ErrorInfo }
  | { readonly kind: 'workerReady'; readonly slotIndex: number; readonly worker: number }
  | { readonly kind: 'workerExited'; readonly slotIndex: number; readonly worker: number; readonly error: ErrorInfo }
  | {
    readonly kind: 'taskState';
    readonly attemptId: ExecutionAttemptId;
    readonly state: ExecutionState;
    readonly error: ErrorInfo | null;
    readonly figures: TaskFigures;
  }
  | { readonly kind: 'taskFigures'; readonly attemptId: ExecutionAttemptId; readonly figures: TaskFigures };

export type TaskExecutorEffect =
  /** Start a worker for the slot; `worker` numbers its lives. */
  | { readonly kind: 'startWorker'; readonly slotIndex: number; readonly worker: number }
  | { readonly kind: 'stopWorker'; readonly slotIndex: number }
  | { readonly kind: 'fetchProgram'; readonly jobId: JobId; readonly program: ProgramRef }
  | { readonly kind: 'forgetProgram'; readonly jobId: JobId }
  /** Open the task's channels and hand it to its slot. */
  | { readonly kind: 'launch'; readonly task: Task }
  /** Ask the task to end, and see to it that it does: `cancelTimedOut` follows if it does not. */
  | { readonly kind: 'cancelInSlot'; readonly task: Task }
  | { readonly kind: 'releaseChannels'; readonly attemptId: ExecutionAttemptId; readonly cause: ErrorInfo | null }
  | { readonly kind: 'switched'; readonly task: Task; readonly from: ExecutionState; readonly to: ExecutionState }
  | { readonly kind: 'slotFreed'; readonly slotIndex: number; readonly allocationId: AllocationId; readonly jobId: JobId };

/** One attempt of one subtask, here. Fields change only in the core. */
export interface Task {
  readonly deployment: TaskDeployment;
  readonly jobGraph: JobGraph;
  readonly vertex: JobVertex;
  readonly slotIndex: number;
  readonly state: ExecutionState;
  readonly error: ErrorInfo | null;
  readonly figures: TaskFigures;
  readonly launched: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Slot {
  readonly index: number;
  /** Rises with each worker, so that a late message of a stopped one is dropped. */
  worker: number;
  ready: boolean;
  /** A task was launched in the present worker. */
  used: boolean;
  allocationId: AllocationId | null;
  jobId: JobId | null;
}

const NO_FIGURES: TaskFigures = {
  metrics: {
    numRecordsIn: 0, numRecordsOut: 0, numBytesIn: 0, numBytesOut: 0, busyTimeMs: 0, idleTimeMs: 0, backPressuredTimeMs: 0,
    currentInputWatermarkMs: null,
  },
  accumulators: {},
};

export class TaskExecutorCore {
  private readonly slots: readonly Slot[];
  private readonly tasks = new Map<ExecutionAttemptId, Mutable<Task>>();
  private readonly programs = new Map<JobId, 'fetching' | 'ready'>();

  constructor(slotCount: number) {
    this.slots = Array.from(
      { length: slotCount }, (_, index) => ({ index, worker: 0, ready: false, used: false, allocationId: null, jobId: null }),
    );
  }

  /** Applies one event; returns the effects to perform, in order. Late messages are not errors. */
  step(event: TaskExecutorEvent): TaskExecutorEffect[] {
    switch (event.kind) {
      case 'started':
        return this.slots.map((slot) => this.startWorker(slot));
      case 'allocated':
        return this.allocate(event);
      case 'freed':
        return this.free(event.allocationId, event.reason);
      case 'deployed':
        return this.deploy(event.jobGraph, event.deployments);
      case 'cancelAsked':
        return this.cancel(event.attemptId);
      case 'cancelTimedOut':
        return this.cancelTimedOut(event.attemptId);
      case 'jobReleased':
        return this.release(event.jobId);
      case 'programReady':
        return this.programReady(event.jobId);
      case 'programFailed':
        return this.programFailed(event.jobId, event.error);
      case 'launchFailed':
        return this.launchFailed(event.attemptId, event.error);
      case 'workerReady':
        return this.workerReady(event.slotIndex, event.worker);
      case 'workerExited':
        return this.workerExited(event.slotIndex, event.worker, event.error);
      case 'taskState':
        return this.taskState(event);
      case 'taskFigures':
        return this.recordFigures(event.attemptId, event.figures);
    }
  }

  /** Why an allocation must be refused; null when the slot can be taken. Asking twice for the same is no reason. */
  refusal(slotIndex: number, allocationId: AllocationId): string | null {
    const slot = this.slots[slotIndex];
    if (!slot) return `there is no slot ${slotIndex}; the TaskManager has ${this.slots.length}`;
    const isFree = slot.allocationId === null || slot.allocationId === allocationId;
    return isFree ? null : `slot ${slotIndex} is occupied by allocation ${slot.allocationId} of job ${slot.jobId}`;
  }

  /** Null for attempts that are not here. */
  task(attemptId: ExecutionAttemptId): Task | null {
    return this.tasks.get(attemptId) ?? null;
  }

  slotReports(): readonly SlotReport[] {
    return this.slots.map(({ index, allocationId, jobId }) => ({ slotIndex: index, allocationId, jobId }));
  }

  /** Every task that is not released, terminal ones included. */
  allTasks(): readonly Task[] {
    return [...this.tasks.values()];
  }

  /** Whether messages of this worker still count. */
  isCurrent(slotIndex: number, worker: number): boolean {
    return this.slots[slotIndex]?.worker === worker;
  }

  private startWorker(slot: Slot): TaskExecutorEffect {
    Object.assign(slot, { worker: slot.worker + 1, ready: false, used: false });
    return { kind: 'startWorker', slotIndex: slot.index, worker: slot.worker };
  }

  private replaceWorker(slot: Slot): TaskExecutorEffect[] {
    return [{ kind: 'stopWorker', slotIndex: slot.index }, this.startWorker(slot)];
  }

  private allocate({ jobId, allocationId, slotIndex }: Extract<TaskExecutorEvent, { kind: 'allocated' }>): TaskExecutorEffect[] {
    Object.assign(this.slot(slotIndex), { jobId, allocationId });
    return [];
  }

  private free(allocationId: AllocationId, reason: string): TaskExecutorEffect[] {
    const slot = this.slots.find((each) => each.allocationId === allocationId);
    if (!slot) return [];
    const jobId = present(slot.jobId, 'an allocated slot has a job');
    const error = fault('SLOT_LOST', `slot ${slot.index} was freed: ${reason}`);
    const stopped = this.liveTasksIn(slot).flatMap((task) => this.end(task, task.state === 'CANCELING' ? 'CANCELED' : 'FAILED', error));
    Object.assign(slot, { allocationId: null, jobId: null });
    return [...stopped, { kind: 'slotFreed', slotIndex: slot.index, allocationId, jobId }, ...(slot.used ? this.replaceWorker(slot) : [])];
  }

  private deploy(jobGraph: JobGraph, deployments: readonly TaskDeployment[]): TaskExecutorEffect[] {
    const { jobId, program } = jobGraph;
    const fetch: TaskExecutorEffect[] = this.programs.has(jobId) ? [] : [{ kind: 'fetchProgram', jobId, program }];
    if (fetch.length > 0) this.programs.set(jobId, 'fetching');
    return [...deployments.flatMap((deployment) => this.accept(jobGraph, deployment)), ...this.launchReady(jobId), ...fetch];
  }

  private accept(jobGraph: JobGraph, deployment: TaskDeployment): TaskExecutorEffect[] {
    if (this.tasks.has(deployment.attemptId)) return []; // Deployed twice: the first one runs.
    const slot = this.slots.find(({ allocationId }) => allocationId === deployment.allocationId);
    const vertex = present(jobGraph.vertices.find(({ id }) => id === deployment.vertexId), 'a deployment names a vertex of its job');
    const task: Mutable<Task> = {
      deployment,
      jobGraph,
      vertex,
      slotIndex: slot?.index ?? 0,
      state: 'CREATED',
      error: null,
      figures: NO_FIGURES,
      launched: false,
    };
    this.tasks.set(deployment.attemptId, task);
    if (!slot) {
      return this.end(task, 'FAILED', fault('SLOT_LOST', `no slot of this TaskManager holds allocation ${deployment.allocationId}`));
    }
    return this.switch(task, 'DEPLOYING');
  }

  /** A channel needs both of its slots, so the job's tasks are launched together once all their workers are ready. */
  private launchReady(jobId: JobId): TaskExecutorEffect[] {
    const tasks = this.liveTasks().filter(({ deployment }) => deployment.jobId === jobId);
    const isReady = this.programs.get(jobId) === 'ready' && tasks.every(({ slotIndex }) => this.slot(slotIndex).ready);
    return isReady ? tasks.filter(({ state, launched }) => state === 'DEPLOYING' && !launched).map((task) => this.launch(task)) : [];
  }

  private launch(task: Mutable<Task>): TaskExecutorEffect {
    task.launched = true;
    this.slot(task.slotIndex).used = true;
    return { kind: 'launch', task };
  }

  private programReady(jobId: JobId): TaskExecutorEffect[] {
    if (!this.programs.has(jobId)) return [{ kind: 'forgetProgram', jobId }];
    this.programs.set(jobId, 'ready');
    return this.launchReady(jobId);
  }

  private programFailed(jobId: JobId, error: ErrorInfo): TaskExecutorEffect[] {
    this.programs.delete(jobId);
    return this.liveTasks().filter((task) => task.deployment.jobId === jobId).flatMap((task) => this.end(task, 'FAILED', error));
  }

  private launchFailed(attemptId: ExecutionAttemptId, error: ErrorInfo): TaskExecutorEffect[] {
    const task = this.live(attemptId);
    return task ? this.end(task, 'FAILED', error) : [];
  }

  private cancel(attemptId: ExecutionAttemptId): TaskExecutorEffect[] {
    const task = this.live(attemptId);
    if (!task || task.state === 'CANCELING') return [];
    const canceling = this.switch(task, 'CANCELING');
    if (!task.launched) return [...canceling, ...this.end(task, 'CANCELED', null)];
    return [...canceling, { kind: 'cancelInSlot', task }];
  }

  /** User code does not yield: its worker is stopped, and everything in it with it. */
  private cancelTimedOut(attemptId: ExecutionAttemptId): TaskExecutorEffect[] {
    const task = this.live(attemptId);
    if (!task) return [];
    const slot = this.slot(task.slotIndex);
    const text = `${task.vertex.name} in the same slot did not react to its cancellation, so the slot's worker was stopped`;
    return [...this.endAll(slot, fault('TASK_CANCELLATION_TIMEOUT', text)), ...this.replaceWorker(slot)];
  }

  private release(jobId: JobId): TaskExecutorEffect[] {
    for (const [attemptId, { deployment, state }] of this.tasks) {
      if (deployment.jobId === jobId && isTerminalExecutionState(state)) this.tasks.delete(attemptId);
    }
    if (this.liveTasks().some((task) => task.deployment.jobId === jobId)) return []; // The leader hears of them and releases again.
    return this.programs.delete(jobId) ? [{ kind: 'forgetProgram', jobId }] : [];
  }

  private workerReady(slotIndex: number, worker: number): TaskExecutorEffect[] {
    if (!this.isCurrent(slotIndex, worker)) return [];
    const slot = this.slot(slotIndex);
    slot.ready = true;
    return slot.jobId === null ? [] : this.launchReady(slot.jobId);
  }

  private workerExited(slotIndex: number, worker: number, error: ErrorInfo): TaskExecutorEffect[] {
    if (!this.isCurrent(slotIndex, worker)) return [];
    const slot = this.slot(slotIndex);
    return [...this.endAll(slot, error), this.startWorker(slot)];
  }

  private endAll(slot: Slot, error: ErrorInfo): TaskExecutorEffect[] {
    return this.liveTasksIn(slot).flatMap((task) => {
      return task.state === 'CANCELING' ? this.end(task, 'CANCELED', null) : this.end(task, 'FAILED', error);
    });
  }

  private taskState({ attemptId, state, error, figures }: Extract<TaskExecutorEvent, { kind: 'taskState' }>): TaskExecutorEffect[] {
    const task = this.live(attemptId);
    if (!task) return [];
    task.figures = figures;
    if (isTerminalExecutionState(state)) return this.end(task, state, error);
    return isLegalExecutionTransition(task.state, state) ? this.switch(task, state) : []; // Late: it is being canceled.
  }

  private recordFigures(attemptId: ExecutionAttemptId, figures: TaskFigures): TaskExecutorEffect[] {
    const task = this.live(attemptId);
    if (task) task.figures = figures;
    return [];
  }

  private end(task: Mutable<Task>, state: ExecutionState, error: ErrorInfo | null): TaskExecutorEffect[] {
    const cause = state === 'FINISHED' ? null : (error ?? fault('PARTITION_LOST', 'the task was canceled'));
    const { attemptId } = task.deployment;
    if (state === 'FAILED') task.error = error;
    return [{ kind: 'releaseChannels', attemptId, cause }, ...this.switch(task, state)];
  }

  private switch(task: Mutable<Task>, to: ExecutionState): TaskExecutorEffect[] {
    const from = task.state;
    task.state = to;
    return [{ kind: 'switched', task, from, to }];
  }

  private liveTasks(): Mutable<Task>[] {
    return [...this.tasks.values()].filter(({ state }) => !isTerminalExecutionState(state));
  }

  private liveTasksIn(slot: Slot): Mutable<Task>[] {
    return this.liveTasks().filter((task) => task.slotIndex === slot.index);
  }

  private live(attemptId: ExecutionAttemptId): Mutable<Task> | null {
    const task = this.tasks.get(attemptId);
    return task && !isTerminalExecutionState(task.state) ? task : null;
  }

  private slot(index: number): Slot {
    return present(this.slots[index], 'a slot index is below the slot count');
  }
}

/** The report of a task, with what others know of it. */
export function reportOf(
  { deployment, state, error, figures }: Task, known: Pick<ExecutionReport, 'connectedChannels' | 'checkpoints'>,
): ExecutionReport {
  const { jobId, attemptId, vertexId, subtaskIndex, generation, allocationId } = deployment;
  return { jobId, attemptId, vertexId, subtaskIndex, generation, allocationId, state, error, ...figures, ...known, splits: [] };
}

/** Flink's form of a task in a TaskManager's log: `map (1/2)#0 (<attempt id>)`. */
export function spellTask({ vertex, deployment }: Task): string {
  return `${vertex.name} (${deployment.subtaskIndex + 1}/${vertex.parallelism})#${deployment.attemptNumber} (${deployment.attemptId})`;
}

function fault(code: ErrorCode, message: string): ErrorInfo {
  return { code, className: 'ClusterError', message, stack: '' };
}
