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
  private readonly triggeredAtMs = new Map<string, number>();

  /** State as a task writes it: says whose it is, and of when. */
  stateOf({ deployment }: SlotDeployment, operatorId: OperatorId, checkpointId: number): string {
    return `${operatorId}/${deployment.subtaskIndex}@${checkpointId}`;
  }

  deployed(task: SlotDeployment): void {
    const { restore, jobId, generation, attemptId, subtaskIndex } = task.deployment;
    const restoredId = restore?.checkpointId ?? 0;
    const announced = this.announced.get(jobId) ?? 0;
    if (restoredId < announced) this.report(`${attemptId} begins from checkpoint ${restoredId}, but ${announced} was announced`);
    const region = `${jobId}/${generation}`;
    const others = this.restoredBy.get(region) ?? restoredId;
    if (others !== restoredId) this.report(`${attemptId} begins from checkpoint ${restoredId}, its generation from ${others}`);
    this.restoredBy.set(region, restoredId);
    if (restore) this.restores += 1;
    for (const { operator, operatorId } of restore?.operators ?? []) {
      const text = operator?.kind === 'inline' ? Buffer.from(operator.base64, 'base64').toString() : '';
      if (text !== `${operatorId}/${subtaskIndex}@${restoredId}`) this.report(`${attemptId} is given the state '${text}'`);
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
