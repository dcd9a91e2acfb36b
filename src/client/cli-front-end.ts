/**
 * The command line client: picks the action, runs it, and turns what was thrown into Flink's texts and
 * exit codes: 0 done, 1 any handled error.
 */
import { ClusterError } from '../protocol/errors.ts';
import { DREY_VERSION } from '../protocol/version.ts';
import { ACTIONS, actionHelp, fullHelp, parseCommand, type ParsedCommand } from './command-line.ts';
import { CommandError, UsageError, failureText, usageText } from './failure.ts';
import { RestClusterClient } from './rest-cluster-client.ts';
import type { ProgramCommand } from './run-action.ts';
import type { Terminal } from './terminal.ts';

/** What the front end needs to know of the configuration; read only when an action runs. */
export interface ClientSettings {
  readonly restHost: string;
  readonly restPort: number;
  /** Deadline of one call. */
  readonly timeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Effective configuration, flat. */
  readonly configuration: Readonly<Record<string, string>>;
  /** Remarks on the configuration that a user of this command should see: on what `-D` said. */
  readonly remarks: readonly string[];
  /** Abbreviated commit of this build. */
  readonly commit: string;
  /** `execution.target`, undefined when nobody set it. */
  readonly target: string | undefined;
  /** `job.externals`. */
  readonly externals: readonly string[];
  /** Starts what `-t local` runs a job on: a cluster in this process, with at least `slots` slots. */
  readonly startLocalCluster: (slots: number) => Promise<LocalCluster>;
  /** The action `dev`; ends with the process. */
  readonly develop: (program: ProgramCommand) => Promise<never>;
}

/** A cluster in this process, with its own REST endpoint. */
export interface LocalCluster {
  readonly host: string;
  readonly port: number;
  readonly close: () => Promise<void>;
}

const TARGETS = ['remote', 'local'];

/** `settings` is called with the `-D` pairs of the command line; throws CONFIG_INVALID. */
export type SettingsLoader = (dynamic: readonly string[]) => Promise<ClientSettings>;

/** Runs one command; answers the exit code. Throws only on bugs. */
export async function runCommandLine(words: readonly string[], loadSettings: SettingsLoader, terminal: Terminal): Promise<number> {
  const [name, ...rest] = words;
  if (name === undefined) {
    terminal.out(`${fullHelp()}\nPlease specify an action.\n`);
    return 1;
  }
  if (name === '-h' || name === '--help') {
    terminal.out(fullHelp());
    return 0;
  }
  if (name === '-v' || name === '--version') {
    const { commit } = await loadSettings([]);
    terminal.out(`Version: ${DREY_VERSION}, Commit ID: ${commit}\n`);
    return 0;
  }
  const action = ACTIONS.find((each) => each.name === name);
  if (!action) {
    const valid = ACTIONS.map((each) => `"${each.name}"`);
    terminal.out(`"${name}" is not a valid action.\n\nValid actions are ${valid.slice(0, -1).join(', ')}, or ${valid.at(-1)}.\n\n`);
    terminal.out(
      'Specify the version option (-v or --version) to print Drey version.\n\nSpecify the help option (-h or --help) to get help on the command.\n',
    );
    return 1;
  }
  try {
    const command = parseCommand(action, rest);
    if (command.values.has('help')) {
      terminal.out(`${actionHelp(action)}\n`);
      return 0;
    }
    terminal.log.info(`Running '${name}' command.`);
    return await perform(name, command, { loadSettings, terminal });
  } catch (error) {
    return showFailure(error, terminal);
  }
}

async function perform(
  name: string, command: ParsedCommand, context: { loadSettings: SettingsLoader; terminal: Terminal },
): Promise<number> {
  const { terminal } = context;
  if (name === 'run-application') {
    throw new UsageError(
      'run-application starts a cluster on YARN or Kubernetes, and Drey runs standalone. Start a cluster with start-cluster.sh, then use run.',
    );
  }
  const settings = await context.loadSettings(settingsOf(command));
  for (const remark of settings.remarks) terminal.error(`[WARN] ${remark}\n`);
  if (name === 'info') {
    const { infoAction } = await import('./info-action.ts');
    return infoAction(command, settings, terminal);
  }
  if (name === 'dev') {
    const { programCommand } = await import('./run-action.ts');
    return settings.develop(programCommand(command, terminal.workingDirectory, settings.externals));
  }
  const target = settings.target ?? 'remote';
  if (!TARGETS.includes(target)) {
    const why = 'Drey runs standalone, not on YARN or Kubernetes';
    throw new UsageError(`The target (-t, execution.target) is remote or local, not "${target}": ${why}.`);
  }
  if (target === 'local' && name === 'run') return runLocally(command, settings, terminal);
  // From the configuration file, `local` says where jobs run; the other actions are still about the cluster.
  if (target === 'local' && (command.values.has('target') || command.values.has('executor'))) {
    throw new UsageError(`-t local is for run only: a job in this process ends with it, so there is none to ${name}.`);
  }
  const address = addressOf(command, settings);
  return withClient(address, settings, (client) => performRemotely(name, command, settings.externals, { client, terminal }));
}

/** The settings that options stand for; `-D` comes last and wins, as in Flink. */
function settingsOf({ values }: ParsedCommand): string[] {
  const pairs: [key: string, value: string | undefined][] = [
    ['execution.target', values.get('target')?.at(-1) ?? values.get('executor')?.at(-1)],
    ['high-availability.cluster-id', values.get('zookeeperNamespace')?.at(-1)],
    ['pipeline.classpaths', values.get('classpath')?.map(requireUrl).join(';')],
  ];
  return [...pairs.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`])), ...(values.get('D') ?? [])];
}

function requireUrl(text: string): string {
  if (URL.canParse(text)) return text;
  throw new UsageError(`Bad syntax for classpath: ${text}`);
}

/** Unlike Flink: `-d` is refused, since the job would end with this command at once. */
async function runLocally(command: ParsedCommand, settings: ClientSettings, terminal: Terminal): Promise<number> {
  if (command.values.has('detached') || command.values.has('yarndetached')) {
    throw new UsageError('-d needs a cluster that outlives this command; leave it out, or leave out -t local.');
  }
  const { runAction, programCommand } = await import('./run-action.ts');
  const { parallelism } = programCommand(command, terminal.workingDirectory, settings.externals); // Checked before a cluster starts.
  const cluster = await settings.startLocalCluster(parallelism ?? 1);
  try {
    return await withClient(cluster, settings, (client) => runAction(command, settings.externals, { client, terminal }));
  } finally {
    await cluster.close();
  }
}

async function withClient(
  address: { readonly host: string; readonly port: number },
  settings: ClientSettings,
  run: (client: RestClusterClient) => Promise<number>,
): Promise<number> {
  const { host, port } = address;
  const client = new RestClusterClient({ host, port, timeoutMs: settings.timeoutMs, headers: settings.headers });
  try {
    return await run(client);
  } finally {
    client.close();
  }
}

async function performRemotely(
  name: string,
  command: ParsedCommand,
  externals: readonly string[],
  { client, terminal }: { readonly client: RestClusterClient; readonly terminal: Terminal },
): Promise<number> {
  if (name === 'run') {
    const { runAction } = await import('./run-action.ts');
    return runAction(command, externals, { client, terminal });
  }
  if (name === 'list' || (name === 'cancel' && !command.values.has('withSavepoint'))) {
    const { listAction, cancelAction } = await import('./job-actions.ts');
    return (name === 'list' ? listAction : cancelAction)(command, client, terminal);
  }
  const { savepointAction, stopAction, checkpointAction, cancelWithSavepoint } = await import('./savepoint-actions.ts');
  const action = { savepoint: savepointAction, stop: stopAction, checkpoint: checkpointAction }[name] ?? cancelWithSavepoint;
  return action(command, client, terminal);
}

function addressOf(command: ParsedCommand, settings: ClientSettings): { host: string; port: number } {
  const text = command.values.get('jobmanager')?.at(-1);
  if (text === undefined) return { host: settings.restHost, port: settings.restPort };
  const form = /^(?:https?:\/\/)?([^:/\s]+):(\d{1,5})\/?$/.exec(text);
  if (!form || Number(form[2]) > 65535) throw new UsageError(`-m takes host:port, not "${text}".`);
  return { host: form[1] ?? '', port: Number(form[2]) };
}

function showFailure(error: unknown, terminal: Terminal): number {
  if (error instanceof UsageError || (error instanceof ClusterError && error.code === 'BAD_REQUEST')) {
    terminal.out(usageText(error.message));
    return 1;
  }
  if (error instanceof CommandError || error instanceof ClusterError) {
    terminal.log.error('Error while running the command.', error);
    terminal.error(failureText(error));
    return 1;
  }
  throw error;
}
