/** A job changes over only when there is a checkpoint that its next attempts can begin from. */
import test, { type ExecutionContext } from 'ava';
import type { JobGraph, ResourceRequirements } from '../../src/graph/job-graph.ts';
import { Rescaling } from '../../src/jobmaster/rescaling.ts';
import { ClusterError } from '../../src/protocol/errors.ts';
import { ManualClock } from '../../src/testing/manual-clock.ts';
import { lineGraph } from '../testing/job-graphs.ts';

const GRAPH = lineGraph(1, [2, 2]);
const THREE = Object.fromEntries(GRAPH.vertices.map(({ id }) => [id, { lowerBound: 1, upperBound: 3 }])) as ResourceRequirements;

interface Outcome {
  readonly restarts: JobGraph[];
  readonly lines: string[];
  checkpoints: number;
}

/** Asks for three subtasks each; `refusals`: how many checkpoints there are that cannot be gone on from, the first ones. */
async function rescaled(t: ExecutionContext, refusals: number): Promise<Outcome> {
  const clock = new ManualClock();
  const outcome: Outcome = { restarts: [], lines: [], checkpoints: 0 };
  const log = (message: string): void => void outcome.lines.push(message);
  const rescaling = new Rescaling({
    clock,
    log: { trace: log, debug: log, info: log, warn: log, error: log, isEnabled: () => true },
    jobGraph: () => GRAPH,
    status: () => 'RUNNING',
    isStopped: () => false,
    slotsAvailable: () => 3,
    takeCheckpoint: () => Promise.resolve(void outcome.checkpoints++),
    checkRestart: () => {
      if (outcome.checkpoints <= refusals) throw new ClusterError('STATE_INCOMPATIBLE', 'records are in flight.');
    },
    restart: (jobGraph) => outcome.restarts.push(jobGraph),
  });
  await rescaling.update(THREE, () => Promise.resolve());
  for (let turn = 0; turn < 100 && outcome.restarts.length === 0 && !outcome.lines.some((line) => line.includes('is not rescaled')); turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advanceTo(clock.nowMs() + 500, () => undefined);
  }
  t.deepEqual(rescaling.requirements, THREE);
  return outcome;
}

test('A checkpoint that the next attempts cannot begin from is followed by another', async (t) => {
  const { restarts, checkpoints } = await rescaled(t, 2);
  t.deepEqual(restarts.map(({ vertices }) => vertices.map(({ parallelism }) => parallelism)), [[3, 3]]);
  t.is(checkpoints, 3);
});

test('When there is none, the job runs on and the log says why and what to do', async (t) => {
  const { restarts, lines } = await rescaled(t, Infinity);
  t.deepEqual(restarts, []);
  t.regex(lines.at(-1) ?? '', /is not rescaled: records are in flight\. Then set the bounds again\.$/);
});
