/**
 * `flink run`: bundles the program, uploads it, lets the JobManager build and start it, and, attached,
 * waits for its end.
 */
import { basename } from 'node:path';
import { delay } from '../base/ports.ts';
import { WORKING_DIRECTORY_KEY } from '../graph/stream-graph.ts';
import { ClusterError } from '../protocol/errors.ts';
import { bundleJob, type JobBundle } from './bundle.ts';
import type { ParsedCommand } from './command-line.ts';
import { CommandError, UsageError } from './failure.ts';
import type { AccumulatorLine, ExecutionResult, RestClusterClient, RunRequest } from './rest-cluster-client.ts';
import { savepointPath as resolveSavepoint } from './savepoint-actions.ts';
import type { Terminal } from './terminal.ts';

/** How often an attached client asks for the result: soon at first, then at leisure. */
const POLL_MS_FIRST = 20;
const POLL_MS_MAX = 500;
const PROGRESS_INTERVAL_MS = 1000;

const INVOCATION_EXCEPTION = 'org.apache.flink.client.program.ProgramInvocationException';
/** Flink's accumulator kinds as the classes that its client prints. */
const JAVA_CLASSES: Readonly<Record<string, string>> = {
  LongCounter: 'java.lang.Long',
  DoubleCounter: 'java.lang.Double',
  Histogram: 'java.util.TreeMap',
};

/** What `run` and `info` both read from the command line. */
export interface ProgramCommand {
  readonly file: string;
  readonly programArgs: readonly string[];
  readonly parallelism: number | null;
  readonly external: readonly string[];
  readonly configuration: Readonly<Record<string, string>>;
}

/** Reads job file, arguments and options. `externals`: `job.externals`. Throws `UsageError`. */
export function programCommand(command: ParsedCommand, workingDirectory: string, externals: readonly string[]): ProgramCommand {
  const jarFile = command.values.get('jarfile')?.at(-1);
  const [file, ...operands] = jarFile === undefined ? command.operands : [jarFile, ...command.operands];
  const programArgs = [...(command.values.get('arguments') ?? []), ...operands];
  const parallelismText = command.values.get('parallelism')?.at(-1);
  const parallelism = parallelismText === undefined ? null : parseParallelism(parallelismText); // First: `-p job.ts` has taken the file.
  if (file === undefined) {
    throw new UsageError('Could not get job jar and dependencies from JAR file: The program JAR file was not specified.');
  }
  const dynamic = (command.values.get('D') ?? []).map((pair): [string, string] => {
    const at = pair.indexOf('=');
    if (at < 1) throw new UsageError(`-D takes property=value, not "${pair}".`);
    return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
  });
  return {
    file,
    programArgs,
    parallelism,
    external: [...(command.values.get('external') ?? []), ...externals],
    configuration: { [WORKING_DIRECTORY_KEY]: workingDirectory, ...Object.fromEntries(dynamic) },
  };
}

function parseParallelism(text: string): number {
  const parallelism = Number(text);
  if (/^\d+$/.test(text) && parallelism >= 1 && parallelism <= 32768) return parallelism;
  throw new UsageError(`The parallelism must be a whole number from 1 to 32768: ${text}`);
}

/** Bundles; a missing file reads as Flink's message for a missing JAR. */
export async function bundleOf(program: ProgramCommand, terminal: Terminal): Promise<JobBundle> {
  terminal.log.info('Building program from JAR file');
  try {
    const bundle = await bundleJob(program.file, { external: program.external });
    for (const warning of bundle.warnings) terminal.error(`[WARN] ${warning}\n`);
    return bundle;
  } catch (error) {
    if (error instanceof ClusterError && error.code === 'FILE_NOT_FOUND') {
      throw new UsageError(`Could not get job jar and dependencies from JAR file: JAR file does not exist: ${program.file}`);
    }
    throw new CommandError(INVOCATION_EXCEPTION, `The program ${program.file} could not be built.`, error);
  }
}

/** Runs the action; answers the exit code. */
export async function runAction(
  command: ParsedCommand,
  externals: readonly string[],
  { client, terminal }: { readonly client: RestClusterClient; readonly terminal: Terminal },
): Promise<number> {
  const program = programCommand(command, terminal.workingDirectory, externals);
  const start = jobStart(command, terminal);
  if (command.values.has('typecheck')) await requireTypes(program.file, terminal);
  const bundle = await bundleOf(program, terminal);
  const isDetached = command.values.has('detached') || command.values.has('yarndetached');
  const interrupt = !isDetached && command.values.has('shutdownOnAttachedExit') ? new CancelOnInterrupt(client, terminal) : null;
  try {
    const jobId = await submit(program, bundle, start, { client, terminal });
    interrupt?.submitted(jobId);
    terminal.log.info(`Successfully submitted job '${basename(program.file)}' (${jobId}) to '${client.address}'.`);
    terminal.out(`Job has been submitted with JobID ${jobId}\n`);
    if (isDetached) return 0;
    const result = await awaitResult(jobId, client, terminal);
    await report(jobId, result, client, terminal);
    return 0;
  } finally {
    interrupt?.stop();
  }
}

async function requireTypes(file: string, terminal: Terminal): Promise<void> {
  const { typecheck } = await import('./typecheck.ts');
  const outcome = await typecheck(file);
  if (outcome.kind === 'skipped') terminal.error(`[WARN] ${outcome.reason}\n`);
  if (outcome.kind === 'failed') {
    const cause = new Error(outcome.errors.join('\n'));
    cause.name = 'TypeErrors';
    throw new CommandError(INVOCATION_EXCEPTION, `The program ${file} has type errors.`, cause);
  }
}

/** What the job is to start from. */
type JobStart = Pick<RunRequest, 'savepointPath' | 'allowNonRestoredState' | 'claimMode'>;

const CLAIM_MODES = ['CLAIM', 'NO_CLAIM', 'LEGACY'];

function jobStart(command: ParsedCommand, terminal: Terminal): JobStart {
  const path = command.values.get('fromSavepoint')?.at(-1);
  const former = command.values.get('restoreMode')?.at(-1);
  if (former !== undefined) terminal.out("The option 'restoreMode' is deprecated. Please use 'claimMode' instead.\n");
  const claimMode = (command.values.get('claimMode')?.at(-1) ?? former)?.toUpperCase() ?? null;
  if (claimMode !== null && !CLAIM_MODES.includes(claimMode)) {
    throw new UsageError(`--claimMode takes claim, no_claim or legacy, not "${claimMode.toLowerCase()}".`);
  }
  const savepointPath = path === undefined ? null : resolveSavepoint(path, terminal);
  return { savepointPath, allowNonRestoredState: command.values.has('allowNonRestoredState'), claimMode };
}

async function submit(
  program: ProgramCommand, bundle: JobBundle, start: JobStart, { client, terminal }: { client: RestClusterClient; terminal: Terminal },
): Promise<string> {
  terminal.log.info(`Submitting the program ${program.file} to ${client.address}.`);
  try {
    const jarId = await client.upload(`${basename(program.file).replace(/\.[^.]*$/, '').replace(/[^\w.-]/g, '_')}.mjs`, bundle.code);
    return await client.run(jarId, {
      programArgsList: program.programArgs,
      parallelism: program.parallelism,
      flinkConfiguration: program.configuration,
      ...start,
    });
  } catch (error) {
    throw new CommandError(INVOCATION_EXCEPTION, `The program ${program.file} could not be submitted to ${client.address}.`, error);
  }
}

/**
 * First Ctrl-C cancels the job and goes on waiting for its end. It listens from before the submission: a Ctrl-C that
 * comes while the cluster accepts the job would else end the client and leave the job running.
 */
class CancelOnInterrupt {
  readonly stop: () => void;
  private readonly client: RestClusterClient;
  private readonly terminal: Terminal;
  private jobId: string | null = null;
  private isInterrupted = false;

  constructor(client: RestClusterClient, terminal: Terminal) {
    this.client = client;
    this.terminal = terminal;
    this.stop = terminal.onInterrupt(() => {
      this.isInterrupted = true;
      this.cancelWhenKnown();
    });
  }

  submitted(jobId: string): void {
    this.jobId = jobId;
    this.cancelWhenKnown();
  }

  private cancelWhenKnown(): void {
    const { jobId, client, terminal } = this;
    if (jobId === null || !this.isInterrupted) return;
    terminal.error(`Cancelling job ${jobId}.\n`);
    client.cancel(jobId).catch((error: unknown) => terminal.error(`Could not cancel job ${jobId}: ${String(error)}\n`));
  }
}

async function awaitResult(jobId: string, client: RestClusterClient, terminal: Terminal): Promise<ExecutionResult> {
  const startMs = terminal.clock.monotonicMs();
  let shownMs = startMs;
  for (let pollMs = POLL_MS_FIRST; ; pollMs = Math.min(pollMs * 1.5, POLL_MS_MAX)) {
    const result = await client.executionResult(jobId).catch((error: unknown) => {
      throw new CommandError(
        INVOCATION_EXCEPTION, `The result of job ${jobId} could not be fetched. The job may still run: see flink list.`, error,
      );
    });
    const nowMs = terminal.clock.monotonicMs();
    if (terminal.isInteractive && nowMs - shownMs >= PROGRESS_INTERVAL_MS) {
      shownMs = nowMs;
      terminal.error(`\r${result ? '' : `Running for ${Math.round((nowMs - startMs) / 1000)} s`}\u001b[K`);
    }
    if (result) {
      if (terminal.isInteractive && shownMs > startMs) terminal.error('\r\u001b[K');
      return result;
    }
    await delay(terminal.clock, pollMs);
  }
}

async function report(jobId: string, result: ExecutionResult, client: RestClusterClient, terminal: Terminal): Promise<void> {
  if (result['application-status'] !== 'SUCCEEDED') throw jobFailure(jobId, result);
  terminal.out(`Program execution finished\nJob with JobID ${jobId} has finished.\nJob Runtime: ${result['net-runtime']} ms\n`);
  const accumulators = await client.accumulators(jobId).catch((): readonly AccumulatorLine[] => []);
  if (accumulators.length > 0) {
    const lines = accumulators.map(({ name, type, value }) => `- ${name} (${JAVA_CLASSES[type] ?? type}): ${value}\n`);
    terminal.out(`Accumulator Results: \n${lines.join('')}\n`);
  }
  terminal.out('\n');
}

function jobFailure(jobId: string, result: ExecutionResult): CommandError {
  const failed = `Job ${result['application-status'] === 'CANCELED' ? 'was cancelled' : 'failed'} (JobID: ${jobId})`;
  const cause = new Error(result['failure-cause']?.['stack-trace'] ?? failed);
  cause.name = 'org.apache.flink.runtime.client.JobExecutionException';
  return new CommandError(INVOCATION_EXCEPTION, `The main method caused an error: ${INVOCATION_EXCEPTION}: ${failed}`, cause);
}
