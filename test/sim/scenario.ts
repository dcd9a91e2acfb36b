/**
 * What a seed means: the shape of the cluster, the jobs, which kinds of faults exist and how often (swarm
 * testing: most seeds have only a few kinds, so that each can do its work undisturbed).
 */
import { SeededRandom } from './seeded-random.ts';
import type { TaskBehaviour } from './sim-slot-host.ts';

/** Kinds of faults that a scenario may contain. */
export const FAULT_KINDS = ['killTaskManager', 'cutLink', 'cutLinkOneWay', 'resetConnection', 'pauseHeal'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** One job to submit. */
export interface JobPlan {
  readonly submitAtMs: number;
  readonly parallelism: number;
  /** Vertices in a line, each fed by the one before over a hash edge. */
  readonly vertices: number;
  /** Null: not cancelled by anybody. */
  readonly cancelAfterMs: number | null;
  readonly restartAttempts: number;
  /** New bounds of all vertices, so long after the submission each. */
  readonly rescales: readonly { readonly afterMs: number; readonly lowerBound: number; readonly upperBound: number }[];
  /** Null: no checkpoints. */
  readonly checkpointIntervalMs: number | null;
}

/** One fault, drawn in advance so that it does not depend on what happened before. */
export interface PlannedFault {
  readonly kind: FaultKind;
  readonly atMs: number;
  /** Index of the TaskManager it concerns. */
  readonly taskManager: number;
}

export interface Scenario {
  readonly seed: number;
  readonly taskManagers: number;
  readonly slots: number;
  readonly jobs: readonly JobPlan[];
  readonly faults: readonly PlannedFault[];
  readonly behaviour: TaskBehaviour;
}

/** Faults happen before this; afterwards everything is healed and progress is demanded. */
export const SAFETY_PHASE_MS = 30_000;

/** Draws the scenario of a seed. */
export function drawScenario(seed: number): Scenario {
  const random = new SeededRandom(seed);
  const rescaling = new SeededRandom(seed ^ RESCALE_SALT); // Of its own, so that scenarios without rescales stay what they were.
  const taskManagers = random.int(1, 4);
  const slots = random.int(1, 4);
  const kinds = FAULT_KINDS.filter(() => random.chance(0.35));
  const faults = Array.from({ length: kinds.length === 0 ? 0 : random.int(1, 6) }, (): PlannedFault => ({
    kind: random.pick(kinds),
    atMs: random.int(0, SAFETY_PHASE_MS),
    taskManager: random.int(0, taskManagers - 1),
  }));
  const isEndless = random.chance(0.25); // Then every job is cancelled: nothing else ends it.
  const jobs = Array.from({ length: random.int(1, 4) }, (): JobPlan => ({
    submitAtMs: random.int(0, 10_000),
    parallelism: random.int(1, taskManagers * slots),
    vertices: random.int(1, 3),
    cancelAfterMs: isEndless || random.chance(0.4) ? random.int(0, 8_000) : null,
    restartAttempts: random.chance(0.5) ? random.int(1, 3) : 0,
    checkpointIntervalMs: random.chance(0.6) ? random.int(100, 2000) : null,
    rescales: rescaling.chance(0.4) ? Array.from({ length: rescaling.int(1, 3) }, () => drawRescale(rescaling, taskManagers * slots)) : [],
  }));
  const behaviour: TaskBehaviour = {
    lifeMs: isEndless ? null : [10, random.int(20, 8_000)],
    failureChance: random.chance(0.3) ? 0.2 : 0,
    deafChance: random.chance(0.2) ? 0.3 : 0,
    slotDeathChance: random.chance(0.2) ? 0.1 : 0,
    declineChance: random.chance(0.2) ? 0.05 : 0,
  };
  return { seed, taskManagers, slots, jobs, faults, behaviour };
}

const RESCALE_SALT = 0x5ca1e;

function drawRescale(random: SeededRandom, slotCount: number): JobPlan['rescales'][number] {
  const upperBound = random.int(1, slotCount);
  return { afterMs: random.int(100, 15_000), lowerBound: random.int(1, upperBound), upperBound };
}
