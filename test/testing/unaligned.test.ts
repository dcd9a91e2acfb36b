/**
 * Unaligned checkpoints on a cluster: behind a slow sink a checkpoint completes long before the records that are in
 * flight are worked off, and a job that goes on from it has every record once.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { job } from '../../src/index.ts';
import { MiniCluster } from '../../src/testing/mini-cluster.ts';
import { counted, Outside } from './counted-numbers.ts';

/** More than the channels hold: behind the end of a source no barrier overtakes. */
const RECORDS = 60_000;

function counting(outside: Outside, parallelism: number) {
  return job({ name: 'counting' }, (env) => {
    env.setParallelism(parallelism);
    counted(env, { count: RECORDS }).keyBy(({ key }) => key).map((count) => count).uid('same').sinkTo(outside.sink()).uid('sink');
  });
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
    outside.holds(t, RECORDS);
  });
}
