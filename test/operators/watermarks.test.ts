/** Timestamps and watermarks in a chain: what is emitted when, what becomes of upstream's, idleness, wrong timestamps. */
import fc from 'fast-check';
import test from 'ava';
import { MAX_WATERMARK, NO_TIMESTAMP, StreamExecutionEnvironment, WatermarkStrategy } from '../../src/index.ts';
import type { DataStream } from '../../src/index.ts';
import type { StreamEvent } from '../../src/exchange/contract.ts';
import type { TransformSpec } from '../../src/graph/operator-spec.ts';
import { ManualClock } from '../../src/testing/manual-clock.ts';
import { OperatorHarness } from '../../src/testing/operator-harness.ts';
import { edge, node, OperatorDriver } from './operator-driver.ts';

const INTERVAL_MS = 200;
const modes = ['generated', 'interpreted'] as const;

function specOf(strategy: WatermarkStrategy<number>): TransformSpec {
  return { kind: 'watermarks', data: strategy.data, user: strategy.functions };
}

/** One operator, or a chain that ends in it, with a clock of the test. */
class Bench {
  readonly clock = new ManualClock();
  readonly driver: OperatorDriver;
  private elapsedMs = 0;

  constructor(specs: readonly TransformSpec[], mode: 'generated' | 'interpreted', refuses = false) {
    const edges = specs.slice(1).map((_, i) => edge(i + 1, i + 2));
    const around = () => ({ autoWatermarkIntervalMs: INTERVAL_MS });
    this.driver = new OperatorDriver(specs.map((spec, i) => node(i + 1, spec)), edges, { mode, refuses, clock: this.clock, around });
  }

  static async open(strategy: WatermarkStrategy<number>, mode: 'generated' | 'interpreted', refuses = false): Promise<Bench> {
    const bench = new Bench([specOf(strategy)], mode, refuses);
    await bench.driver.open();
    return bench;
  }

  async records(...timesMs: number[]): Promise<void> {
    await this.driver.run(timesMs, { batchSize: 3, timestampsMs: timesMs });
  }

  /** An interval goes by. */
  async tick(intervals = 1): Promise<void> {
    for (let i = 0; i < intervals; i++) {
      this.elapsedMs += INTERVAL_MS;
      this.clock.advanceTo(this.elapsedMs, () => undefined);
      await this.driver.work();
    }
  }

  get emitted(): unknown[] {
    return (this.driver.writers[0]?.emitted ?? []).map((each) => ('event' in each ? shortOf(each.event) : each.timestampMs));
  }
}

function shortOf(event: StreamEvent): string {
  if (event.kind === 'watermark') return `w${event.timestampMs}`;
  return event.kind === 'status' ? (event.idle ? 'idle' : 'active') : event.kind;
}

for (const mode of modes) {
  test(`the watermark is the greatest timestamp minus the bound minus 1, at each interval, and rises only, ${mode}`, async (t) => {
    const steps = fc.array(fc.oneof(fc.constant('tick' as const), fc.integer({ min: -50, max: 100 })), { maxLength: 40 });
    await fc.assert(fc.asyncProperty(steps, fc.integer({ min: 0, max: 30 }), fc.boolean(), async (input, bound, refuses) => {
      const bench = await Bench.open(WatermarkStrategy.forBoundedOutOfOrderness<number>(bound), mode, refuses);
      const expected: unknown[] = [];
      let [greatest, watermark] = [NO_TIMESTAMP, NO_TIMESTAMP];
      for (const step of input) {
        if (step === 'tick') {
          await bench.tick();
          if (greatest !== NO_TIMESTAMP && greatest - bound - 1 > watermark) expected.push(`w${(watermark = greatest - bound - 1)}`);
        } else {
          await bench.records(step);
          greatest = Math.max(greatest, step);
          expected.push(step);
        }
      }
      t.deepEqual(bench.emitted, expected);
      await bench.driver.close();
    }), { numRuns: 50 });
  });

  test(`a watermark that a generator emits with a record stands right behind it, ${mode}`, async (t) => {
    const strategy = WatermarkStrategy.forGenerator<number>(() => ({
      onEvent: (n, timestampMs, output) => {
        if (n % 2 === 0) output.emitWatermark(timestampMs);
      },
      onPeriodicEmit: () => undefined,
    }));
    const bench = await Bench.open(strategy, mode);
    await bench.driver.run([1, 2, 3, 4, 4, 2, 6], { batchSize: 7, timestampsMs: [1, 2, 3, 4, 4, 2, 6] });
    t.deepEqual(bench.emitted, [1, 2, 'w2', 3, 4, 'w4', 4, 2, 6, 'w6']);
    await bench.driver.close();
  });

  test(`watermarks and idleness from upstream end here, but for the last watermark; other events pass, ${mode}`, async (t) => {
    const bench = await Bench.open(WatermarkStrategy.forMonotonousTimestamps<number>(), mode);
    await bench.driver.event({ kind: 'watermark', timestampMs: 50 });
    await bench.driver.event({ kind: 'status', idle: true });
    await bench.driver.event({ kind: 'custom', body: '' });
    await bench.driver.event({ kind: 'watermark', timestampMs: MAX_WATERMARK });
    await bench.driver.event({ kind: 'end' });
    t.deepEqual(bench.emitted, ['custom', `w${MAX_WATERMARK}`, 'end']);
    await bench.driver.close();
  });

  test(`idle after a time without records, active with the next watermark; the last watermark is heard, ${mode}`, async (t) => {
    const bench = await Bench.open(WatermarkStrategy.forMonotonousTimestamps<number>().withIdleness(INTERVAL_MS * 2), mode);
    await bench.records(5);
    await bench.tick(4); // The first interval sees the record, the second begins the quiet.
    t.deepEqual(bench.emitted, [5, 'w4']);
    await bench.tick();
    t.deepEqual(bench.emitted, [5, 'w4', 'idle']);
    await bench.tick(3);
    await bench.records(5);
    await bench.tick();
    t.deepEqual(bench.emitted, [5, 'w4', 'idle', 5], 'a record that moves no watermark does not end the idleness');
    await bench.records(9);
    await bench.tick();
    t.deepEqual(bench.emitted.slice(4), [9, 'active', 'w8']);
    await bench.tick(9);
    await bench.driver.event({ kind: 'watermark', timestampMs: MAX_WATERMARK });
    t.deepEqual(bench.emitted.slice(7), ['idle', 'active', `w${MAX_WATERMARK}`]);
    await bench.driver.close();
  });

  test(`time without room is not idle time, ${mode}`, async (t) => {
    const clock = new ManualClock();
    const strategy = WatermarkStrategy.forMonotonousTimestamps<number>().withIdleness(2 * INTERVAL_MS);
    const around = () => ({ autoWatermarkIntervalMs: INTERVAL_MS });
    const driver = new OperatorDriver([node(1, specOf(strategy))], [], { mode, clock, around });
    await driver.open();
    let nowMs = 0;
    const pass = async (ms: number, works: boolean) => {
      clock.advanceTo((nowMs += ms), () => undefined);
      if (works) await driver.work();
    };
    await pass(INTERVAL_MS, true); // Quiet begins.
    await pass(INTERVAL_MS, false); // The interval is over, but the task has no room for
    await pass(100_000, true); // a long time.
    t.deepEqual(driver.values(), []);
    await pass(INTERVAL_MS, true);
    t.deepEqual(driver.values(), []);
    await pass(INTERVAL_MS, true);
    t.deepEqual(driver.values(), ['status']);
    await driver.close();
  });

  test(`an assigner sets the event time, and sees the one before, ${mode}`, async (t) => {
    const strategy = WatermarkStrategy.forBoundedOutOfOrderness<number>(5).withTimestampAssigner((n: number, beforeMs) => n * 10 + beforeMs);
    const bench = await Bench.open(strategy, mode);
    await bench.records(1, 2);
    await bench.tick();
    t.deepEqual(bench.emitted, [11, 22, 'w16']);
    await bench.driver.close();
  });

  for (const [wrong, text] of [
    [Number.NaN, 'not NaN'], [null, 'not null'], [undefined, 'not undefined'], ['7', 'not 7'], [1.5, 'not 1.5: round it'], [7n, 'not 7n'],
    [new Date(0), ': use its getTime()'],
  ] as const) {
    test(`a timestamp that is ${String(wrong)} (${typeof wrong}) is a clear error that names the operator, ${mode}`, async (t) => {
      const assign = () => wrong as number;
      const strategy = WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner(assign);
      for (const spec of [specOf(strategy), { kind: 'timestamps', data: {}, user: { timestampMs: assign } } as const]) {
        const bench = new Bench([{ kind: 'map', data: {}, user: { map: (n) => n } }, spec], mode);
        await bench.driver.open();
        const error = await t.throwsAsync(bench.records(1));
        t.is((error as Error & { code: string }).code, 'TIMESTAMP_INVALID');
        t.true(error.message.startsWith(`operator '${spec.kind}': the timestamp of a record is a whole number of ms since the epoch`), error.message);
        t.true(error.message.endsWith(text), error.message);
        await bench.driver.close();
      }
    });
  }

  test(`a watermark that is none is a clear error, ${mode}`, async (t) => {
    const strategy = WatermarkStrategy.forGenerator<number>(() => ({
      onEvent: (_n, _timestampMs, output) => output.emitWatermark(Number.NaN),
      onPeriodicEmit: () => undefined,
    }));
    const bench = await Bench.open(strategy, mode);
    await t.throwsAsync(bench.records(1), { message: /operator 'watermarks': a watermark is a whole number of ms since the epoch, not NaN/ });
    await bench.driver.close();
  });
}

test('in the harness watermarks come with its clock, and fire timers behind the strategy', async (t) => {
  const harness = await OperatorHarness.open((numbers: DataStream<number>) => numbers
    .assignTimestampsAndWatermarks(WatermarkStrategy.forBoundedOutOfOrderness<number>(10).withTimestampAssigner((n) => n))
    .keyBy((n) => n)
    .process<string>({
      process: (n, { timers }) => timers.registerEventTimeTimer(n + 1),
      onTimer: (timestampMs, context, out) => out.emit(`${context.key} at ${timestampMs}`),
    }));
  t.teardown(() => harness.close());
  for (const n of [5, 20, 12]) harness.processElement(n);
  harness.setProcessingTime(199);
  t.deepEqual(harness.extractWatermarks(), []);
  harness.setProcessingTime(200);
  t.deepEqual(harness.extractWatermarks(), [9]);
  t.deepEqual(harness.extractOutput(), ['5 at 6']);
});

test('a strategy is checked as the program is built, and keeps the type of its stream', async (t) => {
  t.throws(() => WatermarkStrategy.forBoundedOutOfOrderness(-1), { message: /forBoundedOutOfOrderness: '-1' is not a duration/ });
  t.throws(() => WatermarkStrategy.forBoundedOutOfOrderness(0.5), { message: /0.5 ms is not a whole number of ms/ });
  t.throws(() => WatermarkStrategy.noWatermarks().withIdleness(0), { message: /withIdleness: the timeout must be above 0/ });
  t.throws(() => WatermarkStrategy.forGenerator(null as never), { message: /forGenerator needs a function/ });
  t.throws(() => WatermarkStrategy.noWatermarks().withWatermarkAlignment('', 1), { message: /the group needs a name/ });
  t.throws(() => WatermarkStrategy.noWatermarks().withWatermarkAlignment('g', 1, 0), { message: /the update interval must be above 0/ });
  const environment = StreamExecutionEnvironment.createLocalEnvironment();
  const aligned = WatermarkStrategy.forMonotonousTimestamps<number>().withWatermarkAlignment('g', '1 s');
  t.throws(() => environment.fromElements(1).assignTimestampsAndWatermarks(aligned), { message: /withWatermarkAlignment is for sources/ });
  const doubled = environment.fromElements(3, 1, 2)
    .assignTimestampsAndWatermarks(WatermarkStrategy.forMonotonousTimestamps())
    .assignTimestampsAndWatermarks(WatermarkStrategy.noWatermarks<number>().withTimestampAssigner((n) => n * 1000))
    .map((n) => n * 2);
  const values: number[] = [];
  for await (const n of doubled.executeAndCollect()) values.push(n);
  t.deepEqual(values, [6, 2, 4]);
});
