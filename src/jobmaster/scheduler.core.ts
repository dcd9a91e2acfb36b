/**
 * Scheduler: one job from CREATED to its end, as a pure state machine. The I/O is in job-master.ts.
 *
 *     start ─► slots requested ─► all there: deploy ─► RUNNING … FINISHED
 *                   │                    │
 *                   └─ too few: fail ◄───┴─ a task fails: cancel its region, wait, then restart or FAIL
 *
 * A pipelined region is scheduled all at once: a subtask that ran alone could only fill its buffers.
 * One failure is handled at a time; what fails meanwhile joins the regions that are going down.
 *
 * Invariants: an attempt is deployed at most once; the job is terminal only when every attempt is;
 * `terminated` is the last effect, once; a report of an attempt that is not current changes nothing.
 *
 * Source: Flink `DefaultScheduler`, `PipelinedRegionSchedulingStrategy`, `RestartPipelinedRegionFailoverStrategy`.
 */
import { present } from '../base/assert.ts';
import type { JobGraph } from '../graph/job-graph.ts';
import type { TaskRestore } from '../protocol/checkpoint.ts';
import type { ExecutionReport, LocalStateUse, TaskDeployment } from '../protocol/deployment.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import type { AllocationId, ExecutionAttemptId, Generation, JobVertexId, ResourceId } from '../protocol/ids.ts';
import { isGloballyTerminal, isTerminalExecutionState, type ExecutionState } from '../protocol/states.ts';
import { SlotPoolCore, sharedSlotOf, sharedSlotsOf, type PooledSlot, type SlotPoolEffect } from '../slots/slot-pool.core.ts';
import { deploymentOf } from './deployment.ts';
import { ExecutionGraph, spellLocation, type Execution, type Transition } from './execution-graph.core.ts';
import type { TaskFailure } from './job-details.ts';
import { fixedDelayOf, type RestartStrategy } from './restart-strategy.core.ts';

export type SchedulerEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'slotOffered'; readonly slot: PooledSlot }
  | { readonly kind: 'slotLost'; readonly allocationId: AllocationId; readonly error: ErrorInfo }
  | { readonly kind: 'slotTimerFired'; readonly round: number }
  /** A state change, or a heartbeat's view, of one attempt. */
  | { readonly kind: 'reported'; readonly report: ExecutionReport }
  /** The TaskManager did not take the deployment, or does not know the attempt any more. */
  | { readonly kind: 'attemptLost'; readonly attemptId: ExecutionAttemptId; readonly error: ErrorInfo }
  | { readonly kind: 'cancel' }
  /** A failure of the job as a whole: an operator coordinator, its initialization. `isFinal`: another attempt would fail alike. */
  | { readonly kind: 'failJob'; readonly error: ErrorInfo; readonly isFinal?: boolean }
  /** Go on with this revision of the graph, at another parallelism. */
  | { readonly kind: 'rescale'; readonly jobGraph: JobGraph }
  /** The state of the regions that restart is ready for their new attempts. */
  | { readonly kind: 'restored'; readonly round: number }
  | { readonly kind: 'restartTimerFired'; readonly round: number };

export type SchedulerEffect =
  | Transition
  | SlotPoolEffect
  /** Deploy these attempts, all at one TaskManager. */
  | {
    readonly kind: 'deploy';
    readonly resourceId: ResourceId;
    readonly tasks: readonly { readonly execution: Execution; readonly deployment: TaskDeployment }[];
  }
  | { readonly kind: 'cancelTask'; readonly execution: Execution }
  /** For the operator coordinators. */
  | { readonly kind: 'subtaskFailed'; readonly execution: Execution; readonly error: ErrorInfo }
  /** All attempts of these vertices are gone. Answered by `restored` with the round (or `failJob`); attempts of `jobGraph` follow. */
  | { readonly kind: 'restore'; readonly round: number; readonly vertices: ReadonlySet<JobVertexId>; readonly jobGraph: JobGraph }
  | { readonly kind: 'restarting'; readonly taskCount: number; readonly failed: Execution | null }
  /** So many failures beside the newest one are not kept. */
  | { readonly kind: 'failureDropped'; readonly count: number; readonly failure: TaskFailure }
  | { readonly kind: 'startRestartTimer'; readonly round: number; readonly delayMs: number }
  | { readonly kind: 'terminated'; readonly error: ErrorInfo | null };

export interface SchedulerOptions {
  readonly jobGraph: JobGraph;
  readonly executionGraphId: string;
  readonly restartStrategy: RestartStrategy;
  /** What a new attempt begins from. */
  readonly restoreOf: (execution: Execution) => TaskRestore | null;
  /** See `TaskDeployment`. */
  readonly hasFinalCheckpoint: boolean;
  /** The savepoint that stops the job is complete. Whatever fails from then on, the job is to finish from it. */
  readonly isStopped: () => boolean;
  readonly localState: LocalStateUse;
  /** `web.exception-history-size`. */
  readonly failuresMax: number;
  /** For messages: `slot.request.timeout`. */
  readonly slotRequestTimeoutMs: number;
}

/** Attempts to finish a job whose stop savepoint stands, and the pause before each. */
const STOP_RESTARTS_MAX = 10;
const STOP_RESTART_DELAY_MS = 200;

/** States a report walks through, so that a skipped message leaves no gap. */
const FORWARD: readonly ExecutionState[] = ['DEPLOYING', 'INITIALIZING', 'RUNNING', 'FINISHED'];

export class SchedulerCore {
  readonly graph: ExecutionGraph;
  private readonly pool: SlotPoolCore;
  private readonly options: SchedulerOptions;
  private readonly stopStrategy = fixedDelayOf(STOP_RESTARTS_MAX, STOP_RESTART_DELAY_MS);
  /** Vertices that are going down and will restart. */
  private readonly restarting = new Set<JobVertexId>();
  private round = 0;
  private generation = 1;
  private restartDelayPassed = false;
  /** The graph of the attempts that come next; null: the same. */
  private nextGraph: JobGraph | null = null;
  /** The round whose restore is under way; null: none is. */
  private restoring: number | null = null;
  private failure: ErrorInfo | null = null;
  private nowMs: number;

  constructor(options: SchedulerOptions, nowMs: number) {
    this.options = options;
    this.nowMs = nowMs;
    this.graph = new ExecutionGraph(options.jobGraph, options.executionGraphId, { failuresMax: options.failuresMax, nowMs });
    this.pool = new SlotPoolCore(sharedSlotsOf(options.jobGraph));
  }

  /** Applies one event; returns the effects to perform, in order. `nowMs`: wall clock. */
  step(event: SchedulerEvent, nowMs: number): SchedulerEffect[] {
    this.nowMs = nowMs;
    if (isGloballyTerminal(this.graph.status)) {
      return event.kind === 'slotOffered' ? this.pool.step({ kind: 'offered', slot: event.slot }) : [];
    }
    return [...this.apply(event), ...this.settle()];
  }

  private apply(event: SchedulerEvent): SchedulerEffect[] {
    switch (event.kind) {
      case 'start':
        return this.start();
      case 'slotOffered':
        return this.poolStep({ kind: 'offered', slot: event.slot });
      case 'slotLost':
        return this.slotLost(event.allocationId, event.error);
      case 'slotTimerFired':
        return this.poolStep({ kind: 'timedOut', round: event.round });
      case 'reported':
        return this.reported(event.report);
      case 'attemptLost':
        return this.attemptLost(event.attemptId, event.error);
      case 'cancel':
        return this.cancel();
      case 'failJob':
        return event.isFinal ? this.failFinally(event.error) : this.fail(event.error, null);
      case 'rescale':
        return this.rescale(event.jobGraph);
      case 'restored':
        return this.restored(event.round);
      case 'restartTimerFired':
        return this.restartTimerFired(event.round);
    }
  }

  /** Slots in the job's hands. */
  get slotCount(): number {
    return this.pool.heldCount;
  }

  private start(): SchedulerEffect[] {
    return [this.graph.switchJob('RUNNING', this.nowMs), ...this.requestSlots()];
  }

  private requestSlots(): SchedulerEffect[] {
    const created = this.graph.executions().filter(({ state }) => state === 'CREATED');
    const scheduled = created.map((execution) => this.switch(execution, 'SCHEDULED'));
    return [...scheduled, ...this.poolStep({ kind: 'requested', round: ++this.round })];
  }

  private poolStep(event: Parameters<SlotPoolCore['step']>[0]): SchedulerEffect[] {
    return this.pool.step(event).flatMap((effect): SchedulerEffect[] => {
      if (effect.kind === 'fulfilled') return this.deployScheduled();
      if (effect.kind === 'unfulfilled') return this.fail(this.noResource(effect.needed, effect.available), null);
      return [effect];
    });
  }

  private deployScheduled(): SchedulerEffect[] {
    const scheduled = this.graph.executions().filter(({ state }) => state === 'SCHEDULED');
    for (const execution of scheduled) this.graph.assignSlot(execution, this.slotOf(execution));
    const transitions = scheduled.map((execution) => this.switch(execution, 'DEPLOYING'));
    const lookup = (vertexId: JobVertexId, subtaskIndex: number): Execution => this.graph.executionOf(vertexId, subtaskIndex);
    const deploys = [...this.byTaskManager(scheduled)].map(([resourceId, executions]): SchedulerEffect => {
      const tasks = executions.map((execution) => {
        const { restoreOf, hasFinalCheckpoint, localState } = this.options;
        const { jobGraph } = this.graph;
        const isStopped = this.options.isStopped();
        const from = { restore: restoreOf(execution), hasFinalCheckpoint: hasFinalCheckpoint && !isStopped, isStopped, localState };
        return { execution, deployment: deploymentOf(jobGraph, execution, lookup, from) };
      });
      return { kind: 'deploy', resourceId, tasks };
    });
    return [...transitions, ...deploys];
  }

  private byTaskManager(executions: readonly Execution[]): Map<ResourceId, Execution[]> {
    const groups = new Map<ResourceId, Execution[]>();
    for (const execution of executions) {
      const { resourceId } = this.slotOf(execution).location;
      groups.set(resourceId, [...(groups.get(resourceId) ?? []), execution]);
    }
    return groups;
  }

  private slotOf({ vertex, subtaskIndex }: Execution): PooledSlot {
    return present(
      this.pool.slotAt(sharedSlotOf(vertex.slotSharingGroup, subtaskIndex)), 'every place has a slot once the request is fulfilled',
    );
  }

  private slotLost(allocationId: AllocationId, error: ErrorInfo): SchedulerEffect[] {
    const inSlot = this.graph.executions().filter((execution) => execution.allocationId === allocationId);
    const lost = inSlot.filter(({ state }) => !isTerminalExecutionState(state));
    return [...this.poolStep({ kind: 'lost', allocationId }), ...lost.flatMap((execution) => this.lose(execution, error))];
  }

  private attemptLost(attemptId: ExecutionAttemptId, error: ErrorInfo): SchedulerEffect[] {
    const execution = this.graph.execution(attemptId);
    return !execution || isTerminalExecutionState(execution.state) ? [] : this.lose(execution, error);
  }

  private reported(report: ExecutionReport): SchedulerEffect[] {
    const execution = this.graph.execution(report.attemptId);
    if (!execution || isTerminalExecutionState(execution.state) || execution.state === 'SCHEDULED') return [];
    this.graph.recordFigures(execution, report);
    if (report.state === 'FAILED') return this.lose(execution, report.error ?? unexplained('it failed without a reason'));
    if (report.state === 'CANCELED') {
      if (execution.state === 'CANCELING') return [this.switch(execution, 'CANCELED')];
      return this.lose(execution, unexplained('its TaskManager canceled it without being asked'));
    }
    if (execution.state === 'CANCELING') return this.reportedWhileCanceling(execution, report.state);
    return this.advance(execution, report.state);
  }

  /** Asks again when the TaskManager has not heard it; asking twice does no harm. */
  private reportedWhileCanceling(execution: Execution, state: ExecutionState): SchedulerEffect[] {
    if (state === 'FINISHED') return [this.switch(execution, 'CANCELED')];
    return state === 'CANCELING' ? [] : [{ kind: 'cancelTask', execution }];
  }

  private advance(execution: Execution, to: ExecutionState): SchedulerEffect[] {
    const steps = FORWARD.slice(FORWARD.indexOf(execution.state) + 1, FORWARD.indexOf(to) + 1);
    return steps.map((state) => this.switch(execution, state));
  }

  /** The attempt is gone, for good or ill: canceled if that was wanted, else failed. */
  private lose(execution: Execution, error: ErrorInfo): SchedulerEffect[] {
    if (execution.state === 'CANCELING') return this.loseWhileCanceling(execution, error);
    const failed = this.graph.switchExecution(execution, 'FAILED', this.nowMs, error);
    return [failed, { kind: 'subtaskFailed', execution, error }, ...this.fail(error, execution)];
  }

  /** It was to end anyway. That it failed is told beside the failure that led to it; a channel that closed is only its echo. */
  private loseWhileCanceling(execution: Execution, error: ErrorInfo): SchedulerEffect[] {
    const isWanted = this.graph.status === 'CANCELLING' || this.nextGraph !== null;
    const isOwn = !isWanted && error.code !== 'PARTITION_LOST';
    const dropped = isOwn ? this.recordConcurrent(this.failureOf(error, execution)) : [];
    return [this.switch(execution, 'CANCELED'), ...dropped];
  }

  private fail(error: ErrorInfo, execution: Execution | null): SchedulerEffect[] {
    const { status } = this.graph;
    if (status === 'CANCELLING') return [];
    const failure = this.failureOf(error, execution);
    if (status === 'FAILING') return this.recordConcurrent(failure);
    const { isNewAttempt, delayMs } = this.strategy().onFailure(this.nowMs);
    if (isNewAttempt) this.graph.recordFailure(failure);
    const dropped = isNewAttempt ? [] : this.recordConcurrent(failure);
    return [...dropped, ...(delayMs === null ? this.failForGood(error) : this.beginRestart(execution, delayMs))];
  }

  private recordConcurrent(failure: TaskFailure): SchedulerEffect[] {
    const count = this.graph.recordConcurrentFailure(failure);
    return count > 0 ? [{ kind: 'failureDropped', count, failure }] : [];
  }

  /** A job that is to finish from its stop savepoint has attempts of its own for that: what it was configured with is for jobs that run. */
  private strategy(): RestartStrategy {
    return this.options.isStopped() ? this.stopStrategy : this.options.restartStrategy;
  }

  private failureOf(error: ErrorInfo, execution: Execution | null): TaskFailure {
    return { error, timestampMs: this.nowMs, taskName: execution && spellFailed(execution), location: execution?.location ?? null };
  }

  private failFinally(error: ErrorInfo): SchedulerEffect[] {
    if (this.graph.status === 'CANCELLING' || this.graph.status === 'FAILING') return [];
    this.graph.recordFailure(this.failureOf(error, null));
    return this.failForGood(error, 'the failure itself: another attempt would fail alike');
  }

  private failForGood(error: ErrorInfo, suppressedBy = this.strategy().description): SchedulerEffect[] {
    const message = `Recovery is suppressed by ${suppressedBy}`;
    this.failure = { code: 'JOB_FAILED', className: 'JobException', message, stack: '', cause: error };
    this.restarting.clear();
    return [this.graph.switchJob('FAILING', this.nowMs, this.failure), ...this.cancelAttempts(() => true)];
  }

  private beginRestart(failed: Execution | null, delayMs: number): SchedulerEffect[] {
    const region = failed ? this.graph.regionOf(failed.vertex.id) : this.graph.jobGraph.vertices.map(({ id }) => id);
    for (const vertex of region) this.restarting.add(vertex);
    const isGoingDown = (execution: Execution): boolean => this.restarting.has(execution.vertex.id);
    const taskCount = this.graph.executions().filter(isGoingDown).length;
    this.restartDelayPassed = false;
    this.restoring = null;
    const status = this.graph.status === 'RESTARTING' ? [] : [this.graph.switchJob('RESTARTING', this.nowMs)];
    return [
      { kind: 'restarting', taskCount, failed },
      ...status,
      ...this.cancelAttempts(isGoingDown),
      { kind: 'startRestartTimer', round: ++this.round, delayMs },
    ];
  }

  /** Everything restarts, by nobody's fault. */
  private rescale(jobGraph: JobGraph): SchedulerEffect[] {
    if (this.graph.status !== 'RUNNING' && this.graph.status !== 'RESTARTING') return [];
    this.nextGraph = jobGraph;
    return this.beginRestart(null, 0);
  }

  private restartTimerFired(round: number): SchedulerEffect[] {
    if (round === this.round) this.restartDelayPassed = true;
    return [];
  }

  private cancel(): SchedulerEffect[] {
    const { status } = this.graph;
    if (status === 'CANCELLING' || status === 'FAILING') return [];
    this.restarting.clear();
    return [this.graph.switchJob('CANCELLING', this.nowMs), ...this.cancelAttempts(() => true)];
  }

  private cancelAttempts(affects: (execution: Execution) => boolean): SchedulerEffect[] {
    return this.graph.executions().filter(affects).flatMap((execution): SchedulerEffect[] => {
      if (isTerminalExecutionState(execution.state) || execution.state === 'CANCELING') return [];
      if (execution.state === 'CREATED' || execution.state === 'SCHEDULED') return [this.switch(execution, 'CANCELED')];
      return [this.switch(execution, 'CANCELING'), { kind: 'cancelTask', execution }];
    });
  }

  /** After each event: is the job over, or ready to restart? */
  private settle(): SchedulerEffect[] {
    const { graph } = this;
    if (graph.status === 'RESTARTING') return this.restartWhenDown();
    if (!graph.every(({ state }) => isTerminalExecutionState(state))) return [];
    if (graph.status === 'CANCELLING') return this.terminate('CANCELED');
    if (graph.status === 'FAILING') return this.terminate('FAILED');
    return graph.status === 'RUNNING' ? this.terminate('FINISHED') : [];
  }

  private restartWhenDown(): SchedulerEffect[] {
    const down = this.graph.executions().filter(({ vertex }) => this.restarting.has(vertex.id));
    const isReady = this.restartDelayPassed && down.every(({ state }) => isTerminalExecutionState(state));
    if (!isReady || this.restoring !== null) return [];
    this.restoring = this.round;
    return [{ kind: 'restore', round: this.round, vertices: new Set(this.restarting), jobGraph: this.nextGraph ?? this.graph.jobGraph }];
  }

  private restored(round: number): SchedulerEffect[] {
    if (this.graph.status !== 'RESTARTING' || this.restoring !== round) return [];
    const down = this.graph.executions().filter(({ vertex }) => this.restarting.has(vertex.id));
    this.restarting.clear();
    this.restartDelayPassed = false;
    this.restoring = null;
    const surplus = this.renew(down, ++this.generation as Generation);
    return [this.graph.switchJob('RUNNING', this.nowMs), ...this.requestSlots(), ...surplus];
  }

  /** Fresh attempts; answers what becomes of slots that the next graph has no use for. */
  private renew(down: readonly Execution[], generation: Generation): SchedulerEffect[] {
    const { nextGraph } = this;
    if (nextGraph === null) {
      this.graph.resetForRestart(down, generation, this.nowMs);
      return [];
    }
    this.nextGraph = null;
    this.graph.rescale(nextGraph, generation, this.nowMs);
    return this.poolStep({ kind: 'resized', places: sharedSlotsOf(nextGraph) });
  }

  private terminate(status: 'FINISHED' | 'CANCELED' | 'FAILED'): SchedulerEffect[] {
    const error = status === 'FAILED' ? this.failure : null;
    return [this.graph.switchJob(status, this.nowMs, error), ...this.poolStep({ kind: 'closed' }), { kind: 'terminated', error }];
  }

  private switch(execution: Execution, to: ExecutionState): Transition {
    return this.graph.switchExecution(execution, to, this.nowMs);
  }

  private noResource(needed: number, available: number): ErrorInfo {
    const message =
      `Could not acquire the minimum required resources. The job needs ${needed} slots, ${available} were available within ` +
      `${this.options.slotRequestTimeoutMs} ms. Lower the parallelism, start more TaskManagers, or raise taskmanager.numberOfTaskSlots; ` +
      `slot.request.timeout says how long to wait.`;
    return { code: 'NO_RESOURCE_AVAILABLE', className: 'NoResourceAvailableException', message, stack: '' };
  }
}

/** Flink's form of a failed task: `map (1/2) - execution #0`. */
function spellFailed({ vertex, subtaskIndex, attemptNumber, location }: Execution): string {
  const place = location ? ` on ${spellLocation(location)}` : '';
  return `${vertex.name} (${subtaskIndex + 1}/${vertex.parallelism}) - execution #${attemptNumber}${place}`;
}

function unexplained(message: string): ErrorInfo {
  return { code: 'TASK_MANAGER_LOST', className: 'ClusterError', message, stack: '' };
}
