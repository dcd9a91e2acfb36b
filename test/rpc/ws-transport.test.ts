/** WebSocket connections against real sockets on loopback. */
import { once } from 'node:events';
import test from 'ava';
import { WebSocket } from 'ws';
import type { ClusterError } from '../../src/protocol/errors.ts';
import type { Connection } from '../../src/rpc/transport.ts';
import { wsTransport } from '../../src/rpc/ws-transport.ts';

const ANY = { host: '127.0.0.1', port: 0 };
const idle = { onMessage: () => undefined, onClose: () => undefined };

test('Messages arrive whole and in order, also those sent before the listener starts', async (t) => {
  const accepted: Connection[] = [];
  const listener = await wsTransport.listen(ANY, (connection) => accepted.push(connection));
  t.teardown(() => listener.close());
  const near = await wsTransport.connect(listener.address, 1000);
  near.start(idle);
  near.send(Uint8Array.of(1));
  near.send(new Uint8Array(100_000).fill(2));
  const received: number[] = [];
  await new Promise<void>((resolve) => {
    accepted[0]?.start({ onMessage: (bytes) => received.push(bytes.length) === 2 && resolve(), onClose: () => undefined });
  });
  t.deepEqual(received, [1, 100_000]);
});

test('Nothing listens: CONNECTION_LOST at once. The port is taken: PORT_IN_USE naming it', async (t) => {
  const listener = await wsTransport.listen(ANY, () => undefined);
  const taken = await t.throwsAsync<ClusterError>(wsTransport.listen(listener.address, () => undefined));
  t.is(taken.code, 'PORT_IN_USE');
  t.true(taken.message.includes(String(listener.address.port)));
  await listener.close();
  const refused = await t.throwsAsync<ClusterError>(wsTransport.connect(listener.address, 1000));
  t.is(refused.code, 'CONNECTION_LOST');
});

test('A browser page and a foreign protocol are refused in the handshake', async (t) => {
  const listener = await wsTransport.listen(ANY, () => t.fail());
  t.teardown(() => listener.close());
  const url = `ws://127.0.0.1:${listener.address.port}/`;
  for (const socket of [new WebSocket(url, 'drey.control.v1', { origin: 'http://evil.example' }), new WebSocket(url)]) {
    const [error] = (await once(socket, 'error')) as [Error];
    t.regex(error.message, /401/);
  }
});

test('A text message and one beyond the bound close their connection only', async (t) => {
  const closed: string[] = [];
  const listener = await wsTransport.listen(ANY, (connection) => connection.start({ onMessage: () => undefined, onClose: (reason) => closed.push(reason) }));
  t.teardown(() => listener.close());
  const socket = new WebSocket(`ws://127.0.0.1:${listener.address.port}/`, 'drey.control.v1');
  await once(socket, 'open');
  socket.send('text');
  await once(socket, 'close');
  const fragments = new WebSocket(`ws://127.0.0.1:${listener.address.port}/`, 'drey.control.v1');
  await once(fragments, 'open');
  for (let i = 0; i < 100; i++) fragments.send(Uint8Array.of(1), { fin: false });
  await once(fragments, 'close');
  const other = await wsTransport.connect(listener.address, 1000);
  other.start(idle);
  t.is(closed.length, 2);
  other.close('done');
});
