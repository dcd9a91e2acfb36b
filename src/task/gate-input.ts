/**
 * An input gate as the input of a chain: records as they come, and the events of all channels combined
 * into those of one stream. A barrier comes out once it is in on every channel; until then the channels
 * that are ahead are paused (exactly-once), and their producers wait for credit. Or it overtakes: it comes out
 * at the first sign of it, and what stands before it is kept for the checkpoint (gate-recording.ts).
 */
import { present } from '../base/assert.ts';
import { NO_TIMESTAMP } from '../graph/functions.ts';
import type { RecordBatch } from '../graph/functions.ts';
import { BarrierAligner } from '../exchange/barrier-aligner.core.ts';
import type { AlignerOutput } from '../exchange/barrier-aligner.core.ts';
import type { BarrierEvent, DirectReceiver, InputGate, StreamEvent } from '../exchange/contract.ts';
import type { CheckpointOptions } from '../protocol/checkpoint.ts';
import { GateRecording } from './gate-recording.ts';
import type { RecordedChannel, RecordsInHand } from './gate-recording.ts';
import { GateTime } from './gate-time.ts';
import { isDue } from './in-flight-part.ts';
import type { InFlightPart } from './in-flight-part.ts';
import type { RestoredInput } from './restored-input.ts';
import type { InputResult, RunnerInput } from './segment-runner.ts';

/** Hears what becomes of barriers. */
export interface BarrierListener {
  /** The first barrier of a checkpoint is in. */
  onBegun(checkpointId: number): void;
  /** The checkpoint cannot be completed here. */
  onOvertaken(checkpointId: number): void;
  /** The barrier overtakes; what it overtakes goes into the answer. */
  onEarly(checkpointId: number): InFlightPart;
  /** All that it overtook is kept. */
  onRecorded(checkpointId: number): void;
  /** Makes the task take a turn when the barrier may overtake. */
  awaitDue(barrier: BarrierEvent): void;
}

/** What a gate needs so that barriers may overtake. */
export interface UnalignedGate {
  /** By channel index. */
  readonly channels: readonly RecordedChannel[];
  readonly nowMs: () => number;
}

/** One gate at work. */
export class GateInput implements RunnerInput {
  readonly gate: InputGate;
  event: StreamEvent | null = null;
  /** Of the combined stream. */
  currentWatermarkMs = NO_TIMESTAMP;
  private readonly time: GateTime;
  private readonly aligner: BarrierAligner<BarrierEvent>;
  private readonly unaligned: UnalignedGate | null;
  private listener: BarrierListener | null = null;
  /** Put out by time and the aligner, oldest first; at most a watermark and a status, or the barriers under way. */
  private pending: readonly StreamEvent[] = [];
  private restored: RestoredInput | null = null;
  /** The barrier that alignment has begun with, while it may still overtake. */
  private waiting: { readonly barrier: BarrierEvent; readonly options: CheckpointOptions; readonly channelIndex: number } | null = null;
  private recording: GateRecording | null = null;
  /** Of the runner, while it asks. */
  private inHand: RecordsInHand | null = null;

  /** `unaligned` null: no barrier overtakes. */
  constructor(gate: InputGate, unaligned: UnalignedGate | null = null) {
    this.gate = gate;
    this.time = new GateTime(gate.inputOf);
    this.aligner = new BarrierAligner(gate.channelCount);
    this.unaligned = unaligned;
  }

  get inputIndex(): 0 | 1 {
    return this.restored === null ? this.gate.inputIndex : this.restored.inputIndex;
  }

  /** From now on `listener` hears of barriers. */
  listen(listener: BarrierListener): void {
    this.listener = listener;
  }

  /** Records to be read before all others. No barrier is looked for before they are worked off. */
  restore(restored: RestoredInput): void {
    this.restored = restored;
  }

  poll(batch: RecordBatch): InputResult {
    if (this.pending.length > 0) return this.takePending();
    if (this.restored?.read(batch) === true) return 'records';
    this.restored = null;
    const result = this.gate.poll(batch);
    if (result !== 'event') return result;
    this.combine(this.gate.event);
    return this.pending.length > 0 ? this.takePending() : 'again';
  }

  get overtakes(): boolean {
    return this.unaligned !== null;
  }

  overtaking(batch: RecordBatch, next: number): BarrierEvent | null {
    if (this.unaligned === null || this.restored !== null) return null;
    this.inHand = { batch, next };
    this.hear(this.unaligned);
    this.inHand = null;
    const [first] = this.pending;
    if (first?.kind !== 'barrier') return null;
    this.pending = this.pending.slice(1);
    return first;
  }

  offer(receiver: DirectReceiver | null): void {
    if (receiver === null || (this.pending.length === 0 && this.restored === null)) this.gate.offer(receiver);
  }

  /** The JobManager asks for a checkpoint here, since all producers have finished. Between two records. */
  trigger(barrier: BarrierEvent): void {
    this.apply(this.aligner.onTrigger(barrier, blocks(optionsOf(barrier))));
  }

  /** The JobManager has given a checkpoint up: nothing waits for it any more. Between two records. */
  abort(checkpointId: number): void {
    this.forget(checkpointId);
    this.apply(this.aligner.onAborted(checkpointId));
  }

  private takePending(): 'event' {
    this.event = this.pending[0] ?? null;
    if (this.event?.kind === 'watermark') this.currentWatermarkMs = this.event.timestampMs;
    this.pending = this.pending.slice(1);
    return 'event';
  }

  /** Puts the events of the combined stream that an event of one channel brings about into `pending`. */
  private combine(event: StreamEvent | null): void {
    if (event === null) return;
    const { channelIndex } = this.gate;
    switch (event.kind) {
      case 'watermark':
      case 'status':
        this.pending = this.time.on(channelIndex, event);
        return;
      case 'barrier':
        return this.onBarrier(channelIndex, event);
      case 'end':
        return this.apply(this.aligner.onEnd(channelIndex));
      default:
        this.pending = [event];
    }
  }

  private onBarrier(channelIndex: number, barrier: BarrierEvent): void {
    const options = optionsOf(barrier);
    const { unaligned } = this;
    if (unaligned === null || unaligned.channels[channelIndex]?.overtakes !== true) {
      return this.apply(this.aligner.onBarrier(channelIndex, barrier, blocks(options)));
    }
    if (isDue(options, barrier.timestampMs, unaligned.nowMs())) return this.apply(this.aligner.onOvertaking(channelIndex, barrier, true));
    const outputs = this.aligner.onBarrier(channelIndex, barrier, blocks(options));
    if (options.alignedTimeoutMs !== null && outputs.some(({ kind }) => kind === 'block')) {
      this.waiting = { barrier, options, channelIndex };
      this.listener?.awaitDue(barrier);
    }
    this.apply(outputs);
  }

  /** Looks for barriers that overtake, and for those that a recording waits for. */
  private hear({ nowMs }: UnalignedGate): void {
    for (let told = this.gate.announced(); told !== null; told = this.gate.announced()) {
      this.apply(this.aligner.onOvertaking(told.channelIndex, told.barrier, false));
    }
    const { waiting, recording } = this;
    if (waiting !== null && isDue(waiting.options, waiting.barrier.timestampMs, nowMs())) {
      this.apply(this.aligner.onOvertaking(waiting.channelIndex, waiting.barrier, false));
    }
    for (const channelIndex of recording?.seen() ?? []) {
      if (recording !== null) this.apply(this.aligner.onOvertaking(channelIndex, recording.barrier, false));
    }
  }

  /** Does what the aligner asks for. */
  private apply(outputs: readonly AlignerOutput<BarrierEvent>[]): void {
    for (const output of outputs) {
      switch (output.kind) {
        case 'block':
          this.gate.pause(output.channelIndex);
          break;
        case 'unblock':
          this.gate.resume(output.channelIndex);
          break;
        case 'begun':
          this.listener?.onBegun(output.checkpointId);
          break;
        case 'overtaken':
          this.forget(output.checkpointId);
          this.listener?.onOvertaken(output.checkpointId);
          break;
        case 'taken':
          this.forget(output.barrier.checkpointId);
          this.pending = [...this.pending, output.barrier];
          break;
        case 'takenEarly':
          this.forget(output.barrier.checkpointId);
          this.record(output.barrier, output.recording);
          break;
        case 'recorded':
          this.recording?.end(output.channelIndex);
          break;
        case 'complete':
          this.recording = null;
          this.listener?.onRecorded(output.checkpointId);
          break;
      }
    }
  }

  /** The barrier goes before all but barriers. */
  private record(barrier: BarrierEvent, channelIndices: readonly number[]): void {
    const { channels } = present(this.unaligned, 'barriers overtake where they may');
    const part = present(this.listener, 'a gate is listened to').onEarly(barrier.checkpointId);
    this.recording = new GateRecording(this.gate, barrier, part);
    for (const channelIndex of channelIndices) {
      const inHand = channelIndex === this.gate.channelIndex ? this.inHand : null;
      this.recording.begin(channelIndex, present(channels[channelIndex], 'every channel is known'), inHand);
    }
    const barriers = this.pending.filter(({ kind }) => kind === 'barrier');
    this.pending = [...barriers, barrier, ...this.pending.filter(({ kind }) => kind !== 'barrier')];
  }

  /** Nothing is recorded, or may overtake, any more for this checkpoint. */
  private forget(checkpointId: number): void {
    if (this.waiting?.barrier.checkpointId === checkpointId) this.waiting = null;
    if (this.recording?.barrier.checkpointId !== checkpointId) return;
    this.recording.stop();
    this.recording = null;
  }
}

function optionsOf(barrier: BarrierEvent): CheckpointOptions {
  return JSON.parse(barrier.options) as CheckpointOptions;
}

/** Whether a channel is held back behind the barrier. */
function blocks({ alignment }: CheckpointOptions): boolean {
  return alignment === 'exactly-once';
}
