/**
 * Drey on this machine, as an operator runs it: bin/start-cluster.sh, bin/flink and bin/stop-cluster.sh
 * over a configuration directory of its own.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { awaitSlots, submittedJobId, type Cluster } from './cluster-client.ts';
import { CACHE_DIRECTORY, type ClusterOptions } from './flink-distribution.ts';
import { clock, freePorts, runCommand } from './processes.ts';

const BIN = resolve('bin');
const JOBS = resolve('scripts/bench/jobs');
const START_TIMEOUT_MS = 30_000;

/** The job file of each Java job. */
const JOB_FILES: Readonly<Record<string, string>> = {
  Chain: 'chain.ts',
  KeyedCount: 'keyed-count.ts',
  Windows: 'windows.ts',
  WordCount: 'word-count.ts',
};

/** Names of the arguments of each job; the Java twins take them in this order. */
const JOB_ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  Chain: ['records', 'parallelism'],
  KeyedCount: ['records', 'parallelism', 'keys'],
  Windows: ['records', 'parallelism', 'keys', 'kind'],
  WordCount: ['input', 'parallelism'],
};

/** Starts a cluster with bin/start-cluster.sh and waits until all slots have registered. `startMs` is that wait. */
export async function startDrey(options: ClusterOptions): Promise<{ readonly cluster: Cluster; readonly startMs: number }> {
  const home = join(CACHE_DIRECTORY, `drey-${process.pid}`);
  rmSync(home, { recursive: true, force: true });
  const [restPort = 0, rpcPort = 0] = await freePorts(2);
  writeConfiguration(home, options, { restPort, rpcPort });
  const env = { FLINK_CONF_DIR: join(home, 'conf'), FLINK_LOG_DIR: join(home, 'log'), FLINK_PID_DIR: join(home, 'pid') };
  const restUrl = `http://127.0.0.1:${restPort}`;
  const stop = (): void => {
    runCommand(join(BIN, 'stop-cluster.sh'), [], env);
    process.removeListener('exit', stop);
    rmSync(home, { recursive: true, force: true });
  };
  process.once('exit', stop);
  const startedMs = clock.monotonicMs();
  runCommand(join(BIN, 'start-cluster.sh'), [], env);
  await awaitSlots(restUrl, options.taskManagers * options.slotsPerTaskManager, START_TIMEOUT_MS);
  const startMs = clock.monotonicMs() - startedMs;
  const cluster: Cluster = {
    name: 'drey',
    restUrl,
    pids: pidsIn(join(home, 'pid')),
    submit: (job, args) => submit(env, job, args),
    stop: async () => stop(),
  };
  return { cluster, startMs };
}

function submit(env: Readonly<Record<string, string>>, job: string, args: readonly string[]): { jobId: string; durationMs: number } {
  const file = JOB_FILES[job];
  if (file === undefined) throw new Error(`no job file for ${job}`);
  const words = args.flatMap((value, i) => [`--${JOB_ARGUMENTS[job]?.[i]}`, value]);
  const { stdout, durationMs } = runCommand(join(BIN, 'flink'), ['run', '-d', join(JOBS, file), ...words], env);
  return { jobId: submittedJobId(stdout), durationMs };
}

/** Pid files hold one `pid starttime` line per process. */
function pidsIn(directory: string): number[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.pid'))
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').trim().split('\n'))
    .map((line) => Number.parseInt(line, 10));
}

function writeConfiguration(home: string, options: ClusterOptions, ports: { readonly restPort: number; readonly rpcPort: number }): void {
  for (const directory of ['conf', 'log', 'pid', 'tmp']) mkdirSync(join(home, directory), { recursive: true });
  const configuration: Readonly<Record<string, string | number>> = {
    'jobmanager.rpc.address': 'localhost',
    'jobmanager.rpc.port': ports.rpcPort,
    'taskmanager.numberOfTaskSlots': options.slotsPerTaskManager,
    'rest.port': ports.restPort,
    'io.tmp.dirs': join(home, 'tmp'),
  };
  writeFileSync(join(home, 'conf', 'flink-conf.yaml'), Object.entries(configuration).map(([key, value]) => `${key}: ${value}\n`).join(''));
  writeFileSync(join(home, 'conf', 'masters'), `localhost:${ports.restPort}\n`);
  writeFileSync(join(home, 'conf', 'workers'), 'localhost\n'.repeat(options.taskManagers));
}
