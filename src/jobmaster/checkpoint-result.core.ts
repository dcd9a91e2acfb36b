/** From the acknowledgements of a checkpoint to its metadata. */
import type { CheckpointMetadata, OperatorState } from '../checkpoint/checkpoint-metadata.ts';
import type { ChainedOperator, JobGraph, JobVertex } from '../graph/job-graph.ts';
import { isStateless } from '../protocol/checkpoint.ts';
import type { OperatorId } from '../protocol/ids.ts';
import type { JsonValue } from '../protocol/json.ts';
import type { PendingCheckpoint } from './checkpoint-coordinator.core.ts';

/** The metadata of a checkpoint that every task has acknowledged. `coordinators`: their snapshots. */
export function checkpointResultOf(
  jobGraph: JobGraph, pending: PendingCheckpoint, coordinators: ReadonlyMap<OperatorId, JsonValue>,
): CheckpointMetadata {
  const { checkpointId, kind, timestampMs, request } = pending;
  const operators = jobGraph.vertices.flatMap((vertex) => {
    return vertex.operators.map((operator) => operatorState(vertex, operator, pending, coordinators.get(operator.operatorId) ?? null));
  });
  return { jobId: jobGraph.jobId, checkpointId, kind, format: request?.format ?? null, timestampMs, operators };
}

function operatorState(vertex: JobVertex, operator: ChainedOperator, pending: PendingCheckpoint, coordinator: JsonValue): OperatorState {
  const { operatorId, name, uid, data } = operator;
  const union = data['unionState'] === true ? { union: true as const } : {};
  const { plan, acks } = pending;
  const finishedCount = plan.finished.filter((execution) => execution.vertex.id === vertex.id).length;
  const subtasks = plan.toAcknowledge.filter((execution) => execution.vertex.id === vertex.id).flatMap(({ attemptId, subtaskIndex }) => {
    const states = acks.get(attemptId)?.operators.filter((state) => state.operatorId === operatorId) ?? [];
    return states.filter((state) => !isStateless(state)).map((state) => ({ ...state, subtaskIndex, ...union }));
  });
  return {
    operatorId, name, uid, parallelism: vertex.parallelism, maxParallelism: vertex.maxParallelism, coordinator, subtasks,
    finished: finishedCount === 0 ? 'none' : finishedCount === vertex.parallelism ? 'all' : 'some',
  };
}

/** Sums over all tasks. */
export interface CheckpointSizes {
  readonly stateSizeBytes: number;
  /** What this checkpoint alone wrote. */
  readonly checkpointedSizeBytes: number;
}

export function sizesOf({ acks }: PendingCheckpoint): CheckpointSizes {
  let [stateSizeBytes, checkpointedSizeBytes] = [0, 0];
  for (const { metrics } of acks.values()) {
    stateSizeBytes += metrics.stateSizeBytes;
    checkpointedSizeBytes += metrics.checkpointedSizeBytes;
  }
  return { stateSizeBytes, checkpointedSizeBytes };
}
