/**
 * Real JobManager, TaskManager and client processes, started by the scripts: what an operator sees when all is
 * well, and when a process dies, a port is taken, or a job or its author misbehaves.
 */
import { spawn } from 'node:child_process';
import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { defaultsOf, eventually, HOME, install, isAlive, kill, type Installation, type Outcome } from './installation.ts';
import { HELLO, HOLD, POISON, STUCK } from './jobs.ts';

const WORD_COUNT = join(HOME, 'examples/streaming/WordCount.ts');

interface Overview {
  readonly taskmanagers: number;
  readonly 'slots-total': number;
}

interface JobState {
  readonly state: string;
}

/** A running cluster with one TaskManager. */
async function startCluster(t: ExecutionContext, settings: Readonly<Record<string, string | number>> = {}): Promise<Installation> {
  const cluster = await install(t);
  await cluster.configure({ ...defaultsOf(cluster), 'taskmanager.numberOfTaskSlots': 2, ...settings });
  const started = await cluster.run('start-cluster.sh');
  t.is(started.code, 0, started.error);
  await registered(cluster, 1);
  return cluster;
}

function registered(cluster: Installation, count: number): Promise<Overview> {
  return eventually(`${count} registered TaskManagers`, async () => {
    const overview = (await cluster.rest('/v1/overview')) as Overview;
    return overview.taskmanagers === count ? overview : null;
  });
}

async function jobFile(cluster: Installation, name: string, text: string): Promise<string> {
  const path = join(cluster.directory, name);
  await writeFile(path, text);
  return path;
}

async function submit(t: ExecutionContext, cluster: Installation, text: string): Promise<string> {
  const file = await jobFile(cluster, 'job.ts', text);
  const { out, error } = await cluster.run('flink', ['run', '-d', file]);
  const [, jobId] = /^Job has been submitted with JobID ([0-9a-f]{32})\n$/.exec(out) ?? [];
  t.truthy(jobId, out + error);
  return jobId ?? '';
}

function reaches(cluster: Installation, jobId: string, state: string): Promise<JobState> {
  return eventually(`job ${jobId} in state ${state}`, async () => {
    const job = (await cluster.rest(`/v1/jobs/${jobId}`)) as JobState;
    return job.state === state ? job : null;
  });
}

/** Each text comes after the one before it. */
function inOrder(t: ExecutionContext, log: string, texts: readonly RegExp[]): void {
  let rest = log;
  for (const text of texts) {
    const found = text.exec(rest);
    t.truthy(found, `${text} in what follows:\n${rest}`);
    rest = rest.slice((found?.index ?? 0) + (found?.[0].length ?? 0));
  }
}

test.serial('a job runs from the command line, and its output equals an independent count', async (t) => {
  const cluster = await startCluster(t);
  const text = 'To be, or not to be: that is the question.\r\nÜber to\n\nbe';
  const input = join(cluster.directory, 'some text.txt');
  const output = join(cluster.directory, 'word counts');
  await writeFile(input, text);
  const ran = await cluster.run('flink', ['run', '-p', '2', WORD_COUNT, '--input', input, '--output', output]);
  t.is(ran.code, 0, ran.error);
  t.regex(
    ran.out,
    /^Job has been submitted with JobID ([0-9a-f]{32})\nProgram execution finished\nJob with JobID \1 has finished\.\nJob Runtime: \d+ ms\n/,
  );
  const last = new Map<string, number>();
  for (const name of await readdir(output)) {
    for (const line of (await readFile(join(output, name), 'utf8')).split('\n').filter((each) => each !== '')) {
      const [, word = '', count = ''] = /^\((\w+),(\d+)\)$/.exec(line) ?? [];
      last.set(word, Math.max(last.get(word) ?? 0, Number(count)));
    }
  }
  const expected = { to: 3, be: 3, or: 1, not: 1, that: 1, is: 1, the: 1, question: 1, ber: 1 };
  t.deepEqual(Object.fromEntries(last), expected);

  const printed = await cluster.run('flink', ['run', await jobFile(cluster, 'hello.ts', HELLO)]);
  t.is(printed.code, 0, printed.error);
  t.regex(await cluster.logOf('taskexecutor', 'out'), /^hello from a job$/m);
  t.regex(await cluster.logOf('client', 'log'), /CliFrontend +\[\] - Running 'run' command\.\n[^]*Successfully submitted job/);
  const log = await cluster.logOf('standalonesession', 'log');
  for (const line of ['Rest endpoint listening at', 'Registering TaskManager', 'switched from state CREATED to RUNNING', 'reached terminal state FINISHED']) {
    t.true(log.includes(line), line);
  }
  inOrder(t, await cluster.logOf('taskexecutor', 'log'), [
    /Receive slot request \w+ for job \w+ from resource manager/, /Allocated slot for \w+\./, /Add job \w+ for job leader monitoring\./,
    /Establish JobManager connection for job \w+\./, /Offer reserved slots to the leader of job \w+\./, /Activate slot \w+\./,
    /switched from CREATED to DEPLOYING/, /switched from RUNNING to FINISHED/, /Free slot TaskSlot/, /Close JobManager connection for job/,
  ]);
  const stopped = await cluster.run('stop-cluster.sh');
  t.is(stopped.code, 0);
  inOrder(t, await cluster.logOf('standalonesession', 'log'), [
    /Upload directory .*flink-web-upload does not exist\. /, /Created directory .*flink-web-upload for file uploads\./,
    /Registering job manager 0{32}@pekko\S+jobmanager_2 for job \w+\./, /Registered job manager /,
    /JobManager successfully registered at ResourceManager, leader id: 0{32}\./, /Close ResourceManager connection 0{32}: Stopping JobMaster/,
    /Disconnect job manager 0{32}@\S+ for job \w+ from the resource manager\./, /RECEIVED SIGNAL 15: SIGTERM\. Shutting down as requested\./,
    /http:\S+ lost leadership/, /Shut down complete\./, /Stopping dispatcher pekko\S+\./, /Stopped dispatcher/,
    /Terminating cluster entrypoint process StandaloneSessionClusterEntrypoint with exit code 0\.\n$/,
  ]);
  t.regex(await cluster.logOf('taskexecutor', 'log'), /Terminating TaskManagerRunner with exit code 0\.\n$/);
});

test.serial('list, cancel and list -a follow a job; info prints its plan without a cluster', async (t) => {
  const cluster = await startCluster(t);
  const jobId = await submit(t, cluster, HOLD);
  await reaches(cluster, jobId, 'RUNNING');
  const listed = await cluster.run('flink', ['list']);
  t.regex(listed.out, new RegExp(`^\\d\\d\\.\\d\\d\\.\\d{4} \\d\\d:\\d\\d:\\d\\d : ${jobId} : hold \\(RUNNING\\)$`, 'm'));
  const cancelled = await cluster.run('flink', ['cancel', jobId]);
  t.deepEqual(cancelled, { code: 0, out: `Cancelling job ${jobId}.\nCancelled job ${jobId}.\n`, error: '' });
  await reaches(cluster, jobId, 'CANCELED');
  t.regex((await cluster.run('flink', ['list', '-a'])).out, new RegExp(`No running jobs\\.\n[^]*Terminated Jobs -+\n.*${jobId} : hold \\(CANCELED\\)`));
  await cluster.run('stop-cluster.sh');

  const info = await cluster.run('flink', ['info', '-p', '2', WORD_COUNT]);
  t.is(info.code, 0, info.error);
  const [, plan = ''] = /^-+ Execution Plan -+\n([^]*)\n-{62}\n\nNo description provided\.\n$/.exec(info.out) ?? [];
  const { nodes } = JSON.parse(plan) as { nodes: { type: string; parallelism: number }[] };
  t.deepEqual(nodes.map(({ type, parallelism }) => [type.replace(/^(Source|Sink): /, ''), parallelism]), [
    ['in-memory-input', 1],
    ['tokenizer', 2],
    ['counter', 2],
    ['print-sink', 2],
  ]);
});

test.serial('a TaskManager registers again with a JobManager that was killed and started anew', async (t) => {
  const cluster = await startCluster(t);
  const [jobManager = 0] = await cluster.pids('standalonesession');
  const [taskManager = 0] = await cluster.pids('taskexecutor');
  kill(jobManager, 'SIGKILL');
  await eventually('the JobManager to be gone', async () => ((await isAlive(jobManager)) ? null : true));
  const down = await cluster.run('flink', ['list']);
  t.is(down.code, 1);
  t.regex(down.error, /Failed to retrieve job list\.\n[^]*Connection refused: localhost/);
  t.is((await cluster.run('jobmanager.sh', ['start'])).code, 0);
  await registered(cluster, 1);
  t.true(await isAlive(taskManager));
  t.is((await cluster.run('flink', ['run', await jobFile(cluster, 'hello.ts', HELLO)])).code, 0);
});

test.serial('a job fails with the reason when its TaskManager is killed, and an attached client says so', async (t) => {
  const cluster = await startCluster(t);
  const attached = cluster.run('flink', ['run', await jobFile(cluster, 'hold.ts', HOLD)]);
  const jobId = await eventually('a running task', async () => { // A job that has no slot yet would wait for another TaskManager.
    const { jobs } = (await cluster.rest('/v1/jobs/overview')) as { jobs: { jid: string; tasks: { running: number } }[] };
    return jobs.find(({ tasks }) => tasks.running > 0)?.jid ?? null;
  });
  const [pid = 0] = await cluster.pids('taskexecutor');
  kill(pid, 'SIGKILL');
  await reaches(cluster, jobId, 'FAILED');
  const { code, error } = await attached;
  t.is(code, 1);
  t.true(error.includes(`Job failed (JobID: ${jobId})`), error);
  t.regex(error, /TaskManager|TaskExecutor/);
});

test.serial('an error of user code names the file and line of the TypeScript, and the job can be sent again', async (t) => {
  const cluster = await startCluster(t);
  const file = await jobFile(cluster, 'poison.ts', POISON);
  for (let attempt = 0; attempt < 2; attempt++) {
    const { code, error } = await cluster.run('flink', ['run', file]);
    t.is(code, 1);
    t.regex(error, /The program finished with the following exception:\n\n[^]*ProgramInvocationException[^]*Job failed \(JobID: [0-9a-f]{32}\)/);
    t.true(error.includes('poison record 3'), error);
    t.regex(error, /poison\.ts:4/);
  }
});

test.serial('cancel works against a function that never returns; its slot is replaced', async (t) => {
  const cluster = await startCluster(t, { 'task.cancellation.interval': '100 ms', 'task.cancellation.timeout': '500 ms', 'taskmanager.numberOfTaskSlots': 1 });
  const [pid = 0] = await cluster.pids('taskexecutor');
  const jobId = await submit(t, cluster, STUCK);
  await reaches(cluster, jobId, 'RUNNING');
  await cluster.run('flink', ['cancel', jobId]);
  await reaches(cluster, jobId, 'CANCELED');
  inOrder(t, await cluster.logOf('taskexecutor', 'log'), [
    /did not react to cancelling signal - interrupting; it is stuck for \d+ ms/, /did not exit gracefully within 500 ms/,
  ]);
  t.true(await isAlive(pid));
  t.is((await cluster.run('flink', ['run', await jobFile(cluster, 'hello.ts', HELLO)])).code, 0);
});

test.serial('more parallelism than slots ends in NoResourceAvailable after the timeout', async (t) => {
  const cluster = await startCluster(t, { 'slot.request.timeout': '500 ms' });
  const { code, error } = await cluster.run('flink', ['run', '-p', '7', WORD_COUNT]);
  t.is(code, 1);
  t.regex(error, /NoResourceAvailable|NO_RESOURCE_AVAILABLE/);
  t.regex(error, /slot/);
});

test.serial('Ctrl-C with -sae cancels the job', async (t) => {
  const cluster = await startCluster(t);
  const file = await jobFile(cluster, 'hold.ts', HOLD);
  const client = spawn(join(HOME, 'bin/flink'), ['run', '-sae', file], {
    env: { ...process.env, FLINK_CONF_DIR: join(cluster.directory, 'conf'), FLINK_LOG_DIR: join(cluster.directory, 'log') },
    stdio: 'ignore',
  });
  t.teardown(() => client.kill('SIGKILL'));
  const exit = new Promise<number | null>((resolve) => client.once('exit', resolve));
  const jobId = await eventually('a running job', async () => {
    const { jobs } = (await cluster.rest('/v1/jobs/overview')) as { jobs: { jid: string; state: string }[] };
    return jobs.find(({ state }) => state === 'RUNNING')?.jid ?? null;
  });
  client.kill('SIGINT');
  await reaches(cluster, jobId, 'CANCELED');
  t.not(await exit, 0);
});

test.serial('a taken port and a wrong configuration keep the JobManager from starting, with the reason and what to do', async (t) => {
  const cluster = await install(t);
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(cluster.restPort, '127.0.0.1', resolve));
  t.teardown(() => squatter.close());
  const taken = await cluster.run('jobmanager.sh', ['start']);
  t.is(taken.code, 1);
  t.true(taken.error.includes(String(cluster.restPort)) && taken.error.includes('rest.port'), taken.error);

  await cluster.configure({ ...defaultsOf(cluster), 'rest.port': cluster.restPort + 1, 'io.tmp.dirs': join(WORD_COUNT, 'below a file') });
  const nowhere = await cluster.run('jobmanager.sh', ['start']);
  t.is(nowhere.code, 1);
  t.regex(nowhere.error, /: FILE_NOT_FOUND\. cannot create .*below a file.*: a part of the path is not a directory.* \(set io\.tmp\.dirs\)/);
  t.notRegex(nowhere.error, /^\s+at /m, 'what to do, not where in the code');

  await writeFile(join(cluster.directory, 'conf/flink-conf.yaml'), Buffer.from('rest.port: 1\n\u0000\u00ff', 'latin1'));
  const binary = await cluster.run('taskmanager.sh', ['start']);
  t.is(binary.code, 1);
  t.regex(binary.error, /flink-conf\.yaml:2: this line is not text in UTF-8/);

  await cluster.configure({ 'rest.port': 'many', 'taskmanager.numberOfTaskSlots': 0 });
  const wrong = await cluster.run('start-cluster.sh');
  t.is(wrong.code, 1);
  t.regex(wrong.error, /flink-conf\.yaml:1: rest\.port: /);
  t.regex(wrong.error, /flink-conf\.yaml:2: taskmanager\.numberOfTaskSlots: /);
  t.deepEqual([await cluster.pids('standalonesession'), await cluster.pids('taskexecutor')], [[], []]);
});

test.serial('bad input ends in a clear message and exit code 1, before anything runs', async (t) => {
  const cluster = await startCluster(t);
  const file = (name: string, text: string): Promise<string> => jobFile(cluster, name, text);
  const build = (body: string): string => `import { job } from 'drey';\nexport default job({ name: 'x' }, (env) => {\n  ${body}\n});\n`;
  const cases: [words: string[], message: RegExp][] = [
    [[join(cluster.directory, 'none.ts')], /JAR file does not exist: .*none\.ts/],
    [['--paralelism', '2', WORD_COUNT], /Unrecognized option: --paralelism\. Did you mean --parallelism\?/],
    [['-p', '0', WORD_COUNT], /parallelism must be a whole number/],
    [[await file('syntax.ts', 'export default job({\n  name: "x",,\n});\n')], /syntax\.ts:2:13: /],
    [[await file('empty.ts', 'export const x = 1;\n')], /no default export/],
    [[await file('number.ts', 'export default 7;\n')], /default export .* is a value of type number, not a job/],
    [[await file('throws.ts', build("throw new RangeError('not today');"))], /not today/],
    [[await file('promise.ts', build('return Promise.resolve(env) as never;'))], /promise/i],
    [[await file('random.ts', build('env.fromElements(Math.random()).print();'))], /Math\.random/],
    [[await file('nothing.ts', build(''))], /didn't contain a Flink job|no sink|nothing/i],
    [[WORD_COUNT, '--input', join(cluster.directory, 'no such.txt')], /no such\.txt/],
    [[WORD_COUNT, '--inptu', 'x'], /--inptu/],
    [['-D', 'parllelism.default=2', WORD_COUNT, '--inptu'], /^\[WARN\] -D: parllelism\.default: unknown key, did you mean 'parallelism\.default'\?$/m],
  ];
  for (const [words, message] of cases) {
    const { code, out, error }: Outcome = await cluster.run('flink', ['run', ...words]);
    t.is(code, 1, words.join(' '));
    t.regex(out + error, message);
  }
});

test.serial('the client runs through a link from another directory, as npx does', async (t) => {
  const installation = await install(t);
  const { directory } = installation;
  await mkdir(join(directory, 'bin'));
  await symlink(join(HOME, 'bin/flink'), join(directory, 'bin/flink'));
  const { code, out } = await installation.run(join(directory, 'bin/flink'), ['--version']);
  t.is(code, 0);
  t.regex(out, /^Version: \d+\.\d+\.\d+, Commit ID: /);
});

test.serial('run -t local needs no cluster, and its output goes to the terminal', async (t) => {
  const installation = await install(t);
  const ran = await installation.run('flink', ['run', '-t', 'local', '-p', '2', await jobFile(installation, 'hello.ts', HELLO)]);
  t.is(ran.code, 0, ran.error);
  t.regex(ran.out, /^1> hello from a job$/m);
  t.regex(ran.out, /^Program execution finished$/m);
  t.deepEqual(await installation.pids('standalonesession'), []);
});
