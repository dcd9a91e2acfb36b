/**
 * What a TaskManager needs to run one attempt of one subtask, and what it reports about it. Plain data;
 * travels inside protobuf messages as bytes fields of JSON (small, and off the record path).
 */
import type { CheckpointOptions, TaskRestore } from './checkpoint.ts';
import type { ErrorInfo } from './errors.ts';
import type { AllocationId, ExecutionAttemptId, Generation, JobId, JobVertexId, ResourceId } from './ids.ts';
import type { JsonValue } from './json.ts';
import type { ExecutionState } from './states.ts';

/** Where a subtask runs. */
export interface TaskLocation {
  readonly resourceId: ResourceId;
  readonly host: string;
  /** Data-plane TCP port of the TaskManager. */
  readonly dataPort: number;
  readonly slotIndex: number;
}

/** One producer-consumer pair of subtasks over one JobEdge. */
export interface ChannelDeployment {
  /** `<edge index>:<producer subtask>:<consumer subtask>`; unique in (job, generation). */
  readonly channelId: string;
  readonly producer: ExecutionAttemptId;
  readonly consumer: ExecutionAttemptId;
  /** Location of the other end. */
  readonly peer: TaskLocation;
}

/** The channels that one subtask writes for one JobEdge (a ResultPartition). */
export interface OutputDeployment {
  readonly edgeIndex: number;
  /** One per fed consumer, ascending by consumer subtask. */
  readonly channels: readonly ChannelDeployment[];
}

/** The channels that one subtask reads for one JobEdge (part of an InputGate). */
export interface InputDeployment {
  readonly edgeIndex: number;
  /** One per feeding producer, ascending by producer subtask. */
  readonly channels: readonly ChannelDeployment[];
}

/** Copies of state on the TaskManager's own disk. */
export interface LocalStateUse {
  /** Write one with every checkpoint. */
  readonly backup: boolean;
  /** Read it, where there is one, instead of the checkpoint's file. */
  readonly restore: boolean;
}

/** One attempt of one subtask, ready to run. `job` is the JobGraph without its plan (graph room; opaque here). */
export interface TaskDeployment {
  readonly jobId: JobId;
  readonly attemptId: ExecutionAttemptId;
  readonly vertexId: JobVertexId;
  readonly generation: Generation;
  readonly allocationId: AllocationId;
  readonly subtaskIndex: number;
  readonly attemptNumber: number;
  readonly outputs: readonly OutputDeployment[];
  readonly inputs: readonly InputDeployment[];
  /** The state to begin with; null: begin empty. */
  readonly restore: TaskRestore | null;
  /** Checkpoints are taken to the last one, after the end of the input: what a sink has left is committed with that. */
  readonly hasFinalCheckpoint: boolean;
  /** The savepoint that stops the job stands: the attempt takes its state over, commits what it holds, and ends. It reads nothing. */
  readonly isStopped: boolean;
  readonly localState: LocalStateUse;
}

/** Busy, idle and back-pressured time and record counts of one attempt since it started. */
export interface TaskIoMetrics {
  readonly numRecordsIn: number;
  readonly numRecordsOut: number;
  readonly numBytesIn: number;
  readonly numBytesOut: number;
  /** Accumulated ms; the three sum to the time since RUNNING. */
  readonly busyTimeMs: number;
  readonly idleTimeMs: number;
  readonly backPressuredTimeMs: number;
  /** `NO_TIMESTAMP` before the first watermark; null for sources, which have no input. */
  readonly currentInputWatermarkMs: number | null;
}

/** An accumulator's value on the wire. Counters merge by addition, histograms bucket by bucket. */
export type AccumulatorValue =
  | { readonly kind: 'counter'; readonly value: number }
  /** Unsigned 64-bit sum in decimal: order-independent hashes. Merges by addition modulo 2^64. */
  | { readonly kind: 'sum64'; readonly value: string }
  | { readonly kind: 'histogram'; readonly counts: Readonly<Record<string, number>> };

/**
 * What a TaskManager knows of the checkpoints of one execution. A later leader gives up what is in flight, so that the files
 * named here are removed once, and sends the last completion again.
 */
export interface ExecutionCheckpoints {
  /** Ascending by id. */
  readonly inFlight: readonly {
    readonly checkpointId: number;
    /** Files written for it that a JobManager was told of; null: it has not been acknowledged. Inline state has no file. */
    readonly acknowledgedFiles: readonly string[] | null;
  }[];
  /** 0: none. Announcements rise, so each stands for all before. */
  readonly lastCompletedId: number;
  readonly lastAbortedId: number;
  /** The stop savepoint that the task takes part in; null: none, or it was given up. */
  readonly stop: { readonly checkpointId: number; readonly mode: CheckpointOptions['stop']; readonly isCompleted: boolean } | null;
}

/** Everything a TaskManager knows of one execution; part of its registration and of its heartbeats. */
export interface ExecutionReport {
  readonly jobId: JobId;
  readonly attemptId: ExecutionAttemptId;
  readonly vertexId: JobVertexId;
  readonly subtaskIndex: number;
  readonly generation: Generation;
  readonly allocationId: AllocationId;
  readonly state: ExecutionState;
  readonly error: ErrorInfo | null;
  readonly metrics: TaskIoMetrics;
  readonly accumulators: Readonly<Record<string, AccumulatorValue>>;
  /** Channels that are connected at both ends. */
  readonly connectedChannels: readonly string[];
  /** Ids of splits received since the last completed checkpoint, with whether they are finished. */
  readonly splits: readonly { readonly id: string; readonly finished: boolean }[];
  readonly checkpoints: ExecutionCheckpoints;
}

/** A message between a source reader (or collect sink) and its coordinator at the JobMaster. */
export interface OperatorEvent {
  readonly attemptId: ExecutionAttemptId;
  readonly subtaskIndex: number;
  readonly nodeId: number;
  readonly body: OperatorEventBody;
}

export type OperatorEventBody =
  // reader → coordinator
  | { readonly kind: 'readerRegistered' }
  | { readonly kind: 'splitRequest' }
  | { readonly kind: 'splitFinished'; readonly splitId: string }
  | { readonly kind: 'sourceEvent'; readonly event: JsonValue }
  /** How far a source of an alignment group is; answered by `watermarkAlignment`. */
  | { readonly kind: 'watermarkReported'; readonly group: string; readonly timestampMs: number; readonly driftMsMax: number }
  /** The task has no input left and waits for its final checkpoint. */
  | { readonly kind: 'endOfData' }
  /** Collected results; `sequence` counts batches from 0 and is acknowledged, so at most a window is in flight. */
  | { readonly kind: 'collected'; readonly sequence: number; readonly values: readonly JsonValue[] }
  // coordinator → reader
  | { readonly kind: 'addSplits'; readonly splits: readonly JsonValue[] }
  | { readonly kind: 'noMoreSplits' }
  /** The source pauses while its watermark is above. */
  | { readonly kind: 'watermarkAlignment'; readonly timestampMsMax: number }
  | { readonly kind: 'collectedAck'; readonly sequence: number };
