/**
 * Runs one segment: polls its input for a batch or an event, and works it off as far as there is room.
 *
 *     step: no room ─► refresh ─► full            a batch in hand ─► run a stretch of it
 *           else poll ─► records ─► run │ event ─► pass it │ nothing │ end ─► pass `end`
 *
 * A stretch is as many records as take about `STRETCH_MS`, so that a slow user function still yields to
 * its neighbours, and a fast one runs whole batches.
 */
import type { StreamEvent } from '../exchange/contract.ts';
import { NO_TIMESTAMP } from '../graph/functions.ts';
import type { RecordBatch } from '../graph/functions.ts';
import { passEvent, refresh } from './chain.ts';
import type { BatchFunction, Segment } from './chain.ts';

/** Records of a batch: above 512 the loop's own cost is lost in noise (scripts/bench/micro-chain.ts). */
const BATCH_CAPACITY = 1024;
/** How long one stretch aims to take. */
const STRETCH_MS = 1;

export type InputResult = 'records' | 'event' | 'nothing' | 'again' | 'end';

/** What a segment reads. */
export interface RunnerInput {
  /** `again`: nothing came of it, but there is more to do at once. */
  poll(batch: RecordBatch): InputResult;
  /** Input of the last records. */
  readonly inputIndex: 0 | 1;
  /** Event of the last `poll`. */
  readonly event: StreamEvent | null;
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
  recordsIn = 0;
  private readonly batches: readonly [BatchFunction, BatchFunction];
  private readonly input: RunnerInput;
  private readonly monotonicMs: () => number;
  private readonly batch = newBatch();
  /** `batch.values[next..length)` are still to be run. */
  private next = 0;
  private stretch = BATCH_CAPACITY;
  private ended = false;

  constructor(segment: Segment, batches: readonly [BatchFunction, BatchFunction], input: RunnerInput, monotonicMs: () => number) {
    this.segment = segment;
    this.batches = batches;
    this.input = input;
    this.monotonicMs = monotonicMs;
  }

  /** The end has passed through the segment. */
  get hasEnded(): boolean {
    return this.ended;
  }

  step(): StepResult {
    if (this.segment.status.full && !refresh(this.segment)) return 'full';
    if (this.next < this.batch.length) return this.run();
    if (this.ended) return 'ended';
    switch (this.input.poll(this.batch)) {
      case 'records':
        this.next = 0;
        return this.run();
      case 'event':
        return this.pass(this.input.event);
      case 'end':
        return this.pass({ kind: 'end' });
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
    this.next = run(batch.values, batch.timestampsMs, next, Math.min(next + this.stretch, batch.length));
    const tookMs = this.monotonicMs() - startedMs;
    this.recordsIn += this.next - next;
    if (tookMs > 2 * STRETCH_MS) this.stretch = Math.max(1, this.stretch >> 1);
    else if (tookMs < STRETCH_MS / 2 && this.stretch < BATCH_CAPACITY) this.stretch *= 2;
    return 'ran';
  }

  private pass(event: StreamEvent | null): StepResult {
    this.batch.length = this.next = 0;
    if (event === null) return 'ran';
    passEvent(this.segment, event);
    this.ended = event.kind === 'end';
    return 'ran';
  }
}
