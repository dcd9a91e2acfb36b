/**
 * A stop savepoint is the job's only recovery point once it stands: whatever fails after it, the job commits what it
 * holds and finishes; what fails before it leaves the job running. Each drill ends with a job that goes on from the
 * savepoint, and every number is committed once.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { systemPorts } from '../../src/base/system-ports.ts';
import { job, type Sink } from '../../src/index.ts';
import { MiniCluster } from '../../src/testing/index.ts';
import { pacedSource, type Tap } from './paced-source.ts';

type Point = 'snapshot' | 'before-commit' | 'between-commits' | 'after-commit' | 'close' | 'kill';

/** What the outside sees, and where the sink fails next. */
class Outside {
  readonly pending = new Map<string, readonly number[]>();
  readonly committed = new Map<string, readonly number[]>();
  readonly tap: Tap = { isClosed: false, total: -1 };
  armed: Point | null = null;
  reached = 0;
  seen = 0;
  onKill: () => void = () => undefined;
  private transactions = 0;

  at(point: Point): void {
    if (this.armed !== point) return;
    this.armed = null;
    this.reached += 1;
    if (point === 'kill') this.onKill();
    throw new Error(`planned: ${point}`);
  }

  sink(): Sink<number, string, null> {
    return {
      name: 'transactions',
      createWriter: () => {
        let numbers: number[] = [];
        return {
          write: (n) => void numbers.push(n),
          flush: () => undefined,
          prepareCommit: () => {
            if (numbers.length === 0) return [];
            const id = `t-${++this.transactions}`;
            this.pending.set(id, numbers);
            numbers = [];
            return [id];
          },
          snapshot: () => {
            this.at('snapshot');
            return null;
          },
          close: () => this.at('close'),
        };
      },
      createCommitter: () => ({
        commit: (ids) => {
          this.at('before-commit');
          this.at('kill');
          for (const id of ids) this.committed.set(id, this.pending.get(id) ?? []);
          if (this.committed.size > 0) this.at('between-commits');
          this.at('after-commit');
          return Promise.resolve();
        },
      }),
    };
  }

  program() {
    return job({ name: 'stopped' }, (env) => {
      env.fromSource(pacedSource(this.tap)).uid('numbers').map((n) => {
        this.seen += 1;
        return n;
      }).uid('map').sinkTo(this.sink()).uid('sink');
    });
  }
}

async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => systemPorts.clock.after(2, () => resolve(null)));
}

for (const drain of [false, true]) {
  for (const point of ['before-commit', 'between-commits', 'after-commit', 'close', 'kill', 'snapshot'] as const) {
    test(`${drain ? 'Drained' : 'Stopped'} with a failure at '${point}': nothing is lost, nothing is committed twice`, async (t) => {
      const directory = mkdtempSync(join(tmpdir(), 'drey-stop-'));
      t.teardown(() => rmSync(directory, { recursive: true, force: true }));
      const configuration = {
        'execution.checkpointing.savepoint-dir': directory, 'execution.checkpointing.interval': '1 h', 'restart-strategy.type': 'none',
        'parallelism.default': '2', 'execution.checkpointing.tolerable-failed-checkpoints': '100',
      };
      await using cluster = await MiniCluster.start({ taskManagers: 1, slots: 2, configuration });
      const outside = new Outside();
      outside.onKill = () => void cluster.startTaskManager().then(() => cluster.stopTaskManager(0));
      const running = await cluster.submit(outside.program());
      await running.running();
      await eventually(() => outside.seen > 100);
      outside.armed = point;
      if (point === 'snapshot') {
        await t.throwsAsync(running.stopWithSavepoint({ drain: false }), { message: /planned: snapshot/ });
        const seen = outside.seen;
        await eventually(() => outside.seen > seen + 20);
      }
      const path = await running.stopWithSavepoint({ drain });
      t.is(outside.reached, 1, 'the drill has happened');
      t.is(cluster.gateway.job(running.jobId).status, 'FINISHED');
      if (!drain) {
        outside.tap.isClosed = true;
        await cluster.run(outside.program(), {}, { 'execution.state-recovery.path': path });
      }
      const numbers = [...outside.committed.values()].flat().toSorted((a, b) => a - b);
      t.is(new Set(numbers).size, numbers.length, 'none twice');
      t.true(numbers.length > 100);
      if (!drain) t.deepEqual(numbers, Array.from({ length: outside.tap.total }, (_, n) => n));
      t.deepEqual([...outside.pending.keys()].filter((id) => !outside.committed.has(id)), []);
    });
  }
}

test('When the stop savepoint cannot be read any more, the job fails and says so: records after an older checkpoint would be lost', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'drey-stop-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  await using cluster = await MiniCluster.start({ slots: 1, configuration: { 'execution.checkpointing.interval': '1 h' } });
  const outside = new Outside();
  outside.onKill = () => rmSync(directory, { recursive: true });
  const running = await cluster.submit(outside.program());
  await running.running();
  await eventually(() => outside.seen > 50);
  await running.checkpoint();
  await eventually(() => outside.committed.size > 0);
  outside.armed = 'kill';
  await t.throwsAsync(running.stopWithSavepoint({ directory }), { message: /A savepoint has been created at: .*but the corresponding job .* failed during stopping/ });
  await t.throwsAsync(running.result(), { message: /cannot finish from an earlier checkpoint|none of the completed checkpoints/ });
});
