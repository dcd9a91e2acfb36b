/**
 * The number of key groups is fixed for as long as there is keyed state. A job that does not say its max parallelism takes that
 * of the state it is restored from; one that says another is refused, and so is a parallelism above it.
 *
 * Unlike Flink: operators without keyed state, whose number of key groups means nothing, are not held to what it was.
 *
 * Source: Flink `StateAssignmentOperation.checkParallelismPreconditions`, `Checkpoints.loadAndValidateCheckpoint`.
 */
import type { CheckpointMetadata, OperatorState } from '../checkpoint/checkpoint-metadata.ts';
import type { JobGraph, JobVertex } from '../graph/job-graph.ts';
import { ClusterError } from '../protocol/errors.ts';

/** The graph with the max parallelism of the state for every vertex that does not say its own. */
export function restoredMaxParallelism(jobGraph: JobGraph, metadata: CheckpointMetadata): JobGraph {
  const vertices = jobGraph.vertices.map((vertex): JobVertex => {
    const [state] = vertex.maxParallelismSet ? [] : keyedStates(vertex, metadata);
    const fits = state !== undefined && state.maxParallelism >= vertex.parallelism; // Otherwise it is refused by the check.
    return fits ? { ...vertex, maxParallelism: state.maxParallelism } : vertex;
  });
  return { ...jobGraph, vertices };
}

/** Throws STATE_INCOMPATIBLE when key groups changed: keys would be looked for in the wrong place. */
export function checkMaxParallelism(jobGraph: JobGraph, metadata: CheckpointMetadata, location: string): void {
  for (const vertex of jobGraph.vertices) {
    for (const state of keyedStates(vertex, metadata)) {
      const { operatorId, name, maxParallelism } = state;
      if (maxParallelism < vertex.parallelism) {
        throw new ClusterError(
          'STATE_INCOMPATIBLE',
          `The state for task ${vertex.id} (operator '${name}') can not be restored. The maximum parallelism (${maxParallelism}) of the ` +
            `restored state is lower than the configured parallelism (${vertex.parallelism}). Please reduce the parallelism of the task ` +
            'to be lower or equal to the maximum parallelism.',
        );
      }
      if (maxParallelism === vertex.maxParallelism) continue;
      throw new ClusterError(
        'STATE_INCOMPATIBLE',
        `Failed to rollback to checkpoint/savepoint ${location}. Max parallelism mismatch between checkpoint/savepoint state and new ` +
          `program. Cannot map operator ${operatorId} ('${name}') with max parallelism ${maxParallelism} to new program with max ` +
          `parallelism ${vertex.maxParallelism}. This indicates that the program has been changed in a non-compatible way after the ` +
          `checkpoint/savepoint. Set the max parallelism to ${maxParallelism}, or leave setMaxParallelism and pipeline.max-parallelism ` +
          'out to take over what the state has.',
      );
    }
  }
}

function keyedStates(vertex: JobVertex, metadata: CheckpointMetadata): readonly OperatorState[] {
  const ids = new Set<string>(vertex.operators.map(({ operatorId }) => operatorId));
  return metadata.operators.filter(({ operatorId, subtasks }) => ids.has(operatorId) && subtasks.some(({ keyed }) => keyed.length > 0));
}
