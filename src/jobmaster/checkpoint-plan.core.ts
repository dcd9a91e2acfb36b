/**
 * Which tasks take part in a checkpoint: those that run must acknowledge it; the barrier enters at running
 * tasks that no running task feeds (the sources, until some have finished); finished tasks are on record.
 * A task that has passed its end on and waits for its final checkpoint feeds nobody: its barriers stay with it.
 *
 * Source: Flink `DefaultCheckpointPlanCalculator`, FLIP-147.
 */
import { present } from '../base/assert.ts';
import { consumersOf, type JobGraph } from '../graph/job-graph.ts';
import type { ExecutionAttemptId, JobVertexId } from '../protocol/ids.ts';
import type { ExecutionState } from '../protocol/states.ts';
import type { Execution } from './execution-graph.core.ts';

/** The tasks of one checkpoint. */
export interface CheckpointPlan {
  /** Where the barrier enters. */
  readonly toTrigger: readonly Execution[];
  /** All that run. */
  readonly toAcknowledge: readonly Execution[];
  readonly finished: readonly Execution[];
  /** Why only the last checkpoint of the job may be taken; null: any may. */
  readonly refusal: string | null;
}

/** What Flink says when a checkpoint cannot begin. */
const NOT_ALL_RUNNING = 'Not all required tasks are currently running.';
const TASKS_FINISHED = 'Some tasks of the job have already finished and checkpointing with finished tasks is not enabled.';

/** The plan for the tasks as they are, or why there is none. Tasks `atEnd` run, but pass no barrier on any more. */
export function checkpointPlanOf(
  jobGraph: JobGraph, executions: readonly Execution[], afterTasksFinish: boolean, atEnd: ReadonlySet<ExecutionAttemptId>,
): CheckpointPlan | string {
  const inState = (wanted: ExecutionState): Execution[] => executions.filter(({ state }) => state === wanted);
  const [running, finished] = [inState('RUNNING'), inState('FINISHED')];
  if (running.length === 0 || running.length + finished.length < executions.length) return NOT_ALL_RUNNING;
  if (finished.length > 0 && !afterTasksFinish) return TASKS_FINISHED;
  const isWhole = finished.length === 0 && atEnd.size === 0;
  const toTrigger = isWhole ? sourcesOf(jobGraph, running) : headsOf(jobGraph, running, atEnd);
  return { toTrigger, toAcknowledge: running, finished, refusal: partlyFinishedUnion(jobGraph, finished) };
}

/**
 * Union lists of subtasks that are gone would be missing in what the others are restored with. Unlike Flink, which fails such a
 * checkpoint: it does not begin, and does not count as failed.
 */
function partlyFinishedUnion({ vertices }: JobGraph, finished: readonly Execution[]): string | null {
  for (const { id, operators, parallelism } of finished.length === 0 ? [] : vertices) {
    const union = operators.find(({ data }) => data['unionState'] === true);
    const count = finished.filter(({ vertex }) => vertex.id === id).length;
    if (union === undefined || count === 0 || count === parallelism) continue;
    return `The vertex ${union.name} (id = ${id}) has used UnionListState, but part of its tasks are FINISHED.`;
  }
  return null;
}

function sourcesOf({ edges }: JobGraph, running: readonly Execution[]): Execution[] {
  return running.filter(({ vertex }) => !edges.some(({ targetVertex }) => targetVertex === vertex.id));
}

/** Running tasks without a running producer that passes barriers on. */
function headsOf({ edges, vertices }: JobGraph, running: readonly Execution[], atEnd: ReadonlySet<ExecutionAttemptId>): Execution[] {
  const key = (vertexId: JobVertexId, subtaskIndex: number): string => `${vertexId}_${subtaskIndex}`;
  const parallelism = new Map(vertices.map((vertex) => [vertex.id, vertex.parallelism]));
  const countOf = (id: JobVertexId): number => present(parallelism.get(id), 'an edge joins two vertices');
  const feeding = running.filter(({ attemptId }) => !atEnd.has(attemptId));
  const fed = new Set<string>();
  for (const { sourceVertex, targetVertex, partitioning } of edges) {
    const counts = { producers: countOf(sourceVertex), consumers: countOf(targetVertex) };
    for (const { subtaskIndex } of feeding.filter(({ vertex }) => vertex.id === sourceVertex)) {
      for (const consumer of consumersOf(partitioning, subtaskIndex, counts)) fed.add(key(targetVertex, consumer));
    }
  }
  return running.filter(({ vertex, subtaskIndex }) => !fed.has(key(vertex.id, subtaskIndex)));
}
