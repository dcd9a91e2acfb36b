/**
 * Exactly-once on a cluster: numbered records through keyed state into a two-phase sink, while TaskManagers
 * are lost. What was committed is every count of every key, once and in order.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { job } from '../../src/index.ts';
import { MiniCluster } from '../../src/testing/mini-cluster.ts';
import { counted, Outside } from './counted-numbers.ts';

const RECORDS = 20_000;

function counting(outside: Outside, parallelism: number) {
  return job({ name: 'counting' }, (env) => {
    env.setParallelism(parallelism);
    env.enableCheckpointing('50 ms');
    counted(env, { count: RECORDS, ratePerSecond: 10_000 }).sinkTo(outside.sink()).uid('sink');
  });
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
    outside.holds(t, RECORDS);
    t.deepEqual(readdirSync(at, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('inprogress')), []);
  });
}
