/** Checkpoints in the fields of Flink's REST API. */
import type { CheckpointDetails, CheckpointFigures, VertexCheckpointFigures } from '../dispatcher/gateway.ts';
import type { JsonObject, JsonValue } from '../protocol/json.ts';

type Subtask = VertexCheckpointFigures['acknowledged'][number];

/** `GET /jobs/:jobid/checkpoints`. */
export function checkpointsBody({ statistics }: CheckpointDetails): JsonObject {
  const { counts, completed, latestRestored } = statistics;
  const latest = (figures: CheckpointFigures | null): JsonValue => figures && checkpointBody(figures, false);
  const over = (value: (figures: CheckpointFigures) => number): JsonObject => summaryOf(completed.map(value));
  return {
    counts: {
      restored: counts.restored, total: counts.total, in_progress: counts.inProgress, completed: counts.completed, failed: counts.failed,
    },
    summary: {
      checkpointed_size: over((figures) => sum(figures, ({ checkpointedSizeBytes }) => checkpointedSizeBytes)),
      state_size: over((figures) => sum(figures, ({ stateSizeBytes }) => stateSizeBytes)),
      end_to_end_duration: over(durationMs),
      alignment_buffered: over(() => 0),
      processed_data: over((figures) => sum(figures, ({ processedBytes }) => processedBytes)),
      persisted_data: over((figures) => sum(figures, ({ persistedBytes }) => persistedBytes)),
    },
    latest: {
      completed: latest(statistics.latestCompleted),
      savepoint: latest(statistics.latestSavepoint),
      failed: latest(statistics.latestFailed),
      restored: latestRestored && {
        id: latestRestored.checkpointId,
        restore_timestamp: latestRestored.restoredMs,
        is_savepoint: latestRestored.isSavepoint,
        external_path: latestRestored.location,
      },
    },
    history: statistics.history.map((figures) => checkpointBody(figures, false)),
  };
}

/** One checkpoint; `withTasks` for `…/details/:checkpointid`. */
export function checkpointBody(figures: CheckpointFigures, withTasks: boolean): JsonObject {
  const { checkpointId, status, type, timestampMs, endedMs, vertices, location, error } = figures;
  const isSavepoint = type === 'SAVEPOINT' || type === 'SYNC_SAVEPOINT';
  return {
    className: { COMPLETED: 'completed', FAILED: 'failed', IN_PROGRESS: 'in_progress' }[status],
    id: checkpointId,
    status,
    is_savepoint: isSavepoint,
    savepointFormat: isSavepoint ? (figures.format ?? 'CANONICAL') : null,
    trigger_timestamp: timestampMs,
    ...sizesBody(figures, vertices),
    checkpoint_type: type,
    tasks: withTasks ? Object.fromEntries(vertices.map((vertex) => [vertex.vertexId, vertexBody(figures, vertex)])) : {},
    ...(status === 'COMPLETED' ? { external_path: location, discarded: false } : {}),
    ...(status === 'FAILED' ? { failure_timestamp: endedMs, failure_message: error?.message ?? null } : {}),
  };
}

/** `GET /jobs/:jobid/checkpoints/details/:checkpointid/subtasks/:vertexid`. */
export function checkpointSubtasksBody(figures: CheckpointFigures, vertex: VertexCheckpointFigures): JsonObject {
  const { acknowledged, subtaskCount } = vertex;
  const over = (value: (subtask: Subtask) => number): JsonObject => summaryOf(acknowledged.map(value));
  const byIndex = new Map(acknowledged.map((subtask) => [subtask.subtaskIndex, subtask]));
  return {
    ...vertexBody(figures, vertex),
    summary: {
      checkpointed_size: over(({ checkpointedSizeBytes }) => checkpointedSizeBytes),
      state_size: over(({ stateSizeBytes }) => stateSizeBytes),
      end_to_end_duration: over(({ acknowledgedMs }) => acknowledgedMs - figures.timestampMs),
      checkpoint_duration: { sync: over(({ syncMs }) => syncMs), async: over(({ asyncMs }) => asyncMs) },
      alignment: {
        buffered: over(() => 0),
        processed: over(({ processedBytes }) => processedBytes),
        persisted: over(({ persistedBytes }) => persistedBytes),
        duration: over(({ alignmentMs }) => alignmentMs),
      },
      start_delay: over(({ startDelayMs }) => startDelayMs),
    },
    subtasks: Array.from({ length: subtaskCount }, (_, index) => subtaskBody(index, byIndex.get(index), figures)),
  };
}

/** `GET /jobs/:jobid/checkpoints/config`. */
export function checkpointConfigBody({ settings }: CheckpointDetails): JsonObject {
  const { cadence, retention } = settings;
  return {
    mode: settings.alignment === 'exactly-once' ? 'exactly_once' : 'at_least_once',
    interval: cadence.intervalMs ?? Number.MAX_SAFE_INTEGER,
    timeout: cadence.timeoutMs,
    min_pause: cadence.minPauseMs,
    max_concurrent: cadence.concurrentMax,
    externalization: {
      enabled: retention !== 'NO_EXTERNALIZED_CHECKPOINTS',
      delete_on_cancellation: retention !== 'RETAIN_ON_CANCELLATION',
    },
    state_backend: settings.stateBackend === 'rocksdb' ? 'EmbeddedRocksDBStateBackend' : 'HashMapStateBackend',
    checkpoint_storage: settings.directory === null ? 'JobManagerCheckpointStorage' : 'FileSystemCheckpointStorage',
    unaligned_checkpoints: settings.unaligned,
    tolerable_failed_checkpoints: cadence.tolerableFailures,
    aligned_checkpoint_timeout: settings.alignedTimeoutMs,
    checkpoints_after_tasks_finish: settings.afterTasksFinish,
    state_changelog_enabled: false,
    changelog_periodic_materialization_interval: 0,
    changelog_storage: null,
  };
}

function vertexBody(figures: CheckpointFigures, vertex: VertexCheckpointFigures): JsonObject {
  const isComplete = vertex.acknowledged.length === vertex.subtaskCount;
  const status = isComplete ? 'COMPLETED' : figures.status === 'FAILED' ? 'FAILED' : 'IN_PROGRESS';
  return { id: figures.checkpointId, status, ...sizesBody(figures, [vertex]) };
}

function sizesBody({ timestampMs }: CheckpointFigures, vertices: readonly VertexCheckpointFigures[]): JsonObject {
  const subtasks = vertices.flatMap(({ acknowledged }) => acknowledged);
  const total = (value: (subtask: Subtask) => number): number => subtasks.reduce((so, subtask) => so + value(subtask), 0);
  const latestMs = Math.max(-1, ...subtasks.map(({ acknowledgedMs }) => acknowledgedMs));
  return {
    latest_ack_timestamp: latestMs,
    checkpointed_size: total(({ checkpointedSizeBytes }) => checkpointedSizeBytes),
    state_size: total(({ stateSizeBytes }) => stateSizeBytes),
    end_to_end_duration: latestMs < 0 ? -1 : Math.max(0, latestMs - timestampMs),
    alignment_buffered: 0,
    processed_data: total(({ processedBytes }) => processedBytes),
    persisted_data: total(({ persistedBytes }) => persistedBytes),
    num_subtasks: vertices.reduce((so, { subtaskCount }) => so + subtaskCount, 0),
    num_acknowledged_subtasks: subtasks.length,
  };
}

function subtaskBody(index: number, subtask: Subtask | undefined, figures: CheckpointFigures): JsonObject {
  if (!subtask) return { index, status: 'pending_or_failed' };
  return {
    index,
    status: 'completed',
    ack_timestamp: subtask.acknowledgedMs,
    end_to_end_duration: subtask.acknowledgedMs - figures.timestampMs,
    checkpointed_size: subtask.checkpointedSizeBytes,
    state_size: subtask.stateSizeBytes,
    checkpoint: { sync: Math.round(subtask.syncMs), async: Math.round(subtask.asyncMs) },
    alignment: {
      buffered: 0, processed: subtask.processedBytes, persisted: subtask.persistedBytes, duration: Math.round(subtask.alignmentMs),
    },
    start_delay: Math.round(subtask.startDelayMs),
    unaligned_checkpoint: subtask.unaligned,
    aborted: false,
  };
}

function durationMs(figures: CheckpointFigures): number {
  return Math.max(0, figures.endedMs - figures.timestampMs);
}

function sum({ vertices }: CheckpointFigures, value: (subtask: Subtask) => number): number {
  return vertices.reduce((so, { acknowledged }) => so + acknowledged.reduce((part, subtask) => part + value(subtask), 0), 0);
}

const QUANTILES = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99, p999: 0.999 } as const;

/** Flink spells a quantile of nothing `NaN`. */
function summaryOf(values: readonly number[]): JsonObject {
  const sorted = values.toSorted((a, b) => a - b);
  const quantile = (share: number): JsonValue => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 'NaN';
  return {
    min: Math.round(sorted[0] ?? 0),
    max: Math.round(sorted.at(-1) ?? 0),
    avg: sorted.length === 0 ? 0 : Math.round(sorted.reduce((so, value) => so + value, 0) / sorted.length),
    ...Object.fromEntries(Object.entries(QUANTILES).map(([name, share]) => [name, quantile(share)])),
  };
}
