/**
 * A chain of operators as one subtask runs it: a tree, cut into segments at operators that are asynchronous.
 *
 *     source or gate ─► [ map ─► filter ─┬► writer ]          one segment: one batch function, one status
 *                       [                └► asyncMap ]
 *                                             └─► [ map ─► sink ]   fed by the asyncMap's `poll`
 *
 * A segment runs a batch until its `status.full` rises, and then holds back between two records until
 * `refresh` finds room again. Records pass by reference; a hop copies where sharing could show (`hopOf`).
 *
 * Source: takeover.md, "In-slot rules".
 */
import { present } from '../base/assert.ts';
import type { OutputStatus, RecordWriter } from '../exchange/contract.ts';
import type { StreamEdge, StreamNode } from '../graph/stream-graph.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { AsyncMapOperator } from '../operators/async-map.ts';
import type { SegmentInput } from '../operators/async-map.ts';
import { blaming } from '../operators/failure.ts';
import type { StreamOperator } from '../operators/operator.ts';
import { SegmentDuties } from './segment-duties.ts';

/** What happens to a record on its way to a consumer: a copy, a freeze. */
export type Hop = (value: unknown) => unknown;

/** Runs `values[from..to)`; answers the index of the first record it did not take. */
export type BatchFunction = (values: readonly unknown[], timestampsMs: readonly number[], from: number, to: number) => number;

/** Runs one record of input 0. */
export type RecordFunction = (value: unknown, timestampMs: number) => void;

/** How a segment is run. What they throw names the operator at fault. */
export interface SegmentFunctions {
  /** By input. */
  readonly batches: readonly [BatchFunction, BatchFunction];
  readonly record: RecordFunction;
}

/** One reader of an output. Exactly one of `operator` and `writer` is set. */
export interface ChainConsumer {
  /** Side output it reads; null for the main output. */
  readonly tag: string | null;
  /** Null: the reference itself. */
  readonly hop: Hop | null;
  readonly operator: ChainedNode | null;
  readonly writer: RecordWriter | null;
}

/** An operator and who reads it. `consumers` is empty where a segment ends. */
export interface ChainedNode {
  readonly operator: StreamOperator;
  readonly consumers: readonly ChainConsumer[];
}

/** Operators that run as one function. */
export interface Segment {
  /** Null for the first segment: the task's source or gate. */
  readonly input: SegmentInput | null;
  /** Whose records come in: the source, the operator at the head, or the asynchronous operator. Blamed for what happens at the entry. */
  readonly origin: string;
  /** 2 when the entry is an operator on two inputs. */
  readonly inputCount: 1 | 2;
  /** Who gets the segment's records. */
  readonly entry: readonly ChainConsumer[];
  /** In pre-order: upstream before downstream, and each subtree in one piece. */
  readonly nodes: readonly ChainedNode[];
  readonly writers: readonly RecordWriter[];
  readonly status: OutputStatus;
  /** What operators want done between two records. */
  readonly duties: SegmentDuties;
}

/** How records are shared along a chain. */
export interface SharingRules {
  /** False: every operator gets its own copy (`pipeline.object-reuse`). */
  readonly objectReuse: boolean;
  /** Dev mode and harness: what passes is frozen, so that a change in place fails where it is made. */
  readonly freeze: Hop | null;
  /** Deep copy of values of a type; null when they are immutable. */
  copierOf(type: TypeDescriptor<unknown> | null): Hop | null;
}

/** The parts of a vertex. */
export interface ChainPlan {
  /** Topological order, the head first. A source head is not an operator. */
  readonly nodes: readonly StreamNode[];
  /** Edges with both ends in `nodes`. */
  readonly edges: readonly StreamEdge[];
  /** Edges that leave the vertex. */
  readonly outputs: readonly { readonly sourceNodeId: number; readonly sideOutput: string | null }[];
  readonly sharing: SharingRules;
}

/** Makes the parts that have a life of their own. */
export interface ChainParts {
  operator(node: StreamNode): StreamOperator;
  /** `outputIndex` counts `ChainPlan.outputs`. */
  writer(outputIndex: number, status: OutputStatus): RecordWriter;
}

/** Whether a node is read by the task instead of running as an operator. */
export function isSource(node: StreamNode): boolean {
  return node.spec.kind.startsWith('source.');
}

/** Cuts a vertex into segments; upstream segments first. */
export function buildChain(plan: ChainPlan, parts: ChainParts): readonly Segment[] {
  return new ChainBuilder(plan, parts).build();
}

class ChainBuilder {
  private readonly plan: ChainPlan;
  private readonly parts: ChainParts;
  private readonly segments: Segment[] = [];

  constructor(plan: ChainPlan, parts: ChainParts) {
    this.plan = plan;
    this.parts = parts;
  }

  build(): readonly Segment[] {
    const head = present(this.plan.nodes[0], 'a vertex has a head');
    const root = openSegment(null, head.name, head.spec.kind.startsWith('co.') ? 2 : 1);
    this.segments.push(root);
    if (isSource(head)) root.entry.push(...this.consumersOf(head, null, root));
    else root.entry.push(this.headConsumer(head, root));
    return this.segments;
  }

  /** Records of a gate are fresh: nobody else sees them. */
  private headConsumer(head: StreamNode, root: OpenSegment): ChainConsumer {
    const operator = this.chainNode(head, this.parts.operator(head), root);
    return { tag: null, hop: this.plan.sharing.freeze, operator, writer: null };
  }

  private chainNode(node: StreamNode, operator: StreamOperator, segment: OpenSegment): ChainedNode {
    const consumers: ChainConsumer[] = [];
    const chained: ChainedNode = { operator, consumers };
    segment.nodes.push(chained);
    if (operator instanceof AsyncMapOperator) {
      const next = openSegment(operator, node.name, 1);
      this.segments.push(next);
      next.entry.push(...this.consumersOf(node, operator, next));
    } else {
      consumers.push(...this.consumersOf(node, operator, segment));
    }
    return chained;
  }

  /** `producer` null: the source. Side outputs are fan-outs of their own. */
  private consumersOf(node: StreamNode, producer: StreamOperator | null, segment: OpenSegment): ChainConsumer[] {
    const targets = [...this.chainedTargets(node), ...this.writerTargets(node, segment)];
    return targets.map((target, i) => {
      const shared = targets.slice(i + 1).some((later) => later.tag === target.tag);
      const hop = hopOf(this.plan.sharing, { producer, consumer: target.operator, shared, type: typeOf(node, target.tag) });
      const operator = target.operator && target.node ? this.chainNode(target.node, target.operator, segment) : null;
      return { tag: target.tag, hop, operator, writer: target.writer };
    });
  }

  private chainedTargets(node: StreamNode): Target[] {
    const nodeById = new Map(this.plan.nodes.map((each) => [each.id, each]));
    return this.plan.edges
      .filter((edge) => edge.source === node.id)
      .map((edge) => {
        const target = present(nodeById.get(edge.target), 'a chained edge ends in its vertex');
        return { tag: edge.sideOutput, node: target, operator: this.parts.operator(target), writer: null };
      });
  }

  private writerTargets(node: StreamNode, segment: OpenSegment): Target[] {
    return this.plan.outputs.flatMap((output, i) => {
      if (output.sourceNodeId !== node.id) return [];
      const writer = this.parts.writer(i, segment.status);
      segment.writers.push(writer);
      return [{ tag: output.sideOutput, node: null, operator: null, writer }];
    });
  }
}

interface Target {
  readonly tag: string | null;
  readonly node: StreamNode | null;
  readonly operator: StreamOperator | null;
  readonly writer: RecordWriter | null;
}

/** A segment while it is built. */
interface OpenSegment extends Segment {
  readonly entry: ChainConsumer[];
  readonly nodes: ChainedNode[];
  readonly writers: RecordWriter[];
}

function openSegment(input: SegmentInput | null, origin: string, inputCount: 1 | 2): OpenSegment {
  return { input, origin, inputCount, entry: [], nodes: [], writers: [], status: { full: false }, duties: new SegmentDuties() };
}

function typeOf(node: StreamNode, tag: string | null): TypeDescriptor<unknown> | null {
  return tag === null ? node.outputType : (node.sideOutputs[tag] ?? null);
}

/** One step of a record from a producer to a consumer. */
interface Step {
  /** Null: the source. */
  readonly producer: StreamOperator | null;
  /** Null: a writer, which is done with the record when `emit` returns. */
  readonly consumer: StreamOperator | null;
  /** Consumers after this one get the same record. */
  readonly shared: boolean;
  readonly type: TypeDescriptor<unknown> | null;
}

/**
 * A copy is due where a consumer could change a record that somebody else still sees (a consumer after
 * it, or a producer that keeps what it emits), and where it keeps one that upstream could change.
 */
function hopOf(rules: SharingRules, step: Step): Hop | null {
  const { producer, consumer, shared } = step;
  if (consumer === null || consumer.readsOnly) return null;
  const copy = rules.copierOf(step.type);
  const due = !rules.objectReuse || shared || producer?.retainsOutput === true || consumer.retainsInput;
  if (copy === null) return null;
  const { freeze } = rules;
  if (freeze === null) return due ? copy : null;
  return due ? (value) => freeze(copy(value)) : freeze;
}

/** Finds room again. True when the segment may take a record. */
export function refresh(segment: Segment): boolean {
  const { status, nodes, writers } = segment;
  status.full = false;
  for (const writer of writers) if (!writer.refresh()) status.full = true;
  for (let i = nodes.length - 1; i >= 0; i--) {
    const { operator } = nodes[i] as ChainedNode;
    if (operator.resume !== undefined && !blaming(operator.name, () => operator.resume?.())) status.full = true;
  }
  return !status.full;
}

/** Whether every operator of a full segment has given out what it had: only the outputs have no room. */
export function holdsNothing({ nodes }: Segment): boolean {
  return nodes.every(({ operator }) => operator.resume === undefined || blaming(operator.name, () => operator.resume?.()) === true);
}
