/**
 * What the operators of a segment want done between two records: work of their own (timers of processing
 * time, periodic watermarks) and events that they put out. First come, first served, each only with room.
 *
 * Bounded: an operator has one piece of work at a time, and a watermark that nobody has seen yet is replaced
 * by the next of the same operator.
 */
import type { StreamEvent } from '../exchange/contract.ts';
import type { ScheduledWork } from '../state/timer-service.ts';
import type { StreamOperator } from '../operators/operator.ts';
import { assert } from '../base/assert.ts';
import type { Segment } from './chain.ts';

/** `nodeIndex`: whose it is. */
export type Duty =
  | { readonly kind: 'work'; readonly nodeIndex: number; readonly work: ScheduledWork }
  | { readonly kind: 'event'; readonly nodeIndex: number; readonly event: StreamEvent };

/** How one operator reaches the duties of its segment. */
export interface DutyAccess {
  readonly schedule: (work: ScheduledWork) => void;
  readonly emitEvent: (event: StreamEvent) => void;
}

/** More than this many at once is a bug of an operator. */
const DUTIES_MAX = 10_000;

/** The duties of one segment. */
export class SegmentDuties {
  private duties: Duty[] = [];

  get isEmpty(): boolean {
    return this.duties.length === 0;
  }

  schedule(nodeIndex: number, work: ScheduledWork): void {
    this.add({ kind: 'work', nodeIndex, work });
  }

  emitEvent(nodeIndex: number, event: StreamEvent): void {
    const last = this.duties.at(-1);
    const isWatermark = event.kind === 'watermark' && last?.kind === 'event' && last.event.kind === 'watermark';
    if (isWatermark && last.nodeIndex === nodeIndex) this.duties.pop();
    this.add({ kind: 'event', nodeIndex, event });
  }

  /** The oldest. Stays until `done`. */
  get first(): Duty | null {
    return this.duties[0] ?? null;
  }

  done(duty: Duty): void {
    assert(this.duties[0] === duty, 'duties are done in order');
    this.duties.shift();
  }

  private add(duty: Duty): void {
    assert(this.duties.length < DUTIES_MAX, `a segment has at most ${DUTIES_MAX} duties`);
    this.duties.push(duty);
  }
}

/** What `OperatorContext` has of the duties. `wake` makes the task take a turn. */
export function dutyAccess(segment: Segment, operator: StreamOperator, wake: () => void): DutyAccess {
  const nodeIndex = segment.nodes.findIndex((node) => node.operator === operator);
  assert(nodeIndex >= 0, 'an operator has its place in its segment');
  return {
    schedule(work) {
      segment.duties.schedule(nodeIndex, work);
      wake();
    },
    emitEvent(event) {
      segment.duties.emitEvent(nodeIndex, event);
      wake();
    },
  };
}
