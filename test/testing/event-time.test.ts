/** Event time from sources to timers, over real slots: a source that never ends, edges of every kind, inputs that are idle. */
import test from 'ava';
import { dataGenerator, StreamExecutionEnvironment, WatermarkStrategy } from '../../src/index.ts';
import type { DataStream, KeyedStream } from '../../src/index.ts';

const byIndex = WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner((index: number) => index * 10);

function environment(codegen: string): StreamExecutionEnvironment {
  return StreamExecutionEnvironment.createLocalEnvironment({
    parallelism: 2, configuration: { 'pipeline.codegen': codegen, 'pipeline.auto-watermark-interval': '5 ms' },
  });
}

/** Indexes 0, 1, 2, …, for ever. */
function endless(env: StreamExecutionEnvironment): DataStream<number> {
  return env.fromSource(dataGenerator({ generate: (index) => index, ratePerSecond: 2000 }), byIndex, 'numbers');
}

/** Answers the number 500 ms of event time after it, with the watermark at that time. */
function echo(stream: KeyedStream<number, number>): DataStream<readonly [n: number, watermarkMs: number]> {
  return stream.process<readonly [number, number], Record<never, never>>({
    process: (n, { timers }) => timers.registerEventTimeTimer(n * 10 + 500),
    onTimer: (timestampMs, { timers }, out) => out.emit([(timestampMs - 500) / 10, timers.currentWatermarkMs]),
  });
}

async function take<T>(stream: DataStream<T>, count: number): Promise<T[]> {
  const values: T[] = [];
  for await (const value of stream.executeAndCollect(count)) values.push(value);
  return values;
}

for (const codegen of ['on', 'off']) {
  const edges: Readonly<Record<string, (numbers: DataStream<number>) => DataStream<number>>> = {
    'by key': (numbers) => numbers,
    'in turn, then by key': (numbers) => numbers.rebalance().map((n) => n),
    'to all, then by key': (numbers) => numbers.broadcast().filter((_n) => true),
    'rescaled to fewer': (numbers) => numbers.map((n) => n).setParallelism(2).rescale().map((n) => n).setParallelism(1),
  };
  for (const [name, edge] of Object.entries(edges)) {
    test(`timers fire while the source goes on, records passed ${name}, codegen ${codegen}`, async (t) => {
      const fired = await take(echo(edge(endless(environment(codegen))).keyBy((n) => n % 7)), 50);
      t.is(fired.length, 50);
      for (const [n, watermarkMs] of fired) t.true(watermarkMs >= n * 10 + 500, `${n} at ${watermarkMs}`);
    });
  }

  test(`a union waits for its slowest stream, and not for one that is idle, codegen ${codegen}`, async (t) => {
    const env = environment(codegen);
    const silent = env
      .fromSource(dataGenerator({ generate: (index) => index, ratePerSecond: 1e-6 }), byIndex.withIdleness(20), 'silent')
      .filter((n) => n > 0);
    const fired = await take(echo(endless(env).union(silent).keyBy((n) => n % 7)), 20);
    t.is(fired.length, 20);
  });

  test(`aligned sources stay together, codegen ${codegen}`, async (t) => {
    const env = environment(codegen);
    const aligned = byIndex.withWatermarkAlignment('both', 1000, 5);
    const source = (name: string, ratePerSecond: number) =>
      env.fromSource(dataGenerator({ generate: (index) => index, ratePerSecond }), aligned, name).map((n) => [name, n] as const);
    const farthest: Record<string, number> = { slow: 0, fast: 0 };
    for await (const [name, n] of source('slow', 400).union(source('fast', 20_000)).executeAndCollect()) {
      farthest[name] = Math.max(farthest[name]!, n);
      if (farthest['slow']! >= 600) break;
    }
    t.true(farthest['fast']! < 15_000, `of 30 000 without alignment: ${farthest['fast']}`);
  });

  test(`the end of a bounded source fires what is left, codegen ${codegen}`, async (t) => {
    const env = environment(codegen);
    const fired: number[] = [];
    const numbers = env.fromSource(dataGenerator({ generate: (index) => index, count: 30 }), byIndex);
    for await (const [n] of echo(numbers.keyBy((n) => n)).executeAndCollect()) fired.push(n);
    t.deepEqual(fired.toSorted((a, b) => a - b), Array.from({ length: 30 }, (_, n) => n));
  });
}
