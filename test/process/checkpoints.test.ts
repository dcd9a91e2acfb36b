/** Checkpoints on a real cluster: kill -9 of a TaskManager, savepoints and stops from the command line, a start from them. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { SavepointReader } from '../../src/savepoint/index.ts';
import { defaultsOf, eventually, install, kill, type Installation } from './installation.ts';

/** Counts 0, 1, 2 … per remainder and prints each count. Slow: the test stops it in time, and starts it again in haste. */
const COUNTS = `import { arg, dataGenerator, job } from 'drey';
export default job({ name: 'counts', args: { rate: arg.int({ default: 500 }) } }, (env, { rate }) => {
  env.enableCheckpointing('100 ms');
  env.fromSource(dataGenerator({ generate: (index) => index, count: 30000, ratePerSecond: rate })).uid('numbers')
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

async function submit(t: ExecutionContext, cluster: Installation, options: readonly string[], args: readonly string[] = []): Promise<string> {
  const { out, error } = await cluster.run('flink', ['run', '-d', ...options, join(cluster.directory, 'job.ts'), ...args]);
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

const EXACT = { 0: 10_000, 1: 10_000, 2: 10_000 };

/** Stops the job; answers where its savepoint is. */
async function stop(t: ExecutionContext, cluster: Installation, jobId: string, ...options: string[]): Promise<string> {
  const stopped = await cluster.run('flink', ['stop', ...options, '-p', join(cluster.directory, 'savepoints'), jobId]);
  const [, path = ''] = /^Savepoint completed\. Path: (.*)$/m.exec(stopped.out) ?? [];
  t.not(path, '', stopped.out + stopped.error);
  await finished(cluster, jobId);
  return path;
}

async function finishFrom(t: ExecutionContext, cluster: Installation, path: string, parallelism: string): Promise<void> {
  await finished(cluster, await submit(t, cluster, ['-p', parallelism, '-s', path], ['--rate', '1000000']));
}

/** All of its tasks. */
function running(cluster: Installation, jobId: string): Promise<unknown> {
  return eventually(`job ${jobId} RUNNING`, async () => {
    const { vertices } = (await cluster.rest(`/v1/jobs/${jobId}`)) as { vertices: { status: string }[] };
    return vertices.every(({ status }) => status === 'RUNNING') || null;
  });
}

test.serial('a TaskManager is killed: another goes on from the newest checkpoint, and each record counts once', async (t) => {
  const cluster = await started(t);
  const jobId = await submit(t, cluster, ['-p', '2']);
  await completed(cluster, jobId, 2);
  const [first = 0] = await cluster.pids('taskexecutor');
  t.is((await cluster.run('taskmanager.sh', ['start'])).code, 0);
  await slots(cluster, 4);
  kill(first, 'SIGKILL');
  await eventually('a restore', async () => ((await cluster.rest(`/v1/jobs/${jobId}/checkpoints`)) as Checkpoints).counts.restored > 0 || null);
  await running(cluster, jobId);
  await finishFrom(t, cluster, await stop(t, cluster, jobId), '2');
  t.deepEqual(await highest(cluster), EXACT);
  const log = await cluster.logOf('standalonesession', 'log');
  for (const line of [/Triggering checkpoint 1 \(type=CheckpointType/, /Completed checkpoint 1 for job/, /Restoring job \w+ from Checkpoint \d+ @ \d+/]) t.regex(log, line);
  await eventually('jobs that finished leave no checkpoints', async () => (await readdir(join(cluster.directory, 'checkpoints'))).length === 0 || null);
});

test.serial('savepoint, stop and run -s hand a job on, at another parallelism', async (t) => {
  const cluster = await started(t);
  const jobId = await submit(t, cluster, ['-p', '2']);
  await completed(cluster, jobId, 1);
  const directory = join(cluster.directory, 'savepoints');
  const taken = await cluster.run('flink', ['savepoint', jobId, directory]);
  t.regex(taken.out, new RegExp(`^Triggering savepoint for job ${jobId}\\.\nWaiting for response\\.\\.\\.\nSavepoint completed\\. Path: (file:${directory}/savepoint-${jobId.slice(0, 6)}-[0-9a-f]{12})\n`), taken.error);
  const path = await stop(t, cluster, jobId, '-type', 'native');
  const formats = [taken.out.match(/file:.*/)?.[0] ?? '', path].map(async (each) => (await SavepointReader.read(each)).metadata.format);
  t.deepEqual(await Promise.all(formats), ['CANONICAL', 'NATIVE']);
  t.regex(await cluster.logOf('standalonesession', 'log'), /type=SavepointType\{name='Suspend Savepoint', postCheckpointAction=SUSPEND, formatType=NATIVE\}/);
  await finishFrom(t, cluster, path, '1');
  t.deepEqual(await highest(cluster), EXACT);
  const disposed = await cluster.run('flink', ['savepoint', '-d', path]);
  t.regex(disposed.out, /^Disposing savepoint .*\nWaiting for response\.\.\.\nSavepoint '.*' disposed\.\n$/, disposed.error);
  t.is((await readdir(directory)).length, 1);
  const refused = await cluster.run('flink', ['run', '-s', join(directory, 'nowhere'), join(cluster.directory, 'job.ts')]);
  t.is(refused.code, 1);
  t.regex(refused.error, /Cannot find checkpoint or savepoint file\/directory/);
});
