/** A gateway with one running and one failed job, from plain data. */
import { createHash } from 'node:crypto';
import type { CheckpointDetails, CheckpointFigures, JobDetails, JobManagerGateway, JobResult, ProgramRequest, SubtaskDetails } from '../../src/dispatcher/gateway.ts';
import type { JobGraph } from '../../src/graph/job-graph.ts';
import { ClusterError } from '../../src/protocol/errors.ts';
import type { ArtifactId, ExecutionAttemptId, InstanceId, JobId, JobVertexId, PlanDigest, ResourceId } from '../../src/protocol/ids.ts';
import { NO_TASK_MANAGER_METRICS } from '../../src/protocol/task-manager.ts';

export const RUNNING_JOB = 'a'.repeat(32) as JobId;
export const FAILED_JOB = 'b'.repeat(32) as JobId;
export const VERTEX = 'c'.repeat(32) as JobVertexId;

function subtask(index: number): SubtaskDetails {
  return {
    subtaskIndex: index,
    attemptId: `${'d'.repeat(32)}_${VERTEX}_${index}_0` as ExecutionAttemptId,
    attemptNumber: 0,
    state: 'RUNNING',
    location: { resourceId: 'localhost:1-abcdef' as ResourceId, host: 'localhost', dataPort: 7, slotIndex: index },
    allocationId: null,
    stateTimestampsMs: { CREATED: 1000, SCHEDULED: 1010, DEPLOYING: 1020, INITIALIZING: 1030, RUNNING: 1040 },
    error: null,
    metrics: {
      numRecordsIn: 10 * (index + 1), numRecordsOut: 5, numBytesIn: 100, numBytesOut: 50, busyTimeMs: 1, idleTimeMs: 2, backPressuredTimeMs: 3,
      currentInputWatermarkMs: 1000 + index,
    },
    accumulators: { words: { kind: 'counter', value: 3 } },
  };
}

function graph(jobId: JobId): JobGraph {
  return {
    formatVersion: 1,
    jobId,
    name: 'words',
    program: { kind: 'registered', id: 'words' },
    args: { input: 'a.txt' },
    configuration: { 'parallelism.default': '2' },
    plan: { nodes: [], edges: [], configuration: {} },
    planDigest: 'e'.repeat(64) as PlanDigest,
    vertices: [],
    edges: [],
    submittedAtMs: 900,
  };
}

function job(jobId: JobId): JobDetails {
  const failed = jobId === FAILED_JOB;
  const vertex = { id: VERTEX, name: 'Source: lines -> Map', parallelism: 2, maxParallelism: 128, slotSharingGroup: 'default', subtasks: [subtask(0), subtask(1)] };
  const place = { resourceId: 'tm' as ResourceId, host: 'h', dataPort: 7, slotIndex: 0 };
  const lost = { code: 'TASK_MANAGER_LOST', className: 'ClusterError', message: 'gone', stack: '' } as const;
  const error = { code: 'USER_CODE', className: 'TypeError', message: 'x is not a function', stack: 'TypeError: x is not a function\n    at job.ts:3:1' } as const;
  return {
    jobId,
    name: 'words',
    status: failed ? 'FAILED' : 'RUNNING',
    startTimeMs: 1000,
    endTimeMs: failed ? 3000 : -1,
    stateTimestampsMs: { INITIALIZING: 1000, CREATED: 1001, RUNNING: 1002 },
    vertices: [vertex],
    failures: failed ? [{ error, timestampMs: 2900, taskName: 'Source: lines -> Map (1/2) - execution #0', location: null, concurrent: [{ error: lost, timestampMs: 2901, taskName: 'Source: lines -> Map (2/2) - execution #0', location: place }], concurrentDropped: 0 }] : [],
    accumulators: { words: { kind: 'counter', value: 6 } },
    jobGraph: graph(jobId),
  };
}

export interface FakeGateway extends JobManagerGateway {
  readonly cancelled: JobId[];
  readonly requests: ProgramRequest[];
  /** Savepoints that were asked for, and what they end with. */
  readonly savepoints: unknown[];
  savepoint: () => Promise<string>;
}

/** A checkpoint of the vertex that one of two subtasks has acknowledged, one that completed, one that failed. */
function checkpoints(): CheckpointDetails {
  const metrics = {
    startDelayMs: 1, alignmentMs: 2, syncMs: 3, asyncMs: 4, stateSizeBytes: 10, checkpointedSizeBytes: 5, processedBytes: 0,
    persistedBytes: 0, unaligned: false,
  };
  const acknowledged = [0, 1].map((subtaskIndex) => ({ ...metrics, subtaskIndex, acknowledgedMs: 1100 + subtaskIndex }));
  const figures = (checkpointId: number, status: CheckpointFigures['status'], count: number): CheckpointFigures => ({
    checkpointId, status, type: 'CHECKPOINT', format: null, timestampMs: 1000, endedMs: status === 'IN_PROGRESS' ? -1 : 1200,
    vertices: [{ vertexId: VERTEX, subtaskCount: 2, acknowledged: acknowledged.slice(0, count) }],
    location: status === 'COMPLETED' ? 'file:/c/chk-1' : '',
    error: status === 'FAILED' ? { code: 'CHECKPOINT_FAILED', className: 'CheckpointException', message: 'Checkpoint expired before completing.', stack: '' } : null,
  });
  const [one, two, three] = [figures(1, 'COMPLETED', 2), figures(2, 'FAILED', 0), figures(3, 'IN_PROGRESS', 1)];
  return {
    statistics: {
      counts: { restored: 0, total: 3, inProgress: 1, completed: 1, failed: 1 }, history: [three, two, one], completed: [one],
      latestCompleted: one, latestSavepoint: null, latestFailed: two, latestRestored: null,
    },
    settings: {
      cadence: { intervalMs: 1000, timeoutMs: 600_000, minPauseMs: 0, concurrentMax: 1, tolerableFailures: 0 }, alignment: 'exactly-once',
      unaligned: false, alignedTimeoutMs: 0, incremental: true, afterTasksFinish: true, directory: 'file:/c', subDirectory: true,
      savepointDirectory: null, inlineSizeBytesMax: 0, retainedMax: 1, retention: 'RETAIN_ON_CANCELLATION', stateBackend: 'hashmap',
      historyMax: 10, restore: null,
    },
  };
}

export function fakeGateway(): FakeGateway {
  const details = new Map([RUNNING_JOB, FAILED_JOB].map((id) => [id, job(id)]));
  const find = (jobId: JobId): JobDetails => {
    const found = details.get(jobId);
    if (!found) throw new ClusterError('JOB_NOT_FOUND', `Could not find Flink job (${jobId})`);
    return found;
  };
  const counts = { CREATED: 0, SCHEDULED: 0, DEPLOYING: 0, INITIALIZING: 0, RUNNING: 2, FINISHED: 0, CANCELING: 0, CANCELED: 0, FAILED: 0, RECONCILING: 0, total: 2 };
  const gateway: FakeGateway = {
    cancelled: [],
    requests: [],
    savepoints: [],
    savepoint: async () => 'file:/s/savepoint-aaaaaa-000000000000',
    checkpoints: (jobId) => (find(jobId), checkpoints()),
    triggerCheckpoint: async (_jobId, full) => (gateway.savepoints.push({ full }), 26),
    triggerSavepoint: async (_jobId, request) => (gateway.savepoints.push(request), gateway.savepoint()),
    stopWithSavepoint: async (_jobId, request) => (gateway.savepoints.push(request), gateway.savepoint()),
    resourceRequirements: () => ({ [VERTEX]: { lowerBound: 1, upperBound: 2 } }),
    updateResourceRequirements: async (_jobId, requirements) => void (gateway.savepoints.push(requirements), await gateway.savepoint()),
    disposeSavepoint: async (path) => void (gateway.savepoints.push(path), await gateway.savepoint()),
    configuration: {},
    overview: () => ({ taskManagerCount: 1, slotsTotal: 4, slotsAvailable: 2, jobsRunning: 1, jobsFinished: 0, jobsCancelled: 0, jobsFailed: 1 }),
    putArtifact: async (bytes) => createHash('sha256').update(bytes).digest('hex') as ArtifactId,
    buildProgram: async (request) => {
      gateway.requests.push(request);
      return { jobGraph: graph(RUNNING_JOB), executionPlan: { nodes: [] } };
    },
    submitProgram: async (request) => {
      gateway.requests.push(request);
      return RUNNING_JOB;
    },
    submitJob: async (jobGraph) => jobGraph.jobId,
    jobs: () => [...details.values()].map((each) => ({ ...each, durationMs: 5, lastModificationMs: 6, tasks: counts })),
    job: find,
    cancelJob: async (jobId) => {
      if (find(jobId).status === 'FAILED') throw new ClusterError('JOB_ALREADY_TERMINATED', 'over');
      gateway.cancelled.push(jobId);
    },
    jobResult: async (jobId): Promise<JobResult | null> => {
      const found = find(jobId);
      if (found.status === 'RUNNING') return null;
      return { jobId, name: found.name, status: 'FAILED', startTimeMs: 1000, endTimeMs: 3000, accumulators: {}, error: found.failures[0]?.error ?? null };
    },
    collected: async (_jobId, request) => ({ from: request.from, values: ['a'], ended: true }),
    taskManagers: () => [
      {
        description: {
          resourceId: 'localhost:1-abcdef' as ResourceId, host: 'localhost', rpcPort: 1, dataPort: 7, slotCount: 4,
          totalResource: { cpuCores: 4, taskHeapSizeBytes: 2 ** 30, taskOffHeapSizeBytes: 0, managedSizeBytes: 0, networkSizeBytes: 2 ** 26 },
          hardware: { cpuCores: 2, physicalMemorySizeBytes: 2 ** 34, freeMemorySizeBytes: 2 ** 30, managedMemorySizeBytes: 0 },
          memory: {
            frameworkHeapSizeBytes: 0, taskHeapSizeBytes: 0, frameworkOffHeapSizeBytes: 0, taskOffHeapSizeBytes: 0, networkSizeBytes: 2 ** 26,
            managedSizeBytes: 0, jvmMetaspaceSizeBytes: 0, jvmOverheadSizeBytes: 0, totalFlinkSizeBytes: 0, totalProcessSizeBytes: 0,
          },
        },
        instanceId: 'f'.repeat(32) as InstanceId,
        lastHeartbeatMs: 5,
        slots: [],
        freeSlotCount: 2,
        metrics: NO_TASK_MANAGER_METRICS,
      },
    ],
    taskManager: (id) => gateway.taskManagers().find((each) => each.description.resourceId === id) ?? null,
  };
  return gateway;
}
