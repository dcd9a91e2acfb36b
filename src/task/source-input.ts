/**
 * A source as the input of a chain: the reader's batches, then the last watermark, then the end. It also
 * tells the coordinator which splits the reader has finished.
 *
 * Barriers begin here, between two batches. What the coordinator sends after it asked for a barrier waits
 * until the barrier is on its way: a split is either in the reader's position or in what the coordinator
 * has kept, never in both.
 *
 * A savepoint that stops the job: after its barrier nothing is read. Once it is complete the source ends; if
 * it is given up the source reads on. To drain, the last watermark goes before the barrier, and there is no way back.
 */
import { MAX_WATERMARK } from '../graph/functions.ts';
import type { PollResult, RecordBatch, SourceReader, SourceSplit } from '../graph/functions.ts';
import type { BarrierEvent, StreamEvent } from '../exchange/contract.ts';
import { blaming, operatorFailure } from '../operators/failure.ts';
import type { RestoredState } from '../operators/operator.ts';
import { fromJsonBytes, jsonBytes } from '../protocol/control.ts';
import type { CheckpointOptions } from '../protocol/checkpoint.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { OperatorEventBody } from '../protocol/deployment.ts';
import type { JsonValue } from '../protocol/json.ts';
import { assert, unreachable } from '../base/assert.ts';
import type { RecordsInHand } from './gate-recording.ts';
import { isDue } from './in-flight-part.ts';
import type { RestoredInput } from './restored-input.ts';
import type { InputResult, RunnerInput } from './segment-runner.ts';
import { SourceWatermarks } from './source-watermarks.ts';
import type { EventWithin, SourceTimeOptions } from './source-watermarks.ts';

/** How a source reaches the outside of its task. */
export interface SourceSurroundings {
  readonly name: string;
  send(body: OperatorEventBody): void;
  /** Makes the task run again. */
  wake(): void;
  fail(thrown: unknown): void;
  /** Null: no barrier overtakes. */
  readonly unaligned: UnalignedSource | null;
  /** Null: the source makes no event time. */
  readonly time: Omit<SourceTimeOptions, 'wake' | 'report' | 'heldSplits'> | null;
}

/** What a source needs so that barriers may overtake what it has read and not yet given to the chain. */
export interface UnalignedSource {
  nowMs(): number;
  /** Keeps these records for the checkpoint. */
  keep(checkpointId: number, inHand: RecordsInHand): void;
}

const LAST_WATERMARK: StreamEvent = { kind: 'watermark', timestampMs: MAX_WATERMARK };

/** One reader at work. */
export class SourceInput implements RunnerInput {
  readonly inputIndex = 0;
  event: StreamEvent | null = null;
  private readonly reader: SourceReader<unknown>;
  private readonly around: SourceSurroundings;
  /** Ids of the splits that were assigned and are not reported finished. */
  private readonly openSplits = new Set<string>();
  private isWaiting = false;
  /** Barriers to begin, and what has come after the first of them was asked for. */
  private inbox: (BarrierEvent | OperatorEventBody)[] = [];
  private stage: 'reading' | 'ended' | 'watermarkSent' = 'reading';
  /** The savepoint that stops the source: from its barrier, or the watermark before that, on. */
  private stop: { readonly checkpointId: number; readonly drains: boolean } | null = null;

  private readonly watermarks: SourceWatermarks | null;
  private restored: RestoredInput | null = null;

  constructor(reader: SourceReader<unknown>, around: SourceSurroundings) {
    this.reader = reader;
    this.around = around;
    const heldSplits = () => this.reader.snapshot().map(({ id }) => id);
    this.watermarks = around.time === null ? null : new SourceWatermarks({
      ...around.time,
      wake: () => around.wake(),
      report: (timestampMs, { group, driftMsMax }) => around.send({ kind: 'watermarkReported', group, timestampMs, driftMsMax }),
      heldSplits,
    });
  }

  /** Events that belong within the last batch. */
  get within(): readonly EventWithin[] | undefined {
    return this.restored === null ? this.watermarks?.within : undefined;
  }

  get overtakes(): boolean {
    return this.around.unaligned !== null;
  }

  async start(): Promise<void> {
    this.watermarks?.start();
    this.around.send({ kind: 'readerRegistered' }); // First: a reader may ask for splits as it starts.
    await this.reader.start?.();
  }

  /** Instead of `start`: the source ends without having read anything. */
  endAtOnce(): void {
    this.stage = 'watermarkSent';
  }

  /** Before `start`: records that a checkpoint kept come before all else. */
  restoreInFlight(restored: RestoredInput): void {
    this.restored = restored;
  }

  poll(batch: RecordBatch): InputResult {
    if (this.restored?.read(batch) === true) return 'records';
    this.restored = null;
    if (this.inbox.length > 0 && this.takeInbox()) return 'event';
    if (this.stop !== null) return 'nothing';
    if (this.stage === 'watermarkSent') return 'end';
    if (this.watermarks !== null && this.takeWatermark(this.watermarks)) return 'event';
    if (this.stage === 'ended') return this.sendLastWatermark();
    if (this.isWaiting || this.watermarks?.isAhead === true) return 'nothing';
    batch.length = 0;
    const result = this.pollReader(batch);
    if (result === 'end') this.stage = 'ended';
    if (batch.length > 0) return 'records';
    if (result !== 'nothing') return 'again';
    this.waitForReader();
    return 'nothing';
  }

  /** The barrier that is asked for begins behind the records in hand only if it may not overtake. */
  overtaking(batch: RecordBatch, next: number): BarrierEvent | null {
    const { unaligned } = this.around;
    const [barrier] = this.inbox;
    if (unaligned === null || this.restored !== null || barrier?.kind !== 'barrier') return null;
    if (!isDue(JSON.parse(barrier.options) as CheckpointOptions, barrier.timestampMs, unaligned.nowMs())) return null;
    this.inbox.shift();
    unaligned.keep(barrier.checkpointId, { batch, next });
    return barrier;
  }

  /** The JobManager asks for a checkpoint. */
  trigger(barrier: BarrierEvent): void {
    this.inbox.push(barrier);
  }

  /** The JobManager has given a checkpoint up; its barrier need not begin any more. */
  abort(checkpointId: number): void {
    this.inbox = this.inbox.filter((each) => each.kind !== 'barrier' || each.checkpointId !== checkpointId);
    if (this.stop?.checkpointId !== checkpointId) return;
    const { drains } = this.stop;
    this.stop = null;
    if (!drains || this.stage === 'watermarkSent') return;
    const message = `${this.around.name}: the savepoint that drains the job was given up after the last watermark had been sent`;
    throw new ClusterError('CHECKPOINT_FAILED', message);
  }

  /** The JobManager has completed a checkpoint. */
  complete(checkpointId: number): void {
    if (this.stop === null || this.stop.checkpointId > checkpointId) return;
    this.stop = null;
    this.stage = 'watermarkSent';
  }

  /** The splits at their positions: what the source's state is. */
  snapshot(): Uint8Array {
    return jsonBytes(this.reader.snapshot());
  }

  /** Before `start`. With another parallelism the splits of all former readers are dealt out anew. */
  restore(states: readonly RestoredState[], subtaskIndex: number, parallelism: number): void {
    const splits = states.flatMap(({ bytes }) => fromJsonBytes<SourceSplit[]>(bytes));
    const isRescaled = states.some(({ formerParallelism }) => formerParallelism !== parallelism);
    this.addSplits(isRescaled ? splits.filter((_, index) => index % parallelism === subtaskIndex) : splits);
  }

  /** A message of the coordinator. */
  onEvent(body: OperatorEventBody): void {
    if (this.inbox.length > 0) this.inbox.push(body);
    else this.handle(body);
  }

  /** Up to the next barrier, which becomes the event: true. What follows it stays until the barrier has entered the chain. */
  private takeInbox(): boolean {
    for (let next = this.inbox.shift(); next !== undefined; next = this.inbox.shift()) {
      if (next.kind === 'barrier') {
        this.event = this.beginBarrier(next);
        return true;
      }
      this.handle(next);
    }
    return false;
  }

  private beginBarrier(barrier: BarrierEvent): StreamEvent {
    const { stop } = JSON.parse(barrier.options) as CheckpointOptions;
    const { checkpointId } = barrier;
    const isNew = this.stop?.checkpointId !== checkpointId;
    const active = stop === 'drain' && isNew ? this.endTime() : null;
    if (active !== null) {
      this.inbox.unshift(barrier);
      return active;
    }
    if (stop !== 'no') this.stop = { checkpointId, drains: stop === 'drain' };
    if (stop !== 'drain' || !isNew) return barrier;
    this.inbox.unshift(barrier);
    return LAST_WATERMARK;
  }

  private handle(body: OperatorEventBody): void {
    switch (body.kind) {
      case 'addSplits':
        return this.addSplits(body.splits as unknown as readonly SourceSplit[]);
      case 'noMoreSplits':
        return this.reader.noMoreSplits();
      case 'sourceEvent':
        return this.reader.onEvent?.(body.event as JsonValue);
      case 'watermarkAlignment':
        return this.watermarks?.onAlignment(body.timestampMsMax);
      case 'watermarkReported':
      case 'readerRegistered':
      case 'splitRequest':
      case 'splitFinished':
      case 'endOfData':
      case 'collected':
      case 'collectedAck':
        return assert(false, `a reader is not sent '${body.kind}'`);
      default:
        return unreachable(body, 'an event of a source');
    }
  }

  /** Reports splits that the reader no longer holds. Called about once a second and at the end: exact timing does not matter. */
  reportFinishedSplits(): void {
    if (this.openSplits.size === 0) return;
    const held = new Set(this.reader.snapshot().map((split) => split.id));
    for (const id of this.openSplits) {
      if (held.has(id)) continue;
      this.openSplits.delete(id);
      this.around.send({ kind: 'splitFinished', splitId: id });
    }
  }

  async close(): Promise<void> {
    this.watermarks?.close();
    await this.reader.close();
  }

  private addSplits(splits: readonly SourceSplit[]): void {
    for (const split of splits) this.openSplits.add(split.id);
    this.reader.addSplits(splits);
    this.watermarks?.onSplits(splits.map(({ id }) => id));
  }

  private pollReader(batch: RecordBatch): PollResult {
    try {
      batch.splitId = null;
      const result = this.reader.poll(batch);
      if (batch.length > 0) this.watermarks?.onBatch(batch);
      return result;
    } catch (thrown) {
      throw operatorFailure(this.around.name, thrown);
    }
  }

  private takeWatermark(watermarks: SourceWatermarks): boolean {
    this.event = blaming(this.around.name, () => watermarks.next());
    return this.event !== null;
  }

  private waitForReader(): void {
    this.isWaiting = true;
    this.reader.available().then(
      () => {
        this.isWaiting = false;
        this.around.wake();
      },
      (thrown: unknown) => this.around.fail(operatorFailure(this.around.name, thrown)),
    );
  }

  /** What must come before the last watermark. */
  private endTime(): StreamEvent | null {
    return this.watermarks?.end() ?? null;
  }

  private sendLastWatermark(): 'event' {
    const active = this.endTime();
    this.event = active ?? LAST_WATERMARK;
    if (active !== null) return 'event';
    this.reportFinishedSplits();
    this.stage = 'watermarkSent';
    return 'event';
  }
}
