/**
 * Programs: from a module to a JobProgram, and from a JobProgram to its graph. Used wherever a program is rebuilt:
 * the client, the JobManager's program worker, every slot.
 */
import { userPlace } from '../base/source-place.ts';
import { ClusterError, thrownText } from '../protocol/errors.ts';
import { withLoadTraps } from './build-traps.ts';
import { checkSamePlan, planOf } from './plan.ts';
import type { BuildSettings, JobProgram, StreamGraph } from './stream-graph.ts';

const SAMPLE = "export default job({ name: '…' }, (env) => { … })";
/** What a bundle's `import 'drey'` loads. By URL: nothing below the API may depend on it. */
const API_ENTRY = new URL('../index.js', import.meta.url).href;

/**
 * Loads the API that bundles import. Idempotent. A pre-warmed worker calls it early; `loadProgram` does so outside of
 * the traps, which would slow it down.
 */
export async function preloadApi(): Promise<void> {
  await import(API_ENTRY);
}

/**
 * Imports a job module and answers its default export. `moduleUrl`: a `file:` URL of a bundle or a module.
 * Throws PROGRAM_INVALID when the import fails (the cause says why) or the default export is not a `job(…)`.
 */
export async function loadProgram(moduleUrl: string): Promise<JobProgram> {
  await preloadApi();
  process.setSourceMapsEnabled(true); // Stack traces name the user's TypeScript, and traps tell packages from user code.
  const module = await withLoadTraps(moduleUrl, () => importModule(moduleUrl));
  return asProgram(module);
}

/** The program that a module namespace exports as its default. The module is not named: a bundle's file name says nothing. */
function asProgram(module: object): JobProgram {
  const program = 'default' in module ? module.default : undefined;
  if (program === undefined) {
    throw new ClusterError('PROGRAM_INVALID', `the job module has no default export. It ends in: ${SAMPLE}`);
  }
  if (!isProgram(program)) {
    throw new ClusterError(
      'PROGRAM_INVALID',
      `the default export of the job module is ${describe(program)}, not a job. Export what job() returns: ${SAMPLE}`,
    );
  }
  return program;
}

/** Builds a program twice and answers the graph. Throws PLAN_MISMATCH, with the differences, when the plans differ. */
export function buildProgram(program: JobProgram, settings: BuildSettings): StreamGraph {
  const graph = buildOnce(program, settings);
  checkSamePlan(planOf(graph), planOf(buildOnce(program, settings)), `job '${program.name}'`);
  return graph;
}

/** Builds a program. What its build function throws becomes PROGRAM_INVALID with the place in the user's TypeScript. */
export function buildOnce(program: JobProgram, settings: BuildSettings): StreamGraph {
  try {
    return program.build(settings);
  } catch (thrown) {
    throw programFault(`the build function of job '${program.name}'`, thrown);
  }
}

function programFault(what: string, thrown: unknown): ClusterError {
  if (thrown instanceof ClusterError) return thrown;
  const place = userPlace(thrown);
  const where = place === null ? '' : ` at ${place}`;
  return new ClusterError('PROGRAM_INVALID', `${what} failed${where}: ${thrownText(thrown)}`, { cause: thrown });
}

async function importModule(moduleUrl: string): Promise<object> {
  try {
    return (await import(moduleUrl)) as object;
  } catch (thrown) {
    throw programFault('loading the job module', thrown);
  }
}

/** By its mark, not by class: the module may have been built against another copy of this package. */
function isProgram(value: unknown): value is JobProgram {
  return typeof value === 'object' && value !== null && 'dreyJob' in value && value.dreyJob === 1;
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  return typeof value === 'function' ? `the function '${value.name}'` : `a value of type ${typeof value}`;
}
