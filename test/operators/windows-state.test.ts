/** What windows and joins leave in state and timers, and that a restored operator goes on as the one before it would have. */
import test from 'ava';
import fc from 'fast-check';
import { MAX_WATERMARK, evictor, outputTag, session, sliding, state, t as types, trigger, tumbling } from '../../src/index.ts';
import type { ProcessWindowFunction, SingleOutputStream, StreamExecutionEnvironment, WindowedStream } from '../../src/index.ts';
import { graphOf } from '../api/build.ts';
import { KeyedOperatorDriver } from './keyed-operator-driver.ts';

type Item = { key: string; value: number };
const ItemType = types.object({ key: types.string, value: types.number });
const late = outputTag<Item>('late');

type Windows = WindowedStream<Item, string>;

/** Whether the type of the records is declared. */
type Typing = 'typed' | 'untyped';

function items(env: StreamExecutionEnvironment, typing: Typing) {
  return env.fromCollection<Item>([], typing === 'typed' ? ItemType : undefined).keyBy((item) => item.key, types.string);
}

function windows(typing: Typing, build: (stream: ReturnType<typeof items>) => SingleOutputStream<unknown>): KeyedOperatorDriver {
  return new KeyedOperatorDriver(graphOf((env) => void build(items(env, typing)).print()), 'window');
}

const counting: ProcessWindowFunction<Item, string, string, { n: ReturnType<typeof state.value<number>> }, { all: ReturnType<typeof state.value<number>> }> = {
  windowState: { n: state.value(types.number) },
  globalState: { all: state.value(types.number) },
  process(elements, { key, window, windowState, globalState }, out) {
    windowState.n.set((windowState.n.get() ?? 0) + 1);
    globalState.all.set((globalState.all.get() ?? 0) + 1);
    out.emit(`${key} ${window.startMs} ${Array.from(elements, ({ value }) => value).join(' ')} (${windowState.n.get()} of ${globalState.all.get()})`);
  },
  clear: ({ windowState }) => windowState.n.clear(),
};
const sum = (a: Item, b: Item): Item => ({ key: a.key, value: a.value + b.value });
const list = { createAccumulator: () => [] as number[], add: (all: number[], { value }: Item) => [...all, value], getResult: (all: number[]) => all.join(' '), merge: (a: number[], b: number[]) => [...a, ...b] };
const shown = (windowed: Windows) => windowed.apply<string>((key, window, all, out) => out.emit(`${key} ${window.startMs} ${Array.from(all, ({ value }) => value).join(' ')}`));

/** Every form of state that windows have. `rest`: entries that stay when all windows are gone. */
const FORMS: Readonly<Record<string, { readonly build: (stream: ReturnType<typeof items>) => SingleOutputStream<unknown>; readonly rest?: number }>> = {
  'tumbling reduce': { build: (stream) => stream.window(tumbling.eventTime({ size: 10 })).allowedLateness(5).sideOutputLateData(late).reduce(sum) },
  'sliding sum': { build: (stream) => stream.window(sliding.eventTime({ size: 10, slide: 4 })).sum('value') },
  'tumbling process with state': { build: (stream) => stream.window(tumbling.eventTime({ size: 10 })).allowedLateness(5).process(counting), rest: 1 },
  'tumbling with a continuous trigger': { build: (stream) => stream.window(tumbling.eventTime({ size: 10 })).trigger(trigger.continuousEventTime(3)).aggregate(list) },
  'tumbling with an evictor': { build: (stream) => shown(stream.window(tumbling.eventTime({ size: 10 })).evictor(evictor.count(2)).allowedLateness(5)) },
  'session process': { build: (stream) => shown(stream.window(session.eventTime({ gap: 5 })).allowedLateness(5).sideOutputLateData(late)) },
  'session aggregate': { build: (stream) => stream.window(session.eventTime<Item>({ gap: ({ value }) => 1 + (value % 7) })).aggregate(list) },
  'session with a count trigger': { build: (stream) => shown(stream.window(session.eventTime({ gap: 5 })).trigger(trigger.purging(trigger.count(3)))) },
};

type Step = readonly [kind: 'a' | 'b' | 'watermark', ms: number];
const steps = fc.array(fc.tuple(fc.constantFrom<Step[0]>('a', 'a', 'b', 'watermark'), fc.integer({ min: 0, max: 60 })), { maxLength: 40 });

/** Runs the steps; `before` runs ahead of each. Results in one order: timers of one time may be restored in another. */
function outputsOf(driver: KeyedOperatorDriver, list: readonly Step[], before: () => void, input: (value: number) => 0 | 1 = () => 0): readonly string[] {
  let watermarkMs = -1;
  for (const [value, [kind, ms]] of list.entries()) {
    before();
    if (kind === 'watermark') driver.watermark((watermarkMs = Math.max(watermarkMs, ms)));
    else driver.process({ key: kind, value }, ms, input(value));
  }
  driver.watermark(MAX_WATERMARK);
  return [...driver.output, ...driver.late].map(({ value, timestampMs }) => `${JSON.stringify(value)} @${timestampMs}`).toSorted();
}

for (const [name, { build, rest = 0 }] of Object.entries(FORMS)) {
  test(`${name}: nothing stays when all windows are gone`, (t) => {
    const driver = windows('untyped', build);
    for (let ms = 0; ms < 60; ms += 2) driver.process({ key: 'a', value: ms }, ms);
    t.true(driver.leftovers().entries > 0);
    t.true(driver.leftovers().timers > 0);
    driver.watermark(10_000);
    t.deepEqual(driver.leftovers(), { entries: rest, timers: 0 });
  });

  for (const typing of ['typed', 'untyped'] as const) {
    for (const mode of ['full', 'incremental'] as const) {
      test(`${name}, ${typing}: restored from a ${mode} snapshot before every step, the results are the same`, (t) => {
        fc.assert(fc.property(steps, (list) => {
          const undisturbed = windows(typing, build);
          const replaced = windows(typing, build);
          const expected = outputsOf(undisturbed, list, () => undefined);
          t.deepEqual(outputsOf(replaced, list, () => replaced.replace(mode)), expected);
          t.deepEqual(replaced.leftovers(), undisturbed.leftovers());
        }), { numRuns: 25 });
      });
    }
  }
}

test('a session that grows leaves one timer, or with lateness two', (t) => {
  for (const lateness of [0, 5]) {
    const driver = windows('untyped', (stream) => stream.window(session.eventTime({ gap: 5 })).allowedLateness(lateness).sum('value'));
    for (let ms = 0; ms < 100; ms += 3) driver.process({ key: 'a', value: 1 }, ms);
    t.deepEqual(driver.leftovers(), { entries: 2, timers: lateness === 0 ? 1 : 2 });
  }
});

const JOINS: Readonly<Record<string, { readonly kind: string; readonly build: (left: ReturnType<typeof items>, right: ReturnType<typeof items>) => SingleOutputStream<unknown> }>> = {
  'interval join': { kind: 'co.intervalJoin', build: (left, right) => left.intervalJoin(right).between(-7, 4).process((a, b) => [a, b]) },
  'window join': { kind: 'co.window', build: (left, right) => left.join(right).where(({ key }) => key).equalTo(({ key }) => key).window(session.eventTime({ gap: 4 })).apply((a, b) => [a, b]) },
};

for (const [name, { kind, build }] of Object.entries(JOINS)) {
  for (const typing of ['typed', 'untyped'] as const) {
    const open = () => new KeyedOperatorDriver(graphOf((env) => void build(items(env, typing), items(env, typing)).print()), kind);
    test(`${name}, ${typing}: restored before every step, the results are the same, and nothing stays`, (t) => {
      fc.assert(fc.property(steps, (list) => {
        const [undisturbed, replaced] = [open(), open()];
        const input = (value: number): 0 | 1 => (value % 2 === 0 ? 0 : 1);
        const expected = outputsOf(undisturbed, list, () => undefined, input);
        t.deepEqual(outputsOf(replaced, list, () => replaced.replace('incremental'), input), expected);
        t.deepEqual([undisturbed.leftovers(), replaced.leftovers()], Array(2).fill({ entries: 0, timers: 0 }));
      }), { numRuns: 40 });
    });
  }
}

test('a record of an interval join stays exactly as long as a partner may come', (t) => {
  const cases: readonly [lower: number, upper: number, left: number, right: number][] = [[-3, 5, 105, 103], [2, 5, 105, 100], [-5, -2, 100, 105]];
  for (const [lower, upper, leftUntilMs, rightUntilMs] of cases) {
    for (const [input, untilMs] of [[0, leftUntilMs], [1, rightUntilMs]] as const) {
      const driver = new KeyedOperatorDriver(graphOf((env) => {
        items(env, 'typed').intervalJoin(items(env, 'typed')).between(lower, upper).process((a, b) => [a, b]).print();
      }), 'co.intervalJoin');
      driver.process({ key: 'a', value: 1 }, 100, input);
      driver.watermark(untilMs - 1);
      t.is(driver.leftovers().entries, 1, `${lower}..${upper}, input ${input}`);
      driver.watermark(untilMs);
      t.deepEqual(driver.leftovers(), { entries: 0, timers: 0 });
    }
  }
});
