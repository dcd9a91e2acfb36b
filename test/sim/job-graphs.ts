/** Job graphs for the simulator: lines of vertices without a program, since simulated slots build none. */
import type { JobEdge, JobGraph, JobVertex } from '../../src/graph/job-graph.ts';
import type { JobId, JobVertexId, OperatorId, PlanDigest } from '../../src/protocol/ids.ts';
import type { JobPlan } from './scenario.ts';
import type { SeededRandom } from './seeded-random.ts';

/** The graph of one planned job. */
export function lineGraph(plan: JobPlan, random: SeededRandom, submittedAtMs: number): JobGraph {
  const vertices = Array.from({ length: plan.vertices }, (_, i): JobVertex => ({
    id: random.hex(16) as JobVertexId,
    name: i === 0 ? 'Source: simulated' : `Map ${i}`,
    description: 'simulated',
    operators: [{ nodeId: i + 1, operatorId: random.hex(16) as OperatorId, uid: null, name: `operator ${i}`, kind: 'map', data: {} }],
    parallelism: plan.parallelism,
    maxParallelism: 128,
    maxParallelismSet: false,
      isSerial: false,
    slotSharingGroup: 'default',
  }));
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
    jobId: random.hex(16) as JobId,
    name: `line of ${plan.vertices} at ${plan.parallelism}`,
    program: { kind: 'registered', id: 'simulated' },
    args: {},
    configuration: {
      ...(plan.restartAttempts === 0 ? { 'restart-strategy.type': 'none' } : {
        'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.attempts': String(plan.restartAttempts),
        'restart-strategy.fixed-delay.delay': '200 ms',
      }),
      ...(plan.checkpointIntervalMs === null ? {} : {
        'execution.checkpointing.interval': `${plan.checkpointIntervalMs} ms`, 'execution.checkpointing.timeout': '3 s',
        'execution.checkpointing.tolerable-failed-checkpoints': '3',
      }),
    },
    plan: { nodes: [], edges: [], configuration: {} },
    planDigest: random.hex(32) as PlanDigest,
    vertices,
    edges,
    submittedAtMs,
  };
}
