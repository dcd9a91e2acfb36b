/**
 * The child processes of a benchmark run. Each one is known by its pid, writes its output to a file, and
 * is stopped by that pid when the run ends, fails or is interrupted.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';

import { delay } from '../../src/base/ports.ts';
import { systemPorts } from '../../src/base/system-ports.ts';

export const { clock } = systemPorts;

const STOP_TIMEOUT_MS = 10_000;
const POLL_INTERVAL_MS = 5;
const LOG_TAIL_CHARS = 4000;

/** How to start a child. `env` is added to this process's own. */
export interface ProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Standard output and error go here. */
  readonly logFile: string;
}

/** A running child. */
export interface BenchProcess {
  readonly pid: number;
  readonly logFile: string;
  isRunning(): boolean;
  /** Ends it, first politely. Idempotent. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();

process.once('exit', killRemaining);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

function killRemaining(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Starts a child that is stopped with this process at the latest. */
export function startProcess(options: ProcessOptions): BenchProcess {
  mkdirSync(dirname(options.logFile), { recursive: true });
  const log = openSync(options.logFile, 'w');
  const child = spawn(options.command, options.args, {
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  if (child.pid === undefined) throw new Error(`cannot start ${options.command}`);
  running.add(child);
  child.once('exit', () => running.delete(child));
  return { pid: child.pid, logFile: options.logFile, isRunning: () => running.has(child), stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (!running.has(child)) return;
  child.kill('SIGTERM');
  const isGone = await until(() => !running.has(child), STOP_TIMEOUT_MS);
  if (isGone) return;
  child.kill('SIGKILL');
  await until(() => !running.has(child), STOP_TIMEOUT_MS);
}

/** Runs a command to its end; answers its output and its wall time. Throws with the output when it fails. */
export function runCommand(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { readonly stdout: string; readonly durationMs: number } {
  const startedMs = clock.monotonicMs();
  const result = spawnSync(command, args, { env: { ...process.env, ...env }, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const durationMs = clock.monotonicMs() - startedMs;
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) {
    throw new Error(`${command} ${args.join(' ')} exited with ${result.status}:\n${result.stdout}\n${result.stderr}`);
  }
  return { stdout: result.stdout, durationMs };
}

/** Polls until `condition` holds; false when `timeoutMs` passes first. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  while (!(await condition())) {
    if (clock.monotonicMs() > deadlineMs) return false;
    await delay(clock, POLL_INTERVAL_MS);
  }
  return true;
}

/** Ports that were free on loopback a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', resolve);
      });
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a listening server has a port');
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Resident memory of processes, bytes: proportional set size where the kernel tells it, else resident set size. */
export function residentBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + residentBytesOf(pid), 0);
}

function residentBytesOf(pid: number): number {
  const pss = field(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB/mu);
  const kib = pss ?? field(`/proc/${pid}/status`, /^VmRSS:\s+(\d+) kB/mu);
  if (kib === null) throw new Error(`no memory figures for process ${pid}`);
  return kib * 1024;
}

function field(file: string, pattern: RegExp): number | null {
  try {
    const match = pattern.exec(readFileSync(file, 'utf8'));
    return match === null ? null : Number(match[1]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH' || (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** The end of a log, for error messages. */
export function logTail(file: string): string {
  return readFileSync(file, 'utf8').slice(-LOG_TAIL_CHARS);
}
