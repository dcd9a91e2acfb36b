/** The scheduler under every order of events: legal transitions are asserted inside, the end is checked here. */
import test from 'ava';
import fc from 'fast-check';
import type { JobGraph } from '../../src/graph/job-graph.ts';
import { restartStrategyOf } from '../../src/jobmaster/restart-strategy.core.ts';
import { SchedulerCore, type SchedulerEffect, type SchedulerEvent } from '../../src/jobmaster/scheduler.core.ts';
import { ExecutionGraph, NO_METRICS } from '../../src/jobmaster/execution-graph.core.ts';
import type { ErrorInfo } from '../../src/protocol/errors.ts';
import type { AllocationId, ResourceId } from '../../src/protocol/ids.ts';
import { isGloballyTerminal, isTerminalExecutionState, type ExecutionState } from '../../src/protocol/states.ts';
import { lineGraph } from '../testing/job-graphs.ts';

const ERROR = { code: 'USER_CODE' as const, className: 'Error', message: 'thrown', stack: '' };
const REPORTED: readonly ExecutionState[] = ['INITIALIZING', 'RUNNING', 'FINISHED', 'FAILED', 'CANCELED'];

/** A scheduler whose world answers when the test says so. */
class World {
  readonly core: SchedulerCore;
  terminated = 0;
  needed = 0;
  private slots = 0;
  private slotRound = 0;
  private restartRound = 0;
  private restoreRound = 0;

  constructor(attempts: number, jobGraph = lineGraph(1, [2, 1])) {
    const restartStrategy = restartStrategyOf(attempts === 0 ? { kind: 'none' } : { kind: 'fixed-delay', attempts, delayMs: 1 }, () => 0.5);
    this.core = new SchedulerCore({ jobGraph, executionGraphId: 'e', restartStrategy, restoreOf: () => null, hasFinalCheckpoint: false, isStopped: () => false, localState: { backup: false, restore: false }, failuresMax: 3, slotRequestTimeoutMs: 1 }, 0);
  }

  apply(event: SchedulerEvent): readonly SchedulerEffect[] {
    const effects = this.core.step(event, 1);
    for (const effect of effects) {
      if (effect.kind === 'terminated') this.terminated += 1;
      if (effect.kind === 'declareSlots') this.needed = effect.count;
      if (effect.kind === 'startSlotTimer') this.slotRound = effect.round;
      if (effect.kind === 'startRestartTimer') this.restartRound = effect.round;
      if (effect.kind === 'restore') this.restoreRound = effect.round;
    }
    return effects;
  }

  offer(): void {
    const allocationId = `allocation-${this.slots++}` as AllocationId;
    this.apply({ kind: 'slotOffered', slot: { allocationId, location: { resourceId: 'tm' as ResourceId, host: 'h', dataPort: 1, slotIndex: 0 } } });
  }

  report(pick: number, state: ExecutionState, error: ErrorInfo = ERROR): void {
    const executions = this.core.graph.executions();
    const execution = executions[pick % executions.length];
    if (!execution?.location) return;
    const { attemptId, subtaskIndex, generation, vertex, allocationId } = execution;
    const base = { jobId: this.core.graph.jobGraph.jobId, attemptId, vertexId: vertex.id, subtaskIndex, generation };
    const figures = { metrics: NO_METRICS, accumulators: {}, connectedChannels: [], splits: [], checkpoints: { inFlight: [], lastCompletedId: 0, lastAbortedId: 0, stop: null } };
    this.apply({ kind: 'reported', report: { ...base, allocationId: allocationId as AllocationId, state, error: state === 'FAILED' ? error : null, ...figures } });
  }

  timers(): void {
    this.apply({ kind: 'slotTimerFired', round: this.slotRound });
    this.apply({ kind: 'restartTimerFired', round: this.restartRound });
    this.apply({ kind: 'restored', round: this.restoreRound });
  }

  loseSlot(pick: number): void {
    const execution = this.core.graph.executions()[pick % 3];
    if (execution?.allocationId) this.apply({ kind: 'slotLost', allocationId: execution.allocationId, error: ERROR });
  }

  /** TaskManagers do as they are told until the job is over. */
  conclude(): void {
    for (let round = 0; round < 50 && this.terminated === 0; round++) {
      for (let i = 0; i < 2; i++) this.offer();
      for (const [i, { state }] of this.core.graph.executions().entries()) this.report(i, state === 'CANCELING' ? 'CANCELED' : 'FINISHED');
      this.timers();
    }
  }
}

const action = fc.oneof(
  fc.constant({ kind: 'offer' as const }),
  fc.record({ kind: fc.constant('report' as const), pick: fc.nat(2), state: fc.constantFrom(...REPORTED) }),
  fc.record({ kind: fc.constant('loseSlot' as const), pick: fc.nat(2) }),
  fc.constant({ kind: 'timers' as const }),
  fc.constant({ kind: 'cancel' as const }),
  fc.constant({ kind: 'failJob' as const }),
);

test('Whatever happens, every transition is legal and the job ends once, with every attempt terminal', (t) => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), fc.integer({ min: 0, max: 3 }), (actions, attempts) => {
      const world = new World(attempts);
      world.apply({ kind: 'start' });
      for (const each of actions) {
        if (each.kind === 'offer') world.offer();
        else if (each.kind === 'report') world.report(each.pick, each.state);
        else if (each.kind === 'loseSlot') world.loseSlot(each.pick);
        else if (each.kind === 'timers') world.timers();
        else world.apply(each.kind === 'cancel' ? { kind: 'cancel' } : { kind: 'failJob', error: ERROR });
      }
      world.conclude();
      t.is(world.terminated, 1);
      t.true(isGloballyTerminal(world.core.graph.status));
      t.true(world.core.graph.every(({ state }) => isTerminalExecutionState(state)));
      t.is(world.needed, 0, 'slots are given back');
    }),
    { numRuns: 500 },
  );
});

test('Nothing is deployed before every place has a slot', (t) => {
  const world = new World(0);
  world.apply({ kind: 'start' });
  world.offer();
  t.true(world.core.graph.every(({ state }) => state === 'SCHEDULED'));
  world.offer();
  t.true(world.core.graph.every(({ state }) => state === 'DEPLOYING'));
});

test('A canceled job stays canceled when a task fails on the way down', (t) => {
  const world = new World(3);
  world.apply({ kind: 'start' });
  world.offer();
  world.offer();
  for (const i of [0, 1, 2]) world.report(i, 'RUNNING');
  world.apply({ kind: 'cancel' });
  world.report(0, 'FAILED');
  world.conclude();
  t.is(world.core.graph.status, 'CANCELED');
});

/** Several lines that exchange nothing with each other, as one job. */
function islands(shapes: readonly (readonly number[])[]): JobGraph {
  const lines = shapes.map((shape, i) => lineGraph(i + 1, shape));
  const edges = lines.flatMap((line) => line.edges).map((edge, index) => ({ ...edge, index }));
  return { ...lineGraph(1, [1]), vertices: lines.flatMap(({ vertices }) => vertices), edges };
}

const shapes = fc.array(fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 });

test('A failure restarts its pipelined region and nothing else', (t) => {
  fc.assert(
    fc.property(shapes, fc.array(fc.nat(30), { minLength: 1, maxLength: 5 }), (regions, picks) => {
      const world = new World(100, islands(regions));
      const { graph } = world.core;
      const count = graph.executions().length;
      const runAll = (): void => {
        for (let i = 0; i < count; i++) if (graph.executions()[i]?.state === 'DEPLOYING') world.report(i, 'RUNNING');
      };
      world.apply({ kind: 'start' });
      for (let i = 0; i < 3; i++) world.offer();
      runAll();
      for (const pick of picks) {
        const before = graph.executions();
        const failed = before[pick % count];
        const region = regions.flatMap((shape, line) => shape.map(() => line));
        const lineOf = (vertexId: string): number | undefined => region[graph.jobGraph.vertices.findIndex(({ id }) => id === vertexId)];
        world.report(pick, 'FAILED');
        for (const [i, { state }] of graph.executions().entries()) if (state === 'CANCELING') world.report(i, 'CANCELED');
        world.timers();
        runAll();
        t.is(graph.status, 'RUNNING');
        for (const [i, execution] of graph.executions().entries()) {
          const isMeant = lineOf(execution.vertex.id) === lineOf(failed?.vertex.id ?? '');
          t.is(execution.attemptNumber, (before[i]?.attemptNumber ?? 0) + (isMeant ? 1 : 0));
          t.is(execution.state, 'RUNNING');
          if (!isMeant) t.is<unknown, unknown>(execution, before[i], 'the attempt goes on undisturbed');
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('What fails while the job deals with a failure is told beside it; echoes of closed channels are not', (t) => {
  const world = new World(3);
  world.apply({ kind: 'start' });
  for (let i = 0; i < 2; i++) world.offer();
  for (const i of [0, 1, 2]) world.report(i, 'RUNNING');
  world.report(0, 'FAILED');
  world.report(1, 'FAILED');
  world.report(2, 'FAILED', { ...ERROR, code: 'PARTITION_LOST' });
  const { failures } = world.core.graph.details();
  t.deepEqual(failures.map(({ taskName, concurrent }) => [taskName?.slice(0, 21), concurrent.map((each) => each.taskName?.slice(0, 21))]), [
    ['Source: numbers (1/2)', ['Source: numbers (2/2)']],
  ]);
  t.true(world.core.graph.every(({ state }) => isTerminalExecutionState(state)));
});

test('Of the failures of a job the newest are kept, at least one', (t) => {
  const graph = new ExecutionGraph(lineGraph(1, [1]), 'e', { failuresMax: 0, nowMs: 0 });
  for (const timestampMs of [1, 2]) graph.recordFailure({ error: ERROR, timestampMs, taskName: null, location: null });
  t.deepEqual(graph.details().failures.map(({ timestampMs }) => timestampMs), [2]);
  const failure = { error: ERROR, timestampMs: 3, taskName: null, location: null };
  const dropped = Array.from({ length: 100 }, () => graph.recordConcurrentFailure(failure));
  t.deepEqual([dropped[63], dropped[64], dropped[99]], [0, 1, 36], 'what is not kept is counted');
  const [newest] = graph.details().failures;
  t.deepEqual([newest?.concurrent.length, newest?.concurrentDropped], [64, 36]);
});
