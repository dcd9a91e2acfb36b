/**
 * When a subtask takes its part of a checkpoint: once the barrier has come in on every channel; or at the first
 * barrier that overtakes, and then what comes before the others is recorded until they are in.
 *
 *     channel 0:  r r r | r r        blocked: what follows the barrier waits in the channel
 *     channel 1:  r r r r r |        the last barrier: the checkpoint is taken, channel 0 is read again
 *     channel 2:  r r end            nothing will follow, so everything is before the barrier
 *
 *     channel 0:  r r r | r r        overtakes: the checkpoint is taken now, with the records that wait in the channel
 *     channel 1:  r r ▲ r r |        read on; records from ▲ to the barrier are recorded
 *     channel 2:  r r | r r          was blocked: nothing before its barrier is left, and it is read again
 *
 * Exactly-once blocks a channel behind its barrier, or lets the barrier overtake; at-least-once only counts. Several
 * checkpoints may be under way. One that cannot be completed any more is given up: a channel went past it (its producer had
 * given it up), or the JobManager did.
 *
 * Invariants (test/exchange/barrier-aligner.test.ts): when a checkpoint is taken with blocking, exactly the
 * records before its barrier have been read from every channel; when it is taken early, each of these has been read,
 * or is recorded, and none behind the barrier is; checkpoints are taken in ascending order,
 * each at most once; a channel is blocked only while a checkpoint that it has passed is under way.
 *
 * Unlike Flink: no cancellation markers travel downstream. The JobManager hears that a checkpoint was given
 * up and tells every task (`onAborted`).
 *
 * Source: Flink `SingleCheckpointBarrierHandler`, `CheckpointBarrierTracker`, FLIP-76.
 */
import { assert } from '../base/assert.ts';

/** What the aligner reads of a barrier; the rest passes through. */
export interface Barrier {
  readonly checkpointId: number;
}

/** What is to be done, in order. */
export type AlignerOutput<B extends Barrier> =
  /** The first sign of a checkpoint. */
  | { readonly kind: 'begun'; readonly checkpointId: number }
  | { readonly kind: 'block'; readonly channelIndex: number }
  | { readonly kind: 'unblock'; readonly channelIndex: number }
  /** The barrier is in on all channels: take the checkpoint and pass the barrier on, before anything else is read. */
  | { readonly kind: 'taken'; readonly barrier: B }
  /** A barrier overtakes: as `taken`, and these channels are recorded until they are `recorded`. */
  | { readonly kind: 'takenEarly'; readonly barrier: B; readonly recording: readonly number[] }
  /** All before the barrier is in the channel now, or was read. */
  | { readonly kind: 'recorded'; readonly checkpointId: number; readonly channelIndex: number }
  /** All channels of a checkpoint that was taken early are recorded. */
  | { readonly kind: 'complete'; readonly checkpointId: number }
  /** It cannot be completed here: a channel went past it. */
  | { readonly kind: 'overtaken'; readonly checkpointId: number };

/** A checkpoint under way. */
interface Alignment<B extends Barrier> {
  readonly barrier: B;
  readonly blocks: boolean;
  /** By channel: its barrier, or its end, has come in. */
  readonly passed: Uint8Array;
  passedCount: number;
  readonly blocked: Set<number>;
  isTaken: boolean;
}

/** Checkpoints whose abort is remembered one by one; of more than these the oldest stands for all before it. */
const ABORTED_MAX = 64;

/** One gate's aligner. */
export class BarrierAligner<B extends Barrier> {
  /** Ascending ids. */
  private alignments: Alignment<B>[] = [];
  private readonly lastId: Float64Array;
  private readonly ended: Uint8Array;
  /** Everything up to here is taken or given up. */
  private settledId = 0;
  /** Given up beyond `settledId`, ascending. */
  private abortedIds: number[] = [];

  constructor(channelCount: number) {
    this.lastId = new Float64Array(channelCount);
    this.ended = new Uint8Array(channelCount);
  }

  /** A barrier has come in. `blocks`: exactly-once. */
  onBarrier(channelIndex: number, barrier: B, blocks: boolean): readonly AlignerOutput<B>[] {
    const { checkpointId } = barrier;
    assert(checkpointId > (this.lastId[channelIndex] as number), 'barriers ascend within a channel');
    this.lastId[channelIndex] = checkpointId;
    const outputs = this.alignments
      .filter((earlier) => earlier.barrier.checkpointId < checkpointId && earlier.passed[channelIndex] === 0)
      .flatMap((earlier) => this.giveUp(earlier.barrier.checkpointId));
    const begun = this.begin(barrier, blocks, outputs);
    if (begun === null) return outputs;
    this.pass(begun, channelIndex, outputs);
    if (blocks && !begun.isTaken) {
      begun.blocked.add(channelIndex);
      outputs.push({ kind: 'block', channelIndex });
    }
    this.takeIfComplete(begun, outputs);
    return outputs;
  }

  /** A barrier overtakes what its channel holds; `isInPlace`: nothing is left before it. It comes, or came, in its place too. */
  onOvertaking(channelIndex: number, barrier: B, isInPlace: boolean): readonly AlignerOutput<B>[] {
    const { checkpointId } = barrier;
    const outputs: AlignerOutput<B>[] = [];
    if (isInPlace) {
      assert(checkpointId > (this.lastId[channelIndex] as number), 'barriers ascend within a channel');
      this.lastId[channelIndex] = checkpointId;
    }
    const begun = this.begin(barrier, true, outputs);
    if (begun === null) return outputs;
    if (!begun.isTaken) this.takeEarly(begun, isInPlace ? channelIndex : null, outputs);
    this.pass(begun, channelIndex, outputs);
    this.takeIfComplete(begun, outputs);
    return outputs;
  }

  /** A channel has ended: it holds nothing back any more. */
  onEnd(channelIndex: number): readonly AlignerOutput<B>[] {
    this.ended[channelIndex] = 1;
    const outputs: AlignerOutput<B>[] = [];
    for (const alignment of this.alignments.slice()) {
      this.pass(alignment, channelIndex, outputs);
      this.takeIfComplete(alignment, outputs);
    }
    return outputs;
  }

  /**
   * The JobManager asks this subtask directly, since all its producers have finished. What they left in the
   * channels is before the barrier: the checkpoint is taken when every channel has ended.
   */
  onTrigger(barrier: B, blocks: boolean): readonly AlignerOutput<B>[] {
    const outputs: AlignerOutput<B>[] = [];
    const begun = this.begin(barrier, blocks, outputs);
    if (begun !== null) this.takeIfComplete(begun, outputs);
    return outputs;
  }

  /** The JobManager has given the checkpoint up. */
  onAborted(checkpointId: number): readonly AlignerOutput<B>[] {
    return this.find(checkpointId) === undefined && this.isSettled(checkpointId) ? [] : this.drop(checkpointId);
  }

  private find(checkpointId: number): Alignment<B> | undefined {
    return this.alignments.find(({ barrier }) => barrier.checkpointId === checkpointId);
  }

  private isSettled(checkpointId: number): boolean {
    return checkpointId <= this.settledId || this.abortedIds.includes(checkpointId);
  }

  /** The checkpoint under way, begun if it is new; null when it is settled, or too late for it. */
  private begin(barrier: B, blocks: boolean, outputs: AlignerOutput<B>[]): Alignment<B> | null {
    const { checkpointId } = barrier;
    const known = this.find(checkpointId);
    if (known !== undefined || this.isSettled(checkpointId)) return known ?? null;
    outputs.push({ kind: 'begun', checkpointId });
    const isLate = this.lastId.some((lastId, channelIndex) => lastId > checkpointId && this.ended[channelIndex] === 0);
    if (isLate) {
      outputs.push(...this.giveUp(checkpointId));
      return null;
    }
    const passed = Uint8Array.from(this.ended);
    const passedCount = passed.reduce((sum, one) => sum + one, 0);
    const alignment: Alignment<B> = { barrier, blocks, passed, passedCount, blocked: new Set(), isTaken: false };
    this.alignments = [...this.alignments, alignment].toSorted((a, b) => a.barrier.checkpointId - b.barrier.checkpointId);
    return alignment;
  }

  private pass(alignment: Alignment<B>, channelIndex: number, outputs: AlignerOutput<B>[]): void {
    if (alignment.passed[channelIndex] === 1) return;
    alignment.passed[channelIndex] = 1;
    alignment.passedCount++;
    if (alignment.isTaken) outputs.push({ kind: 'recorded', checkpointId: alignment.barrier.checkpointId, channelIndex });
  }

  /** `inPlace`: a channel that has nothing to record. */
  private takeEarly(alignment: Alignment<B>, inPlace: number | null, outputs: AlignerOutput<B>[]): void {
    const { barrier, passed, blocked } = alignment;
    this.giveUpBefore(barrier.checkpointId, outputs);
    for (const channelIndex of [...blocked].toSorted((a, b) => a - b)) outputs.push({ kind: 'unblock', channelIndex });
    blocked.clear();
    if (inPlace !== null) this.pass(alignment, inPlace, outputs);
    const recording = Array.from(passed.keys()).filter((channelIndex) => passed[channelIndex] === 0);
    alignment.isTaken = true;
    outputs.push({ kind: 'takenEarly', barrier, recording });
    this.settle(barrier.checkpointId);
  }

  private giveUpBefore(checkpointId: number, outputs: AlignerOutput<B>[]): void {
    for (const { barrier } of this.alignments.slice()) {
      if (barrier.checkpointId < checkpointId) outputs.push(...this.giveUp(barrier.checkpointId));
    }
  }

  private takeIfComplete(alignment: Alignment<B>, outputs: AlignerOutput<B>[]): void {
    if (alignment.passedCount < this.ended.length || !this.alignments.includes(alignment)) return;
    const { barrier, isTaken } = alignment;
    const { checkpointId } = barrier;
    this.giveUpBefore(checkpointId, outputs);
    outputs.push(...this.drop(checkpointId), isTaken ? { kind: 'complete', checkpointId } : { kind: 'taken', barrier });
    this.settle(checkpointId);
  }

  private giveUp(checkpointId: number): AlignerOutput<B>[] {
    return [...this.drop(checkpointId), { kind: 'overtaken', checkpointId }];
  }

  /** Forgets a checkpoint for good and frees the channels that it held. */
  private drop(checkpointId: number): AlignerOutput<B>[] {
    const dropped = this.find(checkpointId);
    this.alignments = this.alignments.filter((alignment) => alignment !== dropped);
    this.abortedIds = [...this.abortedIds, checkpointId].toSorted((a, b) => a - b);
    if (this.abortedIds.length > ABORTED_MAX) this.settle(this.abortedIds[0] as number);
    return [...(dropped?.blocked ?? [])].toSorted((a, b) => a - b).map((channelIndex) => ({ kind: 'unblock', channelIndex }));
  }

  private settle(checkpointId: number): void {
    this.settledId = Math.max(this.settledId, checkpointId);
    this.abortedIds = this.abortedIds.filter((id) => id > this.settledId);
  }
}
