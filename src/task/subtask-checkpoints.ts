/**
 * A subtask's part in checkpoints, inside its slot: what the barrier finds on its way through the chain is
 * kept as it was at that moment, encoded slice by slice between records, and handed to the main thread.
 *
 *     barrier enters ─► passes each operator ─► has passed all segments ─► slices, as credit allows ─► ack
 *        (source's       (its state, its             │ one under way after the other
 *         position)       keyed snapshot)            └► abort or decline at any point: everything is released
 *
 * A part whose barrier may overtake also holds the records that it overtook (in-flight-part.ts), and is acknowledged once
 * its inputs are recorded and its outputs either show the barrier or have let it overtake.
 *
 * A failure on the way (a user's `snapshot` that throws, a value that cannot be encoded) declines this one
 * checkpoint; records flow on.
 *
 * Source: Flink `SubtaskCheckpointCoordinatorImpl`.
 */
import type { Clock, Timer } from '../base/ports.ts';
import type { BarrierEvent, RecordWriter } from '../exchange/contract.ts';
import { blaming, operatorFailure } from '../operators/failure.ts';
import type { OperatorSnapshot, StreamOperator } from '../operators/operator.ts';
import type { CheckpointOptions } from '../protocol/checkpoint.ts';
import { ClusterError, errorInfo } from '../protocol/errors.ts';
import type { OperatorId } from '../protocol/ids.ts';
import type { BarrierPassage } from './barrier-passage.ts';
import type { BarrierListener } from './gate-input.ts';
import { piecesInHand, type RecordsInHand } from './gate-recording.ts';
import { InFlightPart, isDue } from './in-flight-part.ts';
import type { UnalignedTask } from './in-flight-channels.ts';
import type { KeyedPart, KeyedStates } from './keyed-states.ts';
import type { CheckpointMessage, SlotInFlight, SlotOperatorState } from './slot-protocol.ts';

/** What one step encodes at most: as long as a stretch of records takes. */
const SLICE_SIZE_BYTES = 64 * 1024;
/** Slices that the main thread has not taken yet. */
const UNTAKEN_SIZE_BYTES_MAX = 1024 * 1024;
/** More than this many under way at once: the oldest is declined. Flink bounds `max-concurrent-checkpoints` the same way in effect. */
const UNDER_WAY_MAX = 64;
/** How often an output is looked at that does not show the barrier yet: nobody tells when it does. */
const SHOWN_INTERVAL_MS = 10;

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
  /** For in-flight records; null: no barrier overtakes. */
  readonly unaligned: UnalignedTask | null;
  readonly segmentCount: number;
  readonly clock: Clock;
  /** Bytes that the subtask's gate has read so far. */
  bytesIn(): number;
  send(message: CheckpointMessage): void;
  /** Runs `action` between two records. */
  post(action: () => void): void;
}

/** A barrier on its way in an output, which it may come to overtake. */
interface BarrierOut {
  readonly writer: RecordWriter;
  readonly barrier: BarrierEvent;
  readonly options: CheckpointOptions;
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
  figures: Figures;
  readonly begun: Beginning;
  /** Null: the barrier cannot overtake. */
  readonly inFlight: InFlightPart | null;
  segmentsLeft: number;
  /** Promises of operators that have not settled. */
  unsettled: number;
  syncMs: number;
  syncEndMs: number;
  /** Null before the barrier has passed. */
  slices: Slices | null;
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

/** Null: the rest is still to come. */
type Slices = Generator<Slice | null, Pick<AckMessage, 'operators' | 'inFlight'>>;
type AckMessage = Extract<CheckpointMessage, { readonly kind: 'checkpointAck' }>;

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
  /** Of barriers that overtook on their way in, until they pass. */
  private readonly early = new Map<number, InFlightPart>();
  /** Not shown to every consumer yet, or may still overtake. */
  private barriersOut: BarrierOut[] = [];
  /** By checkpoint: when its barrier may overtake. */
  private readonly dueAlarms = new Map<number, Timer>();
  private shownAlarm: Timer | null = null;
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

  onEarly(checkpointId: number): InFlightPart {
    const part = new InFlightPart();
    part.isEarly = true;
    part.isRecorded = false;
    this.early.set(checkpointId, part);
    return part;
  }

  onRecorded(checkpointId: number): void {
    const part = this.parts.get(checkpointId);
    const inFlight = part?.inFlight ?? this.early.get(checkpointId);
    if (inFlight) inFlight.isRecorded = true;
    if (part) part.figures = figuresOf(part.begun, this.now(), part.figures);
  }

  /** A source's barrier overtakes what its task has in hand. */
  keepInHand(checkpointId: number, inHand: RecordsInHand): void {
    const { unaligned } = this.options;
    const inFlight = this.onEarly(checkpointId);
    inFlight.isRecorded = true;
    if (!unaligned?.source || inHand.next >= inHand.batch.length) return;
    const tag = inFlight.open(unaligned.source.name, 'input');
    try {
      for (const piece of piecesInHand(inHand, unaligned.source.newCodec())) inFlight.keep(tag, piece);
    } catch (thrown) {
      inFlight.failure = thrown;
    }
  }

  awaitDue({ checkpointId, timestampMs, options }: BarrierEvent): void {
    const { unaligned, clock } = this.options;
    const { alignedTimeoutMs } = JSON.parse(options) as CheckpointOptions;
    if (unaligned === null || alignedTimeoutMs === null || this.dueAlarms.has(checkpointId)) return;
    const delayMs = Math.max(0, timestampMs + alignedTimeoutMs - clock.nowMs());
    this.dueAlarms.set(checkpointId, clock.after(delayMs, () => {
      this.dueAlarms.delete(checkpointId);
      unaligned.wake();
    }));
  }

  overtakes({ checkpointId, timestampMs }: BarrierEvent): boolean {
    const part = this.parts.get(checkpointId);
    return part !== undefined && part.inFlight !== null && isDue(part.options, timestampMs, this.options.clock.nowMs());
  }

  onOutput(writer: RecordWriter, barrier: BarrierEvent): void {
    const part = this.parts.get(barrier.checkpointId);
    if (part === undefined || part.inFlight === null) return;
    const out = { writer, barrier, options: part.options };
    if (this.overtakes(barrier)) return this.overtake(out);
    this.barriersOut.push(out);
    this.awaitDue(barrier);
  }

  onEntry(barrier: BarrierEvent): void {
    const { checkpointId, timestampMs } = barrier;
    this.lastId = checkpointId;
    const options = JSON.parse(barrier.options) as CheckpointOptions;
    const now = this.now();
    const begun = this.beginnings.get(checkpointId) ?? now;
    this.beginnings.delete(checkpointId);
    const figures = figuresOf(begun, now, { startDelayMs: Math.max(0, begun.nowMs - timestampMs) });
    const { source, segmentCount, unaligned } = this.options;
    const mayOvertake = unaligned !== null && (options.unaligned || options.alignedTimeoutMs !== null);
    const inFlight = mayOvertake ? (this.early.get(checkpointId) ?? new InFlightPart()) : null;
    this.early.delete(checkpointId);
    if (inFlight !== null && source !== null) inFlight.isEarly = isDue(options, timestampMs, now.nowMs);
    const part: Part = {
      checkpointId, options, figures, begun, inFlight, states: [], segmentsLeft: segmentCount, unsettled: 0,
      syncMs: 0, syncEndMs: 0, slices: null,
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
    part.slices = slicesOf(part, this.options.unaligned?.headId ?? null, () => this.isSettled(part));
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
    if (this.barriersOut.length > 0) this.overtakeDue();
    if (this.parts.size === 0 || this.untakenSizeBytes >= UNTAKEN_SIZE_BYTES_MAX) return false;
    for (const part of this.parts.values()) {
      const failure = part.inFlight?.failure ?? null;
      if (failure !== null) {
        this.decline(part.checkpointId, failure);
        return true;
      }
      if (part.slices !== null && part.unsettled === 0 && this.handOver(part, part.slices)) return true;
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
    this.barriersOut = this.barriersOut.filter(({ barrier }) => barrier.checkpointId > checkpointId);
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
    for (const alarm of this.dueAlarms.values()) alarm.cancel();
    this.shownAlarm?.cancel();
  }

  private overtake({ writer, barrier }: BarrierOut): void {
    const { unaligned } = this.options;
    if (unaligned === null || barrier.checkpointId !== this.lastId) return; // A later barrier has gone out: this one keeps its place.
    const inFlight = this.parts.get(barrier.checkpointId)?.inFlight;
    const names = unaligned.channelsOf(writer);
    const tags = new Map<number, number>();
    writer.overtake(barrier, (channelIndex, piece) => {
      const name = names[channelIndex];
      if (!inFlight || name === undefined) return;
      const tag = tags.get(channelIndex) ?? inFlight.open(name, 'output');
      tags.set(channelIndex, tag);
      inFlight.keep(tag, piece);
    });
  }

  /** Barriers whose time to stay aligned is over. */
  private overtakeDue(): void {
    const nowMs = this.options.clock.nowMs();
    const due = this.barriersOut.filter(({ options, barrier }) => isDue(options, barrier.timestampMs, nowMs));
    if (due.length === 0) return;
    this.barriersOut = this.barriersOut.filter((out) => !due.includes(out));
    for (const out of due) this.overtake(out);
  }

  /** Nothing can be added to the in-flight records any more. */
  private isSettled({ checkpointId, inFlight }: Part): boolean {
    if (inFlight?.isRecorded === false) return false;
    const isShown = this.barriersOut.every(({ barrier, writer }) => barrier.checkpointId !== checkpointId || writer.showsBarrier());
    if (!isShown) this.lookAgain();
    return isShown;
  }

  private lookAgain(): void {
    const { unaligned, clock } = this.options;
    this.shownAlarm ??= clock.after(SHOWN_INTERVAL_MS, () => {
      this.shownAlarm = null;
      unaligned?.wake();
    });
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

  /** False: the next slice is still to come. */
  private handOver(part: Part, slices: Slices): boolean {
    const { checkpointId, options } = part;
    let next: ReturnType<Slices['next']>;
    try {
      next = slices.next();
    } catch (thrown) {
      this.decline(checkpointId, thrown);
      return true;
    }
    if (next.value === null) return false;
    if (next.done === true) {
      this.acknowledge(part, next.value);
      return true;
    }
    const { file, bytes, shared } = next.value;
    this.untakenSizeBytes += bytes.length;
    this.options.send({ kind: 'checkpointBytes', checkpointId, options, file, shared, bytes });
    return true;
  }

  private acknowledge(part: Part, states: Pick<AckMessage, 'operators' | 'inFlight'>): void {
    const { checkpointId, options, syncMs, inFlight } = part;
    const persistedBytes = inFlight?.sizeBytes ?? 0;
    const figures = { ...part.figures, persistedBytes, unaligned: inFlight?.isEarly === true || persistedBytes > 0 };
    this.parts.delete(checkpointId);
    for (const { keyed } of part.states) keyed?.release();
    this.unacknowledged.add(checkpointId);
    const asyncMs = this.options.clock.monotonicMs() - part.syncEndMs;
    this.options.send({ kind: 'checkpointAck', checkpointId, options, ...states, figures: { ...figures, syncMs, asyncMs } });
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
    this.early.delete(checkpointId);
    this.barriersOut = this.barriersOut.filter(({ barrier }) => barrier.checkpointId !== checkpointId);
    this.dueAlarms.get(checkpointId)?.cancel();
    this.dueAlarms.delete(checkpointId);
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
function* slicesOf(part: Part, headId: OperatorId | null, isSettled: () => boolean): Slices {
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
  return { operators: states, inFlight: yield* inFlightSlices(part, { headId, file, isSettled }) };
}

/** As the pieces come, until nothing can come any more. */
function* inFlightSlices(
  { inFlight }: Part, at: { readonly headId: OperatorId | null; readonly file: number; readonly isSettled: () => boolean },
): Generator<Slice | null, SlotInFlight | null> {
  const { headId, file, isSettled } = at;
  if (inFlight === null || headId === null) return null;
  yield { file, bytes: new Uint8Array(0), shared: false };
  for (;;) {
    const bytes = inFlight.take(SLICE_SIZE_BYTES);
    if (bytes !== null) yield { file, bytes, shared: false };
    else if (isSettled()) break;
    else yield null;
  }
  return { operatorId: headId, file, channels: inFlight.channels };
}

function figuresOf(begun: Beginning, now: Beginning, { startDelayMs }: Pick<Figures, 'startDelayMs'>): Figures {
  return { startDelayMs, alignmentMs: now.monotonicMs - begun.monotonicMs, processedBytes: now.bytesIn - begun.bytesIn };
}

/** The bytes are the operator's: they are copied, since a slice is given away. */
function* slicesOfBytes(bytes: Uint8Array, file: number): Generator<Slice> {
  for (let from = 0; from === 0 || from < bytes.length; from += SLICE_SIZE_BYTES) {
    yield { file, bytes: new Uint8Array(bytes.subarray(from, from + SLICE_SIZE_BYTES)), shared: false };
  }
}
