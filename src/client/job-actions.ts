/** `flink list` and `flink cancel`. */
import { parseJobId } from '../protocol/ids.ts';
import type { ParsedCommand } from './command-line.ts';
import { CommandError, UsageError } from './failure.ts';
import type { JobLine, RestClusterClient } from './rest-cluster-client.ts';
import type { Terminal } from './terminal.ts';

const FLINK_EXCEPTION = 'org.apache.flink.util.FlinkException';
const SCHEDULED: ReadonlySet<string> = new Set(['CREATED', 'INITIALIZING']);
const TERMINATED: ReadonlySet<string> = new Set(['FINISHED', 'CANCELED', 'FAILED', 'SUSPENDED']);
const RULE = '--------------------------------------------------------------';

/** Runs `list`; answers the exit code. */
export async function listAction(command: ParsedCommand, client: RestClusterClient, terminal: Terminal): Promise<number> {
  const asJson = command.values.has('json');
  if (!asJson) terminal.out('Waiting for response...\n');
  const jobs = await client.jobs().catch((error: unknown) => {
    throw new CommandError(FLINK_EXCEPTION, 'Failed to retrieve job list.', error);
  });
  const sorted = jobs.toSorted((a, b) => a['start-time'] - b['start-time']);
  if (asJson) {
    terminal.out(
      `${JSON.stringify(sorted.map((job) => ({ jobId: job.jid, name: job.name, state: job.state, startTimeMs: job['start-time'] })))}\n`,
    );
    return 0;
  }
  const all = command.values.has('all');
  const running = command.values.has('running');
  const scheduled = command.values.has('scheduled');
  const neither = !running && !scheduled;
  if (all || running || neither) {
    terminal.out(section('------------------ Running/Restarting Jobs -------------------', sorted.filter(isRunning), 'No running jobs.'));
  }
  if (all || scheduled || neither) {
    terminal.out(
      section(
        '----------------------- Scheduled Jobs -----------------------',
        sorted.filter((job) => SCHEDULED.has(job.state)),
        'No scheduled jobs.',
      ),
    );
  }
  if (all) {
    terminal.out(
      section('---------------------- Terminated Jobs -----------------------', sorted.filter((job) => TERMINATED.has(job.state)), null),
    );
  }
  return 0;
}

/** Runs `cancel`; answers the exit code. */
export async function cancelAction(command: ParsedCommand, client: RestClusterClient, terminal: Terminal): Promise<number> {
  const [text, ...others] = command.operands;
  if (text === undefined) throw new UsageError('Missing JobID. Specify a JobID to cancel a job.');
  const jobId = parseJobId(text);
  if (!jobId) {
    throw new UsageError(
      `Cannot parse JobID from "${text}". The expected format is [0-9a-fA-F]{32}, e.g. fd72014d4c864993a2e5a9287b4a9c5d.`,
    );
  }
  if (others.length > 0) terminal.out('Provided more arguments than required. Ignoring not needed arguments.\n');
  terminal.out(`Cancelling job ${jobId}.\n`);
  await client.cancel(jobId).catch((error: unknown) => {
    throw new CommandError(FLINK_EXCEPTION, `Could not cancel job ${jobId}.`, error);
  });
  terminal.out(`Cancelled job ${jobId}.\n`);
  return 0;
}

function isRunning(job: JobLine): boolean {
  return !SCHEDULED.has(job.state) && !TERMINATED.has(job.state);
}

function section(heading: string, jobs: readonly JobLine[], empty: string | null): string {
  if (jobs.length === 0) return empty === null ? '' : `${empty}\n`;
  const lines = jobs.map((job) => `${localTime(job['start-time'])} : ${job.jid} : ${job.name} (${job.state})\n`);
  return `${heading}\n${lines.join('')}${RULE}\n`;
}

/** `dd.MM.yyyy HH:mm:ss` in local time. */
function localTime(atMs: number): string {
  const at = new Date(atMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${two(at.getDate())}.${two(at.getMonth() + 1)}.${at.getFullYear()}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
