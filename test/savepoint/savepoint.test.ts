/** `drey/state` against a cluster: what a job left is read, changed and made, and jobs go on from what was written. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { systemPorts } from '../../src/base/system-ports.ts';
import { job, state, t as types, tumbling, WatermarkStrategy } from '../../src/index.ts';
import { RecordPartitions } from '../../src/savepoint/record-partitions.ts';
import { SavepointReader, SavepointWriter } from '../../src/savepoint/index.ts';
import { localFileSystems } from '../../src/storage/local-files.ts';
import { MiniCluster } from '../../src/testing/index.ts';
import { pacedSource, type Tap } from '../testing/paced-source.ts';

const KEYS = 7;
const HOUR_MS = 3_600_000;
const Count = types.object({ n: types.int32 });
const counts = { state: { count: state.value(Count), seen: state.list(types.int32) } };

/** The program declares no type of its key: one that is said when reading is for the compiler. */
const byNumber = { key: types.int32, ...counts };

async function temporary(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'drey-savepoint-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => systemPorts.clock.after(2, () => resolve(null)));
}

/** Counts numbers by key, in state, in windows and beside broadcast state. `highest`: what the test sees of it. */
function counting(tap: Tap, highest: Map<number, number>) {
  return job({ name: 'counting' }, (env) => {
    const numbers = env.fromSource(pacedSource(tap)).uid('numbers').setParallelism(1);
    const rules = env.fromElements('a', 'b').uid('rules-source').broadcast({ rules: state.map(types.string, types.int32) });
    numbers.keyBy((n) => n % KEYS).process({
      ...counts,
      process(n, { key, state: { count, seen }, timers }) {
        count.set({ n: (count.get()?.n ?? 0) + 1 });
        seen.add(n);
        timers.registerProcessingTimeTimer(HOUR_MS * 1_000_000_000);
        highest.set(key, count.get()?.n ?? 0);
      },
      onTimer: () => undefined,
    }).uid('counts').discard();
    numbers.assignTimestampsAndWatermarks(ordered()).uid('times').keyBy((n) => n % KEYS)
      .window(tumbling.eventTime({ size: '10 s' })).reduce((a, b) => a + b).uid('windows').discard();
    numbers.keyBy((n) => n % KEYS).connect(rules).process({
      process: () => undefined,
      processBroadcast: (rule, { broadcastState }) => broadcastState.rules.set(rule, rule.length),
    }).uid('rules').discard();
  });
}

function ordered() {
  return WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner((n) => n * 100);
}

interface Ran {
  readonly path: string;
  readonly highest: ReadonlyMap<number, number>;
}

/** Runs until enough was counted, and stops with a savepoint. */
async function run(t: ExecutionContext, options: { readonly parallelism: number; readonly from?: string; readonly wanted?: number }): Promise<Ran> {
  const directory = await temporary(t);
  const { parallelism, from, wanted = 40 } = options;
  await using cluster = await MiniCluster.start({ slots: parallelism });
  const highest = new Map<number, number>();
  const tap: Tap = { isClosed: false, total: -1 };
  const running = await cluster.submit(counting(tap, highest), {}, {
    'parallelism.default': `${parallelism}`, ...(from === undefined ? {} : { 'execution.state-recovery.path': from }),
  });
  await eventually(() => (highest.get(0) ?? 0) >= wanted);
  await running.running();
  return { path: await running.stopWithSavepoint({ directory }), highest };
}

async function readCounts(path: string): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  for await (const { key, state: { count } } of (await SavepointReader.read(path)).operator('counts').keyed(byNumber)) {
    found.set(key, count.get()?.n ?? -1);
  }
  return found;
}

const sorted = (map: ReadonlyMap<number, number>): unknown => [...map].toSorted(([a], [b]) => a - b);

test('what a job left is read: states, timers, windows, broadcast state', async (t) => {
  const { path, highest } = await run(t, { parallelism: 2 });
  const savepoint = await SavepointReader.read(path);
  t.deepEqual(sorted(await readCounts(path)), sorted(highest));
  const operator = savepoint.operator('counts');
  t.like(operator, { uid: 'counts', name: 'KeyedProcess', parallelism: 2, maxParallelism: 128 });
  t.deepEqual(operator.keyedStates().map(({ name, kind, byWindow }) => [name, kind, byWindow]), [['count', 'value', false], ['seen', 'list', false]]);
  let rows = 0;
  for await (const { key, state: { count, seen }, timers } of operator.keyed(byNumber)) {
    rows++;
    t.is(seen.get().length, count.get()?.n ?? -1);
    t.true(seen.get().every((n) => n % KEYS === key));
    t.deepEqual(timers.processingTimeMs, [HOUR_MS * 1_000_000_000]);
    t.deepEqual(timers.eventTimeMs, []);
  }
  t.is(rows, KEYS);
  const total = [...highest.values()].reduce((a, b) => a + b, 0);
  let open = 0;
  for await (const { key, window, contents } of savepoint.operator('windows').windows<number, number>()) {
    open++;
    t.is(window.endMs - window.startMs, 10_000);
    const [from, to] = [window.startMs / 100, Math.min(window.endMs / 100, total)];
    const inside = Array.from({ length: to - from }, (_, i) => from + i).filter((n) => n % KEYS === key);
    t.is(contents, inside.reduce((a, b) => a + b, 0));
  }
  t.true(open > 0);
  const rules = await savepoint.operator('rules').broadcast('rules', types.string, types.int32);
  t.deepEqual([...rules.entries()], [['a', 1], ['b', 1]]);
  t.throws(() => savepoint.operator('nobody'), { code: 'STATE_INCOMPATIBLE', message: /no operator with uid 'nobody'; there is .*'counts'/ });
  const Other = { state: { count: state.value(types.string) } };
  await t.throwsAsync(operator.keyed(Other).next(), { code: 'STATE_INCOMPATIBLE', message: /operator 'KeyedProcess', state 'count'/ });
});

test('what is transformed and renamed goes on in a job, at another parallelism, and what is not touched is as it was', async (t) => {
  const { path } = await run(t, { parallelism: 2 });
  const before = await readCounts(path);
  const target = join(await temporary(t), 'changed');
  const written = await SavepointWriter.from(await SavepointReader.read(path))
    .transformKeyedState('counts', byNumber, ({ key, state: { count }, timers }) => {
      if (key === 3) return 'remove';
      count.set({ n: (count.get()?.n ?? 0) + 1_000_000 });
      if (key === 4) timers.deleteProcessingTimeTimer(timers.processingTimeMs[0] ?? 0);
      return undefined;
    })
    .changeUid('windows', 'other windows')
    .changeUid('other windows', 'windows')
    .write(target);
  t.is(written, `file:${target}`);
  const after = await readCounts(written);
  t.deepEqual(sorted(after), sorted(new Map([...before].filter(([key]) => key !== 3).map(([key, n]) => [key, n + 1_000_000]))));
  const old = await SavepointReader.read(path);
  await SavepointWriter.from(old).removeOperator('rules').write(join(target, 'less'));
  await rm(path.replace('file:', ''), { recursive: true }); // The new one stands for itself.
  for await (const { key, timers } of (await SavepointReader.read(written)).operator('counts').keyed(byNumber)) {
    t.is(timers.processingTimeMs.length, key === 4 ? 0 : 1);
  }
  const { highest } = await run(t, { parallelism: 3, from: written, wanted: (after.get(0) ?? 0) + 5 });
  t.true((highest.get(3) ?? Infinity) < 1000, 'the key that was removed begins anew');
  t.true((highest.get(1) ?? 0) > 1_000_000);
  await t.throwsAsync(SavepointWriter.create().write(written), { code: 'FILE_EXISTS' });
});

test('state that is made of records is where a job finds it, with operator state beside it', async (t) => {
  const target = join(await temporary(t), 'made');
  const written = await SavepointWriter.create({ maxParallelism: 64 })
    .withKeyedState('counts', {
      ...counts,
      parallelism: 3,
      records: Array.from({ length: 70 }, (_, i) => ({ id: i % KEYS, n: i })),
      keyOf: ({ id }) => id,
      process({ n }, { state: { count, seen }, timers }) {
        count.set({ n: (count.get()?.n ?? 0) + 100_000 });
        seen.add(n);
        timers.registerEventTimeTimer(5);
      },
    })
    .withOperatorState('rules', {
      rules: { kind: 'broadcast', keyType: types.string, type: types.int32, entries: [['made', 1]] },
      left: { kind: 'list', type: types.string, elements: ['x', 'y'] },
    })
    .write(target);
  const savepoint = await SavepointReader.read(written);
  t.deepEqual([...(await savepoint.operator('rules').broadcast('rules', types.string, types.int32)).entries()], [['made', 1]]);
  const left: string[] = [];
  for await (const each of savepoint.operator('rules').list('left', types.string)) left.push(each);
  t.deepEqual(left, ['x', 'y']);
  t.deepEqual([...(await readCounts(written)).values()], Array.from({ length: KEYS }, () => 1_000_000));
  const { highest, path } = await run(t, { parallelism: 2, from: written, wanted: 1_000_003 });
  t.true([...highest.values()].every((n) => n > 1_000_000 && n < 1_001_000));
  const next = await SavepointReader.read(path);
  t.is(next.operator('counts').maxParallelism, 64);
  t.deepEqual([...(await next.operator('rules').broadcast('rules', types.string, types.int32)).keys()].toSorted(), ['a', 'b', 'made']);
});

test('a retained checkpoint of increments is read, and becomes a savepoint that stands for itself', async (t) => {
  const directory = await temporary(t);
  const highest = new Map<number, number>();
  const tap: Tap = { isClosed: false, total: -1 };
  await using cluster = await MiniCluster.start({
    slots: 2,
    configuration: {
      'execution.checkpointing.interval': '20 ms', 'execution.checkpointing.dir': directory, 'parallelism.default': '2',
      'execution.checkpointing.externalized-checkpoint-retention': 'RETAIN_ON_CANCELLATION', 'execution.checkpointing.data-inline-threshold': '0 b',
    },
  });
  const running = await cluster.submit(counting(tap, highest));
  await eventually(() => (highest.get(0) ?? 0) >= 60 && cluster.gateway.checkpoints(running.jobId).statistics.counts.completed >= 3);
  await running.cancel();
  await t.throwsAsync(running.result());
  const checkpoints = (): string[] => readdirSync(join(directory, running.jobId)).filter((name) => name.startsWith('chk-'));
  await eventually(() => checkpoints().length === 1); // The newest alone is kept.
  const [chk = ''] = checkpoints();
  const path = join(directory, running.jobId, chk);
  t.regex(readFileSync(join(path, '_metadata'), 'utf8'), /"baseId":\d/, 'there are increments');
  const found = await readCounts(path);
  t.is(found.size, KEYS);
  const written = await SavepointWriter.from(await SavepointReader.read(path)).write(join(directory, 'whole'));
  t.notRegex(readFileSync(join(directory, 'whole', '_metadata'), 'utf8'), /"baseId":\d/);
  t.deepEqual(sorted(await readCounts(written)), sorted(found));
});

test('a flipped byte is named, unless nothing is verified; a native format that is not known is refused', async (t) => {
  const { path } = await run(t, { parallelism: 1 });
  const written = await SavepointWriter.from(await SavepointReader.read(path)).transformKeyedState('counts', { state: {} }, () => undefined)
    .write(join(await temporary(t), 'copy'));
  const directory = written.replace('file:', '');
  const file = join(directory, readdirSync(directory).find((name) => name.includes('keyed')) ?? '');
  const bytes = readFileSync(file);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  writeFileSync(file, bytes);
  await t.throwsAsync(SavepointReader.read(written), { code: 'CHECKPOINT_CORRUPT', message: new RegExp(`'KeyedProcess'.*${file}`) });
  await t.notThrowsAsync(SavepointReader.read(written, { verify: false }));
  await t.throwsAsync(SavepointReader.read(join(directory, 'nowhere')), { code: 'CHECKPOINT_NOT_FOUND' });
});

test('a change that throws leaves nothing behind', async (t) => {
  const target = join(await temporary(t), 'broken');
  const writer = SavepointWriter.create().withKeyedState('counts', {
    ...counts, records: [1, 2], keyOf: (n) => n,
    process(n) {
      if (n === 2) throw new RangeError('planned');
    },
  });
  await t.throwsAsync(writer.write(target), { message: 'planned' });
  t.throws(() => readdirSync(target), { code: 'ENOENT' });
});

test('records come back by key group in their order, whatever was written in between', async (t) => {
  const directory = await temporary(t);
  let round = 0;
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(fc.nat(5), fc.record({ n: fc.integer(), text: fc.string(), list: fc.array(fc.double()) }, { requiredKeys: ['n'] }))), fc.integer({ min: 1, max: 200 }), async (records, runSizeBytes) => {
    const partitions = new RecordPartitions(localFileSystems(systemPorts.random), join(directory, `run-${round++}`), runSizeBytes);
    for (const [keyGroup, record] of records) await partitions.add(keyGroup, record);
    for (let keyGroup = 0; keyGroup <= 5; keyGroup++) {
      const found: unknown[] = [];
      for await (const record of partitions.of(keyGroup)) found.push(record);
      t.deepEqual(found, records.filter(([group]) => group === keyGroup).map(([, record]) => record));
    }
    await partitions.close();
  }), { numRuns: 60 });
  t.deepEqual(readdirSync(directory), []);
});
