/** The command line over a real REST server and a fake gateway: texts and exit codes of Flink's client. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { silentLoggers } from '../../src/base/log.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { runCommandLine, type ClientSettings } from '../../src/client/cli-front-end.ts';
import type { Terminal } from '../../src/client/terminal.ts';
import { RestServer } from '../../src/rest/server.ts';
import { FAILED_JOB, RUNNING_JOB, fakeGateway, type FakeGateway } from '../rest/fake-gateway.ts';

interface Session {
  readonly gateway: FakeGateway;
  readonly directory: string;
  /** What Ctrl-C does while an action listens for it. */
  readonly interrupt: { press: () => void };
  /** The `-D` pairs that the settings of the last command were asked for with. */
  readonly dynamicSettings: readonly string[];
  /** What `-t local` started, by the slots asked for, and how many of them were closed. */
  readonly localClusters: { readonly slots: number[]; closed: number };
  readonly flink: (...words: string[]) => Promise<{ code: number; out: string; error: string }>;
}

const JOB = `import { job } from 'drey';
export default job({ name: 'hello' }, (env) => { env.fromElements(1, 2).map((n) => n + 1).print(); });
`;

async function start(t: ExecutionContext): Promise<Session> {
  const directory = await mkdtemp(join(tmpdir(), 'drey cli '));
  const gateway = fakeGateway();
  const server = await RestServer.start(gateway, {
    ports: systemPorts, loggers: silentLoggers, bindAddress: '127.0.0.1', portCandidates: [0], advertisedAddress: '127.0.0.1',
    uploadDirectory: directory, submitEnabled: true, cancelEnabled: true, rescaleEnabled: true, refreshIntervalMs: 3000, contentSizeBytesMax: 100_000,
    logFile: null, shownConfiguration: {}, version: '0', revision: { commit: '', date: '' },
  });
  t.teardown(async () => {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  });
  await writeFile(join(directory, 'job.ts'), JOB);
  const interrupt: Session['interrupt'] = { press: () => undefined };
  const dynamicSettings: string[] = [];
  const localClusters: Session['localClusters'] = { slots: [], closed: 0 };
  const settingsFor = (dynamic: readonly string[]): ClientSettings => {
    dynamicSettings.splice(0, Infinity, ...dynamic);
    return {
      restHost: '127.0.0.1', restPort: server.port, timeoutMs: 10_000, headers: {}, configuration: {}, remarks: [], commit: 'abcdef1', externals: [],
      target: dynamic.findLast((pair) => pair.startsWith('execution.target='))?.slice('execution.target='.length),
      startLocalCluster: async (slots) => {
        localClusters.slots.push(slots);
        return { host: '127.0.0.1', port: server.port, close: async () => void localClusters.closed++ };
      },
      develop: () => Promise.reject(new Error('not in this test')),
    };
  };
  const flink: Session['flink'] = async (...words) => {
    let out = '';
    let error = '';
    const terminal: Terminal = {
      clock: systemPorts.clock,
      log: silentLoggers.logger('cli'),
      out: (text) => (out += text),
      error: (text) => (error += text),
      isInteractive: false,
      workingDirectory: directory,
      temporaryDirectory: join(directory, 'tmp'),
      onInterrupt: (callback) => {
        interrupt.press = callback;
        return () => undefined;
      },
    };
    const code = await runCommandLine(words, async (dynamic) => settingsFor(dynamic), terminal);
    return { code, out, error };
  };
  return { gateway, directory, interrupt, dynamicSettings, localClusters, flink };
}

test('list prints running and scheduled jobs as Flink does, and all of them with -a', async (t) => {
  const { flink } = await start(t);
  const lines = (await flink('list')).out.split('\n');
  t.deepEqual([lines[0], lines[1], lines[3], lines[4]], [
    'Waiting for response...',
    '------------------ Running/Restarting Jobs -------------------',
    '--------------------------------------------------------------',
    'No scheduled jobs.',
  ]);
  t.regex(lines[2] ?? '', new RegExp(`^\\d\\d\\.\\d\\d\\.\\d{4} \\d\\d:\\d\\d:\\d\\d : ${RUNNING_JOB} : words \\(RUNNING\\)$`));
  t.regex((await flink('list', '-a')).out, new RegExp(`Terminated Jobs -+\\n.* : ${FAILED_JOB} : words \\(FAILED\\)`));
  t.is((JSON.parse((await flink('list', '--json')).out) as unknown[]).length, 2);
});

test('cancel says what it did, and why it could not', async (t) => {
  const { flink, gateway } = await start(t);
  t.deepEqual(await flink('cancel', RUNNING_JOB), { code: 0, out: `Cancelling job ${RUNNING_JOB}.\nCancelled job ${RUNNING_JOB}.\n`, error: '' });
  t.deepEqual(gateway.cancelled, [RUNNING_JOB]);
  const bad = await flink('cancel', 'xyz');
  t.is(bad.code, 1);
  t.is(bad.out, 'Cannot parse JobID from "xyz". The expected format is [0-9a-fA-F]{32}, e.g. fd72014d4c864993a2e5a9287b4a9c5d.\n\nUse the help option (-h or --help) to get help on the command.\n');
  t.regex((await flink('cancel')).out, /^Missing JobID\. Specify a JobID to cancel a job\./);
  const missing = await flink('cancel', '0'.repeat(32));
  t.is(missing.code, 1);
  t.regex(missing.error, /^\n-{60}\n The program finished with the following exception:\n\norg\.apache\.flink\.util\.FlinkException: Could not cancel job 0{32}\.\nCaused by: .*Job could not be found/);
});

test('run submits the bundle with arguments, parallelism and configuration', async (t) => {
  const { flink, gateway, directory } = await start(t);
  const ran = await flink('run', '-d', '-p', '3', '-Da.b=c', join(directory, 'job.ts'), '--input', 'x', '-p', '9');
  t.deepEqual(ran, { code: 0, out: `Job has been submitted with JobID ${RUNNING_JOB}\n`, error: '' });
  const request = gateway.requests[0];
  t.deepEqual(request?.programArgs, ['--input', 'x', '-p', '9']);
  t.deepEqual(request?.configuration, { 'client.working-directory': directory, 'a.b': 'c', 'parallelism.default': '3' });
});

test('Ctrl-C while the cluster accepts the job cancels it with -sae', async (t) => {
  const { flink, gateway, directory, interrupt } = await start(t);
  Object.assign(gateway, {
    submitProgram: async () => {
      interrupt.press();
      return RUNNING_JOB;
    },
    jobResult: async (jobId: typeof RUNNING_JOB) => {
      if (gateway.cancelled.length === 0) return null;
      return { jobId, name: 'words', status: 'CANCELED', startTimeMs: 1000, endTimeMs: 3000, accumulators: {}, error: null };
    },
  });
  const { code, error } = await flink('run', '-sae', join(directory, 'job.ts'));
  t.is(code, 1);
  t.deepEqual(gateway.cancelled, [RUNNING_JOB]);
  t.true(error.includes(`Cancelling job ${RUNNING_JOB}.`), error);
  t.true(error.includes(`Job was cancelled (JobID: ${RUNNING_JOB})`), error);
});

test('a run that cannot start says why, without a bare stack trace', async (t) => {
  const { flink, directory } = await start(t);
  const missing = await flink('run', 'nosuch.ts');
  t.is(missing.out, 'Could not get job jar and dependencies from JAR file: JAR file does not exist: nosuch.ts\n\nUse the help option (-h or --help) to get help on the command.\n');
  t.regex((await flink('run', '--paralelism', '2', 'job.ts')).out, /^Unrecognized option: --paralelism\. Did you mean --parallelism\?/);
  t.regex((await flink('run', '-p', 'two', 'job.ts')).out, /parallelism must be a whole number from 1 to 32768: two/);
  t.regex((await flink('run', '-p', 'job.ts')).out, /parallelism must be a whole number from 1 to 32768: job\.ts/);
  t.regex((await flink('list', '-x')).out, /^Unrecognized option: -x\n/);
  t.regex((await flink('run', '-m', 'nowhere', 'job.ts')).out, /-m takes host:port/);
  await writeFile(join(directory, 'broken.ts'), 'export default job(;');
  const broken = await flink('run', join(directory, 'broken.ts'));
  t.is(broken.code, 1);
  t.regex(broken.error, /broken\.ts:1:20/);
  await writeFile(join(directory, 'nothing.ts'), 'export const x = 1;');
  t.regex((await flink('run', join(directory, 'nothing.ts'))).error, /no default export/);
});

test('when nothing listens the reason names the address', async (t) => {
  const { flink } = await start(t);
  const down = await flink('list', '-m', '127.0.0.1:1');
  t.is(down.code, 1);
  t.regex(down.error, /Failed to retrieve job list\.\nCaused by: java\.net\.ConnectException: Connection refused: 127\.0\.0\.1:1/);
});

test('an address where something else answers is told apart from a JobManager', async (t) => {
  const { flink } = await start(t);
  const other = createServer((_request, response) => response.writeHead(426).end('Upgrade Required'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.teardown(() => other.close());
  const { code, error } = await flink('list', '-m', `127.0.0.1:${(other.address() as AddressInfo).port}`);
  t.is(code, 1);
  t.regex(error, /answered with status 426, but not with JSON: is this a JobManager's REST port \(rest\.port\)\?/);
});

test('help, version and unknown actions', async (t) => {
  const { flink } = await start(t);
  t.is((await flink('--version')).out, 'Version: 0.1.0, Commit ID: abcdef1\n');
  const help = (await flink('--help')).out;
  t.true(help.startsWith('./flink <ACTION> [OPTIONS] [ARGUMENTS]\n\nThe following actions are available:\n'));
  t.true(help.split('\n').every((line) => line.length <= 80));
  t.regex((await flink('run', '-h')).out, /Action "run" .*\n\n {2}Syntax: run \[OPTIONS\] <job-file> <arguments>/);
  const none = await flink();
  t.is(none.code, 1);
  t.true(none.out.endsWith('\nPlease specify an action.\n'));
  const unknown = await flink('foo');
  t.is(unknown.code, 1);
  t.true(unknown.out.startsWith('"foo" is not a valid action.\n\nValid actions are "run", "run-application", "dev", "info", "list", "savepoint", "checkpoint", "stop", or "cancel".\n'));
});

test('savepoint, stop, checkpoint and cancel -s say what Flink says', async (t) => {
  const { flink, gateway, directory } = await start(t);
  const path = 'file:/s/savepoint-aaaaaa-000000000000';
  const lines = async (...words: string[]): Promise<string[]> => {
    const { code, out, error } = await flink(...words);
    t.deepEqual([code, error], [0, ''], words.join(' '));
    return out.split('\n').slice(0, -1);
  };
  t.deepEqual(await lines('savepoint', RUNNING_JOB, 'here'), [
    `Triggering savepoint for job ${RUNNING_JOB}.`, 'Waiting for response...', `Savepoint completed. Path: ${path}`,
    'You can resume your program from this savepoint with the run command.',
  ]);
  t.deepEqual(gateway.savepoints, [{ targetDirectory: join(directory, 'here'), cancelJob: false, format: 'CANONICAL' }]);
  t.deepEqual(await lines('stop', '--drain', '-p', 'file:/s', RUNNING_JOB), [
    `Draining job "${RUNNING_JOB}" with a CANONICAL savepoint.`, `Triggering stop-with-savepoint for job ${RUNNING_JOB}.`,
    'Waiting for response...', `Savepoint completed. Path: ${path}`,
  ]);
  t.is((await lines('stop', '-type', 'native', '-p', RUNNING_JOB))[0], `Suspending job "${RUNNING_JOB}" with a NATIVE savepoint.`);
  t.deepEqual(gateway.savepoints.slice(1), [
    { targetDirectory: 'file:/s', drain: true, format: 'CANONICAL' }, { targetDirectory: null, drain: false, format: 'NATIVE' },
  ]);
  t.regex((await lines('savepoint', '-detached', RUNNING_JOB))[1] ?? '', /^Successfully trigger manual savepoint, triggerId: [0-9a-f]{32}$/);
  t.deepEqual(await lines('checkpoint', '-full', RUNNING_JOB), [
    `Triggering checkpoint for job ${RUNNING_JOB}.`, 'Waiting for response...', `Checkpoint(FULL) 26 for job ${RUNNING_JOB} completed.`,
    'You can resume your program from this checkpoint with the run command.',
  ]);
  t.deepEqual(await lines('savepoint', '-d', '/s/1'), ["Disposing savepoint '/s/1'.", 'Waiting for response...', "Savepoint '/s/1' disposed."]);
  t.deepEqual(await lines('cancel', '-s', '/s', RUNNING_JOB), [
    'DEPRECATION WARNING: Cancelling a job with savepoint is deprecated. Use "stop" instead.',
    `Cancelling job ${RUNNING_JOB} with CANONICAL savepoint to /s.`, `Cancelled job ${RUNNING_JOB}. Savepoint stored in ${path}.`,
  ]);
});

test('a savepoint that fails is told with its cause; a missing job id with the usage', async (t) => {
  const { flink, gateway } = await start(t);
  gateway.savepoint = () => Promise.reject(new RangeError('no space left'));
  const failed = await flink('savepoint', RUNNING_JOB, '/s');
  t.is(failed.code, 1);
  t.regex(failed.error, /FlinkException: Failed to trigger a savepoint for the job a{32}\.\nCaused by: RangeError: no space left/);
  t.regex((await flink('stop', RUNNING_JOB)).error, /Could not stop with a savepoint job "a{32}"\./);
  t.regex((await flink('savepoint')).out, /^Missing JobID\. Specify a Job ID to trigger a savepoint\./);
  t.regex((await flink('stop', '-type', 'foreign', RUNNING_JOB)).out, /^-type takes canonical or native, not "foreign"/);
});

test('run -s hands over what the job starts from, a local path counted from here', async (t) => {
  const { flink, gateway, directory } = await start(t);
  const { code } = await flink('run', '-d', '-s', 'savepoints/1', '-n', '--claimMode', 'claim', join(directory, 'job.ts'));
  t.is(code, 0);
  t.like(gateway.requests[0]?.configuration, {
    'execution.state-recovery.path': join(directory, 'savepoints/1'),
    'execution.state-recovery.ignore-unclaimed-state': 'true',
    'execution.state-recovery.claim-mode': 'CLAIM',
  });
  t.regex((await flink('run', '-cm', 'mine', join(directory, 'job.ts'))).out, /^--claimMode takes claim, no_claim or legacy/);
});

test('run -t, -e, -z and -C stand for their keys, and -D wins over them', async (t) => {
  const { flink, dynamicSettings, directory } = await start(t);
  const file = join(directory, 'job.ts');
  t.is((await flink('run', '-d', '-e', 'local', '-t', 'remote', '-z', '/mine', '-C', 'file:///a.mjs', '-C', 'http://b/c', '-Dx=y', file)).code, 0);
  t.deepEqual(dynamicSettings, [
    'execution.target=remote', 'high-availability.cluster-id=/mine', 'pipeline.classpaths=file:///a.mjs;http://b/c', 'x=y',
  ]);
  t.regex((await flink('run', '-C', 'no url', file)).out, /^Bad syntax for classpath: no url\n/);
  t.regex((await flink('run', '-t', 'yarn-session', file)).out, /^The target \(-t, execution\.target\) is remote or local, not "yarn-session"/);
  t.regex((await flink('list', '-t', 'local')).out, /^-t local is for run only/);
  t.is((await flink('list', '-D', 'execution.target=local')).code, 0);
  t.regex((await flink('run-application', file)).out, /^run-application starts a cluster on YARN or Kubernetes/);
  t.regex((await flink('run', '-py', 'job.py')).out, /^Option -py: Python jobs cannot run here/);
});

test('run -t local runs the job in a cluster of its own, which is gone when the job has ended or failed', async (t) => {
  const { flink, gateway, directory, localClusters } = await start(t);
  const file = join(directory, 'job.ts');
  Object.assign(gateway, {
    jobResult: async (jobId: typeof RUNNING_JOB) => ({ jobId, name: 'words', status: 'FINISHED', startTimeMs: 1000, endTimeMs: 3000, accumulators: {}, error: null }),
  });
  const ran = await flink('run', '-t', 'local', '-p3', file);
  t.deepEqual([ran.code, ran.error], [0, '']);
  t.regex(ran.out, /Program execution finished/);
  t.deepEqual(localClusters, { slots: [3], closed: 1 });
  t.is((await flink('run', '-t', 'local', 'nosuch.ts')).code, 1);
  t.deepEqual(localClusters, { slots: [3, 1], closed: 2 });
  t.regex((await flink('run', '-t', 'local', '-d', file)).out, /^-d needs a cluster that outlives this command/);
  t.is(localClusters.slots.length, 2, 'what is refused starts nothing');
});

test('the hidden -j, -a and -yd of run are understood', async (t) => {
  const { flink, gateway, directory } = await start(t);
  const ran = await flink('run', '-yd', '-a', 'first', '-j', join(directory, 'job.ts'), 'second');
  t.deepEqual([ran.code, ran.out], [0, `Job has been submitted with JobID ${RUNNING_JOB}\n`]);
  t.deepEqual(gateway.requests[0]?.programArgs, ['first', 'second']);
  t.notRegex((await flink('run', '-h')).out, /jarfile|yarndetached/);
});
