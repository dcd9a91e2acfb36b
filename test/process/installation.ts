/**
 * A throw-away installation for tests of real processes: its own conf, log and pid directories, in a path
 * with spaces, on free ports. Everything that it started is gone when the test ends.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { delay } from '../../src/base/ports.ts';
import { systemPorts } from '../../src/base/system-ports.ts';

/** Root of the repository. */
export const HOME = fileURLToPath(new URL('../../..', import.meta.url));

const COMMAND_TIMEOUT_MS = 50_000;
const CONDITION_TIMEOUT_MS = 20_000;
const POLL_INTERVAL_MS = 25;
const IDENT = 'tester';
/** Names of the two daemons, as their files carry them. */
export type Daemon = 'standalonesession' | 'taskexecutor';

/** What a command left behind. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Directories and commands of one installation. */
export interface Installation {
  readonly directory: string;
  readonly restPort: number;
  readonly rpcPort: number;
  /** Runs a script of `bin/`, or of an absolute path, with this installation's directories; `env` is added. */
  run(script: string, args?: readonly string[], env?: Readonly<Record<string, string>>): Promise<Outcome>;
  /** `GET` of the JobManager. Throws while nothing listens. */
  rest(path: string): Promise<unknown>;
  /** Pids in a daemon's pid file, the oldest first. */
  pids(daemon: Daemon): Promise<number[]>;
  pidFile(daemon: Daemon): string;
  /** Text of the daemon's newest `.log` or `.out`, empty when there is none. */
  logOf(process: Daemon | 'client', suffix: 'log' | 'out'): Promise<string>;
  /** Overwrites the configuration, one `key: value` each. */
  configure(settings: Readonly<Record<string, string | number>>): Promise<void>;
}

/** Makes an installation with `slots` task slots. The teardown of `t` kills what is left of it. */
export async function install(t: ExecutionContext, slots = 2): Promise<Installation> {
  const directory = await mkdtemp(join(tmpdir(), 'drey process '));
  const [restPort, rpcPort] = await freePorts();
  const path = (name: string): string => join(directory, name);
  for (const name of ['conf', 'log', 'pids']) await mkdir(path(name));
  const installation: Installation = {
    directory,
    restPort,
    rpcPort,
    run: (script, args = [], env = {}) => runCommand(resolve(HOME, 'bin', script), args, { ...environmentOf(directory), ...env }),
    rest: async (route) => (await fetch(`http://127.0.0.1:${restPort}${route}`, { signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS) })).json(),
    pids: (daemon) => readPids(installation.pidFile(daemon)),
    pidFile: (daemon) => path(`pids/flink-${IDENT}-${daemon}.pid`),
    logOf: (daemon, suffix) => newestLog(path('log'), daemon, suffix),
    configure: (settings) => writeFile(path('conf/flink-conf.yaml'), Object.entries(settings).map(([key, value]) => `${key}: ${value}\n`).join('')),
  };
  await installation.configure({ ...defaultsOf(installation), 'taskmanager.numberOfTaskSlots': slots });
  await writeFile(path('conf/workers'), 'localhost\n');
  t.teardown(async () => {
    for (const daemon of ['taskexecutor', 'standalonesession'] as const) {
      for (const pid of await installation.pids(daemon)) kill(pid, 'SIGKILL');
    }
    await rm(directory, { recursive: true, force: true });
  });
  return installation;
}

/** Settings without which two tests would meet. */
export function defaultsOf({ directory, restPort, rpcPort }: Pick<Installation, 'directory' | 'restPort' | 'rpcPort'>): Record<string, string | number> {
  return {
    'jobmanager.rpc.address': 'localhost',
    'jobmanager.rpc.port': rpcPort,
    'rest.port': restPort,
    'io.tmp.dirs': join(directory, 'tmp'),
    'heartbeat.interval': '200 ms',
    'heartbeat.timeout': '2 s',
  };
}

function environmentOf(directory: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: directory,
    TZ: 'UTC',
    FLINK_CONF_DIR: join(directory, 'conf'),
    FLINK_LOG_DIR: join(directory, 'log'),
    FLINK_PID_DIR: join(directory, 'pids'),
    FLINK_IDENT_STRING: IDENT,
  };
}

function runCommand(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  return new Promise((done) => {
    const options = { env, cwd: env['HOME'], timeout: COMMAND_TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 };
    execFile(file, args, options, (failure, out, error) => {
      const code = failure === null ? 0 : typeof failure.code === 'number' ? failure.code : -1;
      done({ code, out, error });
    });
  });
}

async function readPids(file: string): Promise<number[]> {
  if (!existsSync(file)) return [];
  return (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '').map(Number);
}

async function newestLog(directory: string, daemon: Daemon | 'client', suffix: string): Promise<string> {
  const names = (await readdir(directory)).filter((name) => name.includes(`-${daemon}-`) && name.endsWith(`.${suffix}`));
  const newest = names.toSorted().at(-1);
  return newest === undefined ? '' : readFile(join(directory, newest), 'utf8');
}

/** Two ports that were free a moment ago. */
async function freePorts(): Promise<[number, number]> {
  const servers = await Promise.all([listen(), listen()]);
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return [ports[0] ?? 0, ports[1] ?? 0];
}

async function listen(): Promise<ReturnType<typeof createServer>> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** Sends a signal; a process that is gone is fine. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether a process lives; a zombie does not. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat !== null && !/\) Z /.test(stat);
}

/** Polls `condition` until it answers a value that is not null. Throws after 20 s, naming `what`; a throw of `condition` counts as null. */
export async function eventually<T>(what: string, condition: () => Promise<T | null>): Promise<T> {
  const { clock } = systemPorts;
  const deadlineMs = clock.monotonicMs() + CONDITION_TIMEOUT_MS;
  let last: unknown = 'it never held';
  while (clock.monotonicMs() < deadlineMs) {
    try {
      const value = await condition();
      if (value !== null) return value;
    } catch (error) {
      last = error;
    }
    await delay(clock, POLL_INTERVAL_MS);
  }
  throw new Error(`waited ${CONDITION_TIMEOUT_MS} ms for: ${what}`, { cause: last });
}
