/** asyncMap: order, watermarks, capacity, timeout, retry, and what happens to late results. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { AsyncFunction, AsyncOptions } from '../../src/graph/functions.ts';
import { node, OperatorDriver } from './operator-driver.ts';

/** Requests that the test answers. */
class Requests {
  readonly open = new Map<unknown, { resolve(result: unknown): void; reject(error: unknown): void; signal: AbortSignal }>();
  started = 0;

  readonly call: AsyncFunction<unknown, unknown> = (value, signal) => {
    this.started++;
    return new Promise((resolve, reject) => void this.open.set(value, { resolve, reject, signal }));
  };

  answer(...values: unknown[]): void {
    for (const value of values) this.open.get(value)?.resolve(`${String(value)}!`);
  }
}

async function open(t: ExecutionContext, options: Partial<AsyncOptions<unknown, unknown>>, asyncMap: AsyncFunction<unknown, unknown>): Promise<OperatorDriver> {
  const resolved = { ordered: true, capacity: 10, timeoutMs: 0, ...options };
  const { ordered, capacity, timeoutMs } = resolved;
  const spec = { kind: 'asyncMap' as const, data: { ordered, capacity, timeoutMs }, user: { asyncMap, options: resolved } };
  const driver = new OperatorDriver([node(1, spec)], [], { mode: 'generated' });
  t.teardown(() => driver.close());
  await driver.open();
  return driver;
}

test('ordered results leave in the order of the records', async (t) => {
  const requests = new Requests();
  const driver = await open(t, {}, requests.call);
  await driver.run(['a', 'b', 'c'], { batchSize: 3 });
  requests.answer('c', 'b');
  await driver.turn();
  t.deepEqual(driver.values(), []);
  requests.answer('a');
  await driver.settle();
  t.deepEqual(driver.values(), ['a!', 'b!', 'c!']);
});

test('unordered results leave as they complete but never overtake a watermark', async (t) => {
  const requests = new Requests();
  const driver = await open(t, { ordered: false }, requests.call);
  await driver.run(['a', 'b'], { batchSize: 2 });
  await driver.event({ kind: 'watermark', timestampMs: 1 });
  await driver.run(['c'], { batchSize: 1 });
  requests.answer('c', 'b');
  await driver.turn();
  t.deepEqual(driver.values(), ['b!']);
  requests.answer('a');
  await driver.settle();
  t.deepEqual(driver.values(), ['b!', 'a!', 'watermark', 'c!']);
});

test('a record keeps its timestamp across its request', async (t) => {
  const driver = await open(t, {}, async (value) => value);
  await driver.run([1, 2], { batchSize: 2, timestampsMs: [10, 20] });
  await driver.settle();
  t.deepEqual(driver.writers[0]?.emitted, [{ value: 1, timestampMs: 10 }, { value: 2, timestampMs: 20 }]);
});

test('a timeout aborts the signal and fails the job', async (t) => {
  const requests = new Requests();
  const driver = await open(t, { timeoutMs: 5 }, requests.call);
  await driver.run(['slow'], { batchSize: 1 });
  await t.throwsAsync(async () => {
    for (;;) await driver.turn();
  }, { message: /operator 'asyncMap': asyncMap took longer than 5 ms/ });
  t.true(requests.open.get('slow')?.signal.aborted);
});

test('onTimeout stands in for the result, and what completes later is ignored', async (t) => {
  const requests = new Requests();
  const driver = await open(t, { timeoutMs: 5, onTimeout: (value) => `no ${String(value)}` }, requests.call);
  await driver.run(['slow'], { batchSize: 1 });
  while (driver.values().length === 0) await driver.turn();
  requests.answer('slow');
  await driver.settle();
  t.deepEqual(driver.values(), ['no slow']);
});

test('a rejection fails the job with the error, unless a retry succeeds', async (t) => {
  let attempts = 0;
  const flaky = async (value: unknown) => {
    if (++attempts < 3) throw new Error(`attempt ${attempts}`);
    return value;
  };
  const retry = { attemptsMax: 3, delayMs: 1, backoffMultiplier: 2, delayMsMax: 10 };
  const patient = await open(t, { retry }, flaky);
  await patient.run([1], { batchSize: 1 });
  while (patient.values().length === 0) await patient.turn();
  t.deepEqual([patient.values(), attempts], [[1], 3]);

  attempts = 0;
  const hasty = await open(t, { retry: { ...retry, attemptsMax: 2 } }, flaky);
  await hasty.run([1], { batchSize: 1 });
  await t.throwsAsync(async () => {
    for (;;) await hasty.turn();
  }, { message: /attempt 2/ });
});

test('what a condition of a retry throws fails the job', async (t) => {
  const ifError = () => {
    throw new Error('cannot tell');
  };
  const driver = await open(t, { retry: { attemptsMax: 2, delayMs: 0, backoffMultiplier: 1, delayMsMax: 0, ifError } }, () => Promise.reject(new Error('no')));
  await driver.run([1], { batchSize: 1 });
  await t.throwsAsync(async () => {
    for (;;) await driver.turn();
  }, { message: /cannot tell/ });
});

test('at the end of the input a waiting retry is given up and the last result stands', async (t) => {
  const retry = { attemptsMax: 100, delayMs: 60_000, backoffMultiplier: 1, delayMsMax: 60_000, ifResult: (result: unknown) => result === 'pending' };
  const driver = await open(t, { retry }, async () => 'pending');
  await driver.run([1], { batchSize: 1 });
  await driver.event({ kind: 'end' });
  while (driver.values().length < 2) await driver.turn();
  t.deepEqual(driver.values(), ['pending', 'end']);
});

test('no more requests than the capacity are under way', async (t) => {
  const requests = new Requests();
  const driver = await open(t, { capacity: 2 }, requests.call);
  const running = driver.run(['a', 'b', 'c'], { batchSize: 3 });
  await new Promise((resolve) => setImmediate(resolve));
  t.is(requests.started, 2);
  requests.answer('a');
  await running;
  t.is(requests.started, 3);
  requests.answer('b', 'c');
  await driver.settle();
  t.deepEqual(driver.values(), ['a!', 'b!', 'c!']);
});

test('closing aborts what is under way', async (t) => {
  const requests = new Requests();
  const driver = await open(t, {}, requests.call);
  await driver.run(['a'], { batchSize: 1 });
  await driver.close();
  t.true(requests.open.get('a')?.signal.aborted);
});
