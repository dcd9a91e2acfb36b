/** How a job takes checkpoints, where they lie, and what it starts from: `execution.checkpointing.*`, `execution.state-recovery.*`. */
import type { CheckpointCadence } from './checkpoint-coordinator.core.ts';

/** What becomes of the newest checkpoints when the job ends otherwise than by finishing. */
export type CheckpointRetention = 'DELETE_ON_CANCELLATION' | 'RETAIN_ON_CANCELLATION' | 'NO_EXTERNALIZED_CHECKPOINTS';

/** From whom files belong to when a job starts from them. */
export type ClaimMode = 'NO_CLAIM' | 'CLAIM' | 'LEGACY';

/** What a job starts from. */
export interface InitialRestore {
  /** Directory of a savepoint or retained checkpoint, or its `_metadata`. */
  readonly path: string;
  readonly allowNonRestoredState: boolean;
  readonly claimMode: ClaimMode;
}

export interface CheckpointSettings {
  readonly cadence: CheckpointCadence;
  readonly alignment: 'exactly-once' | 'at-least-once';
  readonly unaligned: boolean;
  /** 0: unaligned at once. */
  readonly alignedTimeoutMs: number;
  readonly incremental: boolean;
  readonly afterTasksFinish: boolean;
  /** Null: checkpoints live in the JobManager's memory. */
  readonly directory: string | null;
  readonly subDirectory: boolean;
  /** Of savepoints that name none. */
  readonly savepointDirectory: string | null;
  readonly inlineSizeBytesMax: number;
  readonly retainedMax: number;
  readonly retention: CheckpointRetention;
  /** `hashmap` or `rocksdb`. */
  readonly stateBackend: string;
  /** Checkpoints in the history that REST shows. */
  readonly historyMax: number;
  readonly restore: InitialRestore | null;
}

/** Whether the newest checkpoints outlive a job that ended so. */
export function isRetained(retention: CheckpointRetention, status: 'FINISHED' | 'CANCELED' | 'FAILED'): boolean {
  if (status === 'FINISHED' || retention === 'NO_EXTERNALIZED_CHECKPOINTS') return false;
  return status === 'FAILED' || retention === 'RETAIN_ON_CANCELLATION';
}
