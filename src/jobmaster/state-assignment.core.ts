/**
 * Hands the state of a checkpoint to the subtasks of a job, which may have another parallelism than the one that
 * wrote it, and other operators. State is mapped by operator id.
 *
 *     keyed state       handles whose key groups meet the subtask's range
 *     operator state    parallelism unchanged: its own; else all of it, and the operator takes its share
 *     union state       all of it, always
 *
 * Source: Flink `StateAssignmentOperation`, `Checkpoints.loadAndValidateCheckpoint`.
 */
import { hasState, type CheckpointMetadata, type OperatorState } from '../checkpoint/checkpoint-metadata.ts';
import type { JobGraph, JobVertex } from '../graph/job-graph.ts';
import { keyGroupRangeOf } from '../graph/key-groups.ts';
import type { OperatorSubtaskState, TaskRestore } from '../protocol/checkpoint.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { OperatorId } from '../protocol/ids.ts';

/** Operators of the checkpoint that the job does not have and that have state; STATE_INCOMPATIBLE unless they may be skipped. */
export function unclaimedOperators(
  jobGraph: JobGraph, metadata: CheckpointMetadata, options: { readonly location: string; readonly mayBeSkipped: boolean },
): readonly OperatorState[] {
  const known = new Set(jobGraph.vertices.flatMap(({ operators }) => operators.map(({ operatorId }) => operatorId)));
  const unclaimed = metadata.operators.filter((state) => !known.has(state.operatorId) && hasState(state));
  const [first] = unclaimed;
  if (first === undefined || options.mayBeSkipped) return unclaimed;
  const uid = first.uid === null ? 'it had no uid' : `uid '${first.uid}'`;
  throw new ClusterError(
    'STATE_INCOMPATIBLE',
    `Failed to rollback to checkpoint/savepoint ${options.location}. Cannot map checkpoint/savepoint state for operator ` +
      `${first.operatorId} ('${first.name}', ${uid}) to the new program, because the operator is not available in the new program. ` +
      'If you want to allow to skip this, you can set the --allowNonRestoredState option on the CLI.',
  );
}

/** What one subtask starts from. */
export function restoreOf(vertex: JobVertex, subtaskIndex: number, metadata: CheckpointMetadata): TaskRestore {
  const ids = new Set<OperatorId>(vertex.operators.map(({ operatorId }) => operatorId));
  const states = metadata.operators.filter(({ operatorId }) => ids.has(operatorId));
  return {
    checkpointId: metadata.checkpointId,
    operators: states.flatMap((state) => shareOf(state, vertex, subtaskIndex)),
    formerParallelism: Object.fromEntries(states.map(({ operatorId, parallelism }) => [operatorId, parallelism])),
  };
}

function shareOf(state: OperatorState, vertex: JobVertex, subtaskIndex: number): OperatorSubtaskState[] {
  const isRescaled = state.parallelism !== vertex.parallelism;
  const range = keyGroupRangeOf(subtaskIndex, vertex.maxParallelism, vertex.parallelism);
  return state.subtasks.flatMap((former) => {
    const isOwn = !isRescaled && former.subtaskIndex === subtaskIndex;
    const keyed = former.keyed.filter(({ firstKeyGroup, lastKeyGroup }) => firstKeyGroup <= range.last && lastKeyGroup >= range.first);
    const operator = isRescaled || isOwn || former.union ? former.operator : null;
    const { inFlight: _, ...state } = former; // Its records are dealt out by edge: in-flight-assignment.core.ts.
    return keyed.length === 0 && operator === null ? [] : [{ ...state, keyed, operator }];
  });
}
