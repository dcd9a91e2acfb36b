/**
 * Chains: which operators run as one task. An edge is chained when its records need no spreading and
 * nothing at either end objects; the chains are the trees that chained edges form.
 *
 *     source ─► map ─┬─► filter ─► sink         one chain, head `source`, named
 *                    └─► sink                   `source -> map -> (filter -> sink, sink)`
 *
 * Invariant: an operator with several inputs is the head of its chain.
 * Source: Flink `StreamingJobGraphGenerator.isChainable`.
 */
import { present } from '../base/assert.ts';
import type { StreamEdge, StreamGraph, StreamNode } from './stream-graph.ts';

/** One chain: a tree of operators. */
export interface Chain {
  readonly head: StreamNode;
  /** Topological order, head first. */
  readonly nodes: readonly StreamNode[];
  /** Flink's form: `head -> next`, `head -> (left, right -> end)`. */
  readonly name: string;
  /** The chain drawn as a tree, one line per operator, each ended by `<br/>`. */
  readonly description: string;
}

/** The chains of a program, in build order of their heads, and the edges that run between them. */
export interface Chains {
  readonly chains: readonly Chain[];
  readonly crossing: readonly StreamEdge[];
}

/** What a configuration says of chaining. */
export interface ChainingOptions {
  /** `pipeline.operator-chaining.enabled`. */
  readonly enabled: boolean;
  /** `pipeline.operator-chaining.chain-operators-with-different-max-parallelism`. The chain has that of its head. */
  readonly mixesMaxParallelism: boolean;
}

/** Splits a program into chains. */
export function chainsOf(graph: StreamGraph, options: ChainingOptions): Chains {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const inputs = new Map<number, number>();
  for (const edge of graph.edges) inputs.set(edge.target, (inputs.get(edge.target) ?? 0) + 1);
  const node = (id: number) => present(nodes.get(id), 'edges join operators of the graph');
  const chained = new Set(
    graph.edges.filter((edge) => {
      return options.enabled && inputs.get(edge.target) === 1 && isChainable(node(edge.source), node(edge.target), edge, options);
    }),
  );
  const next = new Map<number, StreamNode[]>();
  for (const edge of chained) next.set(edge.source, [...(next.get(edge.source) ?? []), node(edge.target)]);
  const followers = new Set([...chained].map((edge) => edge.target));
  return {
    chains: graph.nodes.filter(({ id }) => !followers.has(id)).map((head) => chainFrom(head, next)),
    crossing: graph.edges.filter((edge) => !chained.has(edge)),
  };
}

function isChainable(source: StreamNode, target: StreamNode, edge: StreamEdge, { mixesMaxParallelism }: ChainingOptions): boolean {
  return (
    edge.partitioning.kind === 'forward' &&
    source.parallelism === target.parallelism &&
    (mixesMaxParallelism || source.maxParallelism === target.maxParallelism) &&
    source.slotSharingGroup === target.slotSharingGroup &&
    source.chaining !== 'never' &&
    target.chaining === 'always'
  );
}

function chainFrom(head: StreamNode, next: ReadonlyMap<number, readonly StreamNode[]>): Chain {
  const nodes: StreamNode[] = [head];
  for (let i = 0; i < nodes.length; i++) nodes.push(...(next.get((nodes[i] as StreamNode).id) ?? []));
  nodes.sort((a, b) => a.id - b.id); // Build order is a topological order.
  return { head, nodes, name: nameOf(head, next), description: describe(head, next) };
}

function nameOf(node: StreamNode, next: ReadonlyMap<number, readonly StreamNode[]>): string {
  const rest = (next.get(node.id) ?? []).map((follower) => nameOf(follower, next));
  if (rest.length === 0) return node.name;
  return rest.length === 1 ? `${node.name} -> ${rest[0]}` : `${node.name} -> (${rest.join(', ')})`;
}

function describe(node: StreamNode, next: ReadonlyMap<number, readonly StreamNode[]>, indent = ''): string {
  const followers = next.get(node.id) ?? [];
  const lines = followers.map((follower, i) => {
    const last = i === followers.length - 1;
    return `${indent}${last ? '+- ' : ':- '}${describe(follower, next, indent + (last ? '   ' : ':  '))}`;
  });
  return `${node.name}<br/>${lines.join('')}`;
}
