/**
 * States of jobs and executions and their legal transitions: the only place that lists them.
 *
 *     CREATED → SCHEDULED → DEPLOYING → INITIALIZING → RUNNING → FINISHED
 *        any non-terminal → CANCELING → CANCELED;   any non-terminal → FAILED
 *
 * Source: Flink `ExecutionState`, `JobStatus`. Note Flink's spelling: a job is CANCELLING, a task CANCELING.
 */

/** Where a job is. */
export type JobStatus =
  | 'INITIALIZING' | 'CREATED' | 'RUNNING' | 'FAILING' | 'FAILED' | 'CANCELLING' | 'CANCELED'
  | 'FINISHED' | 'RESTARTING' | 'SUSPENDED' | 'RECONCILING';

/** Where one attempt of one subtask is. */
export type ExecutionState =
  | 'CREATED' | 'SCHEDULED' | 'DEPLOYING' | 'INITIALIZING' | 'RUNNING' | 'FINISHED'
  | 'CANCELING' | 'CANCELED' | 'FAILED' | 'RECONCILING';

/** For each execution state, the states that may follow. */
export const EXECUTION_TRANSITIONS = {
  CREATED: ['SCHEDULED', 'CANCELED', 'FAILED'],
  SCHEDULED: ['DEPLOYING', 'CANCELED', 'FAILED'],
  DEPLOYING: ['INITIALIZING', 'RUNNING', 'CANCELING', 'FAILED'],
  INITIALIZING: ['RUNNING', 'CANCELING', 'FAILED'],
  RUNNING: ['FINISHED', 'CANCELING', 'FAILED'],
  CANCELING: ['CANCELED', 'FAILED', 'FINISHED'],
  RECONCILING: ['INITIALIZING', 'RUNNING', 'FINISHED', 'CANCELED', 'FAILED'],
  FINISHED: [],
  CANCELED: [],
  FAILED: [],
} as const satisfies Record<ExecutionState, readonly ExecutionState[]>;

/** For each job status, the statuses that may follow. */
export const JOB_TRANSITIONS = {
  INITIALIZING: ['CREATED', 'FAILED', 'CANCELED', 'SUSPENDED', 'RECONCILING'],
  CREATED: ['RUNNING', 'FAILING', 'CANCELLING', 'SUSPENDED'],
  RUNNING: ['FINISHED', 'FAILING', 'CANCELLING', 'RESTARTING', 'SUSPENDED'],
  RESTARTING: ['RUNNING', 'FAILING', 'CANCELLING', 'SUSPENDED', 'CREATED'],
  FAILING: ['FAILED', 'SUSPENDED'],
  CANCELLING: ['CANCELED', 'FAILED', 'SUSPENDED'],
  RECONCILING: ['RUNNING', 'RESTARTING', 'FAILING', 'CANCELLING', 'SUSPENDED'],
  SUSPENDED: [],
  FINISHED: [],
  CANCELED: [],
  FAILED: [],
} as const satisfies Record<JobStatus, readonly JobStatus[]>;

/** Whether `to` may follow `from`. */
export function isLegalExecutionTransition(from: ExecutionState, to: ExecutionState): boolean {
  return (EXECUTION_TRANSITIONS[from] as readonly ExecutionState[]).includes(to);
}

/** Whether `to` may follow `from`. */
export function isLegalJobTransition(from: JobStatus, to: JobStatus): boolean {
  return (JOB_TRANSITIONS[from] as readonly JobStatus[]).includes(to);
}

/** FINISHED, CANCELED or FAILED: the attempt holds nothing any more. */
export function isTerminalExecutionState(state: ExecutionState): boolean {
  return EXECUTION_TRANSITIONS[state].length === 0;
}

/** FINISHED, CANCELED or FAILED: the job will never run again, on any JobManager. */
export function isGloballyTerminal(status: JobStatus): boolean {
  return status !== 'SUSPENDED' && JOB_TRANSITIONS[status].length === 0;
}
