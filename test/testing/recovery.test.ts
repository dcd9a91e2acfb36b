/** Checkpoints from end to end: a failure, a lost TaskManager, damage, a rescale; every record counts exactly once. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemPorts } from '../../src/base/system-ports.ts';
import { job } from '../../src/index.ts';
import type { JobId } from '../../src/protocol/ids.ts';
import { MiniCluster } from '../../src/testing/index.ts';
import { SeededRandom } from '../sim/seeded-random.ts';
import { pacedSource, type Tap } from './paced-source.ts';

const KEYS = 7;
const CONFIGURATION = {
  'execution.checkpointing.interval': '20 ms',
  'restart-strategy.type': 'fixed-delay',
  'restart-strategy.fixed-delay.attempts': '5',
  'restart-strategy.fixed-delay.delay': '1 ms',
};

async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => systemPorts.clock.after(2, () => resolve(null)));
}

/** Counts per key; notes the highest count that each key reached, and every count that came. */
class Counting {
  readonly highest = new Map<number, number>();
  /** Set by the test: the next record fails. */
  failNext = false;
  failures = 0;
  /** Records that came by, also those that come again. */
  passed = 0;

  readonly tap: Tap = { isClosed: false, total: -1 };

  program() {
    return job({ name: 'counts' }, (env) => {
      env.fromSource(pacedSource(this.tap)).uid('numbers')
        .map((n) => this.pass({ key: n % KEYS, count: 1 })).uid('map')
        .keyBy((record) => record.key).sum('count').uid('count')
        .map((record) => this.note(record)).uid('note').discard();
    });
  }

  /** Ends the source; answers whether every number was counted exactly once. */
  async isExact(running: { result(): Promise<unknown> }): Promise<boolean> {
    this.tap.isClosed = true;
    await running.result();
    const { total } = this.tap;
    const expected = Array.from({ length: KEYS }, (_, key) => Math.floor((total - key + KEYS - 1) / KEYS));
    return expected.every((count, key) => this.highest.get(key) === count);
  }

  pass<T>(record: T): T {
    this.passed += 1;
    if (!this.failNext) return record;
    this.failNext = false;
    this.failures += 1;
    throw new Error('planned');
  }

  private note(record: { key: number; count: number }): number {
    this.highest.set(record.key, Math.max(record.count, this.highest.get(record.key) ?? 0));
    return record.count;
  }
}

function completed(cluster: MiniCluster, jobId: JobId): number {
  return cluster.gateway.checkpoints(jobId).statistics.counts.completed;
}

async function temporary(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'drey-recovery-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

for (const storage of ['memory', 'files'] as const) {
  test(`A function that throws: the job goes on from its newest checkpoint, each record counts once (${storage})`, async (t) => {
    const directory = storage === 'files' ? { 'execution.checkpointing.dir': await temporary(t) } : {};
    await using cluster = await MiniCluster.start({ slots: 2, configuration: { ...CONFIGURATION, ...directory, 'parallelism.default': '2' } });
    const counting = new Counting();
    const running = await cluster.submit(counting.program());
    for (const failures of [1, 2]) {
      const before = completed(cluster, running.jobId);
      await eventually(() => completed(cluster, running.jobId) > before + 1);
      counting.failNext = true;
      await eventually(() => counting.failures === failures);
    }
    t.true(await counting.isExact(running));
    t.true(cluster.gateway.checkpoints(running.jobId).statistics.counts.restored >= 2);
    for (const path of Object.values(directory)) await eventually(() => !existsSync(join(path, running.jobId)));
  });
}

test('A lost TaskManager: another takes over from the newest checkpoint', async (t) => {
  await using cluster = await MiniCluster.start({ taskManagers: 2, slots: 1, configuration: { ...CONFIGURATION, 'parallelism.default': '2' } });
  const counting = new Counting();
  const running = await cluster.submit(counting.program());
  await eventually(() => completed(cluster, running.jobId) >= 2);
  await cluster.startTaskManager();
  await cluster.stopTaskManager(0);
  t.true(await counting.isExact(running));
});

test('A flipped byte in the newest checkpoint is named, and the job goes on from the one before', async (t) => {
  const directory = await temporary(t);
  const log: string[] = [];
  const write = (message: string, cause?: unknown): void => void log.push(`${message} ${cause instanceof Error ? cause.message : ''}`);
  const logger = { trace: write, debug: write, info: write, warn: write, error: write, isEnabled: () => true };
  await using cluster = await MiniCluster.start({
    slots: 2, loggers: { logger: () => logger },
    configuration: {
      ...CONFIGURATION, 'execution.checkpointing.interval': '1 h', 'parallelism.default': '2', 'execution.checkpointing.dir': directory,
      'state.checkpoints.num-retained': '3',
      'execution.checkpointing.data-inline-threshold': '0 b',
    },
  });
  const counting = new Counting();
  const running = await cluster.submit(counting.program());
  await eventually(() => counting.highest.size === KEYS);
  for (let i = 0; i < 3; i++) await cluster.gateway.triggerCheckpoint(running.jobId, false);
  const damaged = damageNewest(join(directory, running.jobId));
  counting.failNext = true;
  await eventually(() => counting.failures === 1);
  t.true(await counting.isExact(running));
  t.true(log.some((line) => /^Checkpoint \d+ located at .* cannot be restored; trying the one before it\./.test(line) && line.includes(damaged)), damaged);
});

/** Flips a byte of a file that the newest complete checkpoint alone refers to; answers its path. */
function damageNewest(jobDirectory: string): string {
  const numbers = readdirSync(jobDirectory).filter((name) => existsSync(join(jobDirectory, name, '_metadata'))).map((name) => Number(name.slice(4)));
  const shared = numbers.toSorted((a, b) => a - b).map((number) => {
    const metadata = readFileSync(join(jobDirectory, `chk-${number}`, '_metadata'), 'utf8');
    return Array.from(metadata.matchAll(/"path":"file:([^"]*\/shared\/[^"]*)"/g), ([, path = '']) => path);
  });
  const before = new Set(shared.slice(0, -1).flat());
  const path = shared.at(-1)?.find((each) => !before.has(each)) ?? '';
  const bytes = readFileSync(path);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  writeFileSync(path, bytes);
  return path;
}

for (const seed of [1, 2]) {
  test(`Failures, lost TaskManagers, savepoints and checkpoints in any order: each record counts once (seed ${seed})`, async (t) => {
    const random = new SeededRandom(seed);
    const directory = await temporary(t);
    await using cluster = await MiniCluster.start({
      taskManagers: 3, slots: 1,
      configuration: {
        ...CONFIGURATION, 'parallelism.default': '2', 'execution.checkpointing.dir': directory, 'restart-strategy.fixed-delay.attempts': '1000',
        'execution.checkpointing.max-concurrent-checkpoints': String(seed), 'execution.checkpointing.tolerable-failed-checkpoints': '100',
        'execution.checkpointing.savepoint-dir': join(directory, 'savepoints'), 'execution.checkpointing.data-inline-threshold': '0 b',
      },
    });
    const counting = new Counting();
    const running = await cluster.submit(counting.program());
    const { gateway } = cluster;
    const refused = (): undefined => undefined; // A job that restarts takes none.
    for (let round = 0; round < 12; round++) {
      const seen = counting.passed + random.int(1, 60);
      await eventually(() => counting.passed >= seen);
      const what = random.pick(['fail', 'lose', 'checkpoint', 'savepoint']);
      if (what === 'fail') counting.failNext = true;
      if (what === 'checkpoint') void gateway.triggerCheckpoint(running.jobId, random.chance(0.5)).catch(refused);
      if (what === 'savepoint') void gateway.triggerSavepoint(running.jobId, { targetDirectory: null, cancelJob: false, format: 'CANONICAL' }).catch(refused);
      if (what !== 'lose') continue;
      await cluster.startTaskManager();
      await cluster.stopTaskManager(random.int(0, 2));
    }
    t.true(await counting.isExact(running));
    await eventually(() => !existsSync(join(directory, running.jobId)));
  });
}

test('What was collected before a restart stays, and a source that had finished does not begin again', async (t) => {
  await using cluster = await MiniCluster.start({ slots: 1, configuration: CONFIGURATION });
  const counting = new Counting();
  const program = job({ name: 'two sources' }, (env) => {
    const few = env.fromElements(-1, -2, -3).uid('few').map((n) => n).uid('few-map');
    env.fromSource(pacedSource(counting.tap)).uid('numbers').map((n) => counting.pass(n)).uid('map').union(few).collect('all');
  });
  const running = await cluster.submit(program);
  const values: number[] = [];
  const collecting = (async () => {
    for await (const value of running.collected('all')) values.push(value as number);
  })();
  await eventually(() => values.length > 20 && values.includes(-3));
  const before = completed(cluster, running.jobId);
  await eventually(() => completed(cluster, running.jobId) > before + 1);
  const collected = values.length;
  counting.failNext = true;
  await eventually(() => counting.failures === 1 && values.length > collected + 20);
  counting.tap.isClosed = true;
  await running.result();
  await collecting;
  t.deepEqual(values.filter((n) => n < 0).toSorted((a, b) => b - a), [-1, -2, -3]);
  t.deepEqual([...new Set(values)].filter((n) => n >= 0).toSorted((a, b) => a - b), Array.from({ length: counting.tap.total }, (_, n) => n));
});

test('Stopped with a savepoint and started from it at another parallelism, nothing is lost and nothing counts twice', async (t) => {
  const directory = await temporary(t);
  await using cluster = await MiniCluster.start({ slots: 3, configuration: { ...CONFIGURATION, 'execution.checkpointing.savepoint-dir': directory } });
  const counting = new Counting();
  let path = '';
  for (const parallelism of ['2', '3', '1']) {
    const start = path === '' ? {} : { 'execution.state-recovery.path': path };
    const running = await cluster.submit(counting.program(), {}, { 'parallelism.default': parallelism, ...start });
    await eventually(() => completed(cluster, running.jobId) >= 2);
    const isLast = parallelism === '1';
    if (isLast) t.true(await counting.isExact(running));
    else path = await cluster.gateway.stopWithSavepoint(running.jobId, { targetDirectory: null, drain: false, format: 'CANONICAL' });
    t.is(cluster.gateway.job(running.jobId).status, 'FINISHED');
  }
});

test('A job that says no max parallelism goes on with that of its savepoint; one that says another is told what to do', async (t) => {
  const directory = await temporary(t);
  await using cluster = await MiniCluster.start({ slots: 2, configuration: { ...CONFIGURATION, 'execution.checkpointing.savepoint-dir': directory } });
  const counting = new Counting();
  const first = await cluster.submit(counting.program(), {}, { 'pipeline.max-parallelism': '7' });
  await eventually(() => completed(cluster, first.jobId) >= 2);
  const path = await cluster.gateway.stopWithSavepoint(first.jobId, { targetDirectory: null, drain: false, format: 'NATIVE' });
  const start = { 'execution.state-recovery.path': path };
  const refused = await cluster.submit(counting.program(), {}, { 'pipeline.max-parallelism': '128', ...start });
  await t.throwsAsync(refused.result(), { message: /Max parallelism mismatch .* with max parallelism 7 to new program with max parallelism 128/ });
  const wide = await cluster.submit(counting.program(), {}, { 'parallelism.default': '8', ...start });
  await t.throwsAsync(wide.result(), { message: /maximum parallelism \(7\) of the restored state is lower than the configured parallelism \(8\)/ });
  const next = await cluster.submit(counting.program(), {}, { 'parallelism.default': '2', ...start });
  await eventually(() => completed(cluster, next.jobId) >= 1);
  t.true(await counting.isExact(next));
  t.true(cluster.gateway.job(next.jobId).vertices.some(({ maxParallelism }) => maxParallelism === 7));
});
