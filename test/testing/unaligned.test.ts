/**
 * Unaligned checkpoints on a cluster: behind a slow sink a checkpoint completes long before the records that are in
 * flight are worked off, and a job that goes on from it has every record once.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { dataGenerator, job, state, t as types } from '../../src/index.ts';
import type { Sink } from '../../src/index.ts';
import { MiniCluster } from '../../src/testing/mini-cluster.ts';

type Count = { readonly key: number; readonly count: number };
type Prepared = { readonly id: string; readonly counts: Count[] };

/** Commits by id, so that one that is made again changes nothing. */
class Outside {
  readonly commits = new Map<string, readonly Count[]>();
  writers = 0;
  slowMs = 0;

  counts(): Count[] {
    return [...this.commits.values()].flat();
  }
}

/** Each record takes `slowMs` of the thread. */
function slowSink(outside: Outside): Sink<Count, Prepared> {
  return {
    name: 'slow',
    createWriter: () => {
      const writer = ++outside.writers;
      let serial = 0;
      let counts: Count[] = [];
      return {
        write: (value) => {
          counts.push(value);
          return outside.slowMs === 0 ? undefined : new Promise((resolve) => setTimeout(resolve, outside.slowMs));
        },
        flush: () => undefined,
        prepareCommit: () => {
          const prepared = counts;
          counts = [];
          return prepared.length === 0 ? [] : [{ id: `${writer}-${serial++}`, counts: prepared }];
        },
        close: () => undefined,
      };
    },
    createCommitter: () => ({
      commit: async (committables) => {
        for (const { id, counts } of committables) if (!outside.commits.has(id)) outside.commits.set(id, counts);
      },
    }),
  };
}

/** More than the channels hold: behind the end of a source no barrier overtakes. */
const RECORDS = 60_000;
const KEYS = 17;

function counting(outside: Outside, parallelism: number) {
  return job({ name: 'counting' }, (env) => {
    env.setParallelism(parallelism);
    env.fromSource(dataGenerator({ generate: (n) => n, count: RECORDS, type: types.int32 })).uid('numbers')
      .keyBy((n) => n % KEYS).process({
        state: { count: state.value(types.int32) },
        output: types.object({ key: types.int32, count: types.int32 }),
        process: (_, { key, state: { count } }, out) => {
          const next = (count.get() ?? 0) + 1;
          count.set(next);
          out.emit({ key: Number(key), count: next });
        },
      }).uid('counts').keyBy(({ key }) => key).map((count) => count).uid('same').sinkTo(slowSink(outside)).uid('sink');
  });
}

/** Each key's counts are 1, 2, 3 … in the order of their commits. */
function holds(t: ExecutionContext, outside: Outside): void {
  t.is(outside.counts().length, RECORDS);
  for (let each = 0; each < KEYS; each++) {
    const counts = outside.counts().filter(({ key }) => key === each).map(({ count }) => count);
    t.deepEqual(counts, counts.map((_, index) => index + 1), `key ${each}`);
  }
}

async function cluster(t: ExecutionContext, more: Record<string, string>): Promise<MiniCluster> {
  const at = mkdtempSync(join(tmpdir(), 'drey-unaligned-'));
  t.teardown(() => rmSync(at, { recursive: true, force: true }));
  const started = await MiniCluster.start({
    taskManagers: 2, slots: 2, configuration: {
      'execution.checkpointing.dir': at, 'execution.checkpointing.interval': '100 ms', 'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.delay': '10 ms', 'restart-strategy.fixed-delay.attempts': '100', ...more,
    },
  });
  t.teardown(() => started.close());
  return started;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

for (const [name, parallelism, timeout] of [['at once', 1, '0 ms'], ['at once', 2, '0 ms'], ['after the timeout', 2, '150 ms']] as const) {
  test(`a checkpoint overtakes ${name}, and what it kept is restored: parallelism ${parallelism}`, async (t) => {
    const running = await cluster(t, {
      'execution.checkpointing.unaligned.enabled': 'true', 'execution.checkpointing.aligned-checkpoint-timeout': timeout,
    });
    const outside = new Outside();
    outside.slowMs = 5;
    const submitted = await running.submit(counting(outside, parallelism));
    await until(() => outside.counts().length > 10);
    t.true(outside.counts().length < RECORDS / 4, 'the checkpoint did not wait for the records');
    await running.startTaskManager();
    outside.slowMs = 0; // What is restored is worked off before the next barrier.
    await running.stopTaskManager(0);
    await submitted.result();
    holds(t, outside);
  });
}
