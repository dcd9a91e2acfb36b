/**
 * JobGraph: the whole plan as plain data. It is what a client submits, what HA storage keeps, and what
 * recovery reads without running user code. Chains of operators have become vertices.
 */
import type { ArtifactId, JobId, JobVertexId, OperatorId, PlanDigest } from '../protocol/ids.ts';
import type { JsonObject } from '../protocol/json.ts';
import type { PartitioningKind, Plan } from './stream-graph.ts';

/** Where the program comes from. `registered`: a program object in this very process (MiniCluster). */
export type ProgramRef =
  | { readonly kind: 'artifact'; readonly artifactId: ArtifactId; readonly sizeBytes: number; readonly apiVersion: string }
  | { readonly kind: 'registered'; readonly id: string };

/** One operator inside a vertex. */
export interface ChainedOperator {
  readonly nodeId: number;
  readonly operatorId: OperatorId;
  readonly uid: string | null;
  readonly name: string;
  /** `OperatorSpec.kind`. */
  readonly kind: string;
  /** `OperatorSpec.data`. */
  readonly data: JsonObject;
}

/** A chain of operators that run as one task. */
export interface JobVertex {
  readonly id: JobVertexId;
  /** Flink's form: `Source: lines -> tokenizer`. */
  readonly name: string;
  /** The chain drawn as a tree, lines ended by `<br/>`: `description` of REST's plan. */
  readonly description: string;
  /** Topological order; the head first. */
  readonly operators: readonly ChainedOperator[];
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** Of any operator: `StreamNode.maxParallelismSet`. Otherwise the job takes the max parallelism of what it is restored from. */
  readonly maxParallelismSet: boolean;
  readonly slotSharingGroup: string;
  /** It works in one subtask only, whatever the parallelism of the job. */
  readonly isSerial: boolean;
}

/** How many subtasks a vertex may have. */
export interface ParallelismBounds {
  readonly lowerBound: number;
  readonly upperBound: number;
}

/** Bounds of every vertex of a job. */
export type ResourceRequirements = Readonly<Record<JobVertexId, ParallelismBounds>>;

/** A stream edge that crosses vertices: one ResultPartition per producer subtask. */
export interface JobEdge {
  /** Index of this edge in `JobGraph.edges`; with the producer's attempt it names a ResultPartition. */
  readonly index: number;
  readonly sourceVertex: JobVertexId;
  readonly targetVertex: JobVertexId;
  readonly sourceNodeId: number;
  readonly targetNodeId: number;
  readonly inputIndex: 0 | 1;
  readonly sideOutput: string | null;
  readonly partitioning: PartitioningKind;
  /** `blocking` joins with batch; the field is here so that stored graphs need no migration. */
  readonly partitionType: 'pipelined' | 'blocking';
}

/** A job as stored and submitted. Plain data. */
export interface JobGraph {
  readonly formatVersion: 1;
  readonly jobId: JobId;
  readonly name: string;
  readonly program: ProgramRef;
  readonly args: JsonObject;
  /** Job configuration: `BuildSettings.configuration`. */
  readonly configuration: Readonly<Record<string, string>>;
  readonly plan: Plan;
  readonly planDigest: PlanDigest;
  /** Topological order: sources first. */
  readonly vertices: readonly JobVertex[];
  readonly edges: readonly JobEdge[];
  /** Wall clock of the client at submission, ms. */
  readonly submittedAtMs: number;
  /** Rises when the job is rescaled; absent: as it was submitted. */
  readonly revision?: number;
  /** Absent: nobody has set any. */
  readonly resourceRequirements?: ResourceRequirements;
}

/** Names an edge in a checkpoint: what it joins, and which it is of several that are alike. */
export function edgeKeyOf(jobGraph: JobGraph, edge: JobEdge): string {
  const alike = jobGraph.edges.filter((other) => other.index < edge.index && spellEdge(jobGraph, other) === spellEdge(jobGraph, edge));
  return `${spellEdge(jobGraph, edge)}#${alike.length}`;
}

/** Names, beside the edges, what a source holds: as `edgeKeyOf`. */
export function sourceKeyOf(operatorId: OperatorId): string {
  return `>${operatorId}`;
}

function spellEdge({ vertices }: JobGraph, { sourceNodeId, targetNodeId, inputIndex, sideOutput }: JobEdge): string {
  const operators = vertices.flatMap((vertex) => vertex.operators);
  const idOf = (nodeId: number): string => operators.find((operator) => operator.nodeId === nodeId)?.operatorId ?? '';
  return `${idOf(sourceNodeId)}>${idOf(targetNodeId)}:${inputIndex}:${sideOutput ?? ''}`;
}

/**
 * The consumer subtasks that one producer subtask feeds, by partitioning. `forward` is one to one;
 * `rescale` spreads each producer over its own share of consumers (or the reverse); all else is all to all.
 * Ascending. Source: Flink `VertexInputInfoComputationUtils`.
 */
export function consumersOf(
  partitioning: PartitioningKind,
  producerIndex: number,
  counts: { readonly producers: number; readonly consumers: number },
): readonly number[] {
  if (partitioning === 'forward') return [producerIndex];
  if (partitioning !== 'rescale') return Array.from({ length: counts.consumers }, (_, i) => i);
  const fed: number[] = [];
  for (let consumer = 0; consumer < counts.consumers; consumer++) {
    const [first, end] = producersOf(consumer, counts);
    if (producerIndex >= first && producerIndex < end) fed.push(consumer);
  }
  return fed;
}

/** Half-open range of producers that feed one consumer of a `rescale` edge. */
function producersOf(consumer: number, counts: { readonly producers: number; readonly consumers: number }): [number, number] {
  const { producers, consumers } = counts;
  if (consumers >= producers) {
    const producer = Math.floor((consumer * producers) / consumers);
    return [producer, producer + 1];
  }
  return [Math.ceil((consumer * producers) / consumers), Math.ceil(((consumer + 1) * producers) / consumers)];
}
