/**
 * Plans as tools read them: the dataflow plan of REST (`plan` of a job), by vertices, and the execution plan
 * that `flink info` prints, by operators. Fields and spelling are Flink's.
 *
 * Source: Flink `JsonPlanGenerator`, `JSONGenerator`.
 */
import type { JobEdge, JobGraph, JobVertex } from './job-graph.ts';
import type { JsonObject } from '../protocol/json.ts';
import type { PartitioningKind, StreamGraph, StreamNode } from './stream-graph.ts';

const SHIP_STRATEGIES = {
  forward: 'FORWARD',
  hash: 'HASH',
  rebalance: 'REBALANCE',
  rescale: 'RESCALE',
  shuffle: 'SHUFFLE',
  broadcast: 'BROADCAST',
  global: 'GLOBAL',
  custom: 'CUSTOM',
} as const satisfies Record<PartitioningKind, string>;

/** REST's `plan`: consumers before producers, as Flink lists them. */
export function restPlanOf(job: JobGraph): JsonObject {
  return {
    jid: job.jobId,
    name: job.name,
    type: 'STREAMING',
    nodes: job.vertices.toReversed().map((vertex) => restNode(vertex, job)),
  };
}

/** The execution plan of `flink info`. */
export function executionPlanOf(graph: StreamGraph): JsonObject {
  return { nodes: graph.nodes.map((node) => executionNode(node, graph)) };
}

/** JSON as Flink's command line prints it: two-space indent, ` : ` after keys, lists opened on the line. */
export function flinkJson(value: unknown, indent = ''): string {
  if (Array.isArray(value)) return value.length === 0 ? '[ ]' : `[ ${value.map((item) => flinkJson(item, indent)).join(', ')} ]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  const fields = Object.entries(value).map(([key, field]) => `${inner}${JSON.stringify(key)} : ${flinkJson(field, inner)}`);
  return fields.length === 0 ? '{ }' : `{\n${fields.join(',\n')}\n${indent}}`;
}

function restNode(vertex: JobVertex, job: JobGraph): JsonObject {
  const inputs = job.edges.filter((edge) => edge.targetVertex === vertex.id).map(restInput);
  return {
    id: vertex.id,
    parallelism: vertex.parallelism,
    operator: '',
    operator_strategy: '',
    description: vertex.description,
    ...(inputs.length > 0 ? { inputs } : {}),
    optimizer_properties: {},
  };
}

function restInput(edge: JobEdge, num: number): JsonObject {
  return {
    num,
    id: edge.sourceVertex,
    ship_strategy: SHIP_STRATEGIES[edge.partitioning],
    exchange: edge.partitionType === 'pipelined' ? 'pipelined_bounded' : 'blocking',
  };
}

function executionNode(node: StreamNode, graph: StreamGraph): JsonObject {
  const predecessors = graph.edges
    .filter((edge) => edge.target === node.id)
    .map((edge) => ({ id: edge.source, ship_strategy: SHIP_STRATEGIES[edge.partitioning.kind], side: 'second' }));
  return {
    id: node.id,
    type: node.name,
    pact: pactOf(node),
    contents: node.name,
    parallelism: node.parallelism,
    ...(predecessors.length > 0 ? { predecessors } : {}),
  };
}

function pactOf(node: StreamNode): string {
  if (node.spec.kind.startsWith('source.')) return 'Data Source';
  return node.spec.kind.startsWith('sink.') ? 'Data Sink' : 'Operator';
}
