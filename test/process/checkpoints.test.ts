/** Checkpoints on a real cluster: kill -9 of a TaskManager, savepoints and stops from the command line, a start from them. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { defaultsOf, eventually, install, kill, type Installation } from './installation.ts';

/** Counts 0, 1, 2 … per remainder. */
const COUNTS = `import { dataGenerator, job } from 'drey';
export default job({ name: 'counts' }, (env) => {
  env.enableCheckpointing('100 ms');
  env.fromSource(dataGenerator({ generate: (index) => index, count: 3000, ratePerSecond: 1000 })).uid('numbers')
    .map((n) => ({ key: n % 3, count: 1 })).uid('pairs')
    .keyBy((record) => record.key).sum('count').uid('count')
    .map(({ key, count }) => key + ':' + count).uid('text').print();
});
`;

async function started(t: ExecutionContext): Promise<Installation> {
  const cluster = await install(t);
  await cluster.configure({
    ...defaultsOf(cluster), 'taskmanager.numberOfTaskSlots': 2, 'execution.checkpointing.dir': `file:${join(cluster.directory, 'checkpoints')}`,
    'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.attempts': 10, 'restart-strategy.fixed-delay.delay': '100 ms',
    'heartbeat.interval': '200 ms', 'heartbeat.timeout': '1 s',
  });
  t.is((await cluster.run('start-cluster.sh')).code, 0);
  await slots(cluster, 2);
  await writeFile(join(cluster.directory, 'job.ts'), COUNTS);
  return cluster;
}

function slots(cluster: Installation, count: number): Promise<unknown> {
  return eventually(`${count} slots`, async () => {
    return ((await cluster.rest('/v1/overview')) as { 'slots-total': number })['slots-total'] >= count || null;
  });
}

async function submit(t: ExecutionContext, cluster: Installation, ...options: string[]): Promise<string> {
  const { out, error } = await cluster.run('flink', ['run', '-d', ...options, join(cluster.directory, 'job.ts')]);
  const [, jobId = ''] = /JobID ([0-9a-f]{32})/.exec(out) ?? [];
  t.not(jobId, '', out + error);
  return jobId;
}

interface Checkpoints {
  readonly counts: { readonly completed: number; readonly restored: number };
}

function completed(cluster: Installation, jobId: string, count: number): Promise<Checkpoints> {
  return eventually(`${count} completed checkpoints of ${jobId}`, async () => {
    const found = (await cluster.rest(`/v1/jobs/${jobId}/checkpoints`)) as Checkpoints;
    return found.counts.completed >= count ? found : null;
  });
}

function finished(cluster: Installation, jobId: string): Promise<unknown> {
  return eventually(`job ${jobId} FINISHED`, async () => {
    const { state } = (await cluster.rest(`/v1/jobs/${jobId}`)) as { state: string };
    return state === 'FINISHED' || null;
  });
}

/** The highest count that was printed for each key, over all TaskManagers. */
async function highest(cluster: Installation): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of await readdir(join(cluster.directory, 'log'))) {
    if (!name.endsWith('.out')) continue;
    for (const [, key = '', count] of (await readFile(join(cluster.directory, 'log', name), 'utf8')).matchAll(/(\d):(\d+)$/gm)) {
      counts[key] = Math.max(counts[key] ?? 0, Number(count));
    }
  }
  return counts;
}

const EXACT = { 0: 1000, 1: 1000, 2: 1000 };

test.serial('a TaskManager is killed: another goes on from the newest checkpoint, and each record counts once', async (t) => {
  const cluster = await started(t);
  const jobId = await submit(t, cluster, '-p', '2');
  await completed(cluster, jobId, 2);
  const [first = 0] = await cluster.pids('taskexecutor');
  t.is((await cluster.run('taskmanager.sh', ['start'])).code, 0);
  await slots(cluster, 4);
  kill(first, 'SIGKILL');
  await finished(cluster, jobId);
  t.deepEqual(await highest(cluster), EXACT);
  const log = await cluster.logOf('standalonesession', 'log');
  for (const line of [/Triggering checkpoint 1 \(type=CheckpointType/, /Completed checkpoint 1 for job/, /Restoring job \w+ from Checkpoint \d+ @ \d+/]) t.regex(log, line);
  t.deepEqual(await readdir(join(cluster.directory, 'checkpoints')), [], 'a job that finished leaves no checkpoints');
});

test.serial('savepoint, stop and run -s hand a job on, at another parallelism', async (t) => {
  const cluster = await started(t);
  const jobId = await submit(t, cluster, '-p', '2');
  await completed(cluster, jobId, 1);
  const directory = join(cluster.directory, 'savepoints');
  const taken = await cluster.run('flink', ['savepoint', jobId, directory]);
  t.regex(taken.out, new RegExp(`^Triggering savepoint for job ${jobId}\\.\nWaiting for response\\.\\.\\.\nSavepoint completed\\. Path: (file:${directory}/savepoint-${jobId.slice(0, 6)}-[0-9a-f]{12})\n`), taken.error);
  const stopped = await cluster.run('flink', ['stop', '-p', directory, jobId]);
  const [, path = ''] = /^Savepoint completed\. Path: (.*)$/m.exec(stopped.out) ?? [];
  t.not(path, '', stopped.error);
  await finished(cluster, jobId);
  const next = await submit(t, cluster, '-p', '1', '-s', path);
  await finished(cluster, next);
  t.deepEqual(await highest(cluster), EXACT);
  const disposed = await cluster.run('flink', ['savepoint', '-d', path]);
  t.regex(disposed.out, /^Disposing savepoint .*\nWaiting for response\.\.\.\nSavepoint '.*' disposed\.\n$/, disposed.error);
  t.is((await readdir(directory)).length, 1);
  const refused = await cluster.run('flink', ['run', '-s', join(directory, 'nowhere'), join(cluster.directory, 'job.ts')]);
  t.is(refused.code, 1);
  t.regex(refused.error, /Cannot find checkpoint or savepoint file\/directory/);
});
