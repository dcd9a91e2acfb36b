/** The checkpoint coordinator under every order of events, and Flink's rules one by one. */
import test from 'ava';
import fc from 'fast-check';
import {
  CheckpointCoordinatorCore,
  type CheckpointCadence,
  type CheckpointEffect,
  type CheckpointEvent,
  type CheckpointRequest,
} from '../../src/jobmaster/checkpoint-coordinator.core.ts';
import { checkpointPlanOf, type CheckpointPlan } from '../../src/jobmaster/checkpoint-plan.core.ts';
import { ExecutionGraph } from '../../src/jobmaster/execution-graph.core.ts';
import type { JsonObject } from '../../src/protocol/json.ts';
import type { CheckpointMetrics } from '../../src/protocol/checkpoint.ts';
import type { ExecutionAttemptId } from '../../src/protocol/ids.ts';
import type { ExecutionState } from '../../src/protocol/states.ts';
import { lineGraph } from '../testing/job-graphs.ts';

const ERROR = { code: 'INTERNAL' as const, className: 'Error', message: 'thrown', stack: '' };
const METRICS: CheckpointMetrics = {
  startDelayMs: 0, alignmentMs: 0, syncMs: 0, asyncMs: 0, stateSizeBytes: 0, checkpointedSizeBytes: 0, processedBytes: 0,
  persistedBytes: 0, unaligned: false,
};
const CADENCE: CheckpointCadence = { intervalMs: 100, timeoutMs: 1000, minPauseMs: 0, concurrentMax: 1, tolerableFailures: 0 };

/** A coordinator over two vertices of two and one subtasks; what it asks for happens when the test says so. */
class World {
  readonly core: CheckpointCoordinatorCore;
  readonly graph: ExecutionGraph;
  readonly effects: CheckpointEffect[] = [];
  nowMs = 0;
  private round = 0;

  /** `data` of every operator. */
  constructor(cadence: Partial<CheckpointCadence> = {}, data: JsonObject = {}) {
    const jobGraph = lineGraph(1, [2, 1]);
    const vertices = jobGraph.vertices.map((vertex) => ({ ...vertex, operators: vertex.operators.map((operator) => ({ ...operator, data })) }));
    this.graph = new ExecutionGraph({ ...jobGraph, vertices }, 'e', { failuresMax: 16, nowMs: 0 });
    for (const execution of this.graph.executions()) {
      for (const state of ['SCHEDULED', 'DEPLOYING', 'INITIALIZING', 'RUNNING'] as const) this.graph.switchExecution(execution, state, 0);
    }
    this.core = new CheckpointCoordinatorCore({ ...CADENCE, ...cadence }, (atEnd) => this.plan(atEnd));
    this.step({ kind: 'resumed' });
  }

  step(event: CheckpointEvent): readonly CheckpointEffect[] {
    const effects = this.core.step(event, { nowMs: this.nowMs, monotonicMs: this.nowMs });
    this.effects.push(...effects);
    for (const effect of effects) if (effect.kind === 'startPeriod') this.round = effect.round;
    return effects;
  }

  due(): readonly CheckpointEffect[] {
    this.nowMs += 100;
    return this.step({ kind: 'due', round: this.round });
  }

  request(requestId: string, what: Partial<CheckpointRequest> = {}): readonly CheckpointEffect[] {
    return this.step({ kind: 'requested', request: { requestId, kind: 'savepoint', stop: 'no', full: false, targetDirectory: null, format: null, ...what } });
  }

  attempt(subtask: number) {
    const execution = this.graph.executions()[subtask];
    if (!execution) throw new Error('no such subtask');
    return execution;
  }

  ack(checkpointId: number, subtask: number): readonly CheckpointEffect[] {
    return this.step({ kind: 'acknowledged', attemptId: this.attempt(subtask).attemptId, ack: { checkpointId, operators: [], metrics: METRICS } });
  }

  finish(subtask: number): readonly CheckpointEffect[] {
    const execution = this.attempt(subtask);
    if (execution.state === 'RUNNING') this.graph.switchExecution(execution, 'FINISHED', 0);
    return this.step({ kind: 'taskFinished', attemptId: execution.attemptId });
  }

  /** From preparation to the end. */
  complete(checkpointId: number): void {
    this.step({ kind: 'prepared', checkpointId });
    for (const subtask of [0, 1, 2]) if (this.attempt(subtask).state === 'RUNNING') this.ack(checkpointId, subtask);
    this.step({ kind: 'stored', checkpointId });
  }

  ids(kind: 'prepare' | 'completed' | 'aborted' | 'store'): number[] {
    return this.effects.flatMap((effect) => (effect.kind === kind ? [effect.pending.checkpointId] : []));
  }

  answers(): string[] {
    return this.effects.flatMap((effect) => {
      if (effect.kind === 'requestFailed') return [effect.requestId];
      return effect.kind === 'completed' && effect.pending.request ? [effect.pending.request.requestId] : [];
    });
  }

  plan(atEnd: ReadonlySet<ExecutionAttemptId> = new Set()): CheckpointPlan | string {
    return checkpointPlanOf(this.graph.jobGraph, this.graph.executions(), true, atEnd);
  }
}

const id = fc.integer({ min: 1, max: 8 });
const event = fc.oneof(
  fc.constant({ kind: 'due' as const }),
  fc.record({ kind: fc.constantFrom('resumed' as const, 'suspended' as const) }),
  fc.record({ kind: fc.constant('request' as const), stop: fc.constantFrom('no' as const, 'drain' as const), isSavepoint: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('prepared' as const, 'expired' as const), checkpointId: id }),
  fc.record({ kind: fc.constantFrom('ack' as const, 'decline' as const), checkpointId: id, subtask: fc.nat(2) }),
  fc.record({ kind: fc.constantFrom('ackAll' as const, 'settle' as const, 'prepareFailed' as const), checkpointId: id, succeeds: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('endOfData' as const, 'finish' as const), subtask: fc.nat(2) }),
);

type Scripted = typeof event extends fc.Arbitrary<infer E> ? E : never;

function apply(world: World, each: Scripted, storing: Set<number>, requested: string[]): void {
  const before = world.effects.length;
  switch (each.kind) {
    case 'due': world.due(); break;
    case 'request': {
      requested.push(`r${requested.length}`);
      const stop = each.isSavepoint ? each.stop : 'no';
      world.request(`r${requested.length - 1}`, { stop, kind: each.isSavepoint ? 'savepoint' : 'checkpoint' });
      break;
    }
    case 'prepareFailed': world.step({ kind: 'prepareFailed', checkpointId: each.checkpointId, error: ERROR }); break;
    case 'ack': world.ack(each.checkpointId, each.subtask); break;
    case 'decline':
      world.step({ kind: 'declined', attemptId: world.attempt(each.subtask).attemptId, checkpointId: each.checkpointId, error: ERROR });
      break;
    case 'ackAll':
      world.step({ kind: 'prepared', checkpointId: each.checkpointId });
      for (const subtask of [0, 1, 2]) world.ack(each.checkpointId, subtask);
      break;
    case 'settle':
      if (!storing.delete(each.checkpointId)) break;
      world.step(each.succeeds ? { kind: 'stored', checkpointId: each.checkpointId } : { kind: 'storeFailed', checkpointId: each.checkpointId, error: ERROR });
      break;
    case 'endOfData': world.step({ kind: 'endOfData', attemptId: world.attempt(each.subtask).attemptId }); break;
    case 'finish': world.finish(each.subtask); break;
    default: world.step(each);
  }
  for (const effect of world.effects.slice(before)) if (effect.kind === 'store') storing.add(effect.pending.checkpointId);
}

test('Whatever happens: ids rise, each checkpoint ends once, completed ones rise, each request is answered once', (t) => {
  fc.assert(fc.property(fc.array(event, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (events, concurrentMax) => {
    const world = new World({ concurrentMax, tolerableFailures: 2 });
    const storing = new Set<number>();
    const requested: string[] = [];
    for (const each of events) {
      apply(world, each, storing, requested);
      t.true(storing.size <= 1, 'one is stored at a time');
      t.is(world.core.isStoring, storing.size > 0);
    }
    world.step({ kind: 'closed' });
    for (const checkpointId of storing) world.step({ kind: 'stored', checkpointId });
    const prepared = world.ids('prepare');
    t.deepEqual(prepared, prepared.map((_, index) => index + 1));
    t.deepEqual([...world.ids('completed'), ...world.ids('aborted')].toSorted((a, b) => a - b), prepared);
    const completed = world.effects.flatMap((e) => (e.kind === 'completed' && e.pending.kind === 'checkpoint' ? [e.pending.checkpointId] : []));
    t.deepEqual(completed, completed.toSorted((a, b) => a - b));
    t.deepEqual(world.answers().toSorted(), requested.toSorted());
  }), { numRuns: 1000 });
});

test('Periodic checkpoints wait for their turn and for the pause', (t) => {
  const world = new World({ minPauseMs: 150 });
  t.like(world.due(), { 0: { kind: 'startPeriod', delayMs: 100 }, 1: { kind: 'prepare' } });
  t.deepEqual(world.due().map(({ kind }) => kind), ['startPeriod'], 'one at a time');
  world.complete(1);
  t.deepEqual(world.ids('prepare'), [1], 'the pause counts from the completion');
  t.like(world.due(), { 0: { kind: 'startPeriod', delayMs: 50 } });
  world.nowMs += 50;
  world.due();
  t.deepEqual(world.ids('prepare'), [1, 2]);
});

test('Failures in a row beyond the tolerable ones fail the job; a completed checkpoint starts the count anew', (t) => {
  const world = new World({ tolerableFailures: 1 });
  const fail = (checkpointId: number) => {
    world.due();
    world.step({ kind: 'prepared', checkpointId });
    return world.step({ kind: 'declined', checkpointId, attemptId: world.attempt(0).attemptId, error: ERROR });
  };
  t.false(fail(1).some(({ kind }) => kind === 'failJob'));
  world.due();
  world.complete(2);
  t.false(fail(3).some(({ kind }) => kind === 'failJob'));
  t.like(fail(4).find(({ kind }) => kind === 'failJob'), { error: { message: 'Exceeded checkpoint tolerable failure threshold.' } });
});

test('A completed checkpoint subsumes older ones in progress, not savepoints', (t) => {
  const world = new World({ concurrentMax: 3 });
  world.request('s');
  for (const checkpointId of [1, 2, 3]) {
    world.step({ kind: 'prepared', checkpointId });
    world.due();
  }
  for (const subtask of [0, 1, 2]) world.ack(3, subtask);
  world.step({ kind: 'stored', checkpointId: 3 });
  t.deepEqual(world.ids('aborted'), [2]);
  for (const subtask of [0, 1, 2]) world.ack(1, subtask);
  world.step({ kind: 'stored', checkpointId: 1 });
  t.deepEqual(world.answers(), ['s']);
  t.is(world.core.latestCompletedId, 3, 'nobody recovers from a savepoint');
});

test('Acknowledgements count once; what comes after the end is late, unless it is a repetition', (t) => {
  const world = new World();
  world.due();
  world.step({ kind: 'prepared', checkpointId: 1 });
  t.deepEqual(world.ack(1, 0).map(({ kind }) => kind), ['taken']);
  t.deepEqual(world.ack(1, 0), []);
  world.step({ kind: 'expired', checkpointId: 1 });
  t.deepEqual(world.ack(1, 1).map(({ kind }) => kind), ['late']);
  world.due();
  world.complete(2);
  t.deepEqual(world.ack(2, 2), []);
});

test('Checkpoints build on one another, but the first after a restore not on files that belong to others', (t) => {
  const world = new World();
  const incremental = (): boolean[] => world.effects.flatMap((effect) => (effect.kind === 'prepare' ? [effect.pending.incremental] : []));
  for (const checkpointId of [1, 2]) {
    world.due();
    world.complete(checkpointId);
  }
  world.step({ kind: 'restored', checkpointId: 9, owned: false });
  world.due();
  world.complete(10);
  world.due();
  t.deepEqual(incremental(), [true, true, false, true]);
  t.deepEqual(world.ids('prepare'), [1, 2, 10, 11], 'ids go on after what was restored');
});

test('When all tasks have reached their end, the final checkpoint starts at once', (t) => {
  const world = new World();
  for (const subtask of [0, 1]) world.step({ kind: 'endOfData', attemptId: world.attempt(subtask).attemptId });
  t.deepEqual(world.ids('prepare'), []);
  world.finish(0);
  world.step({ kind: 'endOfData', attemptId: world.attempt(2).attemptId });
  t.deepEqual(world.ids('prepare'), [1]);
});

test('After a stop savepoint nothing starts; when it fails, checkpoints go on', (t) => {
  const world = new World();
  world.request('stop', { stop: 'suspend' });
  world.step({ kind: 'prepared', checkpointId: 1 });
  world.due();
  t.deepEqual(world.ids('prepare'), [1]);
  t.like(world.request('late'), { 0: { kind: 'requestFailed', requestId: 'late' } });
  world.step({ kind: 'declined', checkpointId: 1, attemptId: world.attempt(0).attemptId, error: ERROR });
  t.deepEqual(world.answers(), ['late', 'stop']);
  world.due();
  t.deepEqual(world.ids('prepare'), [1, 2]);
});

test('The barrier enters at running tasks that no running task feeds', (t) => {
  const world = new World();
  const triggered = (): string[] => {
    const plan = world.plan();
    return typeof plan === 'string' ? [plan] : plan.toTrigger.map(({ vertex, subtaskIndex }) => `${vertex.name}/${subtaskIndex}`);
  };
  const [first, second, third] = world.graph.executions().map(({ vertex, subtaskIndex }) => `${vertex.name}/${subtaskIndex}`);
  t.deepEqual(triggered(), [first, second]);
  world.finish(0);
  t.deepEqual(triggered(), [second]);
  world.finish(1);
  t.deepEqual(triggered(), [third]);
  const refused: readonly ExecutionState[] = ['CANCELING'];
  for (const state of refused) world.graph.switchExecution(world.attempt(2), state, 0);
  t.deepEqual(triggered(), ['Not all required tasks are currently running.']);
});

test('a barrier that stays with tasks at their end enters behind them', (t) => {
  for (const end of ['endOfData', 'finish'] as const) {
    const world = new World();
    world.finish(0);
    world.due();
    world.step({ kind: 'prepared', checkpointId: 1 });
    world.ack(1, 1);
    const effects = end === 'finish' ? world.finish(1) : world.step({ kind: 'endOfData', attemptId: world.attempt(1).attemptId });
    const triggered = effects.flatMap((effect) => (effect.kind === 'trigger' ? effect.pending.plan.toTrigger : []));
    t.deepEqual(triggered.map(({ attemptId }) => attemptId), [world.attempt(2).attemptId], end);
    world.ack(1, 2);
    t.deepEqual(world.ids('store'), [1]);
  }
});

test('while a part of the tasks with a union list is finished only the last checkpoint is taken, and none counts as failed', (t) => {
  const world = new World({ tolerableFailures: 0 }, { unionState: true });
  world.finish(0);
  const refusals = [...world.due(), ...world.request('r')].flatMap((effect) => {
    return effect.kind === 'notStarted' ? [effect.reason] : effect.kind === 'requestFailed' ? [effect.error.message] : [];
  });
  t.is(refusals.length, 2);
  for (const refusal of refusals) t.regex(refusal, /has used UnionListState, but part of its tasks are FINISHED/);
  t.deepEqual(world.ids('prepare'), []);
  for (const subtask of [1, 2]) world.step({ kind: 'endOfData', attemptId: world.attempt(subtask).attemptId });
  t.deepEqual(world.ids('prepare'), [1], 'the last one');
  t.false(world.effects.some(({ kind }) => kind === 'failJob'));
});
