/**
 * `job()`: a job is a value. A job module's default export is what `job` returns; importing it does nothing, and
 * whoever needs the graph (client, slots, tests) builds it from the same arguments.
 *
 *     export default job({ name: 'Lengths', args: { input: arg.path() } }, (env, args) => {
 *       env.readTextFile(args.input).map((line) => line.length).print();
 *     });
 */
import { withBuildTraps } from '../graph/build-traps.ts';
import type { Nothing } from '../graph/functions.ts';
import { StreamGraphBuilder } from '../graph/stream-graph-builder.ts';
import type { BuildSettings, JobProgram, StreamGraph } from '../graph/stream-graph.ts';
import { ClusterError } from '../protocol/errors.ts';
import { completeArguments, parseArguments, type ArgumentSpecs, type ArgumentsOf } from './arguments.ts';
import { StreamExecutionEnvironment } from './environment.ts';

/** What a job is, besides its build function. */
export interface JobOptions<A extends ArgumentSpecs> {
  /** Shown in lists, logs and the dashboard; `-Dpipeline.name` overrides it. */
  readonly name: string;
  /** Declared arguments, by name; made by `arg.*`. */
  readonly args?: A;
}

/** Declares the operators of a job. Synchronous; may depend on nothing but its arguments. */
export type BuildFunction<A extends ArgumentSpecs> = (env: StreamExecutionEnvironment, args: ArgumentsOf<A>) => Nothing;

/** Makes a job program: the default export of a job module. */
export function job<const A extends ArgumentSpecs = Record<never, never>>(options: JobOptions<A>, build: BuildFunction<A>): JobProgram {
  const { name } = options;
  const specs: ArgumentSpecs = options.args ?? {};
  if (typeof build !== 'function') throw new ClusterError('PROGRAM_INVALID', `job '${name}' has no build function`);
  return {
    dreyJob: 1,
    name,
    parseArgs: (words, workingDirectory = process.cwd()) => parseArguments(specs, words, workingDirectory),
    build(settings) {
      const args = completeArguments(specs, settings.args) as ArgumentsOf<A>;
      return withBuildTraps(() => buildGraph(name, settings, (env) => build(env, args)));
    },
  };
}

function buildGraph(name: string, settings: BuildSettings, build: (env: StreamExecutionEnvironment) => unknown): StreamGraph {
  const builder = new StreamGraphBuilder(name, settings.configuration);
  const result = build(new StreamExecutionEnvironment(builder, null));
  if (typeof result === 'object' && result !== null && 'then' in result) {
    throw new ClusterError(
      'PROGRAM_INVALID',
      `the build function of job '${name}' returned a promise. It only declares operators and must be synchronous: ` +
        'await in open(), in asyncMap or in a source',
    );
  }
  return builder.finish();
}
