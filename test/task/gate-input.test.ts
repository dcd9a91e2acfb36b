/** A gate over several real channels as one input: what alignment holds back, and what goes on meanwhile. */
import test from 'ava';
import { silentLoggers } from '../../src/base/log.ts';
import type { ChannelEndpoint, RecordWriter, StreamEvent } from '../../src/exchange/contract.ts';
import { SlotChannels } from '../../src/exchange/slot-exchange.ts';
import type { Generation } from '../../src/protocol/ids.ts';
import { GateInput } from '../../src/task/gate-input.ts';
import { InFlightPart } from '../../src/task/in-flight-part.ts';
import { GateTime } from '../../src/task/gate-time.ts';
import { NO_TIMESTAMP } from '../../src/graph/functions.ts';
import { newBatch } from '../exchange/two-ends.ts';

/** Writers of one channel each, and the gate that reads them all. */
function join(channelCount: number): { readonly input: GateInput; readonly writers: readonly RecordWriter[] } {
  const slot = new SlotChannels(silentLoggers.logger('test'));
  const endpoints = Array.from({ length: channelCount }, (_, i): ChannelEndpoint => ({ kind: 'local', channelId: `c${i}`, generation: 1 as Generation }));
  const writers = endpoints.map((endpoint, producerIndex) => slot.createWriter({
    taskName: 'map', partitioning: { kind: 'forward' }, key: null, maxParallelism: 128, producerIndex, type: null,
    endpoints: [endpoint], bufferTimeoutMs: 100, status: { full: false }, seed: 0,
  }));
  return { input: new GateInput(slot.createGate({ taskName: 'sink', inputs: [{ inputIndex: 0, type: null, endpoints }] })), writers };
}

const barrier = (checkpointId: number, alignment = 'exactly-once'): StreamEvent & { kind: 'barrier' } =>
  ({ kind: 'barrier', checkpointId, timestampMs: 0, options: JSON.stringify({ alignment }) });

/** Everything there is now: records, ids of barriers as `|id`, and the end. */
function readAll(input: GateInput): unknown[] {
  const seen: unknown[] = [];
  const batch = newBatch();
  for (;;) {
    const result = input.poll(batch);
    if (result === 'nothing') return seen;
    if (result === 'end') return [...seen, 'end'];
    if (result === 'records') seen.push(...batch.values.slice(0, batch.length));
    if (result === 'event' && input.event?.kind === 'barrier') seen.push(`|${input.event.checkpointId}`);
  }
}

test('a channel waits behind its barrier while the others go on', (t) => {
  const { input, writers: [a, b] } = join(2);
  a!.emit('a1', 0);
  a!.broadcast(barrier(1));
  a!.emit('a2', 0);
  b!.emit('b1', 0);
  t.deepEqual(readAll(input), ['a1', 'b1']);
  b!.emit('b2', 0);
  t.deepEqual(readAll(input), ['b2']);
  b!.broadcast(barrier(1));
  b!.emit('b3', 0);
  t.deepEqual(readAll(input), ['|1', 'a2', 'b3']);
});

test('the gate knows the watermark of its channels together', (t) => {
  const { input, writers: [a, b] } = join(2);
  t.is(input.currentWatermarkMs, NO_TIMESTAMP);
  a!.broadcast({ kind: 'watermark', timestampMs: 7 });
  b!.broadcast({ kind: 'watermark', timestampMs: 5 });
  readAll(input);
  t.is(input.currentWatermarkMs, 5);
});

test('at-least-once reads on behind the barrier', (t) => {
  const { input, writers: [a, b] } = join(2);
  a!.broadcast(barrier(1, 'at-least-once'));
  a!.emit('a1', 0);
  t.deepEqual(readAll(input), ['a1']);
  b!.broadcast(barrier(1, 'at-least-once'));
  t.deepEqual(readAll(input), ['|1']);
});

test('an aborted checkpoint holds nothing back, and what overtakes it is told', (t) => {
  const { input, writers: [a, b] } = join(2);
  const heard: string[] = [];
  input.listen({
    onBegun: (id) => heard.push(`begun ${id}`), onOvertaken: (id) => heard.push(`overtaken ${id}`),
    onEarly: () => new InFlightPart(), onRecorded: () => undefined, awaitDue: () => undefined,
  });
  a!.broadcast(barrier(1));
  a!.emit('a1', 0);
  t.deepEqual(readAll(input), []);
  input.abort(1);
  t.deepEqual(readAll(input), ['a1']);
  a!.broadcast(barrier(2));
  t.deepEqual(readAll(input), []);
  b!.broadcast(barrier(3));
  t.deepEqual(readAll(input), []);
  a!.broadcast(barrier(3));
  t.deepEqual(readAll(input), ['|3']);
  t.deepEqual(heard, ['begun 1', 'begun 2', 'overtaken 2', 'begun 3']);
});

test('a channel that ends completes the checkpoint, and so does the JobManager when all have ended', (t) => {
  const { input, writers: [a, b] } = join(2);
  a!.broadcast(barrier(1));
  a!.emit('a1', 0);
  b!.broadcast({ kind: 'end' });
  t.deepEqual(readAll(input), ['|1', 'a1']);
  input.trigger(barrier(2));
  t.deepEqual(readAll(input), [], 'a is still open');
  a!.emit('a2', 0);
  a!.broadcast({ kind: 'end' });
  t.deepEqual(readAll(input), ['a2', '|2', 'end']);
  input.trigger(barrier(3));
  t.deepEqual(readAll(input), ['|3', 'end']);
});

test('two inputs: an input that comes back from idleness is waited for; a channel of one input is not, until it has caught up', (t) => {
  const seen = (inputOf: readonly (0 | 1)[]) => {
    const time = new GateTime(inputOf);
    const events = [
      [1, { kind: 'status', idle: true }], [0, { kind: 'watermark', timestampMs: 20 }], [1, { kind: 'status', idle: false }],
      [0, { kind: 'watermark', timestampMs: 30 }], [1, { kind: 'watermark', timestampMs: 10 }], [0, { kind: 'watermark', timestampMs: 40 }],
      [1, { kind: 'watermark', timestampMs: 35 }],
    ] as const;
    return events.flatMap(([channel, event]) => time.on(channel, event)).map((event) => (event.kind === 'watermark' ? event.timestampMs : event.kind));
  };
  t.deepEqual(seen([0, 0]), [20, 30, 40]);
  t.deepEqual(seen([0, 1]), [20, 35]);
});
