/**
 * What only happens between TaskManagers: deployment in any order, generations, lost connections, slow
 * channels beside fast ones, and peers that do not speak the protocol.
 */
import test, { type ExecutionContext } from 'ava';
import { connect } from 'node:net';
import { once } from 'node:events';
import { silentLoggers } from '../../src/base/log.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { TaskManagerChannels } from '../../src/exchange/broker.ts';
import type { ChannelEndpoint } from '../../src/exchange/contract.ts';
import { SlotChannels } from '../../src/exchange/slot-exchange.ts';
import * as wire from '../../src/exchange/wire.ts';
import type { Generation } from '../../src/protocol/ids.ts';
import { CONSUMER, GENERATION, PRODUCER, deployment, drain, edgeOf, eventually, newBatch, newTaskManager, type TestTaskManager } from './two-ends.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const CHANNEL = '0:0:0';

interface Pair {
  readonly source: SlotChannels;
  readonly target: SlotChannels;
  readonly producer: TestTaskManager;
  readonly consumer: TestTaskManager;
}

async function pair(t: ExecutionContext, producerId = 'tm-b', consumerId = 'tm-a'): Promise<Pair> {
  const log = silentLoggers.logger('test');
  const [source, target] = [new SlotChannels(log), new SlotChannels(log)];
  const [producer, consumer] = [await newTaskManager(producerId, source), await newTaskManager(consumerId, target)];
  t.teardown(() => Promise.all([producer.broker.close(), consumer.broker.close()]).then(() => undefined));
  return { source, target, producer, consumer };
}

function openOutput({ producer, consumer }: Pair, generation = GENERATION, channelId = CHANNEL): ChannelEndpoint {
  return producer.broker.openOutput(deployment(channelId, consumer), generation, producer.location);
}

function openInput({ producer, consumer }: Pair, generation = GENERATION, channelId = CHANNEL): ChannelEndpoint {
  return consumer.broker.openInput(deployment(channelId, producer), generation, consumer.location);
}

function join({ source, target }: Pair, outputs: readonly ChannelEndpoint[], inputs: readonly ChannelEndpoint[]): ReturnType<typeof edgeOf> {
  return edgeOf(source, target, { outputs, inputs, options: {} });
}

for (const first of ['producer', 'consumer'] as const) {
  for (const [producerId, consumerId] of [['tm-a', 'tm-b'], ['tm-b', 'tm-a']] as const) {
    test(`a channel connects when the ${first} is deployed first and ${producerId < consumerId ? 'it' : 'the other'} dials`, async (t) => {
      const both = await pair(t, producerId, consumerId);
      const early = first === 'producer' ? openOutput(both) : openInput(both);
      for (let i = 0; i < 20; i++) await settle();
      t.deepEqual(both.producer.broker.connectedChannels(PRODUCER), []);
      const late = first === 'producer' ? openInput(both) : openOutput(both);
      const [output, input] = first === 'producer' ? [early, late] : [late, early];
      const edge = join(both, [output], [input]);
      edge.writer.emit('hello', 3);
      edge.writer.flush();
      const seen: unknown[] = [];
      await eventually({ settle }, () => seen.push(...drain(edge.gates[0]!)) > 0);
      t.deepEqual(seen, [['hello', 3]]);
      t.deepEqual(both.producer.broker.connectedChannels(PRODUCER), [CHANNEL]);
      t.deepEqual(both.consumer.broker.connectedChannels(CONSUMER), [CHANNEL]);
    });
  }
}

test('a consumer of a lower generation is refused, one of a higher waits for its producer', async (t) => {
  const both = await pair(t);
  const [two, three] = [2 as Generation, 3 as Generation];
  const newInput = openInput(both, three);
  openOutput(both, two);
  const oldInput = openInput(both, GENERATION);
  const gates = [oldInput, newInput].map((endpoint) =>
    both.target.createGate({ taskName: 'sink', inputs: [{ inputIndex: 0, type: null, endpoints: [endpoint] }] }));
  const refusal = await t.throwsAsync(async () => {
    for (;;) {
      gates[0]!.poll(newBatch());
      await settle();
    }
  }, { code: 'PARTITION_LOST' });
  t.regex(refusal.message, /generation 1 is refused: its producer is of generation 2/);
  t.is(gates[1]!.poll(newBatch()), 'nothing');
  both.producer.broker.release(PRODUCER, { code: 'FENCED', className: 'ClusterError', message: 'redeployed', stack: '' });
  const edge = join(both, [openOutput(both, three)], []);
  edge.writer.broadcast({ kind: 'end' });
  await eventually({ settle }, () => gates[1]!.poll(newBatch()) === 'end');
  t.pass();
});

test('a lost TaskManager is PARTITION_LOST for its consumers, and a later generation connects anew', async (t) => {
  const both = await pair(t);
  const edge = join(both, [openOutput(both)], [openInput(both)]);
  edge.writer.emit(1, 0);
  edge.writer.flush();
  await eventually({ settle }, () => edge.gates[0]!.poll(newBatch()) === 'records');
  await both.producer.broker.close();
  await t.throwsAsync(async () => {
    for (;;) {
      edge.gates[0]!.poll(newBatch());
      await settle();
    }
  }, { code: 'PARTITION_LOST', message: /lost the connection to TaskManager tm-b/ });
  both.consumer.broker.release(CONSUMER, null);
  const revived = { ...both, producer: await newTaskManager('tm-b', both.source) };
  t.teardown(() => revived.producer.broker.close());
  const two = 2 as Generation;
  const again = join(revived, [openOutput(revived, two)], [openInput(revived, two)]);
  again.writer.broadcast({ kind: 'end' });
  await eventually({ settle }, () => again.gates[0]!.poll(newBatch()) === 'end');
  t.pass();
});

test('a producer that dies is seen with its cause, and a consumer that dies frees its producer', async (t) => {
  const both = await pair(t);
  const edge = join(both, [openOutput(both)], [openInput(both)]);
  await eventually({ settle }, () => both.producer.broker.connectedChannels(PRODUCER).length === 1);
  both.producer.broker.release(PRODUCER, { code: 'SLOT_LOST', className: 'Error', message: 'slot 0 died', stack: '' });
  await t.throwsAsync(async () => {
    for (;;) {
      edge.gates[0]!.poll(newBatch());
      await settle();
    }
  }, { code: 'PARTITION_LOST', message: /slot 0 died/ });
  const two = 2 as Generation;
  const next = join(both, [openOutput(both, two)], [openInput(both, two)]);
  next.writer.emit('unread', 0);
  both.consumer.broker.release(CONSUMER, { code: 'USER_CODE', className: 'Error', message: 'x', stack: '' });
  await eventually({ settle }, () => next.writer.isDrained());
  t.pass();
});

test('a channel that is not read does not hold up another on the same connection', async (t) => {
  const both = await pair(t);
  const channels = ['0:0:0', '0:0:1'];
  const inputs = channels.map((id) => openInput(both, GENERATION, id));
  const [stuck, free] = channels.map((id) => join(both, [openOutput(both, GENERATION, id)], [])) as [ReturnType<typeof join>, ReturnType<typeof join>];
  const gate = both.target.createGate({ taskName: 'sink', inputs: [{ inputIndex: 0, type: null, endpoints: [inputs[1]!] }] });
  const large = 'x'.repeat(10_000);
  let received = 0;
  for (let sent = 0; received < 2_000; ) {
    while (!stuck.status.full) stuck.writer.emit(large, 0);
    while (!free.status.full && sent < 2_000) free.writer.emit(`${large}${sent++}`, 0);
    free.writer.flush();
    await settle();
    received += drain(gate).length;
    for (const edge of [stuck, free]) edge.status.full = !edge.writer.refresh();
  }
  t.false(stuck.writer.refresh());
  t.false(stuck.writer.isDrained());
});

test('a finished producer leaves its data readable, and its memory is given back', async (t) => {
  const log = silentLoggers.logger('test');
  const [source, target] = [new SlotChannels(log), new SlotChannels(log)];
  const producer = await newTaskManager('tm-b', source, 20 * 32 * 1024);
  const consumer = await newTaskManager('tm-a', target, 20 * 32 * 1024);
  t.teardown(() => Promise.all([producer.broker.close(), consumer.broker.close()]).then(() => undefined));
  const both = { source, target, producer, consumer };
  for (let round = 1; round <= 8; round++) {
    const generation = round as Generation;
    const output = join(both, [openOutput(both, generation)], []);
    output.writer.emit(round, 0);
    output.writer.broadcast({ kind: 'end' });
    producer.broker.release(PRODUCER, null);
    const input = openInput(both, generation);
    const gate = target.createGate({ taskName: 'sink', inputs: [{ inputIndex: 0, type: null, endpoints: [input] }] });
    const seen: unknown[] = [];
    await eventually({ settle }, () => seen.push(...drain(gate)) === 2);
    t.deepEqual(seen, [[round, 0], { kind: 'end' }]);
    consumer.broker.release(CONSUMER, null);
  }
});

test('more channels than network memory allows are refused, naming the keys to raise', async (t) => {
  const slot = new SlotChannels(silentLoggers.logger('test'));
  const small = await newTaskManager('tm-a', slot, 12 * 32 * 1024);
  t.teardown(() => small.broker.close());
  const peer = { ...small, location: { ...small.location, slotIndex: 1 } };
  small.broker.addSlot(1, slot.doorbell.shared);
  t.throws(() => {
    for (let i = 0; i < 9; i++) small.broker.openOutput(deployment(`0:0:${i}`, peer), GENERATION, small.location);
  }, { code: 'INSUFFICIENT_NETWORK_BUFFERS', message: /Insufficient number of network buffers.*taskmanager\.memory\.network\.max/s });
});

const hello = (fields: object): Buffer => wire.controlMessage(wire.HELLO, 0, { magic: 'DREY', version: 1, from: 'tm-x', to: 'tm-a', ...fields });
const headerOnly = (type: number, bodySizeBytes: number): Buffer => {
  const bytes = Buffer.alloc(wire.WIRE_HEADER_SIZE_BYTES);
  wire.writeWireHeader(bytes, type, { channel: 1, bodySizeBytes });
  return bytes;
};
const intrusions: readonly (readonly [string, Buffer])[] = [
  ['garbage', Buffer.alloc(4096, 0xa5)],
  ['a web browser', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
  ['a huge length', headerOnly(wire.HELLO, 0xffffffff)],
  ['a buffer before HELLO', headerOnly(wire.BUFFER, 1024)],
  ['another protocol version', hello({ version: 99 })],
  ['HELLO with wrong types', hello({ from: 7 })],
  ['a malformed OPEN', Buffer.concat([hello({}), wire.controlMessage(wire.OPEN, 1, { name: 'x', credit: -1 })])],
  ['a huge length after HELLO', Buffer.concat([hello({}), headerOnly(wire.OPEN, 1 << 30)])],
  ['a control message that is not JSON', Buffer.concat([hello({}), headerOnly(wire.OPEN, 4), Buffer.from('????')])],
];

for (const [name, bytes] of intrusions) {
  test(`${name} closes that connection, and no other`, async (t) => {
    const both = await pair(t);
    const edge = join(both, [openOutput(both)], [openInput(both)]);
    await eventually({ settle }, () => both.consumer.broker.connectedChannels(CONSUMER).length === 1);
    const socket = connect(both.consumer.location.dataPort, '127.0.0.1');
    t.teardown(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(bytes);
    await once(socket, 'close');
    edge.writer.broadcast({ kind: 'end' });
    await eventually({ settle }, () => edge.gates[0]!.poll(newBatch()) === 'end');
    t.pass();
  });
}

test('a taken data port is PORT_IN_USE', async (t) => {
  const slot = new SlotChannels(silentLoggers.logger('test'));
  const one = await newTaskManager('tm-a', slot);
  const two = new TaskManagerChannels({ ports: systemPorts, log: silentLoggers.logger('test'), networkSizeBytes: 1 << 20 });
  t.teardown(() => one.broker.close());
  await t.throwsAsync(two.listen('127.0.0.1', one.location.dataPort), { code: 'PORT_IN_USE', message: /taskmanager\.data\.port/ });
});
