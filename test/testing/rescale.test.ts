/** Live rescaling from end to end: every record counts once, committed files hold each once, refused bounds disturb nobody. */
import test from 'ava';
import { systemPorts } from '../../src/base/system-ports.ts';
import type { ParallelismBounds, ResourceRequirements } from '../../src/graph/job-graph.ts';
import { job, type Sink } from '../../src/index.ts';
import type { JobId } from '../../src/protocol/ids.ts';
import { MiniCluster } from '../../src/testing/index.ts';
import { pacedSource, type Tap } from './paced-source.ts';

const KEYS = 13;
const CONFIGURATION = { 'parallelism.default': '2', 'execution.checkpointing.interval': '50 ms', 'restart-strategy.type': 'none' };

async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => systemPorts.clock.after(2, () => resolve(null)));
}

interface Count {
  readonly key: number;
  readonly count: number;
}

/** Counts per key into transactions; what is committed is seen by everybody. */
class Counting {
  readonly tap: Tap = { isClosed: false, total: -1 };
  readonly pending = new Map<string, readonly Count[]>();
  readonly committed = new Map<string, readonly Count[]>();
  failNext = false;
  private transactions = 0;

  program() {
    return job({ name: 'counts' }, (env) => {
      env.fromSource(pacedSource(this.tap)).uid('numbers').map((n) => this.pass({ key: n % KEYS, count: 1 })).uid('map')
        .keyBy((record) => record.key).sum('count').uid('count').sinkTo(this.sink()).uid('sink');
    });
  }

  /** Ends the source; answers what is committed, sorted, and what ought to be. */
  async results(running: { result(): Promise<unknown> }): Promise<readonly [string[], string[]]> {
    this.tap.isClosed = true;
    await running.result();
    const spell = ({ key, count }: Count): string => `${key}:${count}`;
    const seen = new Map<number, number>();
    const expected = Array.from({ length: this.tap.total }, (_, n) => {
      const key = n % KEYS;
      seen.set(key, (seen.get(key) ?? 0) + 1);
      return spell({ key, count: seen.get(key) ?? 0 });
    });
    return [[...this.committed.values()].flat().map(spell).toSorted(), expected.toSorted()];
  }

  private pass(record: Count): Count {
    if (!this.failNext) return record;
    this.failNext = false;
    throw new Error('planned');
  }

  private sink(): Sink<Count, string, null> {
    return {
      name: 'transactions',
      createWriter: () => {
        let counts: Count[] = [];
        return {
          write: ({ key, count }) => void counts.push({ key, count }),
          flush: () => undefined,
          prepareCommit: () => {
            if (counts.length === 0) return [];
            const id = `t-${++this.transactions}`;
            this.pending.set(id, counts);
            counts = [];
            return [id];
          },
          snapshot: () => null,
          close: () => undefined,
        };
      },
      createCommitter: () => ({
        commit: (ids) => {
          for (const id of ids) this.committed.set(id, this.pending.get(id) ?? []);
          return Promise.resolve();
        },
      }),
    };
  }
}

/** The same bounds for every vertex. */
function allOf(cluster: MiniCluster, jobId: JobId, bounds: ParallelismBounds): ResourceRequirements {
  return Object.fromEntries(cluster.gateway.job(jobId).vertices.map(({ id }) => [id, bounds]));
}

function widths(cluster: MiniCluster, jobId: JobId): number[] {
  return cluster.gateway.job(jobId).vertices.map(({ subtasks }) => subtasks.filter(({ state }) => state === 'RUNNING').length);
}

test('Rescaled 2 -> 4 -> 3 while it runs, each record counts once, and other jobs get the slots that are left', async (t) => {
  await using cluster = await MiniCluster.start({ taskManagers: 2, slots: 2, configuration: CONFIGURATION });
  const counting = new Counting();
  const running = await cluster.submit(counting.program());
  const { gateway } = cluster;
  const { jobId } = running;
  await running.running();
  t.deepEqual(new Set(Object.values(gateway.resourceRequirements(jobId)).map(({ upperBound }) => upperBound)), new Set([2]));
  for (const wanted of [4, 3]) {
    await eventually(() => counting.committed.size > 2);
    await gateway.updateResourceRequirements(jobId, allOf(cluster, jobId, { lowerBound: 1, upperBound: wanted }));
    await eventually(() => widths(cluster, jobId).every((width) => width === wanted));
    t.deepEqual(new Set(Object.values(gateway.resourceRequirements(jobId)).map(({ upperBound }) => upperBound)), new Set([wanted]));
    t.true(gateway.job(jobId).vertices.every(({ parallelism }) => parallelism === wanted));
    await eventually(() => gateway.overview().slotsAvailable === 4 - wanted);
    const committed = counting.committed.size;
    await eventually(() => counting.committed.size > committed + 2);
  }
  const [committed, expected] = await counting.results(running);
  t.deepEqual(committed, expected);
  t.is(gateway.job(jobId).failures.length, 0, 'nothing failed');
});

test('An upper bound above the slots is met as far as they go; a lower bound above them is refused, and the job runs on', async (t) => {
  await using cluster = await MiniCluster.start({ slots: 3, configuration: CONFIGURATION });
  const counting = new Counting();
  const running = await cluster.submit(counting.program());
  const { gateway } = cluster;
  const { jobId } = running;
  await running.running();
  const refused = gateway.updateResourceRequirements(jobId, allOf(cluster, jobId, { lowerBound: 4, upperBound: 8 }));
  await t.throwsAsync(refused, { code: 'NO_RESOURCE_AVAILABLE', message: /need 4 slots, and the job can have 3/ });
  await t.throwsAsync(gateway.updateResourceRequirements(jobId, {}), { code: 'BAD_REQUEST' });
  await t.throwsAsync(gateway.updateResourceRequirements('0'.repeat(32) as JobId, {}), { code: 'JOB_NOT_FOUND' });
  t.deepEqual(new Set(Object.values(gateway.resourceRequirements(jobId)).map(({ upperBound }) => upperBound)), new Set([2]));
  t.true(gateway.job(jobId).vertices.every(({ subtasks }) => subtasks.every(({ attemptNumber }) => attemptNumber === 0)));
  await gateway.updateResourceRequirements(jobId, allOf(cluster, jobId, { lowerBound: 1, upperBound: 8 }));
  await t.throwsAsync(gateway.updateResourceRequirements(jobId, allOf(cluster, jobId, { lowerBound: 1, upperBound: 1 })), { code: 'OVERLOADED' });
  await eventually(() => widths(cluster, jobId).every((width) => width === 3));
  const [committed, expected] = await counting.results(running);
  t.deepEqual(committed, expected);
});

test('A failure after a rescale restarts the job at its new parallelism, from a checkpoint of before or after it', async (t) => {
  await using cluster = await MiniCluster.start({
    slots: 3, configuration: { ...CONFIGURATION, 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.attempts': '9', 'restart-strategy.fixed-delay.delay': '1 ms' },
  });
  const counting = new Counting();
  const running = await cluster.submit(counting.program());
  const { gateway } = cluster;
  const { jobId } = running;
  await running.running();
  for (const wanted of [3, 1, 2]) {
    await eventually(() => counting.committed.size > 2);
    await gateway.updateResourceRequirements(jobId, allOf(cluster, jobId, { lowerBound: 1, upperBound: wanted }));
    await eventually(() => gateway.job(jobId).vertices.every(({ parallelism }) => parallelism === wanted));
    const { restored } = gateway.checkpoints(jobId).statistics.counts;
    counting.failNext = true;
    await eventually(() => gateway.checkpoints(jobId).statistics.counts.restored > restored && widths(cluster, jobId).every((width) => width === wanted));
  }
  const [committed, expected] = await counting.results(running);
  t.deepEqual(committed, expected);
  t.is(gateway.job(jobId).failures.length, 3);
});
