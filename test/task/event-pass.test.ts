/** Events and duties on their way through a segment: order, pauses, and whose subtree they reach. */
import test from 'ava';
import type { RecordWriter, StreamEvent } from '../../src/exchange/contract.ts';
import type { RecordBatch } from '../../src/graph/functions.ts';
import type { StreamOperator } from '../../src/operators/operator.ts';
import type { ChainConsumer, ChainedNode, Segment } from '../../src/task/chain.ts';
import { EventPass } from '../../src/task/event-pass.ts';
import { SegmentDuties } from '../../src/task/segment-duties.ts';
import { SegmentRunner } from '../../src/task/segment-runner.ts';
import type { InputResult, RunnerInput } from '../../src/task/segment-runner.ts';

type Answers = readonly ('more' | 'stop')[];

/**
 *     entry ─► a ─┬► b ─► c ─► [c]        each with a writer of its own
 *                 └► d ─► [d]
 */
class Tree {
  readonly log: string[] = [];
  readonly segment: Segment;
  private readonly answers: Readonly<Record<string, Answers>>;
  /** The operator at whose call the output becomes full. */
  fullAt = '';

  constructor(answers: Readonly<Record<string, Answers>> = {}) {
    this.answers = answers;
    const c = this.node('c', []);
    const b = this.node('b', [c]);
    const d = this.node('d', []);
    const a = this.node('a', [b, d]);
    const entry = [consumer({ operator: a }), consumer({ writer: this.writer('entry') })];
    const status = { full: false };
    this.segment = { input: null, origin: 'test', inputCount: 1, entry, nodes: [a, b, c, d], writers: [], status, duties: new SegmentDuties() };
  }

  private node(name: string, children: readonly ChainedNode[]): ChainedNode {
    const answers = [...(this.answers[name] ?? [])];
    const onEvent = (event: StreamEvent) => {
      this.log.push(`${name} ${event.kind}`);
      if (name === this.fullAt) this.segment.status.full = true;
      return answers.shift();
    };
    const consumers = [...children.map((operator) => consumer({ operator })), consumer({ writer: this.writer(name) })];
    return { operator: { name, onEvent } as unknown as StreamOperator, consumers };
  }

  private writer(name: string): RecordWriter {
    return { broadcast: (event) => void this.log.push(`${name}> ${event.kind}`), refresh: () => true } as RecordWriter;
  }
}

function consumer(part: Partial<ChainConsumer>): ChainConsumer {
  return { tag: null, hop: null, operator: null, writer: null, ...part };
}

const end: StreamEvent = { kind: 'end' };
const watermark: StreamEvent = { kind: 'watermark', timestampMs: 1 };

/** These inputs hand nothing over. */
const unused = () => undefined;

test('an event passes upstream before downstream, to each writer after the operator before it', (t) => {
  const tree = new Tree();
  const pass = new EventPass(tree.segment);
  pass.begin(end);
  t.true(pass.advance(10));
  t.deepEqual(tree.log, ['entry> end', 'a end', 'a> end', 'b end', 'b> end', 'c end', 'c> end', 'd end', 'd> end']);
  t.is(pass.current, null);
});

test('an operator that is not done is asked again, and nobody behind it sees the event before', (t) => {
  const tree = new Tree({ b: ['more', 'more'] });
  const pass = new EventPass(tree.segment);
  pass.begin(end);
  t.false(pass.advance(3));
  t.deepEqual(tree.log, ['entry> end', 'a end', 'a> end', 'b end', 'b end']);
  t.true(pass.advance(10));
  t.deepEqual(tree.log.slice(5), ['b end', 'b> end', 'c end', 'c> end', 'd end', 'd> end']);
});

test('a pass pauses while the segment is full', (t) => {
  const tree = new Tree({ a: ['more'] });
  tree.fullAt = 'a';
  const pass = new EventPass(tree.segment);
  pass.begin(end);
  t.false(pass.advance(10));
  t.false(pass.advance(10));
  t.deepEqual(tree.log, ['entry> end', 'a end']);
  tree.segment.status.full = false;
  tree.fullAt = 'b';
  t.false(pass.advance(10));
  t.deepEqual(tree.log.slice(2), ['a end', 'a> end', 'b end', 'b> end']);
  tree.segment.status.full = false;
  t.true(pass.advance(10));
});

test('an event that is stopped, and one that an operator puts out, concern its subtree only', (t) => {
  const tree = new Tree({ b: ['stop'] });
  const pass = new EventPass(tree.segment);
  pass.begin(watermark);
  t.true(pass.advance(10));
  t.deepEqual(tree.log, ['entry> watermark', 'a watermark', 'a> watermark', 'b watermark', 'd watermark', 'd> watermark']);
  tree.log.length = 0;
  pass.beginAfter(1, end);
  t.true(pass.advance(10));
  t.deepEqual(tree.log, ['b> end', 'c end', 'c> end']);
});

test('an operator that throws on an event is named', (t) => {
  const tree = new Tree();
  const pass = new EventPass(tree.segment);
  Object.assign((tree.segment.nodes[2] as ChainedNode).operator, { onEvent: () => { throw new Error('broken'); } });
  pass.begin(end);
  t.throws(() => pass.advance(10), { message: /operator 'c' failed.*broken/ });
});

/** Batches of one record, then the end. */
class CountedInput implements RunnerInput {
  readonly inputIndex = 0;
  event: StreamEvent | null = null;
  private left: number;

  constructor(count: number) {
    this.left = count;
  }

  poll(batch: RecordBatch): InputResult {
    if (this.left-- === 0) return 'end';
    batch.values[0] = this.left;
    batch.length = 1;
    return 'records';
  }
}

test('duties are done between two records, in order, and go on while they answer more', (t) => {
  const tree = new Tree();
  const { segment, log } = tree;
  const run = (values: readonly unknown[], _: unknown, from: number, to: number) => {
    log.push(`record ${String(values[from])}`);
    return to;
  };
  const runner = new SegmentRunner(segment, { batches: [run, run], record: unused }, new CountedInput(2), () => 0);
  runner.step();
  let left = 3;
  segment.duties.schedule(1, () => {
    log.push(`work ${left}`);
    segment.status.full = true; // One call per step.
    return --left > 0 ? 'more' : undefined;
  });
  segment.duties.emitEvent(2, watermark);
  segment.duties.emitEvent(2, { kind: 'watermark', timestampMs: 2 });
  while (runner.step() !== 'ended');
  t.deepEqual(log.slice(0, 8), ['record 1', 'work 3', 'work 2', 'work 1', 'c> watermark', 'record 0', 'entry> end', 'a end']);
});

test('work that throws is named, and nothing is done after the end', (t) => {
  const { segment } = new Tree();
  const run = () => 0;
  const runner = new SegmentRunner(segment, { batches: [run, run], record: unused }, new CountedInput(0), () => 0);
  segment.duties.schedule(3, () => { throw new Error('broken'); });
  t.throws(() => runner.step(), { message: /operator 'd' failed.*broken/ });
  const ending = new SegmentRunner(new Tree().segment, { batches: [run, run], record: unused }, new CountedInput(0), () => 0);
  while (ending.step() !== 'ended');
  ending.segment.duties.schedule(0, () => t.fail());
  t.is(ending.step(), 'ended');
});
