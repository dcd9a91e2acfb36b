/** Readers of sequences, elements, generators and sockets. Time is virtual where a rate is concerned. */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import type { Clock } from '../../src/base/ports.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { DatagenReader } from '../../src/connectors/datagen-reader.ts';
import { SocketReader } from '../../src/connectors/socket-reader.ts';
import { createReader } from '../../src/connectors/source-readers.ts';
import type { SourceReader } from '../../src/graph/functions.ts';
import type { SourceSpec } from '../../src/graph/operator-spec.ts';
import { datagenSplits } from '../../src/graph/splits.ts';
import { ClusterError } from '../../src/protocol/errors.ts';
import { localPorts, newBatch, readAll, readerContext } from './reading.ts';

function reader(spec: SourceSpec): SourceReader<unknown> {
  return createReader(spec, readerContext(), localPorts);
}

/** What is left after each batch, read by a new reader, completes what was read before. */
async function checkResumable(t: ExecutionContext, spec: SourceSpec, splits: readonly { readonly id: string }[], expected: readonly unknown[]): Promise<void> {
  const first = reader(spec);
  const snapshots: { readonly count: number; readonly splits: readonly { readonly id: string }[] }[] = [];
  let count = 0;
  const all = await readAll(first, splits, {
    capacity: 3,
    onBatch: (values) => snapshots.push({ count: (count += values.length), splits: first.snapshot() }),
  });
  t.deepEqual(all, expected);
  for (const snapshot of snapshots) t.deepEqual(await readAll(reader(spec), snapshot.splits), expected.slice(snapshot.count));
}

test('a sequence reader reads its splits in order, and goes on from a snapshot', async (t) => {
  const spec: SourceSpec = { kind: 'source.sequence', data: { from: 0, to: 0 }, user: {} };
  await checkResumable(t, spec, [{ id: 'a', next: -2, to: 5 }, { id: 'b', next: 100, to: 100 }] as never, [-2, -1, 0, 1, 2, 3, 4, 5, 100]);
});

test('an elements reader reads the elements of the program, and goes on from a snapshot', async (t) => {
  const elements = ['a', { b: 1 }, null, 'd'];
  await checkResumable(t, { kind: 'source.elements', data: { count: 4 }, user: { elements } }, [{ id: 'elements', next: 0 }] as never, elements);
  t.deepEqual(await readAll(reader({ kind: 'source.elements', data: { count: 0 }, user: { elements: [] } }), [{ id: 'elements', next: 0 }] as never), []);
});

test('generators of all subtasks together make each record once', async (t) => {
  const spec: SourceSpec = { kind: 'source.datagen', data: { count: 10, perSecond: null }, user: { generate: (index) => index * index } };
  const parts = await Promise.all(datagenSplits(10, 3).map((split) => readAll(reader(spec), [split])));
  t.deepEqual(parts.flat().map(Number).toSorted((a, b) => a - b), [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
  await checkResumable(t, spec, datagenSplits(10, 2).slice(1), [1, 9, 25, 49, 81]);
});

/** A clock that stands still until told. */
function manualClock(): Clock & { advance(ms: number): void } {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    advance: (ms) => void (nowMs += ms),
    after: () => ({ cancel: () => undefined }),
    every: () => ({ cancel: () => undefined }),
  };
}

test('a rate is kept evenly, and a pause is not made up for in one burst', (t) => {
  const clock = manualClock();
  const generator = new DatagenReader({ count: null, perSecond: 1000, generate: (index) => index }, clock);
  generator.addSplits([{ id: 'datagen-0', next: 0, step: 2 }]);
  const batch = newBatch(10_000);
  const sentAfter = (ms: number): number => {
    clock.advance(ms);
    generator.poll(batch);
    return batch.length;
  };
  t.is(sentAfter(0), 1);
  t.is(sentAfter(1), 0);
  t.is(sentAfter(1), 1);
  let sent = 0;
  for (let ms = 0; ms < 1000; ms += 10) sent += sentAfter(10);
  t.is(sent, 500);
  t.true(sentAfter(60_000) <= 51);
});

test('a rate below one record a second works too', (t) => {
  const clock = manualClock();
  const generator = new DatagenReader({ count: 3, perSecond: 0.5, generate: (index) => index }, clock);
  generator.addSplits(datagenSplits(3, 1));
  const batch = newBatch(10);
  const values: unknown[] = [];
  for (let second = 0; second < 6; second++, clock.advance(1000)) {
    generator.poll(batch);
    values.push(...batch.values.slice(0, batch.length).map((value) => [second, value]));
  }
  t.deepEqual(values, [[0, 0], [2, 1], [4, 2]]);
});

/** A server that hands each connection to `onConnection`, by number. */
async function server(t: ExecutionContext, onConnection: (socket: Socket, number: number) => void): Promise<number> {
  let connections = 0;
  const listening = createServer((socket) => {
    socket.on('error', () => undefined);
    onConnection(socket, connections++);
  });
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  t.teardown(() => new Promise<void>((resolve) => listening.close(() => resolve())));
  return (listening.address() as AddressInfo).port;
}

function readSocket(port: number, delimiter: string, retriesMax: number): Promise<unknown[]> {
  const socket = new SocketReader({ host: '127.0.0.1', port, delimiter, retriesMax }, readerContext(), systemPorts.clock);
  return readAll(socket, [{ id: 'socket' }]);
}

test('a socket reader cuts at the delimiter, wherever packets end', async (t) => {
  const port = await server(t, (socket) => {
    const bytes = Buffer.from('one\r\ntwo ä\n\nlast');
    for (const byte of bytes) socket.write(Uint8Array.of(byte));
    socket.end();
  });
  t.deepEqual(await readSocket(port, '\n', 0), ['one', 'two ä', '', 'last']);
});

test('a socket reader knows delimiters of several characters', async (t) => {
  const port = await server(t, (socket) => socket.end('a||b|c||'));
  t.deepEqual(await readSocket(port, '||', 0), ['a', 'b|c']);
});

test('a socket connection that is lost is tried again as often as allowed, then it is an error', async (t) => {
  const port = await server(t, (socket, number) => (number === 0 ? socket.resetAndDestroy() : socket.end('back\n')));
  t.deepEqual(await readSocket(port, '\n', 1), ['back']);
  const error = await t.throwsAsync(readSocket(1, '\n', 0), { instanceOf: ClusterError });
  t.is(error?.code, 'CONNECTION_LOST');
  t.regex(error?.message ?? '', /127\.0\.0\.1:1 /);
});

test('a fast server is held back while nobody polls', async (t) => {
  let written = 0;
  const line = `${'x'.repeat(99)}\n`.repeat(1000);
  const port = await server(t, (socket) => {
    const write = (): void => {
      while (written < 1_000_000 && socket.writable) {
        written += 1000;
        if (!socket.write(line)) return;
      }
      socket.end();
    };
    socket.on('drain', write);
    write();
  });
  const socket = new SocketReader({ host: '127.0.0.1', port, delimiter: '\n', retriesMax: 0 }, readerContext(), systemPorts.clock);
  t.teardown(() => socket.close());
  socket.addSplits([{ id: 'socket' }]);
  await socket.available();
  let before = -1;
  while (before !== written) {
    before = written;
    await new Promise((resolve) => systemPorts.clock.after(200, () => resolve(null)));
  }
  t.true(written < 500_000, `${written} records were taken from the network`);
});
