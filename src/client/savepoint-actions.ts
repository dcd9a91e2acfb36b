/** `flink savepoint`, `flink stop` and `flink checkpoint`: trigger, poll, and say in Flink's words what came of it. */
import { isAbsolute, join } from 'node:path';
import { delay } from '../base/ports.ts';
import type { SavepointFormat } from '../protocol/checkpoint.ts';
import { parseJobId } from '../protocol/ids.ts';
import type { ParsedCommand } from './command-line.ts';
import { CommandError, UsageError } from './failure.ts';
import type { OperationFailure, OperationStatus, RestClusterClient } from './rest-cluster-client.ts';
import type { Terminal } from './terminal.ts';

const FLINK_EXCEPTION = 'org.apache.flink.util.FlinkException';
const POLL_MS_FIRST = 20;
const POLL_MS_MAX = 500;
const SURPLUS = 'Provided more arguments than required. Ignoring not needed arguments.\n';

/** Runs `savepoint`; answers the exit code. */
export async function savepointAction(command: ParsedCommand, client: RestClusterClient, terminal: Terminal): Promise<number> {
  const disposed = command.values.get('dispose')?.at(-1);
  if (disposed !== undefined) return dispose(disposed, client, terminal);
  const [text, target, ...others] = command.operands;
  const jobId = requireJobId(text, 'Missing JobID. Specify a Job ID to trigger a savepoint.');
  const format = formatOf(command);
  if (others.length > 0) terminal.out(SURPLUS);
  const wish = { targetDirectory: target === undefined ? null : savepointPath(target, terminal), format };
  const fail = (error: unknown): never => {
    throw new CommandError(FLINK_EXCEPTION, `Failed to trigger a savepoint for the job ${jobId}.`, error);
  };
  if (command.values.has('detached')) {
    terminal.out(`Triggering savepoint in detached mode for job ${jobId}.\n`);
    const triggerId = await client.triggerSavepoint(jobId, wish, false).catch(fail);
    terminal.out(`Successfully trigger manual savepoint, triggerId: ${triggerId}\n`);
    return 0;
  }
  terminal.out(`Triggering savepoint for job ${jobId}.\nWaiting for response...\n`);
  const trigger = (): Promise<string> => client.triggerSavepoint(jobId, wish, false);
  const location = await takeSavepoint(jobId, trigger, { client, terminal }).catch(fail);
  terminal.out(`Savepoint completed. Path: ${location}\nYou can resume your program from this savepoint with the run command.\n`);
  return 0;
}

/** Runs `stop`; answers the exit code. */
export async function stopAction(command: ParsedCommand, client: RestClusterClient, terminal: Terminal): Promise<number> {
  const { jobText, target, surplus } = jobAndDirectory(command, 'savepointPath');
  const jobId = requireJobId(jobText, 'Missing JobID. Specify a Job ID to stop a job with a savepoint.');
  const format = formatOf(command);
  if (surplus) terminal.out(SURPLUS);
  const drain = command.values.has('drain');
  const targetDirectory = target === null ? null : savepointPath(target, terminal);
  terminal.out(`${drain ? 'Draining' : 'Suspending'} job "${jobId}" with a ${format} savepoint.\n`);
  const fail = (error: unknown): never => {
    throw new CommandError(FLINK_EXCEPTION, `Could not stop with a savepoint job "${jobId}".`, error);
  };
  if (command.values.has('detached')) {
    terminal.out(`Triggering stop-with-savepoint in detached mode for job ${jobId}.\n`);
    const triggerId = await client.triggerStop(jobId, { targetDirectory, format }, drain).catch(fail);
    terminal.out(`Successfully trigger stop-with-savepoint in detached mode, triggerId: ${triggerId}\n`);
    return 0;
  }
  terminal.out(`Triggering stop-with-savepoint for job ${jobId}.\nWaiting for response...\n`);
  const trigger = (): Promise<string> => client.triggerStop(jobId, { targetDirectory, format }, drain);
  const location = await takeSavepoint(jobId, trigger, { client, terminal }).catch(fail);
  terminal.out(`Savepoint completed. Path: ${location}\n`);
  return 0;
}

/** Runs `checkpoint`; answers the exit code. */
export async function checkpointAction(command: ParsedCommand, client: RestClusterClient, terminal: Terminal): Promise<number> {
  const [text, ...others] = command.operands;
  const jobId = requireJobId(text, 'Missing JobID. Specify a Job ID to manipulate a checkpoint.');
  if (others.length > 0) terminal.out(SURPLUS);
  const full = command.values.has('full');
  terminal.out(`Triggering checkpoint for job ${jobId}.\nWaiting for response...\n`);
  const operation = await client.triggerCheckpoint(jobId, full)
    .then((triggerId) => outcome(() => client.checkpointStatus(jobId, triggerId), terminal))
    .catch((error: unknown) => {
      throw new CommandError(FLINK_EXCEPTION, `Failed to trigger a checkpoint for the job ${jobId}.`, error);
    });
  terminal.out(`Checkpoint${full ? '(FULL)' : ''} ${operation.checkpointId} for job ${jobId} completed.\n`);
  terminal.out('You can resume your program from this checkpoint with the run command.\n');
  return 0;
}

/** `cancel -s`: a savepoint, then the job's end. */
export async function cancelWithSavepoint(command: ParsedCommand, client: RestClusterClient, terminal: Terminal): Promise<number> {
  const { jobText, target, surplus } = jobAndDirectory(command, 'withSavepoint');
  const jobId = requireJobId(jobText, 'Missing JobID. Specify a JobID to cancel a job.');
  const format = formatOf(command);
  if (surplus) terminal.out(SURPLUS);
  const targetDirectory = target === null ? null : savepointPath(target, terminal);
  terminal.out('DEPRECATION WARNING: Cancelling a job with savepoint is deprecated. Use "stop" instead.\n');
  terminal.out(`Cancelling job ${jobId} with ${format} savepoint to ${targetDirectory ?? 'default savepoint directory'}.\n`);
  const trigger = (): Promise<string> => client.triggerSavepoint(jobId, { targetDirectory, format }, true);
  const location = await takeSavepoint(jobId, trigger, { client, terminal }).catch(
    (error: unknown) => {
      throw new CommandError(FLINK_EXCEPTION, `Could not cancel job ${jobId}.`, error);
    },
  );
  terminal.out(`Cancelled job ${jobId}. Savepoint stored in ${location}.\n`);
  return 0;
}

/** A local path counts from where the user is, not from where the JobManager is. */
export function savepointPath(text: string, { workingDirectory }: Terminal): string {
  return /^[a-z][a-z0-9+.-]*:/i.test(text) || isAbsolute(text) ? text : join(workingDirectory, text);
}

async function dispose(path: string, client: RestClusterClient, terminal: Terminal): Promise<number> {
  terminal.out(`Disposing savepoint '${path}'.\nWaiting for response...\n`);
  await client.triggerDisposal(savepointPath(path, terminal))
    .then((triggerId) => outcome(() => client.disposalStatus(triggerId), terminal))
    .catch((error: unknown) => {
      throw new CommandError(FLINK_EXCEPTION, `Failed to dispose the savepoint '${path}'.`, error);
    });
  terminal.out(`Savepoint '${path}' disposed.\n`);
  return 0;
}

async function takeSavepoint(
  jobId: string, trigger: () => Promise<string>, { client, terminal }: { readonly client: RestClusterClient; readonly terminal: Terminal },
): Promise<string> {
  const triggerId = await trigger();
  const { location } = await outcome(() => client.savepointStatus(jobId, triggerId), terminal);
  return location;
}

/** Polls until the operation is over. Throws what it failed with. */
async function outcome<T extends object>(status: () => Promise<OperationStatus<T>>, terminal: Terminal): Promise<T> {
  for (let pollMs = POLL_MS_FIRST; ; pollMs = Math.min(pollMs * 1.5, POLL_MS_MAX)) {
    const { operation } = await status();
    if (operation !== null) {
      const failure = failureOf(operation);
      if (failure) throw remoteFailure(failure);
      return operation;
    }
    await delay(terminal.clock, pollMs);
  }
}

function failureOf(operation: object): OperationFailure | null {
  const fields = operation as { readonly 'failure-cause'?: OperationFailure; readonly failureCause?: OperationFailure };
  return fields['failure-cause'] ?? fields.failureCause ?? null;
}

function remoteFailure({ class: className, 'stack-trace': stackTrace }: OperationFailure): Error {
  const error = new Error(stackTrace.replace(`${className}: `, ''));
  error.name = className;
  return error;
}

/** Flink's options take the directory optionally: `-p <job id>` names a job, not a directory. */
function jobAndDirectory(
  command: ParsedCommand, option: string,
): { readonly jobText: string | undefined; readonly target: string | null; readonly surplus: boolean } {
  const target = command.values.get(option)?.at(-1) ?? null;
  const [jobText, ...others] = command.operands;
  if (jobText === undefined && target !== null && parseJobId(target)) return { jobText: target, target: null, surplus: false };
  return { jobText, target: target === '' ? null : target, surplus: others.length > 0 };
}

function requireJobId(text: string | undefined, missing: string): string {
  if (text === undefined) throw new UsageError(missing);
  const jobId = parseJobId(text);
  if (jobId) return jobId;
  throw new UsageError(
    `Cannot parse JobID from "${text}". The expected format is [0-9a-fA-F]{32}, e.g. fd72014d4c864993a2e5a9287b4a9c5d.`,
  );
}

function formatOf(command: ParsedCommand): SavepointFormat {
  const type = command.values.get('type')?.at(-1) ?? 'canonical';
  const format = (['CANONICAL', 'NATIVE'] as const).find((each) => each === type.toUpperCase());
  if (format === undefined) throw new UsageError(`-type takes canonical or native, not "${type}".`);
  return format;
}
