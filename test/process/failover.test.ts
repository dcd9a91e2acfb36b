/**
 * A TaskManager is killed while another has free slots: every task runs again from the last checkpoint long before the
 * default heartbeat timeout (50 s), since the loss of the connection tells. Seen on a quiet machine of two cores: 1.3 s.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { systemPorts } from '../../src/base/system-ports.ts';
import { defaultsOf, eventually, install, kill, type Installation } from './installation.ts';

/** Far from both, so that a busy machine is no failure. */
const BOUND_MS = 15_000;
/** Endless; its keyed state comes back from the checkpoint. */
const ENDLESS = `import { dataGenerator, job } from 'drey';
export default job({ name: 'endless' }, (env) => {
  env.enableCheckpointing('200 ms');
  env.fromSource(dataGenerator({ generate: (index) => index, ratePerSecond: 2000 })).uid('numbers')
    .map((n) => ({ key: n % 1000, count: 1 })).uid('pairs').keyBy((record) => record.key).sum('count').uid('count').discard();
});
`;

interface Vertices {
  readonly vertices: readonly { readonly status: string; readonly tasks: Readonly<Record<string, number>>; readonly parallelism: number }[];
}

interface Checkpoints {
  readonly counts: { readonly completed: number; readonly restored: number };
}

async function slots(cluster: Installation, count: number): Promise<void> {
  await eventually(`${count} slots`, async () => ((await cluster.rest('/v1/overview')) as { 'slots-total': number })['slots-total'] >= count || null);
}

test.serial('a TaskManager is killed with spare slots: all tasks run again before a heartbeat is missed', async (t) => {
  const cluster = await install(t);
  const { 'heartbeat.interval': _interval, 'heartbeat.timeout': _timeout, ...settings } = defaultsOf(cluster);
  await cluster.configure({
    ...settings, 'taskmanager.numberOfTaskSlots': 2, 'execution.checkpointing.dir': `file:${join(cluster.directory, 'checkpoints')}`,
  });
  t.is((await cluster.run('start-cluster.sh')).code, 0);
  await slots(cluster, 2);
  await writeFile(join(cluster.directory, 'job.ts'), ENDLESS);
  const { out, error } = await cluster.run('flink', ['run', '-d', '-p', '2', join(cluster.directory, 'job.ts')]);
  const [, jobId = ''] = /JobID ([0-9a-f]{32})/.exec(out) ?? [];
  t.not(jobId, '', out + error);
  const checkpoints = async (): Promise<Checkpoints['counts']> => ((await cluster.rest(`/v1/jobs/${jobId}/checkpoints`)) as Checkpoints).counts;
  await eventually('two checkpoints', async () => (await checkpoints()).completed >= 2 || null);
  const [first = 0] = await cluster.pids('taskexecutor');
  t.is((await cluster.run('taskmanager.sh', ['start'])).code, 0);
  await slots(cluster, 4);
  const { clock } = systemPorts;
  const killedMs = clock.monotonicMs();
  kill(first, 'SIGKILL');
  await eventually('all tasks RUNNING, restored', async () => {
    const { vertices } = (await cluster.rest(`/v1/jobs/${jobId}`)) as Vertices;
    return ((await checkpoints()).restored > 0 && vertices.every(({ tasks, parallelism }) => tasks['RUNNING'] === parallelism)) || null;
  });
  const tookMs = clock.monotonicMs() - killedMs;
  t.log(`all tasks RUNNING after ${Math.round(tookMs)} ms`);
  t.true(tookMs <= BOUND_MS, `${tookMs} ms`);
});
