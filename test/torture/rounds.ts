/**
 * Rounds of torture in a MiniCluster: the verification job runs to its end while it crashes at one point after
 * another, and what it committed is checked record by record. The seed decides the points and their order.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { delay } from '../../src/base/ports.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import type { MiniClusterJob } from '../../src/testing/mini-cluster-job.ts';
import { MiniCluster } from '../../src/testing/mini-cluster.ts';
import { SeededRandom } from '../sim/seeded-random.ts';
import { check, type Verdict } from './checker.ts';
import { PLANTS, type Plant } from './plants.ts';
import program, { arm, disarm, makeDirectories, PROGRAM_POINTS, type ProgramPoint } from './program.ts';

/** Points that only the cluster knows: its TaskManager is lost while … */
const CLUSTER_POINTS = ['kill', 'ack', 'notify'] as const;
type Point = ProgramPoint | (typeof CLUSTER_POINTS)[number];
export const POINTS: readonly Point[] = [...PROGRAM_POINTS, ...CLUSTER_POINTS];

/** A crash that happens only when something else has crashed. */
const FOLLOWS: ReadonlySet<Point> = new Set(['restore', 'close']);
const POLL_INTERVAL_MS = 2;

/** What a round does. */
export interface Round {
  readonly seed: number;
  readonly parallelism: number;
  readonly records: number;
  readonly ratePerSecond: number;
  /** In this order. */
  readonly points: readonly Point[];
  readonly directory: string;
  readonly plant: string | null;
}

export interface RoundResult extends Verdict {
  readonly crashes: number;
  readonly reached: ReadonlySet<Point>;
}

/** The points of a seed, in its order. */
export function shuffled(points: readonly Point[], seed: number): Point[] {
  const random = new SeededRandom(seed);
  return points.map((point) => ({ point, at: random.unit() })).toSorted((a, b) => a.at - b.at).map(({ point }) => point);
}

class Torture {
  private readonly round: Round;
  private readonly cluster: MiniCluster;
  private readonly running: MiniClusterJob;
  readonly reached = new Set<Point>();
  crashes = 0;
  hasEnded = false;

  constructor(round: Round, cluster: MiniCluster, running: MiniClusterJob) {
    this.round = round;
    this.cluster = cluster;
    this.running = running;
  }

  /** Crashes at one point after another, until the job ends. */
  async run(): Promise<void> {
    const random = new SeededRandom(this.round.seed);
    for (const point of this.round.points) {
      const before = this.counts().completed;
      await this.until(() => this.counts().completed > before);
      await delay(systemPorts.clock, random.int(0, 60));
      if (this.hasEnded) return;
      await this.crash(point);
    }
  }

  private async crash(point: Point): Promise<void> {
    const { directory } = this.round;
    if (point === 'kill' || point === 'ack' || point === 'notify') {
      if (point !== 'kill') await this.comesTo(point);
      if (this.hasEnded) return;
      await this.cluster.startTaskManager();
      await this.cluster.stopTaskManager(0);
      this.note(point);
      return;
    }
    const before = this.crashCount();
    arm(directory, point);
    if (FOLLOWS.has(point)) arm(directory, 'map');
    const due = before + (FOLLOWS.has(point) ? 2 : 1);
    await this.until(() => this.crashCount() >= due);
    if (this.crashCount() >= due) this.note(point);
    disarm(directory);
  }

  /** Some tasks have taken their part of a checkpoint; or it has just completed. */
  private comesTo(point: 'ack' | 'notify'): Promise<void> {
    const { completed, total } = this.counts();
    return this.until(() => (point === 'ack' ? this.counts().total > total && this.counts().inProgress > 0 : this.counts().completed > completed));
  }

  private note(point: Point): void {
    this.crashes += 1;
    this.reached.add(point);
  }

  private counts() {
    return this.cluster.gateway.checkpoints(this.running.jobId).statistics.counts;
  }

  private crashCount(): number {
    return readFileSync(join(this.round.directory, 'reached'), 'utf8').split('\n').length - 1;
  }

  private async until(holds: () => boolean): Promise<void> {
    while (!this.hasEnded && !holds()) await delay(systemPorts.clock, POLL_INTERVAL_MS);
  }
}

/** One round, from an empty directory to the verdict. */
export async function runRound(round: Round): Promise<RoundResult> {
  const plant: Plant | null = round.plant === null ? null : PLANTS[round.plant]?.() ?? null;
  try {
    makeDirectories(round.directory);
    await using cluster = await MiniCluster.start({
      taskManagers: 1, slots: round.parallelism, configuration: {
        'parallelism.default': String(round.parallelism), 'execution.checkpointing.dir': join(round.directory, 'checkpoints'),
        'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.delay': '5 ms', 'restart-strategy.fixed-delay.attempts': '1000',
        'pipeline.auto-watermark-interval': '10 ms', 'execution.checkpointing.tolerable-failed-checkpoints': '1000',
      },
    });
    const args = {
      directory: round.directory, records: round.records, rate: round.ratePerSecond, run: 0, kills: false, commitsEarly: plant?.commitsEarly ?? false,
    };
    const running = await cluster.submit(program, args);
    const torture = new Torture(round, cluster, running);
    const result = running.result().finally(() => void (torture.hasEnded = true));
    await Promise.all([result, torture.run()]);
    return { ...check(round.directory, { records: round.records, splits: round.parallelism }), crashes: torture.crashes, reached: torture.reached };
  } finally {
    plant?.mend();
  }
}
