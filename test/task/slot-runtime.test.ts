/** Whole jobs inside slots: start, records over channels, end, cancel, failure, printing, figures. */
import test from 'ava';
import type { FromSlot } from '../../src/task/slot-protocol.ts';
import { start } from './slot-fixture.ts';

for (const codegen of ['on', 'off']) {
  for (const [parallelism, slots] of [[1, 1], [2, 1], [2, 2], [4, 2], [4, 4]] as const) {
    test(`a keyed sum is the same at parallelism ${parallelism} over ${slots} slots, codegen ${codegen}`, async (t) => {
      const running = await start(t, (env) => {
        env.setParallelism(parallelism);
        env.fromSequence(1, 20_000).map((n) => ({ key: n % 100, n })).keyBy((each) => each.key).sum('n')
          .filter((each) => each.n > 0).discard({ fold: true }).name('out');
      }, { slots, configuration: { 'pipeline.codegen': codegen } });
      const { accumulators } = await running.finished();
      t.is(accumulators['out.count'], '20000');
      t.deepEqual(running.states.map(({ state }) => state).toSorted().filter((state) => state === 'RUNNING').length, 2 * parallelism);
    });
  }
}

test('functions that change their records give equal results in one slot and in many', async (t) => {
  const run = async (parallelism: number, slots: number, configuration: Record<string, string> = {}) => {
    const running = await start(t, (env) => {
      env.setParallelism(parallelism);
      const records = env.fromSequence(1, 3000).map((n) => ({ key: n % 7, n, seen: [n] }));
      const left = records.map((each) => { each.n += 1; each.seen.push(-1); return each; });
      const right = records.map((each) => { each.n *= 2; each.seen.length = 0; return each; });
      left.union(right).keyBy((each) => each.key).reduce((a, b) => { a.n += b.n; a.seen = b.seen; return a; })
        .map((each) => { each.n = -each.n; return each; })
        .keyBy((each) => each.key).process({ process: (each, context, out) => out.emit(Math.sign(each.n) * context.key) })
        .discard({ fold: true }).name('out');
    }, { slots, configuration });
    return (await running.finished()).accumulators;
  };
  const expected = await run(1, 1);
  t.is(expected['out.count'], '6000');
  for (const [parallelism, slots] of [[2, 1], [2, 2], [4, 1], [4, 4]] as const) t.deepEqual(await run(parallelism, slots), expected);
  t.deepEqual(await run(2, 1, { 'pipeline.object-reuse': 'false' }), expected);
});

test('a failing function fails its task, naming the operator and the place in its source', async (t) => {
  const running = await start(t, (env) => {
    env.fromElements(1, 2, 3).map((n) => {
      if (n === 3) throw new TypeError('three is too many');
      return n;
    }).name('counter of threes').discard();
  });
  await running.until(() => running.finals.length === 1, 'the task fails');
  const error = running.finals[0]?.error;
  t.is(error?.code, 'USER_CODE');
  t.regex(error?.message ?? '', /operator 'counter of threes' failed at .*slot-runtime\.test\.[tj]s:\d+:\d+: TypeError: three is too many/);
  t.is(error?.cause?.className, 'TypeError');
});

test('an endless job is cancelled between records and reports its figures', async (t) => {
  const running = await start(t, (env) => {
    env.fromSequence(1, Number.MAX_SAFE_INTEGER).keyBy((n) => n % 10).sum().discard({ fold: true });
  });
  const accountedMs = (each: FromSlot) =>
    each.kind === 'metrics' ? each.metrics.busyTimeMs + each.metrics.backPressuredTimeMs + each.metrics.idleTimeMs : 0;
  await running.until(() => running.metrics.some((each) => accountedMs(each) > 500), 'a second is accounted for');
  t.true(running.metrics.some((each) => each.kind === 'metrics' && each.metrics.numRecordsOut > 0));
  t.true(running.metrics.some((each) => each.kind === 'metrics' && each.metrics.numRecordsIn > 0));
  const cancelledAt = performance.now();
  running.cancel();
  await running.until(() => running.finals.length === 2, 'both tasks end');
  t.true(performance.now() - cancelledAt < 1000);
  t.deepEqual(running.finals.map(({ state }) => state), ['CANCELED', 'CANCELED']);
});

test('a slow function is seen at work in its first batch, and its producer as back-pressured', async (t) => {
  const running = await start(t, (env) => {
    env.fromSequence(1, 1_000_000).rebalance().map((n) => {
      const untilMs = performance.now() + 5;
      while (performance.now() < untilMs);
      return n;
    }).discard();
  });
  const figures = () => running.metrics.flatMap((each) => (each.kind === 'metrics' ? [each.metrics] : []));
  await running.until(() => figures().some(({ numRecordsIn }) => numRecordsIn > 0), 'the slow task reports');
  t.true((figures().find(({ numRecordsIn }) => numRecordsIn > 0)?.numRecordsIn ?? 0) < 1024, 'not only after a whole batch');
  await running.until(() => figures().some(({ backPressuredTimeMs }) => backPressuredTimeMs > 0), 'back-pressure is reported');
  running.cancel();
  await running.until(() => running.finals.length === 2, 'both tasks end');
});

for (const codegen of ['on', 'off']) {
  test(`a function that fails on its producer's stack fails its own task, codegen ${codegen}`, async (t) => {
    const running = await start(t, (env) => {
      env.fromSequence(1, 1_000_000).rebalance().map((n) => {
        if (n === 500_000) throw new TypeError('half is too many');
        return n;
      }).name('counter of halves').discard();
    }, { configuration: { 'pipeline.codegen': codegen } });
    await running.until(() => running.finals.some(({ state }) => state === 'FAILED'), 'the task fails');
    const failed = running.finals.find(({ state }) => state === 'FAILED');
    t.regex(failed?.error?.message ?? '', /operator 'counter of halves' failed at .*: TypeError: half is too many/);
    const consumer = running.attempts.find(({ task }) => task.inputs.length > 0)?.task.attemptId;
    t.is(failed?.attemptId, consumer);
    t.is(failed?.metrics.numRecordsIn, 499_999);
    running.cancel();
  });
}

test('collect delivers every record, print every line', async (t) => {
  const running = await start(t, (env) => {
    const numbers = env.fromElements(...Array.from({ length: 2000 }, (_, i) => i));
    numbers.collect('numbers');
    numbers.filter((n) => n < 3).map((n) => `line ${n}`).print();
  });
  await running.finished();
  t.is(running.collected.length, 2000);
  t.is(running.printed, 'line 0\nline 1\nline 2\n');
});

test('a two-way shuffle with many results per record neither deadlocks nor overflows', async (t) => {
  const results = 100_000;
  const running = await start(t, (env) => {
    env.setParallelism(2);
    env.fromSequence(1, 8).flatMap(function* () {
      for (let i = 0; i < results; i++) yield i;
    }).rebalance().map((n) => n + 1).keyBy((n) => n % 64).map((n) => n).discard({ fold: true }).name('out');
  }, { slots: 2 });
  t.is((await running.finished()).accumulators['out.count'], String(8 * results));
});

test('asyncMap works between tasks and holds its capacity', async (t) => {
  let inFlight = 0;
  let inFlightMax = 0;
  const running = await start(t, (env) => {
    env.fromSequence(1, 500).asyncMap(async (n) => {
      inFlightMax = Math.max(inFlightMax, ++inFlight);
      await new Promise((resolve) => setTimeout(resolve, n % 3));
      inFlight--;
      return n * 2;
    }, { ordered: false, capacity: 16 }).collect('doubled');
  });
  await running.finished();
  t.deepEqual((running.collected as number[]).toSorted((a, b) => a - b), Array.from({ length: 500 }, (_, i) => (i + 1) * 2));
  t.is(inFlightMax, 16);
});

test('a program that builds another plan in its slot is refused with the difference', async (t) => {
  let builds = 0;
  const running = await start(t, (env) => {
    env.fromElements(1).map((n) => n).name(`map ${builds++}`).discard();
  });
  await running.until(() => running.finals.length === 1, 'the task fails');
  t.is(running.finals[0]?.error?.code, 'PLAN_MISMATCH');
  t.regex(running.finals[0]?.error?.message ?? '', /map 0/);
});

test('with frozen records a function that changes its input fails', async (t) => {
  const running = await start(t, (env) => {
    env.fromElements({ n: 1 }).map((each) => { each.n = 2; return each; }).name('changer').discard();
  }, { configuration: { 'pipeline.freeze-records': 'true' } });
  await running.until(() => running.finals.length === 1, 'the task fails');
  t.regex(running.finals[0]?.error?.message ?? '', /operator 'changer' failed.*read only property/);
});
