/**
 * Checkpoint coordinator: when a checkpoint starts, who must answer, and how it ends. A pure state machine;
 * checkpoint-coordinator.ts performs the effects.
 *
 *     due / requested ─► preparing ─► collecting ─► acknowledged ─► storing ─► completed
 *                            │            │              │             │
 *                            └────────────┴─ aborted ◄───┴─────────────┘ (only if it cannot be stored)
 *
 * Preparing makes the directories and takes the snapshots of operator coordinators; one checkpoint at a time, since
 * messages to readers are held back from the snapshot until the triggers are out. Storing writes the metadata; once begun
 * it is not aborted from here, so whoever restores waits until it is decided.
 *
 * Invariants (test/jobmaster/checkpoint-coordinator.test.ts): ids rise and are never used twice; every checkpoint that was
 * prepared ends once, completed or aborted; completed checkpoints rise; every request is answered once; nothing starts
 * while the job is suspended; an acknowledgement counts once; one that comes too late is discarded.
 *
 * Source: Flink `CheckpointCoordinator`, `CheckpointRequestDecider`, `CheckpointFailureManager`, FLIP-147, FLIP-203.
 */
import { present } from '../base/assert.ts';
import type { CheckpointKind, SavepointFormat, TaskCheckpointAck } from '../protocol/checkpoint.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import type { ExecutionAttemptId } from '../protocol/ids.ts';
import { ABORT_REASONS, type AbortReason, checkpointFault, REQUESTS_MAX } from './checkpoint-failures.core.ts';
import type { CheckpointPlan } from './checkpoint-plan.core.ts';

/** When checkpoints start and what they may cost. */
export interface CheckpointCadence {
  /** Null: only on request. */
  readonly intervalMs: number | null;
  readonly timeoutMs: number;
  readonly minPauseMs: number;
  readonly concurrentMax: number;
  readonly tolerableFailures: number;
}

/** A savepoint or a checkpoint that somebody asked for. */
export interface CheckpointRequest {
  /** Answered by `completed` or `requestFailed`, once. */
  readonly requestId: string;
  readonly kind: CheckpointKind;
  /** Terminal savepoints only. */
  readonly stop: 'no' | 'suspend' | 'drain';
  /** A checkpoint against nothing that came before. */
  readonly full: boolean;
  /** Of savepoints. */
  readonly targetDirectory: string | null;
  /** Of savepoints; null: not one. */
  readonly format: SavepointFormat | null;
}

/** Both clocks: one to show, one to measure. */
export interface Instant {
  readonly nowMs: number;
  readonly monotonicMs: number;
}

/** A checkpoint that has begun. */
export interface PendingCheckpoint {
  readonly checkpointId: number;
  readonly timestampMs: number;
  readonly request: CheckpointRequest | null;
  readonly kind: CheckpointKind;
  readonly stop: CheckpointRequest['stop'];
  /** It may build on files of the last completed checkpoint, and later ones on its own. */
  readonly incremental: boolean;
  readonly plan: CheckpointPlan;
  /** By attempt. */
  readonly acks: ReadonlyMap<ExecutionAttemptId, TaskCheckpointAck>;
}

export type CheckpointEvent =
  /** All of the job is up, or coming up. */
  | { readonly kind: 'resumed' }
  | { readonly kind: 'suspended' }
  /** The job is over. */
  | { readonly kind: 'closed' }
  /** State was restored: ids go on after it. `owned`: later checkpoints may refer to its files. */
  | { readonly kind: 'restored'; readonly checkpointId: number; readonly owned: boolean }
  | { readonly kind: 'due'; readonly round: number }
  | { readonly kind: 'requested'; readonly request: CheckpointRequest }
  | { readonly kind: 'prepared'; readonly checkpointId: number }
  | { readonly kind: 'prepareFailed'; readonly checkpointId: number; readonly error: ErrorInfo }
  | { readonly kind: 'acknowledged'; readonly attemptId: ExecutionAttemptId; readonly ack: TaskCheckpointAck }
  | { readonly kind: 'declined'; readonly attemptId: ExecutionAttemptId; readonly checkpointId: number; readonly error: ErrorInfo }
  | { readonly kind: 'expired'; readonly checkpointId: number }
  | { readonly kind: 'stored'; readonly checkpointId: number }
  | { readonly kind: 'storeFailed'; readonly checkpointId: number; readonly error: ErrorInfo }
  | { readonly kind: 'endOfData'; readonly attemptId: ExecutionAttemptId }
  | { readonly kind: 'taskFinished'; readonly attemptId: ExecutionAttemptId };

export type CheckpointEffect =
  /** Answered by `due` with the round. */
  | { readonly kind: 'startPeriod'; readonly round: number; readonly delayMs: number }
  /** Answered by `prepared` or `prepareFailed`; `expired` after `timeoutMs`. */
  | { readonly kind: 'prepare'; readonly pending: PendingCheckpoint; readonly timeoutMs: number }
  /** Send the triggers, then let messages to readers pass again. */
  | { readonly kind: 'trigger'; readonly pending: PendingCheckpoint }
  | { readonly kind: 'taken'; readonly pending: PendingCheckpoint; readonly attemptId: ExecutionAttemptId; readonly ack: TaskCheckpointAck }
  /** Answered by `stored` or `storeFailed`. */
  | { readonly kind: 'store'; readonly pending: PendingCheckpoint }
  | { readonly kind: 'completed'; readonly pending: PendingCheckpoint }
  | {
    readonly kind: 'aborted';
    readonly pending: PendingCheckpoint;
    readonly reason: AbortReason;
    readonly error: ErrorInfo;
    /** Failed checkpoints in a row; null when this one does not count. */
    readonly failuresInRow: number | null;
  }
  /** An acknowledgement of a checkpoint that is over: its files belong to nobody. */
  | { readonly kind: 'late'; readonly attemptId: ExecutionAttemptId; readonly ack: TaskCheckpointAck }
  /** A periodic checkpoint could not start. */
  | { readonly kind: 'notStarted'; readonly reason: string }
  | { readonly kind: 'requestFailed'; readonly requestId: string; readonly error: ErrorInfo }
  | { readonly kind: 'failJob'; readonly error: ErrorInfo };

type Stage = 'preparing' | 'collecting' | 'acknowledged' | 'storing';

interface Pending extends PendingCheckpoint {
  readonly acks: Map<ExecutionAttemptId, TaskCheckpointAck>;
  /** Where its barrier has entered. */
  readonly entered: Set<ExecutionAttemptId>;
  stage: Stage;
}

/** What a trigger that waits is for. */
type Wanted = CheckpointRequest | 'period' | 'final';

export class CheckpointCoordinatorCore {
  private readonly cadence: CheckpointCadence;
  private readonly planNow: (atEnd: ReadonlySet<ExecutionAttemptId>) => CheckpointPlan | string;
  /** By id, ascending. */
  private readonly pending = new Map<number, Pending>();
  /** Requests that wait for the one in preparation. */
  private readonly requests: CheckpointRequest[] = [];
  private readonly atEnd = new Set<ExecutionAttemptId>();
  /** The newest ones: acknowledgements that are repeated must not have their files discarded. */
  private readonly completedIds = new Set<number>();
  private isRunning = false;
  private isStopping = false;
  private stopped: number | null = null;
  private lastId = 0;
  private latestCompleted = 0;
  private round = 0;
  private isPeriodDue = false;
  private isFinalDue = false;
  private mayIncrement = true;
  private failuresInRow = 0;
  private lastCompletedMs = Number.NEGATIVE_INFINITY;

  /** `planNow` says which tasks take part in a checkpoint that starts now, or why none can. */
  constructor(cadence: CheckpointCadence, planNow: CheckpointCoordinatorCore['planNow']) {
    this.cadence = cadence;
    this.planNow = planNow;
  }

  /** Id of the newest completed checkpoint (or of what was restored); 0: none. */
  get latestCompletedId(): number {
    return this.latestCompleted;
  }

  /** The savepoint that stops the job, once it is complete. Nothing is taken after it. */
  get stoppedId(): number | null {
    return this.stopped;
  }

  /** A checkpoint is being stored: whether it completes is not yet known. */
  get isStoring(): boolean {
    return this.inStage('storing') !== undefined;
  }

  step(event: CheckpointEvent, now: Instant): CheckpointEffect[] {
    return [...this.apply(event, now), ...this.startNext(now)];
  }

  private apply(event: CheckpointEvent, now: Instant): CheckpointEffect[] {
    switch (event.kind) {
      case 'resumed':
        return this.resume();
      case 'suspended':
        return this.suspend('suspended');
      case 'closed':
        return this.suspend('shutdown');
      case 'restored':
        return this.restored(event.checkpointId, event.owned);
      case 'due':
        return this.due(event.round, now);
      case 'requested':
        return this.request(event.request);
      case 'prepared':
        return this.prepared(event.checkpointId);
      case 'prepareFailed':
        return this.isPreparing(event.checkpointId) ? this.abort(event.checkpointId, 'triggerFailed', event.error) : [];
      case 'acknowledged':
        return this.acknowledged(event.attemptId, event.ack);
      case 'declined':
        return this.isAwaited(event.checkpointId, event.attemptId) ? this.abort(event.checkpointId, 'declined', event.error) : [];
      case 'expired':
        return this.expired(event.checkpointId);
      case 'stored':
        return this.stored(event.checkpointId, now);
      case 'storeFailed':
        return [...this.abort(event.checkpointId, 'storeFailed', event.error), ...this.storeNext()];
      case 'endOfData':
        return this.endOfData(event.attemptId);
      case 'taskFinished':
        return this.taskFinished(event.attemptId);
    }
  }

  private resume(): CheckpointEffect[] {
    if (this.isRunning) return [];
    this.isRunning = true;
    this.isStopping = this.stopped !== null;
    if (this.isStopping) return [];
    return this.startPeriod(this.cadence.intervalMs);
  }

  private suspend(reason: 'suspended' | 'shutdown'): CheckpointEffect[] {
    this.isRunning = false;
    this.isPeriodDue = false;
    this.isFinalDue = false;
    this.round += 1;
    this.atEnd.clear();
    const error = checkpointFault(reason);
    const refused = this.requests.splice(0).map(({ requestId }): CheckpointEffect => ({ kind: 'requestFailed', requestId, error }));
    const begun = [...this.pending.values()].filter(({ stage }) => stage !== 'storing');
    return [...begun.flatMap(({ checkpointId }) => this.abort(checkpointId, reason, error)), ...refused];
  }

  private restored(checkpointId: number, owned: boolean): CheckpointEffect[] {
    this.lastId = Math.max(this.lastId, checkpointId);
    this.latestCompleted = Math.max(this.latestCompleted, checkpointId);
    this.mayIncrement = owned;
    return [];
  }

  private startPeriod(delayMs: number | null): CheckpointEffect[] {
    return delayMs === null ? [] : [{ kind: 'startPeriod', round: ++this.round, delayMs }];
  }

  private due(round: number, now: Instant): CheckpointEffect[] {
    if (!this.isRunning || this.isStopping || round !== this.round) return [];
    const pauseMs = this.lastCompletedMs + this.cadence.minPauseMs - now.monotonicMs;
    if (pauseMs > 0) return this.startPeriod(pauseMs);
    this.isPeriodDue = true;
    return this.startPeriod(this.cadence.intervalMs);
  }

  private request(request: CheckpointRequest): CheckpointEffect[] {
    const { requestId } = request;
    const refusal = this.isRunning ? (this.requests.length >= REQUESTS_MAX ? 'tooMany' : null) : 'suspended';
    if (refusal !== null) return [{ kind: 'requestFailed', requestId, error: checkpointFault(refusal) }];
    if (this.isStopping) return [{ kind: 'requestFailed', requestId, error: checkpointFault('stopping') }];
    this.requests.push(request);
    return [];
  }

  /** Starts what is wanted, as far as it may start now. */
  private startNext(now: Instant): CheckpointEffect[] {
    const effects: CheckpointEffect[] = [];
    for (let wanted = this.takeWanted(now); wanted !== null; wanted = this.takeWanted(now)) effects.push(...this.start(wanted, now));
    return effects;
  }

  private takeWanted(now: Instant): Wanted | null {
    if (!this.isRunning || this.inStage('preparing')) return null;
    const request = this.requests.shift();
    if (request) return request;
    if (this.isStopping || this.pending.size >= this.cadence.concurrentMax) return null;
    if (this.isFinalDue) {
      this.isFinalDue = this.isPeriodDue = false;
      return 'final';
    }
    if (!this.isPeriodDue || now.monotonicMs < this.lastCompletedMs + this.cadence.minPauseMs) return null;
    this.isPeriodDue = false;
    return 'period';
  }

  private start(wanted: Wanted, now: Instant): CheckpointEffect[] {
    const plan = this.planNow(this.atEnd);
    const request = typeof wanted === 'string' ? null : wanted;
    const refusal = typeof plan === 'string' ? plan : wanted === 'final' ? null : plan.refusal;
    if (typeof plan === 'string' || refusal !== null) {
      const reason = refusal ?? '';
      if (!request) return [{ kind: 'notStarted', reason }];
      return [{ kind: 'requestFailed', requestId: request.requestId, error: checkpointFault('notRunning', reason) }];
    }
    const { kind, stop, full } = request ?? { kind: 'checkpoint', stop: 'no', full: false };
    this.isStopping = stop !== 'no';
    const pending: Pending = {
      checkpointId: ++this.lastId, timestampMs: now.nowMs, request, kind, stop, plan,
      entered: new Set(plan.toTrigger.map(({ attemptId }) => attemptId)),
      incremental: kind === 'checkpoint' && !full && this.mayIncrement, acks: new Map(), stage: 'preparing',
    };
    this.pending.set(pending.checkpointId, pending);
    return [{ kind: 'prepare', pending, timeoutMs: this.cadence.timeoutMs }];
  }

  private isPreparing(checkpointId: number): boolean {
    return this.pending.get(checkpointId)?.stage === 'preparing';
  }

  private prepared(checkpointId: number): CheckpointEffect[] {
    const pending = this.pending.get(checkpointId);
    if (!pending || !this.isPreparing(checkpointId)) return [];
    pending.stage = 'collecting';
    return [{ kind: 'trigger', pending }, ...this.triggerBehindEnds()];
  }

  /**
   * A task whose barrier came after its end acknowledges it without passing it on: the barrier enters once more at the
   * tasks that only such tasks feed. Those that have it by then pass it over.
   */
  private triggerBehindEnds(): CheckpointEffect[] {
    if (this.inStage('collecting') === undefined) return [];
    const plan = this.planNow(this.atEnd);
    if (typeof plan === 'string') return [];
    return [...this.pending.values()].filter(({ stage }) => stage === 'collecting').flatMap((pending): CheckpointEffect[] => {
      const toTrigger = plan.toTrigger.filter(({ attemptId }) => {
        return this.isAwaited(pending.checkpointId, attemptId) && !pending.entered.has(attemptId);
      });
      for (const { attemptId } of toTrigger) pending.entered.add(attemptId);
      return toTrigger.length === 0 ? [] : [{ kind: 'trigger', pending: { ...pending, plan: { ...pending.plan, toTrigger } } }];
    });
  }

  private acknowledged(attemptId: ExecutionAttemptId, ack: TaskCheckpointAck): CheckpointEffect[] {
    const pending = this.pending.get(ack.checkpointId);
    if (pending?.stage !== 'collecting' || !this.isAwaited(ack.checkpointId, attemptId)) {
      const isRepeated = this.completedIds.has(ack.checkpointId) || pending?.acks.has(attemptId);
      return isRepeated ? [] : [{ kind: 'late', attemptId, ack }];
    }
    pending.acks.set(attemptId, ack);
    const taken: CheckpointEffect = { kind: 'taken', pending, attemptId, ack };
    if (pending.acks.size < pending.plan.toAcknowledge.length) return [taken];
    pending.stage = 'acknowledged';
    return [taken, ...this.storeNext()];
  }

  private isAwaited(checkpointId: number, attemptId: ExecutionAttemptId): boolean {
    const pending = this.pending.get(checkpointId);
    if (!pending || pending.acks.has(attemptId)) return false;
    return pending.plan.toAcknowledge.some((execution) => execution.attemptId === attemptId);
  }

  /** One is stored at a time, so that completed checkpoints rise. */
  private storeNext(): CheckpointEffect[] {
    const next = this.isStoring ? undefined : this.inStage('acknowledged');
    if (!next) return [];
    next.stage = 'storing';
    return [{ kind: 'store', pending: next }];
  }

  private expired(checkpointId: number): CheckpointEffect[] {
    const stage = this.pending.get(checkpointId)?.stage;
    return stage === undefined || stage === 'storing' ? [] : this.abort(checkpointId, 'expired', checkpointFault('expired'));
  }

  private stored(checkpointId: number, now: Instant): CheckpointEffect[] {
    const pending = present(this.pending.get(checkpointId), 'a checkpoint that is being stored is not aborted');
    this.pending.delete(checkpointId);
    this.remember(checkpointId);
    this.lastCompletedMs = now.monotonicMs;
    this.failuresInRow = 0;
    const completed: CheckpointEffect = { kind: 'completed', pending };
    if (pending.kind === 'savepoint' && pending.stop === 'no') return [completed, ...this.storeNext()];
    if (pending.stop !== 'no') this.stopped = checkpointId;
    this.latestCompleted = Math.max(this.latestCompleted, checkpointId);
    this.mayIncrement = true;
    return [completed, ...this.subsume(checkpointId), ...this.storeNext()];
  }

  private remember(checkpointId: number): void {
    this.completedIds.add(checkpointId);
    const [oldest] = this.completedIds;
    if (this.completedIds.size > COMPLETED_REMEMBERED_MAX && oldest !== undefined) this.completedIds.delete(oldest);
  }

  /** Older checkpoints are of no use any more; savepoints are for their owner. */
  private subsume(checkpointId: number): CheckpointEffect[] {
    const older = [...this.pending.values()].filter((each) => each.checkpointId < checkpointId && each.kind === 'checkpoint');
    return older.flatMap((each) => this.abort(each.checkpointId, 'subsumed', checkpointFault('subsumed')));
  }

  private endOfData(attemptId: ExecutionAttemptId): CheckpointEffect[] {
    if (!this.isRunning || this.cadence.intervalMs === null) return [];
    this.atEnd.add(attemptId);
    this.wantFinal();
    return this.triggerBehindEnds();
  }

  /** Tasks without input wait for one more checkpoint: it need not wait for its time. */
  private wantFinal(): void {
    const plan = this.planNow(this.atEnd);
    if (typeof plan !== 'string' && plan.toAcknowledge.every((execution) => this.atEnd.has(execution.attemptId))) this.isFinalDue = true;
  }

  private taskFinished(attemptId: ExecutionAttemptId): CheckpointEffect[] {
    const missed = [...this.pending.keys()].filter((checkpointId) => this.isAwaited(checkpointId, attemptId));
    if (this.atEnd.size > 0) this.wantFinal();
    return [
      ...missed.flatMap((checkpointId) => this.abort(checkpointId, 'taskFinished', checkpointFault('taskFinished'))),
      ...this.triggerBehindEnds(),
    ];
  }

  private abort(checkpointId: number, reason: AbortReason, error: ErrorInfo): CheckpointEffect[] {
    const pending = this.pending.get(checkpointId);
    if (!pending) return [];
    this.pending.delete(checkpointId);
    if (pending.stop !== 'no') this.isStopping = false;
    const isCounted = ABORT_REASONS[reason].counts && pending.request === null;
    if (isCounted) this.failuresInRow += 1;
    const effects: CheckpointEffect[] = [
      { kind: 'aborted', pending, reason, error, failuresInRow: isCounted ? this.failuresInRow : null },
    ];
    if (pending.request) effects.push({ kind: 'requestFailed', requestId: pending.request.requestId, error });
    else if (this.failuresInRow > this.cadence.tolerableFailures && isCounted) {
      this.failuresInRow = 0;
      effects.push({ kind: 'failJob', error: checkpointFault('tooManyFailures', undefined, error) });
    }
    if (this.isRunning && pending.stop !== 'no') effects.push(...this.startPeriod(this.cadence.intervalMs));
    return effects;
  }

  private inStage(stage: Stage): Pending | undefined {
    for (const pending of this.pending.values()) if (pending.stage === stage) return pending;
    return undefined;
  }
}

/** Completed checkpoints whose repeated acknowledgements are recognised. */
const COMPLETED_REMEMBERED_MAX = 64;
