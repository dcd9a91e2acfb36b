/**
 * A subtask's part in checkpoints, inside its slot: what the barrier finds on its way through the chain is
 * kept as it was at that moment, encoded slice by slice between records, and handed to the main thread.
 *
 *     barrier enters ─► passes each operator ─► has passed all segments ─► slices, as credit allows ─► ack
 *        (source's       (its state, its             │ one under way after the other
 *         position)       keyed snapshot)            └► abort or decline at any point: everything is released
 *
 * A failure on the way (a user's `snapshot` that throws, a value that cannot be encoded) declines this one
 * checkpoint; records flow on.
 *
 * Source: Flink `SubtaskCheckpointCoordinatorImpl`.
 */
import type { Clock } from '../base/ports.ts';
import type { BarrierEvent } from '../exchange/contract.ts';
import { blaming, operatorFailure } from '../operators/failure.ts';
import type { OperatorSnapshot, StreamOperator } from '../operators/operator.ts';
import type { CheckpointOptions } from '../protocol/checkpoint.ts';
import { ClusterError, errorInfo } from '../protocol/errors.ts';
import type { OperatorId } from '../protocol/ids.ts';
import type { BarrierPassage } from './barrier-passage.ts';
import type { BarrierListener } from './gate-input.ts';
import type { KeyedPart, KeyedStates } from './keyed-states.ts';
import type { CheckpointMessage, SlotOperatorState } from './slot-protocol.ts';

/** What one step encodes at most: as long as a stretch of records takes. */
const SLICE_SIZE_BYTES = 64 * 1024;
/** Slices that the main thread has not taken yet. */
const UNTAKEN_SIZE_BYTES_MAX = 1024 * 1024;
/** More than this many under way at once: the oldest is declined. Flink bounds `max-concurrent-checkpoints` the same way in effect. */
const UNDER_WAY_MAX = 64;

/** An operator as checkpoints see it. */
export interface CheckpointedOperator {
  readonly operatorId: OperatorId;
  readonly operator: StreamOperator;
  /** Null when it has no keyed state. */
  readonly keyed: KeyedStates | null;
}

/** What a subtask's checkpoints need. */
export interface SubtaskCheckpointsOptions {
  readonly operators: readonly CheckpointedOperator[];
  /** Null: the subtask has a gate. */
  readonly source: { readonly operatorId: OperatorId; readonly name: string; snapshot(): Uint8Array } | null;
  readonly segmentCount: number;
  readonly clock: Clock;
  /** Bytes that the subtask's gate has read so far. */
  bytesIn(): number;
  send(message: CheckpointMessage): void;
  /** Runs `action` between two records. */
  post(action: () => void): void;
}

/** State of one operator, as of the barrier. */
interface TakenState {
  readonly operatorId: OperatorId;
  operator: OperatorSnapshot;
  readonly keyed: KeyedPart | null;
}

/** One checkpoint under way. */
interface Part {
  readonly checkpointId: number;
  readonly options: CheckpointOptions;
  readonly states: TakenState[];
  readonly figures: Figures;
  segmentsLeft: number;
  /** Promises of operators that have not settled. */
  unsettled: number;
  syncMs: number;
  syncEndMs: number;
  /** Null before the barrier has passed. */
  slices: Generator<Slice, readonly SlotOperatorState[]> | null;
}

interface Figures {
  readonly startDelayMs: number;
  readonly alignmentMs: number;
  readonly processedBytes: number;
}

interface Slice {
  readonly file: number;
  readonly bytes: Uint8Array;
  readonly shared: boolean;
}

/** When the first barrier of a checkpoint came in. */
interface Beginning {
  readonly nowMs: number;
  readonly monotonicMs: number;
  readonly bytesIn: number;
}

/** See the file's head. */
export class SubtaskCheckpoints implements BarrierPassage, BarrierListener {
  private readonly options: SubtaskCheckpointsOptions;
  private readonly beginnings = new Map<number, Beginning>();
  /** By id, ascending: barriers come in order. */
  private readonly parts = new Map<number, Part>();
  /** Handed over, but the JobManager does not have them yet. */
  private readonly unacknowledged = new Set<number>();
  private untakenSizeBytes = 0;
  private lastId = 0;

  constructor(options: SubtaskCheckpointsOptions) {
    this.options = options;
  }

  onBegun(checkpointId: number): void {
    this.beginnings.set(checkpointId, this.now());
  }

  onOvertaken(checkpointId: number): void {
    this.decline(checkpointId, new ClusterError('CHECKPOINT_FAILED', `checkpoint ${checkpointId} was overtaken by a later one`));
  }

  onEntry(barrier: BarrierEvent): void {
    const { checkpointId, timestampMs } = barrier;
    this.lastId = checkpointId;
    const options = JSON.parse(barrier.options) as CheckpointOptions;
    const now = this.now();
    const begun = this.beginnings.get(checkpointId) ?? now;
    this.beginnings.delete(checkpointId);
    const figures: Figures = {
      startDelayMs: Math.max(0, begun.nowMs - timestampMs),
      alignmentMs: now.monotonicMs - begun.monotonicMs,
      processedBytes: now.bytesIn - begun.bytesIn,
    };
    const { source, segmentCount } = this.options;
    const part: Part = {
      checkpointId, options, figures, states: [], segmentsLeft: segmentCount, unsettled: 0, syncMs: 0, syncEndMs: 0, slices: null,
    };
    this.parts.set(checkpointId, part);
    this.declineOldest();
    if (source === null) return;
    this.take(part, source.name, () => {
      part.states.push({ operatorId: source.operatorId, operator: source.snapshot(), keyed: null });
    });
  }

  onOperator(operator: StreamOperator, { checkpointId }: BarrierEvent): void {
    const part = this.parts.get(checkpointId);
    const found = this.options.operators.find((each) => each.operator === operator);
    if (part !== undefined && found !== undefined) this.take(part, operator.name, () => this.takeOperator(part, found));
  }

  onSegment({ checkpointId }: BarrierEvent): void {
    const part = this.parts.get(checkpointId);
    if (part === undefined) return;
    part.segmentsLeft--;
    if (part.segmentsLeft > 0) return;
    part.syncEndMs = this.options.clock.monotonicMs();
    part.slices = slicesOf(part);
  }

  /** The barrier of a subtask whose records have all passed: nothing is left for it to go through. One that did before is passed over. */
  takeAtEnd(barrier: BarrierEvent): void {
    if (barrier.checkpointId <= this.lastId) return;
    this.onEntry(barrier);
    for (const { operator } of this.options.operators) this.onOperator(operator, barrier);
    for (let left = this.options.segmentCount; left > 0; left--) this.onSegment(barrier);
  }

  /** Hands over the next slice; false when there is nothing to hand over now. Called between records. */
  pump(): boolean {
    if (this.parts.size === 0 || this.untakenSizeBytes >= UNTAKEN_SIZE_BYTES_MAX) return false;
    for (const part of this.parts.values()) {
      if (part.slices === null || part.unsettled > 0) continue;
      this.handOver(part, part.slices);
      return true;
    }
    return false;
  }

  /** The main thread has taken `sizeBytes` of slices. */
  onTaken(sizeBytes: number): void {
    this.untakenSizeBytes -= sizeBytes;
  }

  onAcknowledged(checkpointId: number): void {
    this.unacknowledged.delete(checkpointId);
  }

  /** Whether the JobManager still waits for a part. */
  get isUnderWay(): boolean {
    return this.parts.size > 0 || this.unacknowledged.size > 0;
  }

  /** Everything up to this id is complete. Throws what an operator throws, named: that fails the task, as in Flink. */
  complete(checkpointId: number): void {
    for (const { operator, keyed } of this.options.operators) {
      keyed?.confirm(checkpointId);
      blaming(operator.name, () => operator.checkpointComplete?.(checkpointId));
    }
  }

  /** The JobManager has given the checkpoint up. Throws what an operator throws, named. */
  abort(checkpointId: number): void {
    this.drop(checkpointId);
    for (const { operator, keyed } of this.options.operators) {
      keyed?.forget(checkpointId);
      blaming(operator.name, () => operator.checkpointAborted?.(checkpointId));
    }
  }

  /** This subtask cannot take part. */
  decline(checkpointId: number, thrown: unknown): void {
    this.drop(checkpointId);
    this.options.send({ kind: 'checkpointDecline', checkpointId, error: errorInfo(thrown) });
  }

  close(): void {
    for (const checkpointId of this.parts.keys()) this.drop(checkpointId);
  }

  private takeOperator(part: Part, { operatorId, operator, keyed }: CheckpointedOperator): void {
    const snapshot = operator.snapshot?.(part.checkpointId) ?? null;
    const state: TakenState = {
      operatorId,
      operator: snapshot instanceof Promise ? null : snapshot,
      keyed: keyed === null ? null : keyed.take(part.checkpointId, part.options),
    };
    part.states.push(state);
    if (!(snapshot instanceof Promise)) return;
    part.unsettled++;
    snapshot.then(
      (bytes) => this.options.post(() => {
        state.operator = bytes;
        part.unsettled--;
      }),
      (thrown: unknown) => this.options.post(() => this.declineFor(part, operator.name, thrown)),
    );
  }

  /** The synchronous piece of one operator. */
  private take(part: Part, operatorName: string, action: () => void): void {
    const startedMs = this.options.clock.monotonicMs();
    try {
      action();
    } catch (thrown) {
      this.declineFor(part, operatorName, thrown);
    }
    part.syncMs += this.options.clock.monotonicMs() - startedMs;
  }

  private handOver(part: Part, slices: Generator<Slice, readonly SlotOperatorState[]>): void {
    const { checkpointId, options } = part;
    let next: IteratorResult<Slice, readonly SlotOperatorState[]>;
    try {
      next = slices.next();
    } catch (thrown) {
      this.decline(checkpointId, thrown);
      return;
    }
    if (next.done === true) return this.acknowledge(part, next.value);
    const { file, bytes, shared } = next.value;
    this.untakenSizeBytes += bytes.length;
    this.options.send({ kind: 'checkpointBytes', checkpointId, options, file, shared, bytes });
  }

  private acknowledge(part: Part, operators: readonly SlotOperatorState[]): void {
    const { checkpointId, options, figures, syncMs } = part;
    this.parts.delete(checkpointId);
    for (const { keyed } of part.states) keyed?.release();
    this.unacknowledged.add(checkpointId);
    const asyncMs = this.options.clock.monotonicMs() - part.syncEndMs;
    this.options.send({ kind: 'checkpointAck', checkpointId, options, operators, figures: { ...figures, syncMs, asyncMs } });
  }

  private declineFor(part: Part, operatorName: string, thrown: unknown): void {
    if (this.parts.get(part.checkpointId) === part) this.decline(part.checkpointId, operatorFailure(operatorName, thrown));
  }

  private declineOldest(): void {
    const [oldest] = this.parts.keys();
    if (this.parts.size <= UNDER_WAY_MAX || oldest === undefined) return;
    this.decline(oldest, new ClusterError('CHECKPOINT_FAILED', `more than ${UNDER_WAY_MAX} checkpoints are under way in one subtask`));
  }

  private drop(checkpointId: number): void {
    this.beginnings.delete(checkpointId);
    this.unacknowledged.delete(checkpointId);
    const part = this.parts.get(checkpointId);
    if (part === undefined) return;
    this.parts.delete(checkpointId);
    for (const { keyed } of part.states) keyed?.release();
  }

  private now(): Beginning {
    const { clock } = this.options;
    return { nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs(), bytesIn: this.options.bytesIn() };
  }
}

/** Everything that a part holds, file after file; at last what the files mean. */
function* slicesOf(part: Part): Generator<Slice, readonly SlotOperatorState[]> {
  const states: SlotOperatorState[] = [];
  let file = 0;
  for (const { operatorId, operator, keyed } of part.states) {
    const operatorFile = operator === null ? null : file++;
    if (operator !== null && operatorFile !== null) yield* slicesOfBytes(operator, operatorFile);
    const keyedFile = keyed === null ? null : file++;
    if (keyed !== null && keyedFile !== null) {
      const { shared } = keyed;
      yield { file: keyedFile, bytes: new Uint8Array(0), shared }; // So that the file is there when there is no state.
      for (let bytes = keyed.next(SLICE_SIZE_BYTES); bytes !== null; bytes = keyed.next(SLICE_SIZE_BYTES)) {
        yield { file: keyedFile, bytes, shared };
      }
    }
    states.push({
      operatorId,
      operatorFile,
      keyed: keyed === null || keyedFile === null ? null : { file: keyedFile, ...keyed.describe() },
    });
  }
  return states;
}

/** The bytes are the operator's: they are copied, since a slice is given away. */
function* slicesOfBytes(bytes: Uint8Array, file: number): Generator<Slice> {
  for (let from = 0; from === 0 || from < bytes.length; from += SLICE_SIZE_BYTES) {
    yield { file, bytes: new Uint8Array(bytes.subarray(from, from + SLICE_SIZE_BYTES)), shared: false };
  }
}
