/**
 * The client's command line: one table of actions and options, from which parsing and help come.
 * As in Flink, options end at the first word that is not one: what follows the job file is the program's.
 */
import { ClusterError } from '../protocol/errors.ts';
import { nearest } from '../config/near-miss.ts';

/** One option. With `value` it takes the next word, or what follows `=`. */
export interface OptionSpec {
  readonly short: string | null;
  readonly long: string;
  readonly value: string | null;
  readonly description: string;
  /** Understood, but not in the help, as in Flink. */
  readonly isHidden?: true;
}

/** One action. `operands` is how its syntax line names what follows the options. */
export interface ActionSpec {
  readonly name: string;
  readonly syntax: string;
  readonly summary: string;
  readonly options: readonly OptionSpec[];
}

/** A parsed command line. Values of repeated options, in order; flags have one empty value. */
export interface ParsedCommand {
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
}

const option = (
  short: string | null, long: string, value: string | null, description: string,
): OptionSpec => ({ short, long, value, description });

const HELP_OPTION = option('h', 'help', null, 'Shows the help of this action.');

const CLUSTER_OPTIONS: readonly OptionSpec[] = [
  option('D', 'D', 'property=value', 'Sets any configuration option; repeatable.'),
  option('e', 'executor', 'target', 'Deprecated name of --target.'),
  option('m', 'jobmanager', 'host:port', 'REST address of the JobManager to talk to, instead of the configured one.'),
  option('t', 'target', 'target', 'Where the job runs (execution.target): remote, a cluster; or local, this process (run only).'),
  option('z', 'zookeeperNamespace', 'namespace', 'Namespace in ZooKeeper: high-availability.cluster-id'),
  HELP_OPTION,
  option('v', 'verbose', null, 'Accepted for compatibility; has no effect.'),
];

const PROGRAM_OPTIONS: readonly OptionSpec[] = [
  option('c', 'class', 'classname', 'Accepted for compatibility; a job file has one program, its default export.'),
  option('p', 'parallelism', 'parallelism', 'Parallelism of operators that set none themselves; overrides parallelism.default.'),
  option('x', 'external', 'package', 'Leaves a package out of the bundle (native addons); it must be installed on every host; repeatable.'),
];

const RUN_OPTIONS: readonly OptionSpec[] = [
  ...PROGRAM_OPTIONS,
  option('C', 'classpath', 'url', 'Accepted for compatibility (pipeline.classpaths); what a job imports is bundled. Repeatable.'),
  option('d', 'detached', null, 'Returns once the job is submitted.'),
  option('cm', 'claimMode', 'claim, no_claim, legacy', 'Who owns the files of the savepoint (-s); no_claim unless set.'),
  option('rm', 'restoreMode', 'claim, no_claim, legacy', 'Deprecated name of --claimMode.'),
  option('n', 'allowNonRestoredState', null, 'Skips savepoint state that belongs to no operator any more.'),
  option('s', 'fromSavepoint', 'savepointPath', 'Restores the job from a savepoint or a retained checkpoint.'),
  option('sae', 'shutdownOnAttachedExit', null, 'Attached: cancels the job when this command is interrupted.'),
  option(null, 'typecheck', null, "Type-checks the job with the project's TypeScript before anything starts."),
  { ...option('a', 'arguments', 'argument', 'An argument of the program, before the trailing ones; repeatable.'), isHidden: true },
  { ...option('j', 'jarfile', 'file', 'The job file.'), isHidden: true },
  { ...option('yd', 'yarndetached', null, 'Deprecated name of --detached.'), isHidden: true },
  ...CLUSTER_OPTIONS,
];

const TYPE_OPTION = option('type', 'type', 'canonical, native', 'Format of the savepoint; canonical fits every state backend.');
const DETACHED_OPTION = option('detached', 'detached', null, 'Returns once the savepoint is triggered.');

/** All actions, in the order of the help. */
export const ACTIONS: readonly ActionSpec[] = [
  {
    name: 'run',
    syntax: 'run [OPTIONS] <job-file> <arguments>',
    summary: 'bundles and runs a program.',
    options: RUN_OPTIONS,
  },
  {
    name: 'run-application',
    syntax: 'run-application [OPTIONS] <job-file> <arguments>',
    summary: 'is refused: Drey runs standalone clusters only.',
    options: RUN_OPTIONS,
  },
  {
    name: 'dev',
    syntax: 'dev [OPTIONS] <job-file> <arguments>',
    summary: 'runs a program in this process, again on every save (Drey only).',
    options: [...PROGRAM_OPTIONS, option('D', 'D', 'property=value', 'Sets any configuration option; repeatable.'), HELP_OPTION],
  },
  {
    name: 'info',
    syntax: 'info [OPTIONS] <job-file> <arguments>',
    summary: 'shows the execution plan of a program (JSON).',
    options: [...PROGRAM_OPTIONS, ...CLUSTER_OPTIONS],
  },
  {
    name: 'list',
    syntax: 'list [OPTIONS]',
    summary: 'lists running and scheduled jobs.',
    options: [
      option('a', 'all', null, 'Shows all jobs, also terminated ones.'),
      option('r', 'running', null, 'Shows running jobs only.'),
      option('s', 'scheduled', null, 'Shows scheduled jobs only.'),
      option(null, 'json', null, 'Prints the list as JSON.'),
      ...CLUSTER_OPTIONS,
    ],
  },
  {
    name: 'savepoint',
    syntax: 'savepoint [OPTIONS] <Job ID> [<target directory>]',
    summary: 'takes savepoints of a running job, or disposes of them.',
    options: [
      option('d', 'dispose', 'path', 'Deletes the savepoint at this path.'),
      option('j', 'jarfile', 'file', 'Accepted for compatibility; has no effect.'),
      DETACHED_OPTION,
      TYPE_OPTION,
      ...CLUSTER_OPTIONS,
    ],
  },
  {
    name: 'checkpoint',
    syntax: 'checkpoint [OPTIONS] <Job ID>',
    summary: 'triggers a checkpoint of a running job.',
    options: [option('full', 'full', null, 'Takes a checkpoint that does not build on earlier ones.'), ...CLUSTER_OPTIONS],
  },
  {
    name: 'stop',
    syntax: 'stop [OPTIONS] <Job ID>',
    summary: 'stops a running job with a savepoint.',
    options: [
      option('d', 'drain', null, 'Sends MAX_WATERMARK before the savepoint: the job will not go on from it.'),
      option('p', 'savepointPath', 'savepointPath', 'Directory of the savepoint, instead of the configured one.'),
      DETACHED_OPTION,
      TYPE_OPTION,
      ...CLUSTER_OPTIONS,
    ],
  },
  {
    name: 'cancel',
    syntax: 'cancel [OPTIONS] <Job ID>',
    summary: 'cancels a running job.',
    options: [
      option('s', 'withSavepoint', 'targetDirectory', 'Deprecated (use stop): takes a savepoint before.'),
      TYPE_OPTION,
      ...CLUSTER_OPTIONS,
    ],
  },
];

/** Parses the words after the action. Throws BAD_REQUEST for unknown options and missing values. */
export function parseCommand(action: ActionSpec, words: readonly string[]): ParsedCommand {
  const values = new Map<string, string[]>();
  const add = (spec: OptionSpec, value: string): unknown => values.set(spec.long, [...(values.get(spec.long) ?? []), value]);
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word === '--') return { values, operands: words.slice(i + 1) };
    if (!word.startsWith('-') || word === '-') return { values, operands: words.slice(i) };
    const { spec, attached } = findOption(action, word);
    if (spec.value === null) {
      if (attached !== null) throw new ClusterError('BAD_REQUEST', `Option ${word} takes no value.`);
      add(spec, '');
      continue;
    }
    const value = attached ?? words[++i];
    if (value === undefined) throw new ClusterError('BAD_REQUEST', `Missing argument for option: ${word} <${spec.value}>`);
    add(spec, value);
  }
  return { values, operands: [] };
}

/** The option that a word names: `-p`, `-p2`, `--parallelism`, `--parallelism=2`, `-Dkey=value`. */
function findOption(action: ActionSpec, word: string): { spec: OptionSpec; attached: string | null } {
  if (word.startsWith('-D') && word.length > 2) {
    const dynamic = action.options.find((spec) => spec.long === 'D');
    if (dynamic) return { spec: dynamic, attached: word.slice(2) };
  }
  const bare = word.replace(/^--?/, '');
  const equals = bare.indexOf('=');
  const name = equals < 0 ? bare : bare.slice(0, equals);
  const spec = action.options.find((each) => each.long === name || each.short === name);
  if (spec) return { spec, attached: equals < 0 ? null : bare.slice(equals + 1) };
  const letter = /^-[A-Za-z][^A-Za-z-]/.test(word) && action.options.find((each) => each.value !== null && each.short === word[1]);
  if (letter) return { spec: letter, attached: word.slice(2) };
  if (/^py(fs|m|req|arch|exec|clientexec|path|thon|[A-Z]\w*)?$/.test(name)) {
    throw new ClusterError('BAD_REQUEST', `Option ${word}: Python jobs cannot run here; a job is a TypeScript or JavaScript module.`);
  }
  const guess = name.length < 3 ? null : nearest(name, action.options.map((each) => each.long).filter((long) => long !== 'D'));
  throw new ClusterError('BAD_REQUEST', `Unrecognized option: ${word}${guess ? `. Did you mean --${guess}?` : ''}`);
}

const WIDTH = 80;
const INDENT = 5;

/** Help of one action. */
export function actionHelp(action: ActionSpec): string {
  const shown = action.options.filter((spec) => !spec.isHidden);
  const heads = shown.map(optionHead);
  const column = INDENT + Math.max(...heads.map((head) => head.length)) + 3;
  const rows = shown.map((spec, i) => wrap(' '.repeat(INDENT) + (heads[i] ?? ''), spec.description, column));
  const head = `\nAction "${action.name}" ${action.summary}\n\n  Syntax: ${action.syntax}\n`;
  return `${head}  "${action.name}" action options:\n${rows.join('\n')}\n`;
}

/** Help of the whole command. */
export function fullHelp(): string {
  return `./flink <ACTION> [OPTIONS] [ARGUMENTS]\n\nThe following actions are available:\n${ACTIONS.map(actionHelp).join('\n')}`;
}

function optionHead(spec: OptionSpec): string {
  const names = spec.long === 'D' ? '-D' : spec.short === null ? `--${spec.long}` : `-${spec.short},--${spec.long}`;
  return spec.value === null ? names : `${names} <${spec.value}>`;
}

/** Text in a column beside `head`, broken at blanks to stay within 80 columns. */
function wrap(head: string, text: string, column: number): string {
  const lines: string[] = [head.padEnd(column)];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line.trimEnd().length + 1 + word.length <= WIDTH || line.trim() === '') lines[lines.length - 1] = line + word + ' ';
    else lines.push(' '.repeat(column) + word + ' ');
  }
  return lines.map((line) => line.trimEnd()).join('\n');
}
