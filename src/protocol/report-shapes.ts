/**
 * The shapes of what a TaskManager sends. The JobManager's port takes connections from any process of the host, and
 * TaskManagers of other versions: a message that is not what its type says must end in an answer, not in the process.
 */
import { parseCheckpointAck, type TaskCheckpointAck } from './checkpoint.ts';
import { fromJsonBytes } from './control.ts';
import type { AccumulatorValue, ExecutionCheckpoints, ExecutionReport, OperatorEventBody, TaskIoMetrics } from './deployment.ts';
import { ClusterError, ERROR_KINDS, type ErrorInfo } from './errors.ts';
import type { JsonValue } from './json.ts';
import {
  anything, count, fieldsOf, figure, flag, kindOf, listOf, name, oneOf, orNull, recordOf, text, within, type Check,
} from './shape.ts';
import { EXECUTION_TRANSITIONS } from './states.ts';
import type {
  HardwareDescription, MemoryConfiguration, ResourceProfile, SlotReport, TaskManagerDescription, TaskManagerMetrics,
} from './task-manager.ts';

const PORT_MAX = 65535;
/** As `taskmanager.numberOfTaskSlots`. */
const SLOTS_MAX = 1024;
/** As `pipeline.max-parallelism`. */
const SUBTASKS_MAX = 32768;

const port = within(0, PORT_MAX);

const resources = fieldsOf<ResourceProfile>({
  cpuCores: figure, taskHeapSizeBytes: figure, taskOffHeapSizeBytes: figure, managedSizeBytes: figure, networkSizeBytes: figure,
});

const description = fieldsOf<TaskManagerDescription>({
  resourceId: name,
  host: name,
  rpcPort: port,
  dataPort: port,
  slotCount: within(1, SLOTS_MAX),
  totalResource: resources,
  hardware: fieldsOf<HardwareDescription>({
    cpuCores: figure, physicalMemorySizeBytes: figure, freeMemorySizeBytes: figure, managedMemorySizeBytes: figure,
  }),
  memory: fieldsOf<MemoryConfiguration>({
    frameworkHeapSizeBytes: figure, taskHeapSizeBytes: figure, frameworkOffHeapSizeBytes: figure, taskOffHeapSizeBytes: figure,
    networkSizeBytes: figure, managedSizeBytes: figure, jvmMetaspaceSizeBytes: figure, jvmOverheadSizeBytes: figure,
    totalFlinkSizeBytes: figure, totalProcessSizeBytes: figure,
  }),
});

const processMetrics = fieldsOf<TaskManagerMetrics>({
  heapUsedSizeBytes: figure, heapCommittedSizeBytes: figure, heapMaxSizeBytes: figure, nonHeapUsedSizeBytes: figure,
  directUsedSizeBytes: figure, segmentsTotal: figure, segmentsAvailable: figure,
});

const slot = fieldsOf<SlotReport>({ slotIndex: within(0, SLOTS_MAX - 1), allocationId: orNull(name), jobId: orNull(name) });

const error: Check = (value, path) => {
  fieldsOf<Omit<ErrorInfo, 'cause'>>({ code: oneOf(Object.keys(ERROR_KINDS)), className: text, message: text, stack: text })(value, path);
  const { cause } = value as ErrorInfo;
  if (cause !== undefined) error(cause, `${path}.cause`);
};

const accumulator = kindOf({
  counter: { value: figure }, sum64: { value: text }, histogram: { counts: recordOf(figure) },
} satisfies Record<AccumulatorValue['kind'], Readonly<Record<string, Check>>>);

const execution = fieldsOf<ExecutionReport>({
  jobId: name,
  attemptId: name,
  vertexId: name,
  subtaskIndex: within(0, SUBTASKS_MAX - 1),
  generation: count,
  allocationId: name,
  state: oneOf(Object.keys(EXECUTION_TRANSITIONS)),
  error: orNull(error),
  metrics: fieldsOf<TaskIoMetrics>({
    numRecordsIn: figure, numRecordsOut: figure, numBytesIn: figure, numBytesOut: figure,
    busyTimeMs: figure, idleTimeMs: figure, backPressuredTimeMs: figure, currentInputWatermarkMs: orNull(figure),
  }),
  accumulators: recordOf(accumulator),
  connectedChannels: listOf(name),
  splits: listOf(fieldsOf<ExecutionReport['splits'][number]>({ id: name, finished: flag })),
  checkpoints: fieldsOf<ExecutionCheckpoints>({
    inFlight: listOf(fieldsOf<ExecutionCheckpoints['inFlight'][number]>({ checkpointId: count, acknowledgedFiles: orNull(listOf(name)) })),
    lastCompletedId: count,
    lastAbortedId: count,
    stop: orNull(fieldsOf<NonNullable<ExecutionCheckpoints['stop']>>({
      checkpointId: count, mode: oneOf(['no', 'suspend', 'drain']), isCompleted: flag,
    })),
  }),
});

/** What readers send; the other kinds of event go the other way. */
const readerEvent = kindOf({
  readerRegistered: {}, splitRequest: {}, splitFinished: { splitId: name }, sourceEvent: { event: anything }, endOfData: {},
  watermarkReported: { group: name, timestampMs: within(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER), driftMsMax: count },
  collected: { sequence: count, values: listOf(anything) },
});

export const parseDescription = parser<TaskManagerDescription>('description', description);
export const parseProcessMetrics = parser<TaskManagerMetrics>('metrics', processMetrics);
export const parseSlots = parser<readonly SlotReport[]>('slots', listOf(slot));
export const parseExecution = parser<ExecutionReport>('report', execution);
export const parseExecutions = parser<readonly ExecutionReport[]>('executions', listOf(execution));
export const parseReaderEvent = parser<OperatorEventBody>('event', readerEvent);
export const parseError = parser<ErrorInfo>('error', error);

/** See `parseCheckpointAck`. */
export function parseAck(bytes: Uint8Array): TaskCheckpointAck {
  return parseCheckpointAck(plainData('acknowledgement', bytes) as JsonValue);
}

/** Throws BAD_REQUEST that names the field. */
function parser<T>(what: string, check: Check): (bytes: Uint8Array) => T {
  return (bytes) => {
    const value = plainData(what, bytes);
    check(value, what);
    return value as T;
  };
}

function plainData(what: string, bytes: Uint8Array): unknown {
  try {
    return fromJsonBytes(bytes);
  } catch (thrown) {
    throw new ClusterError('BAD_REQUEST', `${what}: ${thrown instanceof Error ? thrown.message : 'not JSON'}`, { cause: thrown });
  }
}
