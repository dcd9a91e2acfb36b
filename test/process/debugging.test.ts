/** What one does at one's desk: breakpoints in the TypeScript of a job, and a job that starts again on every save. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { Debugger } from './debugger.ts';
import { HOME, eventually, install } from './installation.ts';

const LIBRARY = `interface Event {
  readonly id: number;
}

export function shown(event: Event): string {
  const text = \`event \${event.id}\`;
  return text;
}
`;
/** The line of `const text` above. */
const BREAKPOINT = 6;
const JOB = `import { dataGenerator, job } from 'drey';
import { shown } from './events.ts';

export default job({ name: 'Debugged' }, (env) => {
  env.fromSource(dataGenerator({ generate: (id) => ({ id }), ratePerSecond: 10 })).map((event) => shown(event)).print();
});
`;

async function jobDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'drey debugging '));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, 'job.ts'), JOB);
  await writeFile(join(directory, 'events.ts'), LIBRARY);
  return directory;
}

interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
}

/** The development mode, `flink dev`. */
function startDev(t: ExecutionContext, nodeOptions: string, file: string): Running {
  const env = { ...process.env, FLINK_NODE_OPTS: nodeOptions };
  const child = spawn(join(HOME, 'bin/flink'), ['dev', file], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString('utf8')));
  return { child, output: () => output };
}

const inspectorOf = (output: string): string | null => /Debugger listening on (ws:\S+)/.exec(output)?.[1] ?? null;

async function attach(t: ExecutionContext, url: string): Promise<Debugger> {
  const attached = await Debugger.attach(url);
  t.teardown(() => attached.close());
  return attached;
}

test('a breakpoint in a file of the job hits in development mode', async (t) => {
  const directory = await jobDirectory(t);
  const { output } = startDev(t, '--inspect=127.0.0.1:0', join(directory, 'job.ts'));
  const debug = await attach(t, await eventually('an inspector', async () => inspectorOf(output())));
  debug.breakAt('/events.ts', BREAKPOINT);
  t.deepEqual(await debug.stopped(), { source: pathToFileURL(join(directory, 'events.ts')).href, line: BREAKPOINT });
  t.is(typeof (await debug.evaluate('event.id')), 'number');
});

test('a breakpoint in a file of the job hits in a slot of a TaskManager', async (t) => {
  const cluster = await install(t);
  const directory = await jobDirectory(t);
  t.is((await cluster.run('jobmanager.sh', ['start'])).code, 0);
  t.is((await cluster.run('taskmanager.sh', ['start'], { FLINK_NODE_OPTS: '--inspect=127.0.0.1:0' })).code, 0);
  t.is((await cluster.run('flink', ['run', '-d', join(directory, 'job.ts')])).code, 0);
  const url = await eventually('an inspector', async () => inspectorOf(await cluster.logOf('taskexecutor', 'out')));
  const debug = await attach(t, url);
  debug.breakAt('events.ts', BREAKPOINT);
  t.deepEqual(await debug.stopped(), { source: 'job:events.ts', line: BREAKPOINT });
  t.is(typeof (await debug.evaluate('event.id')), 'number');
});

test('development mode starts the job again when one of its files is saved, and shows type errors instead of running them', async (t) => {
  const directory = await jobDirectory(t);
  const { child, output } = startDev(t, '', join(directory, 'job.ts'));
  await eventually('output of the job', async () => (output().includes('event 1\n') ? true : null));
  await writeFile(join(directory, 'events.ts'), LIBRARY.replace('event.id}', 'event.ID}'));
  await eventually('a type error', async () => (/events\.ts:6:\d+: Property 'ID' does not exist/.test(output()) ? true : null));
  await writeFile(join(directory, 'events.ts'), LIBRARY.replace('`event ', '`changed event '));
  await eventually('output of the changed job', async () => (output().includes('changed event 1\n') ? true : null));
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGINT');
  t.is(await ended, 0);
});
