/**
 * Exactly-once on a cluster: numbered records through keyed state into a two-phase sink, while TaskManagers
 * are lost. What was committed is every count of every key, once and in order.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { dataGenerator, job, state, t as types } from '../../src/index.ts';
import type { Sink } from '../../src/index.ts';
import { MiniCluster } from '../../src/testing/mini-cluster.ts';

const RECORDS = 20_000;
const KEYS = 17;

type Count = { readonly key: number; readonly count: number };

type Prepared = { readonly id: string; readonly counts: Count[] };

/** The outside of the sink: commits by id, so that one that is made again changes nothing. */
class Outside {
  readonly commits = new Map<string, readonly Count[]>();
  writers = 0;
  private readonly waiting: (() => void)[] = [];

  commit({ id, counts }: Prepared): void {
    if (!this.commits.has(id)) this.commits.set(id, counts);
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  /** Resolves once `count` more records are committed. */
  async more(count: number): Promise<void> {
    const due = this.counts().length + count;
    while (this.counts().length < due) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  counts(): Count[] {
    return [...this.commits.values()].flat();
  }
}

function twoPhase(outside: Outside): Sink<Count, Prepared> {
  return {
    name: 'two-phase',
    createWriter: () => {
      const writer = ++outside.writers;
      let serial = 0;
      let counts: Count[] = [];
      return {
        write: (value) => void counts.push(value),
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
        for (const prepared of committables) outside.commit(prepared);
      },
    }),
  };
}

function counting(outside: Outside, parallelism: number) {
  return job({ name: 'counting' }, (env) => {
    env.setParallelism(parallelism);
    env.enableCheckpointing('50 ms');
    env.fromSource(dataGenerator({ generate: (n) => n, count: RECORDS, ratePerSecond: 10_000, type: types.int32 })).uid('numbers')
      .keyBy((n) => n % KEYS).process({
        state: { count: state.value(types.int32) },
        output: types.object({ key: types.int32, count: types.int32 }),
        process: (_, { key, state: { count } }, out) => {
          const next = (count.get() ?? 0) + 1;
          count.set(next);
          out.emit({ key: Number(key), count: next });
        },
      }).uid('counts').sinkTo(twoPhase(outside)).uid('sink');
  });
}

/** Each key's counts are 1, 2, 3 … as often as its numbers came, in the order of their commits. */
function holds(t: ExecutionContext, outside: Outside): void {
  t.is(outside.counts().length, RECORDS);
  for (let each = 0; each < KEYS; each++) {
    const counts = outside.counts().filter(({ key }) => key === each);
    t.true(counts.every(({ count }, index) => count === index + 1), `key ${each}: ${JSON.stringify(counts.slice(0, 20))}`);
  }
}

function directory(t: ExecutionContext): string {
  const made = mkdtempSync(join(tmpdir(), 'drey-exactly-once-'));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

for (const [name, parallelism, losses] of [['nothing is lost', 2, 0], ['a TaskManager is lost', 1, 1], ['TaskManagers are lost', 2, 3]] as const) {
  test(`every record counts once when ${name}, parallelism ${parallelism}`, async (t) => {
    const at = directory(t);
    const cluster = await MiniCluster.start({
      taskManagers: 2, slots: 2, configuration: {
        'execution.checkpointing.dir': at, 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.delay': '10 ms',
        'restart-strategy.fixed-delay.attempts': '100',
      },
    });
    t.teardown(() => cluster.close());
    const outside = new Outside();
    const running = await cluster.submit(counting(outside, parallelism));
    for (let loss = 0; loss < losses; loss++) {
      await outside.more(2000);
      await cluster.startTaskManager();
      await cluster.stopTaskManager(0);
    }
    await running.result();
    holds(t, outside);
    t.deepEqual(readdirSync(at, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('inprogress')), []);
  });
}
