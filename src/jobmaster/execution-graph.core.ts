/**
 * ExecutionGraph: the job's subtasks, each with its current attempt, and the job's own status. It holds
 * facts and keeps transitions legal (protocol/states.ts); what to do next is the scheduler's business.
 *
 * Every change is returned as a `Transition`, in order, so that logs and listeners see exactly what happened.
 *
 * Invariants: an attempt that is terminal never changes again; attempt numbers of a subtask rise by one.
 */
import { assert, present } from '../base/assert.ts';
import type { JobEdge, JobGraph, JobVertex } from '../graph/job-graph.ts';
import type { AccumulatorValue, TaskIoMetrics, TaskLocation } from '../protocol/deployment.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import { executionAttemptId, type AllocationId, type ExecutionAttemptId, type Generation, type JobVertexId } from '../protocol/ids.ts';
import { isLegalExecutionTransition, isLegalJobTransition, isTerminalExecutionState } from '../protocol/states.ts';
import type { ExecutionState, JobStatus } from '../protocol/states.ts';
import { mergeAccumulators, type AccumulatorValues } from './accumulators.ts';
import { CONCURRENT_FAILURES_MAX, type JobDetails, type JobFailure, type SubtaskDetails } from './job-details.ts';
import type { TaskFailure, VertexDetails } from './job-details.ts';

/** One attempt of one subtask. Fields change only through the ExecutionGraph. */
export interface Execution {
  readonly vertex: JobVertex;
  readonly subtaskIndex: number;
  readonly attemptId: ExecutionAttemptId;
  readonly attemptNumber: number;
  readonly generation: Generation;
  readonly state: ExecutionState;
  readonly location: TaskLocation | null;
  readonly allocationId: AllocationId | null;
  readonly error: ErrorInfo | null;
  readonly metrics: TaskIoMetrics;
  readonly accumulators: AccumulatorValues;
  readonly stateTimestampsMs: Partial<Record<ExecutionState, number>>;
}

/** What changed. */
export type Transition =
  | { readonly kind: 'jobStatus'; readonly from: JobStatus; readonly to: JobStatus; readonly error: ErrorInfo | null }
  | {
    readonly kind: 'executionState';
    readonly execution: Execution;
    readonly from: ExecutionState;
    readonly to: ExecutionState;
    readonly error: ErrorInfo | null;
  };

/** What a TaskManager reported of an attempt. */
export interface AttemptFigures {
  readonly metrics: TaskIoMetrics;
  readonly accumulators: Readonly<Record<string, AccumulatorValue>>;
}

export const NO_METRICS: TaskIoMetrics = {
  numRecordsIn: 0,
  numRecordsOut: 0,
  numBytesIn: 0,
  numBytesOut: 0,
  busyTimeMs: 0,
  idleTimeMs: 0,
  backPressuredTimeMs: 0,
  currentInputWatermarkMs: null,
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class ExecutionGraph {
  private currentGraph: JobGraph;
  /** 32 hex; first part of the attempt ids. */
  readonly id: string;
  private subtasks: Mutable<Execution>[][];
  private readonly byAttempt = new Map<ExecutionAttemptId, Mutable<Execution>>();
  private readonly timestampsMs: Partial<Record<JobStatus, number>>;
  private readonly failures: JobFailure[] = [];
  private readonly failuresMax: number;
  private currentStatus: JobStatus = 'CREATED';

  /** `failuresMax`: length of the history of failures. The newest is kept in any case: it says why the job ended. */
  constructor(jobGraph: JobGraph, id: string, options: { readonly failuresMax: number; readonly nowMs: number }) {
    const { failuresMax, nowMs } = options;
    this.currentGraph = jobGraph;
    this.id = id;
    this.failuresMax = Math.max(1, failuresMax);
    this.timestampsMs = { INITIALIZING: jobGraph.submittedAtMs, CREATED: nowMs };
    this.subtasks = jobGraph.vertices.map((vertex) =>
      Array.from(
        { length: vertex.parallelism },
        (_, subtaskIndex) => this.newAttempt({ vertex, subtaskIndex, attemptNumber: 0, generation: 1 }, nowMs),
      ),
    );
  }

  /** The newest revision. */
  get jobGraph(): JobGraph {
    return this.currentGraph;
  }

  get status(): JobStatus {
    return this.currentStatus;
  }

  /** Current attempts of all subtasks, vertex by vertex. */
  executions(): readonly Execution[] {
    return this.subtasks.flat();
  }

  /** Null for attempts that are not current. */
  execution(attemptId: ExecutionAttemptId): Execution | null {
    return this.byAttempt.get(attemptId) ?? null;
  }

  /** The current attempt of a subtask. */
  executionOf(vertexId: JobVertexId, subtaskIndex: number): Execution {
    const vertex = this.jobGraph.vertices.findIndex(({ id }) => id === vertexId);
    return present(this.subtasks[vertex]?.[subtaskIndex], 'a subtask of the job exists');
  }

  /** Whether every current attempt satisfies `holds`. */
  every(holds: (execution: Execution) => boolean): boolean {
    return this.executions().every(holds);
  }

  switchJob(to: JobStatus, nowMs: number, error: ErrorInfo | null = null): Transition {
    const from = this.currentStatus;
    assert(isLegalJobTransition(from, to), `a job may go from ${from} to ${to}`);
    this.currentStatus = to;
    this.timestampsMs[to] = nowMs;
    return { kind: 'jobStatus', from, to, error };
  }

  switchExecution(attempt: Execution, to: ExecutionState, nowMs: number, error: ErrorInfo | null = null): Transition {
    const execution = this.current(attempt);
    const from = execution.state;
    assert(isLegalExecutionTransition(from, to), `a task may go from ${from} to ${to}`);
    execution.state = to;
    execution.stateTimestampsMs[to] = nowMs;
    if (to === 'FAILED') execution.error = error;
    return { kind: 'executionState', execution, from, to, error };
  }

  assignSlot(attempt: Execution, slot: { readonly allocationId: AllocationId; readonly location: TaskLocation }): void {
    Object.assign(this.current(attempt), { allocationId: slot.allocationId, location: slot.location });
  }

  recordFigures(attempt: Execution, figures: AttemptFigures): void {
    Object.assign(this.current(attempt), { metrics: figures.metrics, accumulators: figures.accumulators });
  }

  /** Notes a failure for the job's history. */
  recordFailure(failure: TaskFailure): void {
    this.failures.unshift({ ...failure, concurrent: [], concurrentDropped: 0 });
    this.failures.splice(this.failuresMax);
  }

  /** Notes what failed while the job still dealt with its newest failure. Answers how many such were only counted. */
  recordConcurrentFailure(failure: TaskFailure): number {
    const [newest] = this.failures;
    if (!newest) {
      this.recordFailure(failure);
      return 0;
    }
    const isFull = newest.concurrent.length >= CONCURRENT_FAILURES_MAX;
    const concurrent = isFull ? newest.concurrent : [...newest.concurrent, failure];
    const concurrentDropped = newest.concurrentDropped + (isFull ? 1 : 0);
    this.failures[0] = { ...newest, concurrent, concurrentDropped };
    return concurrentDropped;
  }

  /** A fresh attempt of each given subtask, in a new generation of its region. */
  resetForRestart(attempts: readonly Execution[], generation: Generation, nowMs: number): void {
    for (const { vertex, subtaskIndex, state, attemptId, attemptNumber } of attempts) {
      assert(isTerminalExecutionState(state), 'only a terminal attempt is followed by another');
      this.byAttempt.delete(attemptId);
      const row = present(this.subtasks[this.jobGraph.vertices.indexOf(vertex)], 'a vertex has subtasks');
      row[subtaskIndex] = this.newAttempt({ vertex, subtaskIndex, attemptNumber: attemptNumber + 1, generation }, nowMs);
    }
  }

  /** Another revision of the graph, with the same vertices at another parallelism: fresh attempts of all subtasks. */
  rescale(jobGraph: JobGraph, generation: Generation, nowMs: number): void {
    assert(this.every(({ state }) => isTerminalExecutionState(state)), 'only terminal attempts are followed by others');
    const before = this.subtasks;
    this.currentGraph = jobGraph;
    this.byAttempt.clear();
    this.subtasks = jobGraph.vertices.map((vertex, index) => {
      // A subtask that comes back after a while must not take an old attempt's number.
      const attemptNumber = 1 + Math.max(...(before[index] ?? []).map((execution) => execution.attemptNumber));
      return Array.from({ length: vertex.parallelism }, (_, subtaskIndex) => {
        return this.newAttempt({ vertex, subtaskIndex, attemptNumber, generation }, nowMs);
      });
    });
  }

  /** All vertices that exchange records with `vertexId`, itself included: what must restart together. */
  regionOf(vertexId: JobVertexId): ReadonlySet<JobVertexId> {
    const region = new Set([vertexId]);
    const { edges } = this.jobGraph;
    for (let size = 0; size < region.size; ) {
      size = region.size;
      for (const edge of edges) if (touches(edge, region)) region.add(edge.sourceVertex).add(edge.targetVertex);
    }
    return region;
  }

  regionCount(): number {
    const seen = new Set<JobVertexId>();
    const isFirst = (id: JobVertexId): boolean => {
      const isNew = !seen.has(id);
      for (const member of this.regionOf(id)) seen.add(member);
      return isNew;
    };
    return this.jobGraph.vertices.filter(({ id }) => isFirst(id)).length;
  }

  details(): JobDetails {
    const { jobId, name, submittedAtMs } = this.jobGraph;
    const ended = this.timestampsMs.FINISHED ?? this.timestampsMs.CANCELED ?? this.timestampsMs.FAILED;
    return {
      jobId,
      name,
      status: this.currentStatus,
      startTimeMs: submittedAtMs,
      endTimeMs: ended ?? -1,
      stateTimestampsMs: { ...this.timestampsMs },
      vertices: this.jobGraph.vertices.map((vertex, index) => vertexDetails(vertex, this.subtasks[index] ?? [])),
      failures: [...this.failures],
      accumulators: mergeAccumulators(this.executions().map(({ accumulators }) => accumulators)),
      jobGraph: this.jobGraph,
    };
  }

  private newAttempt(
    place: { readonly vertex: JobVertex; readonly subtaskIndex: number; readonly attemptNumber: number; readonly generation: number },
    nowMs: number,
  ): Mutable<Execution> {
    const execution: Mutable<Execution> = {
      ...place,
      generation: place.generation as Generation,
      attemptId: executionAttemptId(this.id, place.vertex.id, place),
      state: 'CREATED',
      location: null,
      allocationId: null,
      error: null,
      metrics: NO_METRICS,
      accumulators: {},
      stateTimestampsMs: { CREATED: nowMs },
    };
    this.byAttempt.set(execution.attemptId, execution);
    return execution;
  }

  private current(attempt: Execution): Mutable<Execution> {
    return present(this.byAttempt.get(attempt.attemptId), 'only current attempts change');
  }
}

/** Flink's form of a task in the JobManager's log: `map (1/2) (<attempt id>)`. */
export function spellExecution({ vertex, subtaskIndex, attemptId }: Execution): string {
  return `${vertex.name} (${subtaskIndex + 1}/${vertex.parallelism}) (${attemptId})`;
}

/** Flink's form of a place: `<tm id> @ <host> (dataPort=<n>)`. */
export function spellLocation({ resourceId, host, dataPort }: TaskLocation): string {
  return `${resourceId} @ ${host} (dataPort=${dataPort})`;
}

function touches(edge: JobEdge, region: ReadonlySet<JobVertexId>): boolean {
  return region.has(edge.sourceVertex) || region.has(edge.targetVertex);
}

function vertexDetails(vertex: JobVertex, subtasks: readonly Execution[]): VertexDetails {
  const { id, name, parallelism, maxParallelism, slotSharingGroup } = vertex;
  return { id, name, parallelism, maxParallelism, slotSharingGroup, subtasks: subtasks.map(subtaskDetails) };
}

function subtaskDetails(execution: Execution): SubtaskDetails {
  const { vertex: _, generation: __, ...details } = execution;
  return { ...details, stateTimestampsMs: { ...details.stateTimestampsMs } };
}
