/** Checkpoints of whole jobs inside slots: barriers from sources to sinks, state into files, and back. */
import { readdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { StreamExecutionEnvironment } from '../../src/api/environment.ts';
import type { JobGraph } from '../../src/graph/job-graph.ts';
import { keyGroupRangeOf } from '../../src/graph/key-groups.ts';
import { state, t as types } from '../../src/index.ts';
import type { PollResult, RecordBatch, Sink, Source, SourceReader, SourceSplit } from '../../src/graph/functions.ts';
import type { CheckpointOptions, OperatorSubtaskState, TaskCheckpointAck, TaskRestore } from '../../src/protocol/checkpoint.ts';
import type { TaskDeployment } from '../../src/protocol/deployment.ts';
import { start } from './slot-fixture.ts';
import type { RunningJob } from './slot-fixture.ts';

const OPTIONS: CheckpointOptions = {
  kind: 'checkpoint', alignment: 'exactly-once', unaligned: false, alignedTimeoutMs: null, incremental: false, stop: 'no', format: null,
  directory: null, sharedDirectory: null, inlineSizeBytesMax: 20_480,
};

/** Restores each subtask from its own part: the parallelism is the same. */
function from(acks: readonly TaskCheckpointAck[]): (task: TaskDeployment) => TaskRestore {
  return ({ subtaskIndex }) => {
    const operators = acks.flatMap((ack) => ack.operators).filter((state) => state.subtaskIndex === subtaskIndex);
    const formerParallelism = Object.fromEntries(acks.flatMap((ack) => ack.operators).map(({ operatorId }) =>
      [operatorId, acks.flatMap((ack) => ack.operators).filter((state) => state.operatorId === operatorId).length]));
    return { checkpointId: 1, operators, formerParallelism };
  };
}

function directory(t: ExecutionContext): string {
  const made = mkdtempSync(join(tmpdir(), 'drey-checkpoints-'));
  t.teardown(() => rmSync(made, { recursive: true }));
  return made;
}

/** Position of a sequence's only split. */
function nextOf(state: OperatorSubtaskState | undefined): number {
  const text = Buffer.from(state?.operator?.kind === 'inline' ? state.operator.base64 : '', 'base64').toString();
  return (JSON.parse(text) as { next: number }[])[0]?.next ?? 0;
}

for (const codegen of ['on', 'off']) {
  test(`a barrier passes chains, shuffles and asyncMap, and every subtask acknowledges (codegen ${codegen})`, async (t) => {
    const running = await start(t, (env) => {
      env.setParallelism(2);
      env.fromSequence(1, Number.MAX_SAFE_INTEGER).map((n) => n + 1).rebalance()
        .asyncMap(async (n) => n, { capacity: 10 }).filter((n) => n > 0).rebalance().flatMap((n) => [n, n]).discard({ fold: true });
    }, { slots: 2, configuration: { 'pipeline.codegen': codegen } });
    await running.until(() => running.states.filter(({ state }) => state === 'RUNNING').length === 6, 'all run');
    for (const checkpointId of [1, 2, 3]) {
      running.trigger(checkpointId, OPTIONS);
      const acks = await running.acknowledged(checkpointId);
      t.is(acks.flatMap(({ operators }) => operators).length, 2, 'the sources have state');
      for (const { metrics } of acks) t.true(metrics.startDelayMs >= 0 && metrics.alignmentMs >= 0 && metrics.asyncMs >= 0);
    }
    t.deepEqual(running.declines, []);
  });
}

test('a source goes on where its barrier was: what was sent before and what follows are all there is', async (t) => {
  const total = 3_000_000;
  const run = async (restore?: (task: TaskDeployment) => TaskRestore) => start(t, (env) => {
    env.setParallelism(2);
    env.fromSequence(1, total).rebalance().map((n) => n).discard({ fold: true }).name('out');
  }, { slots: 2, ...(restore === undefined ? {} : { restore }) });
  const first = await run();
  await first.until(() => first.states.filter(({ state }) => state === 'RUNNING').length === 4, 'all run');
  first.trigger(1, OPTIONS);
  const acks = await first.acknowledged(1);
  first.cancel();
  const splits = acks.flatMap(({ operators }) => operators).map(({ operator }) =>
    JSON.parse(Buffer.from(operator?.kind === 'inline' ? operator.base64 : '', 'base64').toString()) as { next: number; to: number }[]);
  const left = splits.flat().reduce((sum, { next, to }) => sum + to - next + 1, 0);
  t.true(left > 0 && left <= total);
  const second = await run(from(acks));
  await second.finished();
  t.is(second.accumulators['out.count'], String(left));
});

test('small state travels inline, larger state in files that are named by attempt and checkpoint', async (t) => {
  const at = directory(t);
  const running = await start(t, (env) => {
    env.setParallelism(1);
    env.fromSequence(1, Number.MAX_SAFE_INTEGER).rebalance().discard();
  });
  await running.until(() => running.states.filter(({ state }) => state === 'RUNNING').length === 2, 'all run');
  running.trigger(1, { ...OPTIONS, directory: at });
  t.is((await running.acknowledged(1)).flatMap(({ operators }) => operators)[0]?.operator?.kind, 'inline');
  t.deepEqual(readdirSync(at), []);
  running.trigger(2, { ...OPTIONS, directory: at, inlineSizeBytesMax: 1 });
  const [state] = (await running.acknowledged(2)).flatMap(({ operators }) => operators);
  t.is(state?.operator?.kind, 'file');
  t.deepEqual(readdirSync(at), [`${running.attempts[0]!.task.attemptId}-2-0`]);
});

/** A source whose position cannot be told now and then. */
function failingSource(fails: () => boolean): Source<number> {
  const reader: SourceReader<number> = {
    poll: (batch: RecordBatch<number>): PollResult => {
      batch.values[0] = 1;
      batch.timestampsMs[0] = 0;
      batch.length = 1;
      return 'more';
    },
    available: () => Promise.resolve(),
    addSplits: () => undefined,
    noMoreSplits: () => undefined,
    snapshot: () => {
      if (fails()) throw new RangeError('no position');
      return [];
    },
    close: () => undefined,
  };
  return {
    name: 'failing', boundedness: 'unbounded',
    createEnumerator: () => { throw new Error('not here'); },
    createReader: () => reader,
  };
}

test('a snapshot that throws declines the checkpoint by name, and the task runs on', async (t) => {
  let fails = false;
  const running = await start(t, (env) => {
    env.fromSource(failingSource(() => fails), { name: 'positions' }).rebalance().discard();
  });
  await running.until(() => running.states.filter(({ state }) => state === 'RUNNING').length === 2, 'all run');
  fails = true;
  running.trigger(1, OPTIONS);
  await running.until(() => running.declines.length === 1, 'it is declined');
  t.regex(running.declines[0]!.error.message, /positions.*no position/);
  await running.until(() => running.acks.length === 1, 'the sink got the barrier all the same');
  fails = false;
  running.trigger(2, OPTIONS);
  await running.acknowledged(2);
  t.deepEqual(running.finals, []);
});

/** What the outside of a two-phase sink has seen. */
interface Outside {
  readonly committed: unknown[];
  readonly commits: (readonly unknown[])[];
  prepares: number;
}

/** Buffers what is written; a commit shows it. */
function committingSink(outside: Outside): Sink<number, readonly number[], number> {
  return {
    name: 'committing',
    createWriter: ({ restored }) => {
      let written: number[] = [];
      let total = restored.reduce((sum, one) => sum + one, 0);
      return {
        // Slow, so that an endless source does not fill the memory.
        write: (value) => (written.push(value) % 100 === 0 ? new Promise((resolve) => setImmediate(resolve)) : undefined),
        flush: () => Promise.resolve(),
        prepareCommit: () => {
          outside.prepares++;
          total += written.length;
          const ready = written;
          written = [];
          return ready.length === 0 ? [] : [ready];
        },
        snapshot: () => total,
        close: () => undefined,
      };
    },
    createCommitter: () => ({
      commit: async (committables) => {
        outside.commits.push(committables);
        outside.committed.push(...committables.flat());
      },
    }),
  };
}

const newOutside = (): Outside => ({ committed: [], commits: [], prepares: 0 });
const CHECKPOINTED = { 'execution.checkpointing.interval': '1 h' };
const runningTasks = (running: RunningJob): number => running.states.filter(({ state }) => state === 'RUNNING').length;

test('a sink commits what a checkpoint holds once it is complete, and what a savepoint holds with the next one', async (t) => {
  const outside = newOutside();
  const running = await start(t, (env) => {
    env.fromSequence(1, Number.MAX_SAFE_INTEGER).sinkTo(committingSink(outside));
  }, { configuration: CHECKPOINTED });
  await running.until(() => runningTasks(running) === 1, 'it runs');
  running.trigger(1, { ...OPTIONS, kind: 'savepoint' });
  await running.acknowledged(1);
  running.trigger(2, OPTIONS);
  const [, sink] = (await running.acknowledged(2)).flatMap(({ operators }) => operators);
  t.deepEqual(outside.committed, []);
  const state = JSON.parse(Buffer.from(sink?.operator?.kind === 'inline' ? sink.operator.base64 : '', 'base64').toString()) as { writer: { state: number }; committables: number[][] };
  t.is(state.committables.flat().length, state.writer.state, 'both are in the state');
  running.checkpoints.complete(running.attempts[0]!.task.attemptId, 2);
  await running.until(() => outside.committed.length === state.writer.state, 'both are committed');
  t.deepEqual(outside.committed.slice(0, 3), [1, 2, 3]);
});

test('at the end of the input a sink waits for its final checkpoint, and commits before it finishes', async (t) => {
  const outside = newOutside();
  const running = await start(t, (env) => {
    env.fromSequence(1, 100).rebalance().sinkTo(committingSink(outside));
  }, { configuration: CHECKPOINTED });
  await running.until(() => running.ended.length === 1, 'the sink tells that no data is left');
  await running.until(() => running.finals.length === 1, 'the source has finished');
  t.deepEqual(outside.committed, []);
  const sink = running.attempts[1]!.task.attemptId;
  running.checkpoints.trigger(sink, 1, 0, OPTIONS);
  await running.until(() => running.acks.length === 1, 'it takes the checkpoint all the same');
  t.is(running.finals.length, 1);
  running.checkpoints.complete(sink, 1);
  await running.finished();
  t.is(outside.committed.length, 100);
});

test('without checkpoints a sink commits at the end by itself', async (t) => {
  const outside = newOutside();
  const running = await start(t, (env) => {
    env.fromSequence(1, 100).sinkTo(committingSink(outside));
  });
  await running.finished();
  t.is(outside.committed.length, 100);
  t.is(outside.commits.length, 1);
});

test('what was prepared before a failure is committed on the restore, and the writer goes on', async (t) => {
  const build = (outside: Outside, last: number) => (env: StreamExecutionEnvironment) => {
    env.fromSequence(1, last).sinkTo(committingSink(outside)).uid('sink');
  };
  const first = newOutside();
  const running = await start(t, build(first, Number.MAX_SAFE_INTEGER), { configuration: CHECKPOINTED });
  await running.until(() => runningTasks(running) === 1, 'it runs');
  running.trigger(1, OPTIONS);
  await running.acknowledged(1);
  running.trigger(2, OPTIONS);
  const acks = await running.acknowledged(2);
  running.cancel();
  t.deepEqual(first.committed, []);
  const second = newOutside();
  const again = await start(t, build(second, Number.MAX_SAFE_INTEGER), { configuration: CHECKPOINTED, restore: from(acks) });
  await again.until(() => runningTasks(again) === 1, 'it runs again');
  const before = second.committed.length;
  t.true(before > 0);
  for (const checkpointId of [3, 4]) {
    again.trigger(checkpointId, OPTIONS); // Between the two something is read, however slow the machine.
    await again.acknowledged(checkpointId);
  }
  again.checkpoints.complete(again.attempts[0]!.task.attemptId, 4);
  await again.until(() => second.committed.length > before, 'the next checkpoint is committed');
  t.true(second.committed.every((value, index) => value === index + 1), 'nothing is lost, doubled or out of order');
});

for (const stop of ['suspend', 'drain'] as const) {
  test(`a savepoint that stops the job: nothing is read after it, and it ends once that is complete (${stop})`, async (t) => {
    const outside = newOutside();
    const running = await start(t, (env) => {
      env.fromSequence(1, Number.MAX_SAFE_INTEGER).rebalance().sinkTo(committingSink(outside));
    }, { configuration: CHECKPOINTED });
    await running.until(() => runningTasks(running) === 2, 'it runs');
    running.trigger(1, { ...OPTIONS, kind: 'savepoint', stop });
    await running.acknowledged(1);
    t.deepEqual(running.finals, []);
    for (const { task } of running.attempts) running.checkpoints.complete(task.attemptId, 1);
    await running.finished();
    const [source] = running.acks.flatMap(({ ack }) => ack.operators).filter(({ operator }) => operator !== null);
    t.is(outside.committed.length, nextOf(source) - 1, 'all that was read before is committed');
  });
}

test('a stop that is given up lets the source read on; a drain fails the task, since its last watermark is out', async (t) => {
  const outside = newOutside();
  const running = await start(t, (env) => {
    env.fromSequence(1, Number.MAX_SAFE_INTEGER).sinkTo(committingSink(outside));
  }, { configuration: CHECKPOINTED });
  await running.until(() => runningTasks(running) === 1, 'it runs');
  const { attemptId } = running.attempts[0]!.task;
  running.trigger(1, { ...OPTIONS, kind: 'savepoint', stop: 'suspend' });
  await running.acknowledged(1);
  running.checkpoints.abort(attemptId, 1);
  running.trigger(2, OPTIONS);
  await running.acknowledged(2);
  running.trigger(3, OPTIONS);
  await running.acknowledged(3);
  const [, second, third] = running.acks.map(({ ack }) => nextOf(ack.operators[0]));
  t.true((third ?? 0) > (second ?? 0), 'it reads');
  running.trigger(4, { ...OPTIONS, kind: 'savepoint', stop: 'drain' });
  await running.acknowledged(4);
  running.checkpoints.abort(attemptId, 4);
  await running.until(() => running.finals.length === 1, 'the task ends');
  t.regex(running.finals[0]?.error?.message ?? '', /drains the job was given up/);
});

/** The numbers from 1 on, as far as `gate.open`; they end at `gate.total`. */
interface Gate {
  open: number;
  readonly total: number;
}

class GatedReader implements SourceReader<number> {
  private readonly gate: Gate;
  private split: { id: string; next: number } | null = null;

  constructor(gate: Gate) {
    this.gate = gate;
  }

  poll(batch: RecordBatch<number>): PollResult {
    batch.length = 0;
    const { split, gate } = this;
    if (split === null) return 'nothing';
    if (split.next === gate.total) return 'end';
    while (batch.length < batch.capacity && split.next < gate.open) {
      batch.values[batch.length] = ++split.next;
      batch.timestampsMs[batch.length++] = 0;
    }
    return batch.length === 0 ? 'nothing' : 'more';
  }

  available(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  addSplits([split]: readonly SourceSplit[]): void {
    if (split !== undefined) this.split = { ...(split as { id: string; next: number }) };
  }

  noMoreSplits(): void {
    // There is one.
  }

  snapshot(): readonly SourceSplit[] {
    return this.split === null ? [] : [{ ...this.split }];
  }

  close(): void {
    // Nothing to close.
  }
}

function gatedSource(gate: Gate): Source<number> {
  return {
    name: 'gated', boundedness: 'bounded',
    createEnumerator: () => { throw new Error('not here'); },
    createReader: () => new GatedReader(gate),
  };
}

/** Counts per key, with a timer of event time for each key that fires at the end. */
function counting(env: StreamExecutionEnvironment, gate: Gate): void {
  env.fromSource(gatedSource(gate)).setParallelism(1).map((n) => ({ key: n % 101, n })).keyBy((each) => each.key).process({
    state: { count: state.value(types.float64), sums: state.map(types.string, types.float64) },
    process: ({ key, n }, { state: { count, sums }, timers }) => {
      count.set((count.get() ?? 0) + 1);
      sums.set(n % 2 === 0 ? 'even' : 'odd', (sums.get(n % 2 === 0 ? 'even' : 'odd') ?? 0) + n);
      timers.registerEventTimeTimer(1_000_000 + key);
    },
    onTimer: (_, { key, state: { count, sums } }, out) => out.emit(`${key}: ${count.get()} ${sums.get('even')} ${sums.get('odd')}`),
  }).uid('counts').print();
}

for (const [from1, to] of [[2, 2], [2, 3], [3, 1]] as const) {
  for (const incremental of [true, false]) {
    test(`keyed state and timers go on where the barrier was, parallelism ${from1} to ${to}, ${incremental ? 'increments' : 'full'}`, async (tt) => {
      const total = 400_000;
      const at = directory(tt);
      const options = { ...OPTIONS, incremental, directory: at, sharedDirectory: at, inlineSizeBytesMax: 100 };
      const gate = { open: total / 8, total };
      const run = (parallelism: number, restore?: (task: TaskDeployment) => TaskRestore) => start(tt, (env) => {
        env.setParallelism(parallelism);
        counting(env, gate);
      }, { slots: 2, ...(restore === undefined ? {} : { restore }) });
      const first = await run(from1);
      await first.until(() => runningTasks(first) === first.attempts.length, 'all run');
      for (const checkpointId of [1, 2, 3]) {
        gate.open += total / 8;
        first.trigger(checkpointId, options);
        await first.acknowledged(checkpointId);
        for (const { task } of first.attempts) first.checkpoints.complete(task.attemptId, checkpointId);
      }
      const acks = first.acks.filter(({ ack }) => ack.checkpointId === 3).map(({ ack }) => ack);
      tt.is(acks.some(({ operators }) => operators.some(({ keyed }) => keyed.length > 1)), incremental);
      first.cancel();
      gate.open = total;
      const second = await run(to, (task) => restoreOf(acks, task, first.jobGraph, to));
      await second.finished();
      const lines = second.printed.trim().split('\n').map((line) => line.replace(/^\d+> /, '')).toSorted();
      tt.deepEqual(lines, expectedCounts(total).toSorted());
    });
  }
}

function expectedCounts(total: number): string[] {
  return Array.from({ length: 101 }, (_, key) => {
    const members = Array.from({ length: Math.ceil(total / 101) + 1 }, (_unused, i) => i * 101 + key).filter((n) => n >= 1 && n <= total);
    const sum = (parity: number) => members.filter((n) => n % 2 === parity).reduce((a, b) => a + b, 0);
    return `${key}: ${members.length} ${sum(0)} ${sum(1)}`;
  });
}

/** As the JobManager deals out: keyed state by key groups, everything else to everybody. */
function restoreOf(acks: readonly TaskCheckpointAck[], task: TaskDeployment, jobGraph: JobGraph, parallelism: number): TaskRestore {
  const all = acks.flatMap(({ operators }) => operators);
  const counts = Object.fromEntries(all.map(({ operatorId }) => [operatorId, all.filter((each) => each.operatorId === operatorId).length]));
  const { maxParallelism } = jobGraph.vertices.find(({ id }) => id === task.vertexId) as { maxParallelism: number };
  const range = keyGroupRangeOf(task.subtaskIndex, maxParallelism, parallelism);
  const operators = all.filter((each) => counts[each.operatorId] !== parallelism || each.subtaskIndex === task.subtaskIndex).map((each) => ({
    ...each, keyed: each.keyed.filter(({ firstKeyGroup, lastKeyGroup }) => firstKeyGroup <= range.last && lastKeyGroup >= range.first),
  }));
  return { checkpointId: 3, operators, formerParallelism: counts };
}
