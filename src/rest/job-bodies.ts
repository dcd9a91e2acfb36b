/**
 * Answers about jobs: from the gateway's plain data to Flink's field names. Pure functions; `nowMs` is
 * given. Unknown times are -1, absent state timestamps 0, as in Flink.
 */
import type { JobDetails, JobOverview, SubtaskDetails, TaskFailure, VertexDetails } from '../dispatcher/gateway.ts';
import { MAX_WATERMARK, NO_TIMESTAMP } from '../graph/functions.ts';
import { restPlanOf } from '../graph/plan-json.ts';
import type { AccumulatorValue, TaskIoMetrics } from '../protocol/deployment.ts';
import type { JsonObject, JsonValue } from '../protocol/json.ts';
import {
  EXECUTION_TRANSITIONS,
  JOB_TRANSITIONS,
  isTerminalExecutionState,
  type ExecutionState,
  type JobStatus,
} from '../protocol/states.ts';
import { stackTrace } from './answers.ts';
import { distribution } from './distribution.ts';

const EXECUTION_STATES = Object.keys(EXECUTION_TRANSITIONS) as ExecutionState[];
const JOB_STATUSES = Object.keys(JOB_TRANSITIONS) as JobStatus[];

/** A line of `GET /jobs/overview`. */
export function jobOverviewBody(job: JobOverview): JsonObject {
  const tasks: Record<string, number> = { total: job.tasks.total };
  for (const state of EXECUTION_STATES) tasks[state.toLowerCase()] = job.tasks[state];
  return {
    jid: job.jobId,
    name: job.name,
    'start-time': job.startTimeMs,
    'end-time': job.endTimeMs,
    duration: job.durationMs,
    state: job.status,
    'last-modification': job.lastModificationMs,
    tasks,
  };
}

/** `GET /jobs/:jobid`. */
export function jobDetailsBody(job: JobDetails, nowMs: number): JsonObject {
  const statusCounts = countStates(job.vertices.map(vertexState));
  return {
    jid: job.jobId,
    name: job.name,
    isStoppable: false,
    state: job.status,
    'job-type': 'STREAMING',
    'start-time': job.startTimeMs,
    'end-time': job.endTimeMs,
    duration: endOr(job.endTimeMs, nowMs) - job.startTimeMs,
    maxParallelism: -1,
    now: nowMs,
    timestamps: Object.fromEntries(JOB_STATUSES.map((status) => [status, job.stateTimestampsMs[status] ?? 0])),
    vertices: job.vertices.map((vertex) => vertexSummary(vertex, nowMs)),
    'status-counts': statusCounts,
    plan: restPlanOf(job.jobGraph),
  };
}

/** `GET /jobs/:jobid/vertices/:vertexid`. */
export function vertexBody(vertex: VertexDetails, nowMs: number): JsonObject {
  return {
    id: vertex.id,
    name: vertex.name,
    parallelism: vertex.parallelism,
    maxParallelism: vertex.maxParallelism,
    now: nowMs,
    subtasks: vertex.subtasks.map((subtask) => subtaskBody(subtask, nowMs)),
    aggregated: aggregatedBody(vertex.subtasks, nowMs),
  };
}

/** One subtask, as in the vertex answer and at its own address. */
export function subtaskBody(subtask: SubtaskDetails, nowMs: number): JsonObject {
  const startMs = startOf(subtask);
  return {
    subtask: subtask.subtaskIndex,
    status: subtask.state,
    attempt: subtask.attemptNumber,
    ...placeOf(subtask),
    ...span(startMs, endOf(subtask), nowMs),
    metrics: ioMetricsBody([subtask.metrics]),
    'taskmanager-id': subtask.location?.resourceId ?? '(unassigned)',
    'status-duration': statusDurations(subtask, nowMs),
    start_time: startMs,
  };
}

/** `GET /jobs/:jobid/vertices/:vertexid/subtasktimes`. */
export function subtaskTimesBody(vertex: VertexDetails, nowMs: number): JsonObject {
  const times = vertex.subtasks.map((subtask) => ({
    subtask: subtask.subtaskIndex,
    ...placeOf(subtask),
    duration: durationSince(startOf(subtask), endOf(subtask), nowMs),
    timestamps: Object.fromEntries(EXECUTION_STATES.map((state) => [state, subtask.stateTimestampsMs[state] ?? 0])),
  }));
  return { id: vertex.id, name: vertex.name, now: nowMs, subtasks: times };
}

/** `GET /jobs/:jobid/vertices/:vertexid/taskmanagers`. */
export function vertexTaskManagersBody(vertex: VertexDetails, nowMs: number): JsonObject {
  const groups = new Map<string, SubtaskDetails[]>();
  for (const subtask of vertex.subtasks) {
    const resourceId = subtask.location?.resourceId ?? '(unassigned)';
    groups.set(resourceId, [...(groups.get(resourceId) ?? []), subtask]);
  }
  const taskManagers = [...groups].map(([resourceId, subtasks]) => {
    const starts = subtasks.map(startOf).filter((startMs) => startMs >= 0);
    const ends = subtasks.map(endOf);
    const endpoint = subtasks[0] ? placeOf(subtasks[0]).endpoint : '(unassigned)';
    return {
      host: endpoint,
      endpoint,
      status: jobVertexState(subtasks),
      ...span(starts.length > 0 ? Math.min(...starts) : -1, ends.includes(-1) ? -1 : Math.max(...ends), nowMs),
      metrics: ioMetricsBody(subtasks.map((subtask) => subtask.metrics)),
      'status-counts': countStates(subtasks.map((subtask) => subtask.state)),
      'taskmanager-id': resourceId,
      aggregated: aggregatedBody(subtasks, nowMs),
    };
  });
  return { id: vertex.id, name: vertex.name, now: nowMs, taskmanagers: taskManagers };
}

/** `GET /jobs/:jobid/accumulators`, and the same list for a vertex. */
export function accumulatorList(accumulators: Readonly<Record<string, AccumulatorValue>>): JsonValue[] {
  return Object.entries(accumulators).map(([name, value]) => ({ name, type: accumulatorType(value), value: accumulatorText(value) }));
}

/** Flink's class for the nearest kind of accumulator. */
export function accumulatorType(value: AccumulatorValue): string {
  if (value.kind === 'histogram') return 'Histogram';
  return value.kind === 'counter' && !Number.isInteger(value.value) ? 'DoubleCounter' : 'LongCounter';
}

/** The value as text; sums of hashes are unsigned decimals. */
export function accumulatorText(value: AccumulatorValue): string {
  return value.kind === 'histogram' ? JSON.stringify(value.counts) : String(value.value);
}

/** `GET /jobs/:jobid/exceptions`. */
export function exceptionsBody(job: JobDetails, countMax: number): JsonObject {
  const shown = job.failures.slice(0, countMax);
  const root = job.failures[0];
  const truncated = shown.length < job.failures.length || shown.some(({ concurrentDropped }) => concurrentDropped > 0);
  const entries = shown.map((failure) => ({ ...failureBody(failure), concurrentExceptions: failure.concurrent.map(failureBody) }));
  return {
    'root-exception': root ? stackTrace(root.error) : null,
    timestamp: root?.timestampMs ?? null,
    'all-exceptions': shown.map((failure, i) => ({
      exception: stackTrace(failure.error),
      task: failure.taskName ?? '(global failure)',
      location: entries[i]?.location ?? '(unassigned)',
      endpoint: entries[i]?.endpoint ?? '(unassigned)',
      timestamp: failure.timestampMs,
      taskManagerId: failure.location?.resourceId ?? '(unassigned)',
    })),
    truncated,
    exceptionHistory: { entries, truncated },
  };
}

function failureBody({ error, timestampMs, taskName, location }: TaskFailure) {
  const endpoint = location && `${location.host}:${location.dataPort}`;
  return {
    exceptionName: error.className,
    stacktrace: stackTrace(error),
    timestamp: timestampMs,
    failureLabels: {},
    taskName,
    location: endpoint,
    endpoint,
    taskManagerId: location?.resourceId ?? null,
  };
}

/** `GET /jobs/:jobid/config`. */
export function jobConfigBody(job: JobDetails): JsonObject {
  const configuration = job.jobGraph.configuration;
  const userConfig = Object.entries(job.jobGraph.args).map(([key, value]) => [
    key, typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return {
    jid: job.jobId,
    name: job.name,
    'execution-config': {
      'execution-mode': 'PIPELINED',
      'restart-strategy': 'Cluster level default restart strategy',
      'job-parallelism': Number(configuration['parallelism.default'] ?? 1),
      'object-reuse-mode': configuration['pipeline.object-reuse'] !== 'false',
      'user-config': Object.fromEntries(userConfig),
    },
  };
}

/** The state that stands for several subtasks: the first of Flink's order of weight that any of them is in. */
export function jobVertexState(subtasks: readonly SubtaskDetails[]): ExecutionState {
  const order: ExecutionState[] = [
    'FAILED', 'CANCELING', 'CANCELED', 'RECONCILING', 'CREATED', 'SCHEDULED', 'DEPLOYING', 'INITIALIZING', 'RUNNING',
  ];
  const present = new Set(subtasks.map((subtask) => subtask.state));
  return order.find((state) => present.has(state)) ?? 'FINISHED';
}

function vertexState(vertex: VertexDetails): ExecutionState {
  return jobVertexState(vertex.subtasks);
}

function vertexSummary(vertex: VertexDetails, nowMs: number): JsonObject {
  const starts = vertex.subtasks.map(startOf).filter((startMs) => startMs >= 0);
  const ends = vertex.subtasks.map(endOf);
  return {
    id: vertex.id,
    slotSharingGroupId: vertex.slotSharingGroup,
    name: vertex.name,
    maxParallelism: vertex.maxParallelism,
    parallelism: vertex.parallelism,
    status: vertexState(vertex),
    ...span(starts.length > 0 ? Math.min(...starts) : -1, ends.includes(-1) ? -1 : Math.max(...ends), nowMs),
    tasks: countStates(vertex.subtasks.map((subtask) => subtask.state)),
    metrics: ioMetricsBody(vertex.subtasks.map((subtask) => subtask.metrics)),
  };
}

function countStates(states: readonly ExecutionState[]): JsonObject {
  const counts = Object.fromEntries(EXECUTION_STATES.map((state) => [state, 0]));
  for (const state of states) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

/** The watermark of each subtask that has an input. None yet, and the last, are the least and the greatest Java `long`. */
export function watermarksBody(vertex: VertexDetails): readonly JsonObject[] {
  return vertex.subtasks.flatMap(({ metrics }, index) => {
    const watermarkMs = metrics.currentInputWatermarkMs;
    return typeof watermarkMs === 'number' ? [{ id: `${index}.currentInputWatermark`, value: javaLong(watermarkMs) }] : [];
  });
}

function javaLong(watermarkMs: number): string {
  if (watermarkMs === NO_TIMESTAMP) return String(-(2n ** 63n));
  return String(watermarkMs === MAX_WATERMARK ? 2n ** 63n - 1n : watermarkMs);
}

function ioMetricsBody(metrics: readonly TaskIoMetrics[]): JsonObject {
  const sum = (read: (m: TaskIoMetrics) => number): number => metrics.reduce((total, m) => total + read(m), 0);
  return {
    'read-bytes': sum((m) => m.numBytesIn),
    'read-bytes-complete': true,
    'write-bytes': sum((m) => m.numBytesOut),
    'write-bytes-complete': true,
    'read-records': sum((m) => m.numRecordsIn),
    'read-records-complete': true,
    'write-records': sum((m) => m.numRecordsOut),
    'write-records-complete': true,
    'accumulated-backpressured-time': Math.round(sum((m) => m.backPressuredTimeMs)),
    'accumulated-idle-time': Math.round(sum((m) => m.idleTimeMs)),
    'accumulated-busy-time': Math.round(sum((m) => m.busyTimeMs)),
  };
}

function aggregatedBody(subtasks: readonly SubtaskDetails[], nowMs: number): JsonObject {
  const of = (read: (m: TaskIoMetrics) => number): JsonObject => distribution(subtasks.map((subtask) => Math.round(read(subtask.metrics))));
  const durations = subtasks.map((subtask) => statusDurations(subtask, nowMs));
  const states = [...new Set(durations.flatMap((each) => Object.keys(each)))];
  return {
    metrics: {
      'read-bytes': of((m) => m.numBytesIn),
      'write-bytes': of((m) => m.numBytesOut),
      'read-records': of((m) => m.numRecordsIn),
      'write-records': of((m) => m.numRecordsOut),
      'accumulated-backpressured-time': of((m) => m.backPressuredTimeMs),
      'accumulated-idle-time': of((m) => m.idleTimeMs),
      'accumulated-busy-time': of((m) => m.busyTimeMs),
    },
    'status-duration': Object.fromEntries(states.map((state) => [state, distribution(durations.map((each) => each[state] ?? 0))])),
  };
}

/** How long the subtask was in each state it has entered; the current one counts until now. */
function statusDurations(subtask: SubtaskDetails, nowMs: number): Record<string, number> {
  const entered = Object.entries(subtask.stateTimestampsMs).sort((a, b) => a[1] - b[1]);
  const isCounted = ([state]: readonly [string, number]): boolean => !isTerminalExecutionState(state as ExecutionState);
  const durations = entered.map(([state, atMs], i): [string, number] => [state, (entered[i + 1]?.[1] ?? nowMs) - atMs]);
  return Object.fromEntries(durations.filter(isCounted));
}

function placeOf(subtask: SubtaskDetails): { host: string; endpoint: string } {
  const at = subtask.location;
  return at ? { host: at.host, endpoint: `${at.host}:${at.dataPort}` } : { host: '(unassigned)', endpoint: '(unassigned)' };
}

/** Flink counts from deploying; -1 before. */
function startOf(subtask: SubtaskDetails): number {
  return subtask.stateTimestampsMs.DEPLOYING ?? -1;
}

function endOf(subtask: SubtaskDetails): number {
  return isTerminalExecutionState(subtask.state) ? (subtask.stateTimestampsMs[subtask.state] ?? -1) : -1;
}

function endOr(endMs: number, nowMs: number): number {
  return endMs < 0 ? nowMs : endMs;
}

function durationSince(startMs: number, endMs: number, nowMs: number): number {
  return startMs < 0 ? -1 : endOr(endMs, nowMs) - startMs;
}

function span(startMs: number, endMs: number, nowMs: number): JsonObject {
  return { 'start-time': startMs, 'end-time': endMs, duration: durationSince(startMs, endMs, nowMs) };
}
