/** Figures of a job's checkpoints, as REST and the dashboard show them: counts, a bounded history, and sums over completed ones. */
import type { CheckpointMetrics, SavepointFormat, TaskCheckpointAck } from '../protocol/checkpoint.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import type { ExecutionAttemptId, JobVertexId } from '../protocol/ids.ts';
import type { PendingCheckpoint } from './checkpoint-coordinator.core.ts';

/** One subtask's part of one checkpoint. */
export interface SubtaskCheckpointFigures extends CheckpointMetrics {
  readonly subtaskIndex: number;
  /** Wall clock, ms. */
  readonly acknowledgedMs: number;
}

/** All subtasks of one vertex that take part. */
export interface VertexCheckpointFigures {
  readonly vertexId: JobVertexId;
  readonly subtaskCount: number;
  /** In the order in which they came. */
  readonly acknowledged: readonly SubtaskCheckpointFigures[];
}

/** One checkpoint or savepoint. */
export interface CheckpointFigures {
  readonly checkpointId: number;
  readonly status: 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';
  readonly type: 'CHECKPOINT' | 'UNALIGNED_CHECKPOINT' | 'SAVEPOINT' | 'SYNC_SAVEPOINT';
  /** Null: not a savepoint. */
  readonly format: SavepointFormat | null;
  readonly timestampMs: number;
  /** Wall clock; -1 while it is in progress. */
  readonly endedMs: number;
  readonly vertices: readonly VertexCheckpointFigures[];
  /** Empty unless it completed. */
  readonly location: string;
  /** Null unless it failed. */
  readonly error: ErrorInfo | null;
}

/** What the job last began from. */
export interface RestoredCheckpointFigures {
  readonly checkpointId: number;
  readonly restoredMs: number;
  readonly isSavepoint: boolean;
  readonly location: string;
}

/** Everything about a job's checkpoints. */
export interface CheckpointStatistics {
  readonly counts: Readonly<Record<'restored' | 'total' | 'inProgress' | 'completed' | 'failed', number>>;
  /** Newest first. */
  readonly history: readonly CheckpointFigures[];
  /** Of which the summary is made; newest last, at most `COMPLETED_MAX`. */
  readonly completed: readonly CheckpointFigures[];
  readonly latestCompleted: CheckpointFigures | null;
  readonly latestSavepoint: CheckpointFigures | null;
  readonly latestFailed: CheckpointFigures | null;
  readonly latestRestored: RestoredCheckpointFigures | null;
}

/** Completed checkpoints in the summary: each holds a row for every subtask. */
const COMPLETED_MAX = 100;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class CheckpointTracker {
  private readonly historyMax: number;
  /** By id, ascending. */
  private readonly recent = new Map<number, Mutable<CheckpointFigures>>();
  private readonly completed: CheckpointFigures[] = [];
  private readonly counts = { restored: 0, total: 0, inProgress: 0, completed: 0, failed: 0 };
  private latestCompleted: CheckpointFigures | null = null;
  private latestSavepoint: CheckpointFigures | null = null;
  private latestFailed: CheckpointFigures | null = null;
  private latestRestored: RestoredCheckpointFigures | null = null;

  constructor(historyMax: number) {
    this.historyMax = historyMax;
  }

  begun({ checkpointId, timestampMs, kind, stop, plan, request }: PendingCheckpoint): void {
    const counts = new Map<JobVertexId, number>();
    for (const { vertex } of plan.toAcknowledge) counts.set(vertex.id, (counts.get(vertex.id) ?? 0) + 1);
    const type = kind === 'checkpoint' ? 'CHECKPOINT' : stop === 'no' ? 'SAVEPOINT' : 'SYNC_SAVEPOINT';
    const vertices = [...counts].map(([vertexId, subtaskCount]) => ({ vertexId, subtaskCount, acknowledged: [] }));
    this.recent.set(checkpointId, {
      checkpointId, status: 'IN_PROGRESS', type, format: request?.format ?? null,
      timestampMs, endedMs: -1, vertices, location: '', error: null,
    });
    this.counts.total += 1;
    this.counts.inProgress += 1;
    this.forget();
  }

  acknowledged({ checkpointId, plan }: PendingCheckpoint, attemptId: ExecutionAttemptId, ack: TaskCheckpointAck, nowMs: number): void {
    const figures = this.recent.get(checkpointId);
    const execution = plan.toAcknowledge.find((each) => each.attemptId === attemptId);
    if (!figures || !execution) return;
    const { subtaskIndex, vertex } = execution;
    const subtask = { ...ack.metrics, subtaskIndex, acknowledgedMs: nowMs };
    if (ack.metrics.unaligned && figures.type === 'CHECKPOINT') figures.type = 'UNALIGNED_CHECKPOINT';
    figures.vertices = figures.vertices.map((each) => {
      return each.vertexId === vertex.id ? { ...each, acknowledged: [...each.acknowledged, subtask] } : each;
    });
  }

  ended(
    { checkpointId, kind }: PendingCheckpoint, outcome: { readonly location: string } | { readonly error: ErrorInfo }, nowMs: number,
  ): void {
    this.counts.inProgress -= 1;
    const isCompleted = 'location' in outcome;
    this.counts[isCompleted ? 'completed' : 'failed'] += 1;
    const figures = this.recent.get(checkpointId);
    if (!figures) return;
    Object.assign(figures, { status: isCompleted ? 'COMPLETED' : 'FAILED', endedMs: nowMs, ...outcome });
    if (!isCompleted) this.latestFailed = figures;
    else if (kind === 'savepoint') this.latestSavepoint = figures;
    else this.latestCompleted = figures;
    if (isCompleted) this.completed.push(figures);
    if (this.completed.length > COMPLETED_MAX) this.completed.shift();
    this.forget();
  }

  restored(figures: RestoredCheckpointFigures): void {
    this.counts.restored += 1;
    this.latestRestored = figures;
  }

  statistics(): CheckpointStatistics {
    const { counts, completed, latestCompleted, latestSavepoint, latestFailed, latestRestored } = this;
    const history = [...this.recent.values()].toReversed();
    return { counts: { ...counts }, history, completed: [...completed], latestCompleted, latestSavepoint, latestFailed, latestRestored };
  }

  /** Those in progress stay. */
  private forget(): void {
    const ended = [...this.recent.values()].filter(({ status }) => status !== 'IN_PROGRESS');
    for (const { checkpointId } of ended.slice(0, Math.max(0, this.recent.size - this.historyMax))) this.recent.delete(checkpointId);
  }
}
