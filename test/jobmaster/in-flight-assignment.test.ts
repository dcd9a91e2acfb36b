/** Who takes over in-flight records: over random parallelisms each record has one new place, and where it cannot, it is refused. */
import test from 'ava';
import fc from 'fast-check';
import type { CheckpointMetadata } from '../../src/checkpoint/checkpoint-metadata.ts';
import { edgeKeyOf, sourceKeyOf, type JobEdge, type JobGraph, type JobVertex } from '../../src/graph/job-graph.ts';
import { keyGroupRangeOf, operatorIndexOf } from '../../src/graph/key-groups.ts';
import { checkInFlight, inFlightOf } from '../../src/jobmaster/in-flight-assignment.core.ts';
import { lineGraph } from '../testing/job-graphs.ts';

type Kind = JobEdge['partitioning'];

/** Two vertices, the consumer with `parallelism`. */
function graphOf(kind: Kind, parallelism: number): JobGraph {
  const graph = lineGraph(1, [2, parallelism]);
  return { ...graph, edges: graph.edges.map((edge) => ({ ...edge, partitioning: kind })) };
}

/** What `former` consumers kept, of one channel each. */
function metadataOf(graph: JobGraph, former: number, edge = edgeKeyOf(graph, graph.edges[0] as JobEdge)): CheckpointMetadata {
  const [{ operatorId }] = (graph.vertices[1] as JobVertex).operators as readonly [JobVertex['operators'][number]];
  const subtasks = Array.from({ length: former }, (_, consumerIndex) => ({
    operatorId, subtaskIndex: consumerIndex, keyed: [], operator: null,
    inFlight: {
      channels: [{ edge, producerIndex: 0, consumerIndex, consumerCount: former, side: 'input' as const, tag: 0, consumed: null }],
      data: { kind: 'inline' as const, base64: '', sizeBytes: 0, sha256: `${consumerIndex}` },
    },
  }));
  return {
    jobId: graph.jobId, checkpointId: 7, kind: 'checkpoint', format: null, timestampMs: 0,
    operators: [{ operatorId, uid: null, name: 'counts', parallelism: former, maxParallelism: 128, finished: 'none', coordinator: null, subtasks }],
  };
}

/** By new subtask: the former consumers whose channels it takes. */
function takenIn(graph: JobGraph, metadata: CheckpointMetadata, vertexIndex = 1): number[][] {
  const vertex = graph.vertices[vertexIndex] as JobVertex;
  return Array.from({ length: vertex.parallelism }, (_, index) => inFlightOf(graph, vertex, index, metadata).map(({ consumerIndex }) => consumerIndex));
}

const parallelism = fc.integer({ min: 1, max: 12 });
const KINDS: readonly Kind[] = ['hash', 'custom', 'rebalance', 'shuffle', 'global', 'forward', 'rescale', 'broadcast'];

for (const kind of KINDS) {
  test(`With as many consumers as before every channel stays where it was: ${kind}`, (t) => {
    const graph = graphOf(kind, 3);
    const metadata = metadataOf(graph, 3);
    t.notThrows(() => checkInFlight(graph, metadata));
    t.deepEqual(takenIn(graph, metadata), [[0], [1], [2]]);
    t.true(inFlightOf(graph, graph.vertices[1] as JobVertex, 0, metadata).every(({ isShared }) => !isShared));
  });
}

test('Keyed records are offered to the new owner of every key group that their former consumer had', (t) => {
  fc.assert(fc.property(parallelism, parallelism, (former, now) => {
    const graph = graphOf('hash', now);
    const taken = takenIn(graph, metadataOf(graph, former));
    for (let consumer = 0; consumer < former; consumer++) {
      const { first, last } = keyGroupRangeOf(consumer, 128, former);
      for (let group = first; group <= last; group++) t.true(taken[operatorIndexOf(group, 128, now)]?.includes(consumer));
    }
  }));
});

for (const kind of ['rebalance', 'shuffle', 'global'] as const) {
  test(`Records that may go anywhere go to one subtask: ${kind}`, (t) => {
    fc.assert(fc.property(parallelism, parallelism, (former, now) => {
      const graph = graphOf(kind, now);
      t.deepEqual(takenIn(graph, metadataOf(graph, former)).flat().toSorted((a, b) => a - b), Array.from({ length: former }, (_, i) => i));
    }));
  });
}

test('What a source held goes to one of its subtasks each', (t) => {
  const graph = lineGraph(1, [2, 3]);
  const [{ operatorId }] = (graph.vertices[0] as JobVertex).operators as readonly [JobVertex['operators'][number]];
  t.deepEqual(takenIn(graph, metadataOf(graph, 5, sourceKeyOf(operatorId)), 0), [[0, 2, 4], [1, 3]]);
});

for (const kind of ['forward', 'rescale', 'broadcast'] as const) {
  test(`Records with one place, or all, are refused at another parallelism, by name and with a way on: ${kind}`, (t) => {
    const graph = graphOf(kind, 2);
    const message = /Checkpoint 7 is unaligned .* operator 'counts'.* Start from a savepoint/;
    t.throws(() => checkInFlight(graph, metadataOf(graph, 3)), { code: 'STATE_INCOMPATIBLE', message });
  });
}

test('Records of an edge that is gone are refused', (t) => {
  const graph = graphOf('hash', 2);
  t.throws(() => checkInFlight(graph, metadataOf(graph, 2, 'gone')), { code: 'STATE_INCOMPATIBLE', message: /no such edge any more/ });
});
