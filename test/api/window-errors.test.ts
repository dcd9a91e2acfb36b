/** What cannot work with windows is refused where it is written. */
import test from 'ava';
import { evictor, session, sliding, state, t as types, trigger, tumbling, type KeyedStream } from '../../src/index.ts';
import { graphOf } from './build.ts';

type Item = [key: string, value: number];
const sessions = session.eventTime<Item>({ gap: 10 });
const count = { createAccumulator: () => 0, add: (n: number) => n + 1, getResult: (n: number) => n };

function refused(build: (items: KeyedStream<Item, string>) => unknown): () => void {
  return () => void graphOf((env) => {
    const items = env.fromElements<Item>(['a', 1]).keyBy(([key]) => key);
    build(items);
    items.print();
  });
}

const CASES: readonly [what: string, build: (items: KeyedStream<Item, string>) => unknown, message: RegExp][] = [
  ['a size of 0', () => tumbling.eventTime({ size: 0 }), /tumbling: size must be whole milliseconds, 1 or more, not '0'/],
  ['a size with a fraction', () => sliding.eventTime({ size: 10, slide: '0.5 ms' }), /sliding: slide must be whole milliseconds/],
  ['an offset of a whole window', () => tumbling.eventTime({ size: 10, offset: -10 }), /offset must be shorter than 10 ms/],
  ['a gap of 0', () => session.processingTime({ gap: 0 }), /session: gap must be/],
  ['a count of 0', () => trigger.count(0), /count must be an integer above 0/],
  ['an evictor of 1.5 records', () => evictor.count(1.5), /count must be an integer above 0/],
  ['sessions with a trigger that cannot merge', (items) => items.window(sessions).trigger(trigger.delta<Item>(1, (a, b) => b[1] - a[1], types.tuple(types.string, types.number))).max(1), /cannot be used with DeltaTrigger\(1\), which does not support merging/],
  ['sessions with an aggregate function without merge', (items) => items.window(sessions).aggregate(count), /needs an aggregate function with the method merge/],
  ['sessions with state per window', (items) => items.window(sessions).process<string, { n: ReturnType<typeof state.value<number>> }>({ windowState: { n: state.value(types.number) }, process: () => undefined }), /windowState is not available with a merging window assigner/],
  ['something that is no trigger', (items) => items.window(sessions).trigger({} as never), /a trigger needs the method onElement/],
  ['something that is no assigner', (items) => items.window({} as never), /a window assigner needs the method assignWindows/],
  ['an async window function', (items) => items.window(sessions).process({ process: (async () => undefined) as never }), /got an async function/],
  ['bounds the wrong way round', (items) => items.intervalJoin(items).between(2, 1), /the lower bound '2' is above the upper bound '1'/],
];

for (const [what, build, message] of CASES) test(`${what} is refused`, (t) => t.throws(refused(build), { code: 'PLAN_INVALID', message }));

test('windows are named and described as in Flink, and parameters are part of the plan', (t) => {
  const graph = graphOf((env) => {
    const items = env.fromElements<Item>(['a', 1]).keyBy(([key]) => key);
    items.window(tumbling.eventTime({ size: '10 s' })).sum(1).print();
    items.countWindow(5).sum(1).print();
    items.countWindowAll(10, 2).sum(1).setMaxParallelism(4).print();
  });
  const windows = graph.nodes.filter(({ spec }) => spec.kind === 'window');
  t.deepEqual(windows.map(({ name, parallelism }) => [name, parallelism]), [['TumblingEventTimeWindows', 1], ['GlobalWindows', 1], ['GlobalWindows', 1]]);
  t.deepEqual(windows.map(({ spec }) => spec.data), [
    { assigner: 'TumblingEventTimeWindows(10000)', trigger: 'EventTimeTrigger()', evictor: null, allowedLatenessMs: 0, lateTag: null, contents: 'field' },
    { assigner: 'GlobalWindows()', trigger: 'PurgingTrigger(CountTrigger(5))', evictor: null, allowedLatenessMs: 0, lateTag: null, contents: 'field' },
    { assigner: 'GlobalWindows()', trigger: 'CountTrigger(2)', evictor: 'CountEvictor(10)', allowedLatenessMs: 0, lateTag: null, contents: 'field' },
  ]);
});
