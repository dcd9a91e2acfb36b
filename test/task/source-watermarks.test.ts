/** Event time at a source: by split, within batches, idle, and at the end. */
import fc from 'fast-check';
import test from 'ava';
import { MAX_WATERMARK, NO_TIMESTAMP, WatermarkStrategy } from '../../src/index.ts';
import type { PollResult, RecordBatch, SourceReader, SourceSplit } from '../../src/graph/functions.ts';
import type { RecordWriter, StreamEvent } from '../../src/exchange/contract.ts';
import type { Segment } from '../../src/task/chain.ts';
import { SegmentDuties } from '../../src/task/segment-duties.ts';
import { SegmentRunner } from '../../src/task/segment-runner.ts';
import { SourceInput } from '../../src/task/source-input.ts';
import { ManualClock } from '../../src/testing/manual-clock.ts';

const INTERVAL_MS = 200;

interface Given {
  readonly splitId?: string;
  readonly timesMs: readonly number[];
}

/** Gives out what the test gives it, a batch for each poll. */
class ScriptedReader implements SourceReader<unknown> {
  readonly given: Given[] = [];
  held: SourceSplit[] = [];
  isEnded = false;

  poll(batch: RecordBatch): PollResult {
    const next = this.given.shift();
    batch.length = 0;
    if (next === undefined) return this.isEnded ? 'end' : 'nothing';
    if (next.splitId !== undefined) batch.splitId = next.splitId;
    next.timesMs.forEach((timeMs, i) => {
      batch.values[i] = timeMs;
      batch.timestampsMs[i] = NO_TIMESTAMP;
    });
    batch.length = next.timesMs.length;
    return 'more';
  }

  available(): Promise<void> {
    return Promise.resolve();
  }

  addSplits(splits: readonly SourceSplit[]): void {
    this.held.push(...splits);
  }

  noMoreSplits(): void {}

  snapshot(): readonly SourceSplit[] {
    return this.held;
  }

  close(): void {}
}

type Mode = { readonly codegen: boolean; readonly isSequential: boolean };

/** A source, and what leaves it. */
class Bench {
  readonly emitted: unknown[] = [];
  readonly reported: number[] = [];
  readonly reader = new ScriptedReader();
  private readonly clock = new ManualClock();
  private readonly input: SourceInput;
  private readonly runner: SegmentRunner;
  private nowMs = 0;

  constructor(strategy: WatermarkStrategy<number>, mode: Mode) {
    const spec = { data: strategy.data, functions: strategy.functions };
    this.input = new SourceInput(this.reader, {
      name: 'Source: numbers',
      unaligned: null,
      send: (body) => void (body.kind === 'watermarkReported' && this.reported.push(body.timestampMs)),
      wake: () => undefined,
      fail: (thrown) => { throw thrown; },
      time: { spec, intervalMs: INTERVAL_MS, clock: this.clock, ...mode },
    });
    const writer = { broadcast: (event: StreamEvent) => void this.emitted.push(shortOf(event)) } as RecordWriter;
    const entry = [{ tag: null, hop: null, operator: null, writer }];
    const segment: Segment = { input: null, inputCount: 1, origin: 'Source: numbers', entry, nodes: [], writers: [], status: { full: false }, duties: new SegmentDuties() };
    const run = (_: readonly unknown[], timestampsMs: readonly number[], from: number, to: number) => {
      for (let i = from; i < to; i++) this.emitted.push(timestampsMs[i]);
      return to;
    };
    this.runner = new SegmentRunner(segment, { batches: [run, run], record: () => undefined }, this.input, () => 0);
  }

  async start(...splitIds: string[]): Promise<this> {
    await this.input.start();
    this.input.onEvent({ kind: 'addSplits', splits: splitIds.map((id) => ({ id })) });
    return this;
  }

  async give(splitId: string | null, ...timesMs: number[]): Promise<void> {
    this.reader.given.push({ timesMs, ...(splitId === null ? {} : { splitId }) });
    await this.settle();
  }

  async tick(intervals = 1): Promise<void> {
    for (let i = 0; i < intervals; i++) {
      this.clock.advanceTo((this.nowMs += INTERVAL_MS), () => undefined);
      await this.settle();
    }
  }

  async align(timestampMsMax: number): Promise<void> {
    this.input.onEvent({ kind: 'watermarkAlignment', timestampMsMax });
    await this.settle();
  }

  async drain(): Promise<void> {
    this.input.trigger({ kind: 'barrier', checkpointId: 1, timestampMs: 0, options: JSON.stringify({ stop: 'drain' }) });
    await this.settle();
  }

  async end(): Promise<void> {
    this.reader.isEnded = true;
    await this.settle();
  }

  /** Until the source waits; what the reader's `available` answers is heard before. */
  private async settle(): Promise<void> {
    for (let quiet = 0; quiet < 2; quiet++) {
      while (this.runner.step() === 'ran') quiet = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function shortOf(event: StreamEvent): string {
  if (event.kind === 'watermark') return `w${event.timestampMs}`;
  return event.kind === 'status' ? (event.idle ? 'idle' : 'active') : event.kind;
}

const byValue = WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner((n: number) => n);

for (const codegen of [true, false]) {
  const together = { codegen, isSequential: false };
  const sequential = { codegen, isSequential: true };

  test(`no split overtakes the slowest, a silent one holds all, a finished one nobody, codegen ${codegen}`, async (t) => {
    const bench = await new Bench(byValue, together).start('a', 'b');
    await bench.give('a', 10, 20);
    await bench.tick();
    t.deepEqual(bench.emitted, [10, 20], 'split b may bring anything');
    await bench.give('b', 5);
    await bench.tick();
    t.deepEqual(bench.emitted.slice(2), [5, 'w4']);
    bench.reader.held = [{ id: 'a' }];
    await bench.tick();
    t.deepEqual(bench.emitted.slice(4), ['w19']);
    await bench.end();
    t.deepEqual(bench.emitted.slice(5), [`w${MAX_WATERMARK}`, 'end']);
  });

  test(`a reader that does not tell its splits apart has one watermark, codegen ${codegen}`, async (t) => {
    const bench = await new Bench(byValue, together).start('a', 'b');
    await bench.give(null, 10, 7);
    await bench.tick(2);
    await bench.give(null, 8);
    await bench.tick();
    t.deepEqual(bench.emitted, [10, 7, 'w9', 8]);
  });

  test(`a reader of one split after the other waits for the one at hand, codegen ${codegen}`, async (t) => {
    const bench = await new Bench(byValue, sequential).start('a', 'b');
    await bench.give('a', 10, 20);
    await bench.tick();
    await bench.give('b', 5);
    await bench.tick();
    await bench.give('b', 30);
    await bench.tick();
    t.deepEqual(bench.emitted, [10, 20, 'w19', 5, 30, 'w29']);
  });

  test(`over any history the watermark is the least of the splits, and rises, codegen ${codegen}`, async (t) => {
    const step = fc.oneof(
      fc.constant('tick' as const),
      fc.record({ splitId: fc.constantFrom('a', 'b', 'c'), timesMs: fc.array(fc.nat(50), { minLength: 1, maxLength: 4 }) }),
    );
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.nat(10), async (steps, bound) => {
      const strategy = WatermarkStrategy.forBoundedOutOfOrderness<number>(bound).withTimestampAssigner((n: number) => n);
      const bench = await new Bench(strategy, together).start('a', 'b', 'c');
      const greatest: Record<string, number> = { a: NO_TIMESTAMP, b: NO_TIMESTAMP, c: NO_TIMESTAMP };
      let watermarkMs = -1000;
      const expected: unknown[] = [];
      for (const each of steps) {
        if (each === 'tick') {
          await bench.tick();
          const leastMs = Math.min(...Object.values(greatest)) - bound - 1;
          if (leastMs > watermarkMs) expected.push(`w${(watermarkMs = leastMs)}`);
        } else {
          await bench.give(each.splitId, ...each.timesMs);
          expected.push(...each.timesMs);
          greatest[each.splitId] = Math.max(greatest[each.splitId]!, ...each.timesMs);
        }
      }
      t.deepEqual(bench.emitted, expected);
    }), { numRuns: 25 });
  });

  test(`a watermark that comes with a record stands right behind it, codegen ${codegen}`, async (t) => {
    const strategy = WatermarkStrategy.forGenerator<number>(() => ({
      onEvent: (_n, timestampMs, output) => output.emitWatermark(timestampMs - 1),
      onPeriodicEmit: () => undefined,
    })).withTimestampAssigner((n: number) => n);
    const bench = await new Bench(strategy, together).start('a', 'b');
    await bench.give('a', 3, 5);
    await bench.give('b', 1, 4, 4, 9);
    t.deepEqual(bench.emitted, [3, 5, 1, 'w0', 4, 'w3', 4, 9, 'w4']);
  });

  test(`idle while no split has records, though none was assigned; the last watermark is heard, codegen ${codegen}`, async (t) => {
    const strategy = byValue.withIdleness(INTERVAL_MS);
    const bench = await new Bench(strategy, together).start();
    await bench.tick(3);
    t.deepEqual(bench.emitted, ['idle']);
    await bench.start('a', 'b');
    await bench.give('a', 10);
    await bench.tick();
    t.deepEqual(bench.emitted.slice(1), ['active', 10], 'a split that is new is waited for');
    await bench.tick(3);
    t.deepEqual(bench.emitted.slice(3), ['w9', 'idle'], 'b is idle, and then a is');
    await bench.end();
    t.deepEqual(bench.emitted.slice(5), ['active', `w${MAX_WATERMARK}`, 'end']);
  });

  test(`a source that is ahead of its group waits, and is not idle meanwhile, codegen ${codegen}`, async (t) => {
    const strategy = byValue.withIdleness(INTERVAL_MS).withWatermarkAlignment('g', 50, INTERVAL_MS);
    const bench = await new Bench(strategy, together).start('a');
    await bench.give('a', 100);
    await bench.tick();
    await bench.tick();
    t.is(bench.reported.at(-1), 99);
    await bench.align(60);
    await bench.give('a', 110);
    await bench.tick(9);
    t.deepEqual(bench.emitted, [100, 'w99'], 'nothing is read');
    t.is(bench.reported.at(-1), 99, 'nor reported as idle');
    await bench.align(99);
    await bench.tick();
    t.deepEqual(bench.emitted, [100, 'w99', 110, 'w109']);
    await bench.end();
    t.deepEqual(bench.emitted.slice(4), [], 'the end waits too');
    await bench.align(200);
    t.deepEqual(bench.emitted.slice(4), [`w${MAX_WATERMARK}`, 'end']);
    t.is(bench.reported.at(-1), MAX_WATERMARK);
  });

  test(`an idle source that is drained is heard, codegen ${codegen}`, async (t) => {
    const bench = await new Bench(byValue.withIdleness(INTERVAL_MS), together).start('a');
    await bench.tick(3);
    await bench.drain();
    t.deepEqual(bench.emitted, ['idle', 'active', `w${MAX_WATERMARK}`, 'barrier']);
  });

  test(`a timestamp that is none names the source, codegen ${codegen}`, async (t) => {
    const strategy = WatermarkStrategy.noWatermarks<number>().withTimestampAssigner(() => Number.NaN);
    const bench = await new Bench(strategy, together).start('a');
    await t.throwsAsync(bench.give('a', 1), { message: /'Source: numbers': the timestamp of a record is a whole number of ms .* not NaN/ });
  });
}
