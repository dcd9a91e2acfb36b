/** Window joins, coGroups and interval joins by Flink's rules, record by record, as generated code and interpreted. */
import test, { type ExecutionContext } from 'ava';
import { outputTag, session, tumbling, type DataStream, type KeyedStream, type SingleOutputStream } from '../../src/index.ts';
import { OperatorHarness } from '../../src/testing/operator-harness.ts';

type Left = readonly [key: string, value: number];
type Right = readonly [key: string, text: string];

const lateLeft = outputTag<Left>('late-left');
const lateRight = outputTag<Right>('late-right');
const tens = tumbling.eventTime({ size: 10 });

async function open<R>(t: ExecutionContext, codegen: 'on' | 'off', build: (left: DataStream<Left>, right: DataStream<Right>) => SingleOutputStream<R>) {
  const harness = await OperatorHarness.openTwoInput<Left, Right, R>(build, { codegen, sideOutputs: [lateLeft, lateRight] });
  t.teardown(() => harness.close());
  return harness;
}

const shown = (harness: { extractRecords(): readonly { readonly value: unknown; readonly timestampMs: number }[] }): string[] =>
  harness.extractRecords().map(({ value, timestampMs }) => `${String(value)} @${timestampMs}`);

const keyed = (left: DataStream<Left>, right: DataStream<Right>): [KeyedStream<Left, string>, KeyedStream<Right, string>] =>
  [left.keyBy(([key]) => key), right.keyBy(([key]) => key)];

for (const codegen of ['on', 'off'] as const) {
  test(`a window join makes each pair of a key in a window, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (left, right) => left.join(right).where(([key]) => key).equalTo(([key]) => key).window(tens)
      .apply(([key, value], [, text]) => `${key}${value}${text}`));
    harness.processElement(['a', 1], 1);
    harness.processElement2(['a', 'x'], 2);
    harness.processElement(['a', 2], 9);
    harness.processElement2(['a', 'y'], 5);
    harness.processElement2(['b', 'z'], 5);
    harness.processElement(['a', 3], 10);
    harness.processElement2(['a', 'w'], 20);
    await harness.endInput();
    t.deepEqual(shown(harness), ['a1x @9', 'a1y @9', 'a2x @9', 'a2y @9']);
  });

  test(`a coGroup sees both sides, also an empty one, and may emit any number of results, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (left, right) => left.coGroup(right).where(([key]) => key).equalTo(([key]) => key)
      .window(session.eventTime({ gap: 5 })).apply<string>((lefts, rights, out) => {
        out.emit(`${lefts.map(([, value]) => value).join('+')}|${rights.map(([, text]) => text).join('+')}`);
        if (lefts.length === 2) out.emit('two');
      }));
    harness.processElement(['a', 1], 1);
    harness.processElement2(['a', 'x'], 6);
    harness.processElement(['a', 2], 9);
    harness.processElement2(['b', 'y'], 3);
    await harness.endInput();
    t.deepEqual(shown(harness), ['|y @7', '1+2|x @13', 'two @13']);
  });

  test(`a window join within the allowed lateness joins again, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (left, right) => left.join(right).where(([key]) => key).equalTo(([key]) => key).window(tens).allowedLateness(5)
      .apply({ join: ([, value], [, text]) => `${value}${text}` }));
    harness.processElement(['a', 1], 1);
    harness.processWatermark(9);
    harness.processElement2(['a', 'x'], 2);
    harness.processWatermark(14);
    harness.processElement2(['a', 'y'], 3);
    t.deepEqual(shown(harness), ['1x @9']);
  });

  const bounds = [
    { name: 'included', lower: true, upper: true, expected: ['1-2', '1-1', '10', '11', '12'] },
    { name: 'lower excluded', lower: false, upper: true, expected: ['1-1', '10', '11', '12'] },
    { name: 'upper excluded', lower: true, upper: false, expected: ['1-2', '1-1', '10', '11'] },
    { name: 'both excluded', lower: false, upper: false, expected: ['1-1', '10', '11'] },
  ];
  for (const { name, lower, upper, expected } of bounds) {
    for (const leftFirst of [true, false]) {
      test(`an interval join, bounds ${name}, left ${leftFirst ? 'first' : 'last'}, codegen ${codegen}`, async (t) => {
        const harness = await open(t, codegen, (left, right) => {
          const [a, b] = keyed(left, right);
          const join = a.intervalJoin(b).between(-2, '2 ms');
          if (!lower) join.lowerBoundExclusive();
          if (!upper) join.upperBoundExclusive();
          return join.process(([, value], [, text]) => `${value}${text}`);
        });
        if (leftFirst) harness.processElement(['a', 1], 100);
        for (let delta = -3; delta <= 3; delta++) harness.processElement2(['a', String(delta)], 100 + delta);
        harness.processElement2(['b', 'other key'], 100);
        if (!leftFirst) harness.processElement(['a', 1], 100);
        t.deepEqual(harness.extractOutput().toSorted(), expected.toSorted());
      });
    }
  }

  test(`the function of an interval join knows both times; a pair has the later one, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (left, right) => {
      const [a, b] = keyed(left, right);
      return a.intervalJoin(b).between(-10, 10).process<string>({
        process([key], [, text], context, out) {
          out.emit(`${key}${text} ${context.leftTimestampMs} ${context.rightTimestampMs} ${context.timestampMs}`);
          context.output(lateRight, [key, 'seen']);
        },
      });
    });
    harness.processElement(['a', 1], 5);
    harness.processElement2(['a', 'x'], 3);
    harness.processElement2(['a', 'y'], 12);
    t.deepEqual(shown(harness), ['ax 5 3 5 @5', 'ay 5 12 12 @12']);
    t.is(harness.sideOutput(lateRight).length, 2);
  });

  test(`partners come out in the order of Flink's hash map by time, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (left, right) => {
      const [a, b] = keyed(left, right);
      return a.intervalJoin(b).between(-100, 100).process<string>({ process: (_left, _right, { rightTimestampMs }, out) => out.emit(String(rightTimestampMs)) });
    });
    for (const ms of [2, 33, 17, 65_540, 1]) harness.processElement2(['a', ''], ms);
    harness.processElement(['a', 1], 20);
    harness.processElement(['a', 2], 65_540);
    // Places in a table of 16: 33, 17 and 1 are in place 1, in the order of their arrival; 65 540 would be in place 5.
    t.deepEqual(harness.extractOutput(), ['33', '17', '1', '2', '65540']);
    // With 13 times the table has 32 places: 33 and 1 are in place 1, 17 in place 17.
    for (let ms = 3; ms < 11; ms++) harness.processElement2(['a', ''], ms);
    harness.extractOutput();
    harness.processElement(['a', 3], 20);
    t.deepEqual(harness.extractOutput(), ['33', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '17']);
  });

  test(`a record behind the watermark is late, at the watermark it is not, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (left, right) => {
      const [a, b] = keyed(left, right);
      return a.intervalJoin(b).between(-10, 10).sideOutputLeftLateData(lateLeft).sideOutputRightLateData(lateRight).process(([, value], [, text]) => `${value}${text}`);
    });
    harness.processWatermark(10);
    harness.processElement(['a', 1], 9);
    harness.processElement2(['a', 'x'], 9);
    harness.processElement(['a', 2], 10);
    harness.processElement2(['a', 'y'], 10);
    t.deepEqual(shown(harness), ['2y @10']);
    t.deepEqual([harness.sideOutput(lateLeft), harness.sideOutput(lateRight)], [[['a', 1]], [['a', 'x']]]);
  });

  for (const [lower, upper] of [[-4, -2], [-2, 2], [2, 4]] as const) {
    test(`records between ${lower} and ${upper} join until no partner can come, codegen ${codegen}`, async (t) => {
      const harness = await open(t, codegen, (left, right) => {
        const [a, b] = keyed(left, right);
        return a.intervalJoin(b).between(lower, upper).process(([, value], [, text]) => `${value}${text}`);
      });
      // Each side waits for the other as long as the watermark allows a partner that is not late.
      harness.processElement(['a', 1], 100);
      harness.processWatermark(Math.max(100, 100 + upper) - 1);
      harness.processElement2(['a', 'x'], Math.max(100, 100 + upper));
      t.deepEqual(harness.extractOutput(), upper >= 0 ? ['1x'] : []);
      harness.processElement2(['a', 'y'], 200);
      harness.processWatermark(Math.max(200, 200 - lower) - 1);
      harness.processElement(['a', 2], Math.max(200, 200 - lower));
      t.deepEqual(harness.extractOutput(), lower <= 0 ? ['2y'] : []);
    });
  }

  test(`an interval join needs timestamps, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (left, right) => {
      const [a, b] = keyed(left, right);
      return a.intervalJoin(b).between(0, 1).process(() => 'x');
    });
    t.throws(() => harness.processElement(['a', 1]), { code: 'TIMESTAMP_MISSING' });
  });
}
