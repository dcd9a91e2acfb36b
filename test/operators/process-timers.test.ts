/** Timers of process functions: when they fire, with which key and time, against a model that knows every timer. */
import fc from 'fast-check';
import test from 'ava';
import { MAX_WATERMARK, NO_TIMESTAMP, outputTag, state, t as types } from '../../src/index.ts';
import type { DataStream, OnTimerContext, ProcessContext, StateSpecs, Timers } from '../../src/index.ts';
import type { KeySpec } from '../../src/graph/operator-spec.ts';
import type { StreamEvent } from '../../src/exchange/contract.ts';
import type { Segment } from '../../src/task/chain.ts';
import { SegmentRunner } from '../../src/task/segment-runner.ts';
import type { RunnerInput } from '../../src/task/segment-runner.ts';
import { OperatorHarness } from '../../src/testing/operator-harness.ts';
import { node, OperatorDriver } from './operator-driver.ts';

/** A record that sets or deletes a timer of its key. */
interface Order {
  readonly key: string;
  readonly act: 'register' | 'delete';
  readonly timestampMs: number;
}

const byKey: KeySpec = { selector: (value) => (value as Order).key, type: null };
type Context = ProcessContext<string, StateSpecs>;

/** Emits a line per timer; one at a multiple of 7 sets two more, of which one is due already. */
const follow = {
  process({ act, timestampMs }: Order, { timers }: Context) {
    if (act === 'register') timers.registerEventTimeTimer(timestampMs);
    else timers.deleteEventTimeTimer(timestampMs);
  },
  onTimer(timestampMs: number, context: OnTimerContext<string, StateSpecs>, out: { emit(line: string): void }) {
    out.emit(`${context.key} ${timestampMs} at ${context.timers.currentWatermarkMs}`);
    if (timestampMs % 7 === 0) for (const next of [timestampMs - 3, timestampMs + 5]) context.timers.registerEventTimeTimer(next);
  },
};

type Step = Order | { readonly watermarkMs: number };

/** What fires, per watermark in any order of equal timestamps. */
function model(steps: readonly Step[]): string[][] {
  const timers = new Map<string, { key: string; timestampMs: number }>();
  const fired: string[][] = [];
  let watermarkMs = NO_TIMESTAMP;
  for (const step of steps) {
    if ('key' in step) {
      const { key, timestampMs } = step;
      if (step.act === 'register') timers.set(`${key} ${timestampMs}`, { key, timestampMs });
      else timers.delete(`${key} ${timestampMs}`);
      continue;
    }
    watermarkMs = Math.max(watermarkMs, step.watermarkMs);
    const now: string[] = [];
    const isDue = ({ timestampMs }: { timestampMs: number }) => timestampMs <= step.watermarkMs;
    for (let due = [...timers.values()].filter(isDue); due.length > 0; due = [...timers.values()].filter(isDue)) {
      const { key, timestampMs } = due.toSorted((a, b) => a.timestampMs - b.timestampMs)[0] as { key: string; timestampMs: number };
      timers.delete(`${key} ${timestampMs}`);
      now.push(`${key} ${timestampMs} at ${watermarkMs}`);
      if (timestampMs % 7 === 0) for (const next of [timestampMs - 3, timestampMs + 5]) timers.set(`${key} ${next}`, { key, timestampMs: next });
    }
    fired.push(now);
  }
  return fired;
}

const order = fc.record({
  key: fc.constantFrom('a', 'b', 'c'),
  act: fc.constantFrom('register' as const, 'register' as const, 'delete' as const),
  timestampMs: fc.integer({ min: -20, max: 60 }),
});
const steps = fc.array(fc.oneof({ weight: 4, arbitrary: order }, fc.record({ watermarkMs: fc.integer({ min: -20, max: 60 }) })), { maxLength: 60 });

for (const mode of ['generated', 'interpreted'] as const) {
  test(`what fires is what the model says, however the output refuses, ${mode}`, async (t) => {
    await fc.assert(fc.asyncProperty(steps, fc.boolean(), async (input, refuses) => {
      const spec = { kind: 'process', data: { states: [] }, user: follow } as never;
      const driver = new OperatorDriver([node(1, spec, { keys: [byKey] })], [], { mode, refuses });
      await driver.open();
      for (const step of input) {
        if ('key' in step) await driver.run([step], { batchSize: 1 });
        else await driver.event({ kind: 'watermark', timestampMs: step.watermarkMs });
      }
      const fired: string[][] = [];
      let now: string[] = [];
      const timesMs: number[] = [];
      for (const each of driver.writers[0]?.emitted ?? []) {
        if ('event' in each) {
          fired.push(now);
          now = [];
        } else {
          now.push(each.value as string);
          timesMs.push(each.timestampMs);
        }
      }
      t.deepEqual(fired.map((lines) => lines.toSorted()), model(input).map((lines) => lines.toSorted()));
      t.deepEqual(timesMs, fired.flat().map((line) => Number(line.split(' ')[1])), 'what a timer emits has its time');
      t.is(driver.writers[0]?.overdraft, 0, 'a timer fires only while there is room');
      await driver.close();
    }), { numRuns: 60 });
  });
}

const late = outputTag<string>('late');

for (const codegen of ['on', 'off'] as const) {
  test(`timers of both domains see their key, their state and their time, codegen ${codegen}`, async (t) => {
    const harness = await OperatorHarness.open((keys: DataStream<string>) => keys.keyBy((key) => key).process({
      state: { seen: state.value(types.float64) },
      process(_key, { state: { seen }, timers, timestampMs }) {
        seen.set(timestampMs);
        timers.registerEventTimeTimer(timestampMs + 10);
        timers.registerProcessingTimeTimer(timers.currentProcessingTimeMs() + 1000);
      },
      onTimer(timestampMs, context, out) {
        out.emit(`${context.timeDomain} ${context.key} ${timestampMs} ${context.timestampMs} saw ${context.state.seen.get()}`);
        context.output(late, context.key);
      },
    }), { codegen, sideOutputs: [late] });
    t.teardown(() => harness.close());
    harness.setProcessingTime(500);
    harness.processElement('b', 100);
    harness.processElement('a', 90);
    harness.processWatermark(99);
    t.deepEqual(harness.extractOutput(), []);
    harness.processWatermark(100);
    t.deepEqual(harness.extractRecords(), [{ value: 'event a 100 100 saw 90', timestampMs: 100 }]);
    harness.setProcessingTime(1499);
    t.deepEqual(harness.extractOutput(), []);
    harness.setProcessingTime(1500);
    t.deepEqual(harness.extractRecords().toSorted((x, y) => (String(x.value) < String(y.value) ? -1 : 1)), [
      { value: 'processing a 1500 1500 saw 90', timestampMs: NO_TIMESTAMP },
      { value: 'processing b 1500 1500 saw 100', timestampMs: NO_TIMESTAMP },
    ]);
    t.deepEqual(harness.sideOutput(late).toSorted(), ['a', 'a', 'b']);
    harness.processElement('c', 300);
    await harness.endInput();
    t.deepEqual(harness.extractOutput(), ['event b 110 110 saw 100', 'event c 310 310 saw 300']);
    harness.setProcessingTime(1_000_000);
    t.deepEqual(harness.extractOutput(), [], 'processing timers do not fire after the end of input');
  });

  test(`two connected streams share their timers, codegen ${codegen}`, async (t) => {
    const harness = await OperatorHarness.openTwoInput((a: DataStream<string>, b: DataStream<string>) =>
      a.connect(b).keyBy((key) => key, (key) => key).process<string>({
        process1: (_key, { timers, timestampMs }) => timers.registerEventTimeTimer(timestampMs),
        process2: (_key, { timers, timestampMs }) => timers.deleteEventTimeTimer(timestampMs),
        onTimer: (timestampMs, context, out) => out.emit(`${context.key} ${timestampMs}`),
      }), { codegen });
    t.teardown(() => harness.close());
    for (const key of ['a', 'b']) harness.processElement(key, 5);
    harness.processElement2('a', 5);
    harness.processWatermark(MAX_WATERMARK);
    t.deepEqual(harness.extractOutput(), ['b 5']);
  });

  test(`a stream that is not keyed has clocks but no timers, codegen ${codegen}`, async (t) => {
    const harness = await OperatorHarness.open((numbers: DataStream<number>) => numbers.process<string>({
      process(n, { timers }, out) {
        if (n < 0) (timers as unknown as { registerEventTimeTimer(timestampMs: number): void }).registerEventTimeTimer(n);
        out.emit(`${timers.currentWatermarkMs} ${timers.currentProcessingTimeMs()}`);
      },
    }).name('clocks'), { codegen });
    t.teardown(() => harness.close());
    harness.setProcessingTime(7);
    harness.processWatermark(3);
    harness.processElement(1);
    t.deepEqual(harness.extractOutput(), ['3 7']);
    t.throws(() => harness.processElement(-1), {
      message: `operator 'clocks': a timer of event time cannot be set: the stream is not keyed: call keyBy(…) before process(…)`,
    });
  });

  const register = (timers: Timers, timestampMs: number): void => timers.registerProcessingTimeTimer(timestampMs);

  test(`a timer that nobody receives and a time that is none are errors, codegen ${codegen}`, async (t) => {
    const harness = await OperatorHarness.open((numbers: DataStream<number>) => numbers.keyBy((n) => n).process({
      process: (n, { timers }) => register(timers, n),
    }), { codegen });
    const other = await OperatorHarness.open((numbers: DataStream<number>) => numbers.keyBy(() => 1).process({
      process: (n, { timers }) => timers.registerEventTimeTimer(n),
      onTimer: () => undefined,
    }), { codegen });
    t.teardown(async () => {
      await harness.close();
      await other.close();
    });
    t.throws(() => harness.processElement(1), { message: /no method onTimer/ });
    t.throws(() => other.processElement(Number.NaN), { message: /timestamp is a whole number of ms, not NaN/ });
  });
}

test('a watermark from the far future fires 200 000 timers in stretches of about a millisecond', async (t) => {
  let nowMs = 0;
  let fired = 0;
  const spec = { kind: 'process', data: { states: [] }, user: { ...follow, onTimer: () => { fired++; nowMs += 0.01; } } } as never;
  const driver = new OperatorDriver([node(1, spec, { keys: [byKey] })], [], { mode: 'interpreted' });
  t.teardown(() => driver.close());
  await driver.open();
  await driver.run(Array.from({ length: 200_000 }, (_, i) => ({ key: `k${i % 1000}`, act: 'register', timestampMs: i })), { batchSize: 1024 });
  const events: StreamEvent[] = [{ kind: 'watermark', timestampMs: MAX_WATERMARK }];
  const input: RunnerInput = {
    inputIndex: 0,
    event: null,
    poll() {
      Object.assign(this, { event: events.shift() ?? null });
      return this.event === null ? 'nothing' : 'event';
    },
  };
  const none = () => 0;
  const runner = new SegmentRunner(driver.segments[0] as Segment, { batches: [none, none], record: none }, input, () => nowMs);
  let steps = 0;
  for (let before = 0; runner.step() === 'ran'; before = fired, steps++) t.true(fired - before <= 400, 'about 100 timers take a millisecond');
  t.is(fired, 200_000);
  t.true(steps > 500);
});

test('onTimer without a key is refused as the program is built', async (t) => {
  const build = (numbers: DataStream<number>) => numbers.process({ process: () => undefined, onTimer: () => undefined } as never);
  await t.throwsAsync(OperatorHarness.open(build), { message: /onTimer is declared on a stream that is not keyed/ });
});
