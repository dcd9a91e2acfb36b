/**
 * Entry point of a program worker: loads one artifact, builds its graph, answers, and ends. User code runs
 * here and nowhere else at the JobManager.
 */
import { pathToFileURL } from 'node:url';
import { parentPort } from 'node:worker_threads';
import { present } from '../base/assert.ts';
import { delay } from '../base/ports.ts';
import { systemPorts } from '../base/system-ports.ts';
import { jobGraphOf } from '../graph/job-graph-builder.ts';
import { executionPlanOf } from '../graph/plan-json.ts';
import { buildProgram, loadProgram, preloadApi } from '../graph/program.ts';
import { WORKING_DIRECTORY_KEY } from '../graph/stream-graph.ts';
import { ClusterError, errorInfo } from '../protocol/errors.ts';
import type { BuildAnswer, BuildRequest, ProgramBuild } from './program-worker.ts';

const port = present(parentPort, 'a program worker runs in a thread');

port.once('message', (request: BuildRequest) => {
  void build(request)
    .then((built): BuildAnswer => ({ kind: 'built', built }))
    .catch((thrown: unknown): BuildAnswer => ({ kind: 'failed', error: errorInfo(thrown, 'PROGRAM_INVALID') }))
    .then(async (answer) => {
      await delay(systemPorts.clock, 0); // A rejection that nobody handles ends the thread by then, and the build with it.
      port.postMessage(answer);
    });
});
await preloadApi();

async function build(request: BuildRequest): Promise<ProgramBuild> {
  const { programArgs, configuration, jobId, submittedAtMs, expectedPlanDigest } = request;
  const program = await loadProgram(pathToFileURL(request.artifactPath).href);
  const args = program.parseArgs(programArgs, configuration[WORKING_DIRECTORY_KEY]);
  const graph = buildProgram(program, { args, configuration });
  const jobGraph = jobGraphOf(graph, { jobId, program: request.program, args, configuration, submittedAtMs });
  if (expectedPlanDigest !== null && expectedPlanDigest !== jobGraph.planDigest) {
    const text = `the plan built at the JobManager (digest ${jobGraph.planDigest}) is not the client's (${expectedPlanDigest})`;
    throw new ClusterError(
      'PLAN_MISMATCH',
      `${text}. Use the same version of drey on both sides, and no values in the build function that differ between machines.`,
    );
  }
  return { jobGraph, executionPlan: executionPlanOf(graph) };
}
