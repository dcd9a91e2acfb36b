/**
 * Messages between a TaskManager's main thread (TaskExecutor) and one slot, which runs either in its own
 * worker thread or inline (MiniCluster). Structured-cloneable. The main thread never runs user code.
 */
import type { ChannelEndpoint } from '../exchange/contract.ts';
import type { JobGraph, ProgramRef } from '../graph/job-graph.ts';
import type { LogLevel } from '../base/log.ts';
import type { AccumulatorValue, OperatorEvent, OperatorEventBody, TaskDeployment, TaskIoMetrics } from '../protocol/deployment.ts';
import type { CheckpointOptions, InFlightChannel } from '../protocol/checkpoint.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import type { ExecutionAttemptId, JobId, OperatorId } from '../protocol/ids.ts';
import type { KeyedPartInfo } from './keyed-states.ts';

/** How a slot finds the program. `artifactPath`: a verified bundle on local disk. */
export type LocalProgram =
  | { readonly ref: ProgramRef & { kind: 'artifact' }; readonly artifactPath: string }
  | { readonly ref: ProgramRef & { kind: 'registered' } };

/** A task with its channel ends opened. */
export interface SlotDeployment {
  readonly deployment: TaskDeployment;
  /** The plan is needed here: the rebuilt plan is compared with it. */
  readonly jobGraph: JobGraph;
  readonly program: LocalProgram;
  /** Where copies of the job's state lie on this host. */
  readonly localStateDirectories: readonly string[];
  /** Parallel to `deployment.outputs` and their channels. */
  readonly outputs: readonly (readonly ChannelEndpoint[])[];
  /** Parallel to `deployment.inputs` and their channels. */
  readonly inputs: readonly (readonly ChannelEndpoint[])[];
}

/** Main thread → slot. */
export type ToSlot =
  | { readonly kind: 'deploy'; readonly task: SlotDeployment }
  /** Cooperative; the main thread terminates the worker when the timeout passes. */
  | { readonly kind: 'cancel'; readonly attemptId: ExecutionAttemptId }
  | { readonly kind: 'operatorEvent'; readonly attemptId: ExecutionAttemptId; readonly nodeId: number; readonly body: OperatorEventBody }
  /** `bytes` of the slot's printed text have been written. */
  | { readonly kind: 'printed'; readonly bytes: number }
  /** To a source, or to a subtask whose producers have all finished: a barrier begins here. */
  | {
      readonly kind: 'triggerCheckpoint';
      readonly attemptId: ExecutionAttemptId;
      readonly checkpointId: number;
      readonly timestampMs: number;
      readonly options: CheckpointOptions;
    }
  /** Every checkpoint up to this one is complete. */
  | { readonly kind: 'checkpointComplete'; readonly attemptId: ExecutionAttemptId; readonly checkpointId: number }
  | { readonly kind: 'checkpointAborted'; readonly attemptId: ExecutionAttemptId; readonly checkpointId: number }
  /** The JobManager has the task's part. Until this or `checkpointAborted` comes, the task does not finish. */
  | { readonly kind: 'checkpointAcknowledged'; readonly attemptId: ExecutionAttemptId; readonly checkpointId: number }
  /** `sizeBytes` of a task's `checkpointBytes` are taken. */
  | { readonly kind: 'checkpointBytesTaken'; readonly attemptId: ExecutionAttemptId; readonly sizeBytes: number };

/** State of one operator, as the slot hands it over: which of the checkpoint's files hold it. */
export interface SlotOperatorState {
  readonly operatorId: OperatorId;
  readonly operatorFile: number | null;
  readonly keyed: (KeyedPartInfo & { readonly file: number }) | null;
}

/** A subtask's own part of `CheckpointMetrics`. */
export interface SlotCheckpointFigures {
  readonly startDelayMs: number;
  readonly alignmentMs: number;
  readonly syncMs: number;
  /** Until the last slice was given away. */
  readonly asyncMs: number;
  readonly processedBytes: number;
  readonly persistedBytes: number;
  readonly unaligned: boolean;
}

/** In-flight records of a subtask, as the slot hands them over. */
export interface SlotInFlight {
  /** Head of the chain. */
  readonly operatorId: OperatorId;
  readonly file: number;
  readonly channels: readonly InFlightChannel[];
}

/** What a subtask says of a checkpoint. */
export type CheckpointMessage =
  /** A slice of a file. The bytes change hands. At most 1 MiB per subtask may be unanswered by `checkpointBytesTaken`. */
  | {
      readonly kind: 'checkpointBytes';
      readonly checkpointId: number;
      readonly options: CheckpointOptions;
      /** Numbers the files of this subtask in this checkpoint. */
      readonly file: number;
      /** Later checkpoints may refer to it. */
      readonly shared: boolean;
      readonly bytes: Uint8Array;
    }
  /** All slices have been sent. */
  | {
      readonly kind: 'checkpointAck';
      readonly checkpointId: number;
      readonly options: CheckpointOptions;
      readonly operators: readonly SlotOperatorState[];
      /** Null: the barrier overtook nothing. */
      readonly inFlight: SlotInFlight | null;
      readonly figures: SlotCheckpointFigures;
    }
  | { readonly kind: 'checkpointDecline'; readonly checkpointId: number; readonly error: ErrorInfo };

/** Slot → main thread. */
export type FromSlot =
  /** The slot is up and can take a deployment. `doorbell` is registered at the ChannelBroker. */
  | { readonly kind: 'ready'; readonly doorbell: SharedArrayBuffer }
  | {
      readonly kind: 'state';
      readonly attemptId: ExecutionAttemptId;
      readonly state: 'INITIALIZING' | 'RUNNING' | 'FINISHED' | 'CANCELED' | 'FAILED';
      readonly error: ErrorInfo | null;
      readonly metrics: TaskIoMetrics;
      readonly accumulators: Readonly<Record<string, AccumulatorValue>>;
    }
  /** About once a second per running task. */
  | {
      readonly kind: 'metrics';
      readonly attemptId: ExecutionAttemptId;
      readonly metrics: TaskIoMetrics;
      readonly accumulators: Readonly<Record<string, AccumulatorValue>>;
    }
  | { readonly kind: 'operatorEvent'; readonly jobId: JobId; readonly event: OperatorEvent }
  | (CheckpointMessage & { readonly attemptId: ExecutionAttemptId })
  /** What `print` sinks and the user's console wrote; answered by `printed`. At most 1 MiB may be unanswered. */
  | { readonly kind: 'print'; readonly stream: 'stdout' | 'stderr'; readonly text: string }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly logger: string; readonly message: string };

/** One running slot, as the TaskExecutor holds it. */
export interface SlotHandle {
  /** Known before the worker is up, so that channels towards it can be opened. Absent for slots without an exchange. */
  readonly doorbell?: SharedArrayBuffer;
  post(message: ToSlot): void;
  /** Stops the thread at once, whatever user code does. The slot's memory is gone afterwards. */
  terminate(): Promise<void>;
}

/** Called by the host; never after `onExit`. */
export interface SlotListener {
  onMessage(message: FromSlot): void;
  /** The thread ended without `terminate`: `cause` says why (for example out of memory). */
  onExit(cause: ErrorInfo): void;
}

/** Starts slots: worker threads, inline, or simulated. */
export interface SlotHost {
  start(slotIndex: number, listener: SlotListener): SlotHandle;
}
