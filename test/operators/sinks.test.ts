/** Sinks: back-pressure by promises, order, the flush at the end, and the fold of the discard sink. */
import test from 'ava';
import { RecordFold, hashRecord, mix32 } from '../../src/graph/record-hash.ts';
import type { SinkWriter } from '../../src/graph/functions.ts';
import type { SinkSpec } from '../../src/graph/operator-spec.ts';
import { edge, node, OperatorDriver } from './operator-driver.ts';

const custom = { kind: 'sink.custom', data: {}, user: { sink: {} } } as unknown as SinkSpec;

/** Takes a turn of the event loop for each record; notes everything. */
class SlowWriter implements SinkWriter<unknown> {
  readonly notes: unknown[] = [];
  underWay = 0;
  underWayMax = 0;

  async write(value: unknown): Promise<void> {
    this.underWayMax = Math.max(this.underWayMax, ++this.underWay);
    await new Promise((resolve) => setImmediate(resolve));
    this.underWay--;
    this.notes.push(value);
  }

  async flush(endOfInput: boolean): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.notes.push(`flush ${endOfInput}`);
  }

  close(): void {
    this.notes.push('close');
  }
}

for (const mode of ['generated', 'interpreted'] as const) {
  test(`a sink hears of watermarks behind the records that came before them, ${mode}`, async (t) => {
    const writer = Object.assign(new SlowWriter(), { writeWatermark: (timestampMs: number) => void writer.notes.push(`watermark ${timestampMs}`) });
    const driver = new OperatorDriver([node(2, custom)], [], { mode, sinkWriter: writer });
    await driver.open();
    await driver.run([1, 2], { batchSize: 3 });
    await driver.event({ kind: 'watermark', timestampMs: 7 });
    await driver.run([3], { batchSize: 3 });
    await driver.event({ kind: 'end' });
    await driver.settle();
    await driver.close();
    t.deepEqual(writer.notes, [1, 2, 'watermark 7', 3, 'flush true', 'close']);
  });

  test(`a sink that returns promises is given one record at a time, ${mode}`, async (t) => {
    const writer = new SlowWriter();
    const twice = node(1, { kind: 'flatMap', data: {}, user: { flatMap: (value, out) => { out.emit(value); out.emit(value); } } });
    const driver = new OperatorDriver([twice, node(2, custom)], [edge(1, 2)], { mode, sinkWriter: writer });
    await driver.open();
    await driver.run([1, 2, 3], { batchSize: 3 });
    await driver.event({ kind: 'end' });
    await driver.settle();
    await driver.close();
    t.deepEqual(writer.notes, [1, 1, 2, 2, 3, 3, 'flush true', 'close']);
    t.is(writer.underWayMax, 1);
  });
}

test('while a write is under way nothing more enters the chain', async (t) => {
  let entered = 0;
  let written = (): void => undefined;
  const writer: SinkWriter<unknown> = { write: () => new Promise((resolve) => (written = resolve)), flush: () => undefined, close: () => undefined };
  const counter = node(1, { kind: 'map', data: {}, user: { map: (value) => (entered++, value) } });
  const driver = new OperatorDriver([counter, node(2, custom)], [edge(1, 2)], { mode: 'generated', sinkWriter: writer });
  t.teardown(() => driver.close());
  await driver.open();
  const running = driver.run([1, 2], { batchSize: 2 });
  await driver.turn();
  t.is(entered, 1);
  written();
  await running;
  t.is(entered, 2);
});

test('a write that is rejected fails the task, naming the sink', async (t) => {
  const writer: SinkWriter<unknown> = { write: () => Promise.reject(new Error('disk full')), flush: () => undefined, close: () => undefined };
  const driver = new OperatorDriver([node(1, custom, { name: 'files' })], [], { mode: 'generated', sinkWriter: writer });
  t.teardown(() => driver.close());
  await driver.open();
  await t.throwsAsync(async () => {
    await driver.run([1, 2], { batchSize: 2 });
    await driver.settle();
  }, { message: /operator 'files' failed.*disk full/ });
});

test('the record hash is Java’s hash code of the value', (t) => {
  const vectors: readonly (readonly [unknown, number])[] = [
    [0, 0], [1, 1], [-1, 0], [4294967296, 1], [-2147483649, -2147483648], [1.5, 1073217536], [NaN, 2146959360],
    ['', 0], ['hello', 99162322], [true, 1231], [false, 1237], [null, 0], [undefined, 0],
    [['a', 1], 31 * (31 + 97) + 1], [{ word: 'a', n: 1 }, 31 * (31 + 97) + 1], [[], 1], [[null], 31], [5n, 5],
  ];
  for (const [value, expected] of vectors) t.is(hashRecord(value), expected, typeof value);
  t.is(mix32(0), 0);
  t.is(mix32(1), 1364076727);
});

test('the fold does not depend on the order and stays exact beyond 2^53', (t) => {
  const forwards = new RecordFold();
  const backwards = new RecordFold();
  let exact = 0n;
  const records = 3_000_000;
  for (let i = 0; i < records; i++) {
    forwards.add(i);
    backwards.add(records - 1 - i);
    exact += BigInt(mix32(hashRecord(i)));
  }
  t.true(exact > 2n ** 52n);
  t.deepEqual([forwards.count, forwards.sum()], [records, exact.toString()]);
  t.is(backwards.sum(), exact.toString());
});
