/** A reader that lends itself to the writer of a channel within the slot: order, room, events, copies, the end. */
import fc from 'fast-check';
import test from 'ava';
import { silentLoggers } from '../../src/base/log.ts';
import type { ChannelEndpoint, DirectReceiver, StreamEvent } from '../../src/exchange/contract.ts';
import { LOCAL_RECORDS_MAX } from '../../src/exchange/local-channel.ts';
import { SlotChannels } from '../../src/exchange/slot-exchange.ts';
import { newBatch } from '../../src/task/segment-runner.ts';
import { t as types } from '../../src/types/t.ts';
import { edgeOf, GENERATION, joinLocal, joinRings } from './two-ends.ts';

const watermark = (timestampMs: number): StreamEvent => ({ kind: 'watermark', timestampMs });

/** Takes what comes; `room` records, then no more. */
class Receiver implements DirectReceiver {
  readonly taken: unknown[] = [];
  readonly readsOnly: boolean;
  room = Number.POSITIVE_INFINITY;

  constructor(readsOnly = false) {
    this.readsOnly = readsOnly;
  }

  accept(value: unknown): boolean {
    this.taken.push(value);
    return --this.room > 0;
  }
}

test('what is emitted while the reader is lent is taken at once, and copied unless it only reads', async (t) => {
  for (const readsOnly of [false, true]) {
    const { writer, gates: [gate] } = await joinLocal({ type: types.object({ n: types.int32 }) });
    const receiver = new Receiver(readsOnly);
    t.is(gate?.poll(newBatch()), 'nothing');
    gate?.offer(receiver);
    const record = { n: 1 };
    writer.emit(record, 7);
    t.deepEqual(receiver.taken, [record]);
    t.is(receiver.taken[0] === record, readsOnly);
    t.is(gate?.poll(newBatch()), 'nothing', 'nothing is left in the queue');
  }
});

test('an event ends the lending: what follows waits behind it', async (t) => {
  const { writer, status, gates: [gate] } = await joinLocal({ type: types.int32 });
  const receiver = new Receiver();
  gate?.offer(receiver);
  writer.emit(1, 0);
  writer.broadcast(watermark(5));
  writer.emit(2, 0);
  t.deepEqual(receiver.taken, [1]);
  t.true(status.full, 'the queue holds one record once the reader has lent itself');
  t.false(writer.refresh());
  const batch = newBatch();
  t.is(gate?.poll(batch), 'event');
  t.is(gate?.poll(batch), 'records');
  t.is(batch.values[0], 2);
  t.false(writer.refresh(), 'room comes with the next offer');
  t.is(gate?.poll(batch), 'nothing');
  gate?.offer(receiver);
  t.true(writer.refresh());
});

test('a reader that takes no more has the rest queued, and its writer full', async (t) => {
  const { writer, status, gates: [gate] } = await joinLocal({ type: types.int32 });
  const receiver = new Receiver();
  receiver.room = 2;
  gate?.offer(receiver);
  for (let n = 1; n <= 3; n++) writer.emit(n, 0);
  t.deepEqual(receiver.taken, [1, 2]);
  t.true(status.full);
  const batch = newBatch();
  t.is(gate?.poll(batch), 'records');
  t.deepEqual(batch.values.slice(0, batch.length), [3]);
});

test('after the end, a pause or a close nothing waits for an offer that never comes', async (t) => {
  const ended = await joinLocal({ type: types.int32 });
  ended.gates[0]?.offer(new Receiver());
  ended.writer.broadcast({ kind: 'end' });
  ended.gates[0]?.offer(new Receiver());
  t.true(ended.writer.refresh(), 'also when the reader has not come to it yet');
  const paused = await joinLocal({ type: types.int32 });
  const receiver = new Receiver();
  paused.gates[0]?.offer(receiver);
  paused.gates[0]?.pause(0);
  for (let n = 0; n < LOCAL_RECORDS_MAX - 1; n++) paused.writer.emit(n, 0);
  t.deepEqual([receiver.taken.length, paused.status.full], [0, false]);
  const closed = await joinLocal({ type: types.int32 });
  closed.gates[0]?.offer(receiver);
  closed.gates[0]?.close();
  closed.writer.emit(1, 0);
  t.deepEqual(receiver.taken, []);
  t.true(closed.writer.refresh());
});

test('what a checkpoint records passes through the queue', async (t) => {
  const { writer, gates: [gate] } = await joinLocal({ type: types.int32 });
  const receiver = new Receiver();
  gate?.offer(receiver);
  gate?.record(0, 1, () => undefined);
  gate?.offer(receiver);
  writer.emit(1, 0);
  t.deepEqual(receiver.taken, []);
});

test('of several channels, those of the first input that are not paused are lent', (t) => {
  const slot = new SlotChannels(silentLoggers.logger('test'));
  const endpoints = ['a', 'b', 'c'].map((channelId): ChannelEndpoint => ({ kind: 'local', channelId, generation: GENERATION }));
  const [a, b, c] = endpoints as [ChannelEndpoint, ChannelEndpoint, ChannelEndpoint];
  const writers = endpoints.map((endpoint) => edgeOf(slot, slot, { outputs: [endpoint], inputs: [], options: { type: types.int32 } }).writer);
  const inputs = [{ inputIndex: 0, type: types.int32, endpoints: [a, b] }, { inputIndex: 1, type: types.int32, endpoints: [c] }] as const;
  const gate = slot.createGate({ taskName: 'target', inputs });
  gate.pause(1);
  const receiver = new Receiver();
  gate.offer(receiver);
  for (const [n, writer] of writers.entries()) writer.emit(n, 0);
  t.deepEqual(receiver.taken, [0]);
  gate.resume(1);
  gate.offer(null);
  const batch = newBatch();
  t.is(gate.poll(batch), 'records');
  t.is(gate.channelIndex, 1);
});

test('a channel of another slot takes no offer', async (t) => {
  const edge = await joinRings({ type: types.int32 });
  const receiver = new Receiver();
  edge.gates[0]?.offer(receiver);
  edge.writer.emit(1, 0);
  edge.writer.flush();
  t.deepEqual(receiver.taken, []);
  await edge.close();
});

test('in any mix of turns every record and event is seen once, in order', async (t) => {
  const turn = fc.constantFrom('emit', 'emit', 'emit', 'event', 'read', 'lend');
  await t.notThrowsAsync(() => fc.assert(fc.asyncProperty(fc.array(turn, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), async (turns, room) => {
    const { writer, status, gates: [gate] } = await joinLocal({ type: types.int32 });
    const receiver = new Receiver();
    const batch = newBatch();
    let next = 0;
    const read = (): void => {
      gate?.offer(null);
      for (let result = gate?.poll(batch); result !== 'nothing'; result = gate?.poll(batch)) {
        if (result === 'records') receiver.taken.push(...batch.values.slice(0, batch.length));
        else if (gate?.event?.kind === 'watermark') receiver.taken.push(gate.event.timestampMs);
      }
    };
    for (const each of turns) {
      if (each === 'emit' && (!status.full || writer.refresh())) {
        status.full = false;
        writer.emit(next++, 0);
      }
      if (each === 'event') writer.broadcast(watermark(next++));
      if (each === 'read' || each === 'lend') read();
      receiver.room = room;
      if (each === 'lend') gate?.offer(receiver);
    }
    read();
    t.deepEqual(receiver.taken, Array.from({ length: next }, (_, n) => n));
  })));
});
