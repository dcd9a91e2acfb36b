/**
 * One attempt of one subtask, from its parts to its end.
 *
 *     open ──► running ──► draining (everything has ended; outputs are still being taken) ──► finished
 *                 └──────────── cancel or failure, between two records ────────────► closed
 *
 * The slot loop calls `step`; nothing here waits. `mail` is how promises (of asynchronous operators,
 * sinks, readers) get back in: actions run between two records, on the slot's turn.
 */
import type { Ports } from '../base/ports.ts';
import type { OperatorContext } from '../operators/operator.ts';
import type { BarrierEvent } from '../exchange/contract.ts';
import { blaming, operatorFailure } from '../operators/failure.ts';
import { present } from '../base/assert.ts';
import type { SourceSpec } from '../graph/operator-spec.ts';
import type { AccumulatorValue, OperatorEventBody, TaskIoMetrics } from '../protocol/deployment.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import { SegmentRunner } from './segment-runner.ts';
import type { RunnerInput, StepResult } from './segment-runner.ts';
import { SourceInput } from './source-input.ts';
import type { SourceSurroundings, UnalignedSource } from './source-input.ts';
import type { RestoredInput } from './restored-input.ts';
import type { CheckpointMessage } from './slot-protocol.ts';
import { SubtaskCheckpoints } from './subtask-checkpoints.ts';
import { dutyAccess } from './segment-duties.ts';
import type { OperatorPart, SourcePart, SubtaskParts } from './subtask-parts.ts';
import { TimeShares } from './time-shares.ts';

/** How a subtask reaches its slot. */
export interface SubtaskSurroundings {
  readonly ports: Ports;
  /** Makes the slot loop take a turn. */
  wake(): void;
  send(nodeId: number, body: OperatorEventBody): void;
  /** Tells the main thread about checkpoints. */
  sendCheckpoint(message: CheckpointMessage): void;
}

/** What `step` did. `waiting`: nothing can be done until something arrives. */
export type SubtaskResult = 'ran' | 'waiting' | 'finished';

/** See the file's head. */
export class Subtask {
  private readonly parts: SubtaskParts;
  private readonly around: SubtaskSurroundings;
  private readonly shares: TimeShares;
  private readonly checkpoints: SubtaskCheckpoints;
  /** Downstream first, so that room is made before it is asked for. */
  private runners: readonly SegmentRunner[] = [];
  private source: SourceInput | null = null;
  private mail: (() => void)[] = [];
  /** Barriers that the JobManager asked for after the last record; and the last id it asked for. */
  private barriersAtEnd: BarrierEvent[] = [];
  private triggeredId = 0;
  /** The JobManager knows that no data is left and a checkpoint is waited for. */
  private hasToldEnd = false;
  /** Records may stand in buffers that nobody has flushed. */
  private isDirty = false;
  private isClosed = false;

  constructor(parts: SubtaskParts, around: SubtaskSurroundings) {
    this.parts = parts;
    this.around = around;
    this.shares = new TimeShares(around.ports.clock.monotonicMs());
    const { source, gate } = parts;
    const snapshot = () => present(this.source, 'a source is opened before barriers come').snapshot();
    this.checkpoints = new SubtaskCheckpoints({
      operators: parts.operators,
      source: source === null ? null : { operatorId: source.operatorId, name: source.node.name, snapshot },
      unaligned: parts.unaligned === null ? null : { ...parts.unaligned, wake: () => around.wake() },
      segmentCount: parts.segments.length,
      clock: around.ports.clock,
      bytesIn: () => gate?.gate.bytesIn ?? 0,
      send: (message) => around.sendCheckpoint(message),
      post: (action) => this.post(action),
    });
    gate?.listen(this.checkpoints);
  }

  /** Its records come from outside, not from channels. */
  get isSource(): boolean {
    return this.parts.source !== null;
  }

  get bufferTimeoutMs(): number {
    return this.parts.settings.bufferTimeoutMs;
  }

  /** Restores and opens operators, downstream first, then the source. Throws what the user's `open` throws, named. */
  async open(): Promise<void> {
    for (const part of this.parts.operators) {
      await this.restore(part);
      await named(part.operator.name, () => part.operator.open(this.contextOf(part)));
    }
    const inFlight = await this.parts.restoredInput();
    if (inFlight !== null) this.parts.gate?.restore(inFlight);
    const first = this.parts.gate ?? (await this.openSource(inFlight));
    const { clock } = this.around.ports;
    const nowMs = () => clock.monotonicMs();
    this.runners = this.parts.segments
      .map(({ segment, functions }) => new SegmentRunner(segment, functions, segment.input ?? first, nowMs, this.checkpoints))
      .toReversed();
    this.shares.book(clock.monotonicMs());
  }

  /** The task was cancelled while it opens: a restore ends at the next chunk, by a failure of `open`. */
  abandon(): void {
    this.parts.restored?.abandon();
  }

  /** Starts the source; called once the task is RUNNING, since it makes the coordinator assign splits. */
  async start(): Promise<void> {
    const { source } = this.parts;
    if (source !== null && !this.parts.isStopped) await named(source.node.name, () => this.source?.start());
  }

  /** One stretch of every segment that can run. Throws the failure of the task. */
  step(nowMs: number): SubtaskResult {
    this.shares.book(nowMs);
    this.runMail();
    const ran = this.runSegments();
    if (ran) {
      this.isDirty = true;
      this.shares.enter('busy');
      if (this.bufferTimeoutMs === 0) this.flush();
    }
    if (this.checkpoints.pump() || ran) return 'ran';
    if (this.takeBarriersAtEnd()) return 'ran';
    if (this.hasEnded()) return this.drain();
    return 'waiting';
  }

  /** The JobManager asks for a checkpoint that begins here. An id that has been asked for before is passed over. */
  triggerCheckpoint(barrier: BarrierEvent): void {
    this.post(() => {
      if (barrier.checkpointId <= this.triggeredId) return;
      this.triggeredId = barrier.checkpointId;
      if (this.runners.at(-1)?.isEnding === true) this.barriersAtEnd.push(barrier);
      else (this.source ?? present(this.parts.gate, 'a task has a gate or a source')).trigger(barrier);
    });
  }

  /** Every checkpoint up to this one is complete. */
  checkpointComplete(checkpointId: number): void {
    this.post(() => {
      this.source?.complete(checkpointId);
      this.checkpoints.complete(checkpointId);
    });
  }

  checkpointAborted(checkpointId: number): void {
    this.post(() => {
      this.barriersAtEnd = this.barriersAtEnd.filter((barrier) => barrier.checkpointId !== checkpointId);
      (this.source ?? this.parts.gate)?.abort(checkpointId);
      this.checkpoints.abort(checkpointId);
    });
  }

  /** The JobManager has this subtask's part. */
  checkpointAcknowledged(checkpointId: number): void {
    this.checkpoints.onAcknowledged(checkpointId);
  }

  /** The main thread has taken `sizeBytes` of state. */
  checkpointBytesTaken(sizeBytes: number): void {
    this.checkpoints.onTaken(sizeBytes);
  }

  /** Publishes half-filled buffers. */
  flush(): void {
    if (!this.isDirty) return;
    this.isDirty = false;
    for (const writer of this.parts.writers) writer.flush();
  }

  /** Whether `flush` would do something. */
  get needsFlush(): boolean {
    return this.isDirty && this.parts.writers.length > 0;
  }

  /** A message of the coordinator of one of the operators. */
  onOperatorEvent(nodeId: number, body: OperatorEventBody): void {
    this.post(() => {
      if (this.parts.source?.node.id === nodeId) this.source?.onEvent(body);
      else this.parts.receivers.get(nodeId)?.(body);
    });
  }

  /** Runs `action` between two records. At most one per request in flight of the operators, plus the coordinator's messages. */
  post(action: () => void): void {
    if (this.isClosed) return;
    this.mail.push(action);
    this.around.wake();
  }

  /** Splits that the source has finished since the last call go to the coordinator. */
  reportSplits(): void {
    this.source?.reportFinishedSplits();
  }

  metrics(): TaskIoMetrics {
    const { writers, gate } = this.parts;
    return {
      numRecordsIn: gate === null ? 0 : (this.runners.at(-1)?.recordsIn ?? 0), // What waits in the batch is not in yet.
      numRecordsOut: writers.reduce((sum, writer) => sum + writer.recordsOut, 0),
      numBytesIn: gate?.gate.bytesIn ?? 0,
      numBytesOut: writers.reduce((sum, writer) => sum + writer.bytesOut, 0),
      ...this.shares.read(),
      currentInputWatermarkMs: gate?.currentWatermarkMs ?? null,
    };
  }

  accumulators(): Readonly<Record<string, AccumulatorValue>> {
    return this.parts.accumulators.snapshot();
  }

  /**
   * Releases everything; `cause` null when the task has finished. Idempotent. Answers what the user's
   * `close` threw: the first failure, for the log.
   */
  async close(cause: ErrorInfo | null): Promise<unknown> {
    if (this.isClosed) return null;
    this.isClosed = true;
    this.mail = [];
    const failures: unknown[] = [];
    const attempt = async (close: () => void | Promise<void>) => {
      try {
        await close();
      } catch (thrown) {
        failures.push(thrown);
      }
    };
    this.checkpoints.close();
    for (const { timers } of this.parts.operators) timers?.close();
    await attempt(() => named(this.parts.source?.node.name ?? '', () => this.source?.close()));
    for (const { operator } of this.parts.operators.toReversed()) await attempt(() => named(operator.name, () => operator.close()));
    for (const writer of this.parts.writers) writer.close(cause);
    this.parts.gate?.gate.close();
    for (const store of this.parts.stores) store.close();
    return failures[0] ?? null;
  }

  private contextOf({ operator, context, segment, timers }: OperatorPart): OperatorContext {
    const { clock } = this.around.ports;
    const duties = dutyAccess(segment, operator, () => this.around.wake());
    timers?.attach({ clock, schedule: duties.schedule });
    const post = (action: () => void) => this.post(() => blaming(operator.name, action));
    const { hasFinalCheckpoint } = this.parts;
    return { runtime: context, status: segment.status, post, ...duties, clock, hasFinalCheckpoint, timers };
  }

  private async restore({ operatorId, operator, keyed }: OperatorPart): Promise<void> {
    const { restored } = this.parts;
    if (restored === null) return;
    const { name } = operator;
    const { clock } = this.around.ports;
    const pause = (): Promise<void> => restored.pause();
    if (keyed !== null) await named(name, () => keyed.restore(restored.keyedFiles(operatorId, name, keyed.keyGroups), clock, pause));
    else if (restored.hasKeyedState(operatorId)) throw takesNo('keyed state', name);
    const states = await restored.operatorStates(operatorId, name);
    if (states.length === 0) return;
    if (operator.restore === undefined) throw takesNo('operator state', name);
    await named(name, () => operator.restore?.(states));
  }

  private async openSource(inFlight: RestoredInput | null): Promise<RunnerInput> {
    const part = present(this.parts.source, 'a task has a gate or a source');
    const { name, id } = part.node;
    const reader = await named(name, () => part.open());
    this.source = new SourceInput(reader, {
      name,
      send: (body) => this.around.send(id, body),
      wake: () => this.around.wake(),
      fail: (thrown) => this.post(() => {
        throw thrown;
      }),
      time: this.sourceTime(part),
      unaligned: this.unalignedSource(),
    });
    if (inFlight !== null) this.source.restoreInFlight(inFlight);
    const { restored, subtaskIndex, parallelism, isStopped } = this.parts;
    if (isStopped) {
      this.source.endAtOnce();
      return this.source;
    }
    const states = await restored?.operatorStates(part.operatorId, name) ?? [];
    if (states.length > 0) this.source.restore(states, subtaskIndex, parallelism);
    return this.source;
  }

  private unalignedSource(): UnalignedSource | null {
    if (this.parts.unaligned === null) return null;
    const { clock } = this.around.ports;
    return { nowMs: () => clock.nowMs(), keep: (checkpointId, inHand) => this.checkpoints.keepInHand(checkpointId, inHand) };
  }

  private sourceTime({ node }: SourcePart): SourceSurroundings['time'] {
    const { watermarks: spec, kind } = node.spec as SourceSpec;
    const { autoWatermarkIntervalMs: intervalMs, codegen } = this.parts.settings;
    const { clock } = this.around.ports;
    return spec === undefined ? null : { spec, intervalMs, codegen, isSequential: kind !== 'source.custom', clock };
  }

  private runMail(): void {
    if (this.mail.length === 0) return;
    const mail = this.mail;
    this.mail = [];
    for (const action of mail) action();
  }

  /** True when a segment ran; otherwise books why the first one could not. */
  private runSegments(): boolean {
    let ran = false;
    let result: StepResult = 'idle';
    for (const runner of this.runners) {
      result = runner.step();
      ran ||= result === 'ran';
    }
    if (!ran) this.shares.enter(result === 'full' ? 'backPressured' : 'idle');
    return ran;
  }

  private haveSegmentsEnded(): boolean {
    return this.runners.every((runner) => runner.hasEnded);
  }

  /** Nothing is left to be done but for the outputs to be taken. */
  private hasEnded(): boolean {
    return (
      this.haveSegmentsEnded() &&
      this.parts.operators.every(({ operator }) => operator.isIdle?.() ?? true) &&
      !this.awaitsCheckpoint() &&
      !this.checkpoints.isUnderWay
    );
  }

  /** The JobManager takes a checkpoint as soon as all tasks have run out of data. */
  private awaitsCheckpoint(): boolean {
    if (!this.parts.operators.some(({ operator }) => operator.awaitsCheckpoint?.() ?? false)) return false;
    if (!this.hasToldEnd) this.around.send(this.parts.headNodeId, { kind: 'endOfData' });
    this.hasToldEnd = true;
    return true;
  }

  /** Downstream counts the end of a channel as its barrier, so there is nobody to pass these on to. True when there were any. */
  private takeBarriersAtEnd(): boolean {
    if (this.barriersAtEnd.length === 0 || !this.haveSegmentsEnded()) return false;
    for (const barrier of this.barriersAtEnd.splice(0)) this.checkpoints.takeAtEnd(barrier);
    return true;
  }

  private drain(): SubtaskResult {
    this.flush();
    return this.parts.writers.every((writer) => writer.refresh() && writer.isDrained()) ? 'finished' : 'waiting';
  }
}

function takesNo(what: string, operatorName: string): ClusterError {
  return new ClusterError('STATE_INCOMPATIBLE', `operator '${operatorName}' takes no ${what}, but the checkpoint has some for it`);
}

async function named<T>(operatorName: string, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (thrown) {
    throw operatorFailure(operatorName, thrown);
  }
}
