/**
 * Slot pool of one job: turns offered slots into places for its subtasks, all at once.
 *
 * With slot sharing, one slot holds one subtask of each vertex of a sharing group, so a group needs as many
 * slots as its widest vertex. Such a place is a `SharedSlot`; subtask i of every vertex of group g lives in (g, i).
 *
 * Invariants: a slot serves one place, a place has at most one slot; `fulfilled` is said once per request,
 * when every place has a slot; slots stay with their places across restarts.
 *
 * Source: Flink `SlotSharingExecutionSlotAllocator`, `DeclarativeSlotPool`.
 */
import { assert } from '../base/assert.ts';
import type { JobGraph } from '../graph/job-graph.ts';
import type { TaskLocation } from '../protocol/deployment.ts';
import type { AllocationId } from '../protocol/ids.ts';

/** `<group>/<index>`. */
export type SharedSlotId = string & { readonly __brand: 'SharedSlotId' };

/** The place of a subtask. */
export function sharedSlotOf(slotSharingGroup: string, subtaskIndex: number): SharedSlotId {
  return `${slotSharingGroup}/${subtaskIndex}` as SharedSlotId;
}

/** All places of a job, group by group. */
export function sharedSlotsOf(jobGraph: JobGraph): readonly SharedSlotId[] {
  const widths = new Map<string, number>();
  for (const { slotSharingGroup, parallelism } of jobGraph.vertices) {
    widths.set(slotSharingGroup, Math.max(parallelism, widths.get(slotSharingGroup) ?? 0));
  }
  return [...widths].flatMap(([group, width]) => Array.from({ length: width }, (_, index) => sharedSlotOf(group, index)));
}

/** A slot in the job's hands. */
export interface PooledSlot {
  readonly allocationId: AllocationId;
  readonly location: TaskLocation;
}

export type SlotPoolEvent =
  /** Asks for a slot in every place. `round` rises with each request and marks its timer. */
  | { readonly kind: 'requested'; readonly round: number }
  | { readonly kind: 'offered'; readonly slot: PooledSlot }
  | { readonly kind: 'lost'; readonly allocationId: AllocationId }
  | { readonly kind: 'timedOut'; readonly round: number }
  /** The job has other places now. Slots of places that are gone move to new ones, or go back. */
  | { readonly kind: 'resized'; readonly places: readonly SharedSlotId[] }
  /** The job is over, or gives up waiting. */
  | { readonly kind: 'closed' };

export type SlotPoolEffect =
  | { readonly kind: 'declareSlots'; readonly count: number }
  | { readonly kind: 'startSlotTimer'; readonly round: number }
  | { readonly kind: 'fulfilled' }
  | { readonly kind: 'unfulfilled'; readonly needed: number; readonly available: number }
  | { readonly kind: 'returnSlot'; readonly allocationId: AllocationId };

export class SlotPoolCore {
  private places: Map<SharedSlotId, PooledSlot | null>;
  private waitingRound: number | null = null;
  private closed = false;

  constructor(places: readonly SharedSlotId[]) {
    this.places = new Map(places.map((place) => [place, null]));
  }

  /** Applies one event; returns the effects to perform, in order. */
  step(event: SlotPoolEvent): SlotPoolEffect[] {
    switch (event.kind) {
      case 'requested':
        return this.request(event.round);
      case 'offered':
        return this.take(event.slot);
      case 'lost':
        return this.lose(event.allocationId);
      case 'timedOut':
        return this.expire(event.round);
      case 'resized':
        return this.resize(event.places);
      case 'closed':
        return this.close();
    }
  }

  /** The slot of a place, or null while it has none. */
  slotAt(place: SharedSlotId): PooledSlot | null {
    return this.places.get(place) ?? null;
  }

  /** The places that a slot serves: one, or none when it is not in the pool. */
  placeOf(allocationId: AllocationId): SharedSlotId | null {
    for (const [place, slot] of this.places) if (slot?.allocationId === allocationId) return place;
    return null;
  }

  private request(round: number): SlotPoolEffect[] {
    assert(!this.closed, 'slots are not requested for a job that is over');
    this.waitingRound = round;
    const declare: SlotPoolEffect = { kind: 'declareSlots', count: this.places.size };
    const complete = this.whenComplete();
    return complete.length > 0 ? [declare, ...complete] : [declare, { kind: 'startSlotTimer', round }];
  }

  private take(slot: PooledSlot): SlotPoolEffect[] {
    const place = this.closed ? undefined : [...this.places].find(([, held]) => held === null)?.[0];
    if (place === undefined) return [{ kind: 'returnSlot', allocationId: slot.allocationId }];
    this.places.set(place, slot);
    return this.whenComplete();
  }

  private lose(allocationId: AllocationId): SlotPoolEffect[] {
    const place = this.placeOf(allocationId);
    if (place !== null) this.places.set(place, null);
    return [];
  }

  private expire(round: number): SlotPoolEffect[] {
    if (this.waitingRound !== round) return [];
    this.waitingRound = null;
    return [{ kind: 'unfulfilled', needed: this.places.size, available: this.heldCount }];
  }

  private resize(places: readonly SharedSlotId[]): SlotPoolEffect[] {
    const before = this.places;
    this.places = new Map(places.map((place) => [place, before.get(place) ?? null]));
    const homeless = [...before].flatMap(([place, slot]) => (slot === null || this.places.has(place) ? [] : [slot]));
    return homeless.flatMap((slot) => this.take(slot));
  }

  private close(): SlotPoolEffect[] {
    if (this.closed) return [];
    this.closed = true;
    this.waitingRound = null;
    for (const place of this.places.keys()) this.places.set(place, null);
    return [{ kind: 'declareSlots', count: 0 }]; // Which frees every slot that the job holds.
  }

  private whenComplete(): SlotPoolEffect[] {
    if (this.waitingRound === null || this.heldCount < this.places.size) return [];
    this.waitingRound = null;
    return [{ kind: 'fulfilled' }];
  }

  /** Slots that the job has. */
  get heldCount(): number {
    return [...this.places.values()].filter((slot) => slot !== null).length;
  }
}
