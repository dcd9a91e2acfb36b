/** The slot manager against a model of TaskManagers that answer late, refuse, and vanish. */
import test from 'ava';
import fc from 'fast-check';
import type { AllocationId, InstanceId, JobId, ResourceId } from '../../src/protocol/ids.ts';
import type { SlotReport, TaskManagerDescription } from '../../src/protocol/task-manager.ts';
import { SlotManagerCore, type SlotManagerEffect, type SlotManagerEvent } from '../../src/slots/slot-manager.core.ts';

const ERROR = { code: 'TASK_MANAGER_LOST' as const, className: 'ClusterError', message: 'gone', stack: '' };
const JOBS = ['a', 'b', 'c'] as JobId[];
const TASK_MANAGERS = ['x', 'y', 'z'] as ResourceId[];

function description(resourceId: ResourceId, slotCount = 2): TaskManagerDescription {
  return { resourceId, host: 'h', rpcPort: 1, dataPort: 2, slotCount } as TaskManagerDescription;
}

function core(evenlySpreadOut = false): SlotManagerCore {
  let next = 0;
  return new SlotManagerCore({ nextAllocationId: () => `allocation-${next++}` as AllocationId, evenlySpreadOut });
}

function freeSlots(count = 2): SlotReport[] {
  return Array.from({ length: count }, (_, slotIndex) => ({ slotIndex, allocationId: null, jobId: null }));
}

function register(slots: SlotManagerCore, resourceId: ResourceId): SlotManagerEffect[] {
  return slots.step({ kind: 'registered', description: description(resourceId), instanceId: 'i' as InstanceId, slots: freeSlots() });
}

test('Slots are asked of the TaskManagers in the order of their registration, or spread evenly', (t) => {
  const asked = (evenly: boolean): string[] => {
    const slots = core(evenly);
    for (const resourceId of TASK_MANAGERS.slice(0, 2)) register(slots, resourceId);
    const effects = slots.step({ kind: 'declared', jobId: 'a' as JobId, count: 2 });
    return effects.map((effect) => (effect.kind === 'allocateSlot' ? effect.resourceId : effect.kind));
  };
  t.deepEqual(asked(false), ['x', 'x']);
  t.deepEqual(asked(true), ['x', 'y']);
});

test('A shortage is told once, and the job is served when a TaskManager joins', (t) => {
  const slots = core();
  const kinds = (effects: readonly SlotManagerEffect[]): string[] => effects.map(({ kind }) => kind);
  t.deepEqual(kinds(slots.step({ kind: 'declared', jobId: 'a' as JobId, count: 2 })), ['shortage']);
  t.deepEqual(kinds(slots.step({ kind: 'declared', jobId: 'b' as JobId, count: 0 })), []);
  t.deepEqual(kinds(register(slots, 'x' as ResourceId)), ['allocateSlot', 'allocateSlot']);
});

test('A slot that a TaskManager holds for nobody is freed there', (t) => {
  const slots = core();
  const held = [{ slotIndex: 0, allocationId: 'old' as AllocationId, jobId: 'gone' as JobId }];
  const effects = slots.step({ kind: 'registered', description: description('x' as ResourceId, 1), instanceId: 'i' as InstanceId, slots: held });
  t.like(effects[0], { kind: 'freeSlot', allocationId: 'old' });
});

/** What the model of one TaskManager does with the calls that reach it. */
class Model {
  readonly core = core();
  readonly held = new Map<ResourceId, Map<number, { allocationId: AllocationId; jobId: JobId }>>();
  readonly offered = new Map<AllocationId, JobId>();
  private readonly calls: (Extract<SlotManagerEffect, { kind: 'allocateSlot' | 'freeSlot' }>)[] = [];

  apply(event: SlotManagerEvent): void {
    for (const effect of this.core.step(event)) {
      if (effect.kind === 'allocateSlot' || effect.kind === 'freeSlot') this.calls.push(effect);
      if (effect.kind === 'slotOffered') this.offered.set(effect.allocationId, effect.jobId);
      if (effect.kind === 'slotLost' && !this.offered.delete(effect.allocationId)) throw new Error('lost what was never offered');
    }
  }

  register(resourceId: ResourceId): void {
    if (!this.held.has(resourceId)) this.held.set(resourceId, new Map());
    this.apply({ kind: 'registered', description: description(resourceId), instanceId: 'i' as InstanceId, slots: this.report(resourceId) });
  }

  report(resourceId: ResourceId): SlotReport[] {
    const held = this.held.get(resourceId);
    return freeSlots().map(({ slotIndex }) => ({ slotIndex, allocationId: null, jobId: null, ...held?.get(slotIndex) }));
  }

  /** Performs the oldest call; `lost`: its answer does not arrive. */
  answer(lost: boolean): void {
    const call = this.calls.shift();
    if (!call) return;
    const slots = this.held.get(call.resourceId);
    const error = lost || !slots ? ERROR : null;
    if (call.kind === 'allocateSlot') {
      if (slots && !slots.has(call.slotIndex)) slots.set(call.slotIndex, call);
      return this.apply({ kind: 'answered', allocationId: call.allocationId, error });
    }
    for (const [index, { allocationId }] of slots ?? []) if (allocationId === call.allocationId) slots?.delete(index);
    this.apply({ kind: 'freed', allocationId: call.allocationId, error });
  }

  vanish(resourceId: ResourceId): void {
    this.held.delete(resourceId);
    this.apply({ kind: 'unregistered', resourceId, error: ERROR });
  }

  settle(): void {
    for (let round = 0; round < 200; round++) this.answer(false);
    for (const resourceId of this.held.keys()) this.apply({ kind: 'reported', resourceId, slots: this.report(resourceId) });
    for (let round = 0; round < 200; round++) this.answer(false);
  }
}

const action = fc.oneof(
  fc.record({ kind: fc.constant('register' as const), at: fc.constantFrom(...TASK_MANAGERS) }),
  fc.record({ kind: fc.constant('vanish' as const), at: fc.constantFrom(...TASK_MANAGERS) }),
  fc.record({ kind: fc.constant('declare' as const), job: fc.constantFrom(...JOBS), count: fc.integer({ min: 0, max: 4 }) }),
  fc.record({ kind: fc.constant('answer' as const), lost: fc.boolean() }),
);

test('However calls are lost and TaskManagers come and go, no slot leaks and no job holds more than it needs', (t) => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const model = new Model();
      const needed = new Map<JobId, number>();
      for (const each of actions) {
        if (each.kind === 'register') model.register(each.at);
        else if (each.kind === 'vanish') model.vanish(each.at);
        else if (each.kind === 'answer') model.answer(each.lost);
        else model.apply({ kind: 'declared', jobId: each.job, count: (needed.set(each.job, each.count), each.count) });
      }
      for (let i = 0; i < 5; i++) model.settle();
      const held = [...model.held.values()].flatMap((slots) => [...slots.values()]);
      t.is(new Set(held.map(({ allocationId }) => allocationId)).size, held.length);
      for (const job of JOBS) {
        const count = held.filter(({ jobId }) => jobId === job).length;
        if ((needed.get(job) ?? 0) === 0) t.is(count, 0, `job ${job} is over`);
      }
      const total = [...needed.values()].reduce((sum, count) => sum + count, 0);
      t.true(held.length >= Math.min(total, model.held.size * 2), 'what is needed and there is allocated');
    }),
    { numRuns: 300 },
  );
});
