/**
 * An event on its way through a segment: operator after operator, upstream before downstream, each to its
 * writers once it is done with it.
 *
 *     nodes   map   windows        sink        cursor ──► windows answered 'more' (timers are due, or the
 *              │       ▲                       output is full): the same operator is asked again in a later step
 *            done   cursor
 *
 * An operator that answers 'stop' keeps the event from its subtree; one that puts out an event of its own
 * (`OperatorContext.emitEvent`) sends it through that subtree only. Nodes are in pre-order, so a subtree is a
 * range of them.
 *
 * Invariant: the pass pauses whenever the segment is full, so an operator gets an event only when everything
 * before it has left the operators upstream. A barrier that overtakes waits for the operators only, not for the outputs.
 */
import type { RecordWriter, StreamEvent } from '../exchange/contract.ts';
import { operatorFailure } from '../operators/failure.ts';
import type { BarrierPassage } from './barrier-passage.ts';
import { holdsNothing } from './chain.ts';
import type { ChainedNode, Segment } from './chain.ts';

/** One pass at a time through one segment. */
export class EventPass {
  private readonly segment: Segment;
  private readonly passage: BarrierPassage | null;
  /** Index behind the last node of each node's subtree. */
  private readonly subtreeEnds: readonly number[];
  private readonly writers: readonly (readonly RecordWriter[])[];
  private event: StreamEvent | null = null;
  private cursor = 0;
  private end = 0;

  constructor(segment: Segment, passage: BarrierPassage | null = null) {
    this.segment = segment;
    this.passage = passage;
    this.subtreeEnds = subtreeEnds(segment.nodes);
    this.writers = segment.nodes.map((node) => writersOf(node.consumers));
  }

  /** The event under way; null when none is. */
  get current(): StreamEvent | null {
    return this.event;
  }

  /** An event of the segment's input. */
  begin(event: StreamEvent): void {
    this.start(event, 0, this.segment.nodes.length);
    if (event.kind === 'barrier' && this.segment.input === null) this.passage?.onEntry(event);
    for (const writer of writersOf(this.segment.entry)) this.send(writer, event);
  }

  /** An event that a node puts out. */
  beginAfter(nodeIndex: number, event: StreamEvent): void {
    this.start(event, nodeIndex + 1, this.subtreeEnds[nodeIndex] as number);
    this.broadcast(nodeIndex, event);
  }

  /** The segment is full and the event under way goes on all the same. */
  get passesFull(): boolean {
    const { event, passage, segment } = this;
    return event?.kind === 'barrier' && passage?.overtakes(event) === true && holdsNothing(segment);
  }

  /** Makes at most `calls` calls of operators. True once the event is through; not while the segment is full. */
  advance(calls: number): boolean {
    const { event, segment } = this;
    if (event === null) return true;
    for (let made = 0; this.cursor < this.end; made++) {
      if (made === calls || (segment.status.full && !this.passesFull)) return false;
      this.call(this.cursor, event);
    }
    this.event = null;
    if (event.kind === 'barrier') this.passage?.onSegment(event);
    return true;
  }

  private start(event: StreamEvent, from: number, end: number): void {
    this.event = event;
    this.cursor = from;
    this.end = end;
  }

  private call(index: number, event: StreamEvent): void {
    const { operator } = this.segment.nodes[index] as ChainedNode;
    const answer = onEvent(operator, event);
    if (answer === 'more') return;
    if (answer === 'stop') {
      this.cursor = this.subtreeEnds[index] as number;
      return;
    }
    this.cursor = index + 1;
    this.broadcast(index, event);
    if (event.kind === 'barrier') this.passage?.onOperator(operator, event);
  }

  private broadcast(index: number, event: StreamEvent): void {
    for (const writer of this.writers[index] as readonly RecordWriter[]) this.send(writer, event);
  }

  private send(writer: RecordWriter, event: StreamEvent): void {
    writer.broadcast(event);
    if (event.kind === 'barrier') this.passage?.onOutput(writer, event);
  }
}

function onEvent(operator: ChainedNode['operator'], event: StreamEvent): void | 'more' | 'stop' {
  try {
    return operator.onEvent?.(event);
  } catch (thrown) {
    throw operatorFailure(operator.name, thrown);
  }
}

function writersOf(consumers: ChainedNode['consumers']): readonly RecordWriter[] {
  return consumers.flatMap(({ writer }) => (writer === null ? [] : [writer]));
}

/** Children are visited before the answer for their parent is needed: from the back. */
function subtreeEnds(nodes: readonly ChainedNode[]): readonly number[] {
  const indexOf = new Map(nodes.map((node, index) => [node, index]));
  const ends: number[] = nodes.map((_, index) => index + 1);
  for (let index = nodes.length - 1; index >= 0; index--) {
    for (const { operator } of (nodes[index] as ChainedNode).consumers) {
      const child = operator === null ? undefined : indexOf.get(operator);
      if (child !== undefined) ends[index] = Math.max(ends[index] as number, ends[child] as number);
    }
  }
  return ends;
}
