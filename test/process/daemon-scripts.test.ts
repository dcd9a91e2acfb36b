/**
 * The rules of the scripts in bin/: pid files, printed lines, exit codes. A shell script stands for node, so
 * that these tests need no cluster; real processes are in cluster.test.ts.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { HOME, install, isAlive, type Installation, type Outcome } from './installation.ts';

const host = hostname();

/** Reports that it is up, writes its words and some of its environment to its output, and waits for SIGTERM. */
const STAND_IN = `#!/usr/bin/env bash
echo "words: $*"
echo "files: $DREY_LOG_FILE"
[ -z "\${STAND_IN_DIES-}" ] || { echo "$STAND_IN_DIES" >&2; exit 1; }
trap 'exit 0' TERM
echo ready >"$DREY_READY_FILE"
exec 3>&-
while [ -e "$0" ]; do sleep 0.02; done # Not beyond the test's directory.
`;

interface Scripts {
  readonly installation: Installation;
  readonly run: (script: string, args?: readonly string[], env?: Readonly<Record<string, string>>) => Promise<Outcome>;
}

async function scripts(t: ExecutionContext): Promise<Scripts> {
  const installation = await install(t);
  const node = join(installation.directory, 'stand in');
  await writeFile(node, STAND_IN);
  await chmod(node, 0o755);
  return { installation, run: (script, args, env) => installation.run(script, args, { FLINK_NODE: node, ...env }) };
}

test('start-cluster.sh starts a JobManager and the TaskManagers of workers, stop-cluster.sh ends them', async (t) => {
  const { installation, run } = await scripts(t);
  await writeFile(join(installation.directory, 'conf/workers'), '# two here\nlocalhost\n\n/rack1/localhost  # again\n');
  const started = await run('start-cluster.sh');
  t.is(started.error, '');
  t.is(started.code, 0);
  t.is(
    started.out,
    [
      'Starting cluster.',
      `Starting standalonesession daemon on host ${host}.`,
      `Starting taskexecutor daemon on host ${host}.`,
      `[INFO] 1 instance(s) of taskexecutor are already running on ${host}.`,
      `Starting taskexecutor daemon on host ${host}.`,
      '',
    ].join('\n'),
  );
  const [jobManager = 0] = await installation.pids('standalonesession');
  const [first = 0, second = 0] = await installation.pids('taskexecutor');
  const stopped = await run('stop-cluster.sh');
  t.is(
    stopped.out,
    [
      `Stopping taskexecutor daemon (pid: ${second}) on host ${host}.`,
      `Stopping taskexecutor daemon (pid: ${first}) on host ${host}.`,
      `Stopping standalonesession daemon (pid: ${jobManager}) on host ${host}.`,
      '',
    ].join('\n'),
  );
  for (const pid of [jobManager, first, second]) t.false(await isAlive(pid));
  t.false(existsSync(installation.pidFile('taskexecutor')));
});

test('the scripts may be given to sh, whatever shell that is', async (t) => {
  const { installation, run } = await scripts(t);
  for (const shell of [['sh'], ['bash', '--posix']]) {
    const [command, ...args] = ['/usr/bin/env', ...shell];
    const started = await run(command, [...args, join(HOME, 'bin/start-cluster.sh')]);
    t.deepEqual([started.code, started.error], [0, ''], shell.join(' '));
    t.is((await installation.pids('taskexecutor')).length, 1);
    const stopped = await run(command, [...args, join(HOME, 'bin/stop-cluster.sh')]);
    t.deepEqual([stopped.code, stopped.error], [0, '']);
    t.is((await installation.pids('taskexecutor')).length, 0);
  }
});

test('instances of a host have numbered log files, and stop ends the last one', async (t) => {
  const { installation, run } = await scripts(t);
  for (let i = 0; i < 3; i++) await run('taskmanager.sh', ['start', '-D', 'a=b c']);
  for (const id of [0, 1, 2]) {
    const out = await readFile(join(installation.directory, `log/flink-tester-taskexecutor-${id}-${host}.out`), 'utf8');
    t.regex(out, /--configDir .*\/conf -D a=b c\n/);
    t.true(out.includes(`taskexecutor-${id}-${host}.log`));
  }
  const pids = await installation.pids('taskexecutor');
  t.is(pids.length, 3);
  t.is((await run('taskmanager.sh', ['stop'])).out, `Stopping taskexecutor daemon (pid: ${pids[2]}) on host ${host}.\n`);
  t.deepEqual(await installation.pids('taskexecutor'), pids.slice(0, 2));
  const { out } = await run('taskmanager.sh', ['stop-all']);
  t.is(out.match(/^Stopping taskexecutor daemon/gm)?.length, 2);
  t.is((await run('taskmanager.sh', ['stop'])).out, `No taskexecutor daemon to stop on host ${host}.\n`);
});

test('a process that ends while starting is an error with its last words, and leaves no pid', async (t) => {
  const { installation, run } = await scripts(t);
  const { code, error } = await run('jobmanager.sh', ['start'], { STAND_IN_DIES: 'rest.port: 99999 is not a port' });
  t.is(code, 1);
  t.regex(error, /\[ERROR\] standalonesession daemon \(pid: \d+\) on host .* ended while starting/);
  t.true(error.includes('    rest.port: 99999 is not a port'));
  t.deepEqual(await installation.pids('standalonesession'), []);
});

test('start-cluster.sh without a JobManager leaves nothing behind', async (t) => {
  const { installation, run } = await scripts(t);
  const node = join(installation.directory, 'stand in');
  await writeFile(node, STAND_IN.replace('[ -z', '[[ $* == *taskmanager.js* ]] || [ -z'));
  const { code, error, out } = await run('start-cluster.sh', [], { STAND_IN_DIES: 'port taken' });
  t.is(code, 1);
  t.true(error.includes('stopping the TaskManagers as well'));
  t.regex(out, /Stopping taskexecutor daemon/);
  t.deepEqual([await installation.pids('standalonesession'), await installation.pids('taskexecutor')], [[], []]);
});

test('a second start-cluster.sh is refused with what to do; the first cluster stays', async (t) => {
  const { installation, run } = await scripts(t);
  await run('start-cluster.sh');
  const [pid = 0] = await installation.pids('standalonesession');
  const second = await run('start-cluster.sh');
  t.is(second.code, 1);
  t.true(second.error.includes(`is already running on ${host} (JobManager pid: ${pid})`));
  t.true(second.error.includes('stop-cluster.sh'));
  t.true(await isAlive(pid));
  t.is((await installation.pids('taskexecutor')).length, 1);
});

test('a stale pid is skipped, and a pid that belongs to a stranger is never signalled', async (t) => {
  const { installation, run } = await scripts(t);
  const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
  t.teardown(() => stranger.kill('SIGKILL'));
  const pid = stranger.pid ?? 0;
  const gone = 4_194_303; // Above the kernel's default pid_max.
  await writeFile(installation.pidFile('taskexecutor'), `${gone}\n${pid}\n`);
  t.is((await run('taskmanager.sh', ['stop'])).out, `No taskexecutor daemon (pid: ${pid}) is running anymore on ${host}.\n`);
  t.is(
    (await run('taskmanager.sh', ['stop-all'])).out,
    `Skipping taskexecutor daemon (pid: ${gone}), because it is not running anymore on ${host}.\n`,
  );
  t.true(await isAlive(pid));
  await writeFile(installation.pidFile('standalonesession'), `${pid}\n`);
  const started = await run('start-cluster.sh');
  t.is(started.code, 0, 'a stranger with the pid of a JobManager is not a running cluster');
  t.false(started.out.includes('[INFO]'));
});

test('a daemon that ignores SIGTERM is killed after 10 seconds', async (t) => {
  const { installation, run } = await scripts(t);
  await writeFile(join(installation.directory, 'stand in'), STAND_IN.replace("trap 'exit 0' TERM", "trap '' TERM"));
  await run('taskmanager.sh', ['start']);
  const [pid = 0] = await installation.pids('taskexecutor');
  const { out } = await run('taskmanager.sh', ['stop']);
  t.true(out.includes(`Daemon ${pid} didn't stop within 10 seconds. Killing it.\n`));
  t.false(await isAlive(pid));
});

test('env.* keys of either dialect set the directories; the environment wins over them', async (t) => {
  const { installation, run } = await scripts(t);
  const place = (name: string): string => join(installation.directory, name);
  await writeFile(place('conf/flink-conf.yaml'), `env.log.dir: "${place('logs of mine')}" # quoted\nenv.pid.dir: ${place('pids of mine')}\n`);
  const unset = { FLINK_LOG_DIR: '', FLINK_PID_DIR: '' };
  await run('taskmanager.sh', ['start'], unset);
  t.true(existsSync(place(`logs of mine/flink-tester-taskexecutor-0-${host}.out`)));
  t.true(existsSync(place('pids of mine/flink-tester-taskexecutor.pid')));
  await run('taskmanager.sh', ['stop'], unset);

  await mkdir(place('nested'));
  await writeFile(place('nested/config.yaml'), `taskmanager:\n  host: x\nenv:\n  pid:\n    dir: '${place('nested pids')}'\n  log:\n    dir: ${place('nested logs')}\n`);
  const nested = { FLINK_CONF_DIR: place('nested'), FLINK_PID_DIR: '' };
  await run('taskmanager.sh', ['start'], nested);
  t.true(existsSync(place('nested pids/flink-tester-taskexecutor.pid')));
  t.true(existsSync(place(`log/flink-tester-taskexecutor-0-${host}.out`)));
  await run('taskmanager.sh', ['stop'], nested);
});

test('masters are started when high availability is on; a host elsewhere is refused by name', async (t) => {
  const { installation, run } = await scripts(t);
  await installation.configure({ 'high-availability.type': 'ZooKeeper' });
  await writeFile(join(installation.directory, 'conf/masters'), 'localhost:18081\nlocalhost\n');
  const { out, code } = await run('start-cluster.sh');
  t.is(code, 0);
  t.true(out.startsWith('Starting HA cluster with 2 masters.\n'));
  t.is((await installation.pids('standalonesession')).length, 2);
  t.regex(await installation.logOf('standalonesession', 'out'), /--host localhost --webui-port 0/);
  await run('stop-cluster.sh');
  t.deepEqual(await installation.pids('standalonesession'), []);

  await writeFile(join(installation.directory, 'conf/workers'), 'node7.example\n');
  const refused = await run('start-cluster.sh');
  t.is(refused.code, 1);
  t.true(refused.error.includes("names the host 'node7.example'"));
});

test('a master with a port that is none, and a configuration directory that is none, are refused before anything starts', async (t) => {
  const { installation, run } = await scripts(t);
  await installation.configure({ 'high-availability.type': 'zookeeper' });
  await writeFile(join(installation.directory, 'conf/masters'), 'localhost:web\n');
  const port = await run('start-cluster.sh');
  t.is(port.code, 1);
  t.regex(port.error, /conf\/masters: 'localhost:web' is not host or host:port/);
  const nowhere = await run('start-cluster.sh', [], { FLINK_CONF_DIR: '/nowhere/conf' });
  t.deepEqual([nowhere.code, nowhere.error], [1, "[ERROR] FLINK_CONF_DIR is '/nowhere/conf', which is not a directory.\n"]);
  t.deepEqual(await installation.pids('standalonesession'), []);
});

test('start-foreground becomes the process, and starts numbering afresh when all old pids are dead', async (t) => {
  const { installation, run } = await scripts(t);
  await writeFile(installation.pidFile('taskexecutor'), '4194303\n4194302\n');
  await writeFile(join(installation.directory, 'stand in'), '#!/usr/bin/env bash\necho "$$ $DREY_LOG_CONSOLE $DREY_LOG_FILE"\n');
  const { out, code } = await run('taskmanager.sh', ['start-foreground']);
  t.is(code, 0);
  const [line = '', words = ''] = out.split('\n');
  t.is(line, `Starting taskexecutor as a console application on host ${host}.`);
  t.deepEqual(await installation.pids('taskexecutor'), [Number.parseInt(words, 10)]);
  t.true(words.endsWith(`taskexecutor-0-${host}.log`));
});

test('a wrong verb prints the usage and fails', async (t) => {
  const { run } = await scripts(t);
  t.deepEqual(await run('taskmanager.sh', ['launch']), { code: 1, out: 'Usage: taskmanager.sh (start|start-foreground|stop|stop-all) [args]\n', error: '' });
  t.deepEqual(await run('jobmanager.sh'), { code: 1, out: 'Usage: jobmanager.sh ((start|start-foreground) [args])|stop|stop-all\n', error: '' });
  const { code, error } = await run('taskmanager.sh', ['start'], { FLINK_NODE: '/nowhere/node' });
  t.is(code, 1);
  t.true(error.includes("'/nowhere/node' is not on the PATH"));
});
