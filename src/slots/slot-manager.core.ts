/**
 * Slot manager: which slot of which TaskManager is in the hands of which job. The I/O is in resource-manager.ts.
 *
 * Jobs declare how many slots they need, as a whole; the slot manager allocates free slots until each
 * job has that many, jobs in the order in which they declared. A slot is asked for at its TaskManager and
 * offered to the job only when the TaskManager has agreed.
 *
 *     free → asked → allocated → freeing → free        any → (gone, with its TaskManager)
 *              └────── unsure ──────┘  after a lost answer, until the TaskManager reports again
 *
 * Invariants: an allocation names one slot for its whole life; a slot has at most one allocation; a job is
 * told `slotLost` once for each `slotOffered` that it did not free itself.
 *
 * Source: Flink `FineGrainedSlotManager`, declarative resource management (FLIP-138).
 */
import { assert, present } from '../base/assert.ts';
import type { TaskLocation } from '../protocol/deployment.ts';
import { type ErrorInfo } from '../protocol/errors.ts';
import type { AllocationId, InstanceId, JobId, ResourceId } from '../protocol/ids.ts';
import type { SlotReport, TaskManagerDescription } from '../protocol/task-manager.ts';

export type SlotManagerEvent =
  /** Also a re-registration, which reports anew. */
  | {
    readonly kind: 'registered';
    readonly description: TaskManagerDescription;
    readonly instanceId: InstanceId;
    readonly slots: readonly SlotReport[];
  }
  | { readonly kind: 'unregistered'; readonly resourceId: ResourceId; readonly error: ErrorInfo }
  /** A heartbeat's slots. */
  | { readonly kind: 'reported'; readonly resourceId: ResourceId; readonly slots: readonly SlotReport[] }
  /** How many slots the job needs in all; 0 when it is over. */
  | { readonly kind: 'declared'; readonly jobId: JobId; readonly count: number }
  /** Answer to `allocateSlot`; `error` null: the TaskManager agreed. */
  | { readonly kind: 'answered'; readonly allocationId: AllocationId; readonly error: ErrorInfo | null }
  /** The job gives a slot back. */
  | { readonly kind: 'returned'; readonly allocationId: AllocationId; readonly reason: string }
  /** Answer to `freeSlot`; `error` null: the TaskManager let go. */
  | { readonly kind: 'freed'; readonly allocationId: AllocationId; readonly error: ErrorInfo | null };

export type SlotManagerEffect =
  | {
    readonly kind: 'allocateSlot';
    readonly resourceId: ResourceId;
    readonly slotIndex: number;
    readonly jobId: JobId;
    readonly allocationId: AllocationId;
  }
  | {
    readonly kind: 'freeSlot';
    readonly resourceId: ResourceId;
    readonly jobId: JobId;
    readonly allocationId: AllocationId;
    readonly reason: string;
  }
  | { readonly kind: 'slotOffered'; readonly jobId: JobId; readonly allocationId: AllocationId; readonly location: TaskLocation }
  | { readonly kind: 'slotLost'; readonly jobId: JobId; readonly allocationId: AllocationId; readonly error: ErrorInfo }
  /** Not every declared slot can be allocated now. Told again only when the figures change. */
  | { readonly kind: 'shortage'; readonly jobId: JobId; readonly needed: number; readonly available: number };

interface Slot {
  readonly resourceId: ResourceId;
  readonly index: number;
  state: 'free' | 'asked' | 'allocated' | 'freeing' | 'unsure';
  allocationId: AllocationId | null;
  jobId: JobId | null;
}

interface TaskManagerSlots {
  readonly description: TaskManagerDescription;
  readonly instanceId: InstanceId;
  readonly slots: readonly Slot[];
}

export interface SlotManagerOptions {
  /** Supplies fresh ids; the core draws none itself. */
  readonly nextAllocationId: () => AllocationId;
  /** Flink: `cluster.evenly-spread-out-slots`. False fills TaskManagers in the order of registration, which keeps exchanges local. */
  readonly evenlySpreadOut: boolean;
}

export class SlotManagerCore {
  private readonly options: SlotManagerOptions;
  private readonly taskManagers = new Map<ResourceId, TaskManagerSlots>();
  private readonly needed = new Map<JobId, number>();
  private readonly shortages = new Map<JobId, string>();

  constructor(options: SlotManagerOptions) {
    this.options = options;
  }

  /** Applies one event; returns the effects to perform, in order. Late answers are not errors. */
  step(event: SlotManagerEvent): SlotManagerEffect[] {
    return [...this.apply(event), ...this.allocate()];
  }

  /** Slots of one TaskManager as they are here; null when it is not registered. */
  slotsOf(resourceId: ResourceId): readonly SlotReport[] | null {
    const slots = this.taskManagers.get(resourceId)?.slots;
    return slots?.map(({ index, allocationId, jobId }) => ({ slotIndex: index, allocationId, jobId })) ?? null;
  }

  /** Slots that have no owner, over all TaskManagers. */
  get freeCount(): number {
    return this.allSlots().filter((slot) => slot.state === 'free').length;
  }

  private apply(event: SlotManagerEvent): SlotManagerEffect[] {
    switch (event.kind) {
      case 'registered':
        return this.register(event.description, event.instanceId, event.slots);
      case 'unregistered':
        return this.unregister(event.resourceId, event.error);
      case 'reported':
        return this.reconcile(event.resourceId, event.slots);
      case 'declared':
        return this.declare(event.jobId, event.count);
      case 'answered':
        return this.answer(event.allocationId, event.error);
      case 'returned':
        return this.takeBack(event.allocationId, event.reason);
      case 'freed':
        return this.release(event.allocationId, event.error);
    }
  }

  private register(description: TaskManagerDescription, instanceId: InstanceId, report: readonly SlotReport[]): SlotManagerEffect[] {
    const { resourceId } = description;
    const before = this.taskManagers.get(resourceId);
    const slots = Array.from({ length: description.slotCount }, (_, index) => before?.slots[index] ?? freeSlot(resourceId, index));
    this.taskManagers.set(resourceId, { description, instanceId, slots });
    for (const slot of slots) if (slot.state === 'asked' || slot.state === 'freeing') slot.state = 'unsure';
    return this.reconcile(resourceId, report);
  }

  private unregister(resourceId: ResourceId, error: ErrorInfo): SlotManagerEffect[] {
    const lost = this.taskManagers.get(resourceId)?.slots ?? [];
    this.taskManagers.delete(resourceId);
    return lost.flatMap((slot) => this.tellLost(slot, error));
  }

  /** Makes both views equal: the TaskManager knows what it holds, the slot manager knows who should hold it. */
  private reconcile(resourceId: ResourceId, report: readonly SlotReport[]): SlotManagerEffect[] {
    const slots = this.taskManagers.get(resourceId)?.slots ?? [];
    return report.flatMap((reported) => {
      const slot = slots[reported.slotIndex];
      if (!slot || slot.state === 'asked' || slot.state === 'freeing') return [];
      if (slot.state === 'unsure') clear(slot);
      if (slot.allocationId === reported.allocationId) return [];
      const message = `slot ${slot.index} of TaskManager ${resourceId} does not hold allocation ${slot.allocationId ?? ''} any more`;
      const lost = this.tellLost(slot, { code: 'SLOT_LOST', className: 'ClusterError', message, stack: '' });
      clear(slot);
      return [...lost, ...this.freeUnknown(slot, reported)];
    });
  }

  /** An allocation that nobody here owns: its job is over, or its JobManager was another. */
  private freeUnknown(slot: Slot, reported: SlotReport): SlotManagerEffect[] {
    if (reported.allocationId === null || reported.jobId === null) return [];
    Object.assign(slot, { state: 'freeing', allocationId: reported.allocationId, jobId: reported.jobId });
    return [freeEffect(slot, 'the allocation is not known to the ResourceManager')];
  }

  private declare(jobId: JobId, count: number): SlotManagerEffect[] {
    this.shortages.delete(jobId);
    if (count > 0) {
      this.needed.set(jobId, count);
      return [];
    }
    this.needed.delete(jobId);
    const held = this.allSlots().filter((slot) => slot.jobId === jobId && slot.state === 'allocated');
    return held.map((slot) => this.beginFree(slot, 'the job is over'));
  }

  private answer(allocationId: AllocationId, error: ErrorInfo | null): SlotManagerEffect[] {
    const slot = this.find(allocationId);
    if (slot?.state !== 'asked') return [];
    const jobId = present(slot.jobId, 'a slot that was asked for has a job');
    slot.state = error ? 'unsure' : 'allocated';
    if (error) return [];
    if (this.countOf(jobId) > (this.needed.get(jobId) ?? 0)) return [this.beginFree(slot, 'the job does not need it any more')];
    return [{ kind: 'slotOffered', jobId, allocationId, location: this.locationOf(slot) }];
  }

  private takeBack(allocationId: AllocationId, reason: string): SlotManagerEffect[] {
    const slot = this.find(allocationId);
    return slot?.state === 'allocated' ? [this.beginFree(slot, reason)] : [];
  }

  private release(allocationId: AllocationId, error: ErrorInfo | null): SlotManagerEffect[] {
    const slot = this.find(allocationId);
    if (slot?.state !== 'freeing') return [];
    if (error) slot.state = 'unsure';
    else clear(slot);
    return [];
  }

  /** Gives free slots to the jobs that lack some, oldest declaration first. */
  private allocate(): SlotManagerEffect[] {
    const effects: SlotManagerEffect[] = [];
    for (const [jobId, needed] of this.needed) {
      for (let held = this.countOf(jobId); held < needed; held++) {
        const slot = this.bestFree();
        if (!slot) {
          effects.push(...this.tellShortage(jobId, needed, held));
          break;
        }
        effects.push(this.ask(slot, jobId));
      }
    }
    return effects;
  }

  private ask(slot: Slot, jobId: JobId): SlotManagerEffect {
    const allocationId = this.options.nextAllocationId();
    assert(slot.state === 'free', 'only a free slot is asked for');
    Object.assign(slot, { state: 'asked', jobId, allocationId });
    return { kind: 'allocateSlot', resourceId: slot.resourceId, slotIndex: slot.index, jobId, allocationId };
  }

  private tellShortage(jobId: JobId, needed: number, available: number): SlotManagerEffect[] {
    const figures = `${needed}/${available}`;
    if (this.shortages.get(jobId) === figures) return [];
    this.shortages.set(jobId, figures);
    return [{ kind: 'shortage', jobId, needed, available }];
  }

  private bestFree(): Slot | undefined {
    const candidates = [...this.taskManagers.values()].filter(({ slots }) => slots.some(isFree));
    const usedShare = ({ slots }: TaskManagerSlots): number => slots.filter((slot) => !isFree(slot)).length / slots.length;
    if (this.options.evenlySpreadOut) candidates.sort((a, b) => usedShare(a) - usedShare(b));
    return candidates[0]?.slots.find(isFree);
  }

  private beginFree(slot: Slot, reason: string): SlotManagerEffect {
    slot.state = 'freeing';
    return freeEffect(slot, reason);
  }

  private tellLost(slot: Slot, error: ErrorInfo): SlotManagerEffect[] {
    const { jobId, allocationId } = slot;
    if (slot.state !== 'allocated' || jobId === null || allocationId === null) return [];
    return [{ kind: 'slotLost', jobId, allocationId, error }];
  }

  private countOf(jobId: JobId): number {
    return this.allSlots().filter((slot) => slot.jobId === jobId && (slot.state === 'asked' || slot.state === 'allocated')).length;
  }

  private locationOf(slot: Slot): TaskLocation {
    const { description } = present(this.taskManagers.get(slot.resourceId), 'a slot has a TaskManager');
    const { resourceId, host, dataPort } = description;
    return { resourceId, host, dataPort, slotIndex: slot.index };
  }

  private find(allocationId: AllocationId): Slot | undefined {
    return this.allSlots().find((slot) => slot.allocationId === allocationId);
  }

  private allSlots(): Slot[] {
    return [...this.taskManagers.values()].flatMap(({ slots }) => slots);
  }
}

function freeSlot(resourceId: ResourceId, index: number): Slot {
  return { resourceId, index, state: 'free', allocationId: null, jobId: null };
}

function clear(slot: Slot): void {
  Object.assign(slot, { state: 'free', allocationId: null, jobId: null });
}

function isFree(slot: Slot): boolean {
  return slot.state === 'free';
}

function freeEffect(slot: Slot, reason: string): SlotManagerEffect {
  const jobId = present(slot.jobId, 'a slot that is freed has a job');
  const allocationId = present(slot.allocationId, 'a slot that is freed has an allocation');
  return { kind: 'freeSlot', resourceId: slot.resourceId, jobId, allocationId, reason };
}
