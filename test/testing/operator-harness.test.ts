/** The harness as a user meets it: in, out, side outputs, state by key, asynchronous functions, freezing. */
import test from 'ava';
import { outputTag, state, t as types } from '../../src/index.ts';
import type { DataStream } from '../../src/index.ts';
import type { HarnessSnapshot } from '../../src/testing/index.ts';
import { OperatorHarness } from '../../src/testing/operator-harness.ts';

interface Reading {
  readonly sensor: string;
  readonly celsius: number;
}

const alarms = outputTag<string>('alarms');

for (const codegen of ['on', 'off'] as const) {
  test(`a keyed process function is driven record by record, codegen ${codegen}`, async (t) => {
    const harness = await OperatorHarness.open((readings: DataStream<Reading>) =>
      readings.keyBy((each) => each.sensor).process({
        state: { highest: state.value(types.float64) },
        process(reading, context, out) {
          const highest = context.state.highest.get();
          if (highest !== undefined && highest >= reading.celsius) return;
          context.state.highest.set(reading.celsius);
          out.emit(`${context.key} ${reading.celsius}`);
          if (reading.celsius > 100) context.output(alarms, context.key);
        },
      }), { sideOutputs: [alarms], codegen });
    t.teardown(() => harness.close());
    harness.processElement({ sensor: 'a', celsius: 20 }, 1000);
    harness.processElement({ sensor: 'b', celsius: 10 }, 2000);
    t.deepEqual(harness.extractRecords(), [{ value: 'a 20', timestampMs: 1000 }, { value: 'b 10', timestampMs: 2000 }]);
    harness.processElement({ sensor: 'a', celsius: 19 });
    harness.processElement({ sensor: 'b', celsius: 120 });
    t.deepEqual(harness.extractOutput(), ['b 120']);
    t.deepEqual(harness.sideOutput(alarms), ['b']);
    t.deepEqual(harness.sideOutput(alarms), []);
  });
}

test('a process function uses states of every kind', async (t) => {
  const harness = await OperatorHarness.open((readings: DataStream<Reading>) =>
    readings.keyBy((each) => each.sensor).process({
      state: {
        last: state.value(types.float64),
        all: state.list(types.float64),
        seen: state.map(types.float64, types.int32),
        highest: state.reducing(types.float64, (a, b) => Math.max(a, b)),
        mean: state.aggregating(types.object({ sum: types.float64, n: types.int32 }), {
          createAccumulator: () => ({ sum: 0, n: 0 }),
          add(mean, celsius: number) {
            mean.sum += celsius;
            mean.n += 1;
            return mean;
          },
          getResult: ({ sum, n }) => sum / n,
        }),
      },
      process({ celsius }, { key, state: { last, all, seen, highest, mean } }, out) {
        all.add(celsius);
        seen.set(celsius, (seen.get(celsius) ?? 0) + 1);
        highest.add(celsius);
        mean.add(celsius);
        out.emit([key, last.get(), all.get(), [...seen.entries()], highest.get(), mean.get()]);
        last.set(celsius);
      },
    }));
  t.teardown(() => harness.close());
  for (const celsius of [20, 10, 20]) harness.processElement({ sensor: 'a', celsius });
  harness.processElement({ sensor: 'b', celsius: 5 });
  t.deepEqual(harness.extractOutput(), [
    ['a', undefined, [20], [[20, 1]], 20, 20],
    ['a', 20, [20, 10], [[20, 1], [10, 1]], 20, 15],
    ['a', 10, [20, 10, 20], [[20, 2], [10, 1]], 20, 50 / 3],
    ['b', undefined, [5], [[5, 1]], 5, 5],
  ]);
});

test('a connected function gets both inputs', async (t) => {
  const harness = await OperatorHarness.openTwoInput((numbers: DataStream<number>, words: DataStream<string>) =>
    numbers.connect(words).map({ map1: (n) => `number ${n}`, map2: (word) => `word ${word}` }));
  t.teardown(() => harness.close());
  harness.processElement(1);
  harness.processElement2('one');
  t.deepEqual(harness.extractOutput(), ['number 1', 'word one']);
});

test('asynchronous results are there after settle', async (t) => {
  const harness = await OperatorHarness.open((numbers: DataStream<number>) => numbers.asyncMap(async (n) => n + 1));
  t.teardown(() => harness.close());
  harness.processElement(1);
  harness.processElement(2);
  t.deepEqual(harness.extractOutput(), []);
  await harness.settle();
  t.deepEqual(harness.extractOutput(), [2, 3]);
});

test('a function that changes its record fails under the harness, unless freezing is off', async (t) => {
  const changer = (records: DataStream<{ n: number }>) => records.map((each) => {
    each.n += 1;
    return each.n;
  }).name('changer');
  const strict = await OperatorHarness.open(changer);
  const lax = await OperatorHarness.open(changer, { freezeRecords: false });
  t.teardown(async () => {
    await strict.close();
    await lax.close();
  });
  t.throws(() => strict.processElement({ n: 1 }), { message: /operator 'changer' failed/ });
  lax.processElement({ n: 1 });
  t.deepEqual(lax.extractOutput(), [2]);
});

test('open and close run once each', async (t) => {
  const calls: string[] = [];
  const harness = await OperatorHarness.open((numbers: DataStream<number>) => numbers.map({
    open: (context) => void calls.push(`open ${context.subtaskIndex}/${context.parallelism}`),
    map: (n: number) => n,
    close: () => void calls.push('close'),
  }));
  await harness.endInput();
  await harness.close();
  await harness.close();
  t.deepEqual(calls, ['open 0/1', 'close']);
});

const counting = (words: DataStream<string>) => words.keyBy((word) => word).process({
  state: { count: state.value(types.int32) },
  process(word, { state: { count }, timers }, out) {
    count.set((count.get() ?? 0) + 1);
    timers.registerEventTimeTimer(100);
    timers.registerProcessingTimeTimer(50);
    out.emit(`${word} ${count.get()}`);
  },
  onTimer: (_timestampMs, { key, timeDomain, state: { count } }, out) => out.emit(`${timeDomain} ${key} ${count.get()}`),
}).uid('count');

test('state and timers of a snapshot are split by key group and merged again, whatever the parallelism', async (t) => {
  const words = Array.from({ length: 40 }, (_, i) => `word ${i}`);
  const one = await OperatorHarness.open(counting, { maxParallelism: 16 });
  t.teardown(() => one.close());
  for (const word of words) one.processElement(word);
  let snapshots: readonly HarnessSnapshot[] = [await one.snapshot(7)];
  one.processElement('word 0'); // Not part of it.
  for (const parallelism of [3, 2, 5, 1]) {
    const next: HarnessSnapshot[] = [];
    for (let subtaskIndex = 0; subtaskIndex < parallelism; subtaskIndex++) {
      const harness = await OperatorHarness.open(counting, { maxParallelism: 16, parallelism, subtaskIndex, restore: snapshots });
      t.teardown(() => harness.close());
      t.is(harness.timerCount('event'), harness.timerCount('processing'));
      next.push(await harness.snapshot());
      if (parallelism > 1) continue;
      for (const word of words) harness.processElement(word);
      t.deepEqual(harness.extractOutput(), words.map((word) => `${word} 2`));
      harness.setProcessingTime(50);
      harness.processWatermark(100);
      const fired = harness.extractOutput() as string[];
      t.deepEqual(fired.toSorted(), words.flatMap((word) => [`event ${word} 2`, `processing ${word} 2`]).toSorted());
    }
    snapshots = next;
  }
});

test('a key of another subtask, state that nobody claims and a subtask that cannot be are refused', async (t) => {
  const one = await OperatorHarness.open(counting);
  one.processElement('a');
  const restore = [await one.snapshot()];
  const first = await OperatorHarness.open(counting, { parallelism: 2, restore });
  t.teardown(async () => {
    await one.close();
    await first.close();
  });
  t.throws(() => first.processElement('a'), { message: /operator .* key a is in key group 81, outside this subtask's 0\.\.63/s });
  await t.throwsAsync(OperatorHarness.open((words: DataStream<string>) => counting(words).uid('other'), { restore }), {
    code: 'STATE_INCOMPATIBLE', message: /state of operator 'KeyedProcess'.*keep its uid/,
  });
  await t.throwsAsync(OperatorHarness.open(counting, { maxParallelism: 64, restore }), { message: /max parallelism was 128 and is now 64/ });
  await t.throwsAsync(OperatorHarness.open(counting, { parallelism: 2, subtaskIndex: 2 }), { code: 'PLAN_INVALID' });
});
