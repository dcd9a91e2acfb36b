/**
 * The shell around the checkpoint coordinator's core: timers, directories, snapshots of operator coordinators, triggers and
 * notices to TaskManagers, metadata files, retention, and the log that operators read.
 *
 * Order of a completion, which recovery relies on: all acknowledgements, state files are there, `_metadata` written and
 * read back, kept as the newest, older ones deleted, and only then are tasks told.
 */
import { BoundedQueue } from '../base/bounded-queue.ts';
import { assert, present, unreachable } from '../base/assert.ts';
import type { Logger, LoggerSource } from '../base/log.ts';
import type { Ports, Timer } from '../base/ports.ts';
import { checkpointDirectory, checkpointLayout, type CheckpointLayout } from '../checkpoint/checkpoint-layout.ts';
import type { CheckpointStorage } from '../checkpoint/checkpoint-storage.ts';
import type { JobGraph } from '../graph/job-graph.ts';
import type { CheckpointOptions, TaskCheckpointAck, TaskRestore } from '../protocol/checkpoint.ts';
import { ClusterError, errorFromInfo, errorInfo, type ErrorInfo } from '../protocol/errors.ts';
import type { ExecutionAttemptId, Generation, OperatorId, ResourceId } from '../protocol/ids.ts';
import type { JsonValue } from '../protocol/json.ts';
import { isGloballyTerminal, type JobStatus } from '../protocol/states.ts';
import type { TaskManagerSession } from '../slots/task-manager-session.ts';
import {
  CheckpointCoordinatorCore,
  type CheckpointEffect,
  type CheckpointEvent,
  type CheckpointRequest,
  type PendingCheckpoint,
} from './checkpoint-coordinator.core.ts';
import { checkpointPlanOf } from './checkpoint-plan.core.ts';
import { CheckpointRecovery, locationOf, NOT_ADDRESSABLE } from './checkpoint-recovery.ts';
import { checkpointResultOf, sizesOf } from './checkpoint-result.core.ts';
import { isRetained, type CheckpointSettings } from './checkpoint-settings.ts';
import { CheckpointTracker, type CheckpointStatistics } from './checkpoint-statistics.ts';
import { CompletedCheckpointsCore, type CompletedCheckpoint } from './completed-checkpoints.core.ts';
import type { CoordinatorHolder, CoordinatorSnapshots } from './coordinator-holder.ts';
import { spellLocation, type Execution } from './execution-graph.core.ts';
import { checkInFlight, inFlightOf } from './in-flight-assignment.core.ts';
import { restoreOf } from './state-assignment.core.ts';

export interface CheckpointCoordinatorOptions {
  /** Its newest revision at any time. */
  readonly jobGraph: JobGraph;
  readonly ports: Ports;
  readonly loggers: LoggerSource;
  readonly settings: CheckpointSettings;
  readonly storage: CheckpointStorage;
  /** Current attempts of all subtasks. */
  readonly executions: () => readonly Execution[];
  readonly coordinators: CoordinatorHolder;
  /** Calls a TaskManager; what goes wrong is told to `onFault`. */
  readonly call: (resourceId: ResourceId, act: (session: TaskManagerSession) => Promise<void>, onFault?: (thrown: unknown) => void) => void;
  readonly failJob: (error: ErrorInfo) => void;
}

/** What somebody who asked for a checkpoint gets. */
export interface RequestedCheckpoint {
  readonly checkpointId: number;
  /** `<checkpoint-not-externally-addressable>` when it lives in memory. */
  readonly location: string;
}

const QUEUE_CAPACITY = 262_144;
const NO_SNAPSHOTS: CoordinatorSnapshots = new Map();

/** What the shell knows of a checkpoint in progress. */
interface Active {
  readonly startedMs: number;
  expiry: Timer | null;
  directory: string | null;
  coordinators: CoordinatorSnapshots;
  finalizingSinceMs: number;
}

interface Waiting {
  readonly resolve: (checkpoint: RequestedCheckpoint) => void;
  readonly reject: (error: Error) => void;
}

export class CheckpointCoordinator {
  private readonly options: CheckpointCoordinatorOptions;
  private readonly core: CheckpointCoordinatorCore;
  private readonly completed: CompletedCheckpointsCore;
  private readonly recovery: CheckpointRecovery;
  private readonly tracker: CheckpointTracker;
  private readonly layout: CheckpointLayout | null;
  private readonly queue = new BoundedQueue<CheckpointEvent>(QUEUE_CAPACITY);
  private readonly active = new Map<number, Active>();
  private readonly requests = new Map<string, Waiting>();
  private readonly log: Logger;
  private readonly failureLog: Logger;
  private requestCount = 0;
  private isStepping = false;
  private isClosed = false;
  private period: Timer | null = null;
  private directoriesMade: Promise<void> | null = null;
  private storing: Promise<void> = Promise.resolve();
  /** What new attempts begin from. */
  private restored: CompletedCheckpoint | null = null;

  constructor(options: CheckpointCoordinatorOptions) {
    const { jobGraph, settings, storage, loggers } = options;
    this.options = options;
    this.log = loggers.logger('org.apache.flink.runtime.checkpoint.CheckpointCoordinator');
    this.failureLog = loggers.logger('org.apache.flink.runtime.checkpoint.CheckpointFailureManager');
    this.layout = settings.directory === null ? null : checkpointLayout(settings.directory, jobGraph.jobId, settings.subDirectory);
    this.completed = new CompletedCheckpointsCore(settings.retainedMax);
    this.tracker = new CheckpointTracker(settings.historyMax);
    this.recovery = new CheckpointRecovery({ jobGraph, settings, storage, completed: this.completed, log: this.log });
    this.core = new CheckpointCoordinatorCore(
      settings.cadence, (atEnd) => checkpointPlanOf(options.jobGraph, options.executions(), settings.afterTasksFinish, atEnd),
    );
  }

  /** Reads what the job is to start from. Throws CHECKPOINT_NOT_FOUND, CHECKPOINT_CORRUPT, STATE_INCOMPATIBLE. */
  async recover(): Promise<void> {
    const checkpoint = await this.recovery.initial();
    if (checkpoint) this.take(checkpoint, checkpoint.isOwned);
  }

  /**
   * Decides what attempts that come next begin from. `isSuspicious`: something said that the newest checkpoint is damaged,
   * so that each of its bytes is read. Throws when there is none left to go on from, and STATE_INCOMPATIBLE for in-flight records
   * that have no place in `jobGraph`, which the attempts are of.
   */
  async restore(isSuspicious: boolean, jobGraph: JobGraph): Promise<void> {
    await this.storing;
    const latest = await this.recovery.latest(isSuspicious);
    const { stoppedId } = this.core;
    if (stoppedId !== null && latest?.metadata.checkpointId !== stoppedId) throw unreadableStop(stoppedId);
    if (latest) checkInFlight(jobGraph, latest.metadata);
    if (latest) this.take(latest, latest.isOwned);
    else this.log.info('No checkpoint found during restore.');
  }

  /** The savepoint that stops the job is complete: from then on the job goes on from nothing else. */
  get isStopped(): boolean {
    return this.core.stoppedId !== null;
  }

  /** Throws unless attempts of `jobGraph` could begin from the newest checkpoint: CHECKPOINT_NOT_FOUND, STATE_INCOMPATIBLE. */
  checkRestart(jobGraph: JobGraph): void {
    const { latest } = this.completed;
    if (latest === null) throw new ClusterError('CHECKPOINT_NOT_FOUND', 'it has no checkpoint to go on from. Take one.');
    checkInFlight(jobGraph, latest.metadata);
  }

  /** What the next attempt of a subtask begins from; null: nothing. */
  restoreOf({ vertex, subtaskIndex }: Execution): TaskRestore | null {
    if (!this.restored) return null;
    const { metadata } = this.restored;
    const inFlight = inFlightOf(this.options.jobGraph, vertex, subtaskIndex, metadata);
    return { ...restoreOf(vertex, subtaskIndex, metadata), ...(inFlight.length === 0 ? {} : { inFlight }) };
  }

  /** What operator coordinators begin from. */
  get coordinatorSnapshots(): CoordinatorSnapshots {
    if (!this.restored) return NO_SNAPSHOTS;
    const states = this.restored.metadata.operators.filter(({ coordinator }) => coordinator !== null);
    return new Map<OperatorId, JsonValue>(states.map(({ operatorId, coordinator }) => [operatorId, coordinator]));
  }

  /** For REST. */
  statistics(): CheckpointStatistics {
    return this.tracker.statistics();
  }

  jobStatusChanged(status: JobStatus): void {
    if (isGloballyTerminal(status)) this.end(status as 'FINISHED' | 'CANCELED' | 'FAILED');
    else this.post({ kind: status === 'RUNNING' ? 'resumed' : 'suspended' });
  }

  taskFinished(attemptId: ExecutionAttemptId): void {
    this.post({ kind: 'taskFinished', attemptId });
  }

  endOfData(attemptId: ExecutionAttemptId): void {
    this.post({ kind: 'endOfData', attemptId });
  }

  acknowledged(attemptId: ExecutionAttemptId, ack: TaskCheckpointAck): void {
    this.post({ kind: 'acknowledged', attemptId, ack });
  }

  declined(attemptId: ExecutionAttemptId, checkpointId: number, error: ErrorInfo): void {
    if (this.active.has(checkpointId)) {
      const { jobId } = this.options.jobGraph;
      this.log.info(`Decline checkpoint ${checkpointId} by task ${attemptId} of job ${jobId} at ${this.placeOf(attemptId)}.`);
    }
    this.post({ kind: 'declined', attemptId, checkpointId, error });
  }

  /** Resolves once it is complete. Throws CHECKPOINT_FAILED, BAD_REQUEST. */
  async request(request: Omit<CheckpointRequest, 'requestId'>): Promise<RequestedCheckpoint> {
    const targetDirectory = request.targetDirectory ?? this.options.settings.savepointDirectory;
    if (request.kind === 'savepoint' && targetDirectory === null) {
      throw new ClusterError(
        'BAD_REQUEST', 'No savepoint directory configured. You can either specify a directory while cancelling via -s :targetDirectory ' +
          "or configure a cluster-wide default via key 'execution.checkpointing.savepoint-dir'.",
      );
    }
    const requestId = String(++this.requestCount);
    return new Promise((resolve, reject) => {
      this.requests.set(requestId, { resolve, reject });
      this.post({ kind: 'requested', request: { ...request, requestId, targetDirectory } });
    });
  }

  /** Lets go of everything at this process. Files stay: another leader may go on with them. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.period?.cancel();
    for (const { expiry } of this.active.values()) expiry?.cancel();
    for (const { reject } of this.requests.values()) reject(new ClusterError('NO_LEADER', 'the JobMaster is stopping'));
    this.requests.clear();
  }

  private take(checkpoint: CompletedCheckpoint, owned: boolean): void {
    const { jobId } = this.options.jobGraph;
    const { kind, checkpointId, timestampMs } = checkpoint.metadata;
    const name = kind === 'savepoint' ? `Savepoint ${checkpointId} @ 0` : `Checkpoint ${checkpointId} @ ${timestampMs}`;
    this.log.info(`Restoring job ${jobId} from ${name} for ${jobId} located at ${locationOf(checkpoint)}.`);
    this.restored = checkpoint;
    const restoredMs = this.options.ports.clock.nowMs();
    this.tracker.restored({ checkpointId, restoredMs, isSavepoint: kind === 'savepoint', location: locationOf(checkpoint) });
    this.post({ kind: 'restored', checkpointId, owned });
  }

  /** Handles an event, and those that its effects bring about, one after the other. */
  private post(event: CheckpointEvent): void {
    if (this.isClosed) return;
    assert(this.queue.offer(event), 'the events of checkpoints are bounded by the tasks');
    if (this.isStepping) return;
    this.isStepping = true;
    const { clock } = this.options.ports;
    for (let next = this.queue.take(); next; next = this.queue.take()) {
      const effects = this.core.step(next, { nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() });
      for (const effect of effects) this.perform(effect);
    }
    this.isStepping = false;
  }

  private perform(effect: CheckpointEffect): void {
    const { jobId } = this.options.jobGraph;
    switch (effect.kind) {
      case 'startPeriod':
        this.period?.cancel();
        this.period = this.options.ports.clock.after(effect.delayMs, () => this.post({ kind: 'due', round: effect.round }));
        return;
      case 'prepare':
        return this.begin(effect.pending, effect.timeoutMs);
      case 'trigger':
        return this.trigger(effect.pending);
      case 'taken':
        return this.tracker.acknowledged(effect.pending, effect.attemptId, effect.ack, this.options.ports.clock.nowMs());
      case 'store':
        return this.store(effect.pending);
      case 'completed':
        return this.complete(effect.pending);
      case 'aborted':
        return this.aborted(effect);
      case 'late': {
        const { attemptId, ack } = effect;
        const from = `from task ${attemptId} of job ${jobId} at ${this.placeOf(attemptId)}`;
        this.log.warn(`Received late message for now expired checkpoint attempt ${ack.checkpointId} ${from}.`);
        return this.discard(this.completed.abandon([ack.operators]));
      }
      case 'notStarted':
        return this.failureLog.info(`Failed to trigger checkpoint for job ${jobId} since ${effect.reason}.`);
      case 'requestFailed':
        return this.answer(effect.requestId)?.reject(errorFromInfo(effect.error));
      case 'failJob':
        return this.options.failJob(effect.error);
      default:
        return unreachable(effect, 'checkpoint effect');
    }
  }

  private begin(pending: PendingCheckpoint, timeoutMs: number): void {
    const { jobGraph: { jobId }, ports: { clock } } = this.options;
    const { checkpointId, timestampMs } = pending;
    this.log.info(`Triggering checkpoint ${checkpointId} (type=${spellType(pending)}) @ ${timestampMs} for job ${jobId}.`);
    const expiry = clock.after(timeoutMs, () => {
      this.log.info(`Checkpoint ${checkpointId} of job ${jobId} expired before completing.`);
      this.post({ kind: 'expired', checkpointId });
    });
    const active: Active = { startedMs: clock.monotonicMs(), expiry, directory: null, coordinators: NO_SNAPSHOTS, finalizingSinceMs: 0 };
    this.active.set(checkpointId, active);
    this.completed.begun(checkpointId);
    this.tracker.begun(pending);
    void this.prepare(pending, active).then(
      () => this.post({ kind: 'prepared', checkpointId }),
      (thrown: unknown) => this.post({ kind: 'prepareFailed', checkpointId, error: errorInfo(thrown, 'STORAGE_FAILED') }),
    ).then(() => {
      const isAborted = this.active.get(checkpointId) !== active;
      if (isAborted && active.directory !== null) this.discard([active.directory]);
    });
  }

  private async prepare(pending: PendingCheckpoint, active: Active): Promise<void> {
    active.directory = await this.makeDirectory(pending);
    if (this.active.has(pending.checkpointId)) active.coordinators = await this.options.coordinators.snapshot(pending.checkpointId);
  }

  private async makeDirectory({ checkpointId, kind, request }: PendingCheckpoint): Promise<string | null> {
    const { storage, jobGraph } = this.options;
    if (kind === 'savepoint') {
      return storage.makeSavepointDirectory(present(request?.targetDirectory, 'a savepoint is requested with its target'), jobGraph.jobId);
    }
    if (!this.layout) return null;
    await this.sharedDirectories(this.layout);
    const directory = checkpointDirectory(this.layout, checkpointId);
    await storage.makeDirectory(directory);
    return directory;
  }

  /** Made once, with the first checkpoint. */
  private sharedDirectories(layout: CheckpointLayout): Promise<void> {
    this.directoriesMade ??= this.options.storage.makeDirectories(layout).catch((thrown: unknown) => {
      this.directoriesMade = null;
      throw thrown;
    });
    return this.directoriesMade;
  }

  private trigger(pending: PendingCheckpoint): void {
    const { jobGraph: { jobId }, call, coordinators } = this.options;
    const { checkpointId, timestampMs, plan } = pending;
    const checkpoint = { checkpointId, timestampMs, options: this.optionsOf(pending) };
    for (const { attemptId, generation, location } of plan.toTrigger) {
      const fault = (thrown: unknown): void => this.declined(attemptId, checkpointId, errorInfo(thrown, 'TASK_MANAGER_LOST'));
      const { resourceId } = present(location, 'a running task has a place');
      call(resourceId, (session) => session.triggerCheckpoint({ jobId, generation, attemptId }, checkpoint), fault);
    }
    coordinators.release(checkpointId); // Behind the triggers, on the same connections.
  }

  private optionsOf(pending: PendingCheckpoint): CheckpointOptions {
    const { alignment, incremental, inlineSizeBytesMax, unaligned, alignedTimeoutMs } = this.options.settings;
    const isSavepoint = pending.kind === 'savepoint';
    const mayOvertake = unaligned && !isSavepoint; // A savepoint is for other programs and parallelisms: always aligned.
    return {
      kind: pending.kind,
      alignment,
      unaligned: mayOvertake && alignedTimeoutMs === 0,
      alignedTimeoutMs: mayOvertake && alignedTimeoutMs > 0 ? alignedTimeoutMs : null,
      incremental: incremental && pending.incremental,
      stop: pending.stop,
      format: pending.request?.format ?? null,
      directory: this.activeOf(pending).directory,
      sharedDirectory: isSavepoint ? null : (this.layout?.shared ?? null),
      inlineSizeBytesMax,
    };
  }

  private store(pending: PendingCheckpoint): void {
    const { checkpointId } = pending;
    const active = this.activeOf(pending);
    active.finalizingSinceMs = this.options.ports.clock.monotonicMs();
    this.storing = this.write(pending, active).then(
      () => this.post({ kind: 'stored', checkpointId }),
      (thrown: unknown) => this.post({ kind: 'storeFailed', checkpointId, error: errorInfo(thrown, 'STORAGE_FAILED') }),
    );
  }

  private async write(pending: PendingCheckpoint, { coordinators, directory }: Active): Promise<void> {
    const { jobGraph, storage } = this.options;
    const metadata = checkpointResultOf(jobGraph, pending, coordinators);
    await storage.verify(metadata, false);
    if (directory !== null) await storage.write(directory, metadata);
  }

  private complete(pending: PendingCheckpoint): void {
    const { jobGraph: { jobId }, jobGraph, ports: { clock } } = this.options;
    const { checkpointId, kind, stop, request } = pending;
    const { directory, coordinators, startedMs, finalizingSinceMs } = this.finish(checkpointId);
    const metadata = checkpointResultOf(jobGraph, pending, coordinators);
    const nowMs = clock.monotonicMs();
    const [durationMs, finalizationMs] = [Math.round(nowMs - startedMs), Math.round(nowMs - finalizingSinceMs)];
    const times = `checkpointDuration=${durationMs} ms, finalizationTime=${finalizationMs} ms`;
    this.log.info(`Completed checkpoint ${checkpointId} for job ${jobId} (${sizesOf(pending).checkpointedSizeBytes} bytes, ${times}).`);
    const isRecoveryPoint = kind === 'checkpoint' || stop !== 'no';
    if (isRecoveryPoint) {
      this.discard(this.completed.add({ metadata, directory, isOwned: kind === 'checkpoint' }));
      this.notify((session, generation) => session.notifyCheckpointComplete(jobId, generation, checkpointId));
    } else this.discard(this.completed.ended(checkpointId));
    const location = directory ?? NOT_ADDRESSABLE;
    this.tracker.ended(pending, { location }, clock.nowMs());
    if (request) this.answer(request.requestId)?.resolve({ checkpointId, location });
  }

  private aborted({ pending, reason, error, failuresInRow }: Extract<CheckpointEffect, { kind: 'aborted' }>): void {
    const { jobGraph: { jobId }, coordinators } = this.options;
    const { checkpointId, acks } = pending;
    const { directory } = this.finish(checkpointId);
    this.tracker.ended(pending, { error }, this.options.ports.clock.nowMs());
    if (reason !== 'shutdown' && reason !== 'subsumed') {
      const count = failuresInRow === null ? '' : ` (${failuresInRow} consecutive failed attempts so far)`;
      this.failureLog.warn(`Failed to trigger or complete checkpoint ${checkpointId} for job ${jobId}.${count}`, errorFromInfo(error));
    }
    coordinators.release(checkpointId);
    const written = this.completed.abandon([...acks.values()].map(({ operators }) => operators));
    this.discard([...this.completed.ended(checkpointId), ...written, ...(directory === null ? [] : [directory])]);
    const ids = { checkpointId, latestCompletedId: this.core.latestCompletedId };
    this.notify((session, generation) => session.notifyCheckpointAborted(jobId, generation, ids));
  }

  /** Tells every TaskManager that runs tasks of the job. A notice that is lost is made up for by the next. */
  private notify(tell: (session: TaskManagerSession, generation: Generation) => Promise<void>): void {
    const generations = new Map<ResourceId, Generation>();
    for (const { state, location, generation } of this.options.executions()) {
      if (!location || !['INITIALIZING', 'RUNNING', 'FINISHED'].includes(state)) continue;
      generations.set(location.resourceId, Math.max(generation, generations.get(location.resourceId) ?? 0) as Generation);
    }
    for (const [resourceId, generation] of generations) this.options.call(resourceId, (session) => tell(session, generation));
  }

  private end(status: 'FINISHED' | 'CANCELED' | 'FAILED'): void {
    this.post({ kind: 'closed' });
    this.period?.cancel();
    const isKept = isRetained(this.options.settings.retention, status);
    // A checkpoint that is being stored is decided first: it counts among those that are kept or go.
    void this.storing.then(() => {
      const files = this.completed.close(isKept);
      const isEmpty = this.layout?.isOwnRoot === true && !isKept && this.directoriesMade !== null;
      this.discard(isEmpty && this.layout ? [...files, this.layout.root] : files);
    });
  }

  private discard(paths: readonly string[]): void {
    if (paths.length === 0) return;
    void this.options.storage.delete(paths).then((failed) => {
      for (const what of failed) this.log.warn(`A file that no checkpoint refers to could not be deleted: ${what}`);
    });
  }

  private finish(checkpointId: number): Active {
    const active = present(this.active.get(checkpointId), 'a checkpoint is active until it ends');
    active.expiry?.cancel();
    this.active.delete(checkpointId);
    return active;
  }

  private activeOf({ checkpointId }: PendingCheckpoint): Active {
    return present(this.active.get(checkpointId), 'a checkpoint is active until it ends');
  }

  private answer(requestId: string): Waiting | undefined {
    const waiting = this.requests.get(requestId);
    this.requests.delete(requestId);
    return waiting;
  }

  private placeOf(attemptId: ExecutionAttemptId): string {
    const location = this.options.executions().find((execution) => execution.attemptId === attemptId)?.location;
    return location ? spellLocation(location) : '(unassigned)';
  }
}

function unreadableStop(checkpointId: number): ClusterError {
  const message =
    `savepoint ${checkpointId}, which stops the job, cannot be read any more (the log names what is damaged). The job cannot finish from ` +
    'an earlier checkpoint: records after it would be lost';
  return new ClusterError('CHECKPOINT_CORRUPT', message);
}

const SAVEPOINT_TYPES = {
  no: "name='Savepoint', postCheckpointAction=NONE",
  suspend: "name='Suspend Savepoint', postCheckpointAction=SUSPEND",
  drain: "name='Terminate Savepoint', postCheckpointAction=TERMINATE",
} as const;

/** Flink's names of what is being taken. */
function spellType({ kind, stop, request }: PendingCheckpoint): string {
  if (kind === 'checkpoint') return "CheckpointType{name='Checkpoint', sharingFilesStrategy=FORWARD_BACKWARD}";
  return `SavepointType{${SAVEPOINT_TYPES[stop]}, formatType=${request?.format ?? 'CANONICAL'}}`;
}
