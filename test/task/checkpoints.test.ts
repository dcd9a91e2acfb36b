/** Checkpoints of whole jobs inside slots: barriers from sources to sinks, state into files, and back. */
import { readdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { PollResult, RecordBatch, Source, SourceReader } from '../../src/graph/functions.ts';
import type { CheckpointOptions, TaskCheckpointAck, TaskRestore } from '../../src/protocol/checkpoint.ts';
import type { TaskDeployment } from '../../src/protocol/deployment.ts';
import { start } from './slot-fixture.ts';

const OPTIONS: CheckpointOptions = {
  kind: 'checkpoint', alignment: 'exactly-once', unaligned: false, alignedTimeoutMs: null, incremental: false, stop: 'no',
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
