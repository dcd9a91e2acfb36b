/** Job graphs for tests of the control plane: lines of vertices without a program. */
import type { JobEdge, JobGraph, JobVertex } from '../../src/graph/job-graph.ts';
import type { JobId, JobVertexId, OperatorId, PlanDigest } from '../../src/protocol/ids.ts';

const hex = (seed: number): string => seed.toString(16).padStart(32, '0');

/** Vertices in a line, each with its parallelism, joined by hash edges. */
export function lineGraph(id: number, parallelisms: readonly number[], configuration: Readonly<Record<string, string>> = {}): JobGraph {
  const vertices = parallelisms.map(
    (parallelism, i): JobVertex => ({
      id: hex(id * 100 + i) as JobVertexId,
      name: i === 0 ? 'Source: numbers' : `Map ${i}`,
      description: '',
      operators: [{ nodeId: i + 1, operatorId: hex(id * 100 + i) as OperatorId, uid: null, name: `operator ${i}`, kind: 'map', data: {} }],
      parallelism,
      maxParallelism: 128,
      maxParallelismSet: false,
      isSerial: false,
      slotSharingGroup: 'default',
    }),
  );
  const edges = vertices.slice(1).map((target, i): JobEdge => ({
    index: i,
    sourceVertex: (vertices[i] as JobVertex).id,
    targetVertex: target.id,
    sourceNodeId: i + 1,
    targetNodeId: i + 2,
    inputIndex: 0,
    sideOutput: null,
    partitioning: 'hash',
    partitionType: 'pipelined',
  }));
  return {
    formatVersion: 1,
    jobId: hex(id) as JobId,
    name: `line ${id}`,
    program: { kind: 'registered', id: 'line' },
    args: {},
    configuration,
    plan: { nodes: [], edges: [], configuration: {} },
    planDigest: hex(0) as PlanDigest,
    vertices,
    edges,
    submittedAtMs: 1,
  };
}
