/**
 * One suite over every kind of channel: whatever lies between the ends, a task sees the same.
 */
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { NO_TIMESTAMP } from '../../src/graph/functions.ts';
import type { StreamEvent } from '../../src/exchange/contract.ts';
import { OVERDRAFT_BUFFERS_MAX } from '../../src/exchange/channel-encoder.ts';
import { LOCAL_RECORDS_MAX } from '../../src/exchange/local-channel.ts';
import { t as types } from '../../src/types/t.ts';
import { drain, drainToEnd, joinLocal, joinRings, joinTcp, eventually, newBatch, type Edge, type EdgeOptions, type Joiner, type Seen } from './two-ends.ts';

const kinds: readonly (readonly [string, Joiner])[] = [['local', joinLocal], ['ring', joinRings], ['tcp', joinTcp]];

const event: fc.Arbitrary<StreamEvent> = fc.oneof(
  fc.record({ kind: fc.constant('watermark' as const), timestampMs: fc.maxSafeInteger() }),
  fc.record({ kind: fc.constant('status' as const), idle: fc.boolean() }),
  fc.record({ kind: fc.constant('barrier' as const), checkpointId: fc.nat(), timestampMs: fc.nat(), options: fc.string() }),
  fc.record({ kind: fc.constant('latency' as const), markedAtMs: fc.nat(), operatorId: fc.string(), subtaskIndex: fc.nat() }),
  fc.record({ kind: fc.constant('custom' as const), body: fc.string({ unit: 'binary' }) }),
);
const record = fc.tuple(
  fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.record({ word: fc.string(), count: fc.integer() }), fc.nat(90_000).map((length) => 'long '.repeat(length / 5))),
  fc.oneof(fc.constantFrom(NO_TIMESTAMP, 0, 254, 255, 256, 2 ** 40, Number.MAX_SAFE_INTEGER), fc.nat(600), fc.double({ noNaN: true, noDefaultInfinity: true, min: 0, max: 300 }).map((n) => n + 0)),
);

for (const [kind, join] of kinds) {
  test(`${kind}: records and events arrive in order, none lost, whatever their sizes and the reader's batches`, async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof({ weight: 5, arbitrary: record }, event), { maxLength: 60 }), fc.integer({ min: 1, max: 9 }), async (stream, capacity) => {
        const edge = await join();
        const seen: Seen[] = [];
        for (const item of stream) {
          if ('kind' in item) edge.writer.broadcast(item);
          else edge.writer.emit(item[0], item[1]);
          if (!edge.status.full) continue;
          seen.push(...drain(edge.gates[0]!, newBatch(capacity)));
          await edge.settle();
          edge.status.full = !edge.writer.refresh();
        }
        edge.writer.broadcast({ kind: 'end' });
        seen.push(...(await drainToEnd(edge, newBatch(capacity)))[0]!);
        t.deepEqual(seen, stream);
        await eventually(edge, () => edge.writer.isDrained());
        t.is(edge.writer.recordsOut, stream.filter((item) => !('kind' in item)).length);
        t.is(edge.writer.bytesOut, edge.gates[0]!.bytesIn);
        await edge.close();
      }),
      { numRuns: kind === 'tcp' ? 25 : 60 },
    );
  });

  test(`${kind}: a producer that heeds full keeps memory bounded and loses nothing`, async (t) => {
    const edge = await joined(t, join, { type: types.string });
    const total = 200_000;
    let emitted = 0;
    let received = 0;
    const batch = newBatch();
    while (received < total) {
      while (emitted < total && !edge.status.full) edge.writer.emit(`record ${emitted++}`, emitted);
      t.true(emitted - received < 40_000, 'what is in flight is bounded');
      edge.writer.flush();
      await edge.settle();
      while (edge.gates[0]!.poll(batch) === 'records') {
        for (let i = 0; i < batch.length; i++) if (batch.values[i] !== `record ${received++}`) return t.fail(`order at ${received}`);
      }
      edge.status.full = !edge.writer.refresh();
    }
    t.is(received, total);
  });

  test(`${kind}: nothing of a half-filled buffer is held back by flush`, async (t) => {
    const edge = await joined(t, join);
    edge.writer.emit('only', 5);
    edge.writer.flush();
    const seen: Seen[] = [];
    await eventually(edge, () => seen.push(...drain(edge.gates[0]!)) > 0);
    t.deepEqual(seen, [['only', 5]]);
    await eventually(edge, () => edge.writer.isDrained());
  });

  test(`${kind}: one call may emit far more than there is room for, and the rest follows as room appears`, async (t) => {
    const edge = await joined(t, join, { channels: 2, type: types.string });
    const total = 100_000;
    for (let i = 0; i < total; i++) edge.writer.emit(`output ${i}`, i);
    t.true(edge.status.full);
    t.false(edge.writer.refresh());
    edge.writer.broadcast({ kind: 'end' });
    const [even, odd] = await drainToEnd(edge);
    t.is(even!.length + odd!.length, total);
    t.deepEqual(even!.at(-1), [`output ${total - 2}`, total - 2]);
    await eventually(edge, () => edge.writer.refresh());
  });

  test(`${kind}: a producer that closes with a cause is seen as PARTITION_LOST after its last record`, async (t) => {
    const edge = await joined(t, join);
    edge.writer.emit(1, 0);
    edge.writer.flush();
    edge.writer.close({ code: 'USER_CODE', className: 'TypeError', message: 'boom', stack: '' });
    const seen: Seen[] = [];
    const readUntilLost = async (): Promise<never> => {
      for (;;) {
        seen.push(...drainOnce(edge.gates[0]!));
        await edge.settle();
      }
    };
    const lost = await t.throwsAsync(readUntilLost, { code: 'PARTITION_LOST', message: /sink \(1\/1\): .*0:0:0.*boom/ });
    t.deepEqual(seen, [[1, 0]]);
    t.is((lost.cause as Error).message, 'boom');
  });

  test(`${kind}: an ended channel is not lost, and the gate ends when all have`, async (t) => {
    const edge = await joined(t, join);
    edge.writer.broadcast({ kind: 'end' });
    edge.writer.close(null);
    await eventually(edge, () => edge.gates[0]!.poll(newBatch()) === 'end');
    t.is(edge.gates[0]!.poll(newBatch()), 'end');
  });

  test(`${kind}: a reader that closes lets the producer finish`, async (t) => {
    const edge = await joined(t, join);
    edge.writer.emit('unread', 0);
    edge.writer.flush();
    edge.gates[0]!.close();
    await eventually(edge, () => edge.writer.isDrained());
    t.true(edge.writer.isDrained());
  });

  test(`${kind}: what the producer changes after emitting does not reach the reader`, async (t) => {
    for (const type of [null, types.object({ n: types.int32, tags: types.array(types.string) })]) {
      const edge = await joined(t, join, { channels: 2, type, writer: { partitioning: { kind: 'broadcast' } } });
      const reused = { n: 0, tags: ['x'] };
      for (let n = 0; n < 3; n++) {
        reused.n = n;
        edge.writer.emit(reused, 0);
        reused.tags.push('later');
      }
      edge.writer.broadcast({ kind: 'end' });
      const [one, two] = await drainToEnd(edge);
      const tags = (count: number): string[] => ['x', ...Array<string>(count).fill('later')];
      t.deepEqual(one, [0, 1, 2].map((n) => [{ n, tags: tags(n) }, 0] as const));
      t.deepEqual(two, one);
      t.not(one![0], two![0]);
    }
  });
}

test('ring: what one call emits beyond the overdraft bound fails and names the task', async (t) => {
  const edge = await joinRings({ type: types.string });
  const large = 'x'.repeat(32 * 1024 - 64);
  t.throws(() => {
    for (let i = 0; i <= OVERDRAFT_BUFFERS_MAX + 8; i++) edge.writer.emit(large, 0);
  }, { code: 'EMIT_OVERFLOW', message: /^source \(1\/1\): / });
});

test('local: what one call emits beyond the overdraft bound fails, names the task and says what to do', async (t) => {
  const edge = await joinLocal({ type: types.int32 });
  t.throws(() => {
    for (let i = 0; i <= 1024 * 1024; i++) edge.writer.emit(i, 0);
  }, { code: 'EMIT_OVERFLOW', message: /^source \(1\/1\): one call emitted more than \d+ records: return an iterable/ });
});

test('local: immutable records pass by reference', async (t) => {
  const type = types.readonly(types.object({ n: types.int32 }));
  const edge = await joinLocal({ type });
  const value = { n: 1 };
  edge.writer.emit(value, 0);
  t.is((drain(edge.gates[0]!)[0] as [unknown, number])[0], value);
  t.true(LOCAL_RECORDS_MAX > 0);
});

test('a ring shows PARTITION_LOST for a producer that vanished without a cause', async (t) => {
  const edge = await joinRings();
  edge.writer.close(null);
  t.throws(() => edge.gates[0]!.poll(newBatch()), { code: 'PARTITION_LOST', message: /producer is gone/ });
});

async function joined(t: ExecutionContext, join: Joiner, options?: EdgeOptions): Promise<Edge> {
  const edge = await join(options);
  t.teardown(() => edge.close());
  return edge;
}

function drainOnce(gate: Parameters<typeof drain>[0]): Seen[] {
  const batch = newBatch();
  return gate.poll(batch) === 'records' ? Array.from({ length: batch.length }, (_, i) => [batch.values[i], batch.timestampsMs[i] as number] as const) : [];
}
