/** `flink info`: builds the program in this process and prints its execution plan. No cluster is needed. */
import { pathToFileURL } from 'node:url';
import { executionPlanOf, flinkJson } from '../graph/plan-json.ts';
import { buildProgram, loadProgram } from '../graph/program.ts';
import { ArtifactCache } from '../storage/artifact-cache.ts';
import type { ParsedCommand } from './command-line.ts';
import { CommandError } from './failure.ts';
import { bundleOf, programCommand } from './run-action.ts';
import type { Terminal } from './terminal.ts';

const HEADING = '----------------------- Execution Plan -----------------------';

/** Runs the action; answers the exit code. The configuration is the cluster's, as this client sees it. */
export async function infoAction(
  command: ParsedCommand,
  settings: { readonly configuration: Readonly<Record<string, string>>; readonly externals: readonly string[] },
  terminal: Terminal,
): Promise<number> {
  const program = programCommand(command, terminal.workingDirectory, settings.externals);
  const bundle = await bundleOf(program, terminal);
  const path = await new ArtifactCache(terminal.temporaryDirectory).put(bundle.artifactId, bundle.code);
  try {
    const loaded = await loadProgram(pathToFileURL(path).href);
    const parallelism = program.parallelism === null ? {} : { 'parallelism.default': String(program.parallelism) };
    const graph = buildProgram(loaded, {
      args: loaded.parseArgs(program.programArgs, terminal.workingDirectory),
      configuration: { ...settings.configuration, ...program.configuration, ...parallelism },
    });
    terminal.out(`${HEADING}\n${flinkJson(executionPlanOf(graph))}\n${'-'.repeat(HEADING.length)}\n\nNo description provided.\n`);
    return 0;
  } catch (error) {
    throw new CommandError(
      'org.apache.flink.client.program.ProgramInvocationException', `The program ${program.file} could not be built.`, error,
    );
  }
}
