/**
 * StreamGraph → JobGraph: chains become vertices, the edges between them become job edges, and user code is
 * left behind. The result is plain data and is all that a JobManager needs to schedule and to recover the job.
 */
import { present } from '../base/assert.ts';
import type { JobId, JobVertexId } from '../protocol/ids.ts';
import type { JsonObject } from '../protocol/json.ts';
import { chainsOf, type Chain, type ChainingOptions } from './chains.ts';
import type { JobEdge, JobGraph, JobVertex, ProgramRef } from './job-graph.ts';
import { digestOf, planOf } from './plan.ts';
import { checkPlanRules } from './plan-rules.ts';
import type { StreamEdge, StreamGraph, StreamNode } from './stream-graph.ts';

/** Everything of a submission besides the program's graph. */
export interface JobGraphOptions {
  readonly jobId: JobId;
  readonly program: ProgramRef;
  readonly args: JsonObject;
  /** The `BuildSettings.configuration` that the graph was built with. */
  readonly configuration: Readonly<Record<string, string>>;
  readonly submittedAtMs: number;
}

/** Makes the JobGraph of a built program. Throws PLAN_INVALID when it breaks a rule that the configuration sets. */
export function jobGraphOf(graph: StreamGraph, options: JobGraphOptions): JobGraph {
  const configuration = { ...options.configuration, ...graph.configuration };
  const { chains, crossing } = chainsOf(graph, chainingOptions(configuration));
  checkPlanRules(graph, crossing, configuration);
  const vertexOf = new Map(chains.flatMap((chain) => chain.nodes.map((node) => [node.id, vertexIdOf(chain)] as const)));
  const plan = planOf(graph);
  return {
    formatVersion: 1,
    jobId: options.jobId,
    name: configuration['pipeline.name'] ?? graph.jobName,
    program: options.program,
    args: options.args,
    configuration,
    plan,
    planDigest: digestOf(plan),
    vertices: topological(chains, crossing, vertexOf).map(jobVertex),
    edges: crossing.map((edge, index) => jobEdge(edge, index, vertexOf)),
    submittedAtMs: options.submittedAtMs,
  };
}

function chainingOptions(configuration: Readonly<Record<string, string>>): ChainingOptions {
  return {
    enabled: configuration['pipeline.operator-chaining.enabled'] !== 'false',
    mixesMaxParallelism: configuration['pipeline.operator-chaining.chain-operators-with-different-max-parallelism'] !== 'false',
  };
}

/** A vertex is named by the operator at its head, so it is as stable as that operator's id. */
function vertexIdOf(chain: Chain): JobVertexId {
  return chain.head.operatorId as string as JobVertexId;
}

function jobVertex(chain: Chain): JobVertex {
  return {
    id: vertexIdOf(chain),
    name: chain.name,
    description: chain.description,
    operators: chain.nodes.map(chainedOperator),
    parallelism: chain.head.parallelism,
    maxParallelism: chain.head.maxParallelism,
    maxParallelismSet: chain.nodes.some(({ maxParallelismSet }) => maxParallelismSet),
    slotSharingGroup: chain.head.slotSharingGroup,
    isSerial: chain.nodes.some(({ isSerial }) => isSerial),
  };
}

function chainedOperator(node: StreamNode): JobVertex['operators'][number] {
  const { id: nodeId, operatorId, uid, name, spec } = node;
  return { nodeId, operatorId, uid, name, kind: spec.kind, data: spec.data };
}

function jobEdge(edge: StreamEdge, index: number, vertexOf: ReadonlyMap<number, JobVertexId>): JobEdge {
  return {
    index,
    sourceVertex: vertexWith(edge.source, vertexOf),
    targetVertex: vertexWith(edge.target, vertexOf),
    sourceNodeId: edge.source,
    targetNodeId: edge.target,
    inputIndex: edge.inputIndex,
    sideOutput: edge.sideOutput,
    partitioning: edge.partitioning.kind,
    partitionType: 'pipelined',
  };
}

function vertexWith(nodeId: number, vertexOf: ReadonlyMap<number, JobVertexId>): JobVertexId {
  return present(vertexOf.get(nodeId), 'every operator is in a chain');
}

/** Sources first; a chain comes once all chains that feed it have come. Ties in build order. */
function topological(
  chains: readonly Chain[],
  crossing: readonly StreamEdge[],
  vertexOf: ReadonlyMap<number, JobVertexId>,
): readonly Chain[] {
  const sorted: Chain[] = [];
  const done = new Set<JobVertexId>();
  const isReady = (chain: Chain) =>
    crossing.every((edge) => vertexWith(edge.target, vertexOf) !== vertexIdOf(chain) || done.has(vertexWith(edge.source, vertexOf)));
  let waiting = [...chains];
  while (waiting.length > 0) {
    const chain = present(waiting.find(isReady), 'a program has no cycles');
    done.add(vertexIdOf(chain));
    sorted.push(chain);
    waiting = waiting.filter((other) => other !== chain);
  }
  return sorted;
}
