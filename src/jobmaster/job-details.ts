/** A job as REST, the command line and the archive of finished jobs show it. Plain data, taken from the execution graph. */
import type { JobGraph } from '../graph/job-graph.ts';
import type { AccumulatorValue, TaskIoMetrics, TaskLocation } from '../protocol/deployment.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import type { AllocationId, ExecutionAttemptId, JobId, JobVertexId } from '../protocol/ids.ts';
import type { ExecutionState, JobStatus } from '../protocol/states.ts';

/** Wall clock at which each state was entered, ms; absent when it was not. */
export type StateTimestamps<S extends string> = Readonly<Partial<Record<S, number>>>;

/** The current attempt of one subtask. */
export interface SubtaskDetails {
  readonly subtaskIndex: number;
  readonly attemptId: ExecutionAttemptId;
  readonly attemptNumber: number;
  readonly state: ExecutionState;
  /** Null until it is deployed. */
  readonly location: TaskLocation | null;
  readonly allocationId: AllocationId | null;
  readonly stateTimestampsMs: StateTimestamps<ExecutionState>;
  readonly error: ErrorInfo | null;
  readonly metrics: TaskIoMetrics;
  readonly accumulators: Readonly<Record<string, AccumulatorValue>>;
}

/** One vertex with all its subtasks, ascending. */
export interface VertexDetails {
  readonly id: JobVertexId;
  readonly name: string;
  readonly parallelism: number;
  readonly maxParallelism: number;
  readonly slotSharingGroup: string;
  readonly subtasks: readonly SubtaskDetails[];
}

/** One failure of a task, or of the job as a whole. */
export interface TaskFailure {
  readonly error: ErrorInfo;
  readonly timestampMs: number;
  /** Null for a failure of the job as a whole. Flink's form: `map (1/2) - execution #0`. */
  readonly taskName: string | null;
  readonly location: TaskLocation | null;
}

/** One failure that the job had to deal with, newest first in `JobDetails.failures`. */
export interface JobFailure extends TaskFailure {
  /** What else failed before the job ran again, in order. At most `CONCURRENT_FAILURES_MAX`. */
  readonly concurrent: readonly TaskFailure[];
  /** How many more there were. */
  readonly concurrentDropped: number;
}

/** One job. */
export interface JobDetails {
  readonly jobId: JobId;
  readonly name: string;
  readonly status: JobStatus;
  readonly startTimeMs: number;
  /** -1 while the job runs. */
  readonly endTimeMs: number;
  readonly stateTimestampsMs: StateTimestamps<JobStatus>;
  /** In the order of `jobGraph.vertices`. Empty when the job failed before its execution graph was made. */
  readonly vertices: readonly VertexDetails[];
  /** At most `web.exception-history-size`; the newest is there in any case. */
  readonly failures: readonly JobFailure[];
  /** Merged over all subtasks. */
  readonly accumulators: Readonly<Record<string, AccumulatorValue>>;
  readonly jobGraph: JobGraph;
}

/** Kept for each failure: the loss of a TaskManager fails all of its tasks. */
export const CONCURRENT_FAILURES_MAX = 64;
