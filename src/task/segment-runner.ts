/**
 * Runs one segment: polls its input for a batch or an event, and works it off as far as there is room. While
 * it has nothing in hand, and has been seen not to be slow, it lends itself to a producer in the same slot
 * (direct-entry.ts); behind a slow one the queue fills, and its producer is seen as back-pressured.
 *
 *     step: a barrier overtakes ─► pass it         what is in hand stays there, and in the checkpoint
 *           no room ─► refresh ─► full            an event under way ─► pass it further
 *                                                 duties of operators ─► the next
 *                                                 a batch in hand ─► run a stretch of it
 *           else poll ─► records ─► run │ event ─► pass it │ nothing │ end ─► pass `end`
 *
 * A stretch is as many records (or calls of operators, for events) as take about `STRETCH_MS`, so that a slow
 * user function still yields to its neighbours, and a fast one runs whole batches. Nothing else of the
 * segment runs while an event is under way.
 */
import type { BarrierEvent, DirectReceiver, StreamEvent } from '../exchange/contract.ts';
import { NO_TIMESTAMP } from '../graph/functions.ts';
import type { RecordBatch } from '../graph/functions.ts';
import { operatorFailure } from '../operators/failure.ts';
import type { BarrierPassage } from './barrier-passage.ts';
import { holdsNothing, refresh } from './chain.ts';
import type { Segment, SegmentFunctions } from './chain.ts';
import { DirectEntry } from './direct-entry.ts';
import { EventPass } from './event-pass.ts';
import type { Duty } from './segment-duties.ts';
import type { EventWithin } from './source-watermarks.ts';
import type { ScheduledWork } from '../state/timer-service.ts';

/** Records of a batch: above 512 the loop's own cost is lost in noise (scripts/bench/micro-chain.ts). */
const BATCH_CAPACITY = 1024;
/** How long one stretch aims to take. */
const STRETCH_MS = 1;
/** Records of the first stretch: few, since nobody knows yet what one costs, and while it runs the slot reports nothing. */
const STRETCH_INITIAL = 16;
/** Calls of operators in the first stretch of an event. */
const CALLS_INITIAL = 16;
const CALLS_MAX = 4096;

export type InputResult = 'records' | 'event' | 'nothing' | 'again' | 'end';

/** What a segment reads. */
export interface RunnerInput {
  /** `again`: nothing came of it, but there is more to do at once. */
  poll(batch: RecordBatch): InputResult;
  /** Input of the last records. */
  readonly inputIndex: 0 | 1;
  /** Event of the last `poll`. */
  readonly event: StreamEvent | null;
  /** Events that belong within the records of the last `poll`, in order. */
  readonly within?: readonly EventWithin[] | undefined;
  /** Barriers may overtake: `overtaking` is asked at every step. */
  readonly overtakes?: boolean;
  /**
   * A barrier that overtakes `batch.values[next..length)`, which is still in hand, and whatever is still to be polled; null:
   * none. What it overtakes is kept for the checkpoint.
   */
  overtaking?(batch: RecordBatch, next: number): BarrierEvent | null;
  /** See `InputGate.offer`. */
  offer?(receiver: DirectReceiver | null): void;
}

/** What a step did. `idle`: no input; `full`: no room. */
export type StepResult = 'ran' | 'idle' | 'full' | 'ended';

/** An empty batch. */
export function newBatch(): RecordBatch {
  const timestampsMs = Array.from({ length: BATCH_CAPACITY }, () => NO_TIMESTAMP);
  return { values: Array.from({ length: BATCH_CAPACITY }), timestampsMs, length: 0, capacity: BATCH_CAPACITY };
}

/** One segment at work. */
export class SegmentRunner {
  readonly segment: Segment;
  private recordsRun = 0;
  private readonly entry: DirectEntry;
  private readonly batches: SegmentFunctions['batches'];
  private readonly input: RunnerInput;
  private readonly monotonicMs: () => number;
  private readonly batch = newBatch();
  /** `batch.values[next..length)` are still to be run. */
  private next = 0;
  private passedWithin = 0;
  /** Records have been seen to take little time. Once told so, the channel waits for offers, so this stays. */
  private isQuick = false;
  private stretch = STRETCH_INITIAL;
  private readonly pass: EventPass;
  private calls = CALLS_INITIAL;
  private ended = false;

  /** `passage` null: barriers only pass. */
  constructor(
    segment: Segment,
    functions: SegmentFunctions,
    input: RunnerInput,
    monotonicMs: () => number,
    passage: BarrierPassage | null = null,
  ) {
    this.segment = segment;
    this.batches = functions.batches;
    this.input = input;
    this.monotonicMs = monotonicMs;
    this.pass = new EventPass(segment, passage);
    this.entry = new DirectEntry(segment, functions.record);
  }

  /** Records that an operator has had. */
  get recordsIn(): number {
    return this.recordsRun + this.entry.recordsIn;
  }

  /** The end has passed through the segment. */
  get hasEnded(): boolean {
    return this.ended;
  }

  /** The input has ended; the end may still be on its way through. Nothing that comes in now is read. */
  get isEnding(): boolean {
    return this.ended || this.pass.current?.kind === 'end';
  }

  step(): StepResult {
    this.input.offer?.(null);
    const wasHanded = this.entry.settle();
    const result = this.takeOvertaking() ?? this.advance();
    this.isQuick ||= this.stretch > STRETCH_INITIAL;
    if (this.isQuick && this.input.offer !== undefined && this.isFree()) this.input.offer(this.entry);
    return result === 'idle' && wasHanded ? 'ran' : result;
  }

  /** Nothing is under way, and there is room. */
  private isFree(): boolean {
    const { duties, status } = this.segment;
    return this.next >= this.batch.length && this.pass.current === null && duties.isEmpty && !status.full && !this.ended;
  }

  /** Null: there is no such barrier, or it cannot be taken now. */
  private takeOvertaking(): StepResult | null {
    const { input, segment, pass } = this;
    if (input.overtakes !== true || pass.current !== null || this.ended) return null;
    if (segment.status.full && !holdsNothing(segment)) return null;
    const barrier = input.overtaking?.(this.batch, this.next) ?? null;
    if (barrier === null) return null;
    pass.begin(barrier);
    return this.passFurther(barrier);
  }

  private advance(): StepResult {
    if (this.segment.status.full && !this.pass.passesFull && !refresh(this.segment)) return 'full';
    if (this.pass.current !== null) return this.passFurther(this.pass.current);
    if (this.ended) return 'ended';
    const duty = this.segment.duties.first;
    if (duty !== null) return this.perform(duty);
    const within = this.takeWithin();
    if (within !== null) {
      this.pass.begin(within);
      return this.passFurther(within);
    }
    if (this.next < this.batch.length) return this.run();
    switch (this.input.poll(this.batch)) {
      case 'records':
        this.next = this.passedWithin = 0;
        return this.run();
      case 'event':
        return this.begin(this.input.event);
      case 'end':
        return this.begin({ kind: 'end' });
      case 'again':
        return 'ran';
      case 'nothing':
        return 'idle';
    }
  }

  private run(): StepResult {
    const { batch, next } = this;
    const startedMs = this.monotonicMs();
    const run = this.batches[this.input.inputIndex];
    const to = this.input.within?.[this.passedWithin]?.behind ?? batch.length;
    this.next = run(batch.values, batch.timestampsMs, next, Math.min(next + this.stretch, to));
    const tookMs = this.monotonicMs() - startedMs;
    this.recordsRun += this.next - next;
    if (tookMs > 2 * STRETCH_MS) this.stretch = Math.max(1, this.stretch >> 1);
    else if (tookMs < STRETCH_MS / 2 && this.stretch < BATCH_CAPACITY) this.stretch *= 2;
    return 'ran';
  }

  /** The event that belongs between the records run and the next. */
  private takeWithin(): StreamEvent | null {
    const within = this.input.within?.[this.passedWithin];
    if (within === undefined || within.behind > this.next) return null;
    this.passedWithin++;
    return within.event;
  }

  private begin(event: StreamEvent | null): StepResult {
    this.batch.length = this.next = 0;
    if (event === null) return 'ran';
    this.pass.begin(event);
    return this.passFurther(event);
  }

  private passFurther(event: StreamEvent): StepResult {
    const isThrough = this.timed(() => this.pass.advance(this.calls));
    if (isThrough && event.kind === 'end') this.ended = true;
    return 'ran';
  }

  private perform(duty: Duty): StepResult {
    const { duties, nodes } = this.segment;
    if (duty.kind === 'event') {
      duties.done(duty);
      this.pass.beginAfter(duty.nodeIndex, duty.event);
      return this.passFurther(duty.event);
    }
    try {
      if (this.timed(() => this.workOff(duty.work))) duties.done(duty);
    } catch (thrown) {
      throw operatorFailure(nodes[duty.nodeIndex]?.operator.name ?? '', thrown);
    }
    return 'ran';
  }

  /** True once the work is done. */
  private workOff(work: ScheduledWork): boolean {
    for (let made = 0; made < this.calls && !this.segment.status.full; made++) if (work() !== 'more') return true;
    return false;
  }

  /** Fits the number of calls to the time that they take. */
  private timed(action: () => boolean): boolean {
    const startedMs = this.monotonicMs();
    const isDone = action();
    const tookMs = this.monotonicMs() - startedMs;
    if (tookMs > 2 * STRETCH_MS) this.calls = Math.max(1, this.calls >> 1);
    else if (!isDone && tookMs < STRETCH_MS / 2 && this.calls < CALLS_MAX) this.calls *= 2;
    return isDone;
  }
}
