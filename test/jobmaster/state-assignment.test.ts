/** Redistribution: each key group and each operator state reaches exactly those subtasks that need it, at any parallelism. */
import test from 'ava';
import fc from 'fast-check';
import type { CheckpointMetadata } from '../../src/checkpoint/checkpoint-metadata.ts';
import type { JobGraph, JobVertex } from '../../src/graph/job-graph.ts';
import { keyGroupRangeOf } from '../../src/graph/key-groups.ts';
import { checkMaxParallelism, restoredMaxParallelism } from '../../src/jobmaster/restored-max-parallelism.core.ts';
import { restoreOf, unclaimedOperators } from '../../src/jobmaster/state-assignment.core.ts';
import type { JobId, OperatorId } from '../../src/protocol/ids.ts';
import { lineGraph } from '../testing/job-graphs.ts';

const MAX_PARALLELISM = 128;

function vertexOf(jobGraph: JobGraph): JobVertex {
  const [vertex] = jobGraph.vertices;
  if (!vertex) throw new Error('a graph has a vertex');
  return vertex;
}

/** Every subtask has a keyed handle and operator state that names it. */
function metadataOf(operatorId: OperatorId, parallelism: number, options: { readonly union?: true } = {}): CheckpointMetadata {
  return {
    jobId: 'j' as JobId, checkpointId: 5, kind: 'savepoint', format: 'CANONICAL', timestampMs: 0,
    operators: [{
      operatorId, name: 'count', uid: 'u', parallelism, maxParallelism: MAX_PARALLELISM, finished: 'none', coordinator: null,
      subtasks: Array.from({ length: parallelism }, (_, subtaskIndex) => {
        const { first, last } = keyGroupRangeOf(subtaskIndex, MAX_PARALLELISM, parallelism);
        const data = { kind: 'inline' as const, base64: '', sha256: `${subtaskIndex}` };
        return { operatorId, subtaskIndex, keyed: [{ firstKeyGroup: first, lastKeyGroup: last, meta: {}, data }], operator: data, ...options };
      }),
    }],
  };
}

const parallelism = fc.integer({ min: 1, max: MAX_PARALLELISM });

test('Each subtask gets the handles of its key groups and no others, each key group goes to one subtask', (t) => {
  fc.assert(fc.property(parallelism, parallelism, (before, now) => {
    const vertex = vertexOf(lineGraph(1, [now]));
    const metadata = metadataOf(vertex.operators[0]?.operatorId as OperatorId, before);
    for (let subtaskIndex = 0; subtaskIndex < now; subtaskIndex++) {
      const { first, last } = keyGroupRangeOf(subtaskIndex, MAX_PARALLELISM, now);
      const handles = restoreOf(vertex, subtaskIndex, metadata).operators.flatMap(({ keyed }) => keyed);
      const groups = handles.flatMap(({ firstKeyGroup, lastKeyGroup }) => {
        t.true(firstKeyGroup <= last && lastKeyGroup >= first);
        const [from, to] = [Math.max(first, firstKeyGroup), Math.min(last, lastKeyGroup)];
        return Array.from({ length: to - from + 1 }, (_, i) => from + i);
      });
      t.deepEqual(groups, Array.from({ length: last - first + 1 }, (_, i) => first + i));
    }
  }), { numRuns: 40 });
});

test('Operator state stays where it is, goes to all when the parallelism changes, and to all when it is a union', (t) => {
  const takers = (before: number, now: number, options: { readonly union?: true } = {}): number[][] => {
    const vertex = vertexOf(lineGraph(1, [now]));
    const metadata = metadataOf(vertex.operators[0]?.operatorId as OperatorId, before, options);
    return Array.from({ length: now }, (_, subtaskIndex) => {
      const { operators, formerParallelism } = restoreOf(vertex, subtaskIndex, metadata);
      t.deepEqual(Object.values(formerParallelism), [before]);
      return operators.filter(({ operator }) => operator !== null).map((state) => state.subtaskIndex);
    });
  };
  t.deepEqual(takers(2, 2), [[0], [1]]);
  t.deepEqual(takers(2, 3), [[0, 1], [0, 1], [0, 1]]);
  t.deepEqual(takers(3, 1), [[0, 1, 2]]);
  t.deepEqual(takers(2, 2, { union: true }), [[0, 1], [0, 1]]);
});

test('State of an operator that the program no longer has is refused, or skipped when that is allowed', (t) => {
  const jobGraph = lineGraph(1, [1]);
  const metadata = metadataOf('f'.repeat(32) as OperatorId, 1);
  const location = 'file:/s';
  t.throws(() => unclaimedOperators(jobGraph, metadata, { location, mayBeSkipped: false }), {
    code: 'STATE_INCOMPATIBLE', message: /^Failed to rollback to checkpoint\/savepoint file:\/s\. .*'count', uid 'u'.*--allowNonRestoredState/s,
  });
  t.deepEqual(unclaimedOperators(jobGraph, metadata, { location, mayBeSkipped: true }).map(({ name }) => name), ['count']);
  t.deepEqual(restoreOf(vertexOf(jobGraph), 0, metadata).operators, []);
});

test('A job takes the max parallelism of its state over unless it says its own; another is refused, and so is a parallelism above it', (t) => {
  const derived = withVertices(lineGraph(1, [2]), { maxParallelism: 256 });
  const metadata = metadataOf(vertexOf(derived).operators[0]?.operatorId as OperatorId, 2);
  const restored = restoredMaxParallelism(derived, metadata);
  t.is(vertexOf(restored).maxParallelism, MAX_PARALLELISM);
  t.notThrows(() => checkMaxParallelism(restored, metadata, 'file:/s'));
  const said = withVertices(derived, { maxParallelismSet: true });
  t.deepEqual(restoredMaxParallelism(said, metadata), said, 'what is said stays');
  t.throws(() => checkMaxParallelism(said, metadata, 'file:/s'), {
    code: 'STATE_INCOMPATIBLE', message: /savepoint file:\/s\. Max parallelism mismatch .*max parallelism 128 to new program with max parallelism 256/,
  });
  const wide = withVertices(derived, { parallelism: 200 });
  t.throws(() => checkMaxParallelism(restoredMaxParallelism(wide, metadata), metadata, 'file:/s'), {
    code: 'STATE_INCOMPATIBLE', message: /maximum parallelism \(128\) of the restored state is lower than the configured parallelism \(200\)/,
  });
});

function withVertices(jobGraph: JobGraph, change: Partial<JobVertex>): JobGraph {
  return { ...jobGraph, vertices: jobGraph.vertices.map((vertex) => ({ ...vertex, ...change })) };
}
