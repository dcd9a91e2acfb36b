/**
 * Rescales a running job: the new bounds are checked and stored, a checkpoint is taken, and the job restarts from it at the
 * parallelism that the bounds and the slots allow.
 *
 * Unlike Flink: bounds that the slots of the moment cannot satisfy are refused, and the job runs on as it is; slots that
 * come later do not widen it by themselves.
 *
 * Source: Flink `AdaptiveScheduler` (FLIP-291).
 */
import type { Logger } from '../base/log.ts';
import { delay, type Clock } from '../base/ports.ts';
import type { JobGraph, ResourceRequirements } from '../graph/job-graph.ts';
import { ClusterError, errorInfo } from '../protocol/errors.ts';
import type { JobStatus } from '../protocol/states.ts';
import { checkRequirements, requirementsOf, rescaledGraph, slotsNeeded } from './rescale.core.ts';

export interface RescalingOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly jobGraph: () => JobGraph;
  readonly status: () => JobStatus;
  /** The savepoint that stops the job stands. */
  readonly isStopped: () => boolean;
  /** Slots that the job has or could have now. */
  readonly slotsAvailable: () => number;
  /** Throws CHECKPOINT_FAILED. */
  readonly takeCheckpoint: () => Promise<void>;
  /** Throws, and says why, unless attempts of this graph could begin from the newest checkpoint. */
  readonly checkRestart: (jobGraph: JobGraph) => void;
  /** Ends all tasks, and begins anew with this graph. */
  readonly restart: (jobGraph: JobGraph) => void;
}

/** Tries to take the checkpoint that the job restarts from: some of its tasks may be on their way up. */
const CHECKPOINT_ATTEMPTS_MAX = 10;
const CHECKPOINT_RETRY_MS = 500;

export class Rescaling {
  private readonly options: RescalingOptions;
  private stored: ResourceRequirements | null = null;
  /** From the request until the new graph is in force. */
  private isUnderWay = false;

  constructor(options: RescalingOptions) {
    this.options = options;
  }

  /** The bounds in force. */
  get requirements(): ResourceRequirements {
    return this.stored ?? requirementsOf(this.options.jobGraph());
  }

  /**
   * Resolves once the bounds are durable by `store`; the job changes over behind that. Throws BAD_REQUEST,
   * NO_RESOURCE_AVAILABLE (nothing has changed then), OVERLOADED while an earlier change is under way.
   */
  async update(requirements: ResourceRequirements, store: (jobGraph: JobGraph) => Promise<void>): Promise<void> {
    const { jobGraph, status, isStopped } = this.options;
    const { jobId } = jobGraph();
    checkRequirements(jobGraph(), requirements);
    if (isStopped() || !['RUNNING', 'RESTARTING'].includes(status())) {
      throw new ClusterError('BAD_REQUEST', `Job ${jobId} cannot be rescaled: it is ${isStopped() ? 'stopping' : status()}.`);
    }
    if (this.isUnderWay) throw new ClusterError('OVERLOADED', `Job ${jobId} is being rescaled already.`);
    const next = this.next(requirements);
    this.isUnderWay = true;
    try {
      await store(next);
    } catch (thrown) {
      this.isUnderWay = false;
      throw thrown;
    }
    this.stored = requirements;
    void this.changeOver(next).finally(() => (this.isUnderWay = false));
  }

  private next(requirements: ResourceRequirements): JobGraph {
    const { jobGraph, slotsAvailable } = this.options;
    const available = slotsAvailable();
    const next = rescaledGraph(jobGraph(), requirements, available);
    if (next !== null) return next;
    const needed = slotsNeeded(jobGraph(), requirements);
    throw new ClusterError(
      'NO_RESOURCE_AVAILABLE',
      `The lower bounds need ${needed} slots, and the job can have ${available}. It runs on as it is: lower the bounds, or start more TaskManagers.`,
    );
  }

  private async changeOver(next: JobGraph): Promise<void> {
    const { jobGraph, log, restart } = this.options;
    const before = jobGraph();
    const changed = next.vertices.filter(({ parallelism }, i) => parallelism !== before.vertices[i]?.parallelism);
    if (changed.length === 0) return;
    const changes = changed.map(({ id, name, parallelism }) => {
      return `${name} ${before.vertices.find((vertex) => vertex.id === id)?.parallelism ?? 0} -> ${parallelism}`;
    });
    log.info(`Rescaling job ${next.jobId} (revision ${next.revision ?? 0}): ${changes.join(', ')}.`);
    const obstacle = await this.obstacleTo(next);
    if (obstacle === null) return restart(next);
    log.warn(`Job ${next.jobId} is not rescaled: ${obstacle} Then set the bounds again.`);
  }

  /** Null: there is a checkpoint that attempts of `next` can begin from, at best one that was just taken. */
  private async obstacleTo(next: JobGraph): Promise<string | null> {
    const { clock, log, status, takeCheckpoint, checkRestart } = this.options;
    for (let attempt = 1; attempt <= CHECKPOINT_ATTEMPTS_MAX && status() === 'RUNNING'; attempt++) {
      try {
        await takeCheckpoint();
        checkRestart(next);
        return null;
      } catch (thrown) {
        log.info(`There is no checkpoint to rescale from yet (attempt ${attempt}): ${errorInfo(thrown).message}`);
        await delay(clock, CHECKPOINT_RETRY_MS);
      }
    }
    try {
      checkRestart(next);
      return null;
    } catch (thrown) {
      return errorInfo(thrown).message;
    }
  }
}
