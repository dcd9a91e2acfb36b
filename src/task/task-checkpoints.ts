/**
 * Checkpoints of a TaskManager's tasks, on the main thread: the JobManager's word goes to the slots, the
 * slots' state goes to storage, and what has become of it goes back to the JobManager.
 *
 *     slices ─► files ─► ack from the slot ─► files durable ─► acknowledgeCheckpoint ─► the JobManager owns the files
 *                 └────── abort, decline, end of the task before that: the files are removed ──────┘
 *
 * Acknowledgements are repeated while the JobManager is out of touch: they are idempotent, and a checkpoint
 * that was given up meanwhile is refused there.
 */
import type { Logger } from '../base/log.ts';
import type { Ports } from '../base/ports.ts';
import { delay } from '../base/ports.ts';
import { present } from '../base/assert.ts';
import { isStateless } from '../protocol/checkpoint.ts';
import type {
  CheckpointOptions, KeyedStateHandle, OperatorSubtaskState, StateHandle, TaskCheckpointAck,
} from '../protocol/checkpoint.ts';
import type { ExecutionCheckpoints, TaskDeployment } from '../protocol/deployment.ts';
import { ClusterError, errorInfo, type ErrorInfo } from '../protocol/errors.ts';
import type { ExecutionAttemptId, OperatorId } from '../protocol/ids.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { CheckpointFiles } from './checkpoint-files.ts';
import type { LocalCopy, LocalStates } from './local-states.ts';
import { baseName } from './restored-states.ts';
import type { CheckpointMessage, SlotOperatorState, ToSlot } from './slot-protocol.ts';

/** An acknowledgement that does not arrive is repeated this often, at this interval. Beyond, the checkpoint times out. */
const ACKNOWLEDGE_ATTEMPTS_MAX = 20;
const ACKNOWLEDGE_INTERVAL_MS = 500;

export interface TaskCheckpointsOptions {
  readonly ports: Ports;
  readonly log: Logger;
  readonly files: FileSystems;
  readonly local: LocalStates;
  /** Null when the task is over. */
  deploymentOf(attemptId: ExecutionAttemptId): TaskDeployment | null;
  toSlot(attemptId: ExecutionAttemptId, message: ToSlot): void;
  readonly toJobManager: {
    /** Throws what the JobManager or the connection throws. */
    acknowledgeCheckpoint(task: TaskDeployment, ack: TaskCheckpointAck): Promise<void>;
    declineCheckpoint(task: TaskDeployment, checkpointId: number, error: ErrorInfo): void;
  };
}

/** One attempt's part of one checkpoint. */
interface Part {
  readonly files: CheckpointFiles;
  /** Its files are the JobManager's to remove. */
  isHandedOver: boolean;
  isGivenUp: boolean;
}

/** Checkpoints that are over, as far back as late slices of them may come. */
const CLOSED_MAX = 256;

/** Before the first announcement. */
const NONE = { completedId: 0, lastCompletedId: 0, lastAbortedId: 0, stop: null } as const;

/** What one attempt has told of its checkpoints. */
interface AttemptCheckpoints {
  readonly parts: Map<number, Part>;
  /** Acknowledged or given up: late slices are dropped. */
  readonly closedIds: Set<number>;
  /** Acknowledged and neither complete nor aborted yet: the files written for it. */
  readonly acknowledged: Map<number, readonly string[]>;
  /** Keyed state by checkpoint and operator, of checkpoints that later ones may build on. */
  readonly chains: Map<number, ReadonlyMap<OperatorId, readonly KeyedStateHandle[]>>;
  /** The last of `chains` that is complete. */
  completedId: number;
  /** As announced; see `ExecutionCheckpoints`. */
  lastCompletedId: number;
  lastAbortedId: number;
  stop: ExecutionCheckpoints['stop'];
}

type SlotMessage<K extends CheckpointMessage['kind']> = Extract<CheckpointMessage, { readonly kind: K }>;

/** See the file's head. */
export class TaskCheckpoints {
  private readonly options: TaskCheckpointsOptions;
  private readonly attempts = new Map<ExecutionAttemptId, AttemptCheckpoints>();

  constructor(options: TaskCheckpointsOptions) {
    this.options = options;
  }

  /** Asks a task for a checkpoint. */
  trigger(attemptId: ExecutionAttemptId, checkpointId: number, timestampMs: number, options: CheckpointOptions): void {
    if (options.stop !== 'no') this.attemptOf(attemptId).stop = { checkpointId, mode: options.stop, isCompleted: false };
    this.options.toSlot(attemptId, { kind: 'triggerCheckpoint', attemptId, checkpointId, timestampMs, options });
  }

  complete(attemptId: ExecutionAttemptId, checkpointId: number): void {
    const attempt = this.attemptOf(attemptId);
    attempt.lastCompletedId = Math.max(attempt.lastCompletedId, checkpointId);
    for (const id of attempt.acknowledged.keys()) if (id <= checkpointId) attempt.acknowledged.delete(id);
    if (attempt.stop?.checkpointId === checkpointId) attempt.stop = { ...attempt.stop, isCompleted: true };
    if (checkpointId > attempt.completedId && attempt.chains.has(checkpointId)) {
      // A part that is under way may build on the one that was complete before.
      for (const id of attempt.chains.keys()) if (id < attempt.completedId) attempt.chains.delete(id);
      attempt.completedId = checkpointId;
    }
    const task = this.options.deploymentOf(attemptId);
    if (task !== null) this.options.local.completed(task, checkpointId, namesIn(attempt.chains));
    this.options.toSlot(attemptId, { kind: 'checkpointComplete', attemptId, checkpointId });
  }

  /** The JobManager has given the checkpoint up, so what it was not told of is no loss to it. */
  abort(attemptId: ExecutionAttemptId, checkpointId: number): void {
    this.giveUp(attemptId, checkpointId, true);
    const attempt = this.attemptOf(attemptId);
    attempt.lastAbortedId = Math.max(attempt.lastAbortedId, checkpointId);
    attempt.acknowledged.delete(checkpointId);
    if (attempt.stop?.checkpointId === checkpointId) attempt.stop = null;
    attempt.chains.delete(checkpointId);
    const task = this.options.deploymentOf(attemptId);
    if (task !== null) this.options.local.aborted(task, checkpointId);
    this.options.toSlot(attemptId, { kind: 'checkpointAborted', attemptId, checkpointId });
  }

  /** The attempt is over; what it has not acknowledged will not be. */
  end(attemptId: ExecutionAttemptId): void {
    const attempt = this.attempts.get(attemptId);
    if (attempt === undefined) return;
    for (const checkpointId of attempt.parts.keys()) this.giveUp(attemptId, checkpointId, false);
    this.attempts.delete(attemptId);
  }

  /** For the report to the JobManager. Nothing is known of an attempt that is over. */
  report(attemptId: ExecutionAttemptId): ExecutionCheckpoints {
    const attempt = this.attempts.get(attemptId);
    if (attempt === undefined) return { inFlight: [], lastCompletedId: 0, lastAbortedId: 0, stop: null };
    const { parts, acknowledged, lastCompletedId, lastAbortedId, stop } = attempt;
    const ids = [...new Set([...parts.keys(), ...acknowledged.keys()])].sort((a, b) => a - b);
    const inFlight = ids.map((checkpointId) => ({ checkpointId, acknowledgedFiles: acknowledged.get(checkpointId) ?? null }));
    return { inFlight, lastCompletedId, lastAbortedId, stop };
  }

  onMessage(attemptId: ExecutionAttemptId, message: CheckpointMessage): void {
    const task = this.options.deploymentOf(attemptId);
    if (task === null) return;
    switch (message.kind) {
      case 'checkpointBytes':
        return this.write(task, message);
      case 'checkpointAck':
        return void this.acknowledge(task, message);
      case 'checkpointDecline':
        return this.decline(task, message.checkpointId, message.error);
    }
  }

  private write(task: TaskDeployment, { checkpointId, options, file, shared, bytes }: SlotMessage<'checkpointBytes'>): void {
    const { attemptId } = task;
    const part = this.partOf(task, checkpointId, options);
    const sizeBytes = bytes.length;
    const taken = (): void => this.options.toSlot(attemptId, { kind: 'checkpointBytesTaken', attemptId, sizeBytes });
    if (part === null) return taken();
    part.files.write(file, bytes, shared).then(taken, (thrown: unknown) => {
      taken();
      this.fail(task, part, checkpointId, thrown);
    });
  }

  private async acknowledge(task: TaskDeployment, message: SlotMessage<'checkpointAck'>): Promise<void> {
    const { checkpointId, options, figures } = message;
    const startedMs = this.options.ports.clock.monotonicMs();
    const part = this.partOf(task, checkpointId, options);
    if (part === null) return;
    try {
      const handles = await part.files.finish();
      if (part.isGivenUp) return;
      const operators = this.operatorStates(task, message, handles);
      const asyncMs = figures.asyncMs + this.options.ports.clock.monotonicMs() - startedMs;
      this.noteAcknowledged(task.attemptId, checkpointId, handles);
      const metrics = { ...figures, asyncMs, ...sizesOf(operators, handles) };
      await this.tell(task, part, { checkpointId, operators, metrics });
      const attempt = this.attempts.get(task.attemptId);
      if (attempt !== undefined) close(attempt, checkpointId);
      this.options.toSlot(task.attemptId, { kind: 'checkpointAcknowledged', attemptId: task.attemptId, checkpointId });
    } catch (thrown) {
      this.fail(task, part, checkpointId, thrown);
    }
  }

  /** Before it is told: it may have arrived, whatever we hear. */
  private noteAcknowledged(attemptId: ExecutionAttemptId, checkpointId: number, handles: ReadonlyMap<number, StateHandle>): void {
    const { acknowledged } = this.attemptOf(attemptId);
    acknowledged.set(checkpointId, [...handles.values()].flatMap((handle) => handle.kind === 'file' ? [handle.path] : []));
    for (const id of acknowledged.keys()) if (acknowledged.size > CLOSED_MAX) acknowledged.delete(id);
  }

  /** Repeats the acknowledgement while the JobManager is out of touch. */
  private async tell(task: TaskDeployment, part: Part, ack: TaskCheckpointAck): Promise<void> {
    part.isHandedOver = true; // It may have arrived, whatever we hear.
    for (let attempt = 1; !part.isGivenUp; attempt++) {
      try {
        await this.options.toJobManager.acknowledgeCheckpoint(task, ack);
        return;
      } catch (thrown) {
        const isLost = thrown instanceof ClusterError && thrown.retriable && attempt < ACKNOWLEDGE_ATTEMPTS_MAX;
        if (!isLost) {
          part.isHandedOver = false;
          throw thrown;
        }
        await delay(this.options.ports.clock, ACKNOWLEDGE_INTERVAL_MS);
      }
    }
  }

  /** What the slot does not know yet. */
  private fail(task: TaskDeployment, part: Part, checkpointId: number, thrown: unknown): void {
    if (part.isGivenUp) return;
    this.options.toSlot(task.attemptId, { kind: 'checkpointAborted', attemptId: task.attemptId, checkpointId });
    this.decline(task, checkpointId, errorInfo(thrown, 'STORAGE_FAILED'));
  }

  private decline(task: TaskDeployment, checkpointId: number, error: ErrorInfo): void {
    this.giveUp(task.attemptId, checkpointId, false);
    this.options.log.info(`Decline checkpoint ${checkpointId} of task ${task.attemptId}: ${error.message}`);
    this.options.toJobManager.declineCheckpoint(task, checkpointId, error);
  }

  /** Handles by operator; a part that builds on an earlier one comes after what that one is made of. */
  private operatorStates(
    task: TaskDeployment,
    { checkpointId, operators, options, inFlight }: SlotMessage<'checkpointAck'>,
    handles: ReadonlyMap<number, StateHandle>,
  ): readonly OperatorSubtaskState[] {
    const attempt = this.attemptOf(task.attemptId);
    const handle = (file: number): StateHandle => present(handles.get(file), 'an acknowledged file was written');
    const states = operators.map((state): OperatorSubtaskState => ({
      operatorId: state.operatorId,
      subtaskIndex: task.subtaskIndex,
      keyed: state.keyed === null ? [] : this.chainOf(attempt, state.operatorId, state.keyed, handle(state.keyed.file)),
      operator: state.operatorFile === null ? null : handle(state.operatorFile),
      ...(inFlight === null || inFlight.channels.length === 0 || inFlight.operatorId !== state.operatorId
        ? {} : { inFlight: { channels: inFlight.channels, data: handle(inFlight.file) } }),
    }));
    if (options.incremental) attempt.chains.set(checkpointId, new Map(states.map(({ operatorId, keyed }) => [operatorId, keyed])));
    return states.filter((state) => !isStateless(state));
  }

  private chainOf(
    attempt: AttemptCheckpoints, operatorId: OperatorId, keyed: NonNullable<SlotOperatorState['keyed']>, data: StateHandle,
  ): readonly KeyedStateHandle[] {
    const { firstKeyGroup, lastKeyGroup, meta, baseId } = keyed;
    const own = { firstKeyGroup, lastKeyGroup, meta, data };
    if (baseId === null) return [own];
    return [...present(attempt.chains.get(baseId)?.get(operatorId), 'what a part builds on is remembered'), own];
  }

  /** Null when it is over. */
  private partOf(task: TaskDeployment, checkpointId: number, options: CheckpointOptions): Part | null {
    const { attemptId } = task;
    const attempt = this.attemptOf(attemptId);
    const { parts, closedIds } = attempt;
    const known = parts.get(checkpointId);
    if (known !== undefined || closedIds.has(checkpointId)) return known ?? null;
    // A savepoint is its owner's, and may be moved: nothing is restored from a copy of it.
    const copyOf = (name: string): LocalCopy | null => {
      return options.kind === 'savepoint' ? null : this.options.local.begin(task, checkpointId, name);
    };
    const files = new CheckpointFiles({ files: this.options.files, options, prefix: `${attemptId}-${checkpointId}`, copyOf });
    const part = { files, isHandedOver: false, isGivenUp: false };
    parts.set(checkpointId, part);
    if (options.stop !== 'no') attempt.stop = { checkpointId, mode: options.stop, isCompleted: false };
    return part;
  }

  private attemptOf(attemptId: ExecutionAttemptId): AttemptCheckpoints {
    const known = this.attempts.get(attemptId);
    if (known !== undefined) return known;
    const attempt: AttemptCheckpoints = { parts: new Map(), closedIds: new Set(), chains: new Map(), acknowledged: new Map(), ...NONE };
    this.attempts.set(attemptId, attempt);
    return attempt;
  }

  /** `isKnown`: the JobManager knows that it is given up, and will not take files over that it was told of. */
  private giveUp(attemptId: ExecutionAttemptId, checkpointId: number, isKnown: boolean): void {
    const attempt = this.attempts.get(attemptId);
    if (attempt === undefined) return;
    const part = attempt.parts.get(checkpointId);
    close(attempt, checkpointId);
    if (attempt.stop?.checkpointId === checkpointId) attempt.stop = null;
    if (part === undefined) return;
    part.isGivenUp = true;
    if (part.isHandedOver && !isKnown) return;
    attempt.acknowledged.delete(checkpointId);
    part.files.discard().catch((thrown: unknown) => {
      this.options.log.warn(`Files of checkpoint ${checkpointId} of task ${attemptId} could not be removed.`, thrown);
    });
  }
}

/** Names of the files that checkpoints consist of. */
function namesIn(chains: AttemptCheckpoints['chains']): ReadonlySet<string> {
  const handles = [...chains.values()].flatMap((operators) => [...operators.values()].flat().map(({ data }) => data));
  return new Set(handles.flatMap((handle) => handle.kind === 'file' ? [baseName(handle.path)] : []));
}

function close({ parts, closedIds }: AttemptCheckpoints, checkpointId: number): void {
  parts.delete(checkpointId);
  closedIds.add(checkpointId);
  for (const id of closedIds) if (closedIds.size > CLOSED_MAX) closedIds.delete(id);
}

/** What the checkpoint weighs: all that a restore reads, and what was written for it. */
function sizesOf(
  operators: readonly OperatorSubtaskState[], written: ReadonlyMap<number, StateHandle>,
): { readonly stateSizeBytes: number; readonly checkpointedSizeBytes: number } {
  const all = operators.flatMap(({ keyed, operator, inFlight }) => {
    return [...keyed.map(({ data }) => data), ...(operator === null ? [] : [operator]), ...(inFlight === undefined ? [] : [inFlight.data])];
  });
  const sum = (handles: Iterable<StateHandle>): number => Array.from(handles, sizeOf).reduce((total, size) => total + size, 0);
  return { stateSizeBytes: sum(all), checkpointedSizeBytes: sum(written.values()) };
}

function sizeOf(handle: StateHandle): number {
  return handle.kind === 'file' ? handle.sizeBytes : Buffer.byteLength(handle.base64, 'base64');
}
