/** Live rescaling on a real cluster: two TaskManagers, 2 -> 4 -> 3 over REST, and every count is once in the committed files. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import test from 'ava';
import { defaultsOf, eventually, install, type Installation } from './installation.ts';

const RECORDS = 30_000;
const KEYS = 7;

/** Each count of each key, into files. */
const COUNTS = `import { arg, dataGenerator, fileSink, job, rows } from 'drey';
export default job({ name: 'counts', args: { out: arg.string(), rate: arg.int({ default: 1000 }) } }, (env, { out, rate }) => {
  env.enableCheckpointing('200 ms');
  env.fromSource(dataGenerator({ generate: (index) => index, count: ${RECORDS}, ratePerSecond: rate })).uid('numbers')
    .map((n) => ({ key: n % ${KEYS}, count: 1 })).uid('pairs')
    .keyBy((record) => record.key).sum('count').uid('count')
    .sinkTo(fileSink({ path: out, encode: rows.json() })).uid('files');
});
`;

interface Job {
  readonly state: string;
  readonly vertices: readonly { readonly id: string; readonly parallelism: number; readonly tasks: Readonly<Record<string, number>> }[];
}

async function put(cluster: Installation, path: string, body: unknown): Promise<{ status: number; body: { errors?: string[] } }> {
  const answer = await fetch(`http://127.0.0.1:${cluster.restPort}${path}`, {
    method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal: AbortSignal.timeout(30_000),
  });
  return { status: answer.status, body: (await answer.json()) as { errors?: string[] } };
}

async function committed(directory: string): Promise<string[]> {
  const names = (await readdir(directory, { recursive: true })).filter((name) => basename(name).startsWith('part-'));
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  return texts.flatMap((text) => text.split('\n').filter((line) => line !== '')).map((line) => {
    const { key, count } = JSON.parse(line) as { key: number; count: number };
    return `${key}:${count}`;
  });
}

test('a running job is rescaled 2 -> 4 -> 3 over REST; every count is committed once', async (t) => {
  const cluster = await install(t);
  await cluster.configure({
    ...defaultsOf(cluster), 'taskmanager.numberOfTaskSlots': 2, 'execution.checkpointing.dir': `file:${join(cluster.directory, 'checkpoints')}`,
  });
  t.is((await cluster.run('start-cluster.sh')).code, 0);
  t.is((await cluster.run('taskmanager.sh', ['start'])).code, 0);
  await eventually('4 slots', async () => ((await cluster.rest('/v1/overview')) as { 'slots-total': number })['slots-total'] === 4 || null);
  const file = join(cluster.directory, 'job.ts');
  const out = join(cluster.directory, 'out');
  await writeFile(file, COUNTS);
  const submitted = await cluster.run('flink', ['run', '-d', '-p', '2', file, '--out', out]);
  const [, jobId = ''] = /JobID ([0-9a-f]{32})/.exec(submitted.out) ?? [];
  t.not(jobId, '', submitted.error);
  const job = async (): Promise<Job> => (await cluster.rest(`/v1/jobs/${jobId}`)) as Job;
  // A source's subtask without a split has finished.
  const runsAt = (parallelism: number) => eventually(`all tasks of ${jobId} at ${parallelism}`, async () => {
    const isUp = ({ parallelism: width, tasks }: Job['vertices'][number]): boolean => width === parallelism && (tasks['RUNNING'] ?? 0) + (tasks['FINISHED'] ?? 0) === width;
    return (await job()).vertices.every(isUp) || null;
  });
  await runsAt(2);
  const { vertices } = await job();
  const bounds = (lowerBound: number, upperBound: number) => Object.fromEntries(vertices.map(({ id }) => [id, { parallelism: { lowerBound, upperBound } }]));
  const requirements = `/v1/jobs/${jobId}/resource-requirements`;
  t.deepEqual(await cluster.rest(requirements), bounds(1, 2));
  const refused = await put(cluster, requirements, bounds(5, 9));
  t.is(refused.status, 503);
  t.regex(refused.body.errors?.join() ?? '', /lower bounds need 5 slots, and the job can have 4/);
  for (const parallelism of [4, 3]) {
    t.deepEqual(await put(cluster, requirements, bounds(1, parallelism)), { status: 200, body: {} });
    await runsAt(parallelism);
    t.deepEqual(await cluster.rest(requirements), bounds(1, parallelism));
    const before = (await committed(out)).length;
    await eventually('more commits', async () => (await committed(out)).length > before || null);
  }
  t.regex(await cluster.logOf('standalonesession', 'log'), /Rescaling job \w+ \(revision 2\): .* 4 -> 3/);
  const stopped = await cluster.run('flink', ['stop', '-p', join(cluster.directory, 'savepoints'), jobId]);
  const [, path = ''] = /^Savepoint completed\. Path: (.*)$/m.exec(stopped.out) ?? [];
  t.not(path, '', stopped.error);
  const last = await cluster.run('flink', ['run', '-p', '1', '-s', path, file, '--out', out, '--rate', '1000000']);
  t.is(last.code, 0, last.error);
  const expected = Array.from({ length: RECORDS }, (_, n) => `${n % KEYS}:${Math.floor(n / KEYS) + 1}`).toSorted();
  t.deepEqual((await committed(out)).toSorted(), expected);
});
