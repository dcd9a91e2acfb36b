/** A subtask's part in a checkpoint, with operators and stores that misbehave. */
import test from 'ava';
import { systemPorts } from '../../src/base/system-ports.ts';
import type { BarrierEvent } from '../../src/exchange/contract.ts';
import type { StreamOperator } from '../../src/operators/operator.ts';
import { ClusterError } from '../../src/protocol/errors.ts';
import type { OperatorId } from '../../src/protocol/ids.ts';
import type { KeyedStates } from '../../src/task/keyed-states.ts';
import type { CheckpointMessage } from '../../src/task/slot-protocol.ts';
import { SubtaskCheckpoints } from '../../src/task/subtask-checkpoints.ts';

const barrier = (checkpointId: number): BarrierEvent =>
  ({ kind: 'barrier', checkpointId, timestampMs: 0, options: JSON.stringify({ incremental: false }) });

/** Two operators in one segment; what the first does is up to the test. */
class Bench {
  readonly sent: CheckpointMessage[] = [];
  readonly posted: (() => void)[] = [];
  readonly checkpoints: SubtaskCheckpoints;
  released = 0;
  private readonly operators: readonly StreamOperator[];

  constructor(first: Partial<StreamOperator>, next: () => Uint8Array | null = () => null) {
    const keyed = {
      take: () => ({
        shared: false, next, release: () => void this.released++,
        describe: () => ({ firstKeyGroup: 0, lastKeyGroup: 127, meta: {}, baseId: null }),
      }),
      confirm: () => undefined,
      forget: () => undefined,
    } as unknown as KeyedStates;
    this.operators = [{ name: 'first', ...first }, { name: 'second' }] as StreamOperator[];
    this.checkpoints = new SubtaskCheckpoints({
      operators: this.operators.map((operator, i) => ({ operatorId: `${i}`.repeat(32) as OperatorId, operator, keyed: i === 0 ? keyed : null })),
      source: null,
      unaligned: null,
      segmentCount: 1,
      clock: systemPorts.clock,
      bytesIn: () => 0,
      send: (message) => void this.sent.push(message),
      post: (action) => void this.posted.push(action),
    });
  }

  pass(checkpointId: number): void {
    this.checkpoints.onEntry(barrier(checkpointId));
    for (const operator of this.operators) this.checkpoints.onOperator(operator, barrier(checkpointId));
    this.checkpoints.onSegment(barrier(checkpointId));
  }

  pumpAll(): number {
    let count = 0;
    while (this.checkpoints.pump()) count++;
    return count;
  }

  async turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    for (const action of this.posted.splice(0)) action();
  }
}

/** `count` slices of the usual size. */
function slices(count: number): () => Uint8Array | null {
  let left = count;
  return () => (left-- > 0 ? new Uint8Array(64 * 1024) : null);
}

test('no more than a mebibyte is on its way to the main thread', (t) => {
  const bench = new Bench({}, slices(40));
  bench.pass(1);
  bench.pumpAll();
  t.is(bench.sent.length, 17, 'sixteen slices and the one that opens the file');
  bench.checkpoints.onTaken(64 * 1024);
  t.is(bench.pumpAll(), 1);
  while (bench.sent.at(-1)?.kind !== 'checkpointAck') {
    bench.checkpoints.onTaken(64 * 1024);
    bench.pumpAll();
  }
  t.is(bench.sent.length, 42);
  t.is(bench.released, 1);
  t.true(bench.checkpoints.isUnderWay, 'the JobManager does not have it yet');
  bench.checkpoints.onAcknowledged(1);
  t.false(bench.checkpoints.isUnderWay);
});

test('a value that cannot be encoded declines the checkpoint, and the snapshot is let go', (t) => {
  const bench = new Bench({}, () => {
    throw new ClusterError('TYPE_MISMATCH', 'state count, key 7');
  });
  bench.pass(1);
  bench.pumpAll();
  const last = bench.sent.at(-1);
  t.is(last?.kind === 'checkpointDecline' ? last.error.message : '', 'state count, key 7');
  t.is(bench.released, 1);
  t.false(bench.checkpoints.isUnderWay);
});

test('an abort stops the slices and lets go of the snapshot; the operator hears of it', (t) => {
  const aborted: number[] = [];
  const bench = new Bench({ checkpointAborted: (id) => void aborted.push(id) }, slices(3));
  bench.pass(1);
  bench.checkpoints.pump();
  bench.checkpoints.abort(1);
  t.is(bench.pumpAll(), 0);
  t.deepEqual(bench.sent.map(({ kind }) => kind), ['checkpointBytes']);
  t.deepEqual([bench.released, aborted], [1, [1]]);
});

test('a promised state is waited for, while a later checkpoint goes ahead', async (t) => {
  const settlers: ((bytes: Uint8Array) => void)[] = [];
  const promise = new Promise<Uint8Array>((resolve) => settlers.push(resolve));
  const bench = new Bench({ snapshot: (id) => (id === 1 ? promise : null) });
  bench.pass(1);
  t.is(bench.pumpAll(), 0);
  bench.pass(2);
  bench.pumpAll();
  t.deepEqual(bench.sent.filter(({ kind }) => kind === 'checkpointAck').map(({ checkpointId }) => checkpointId), [2]);
  settlers[0]!(new Uint8Array([1, 2, 3]));
  await bench.turn();
  bench.pumpAll();
  const slice = bench.sent.find((message) => message.kind === 'checkpointBytes' && message.bytes.length > 0);
  t.deepEqual(slice?.kind === 'checkpointBytes' && slice.bytes, new Uint8Array([1, 2, 3]));
  t.is(bench.sent.at(-1)?.kind, 'checkpointAck');
});

test('a promise that is rejected declines the checkpoint, naming the operator', async (t) => {
  const bench = new Bench({ snapshot: () => Promise.reject(new Error('no room')) });
  bench.pass(1);
  await bench.turn();
  const last = bench.sent.at(-1);
  t.regex(last?.kind === 'checkpointDecline' ? last.error.message : '', /operator 'first' failed.*no room/);
  t.is(bench.released, 1);
  t.is(bench.pumpAll(), 0);
});

test('a notification that throws is the failure of its operator', (t) => {
  const bench = new Bench({
    checkpointComplete: () => {
      throw new Error('commit refused');
    },
  });
  t.throws(() => bench.checkpoints.complete(1), { message: /operator 'first' failed.*commit refused/ });
});
