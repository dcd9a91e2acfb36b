/** Local recovery from end to end: a job restarts from the copies on its TaskManager while the checkpoint's own files are spoilt. */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { systemPorts } from '../../src/base/system-ports.ts';
import { job } from '../../src/index.ts';
import { MiniCluster } from '../../src/testing/index.ts';
import { pacedSource, type Tap } from './paced-source.ts';

const KEYS = 7;

async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => systemPorts.clock.after(2, () => resolve(null)));
}

/** Every byte of every state file; the metadata stays. */
function spoil(directory: string): number {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name)).filter((path) => statSync(path).isFile());
  const states = files.filter((path) => !path.endsWith('_metadata'));
  for (const path of states) writeFileSync(path, Buffer.alloc(statSync(path).size, 0xff));
  return states.length;
}

for (const enabled of [true, false]) {
  test(`With spoilt files in the checkpoint directory a job ${enabled ? 'goes on from local copies, each record once' : 'without local recovery fails'}`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'drey-local-recovery-'));
    t.teardown(() => rmSync(directory, { recursive: true, force: true }));
    await using cluster = await MiniCluster.start({
      slots: 2,
      configuration: {
        'parallelism.default': '2', 'execution.checkpointing.interval': '1 h', 'execution.checkpointing.dir': directory,
        'execution.checkpointing.data-inline-threshold': '0 b', 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.attempts': '2',
        'restart-strategy.fixed-delay.delay': '1 ms',
        'execution.state-recovery.from-local': String(enabled), 'execution.checkpointing.local-backup.enabled': String(enabled),
      },
    });
    const tap: Tap = { isClosed: false, total: -1 };
    const highest = new Map<number, number>();
    let failNext = false;
    let failures = 0;
    const running = await cluster.submit(job({ name: 'counts' }, (env) => {
      env.fromSource(pacedSource(tap)).uid('numbers').map((n) => {
        if (failNext) {
          failNext = false;
          failures += 1;
          throw new Error('planned');
        }
        return { key: n % KEYS, count: 1 };
      }).uid('map').keyBy((record) => record.key).sum('count').uid('count').map(({ key, count }) => {
        highest.set(key, Math.max(count, highest.get(key) ?? 0));
        return count;
      }).uid('note').discard();
    }));
    await running.running();
    await eventually(() => highest.size === KEYS);
    for (let i = 0; i < 3; i++) await running.checkpoint();
    t.true(spoil(join(directory, running.jobId)) > 0);
    failNext = true;
    await eventually(() => failures === 1);
    tap.isClosed = true;
    if (!enabled) {
      await t.throwsAsync(running.result(), { message: /none of the completed checkpoints|SHA-256|Recovery is suppressed/ });
      return;
    }
    await running.result();
    for (let key = 0; key < KEYS; key++) t.is(highest.get(key), Math.floor((tap.total - key + KEYS - 1) / KEYS));
    await eventually(() => !existsSync(join(directory, running.jobId)));
  });
}
