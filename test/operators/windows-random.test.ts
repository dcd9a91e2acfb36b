/** Windows and joins over random streams with lateness: every step's results are those of the plain account of them. */
import test from 'ava';
import fc from 'fast-check';
import { outputTag, session, sliding, tumbling, type DataStream, type WindowAssigner } from '../../src/index.ts';
import { OperatorHarness } from '../../src/testing/operator-harness.ts';
import { referenceIntervalJoin, referenceWindows, scanned, type Settings, type Show, type Step, type StepOutput } from './windows-reference.ts';

type Item = readonly [key: string, value: number];

const lateItems = outputTag<Item>('late');
const lateOthers = outputTag<Item>('late-others');
const RUNS = { numRuns: 60 };

/** Times near each other, watermarks that mostly advance; values are unique. */
const steps = (inputs: 1 | 2): fc.Arbitrary<readonly Step[]> => {
  const record = fc.record({ kind: fc.constant('record' as const), input: fc.integer({ min: 0, max: inputs - 1 }), key: fc.constantFrom('a', 'b', 'c'), ms: fc.integer({ min: -20, max: 80 }) });
  const watermark = fc.record({ kind: fc.constant('watermark' as const), ms: fc.integer({ min: -25, max: 90 }) });
  return fc.array(fc.oneof({ weight: 5, arbitrary: record }, { weight: 1, arbitrary: watermark }), { maxLength: 60 }).map((list) =>
    list.map((step, value) => ({ ...step, value }) as Step));
};

const lateness = fc.constantFrom(0, 0, 3, 15);

interface Case extends Settings {
  readonly name: string;
  readonly assigner: WindowAssigner<Item>;
}

const windowCases = fc.oneof(
  fc.record({ size: fc.integer({ min: 1, max: 25 }), offset: fc.integer({ min: -5, max: 5 }), latenessMs: lateness }).map(({ size, offset, latenessMs }): Case => ({
    name: 'tumbling',
    assigner: tumbling.eventTime({ size, offset: offset % size }),
    windowsOf: (ms) => scanned(ms, size, size, offset % size),
    merges: false,
    latenessMs,
  })),
  fc.record({ size: fc.integer({ min: 1, max: 25 }), slide: fc.integer({ min: 1, max: 12 }), latenessMs: lateness }).map(({ size, slide, latenessMs }): Case => ({
    name: 'sliding',
    assigner: sliding.eventTime({ size, slide }),
    windowsOf: (ms) => scanned(ms, size, slide, 0),
    merges: false,
    latenessMs,
  })),
  fc.record({ gap: fc.integer({ min: 1, max: 9 }), dynamic: fc.boolean(), latenessMs: lateness }).map(({ gap, dynamic, latenessMs }): Case => ({
    name: 'session',
    assigner: session.eventTime<Item>({ gap: dynamic ? ([, value]) => 1 + ((value * 7) % (2 * gap)) : gap }),
    windowsOf: (ms, value) => [{ startMs: ms, endMs: ms + (dynamic ? 1 + ((value * 7) % (2 * gap)) : gap) }],
    merges: true,
    latenessMs,
  })),
);

const sums: Show = (key, window, records) => [`${key} [${window.startMs},${window.endMs}) ${records.reduce((sum, { value }) => sum + value, 0)}`];
const lists: Show = (key, window, records) => [`${key} [${window.startMs},${window.endMs}) ${records.map(({ value }) => value).toSorted((a, b) => a - b).join(' ')}`];

type Form = (items: DataStream<Item>, each: Case) => ReturnType<typeof process>;

const windowed = (items: DataStream<Item>, each: Case) =>
  items.keyBy(([key]) => key).window(each.assigner).allowedLateness(each.latenessMs).sideOutputLateData(lateItems);
const span = ({ startMs, endMs }: { startMs: number; endMs: number }): string => `[${startMs},${endMs})`;
const process = (items: DataStream<Item>, each: Case) => windowed(items, each).process<string>({
  process: (all, { key, window }, out) => out.emit(`${key} ${span(window)} ${Array.from(all, ([, value]) => value).toSorted((a, b) => a - b).join(' ')}`),
});
const reduce: Form = (items, each) => windowed(items, each).reduce(([key, a], [, b]) => [key, a + b], ([, sum], { key, window }) => `${key} ${span(window)} ${sum}`);
const aggregate: Form = (items, each) => windowed(items, each).aggregate(
  { createAccumulator: () => [0], add: (sum: number[], [, value]) => [(sum[0] ?? 0) + value], getResult: ([sum]) => sum, merge: ([a = 0], [b = 0]) => [a + b] },
  (sum, { key, window }) => `${key} ${span(window)} ${sum}`,
);

/** Runs the steps; what each of them put out, then the end of the input. */
async function outputsOf(harness: OperatorHarness<Item, string, Item>, list: readonly Step[]): Promise<StepOutput[]> {
  const outputs: StepOutput[] = [];
  const take = (): void => void outputs.push({
    fired: harness.extractOutput().toSorted(),
    late: [...harness.sideOutput(lateItems), ...harness.sideOutput(lateOthers)].map(([, value]) => value),
  });
  let watermarkMs = -Infinity;
  for (const step of list) {
    if (step.kind === 'record') {
      if (step.input === 0) harness.processElement([step.key, step.value], step.ms);
      else harness.processElement2([step.key, step.value], step.ms);
    } else {
      watermarkMs = Math.max(watermarkMs, step.ms);
      harness.processWatermark(watermarkMs);
    }
    take();
  }
  await harness.endInput();
  take();
  await harness.close();
  return outputs;
}

const sorted = (outputs: readonly StepOutput[]): readonly StepOutput[] => outputs.map(({ fired, late }) => ({ fired: fired.toSorted(), late }));

for (const codegen of ['on', 'off'] as const) {
  const options = { codegen, sideOutputs: [lateItems, lateOthers] };

  for (const [name, form, show] of [['process', process, lists], ['reduce', reduce, sums], ['aggregate', aggregate, sums]] as const) {
    test(`random windows that ${name}, codegen ${codegen}`, async (t) => {
      await fc.assert(fc.asyncProperty(windowCases, steps(1), async (each, list) => {
        const harness = await OperatorHarness.open((items: DataStream<Item>) => form(items, each), options) as unknown as OperatorHarness<Item, string, Item>;
        t.deepEqual(await outputsOf(harness, list), sorted(referenceWindows(list, each, show)));
      }), RUNS);
    });
  }

  for (const mode of ['join', 'coGroup'] as const) {
    test(`random windows that ${mode} two streams, codegen ${codegen}`, async (t) => {
      const show: Show = (key, _window, records) => {
        const [left, right] = [0, 1].map((input) => records.filter((record) => record.input === input).map(({ value }) => value).toSorted((a, b) => a - b)) as [number[], number[]];
        if (mode === 'coGroup') return [`${key} ${left.join(' ')}|${right.join(' ')}`];
        return left.flatMap((a) => right.map((b) => `${a}-${b}`));
      };
      await fc.assert(fc.asyncProperty(windowCases, steps(2), async (each, list) => {
        const harness = await OperatorHarness.openTwoInput((first: DataStream<Item>, second: DataStream<Item>) => {
          if (mode === 'join') {
            return first.join(second).where(([key]) => key).equalTo(([key]) => key).window(each.assigner).allowedLateness(each.latenessMs).apply(([, a], [, b]) => `${a}-${b}`);
          }
          return first.coGroup(second).where(([key]) => key).equalTo(([key]) => key).window(each.assigner).allowedLateness(each.latenessMs)
            .apply<string>((left, right, out) => {
              const shown = [left, right].map((side) => side.map(([, value]) => value).toSorted((a, b) => a - b).join(' '));
              out.emit(`${[...left, ...right][0]?.[0]} ${shown.join('|')}`);
            });
        }, options);
        const expected = sorted(referenceWindows(list, each, show)).map(({ fired }) => ({ fired, late: [] }));
        t.deepEqual(await outputsOf(harness, list), expected);
      }), RUNS);
    });
  }

  test(`random interval joins, codegen ${codegen}`, async (t) => {
    const bounds = fc.tuple(fc.integer({ min: -12, max: 12 }), fc.integer({ min: 0, max: 15 })).map(([lower, length]) => [lower, lower + length] as const);
    await fc.assert(fc.asyncProperty(bounds, steps(2), async ([lower, upper], list) => {
      const harness = await OperatorHarness.openTwoInput((first: DataStream<Item>, second: DataStream<Item>) =>
        first.keyBy(([key]) => key).intervalJoin(second.keyBy(([key]) => key)).between(lower, upper)
          .sideOutputLeftLateData(lateItems).sideOutputRightLateData(lateOthers).process(([, a], [, b]) => `${a}-${b}`), options);
      t.deepEqual(await outputsOf(harness, list), [...sorted(referenceIntervalJoin(list, lower, upper)), { fired: [], late: [] }]);
    }), RUNS);
  });
}
