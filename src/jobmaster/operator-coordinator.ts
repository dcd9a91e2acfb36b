/**
 * Operator coordinators: the part of an operator that lives at the JobMaster, one per operator. A source's
 * coordinator drives its split enumerator, a collect sink's takes the results. They talk with their subtasks
 * through operator events, and never run user code on the JobManager's main thread.
 */
import type { ChainedOperator, JobGraph, JobVertex } from '../graph/job-graph.ts';
import type { OperatorEvent, OperatorEventBody } from '../protocol/deployment.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import type { JsonValue } from '../protocol/json.ts';

/** Called by the JobMaster, one call at a time. */
export interface OperatorCoordinator {
  start(): void;
  onOperatorEvent(event: OperatorEvent): void;
  /** The subtask's attempt is gone; what it held comes back. */
  onSubtaskFailed(subtaskIndex: number, reason: ErrorInfo): void;
  /**
   * Answers, once, what the coordinator's successor resumes from: everything that it has sent to its subtasks before belongs
   * to this, nothing that it sends after. Absent: it keeps nothing.
   */
  snapshot?(checkpointId: number, answer: (state: JsonValue) => void): void;
  /** Idempotent. */
  close(): void;
}

/** A coordinator whose subtasks hand results to a client. */
export interface CollectingCoordinator extends OperatorCoordinator {
  /** `sink.collect`'s id. */
  readonly collectId: string;
  /** Values from index `from` on, which forgets those before; waits up to `waitMs` for the first. */
  poll(from: number, waitMs: number): Promise<{ readonly from: number; readonly values: readonly JsonValue[]; readonly ended: boolean }>;
  /** All of its subtasks begin anew. What has come stays to be polled; what they send again comes again. */
  subtasksRestarted(): void;
  /** The job is over: nothing more will come. What has come stays to be polled. */
  jobEnded(): void;
}

/** What a coordinator may do. */
export interface CoordinatorContext {
  /** Dropped when the subtask does not run: its next attempt registers anew. */
  sendToSubtask(subtaskIndex: number, body: OperatorEventBody): void;
  /** Fails the job. */
  fail(error: ErrorInfo): void;
}

/** The operator that a coordinator is for. */
export interface CoordinatedOperator {
  readonly jobGraph: JobGraph;
  readonly vertex: JobVertex;
  readonly operator: ChainedOperator;
  /** What `snapshot` answered for the checkpoint that the job goes on from; null: it begins anew. */
  readonly restored: JsonValue | null;
}

/** Makes the coordinator of an operator; null when it needs none. */
export type CoordinatorMaker = (operator: CoordinatedOperator, context: CoordinatorContext) => OperatorCoordinator | null;

/** Whether a coordinator collects results. */
export function isCollecting(coordinator: OperatorCoordinator): coordinator is CollectingCoordinator {
  return 'collectId' in coordinator && 'poll' in coordinator;
}
