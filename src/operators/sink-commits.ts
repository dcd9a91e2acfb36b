/**
 * What a sink's subtask has prepared and not committed yet, by the checkpoint that holds it.
 *
 *     barrier 7: prepareCommit ─► [7: c1 c2] ─► in the state of 7, 8, … until it is committed
 *     complete(7) ─► commit everything up to 7, one checkpoint after another, each to its end
 *
 * A commit that was interrupted is made again after a restore: committers see the same committable twice at
 * most through failures, and must not mind. Savepoints commit nothing; what they hold is committed with the
 * next checkpoint.
 *
 * Source: Flink `CommitterOperator`, `CommittableCollector`.
 */
import type { Committer } from '../graph/functions.ts';
import type { JsonValue } from '../protocol/json.ts';

/** Committables that one checkpoint holds. */
interface PreparedCommit {
  readonly checkpointId: number;
  readonly committables: readonly JsonValue[];
}

/** One subtask's committables. */
export class SinkCommits {
  private readonly committer: Committer;
  /** Prepared, but in no checkpoint yet. */
  private fresh: JsonValue[] = [];
  /** Ascending. */
  private prepared: PreparedCommit[] = [];
  private committing: Promise<void> = Promise.resolve();

  constructor(committer: Committer) {
    this.committer = committer;
  }

  /** Nothing waits to be committed. */
  get isEmpty(): boolean {
    return this.fresh.length === 0 && this.prepared.length === 0;
  }

  add(committables: readonly JsonValue[]): void {
    this.fresh.push(...committables);
  }

  /** All that is not committed, as the state of a checkpoint; what is fresh belongs to it from now on. */
  take(checkpointId: number): readonly JsonValue[] {
    if (this.fresh.length > 0) this.prepared.push({ checkpointId, committables: this.fresh });
    this.fresh = [];
    return this.prepared.flatMap(({ committables }) => committables);
  }

  /** Commits what checkpoints up to this one hold, after what is being committed. */
  commit(checkpointId: number): Promise<void> {
    this.committing = this.committing.then(() => this.commitUpTo(checkpointId));
    return this.committing;
  }

  /** Commits everything now: the job takes no checkpoints, or a restored one is known to be complete. */
  commitNow(): Promise<void> {
    this.take(0);
    return this.commit(Number.POSITIVE_INFINITY);
  }

  close(): void | Promise<void> {
    return this.committer.close?.();
  }

  private async commitUpTo(checkpointId: number): Promise<void> {
    for (let next = this.prepared[0]; next !== undefined && next.checkpointId <= checkpointId; next = this.prepared[0]) {
      await this.committer.commit(next.committables);
      this.prepared.shift();
    }
  }
}
