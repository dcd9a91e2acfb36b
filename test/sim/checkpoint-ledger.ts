/**
 * What was promised about checkpoints, held against what happens: a task hears that one is complete only when it has given
 * its part, and no attempt ever begins before a checkpoint that somebody was told of, or with parts of two.
 */
import type { CheckpointOptions } from '../../src/protocol/checkpoint.ts';
import type { ExecutionAttemptId, JobId, OperatorId } from '../../src/protocol/ids.ts';
import type { SlotDeployment } from '../../src/task/slot-protocol.ts';

export class CheckpointLedger {
  readonly violations: string[] = [];
  /** Checkpoints that tasks were told of, and attempts that began from one: for the record that both were reached. */
  completions = 0;
  restores = 0;
  /** Newest checkpoint that some task of the job was told of. */
  private readonly announced = new Map<JobId, number>();
  private readonly given = new Map<ExecutionAttemptId, Set<number>>();
  private readonly restoredBy = new Map<string, number>();
  /** Whose states the attempts of a rescaled vertex were given. */
  private readonly sharedBy = new Map<string, string>();
  private readonly triggeredAtMs = new Map<string, number>();

  /** State as a task writes it: says whose it is, and of when. */
  stateOf({ deployment }: SlotDeployment, operatorId: OperatorId, checkpointId: number): string {
    return `${operatorId}/${deployment.subtaskIndex}@${checkpointId}`;
  }

  deployed(task: SlotDeployment): void {
    const { restore, jobId, generation, attemptId, subtaskIndex } = task.deployment;
    const restoredId = restore?.checkpointId ?? 0;
    const parallelism = task.jobGraph.vertices.find(({ id }) => id === task.deployment.vertexId)?.parallelism;
    const announced = this.announced.get(jobId) ?? 0;
    if (restoredId < announced) this.report(`${attemptId} begins from checkpoint ${restoredId}, but ${announced} was announced`);
    const region = `${jobId}/${generation}`;
    const others = this.restoredBy.get(region) ?? restoredId;
    if (others !== restoredId) this.report(`${attemptId} begins from checkpoint ${restoredId}, its generation from ${others}`);
    this.restoredBy.set(region, restoredId);
    if (restore) this.restores += 1;
    for (const { operator, operatorId } of restore?.operators ?? []) {
      const text = operator?.kind === 'inline' ? Buffer.from(operator.base64, 'base64').toString() : '';
      const writer = Number(text.split(/[/@]/)[1]);
      const isRescaled = restore?.formerParallelism[operatorId] !== parallelism;
      const isMeant = text === `${operatorId}/${writer}@${restoredId}` && (isRescaled || writer === subtaskIndex);
      if (!isMeant) this.report(`${attemptId} is given the state '${text}'`);
    }
    this.checkShares(task, parallelism);
  }

  /**
   * After a rescale each attempt is given the state of former subtasks once, and the attempts of one generation the same;
   * operators take their share of it.
   */
  private checkShares({ deployment }: SlotDeployment, parallelism: number | undefined): void {
    const { restore, attemptId, jobId, generation } = deployment;
    const writers = new Map<OperatorId, number[]>();
    for (const { operatorId, subtaskIndex } of restore?.operators ?? []) {
      const seen = writers.get(operatorId) ?? [];
      if (seen.includes(subtaskIndex)) this.report(`${attemptId} is given the state of ${operatorId}/${subtaskIndex} twice`);
      writers.set(operatorId, [...seen, subtaskIndex]);
    }
    for (const [operatorId, seen] of writers) {
      if (restore?.formerParallelism[operatorId] === parallelism) continue;
      const share = `${jobId}/${generation}/${operatorId}`;
      const others = this.sharedBy.get(share) ?? String(seen);
      if (others !== String(seen)) this.report(`${attemptId} is given the states ${seen.join()} of ${operatorId}, its sibling ${others}`);
      this.sharedBy.set(share, others);
    }
  }

  triggered(jobId: JobId, checkpointId: number, timestampMs: number, _options: CheckpointOptions): void {
    const key = `${jobId}/${checkpointId}`;
    if ((this.triggeredAtMs.get(key) ?? timestampMs) !== timestampMs) this.report(`checkpoint ${key} was triggered twice`);
    this.triggeredAtMs.set(key, timestampMs);
  }

  gave(attemptId: ExecutionAttemptId, checkpointId: number): void {
    this.given.set(attemptId, (this.given.get(attemptId) ?? new Set()).add(checkpointId));
  }

  complete({ deployment: { jobId, attemptId, restore } }: SlotDeployment, checkpointId: number): void {
    this.completions += 1;
    this.announced.set(jobId, Math.max(checkpointId, this.announced.get(jobId) ?? 0));
    const isPart = this.given.get(attemptId)?.has(checkpointId) || (restore?.checkpointId ?? 0) >= checkpointId;
    if (!isPart) this.report(`${attemptId} is told that checkpoint ${checkpointId} is complete, but never gave its part`);
  }

  private report(violation: string): void {
    if (!this.violations.includes(violation)) this.violations.push(violation);
  }
}
