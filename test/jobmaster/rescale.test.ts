/** Bounds of parallelism against what is said of them: checked by cases, and fitted to slots over random jobs. */
import test from 'ava';
import fc from 'fast-check';
import type { JobGraph, ResourceRequirements } from '../../src/graph/job-graph.ts';
import { checkRequirements, requirementsOf, rescaledGraph, slotsNeeded } from '../../src/jobmaster/rescale.core.ts';
import type { JobVertexId } from '../../src/protocol/ids.ts';
import { sharedSlotsOf } from '../../src/slots/slot-pool.core.ts';
import { lineGraph } from '../testing/job-graphs.ts';

function boundsOf(jobGraph: JobGraph, bounds: readonly (readonly [number, number])[]): ResourceRequirements {
  return Object.fromEntries(jobGraph.vertices.map(({ id }, i) => {
    const [lowerBound, upperBound] = bounds[i] ?? [1, 1];
    return [id, { lowerBound, upperBound }];
  }));
}

/** The second edge onwards joins pairs. */
function withForwardEdges(jobGraph: JobGraph): JobGraph {
  return { ...jobGraph, edges: jobGraph.edges.map((edge) => (edge.index === 0 ? edge : { ...edge, partitioning: 'forward' })) };
}

test('Until somebody sets bounds a vertex may have one subtask to as many as it has', (t) => {
  const graph = lineGraph(1, [2, 3]);
  t.deepEqual(Object.values(requirementsOf(graph)), [{ lowerBound: 1, upperBound: 2 }, { lowerBound: 1, upperBound: 3 }]);
  const set = boundsOf(graph, [[2, 4], [2, 4]]);
  t.deepEqual(requirementsOf({ ...graph, resourceRequirements: set }), set);
});

test('Bounds that cannot be are refused, each with its vertex', (t) => {
  const graph = lineGraph(1, [2, 2, 2]);
  const refused = (requirements: ResourceRequirements, message: RegExp, of: JobGraph = graph): void => {
    t.throws(() => checkRequirements(of, requirements), { code: 'BAD_REQUEST', message });
  };
  const good = boundsOf(graph, [[1, 4], [1, 4], [1, 4]]);
  t.notThrows(() => checkRequirements(graph, good));
  const { [graph.vertices[1]?.id as JobVertexId]: _, ...missing } = good;
  refused(missing, /The bounds of vertex \w+ \('Map 1'\) are missing/);
  refused({ ...good, ['f'.repeat(32)]: { lowerBound: 1, upperBound: 1 } }, /no vertex f{32}/);
  refused(boundsOf(graph, [[0, 4], [1, 4], [1, 4]]), /bounds of vertex \w+ \('Source: numbers'\) are 0 to 4/);
  refused(boundsOf(graph, [[1.5, 4], [1, 4], [1, 4]]), /integers/);
  refused(boundsOf(graph, [[4, 3], [1, 4], [1, 4]]), /lower bound 4 .* is above its upper bound 3/);
  refused(boundsOf(graph, [[1, 4], [1, 129], [1, 4]]), /upper bound 129 .* exceeds its maximum parallelism 128/);
  const serial = { ...graph, vertices: graph.vertices.map((vertex, i) => (i === 0 ? { ...vertex, parallelism: 1, isSerial: true } : vertex)) };
  refused(good, /one subtask only/, serial);
  refused(boundsOf(graph, [[1, 4], [1, 4], [1, 3]]), /'Map 1' .* and 'Map 2' .* joined by a forward edge/, withForwardEdges(graph));
});

const job = fc.record({
  parallelisms: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 4 }),
  bounds: fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.nat(6)).map(([lower, more]) => [lower, lower + more] as const), { minLength: 4, maxLength: 4 }),
  groups: fc.array(fc.constantFrom('default', 'other'), { minLength: 4, maxLength: 4 }),
  isPaired: fc.boolean(),
  slots: fc.nat(30),
});

test('A rescaled job is within its bounds and its slots, pairs stay pairs, and more slots never make it narrower', (t) => {
  fc.assert(fc.property(job, ({ parallelisms, bounds, groups, isPaired, slots }) => {
    const plain = lineGraph(1, parallelisms);
    const grouped = { ...plain, vertices: plain.vertices.map((vertex, i) => ({ ...vertex, slotSharingGroup: groups[i] ?? 'default' })) };
    const graph = isPaired ? withForwardEdges(grouped) : grouped;
    const requirements = boundsOf(graph, isPaired ? bounds.map((each, i) => (i === 0 ? each : bounds[1] ?? each)) : bounds);
    checkRequirements(graph, requirements);
    const next = rescaledGraph(graph, requirements, slots);
    t.is(next === null, slots < slotsNeeded(graph, requirements));
    if (next === null) return;
    t.true(sharedSlotsOf(next).length <= slots);
    for (const { id, parallelism } of next.vertices) {
      const { lowerBound, upperBound } = requirements[id] ?? { lowerBound: 0, upperBound: 0 };
      t.true(parallelism >= lowerBound && parallelism <= upperBound);
    }
    const widthOf = (each: JobGraph, id: JobVertexId): number => each.vertices.find((vertex) => vertex.id === id)?.parallelism ?? 0;
    for (const edge of next.edges) if (edge.partitioning === 'forward') t.is(widthOf(next, edge.sourceVertex), widthOf(next, edge.targetVertex));
    const wider = rescaledGraph(graph, requirements, slots + 1);
    for (const { id, parallelism } of next.vertices) t.true(widthOf(wider ?? next, id) >= parallelism);
    t.is(next.revision, 1);
    t.is(next.planDigest, graph.planDigest, 'slots rebuild the same program');
  }));
});
