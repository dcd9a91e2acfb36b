/** One seed: a scenario is drawn, played on virtual time, and judged. */
import type { JobId } from '../../src/protocol/ids.ts';
import { isGloballyTerminal } from '../../src/protocol/states.ts';
import { Checkers } from './checkers.ts';
import { lineGraph } from './job-graphs.ts';
import { SAFETY_PHASE_MS, drawScenario, type JobPlan, type PlannedFault } from './scenario.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimCluster } from './sim-cluster.ts';

export interface SimResult {
  readonly seed: number;
  readonly violations: readonly string[];
  /** Virtual timers fired. */
  readonly events: number;
  /** How the jobs ended, for the record that rare branches were reached. */
  readonly endings: readonly string[];
  /** Announcements of completed checkpoints, and attempts that began from one. */
  readonly completions: number;
  readonly restores: number;
  /** Changes of parallelism that went through. */
  readonly rescales: number;
}

/** A cut link is healed by `pauseHeal`, or after this. */
const CUT_MS = 9000;
const RESTART_TASK_MANAGER_MS = 4000;
/** After the last fault: longest life of a task, waits for slots, restarts. */
const PROGRESS_MS = 240_000;
/** For slots to be handed back and stale attempts to end. */
const QUIET_MS = 30_000;

/** Plays one seed. */
export async function simulate(seed: number): Promise<SimResult> {
  const scenario = drawScenario(seed);
  const cluster = new SimCluster(scenario);
  const random = new SeededRandom(seed ^ 0x5eed);
  const checkers = new Checkers(cluster);
  const acknowledged = new Set<JobId>();
  const check = (): boolean => {
    checkers.check(acknowledged);
    return checkers.violations.length > 0;
  };
  await cluster.start();
  for (const plan of scenario.jobs) scheduleJob(cluster, plan, random, acknowledged);
  for (const fault of scenario.faults) cluster.clock.after(fault.atMs, () => perform(cluster, fault));
  const isOver = (): boolean => [...acknowledged].every((jobId) => isGloballyTerminal(cluster.jobManager.job(jobId).status));
  await cluster.clock.runUntil(SAFETY_PHASE_MS, check);
  cluster.network.heal();
  const endMs = SAFETY_PHASE_MS + RESTART_TASK_MANAGER_MS + PROGRESS_MS;
  await cluster.clock.runUntil(endMs, () => check() || isOver());
  await cluster.clock.runUntil(cluster.clock.monotonicMs() + QUIET_MS, check);
  if (checkers.violations.length === 0) checkers.checkEnd(acknowledged);
  const endings = [...acknowledged].map((jobId) => cluster.jobManager.job(jobId).status);
  const { completions, restores } = cluster.ledger;
  const rescales = [...acknowledged].reduce((sum, jobId) => sum + (cluster.jobManager.job(jobId).jobGraph.revision ?? 0), 0);
  return { seed, violations: checkers.violations, events: cluster.clock.events, endings, completions, restores, rescales };
}

function scheduleJob(cluster: SimCluster, plan: JobPlan, random: SeededRandom, acknowledged: Set<JobId>): void {
  const { clock } = cluster;
  clock.after(plan.submitAtMs, () => {
    const jobGraph = lineGraph(plan, random, clock.nowMs());
    void cluster.jobManager.submitJob(jobGraph).then((jobId) => {
      acknowledged.add(jobId);
      for (const rescale of plan.rescales) clock.after(rescale.afterMs, () => setBounds(cluster, jobId, rescale));
      if (plan.cancelAfterMs !== null) clock.after(plan.cancelAfterMs, () => void cluster.jobManager.cancelJob(jobId).catch(() => 'it was over already'));
    });
  });
}

/** What cannot be met, and a job that is over, is refused. */
function setBounds({ jobManager }: SimCluster, jobId: JobId, { lowerBound, upperBound }: JobPlan['rescales'][number]): void {
  const requirements = Object.fromEntries(jobManager.job(jobId).vertices.map(({ id }) => [id, { lowerBound, upperBound }]));
  void jobManager.updateResourceRequirements(jobId, requirements).catch(() => 'refused');
}

function perform(cluster: SimCluster, { kind, taskManager }: PlannedFault): void {
  switch (kind) {
    case 'killTaskManager':
      if (!cluster.isUp(taskManager)) return;
      cluster.killTaskManager(taskManager);
      cluster.clock.after(RESTART_TASK_MANAGER_MS, () => void cluster.startTaskManager(taskManager));
      return;
    case 'cutLink':
    case 'cutLinkOneWay':
      cluster.cut(taskManager, kind === 'cutLinkOneWay');
      cluster.clock.after(CUT_MS, () => cluster.network.heal());
      return;
    case 'resetConnection':
      return cluster.reset(taskManager);
    case 'pauseHeal':
      return cluster.network.heal();
  }
}
