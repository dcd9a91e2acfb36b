/** Coordinators of user-defined sources: where each one's enumerator runs follows from where its program is. */
import { buildProgram } from '../graph/program.ts';
import type { JobProgram } from '../graph/stream-graph.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { ArtifactId } from '../protocol/ids.ts';
import { CustomSourceCoordinator, runInline, type EnumeratorListener, type EnumeratorRunner } from './custom-source-coordinator.ts';
import { customSourceOf, EnumeratorHost } from './enumerator-host.ts';
import type { EnumeratorWorkers } from './enumerator-worker.ts';
import type { CoordinatedOperator, CoordinatorMaker } from './operator-coordinator.ts';

/** Where programs are found. */
export interface CustomSourceSurroundings {
  readonly workers: EnumeratorWorkers;
  /** A verified bundle on local disk; null when it is not there. Throws ARTIFACT_CORRUPT. */
  artifactPath(artifactId: ArtifactId): Promise<string | null>;
  /** A program object of this process, or null. Its enumerators run on the main thread. */
  registeredProgram(id: string): JobProgram | null;
}

/** Runs enumerators of artifacts in worker threads, and those of registered programs in place. */
export function customSources(surroundings: CustomSourceSurroundings): CoordinatorMaker {
  return (place, context) => new CustomSourceCoordinator(context, (listener) => runEnumerator(surroundings, place, listener));
}

function runEnumerator(surroundings: CustomSourceSurroundings, place: CoordinatedOperator, listener: EnumeratorListener): EnumeratorRunner {
  const { jobGraph, vertex, operator: { nodeId }, restored } = place;
  const { program, args, configuration } = jobGraph;
  const settings = { args, configuration };
  if (program.kind === 'artifact') {
    const path = requirePath(surroundings, program.artifactId);
    return surroundings.workers.run(
      path.then((artifactPath) => ({ artifactPath, settings, nodeId, parallelism: vertex.parallelism, restored })), listener,
    );
  }
  const registered = surroundings.registeredProgram(program.id);
  if (registered === null) throw new ClusterError('ARTIFACT_NOT_FOUND', `no program '${program.id}' is registered in this process`);
  const source = customSourceOf(buildProgram(registered, settings), nodeId);
  return runInline((outlet) => new EnumeratorHost(source, vertex.parallelism, outlet, restored), listener);
}

async function requirePath(surroundings: CustomSourceSurroundings, artifactId: ArtifactId): Promise<string> {
  const path = await surroundings.artifactPath(artifactId);
  if (path === null) throw new ClusterError('ARTIFACT_NOT_FOUND', `artifact ${artifactId} is not in the blob store`);
  return path;
}
