/** Windows by Flink's rules, record by record, as generated code and interpreted. */
import test from 'ava';
import { evictor, globalWindows, session, sliding, state, t as types, trigger, tumbling } from '../../src/index.ts';
import type { AggregateFunction, ProcessWindowFunction, Trigger, TriggerResult, WindowAssigner } from '../../src/index.ts';
import { late, open, results, shown, type Item } from './window-fixture.ts';

const add = (a: Item, b: Item): Item => [a[0], a[1] + b[1]];
const mean: AggregateFunction<Item, { sum: number; count: number }, number> = {
  createAccumulator: () => ({ sum: 0, count: 0 }),
  add(accumulator, [, value]) {
    accumulator.sum += value;
    accumulator.count += 1;
    return accumulator;
  },
  getResult: ({ sum, count }) => sum / count,
  merge: (a, b) => ({ sum: a.sum + b.sum, count: a.count + b.count }),
};
const tens = tumbling.eventTime({ size: 10 });

for (const codegen of ['on', 'off'] as const) {
  test(`a tumbling window fires once, when the watermark reaches its last timestamp, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (items) => items.window(tens).reduce(add));
    harness.processElement(['a', 1], 3);
    harness.processElement(['b', 5], 4);
    harness.processElement(['a', 2], 9);
    harness.processElement(['a', 4], 10);
    harness.processWatermark(8);
    t.deepEqual(results(harness), []);
    harness.processWatermark(9);
    t.deepEqual(results(harness), ['["a",3] @9', '["b",5] @9']);
    harness.processWatermark(100);
    t.deepEqual(results(harness), ['["a",4] @19']);
    await harness.endInput();
    t.deepEqual(results(harness), []);
  });

  test(`the end of the input fires what is open, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (items) => items.window(tens).sum(1));
    harness.processElement(['a', 1], 3);
    harness.processElement(['a', 1], 103);
    await harness.endInput();
    t.deepEqual(results(harness), ['["a",1] @9', '["a",1] @109']);
  });

  test(`a record is in every sliding window that holds it, in-order and late, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (items) => items.window(sliding.eventTime({ size: 30, slide: 10 })).aggregate(mean, (value, { key, window }) => `${key} ${window.startMs} ${value}`));
    harness.processElement(['a', 1], 25);
    harness.processElement(['a', 3], 31);
    harness.processWatermark(29);
    t.deepEqual(results(harness), ['a 0 1 @29']);
    harness.processElement(['a', 5], 20);
    t.deepEqual(harness.sideOutput(late), []);
    await harness.endInput();
    t.deepEqual(results(harness), ['a 10 3 @39', 'a 20 3 @49', 'a 30 3 @59']);
  });

  test(`sliding windows whose slide does not divide their size, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (items) => items.window(sliding.eventTime({ size: 7, slide: 5 })).reduce(add, ([, sum], { window }) => `${window.startMs}: ${sum}`));
    for (let ms = 0; ms < 12; ms++) harness.processElement(['a', 1 << ms], ms);
    await harness.endInput();
    t.deepEqual(results(harness), ['-5: 3 @1', '0: 127 @6', '5: 4064 @11', '10: 3072 @16']);
  });

  test(`a record between windows is in none, and is not late output while the watermark is behind it, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (items) => items.window(sliding.eventTime({ size: 2, slide: 5 })).sideOutputLateData(late).reduce(add));
    harness.processElement(['a', 1], 3);
    t.deepEqual(harness.sideOutput(late), []);
    harness.processElement(['a', 1], 6);
    harness.processWatermark(4);
    harness.processElement(['a', 9], 3);
    t.deepEqual(harness.sideOutput(late), [['a', 9]]);
    await harness.endInput();
    t.deepEqual(results(harness), ['["a",1] @6']);
  });

  test(`a late record is dropped, or goes to the side output, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (items) => items.window(tens).sideOutputLateData(late).process(shown));
    harness.processWatermark(9);
    harness.processElement(['a', 1], 9);
    harness.processElement(['a', 2], 10);
    t.deepEqual(harness.sideOutput(late), [['a', 1]]);
    await harness.endInput();
    t.deepEqual(results(harness), ['a [10,20) 2 @19']);
  });

  for (const [name, fast] of [['reduce', true], ['process', false]] as const) {
    test(`within the allowed lateness each record fires again, and after it the window is late (${name}), codegen ${codegen}`, async (t) => {
      const harness = await open(t, codegen, (items) => {
        const windows = items.window(tens).allowedLateness(5).sideOutputLateData(late);
        return fast ? windows.reduce(add, ([key, sum]) => `${key} ${sum}`) : windows.process({ process(all, { key }, out) { out.emit(`${key} ${[...all].reduce((sum, [, n]) => sum + n, 0)}`); } });
      });
      harness.processElement(['a', 1], 3);
      harness.processWatermark(9);
      t.deepEqual(results(harness), ['a 1 @9']);
      harness.processElement(['a', 2], 4);
      harness.processElement(['b', 7], 5);
      t.deepEqual(results(harness), ['a 3 @9', 'b 7 @9']);
      harness.processWatermark(13);
      harness.processElement(['a', 4], 5);
      t.deepEqual(results(harness), ['a 7 @9']);
      harness.processWatermark(14);
      harness.processElement(['a', 8], 5);
      t.deepEqual(results(harness), []);
      t.deepEqual(harness.sideOutput(late), [['a', 8]]);
    });
  }

  test(`sessions merge over a late record, and one that is late as a whole is late output (Flink's oracle), codegen ${codegen}`, async (t) => {
    for (const lateness of [0, 10]) {
      const harness = await open(t, codegen, (items) => items.window(session.eventTime({ gap: 3000 })).allowedLateness(lateness).sideOutputLateData(late)
        .aggregate({ createAccumulator: () => 0, add: (n: number) => n + 1, getResult: (n) => n, merge: (a, b) => a + b }, (n, { window }) => `[${window.startMs},${window.endMs}) ${n}`));
      const steps: [kind: 'e' | 'w', ms: number][] = [['e', 1000], ['w', 1999], ['e', 2000], ['w', 4998], ['e', 4500], ['e', 8500], ['w', 7400], ['e', 7000], ['w', 11501]];
      const run = (list: typeof steps): void => { for (const [kind, ms] of list) if (kind === 'e') harness.processElement(['a', 1], ms); else harness.processWatermark(ms); };
      run(steps);
      t.deepEqual(results(harness), ['[1000,11500) 5 @11499']);
      run([['e', 11600], ['w', 14600]]);
      t.deepEqual(results(harness), ['[11600,14600) 1 @14599']);
      run([['e', 10000]]);
      t.deepEqual(results(harness), lateness === 0 ? [] : ['[10000,14600) 2 @14599']);
      t.deepEqual(harness.sideOutput(late).length, lateness === 0 ? 1 : 0);
      run([['e', 14500], ['w', 20000]]);
      t.deepEqual(results(harness), lateness === 0 ? ['[14500,17500) 1 @17499'] : ['[10000,17500) 3 @17499']);
    }
  });

  test(`sessions keep their records in the order of their arrival when they grow, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (items) => items.window(session.eventTime({ gap: ([, value]: Item) => value })).process(shown));
    harness.processElement(['a', 10], 0);
    harness.processElement(['a', 12], 5);
    harness.processElement(['b', 3], 5);
    harness.processElement(['a', 11], 100);
    harness.processElement(['a', 4], 13);
    await harness.endInput();
    t.deepEqual(results(harness), ['b [5,8) 3 @7', 'a [0,17) 10 12 4 @16', 'a [100,111) 11 @110']);
  });

  test(`processing-time windows go by the clock and do not fire at the end of the input, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (items) => items.window(tumbling.processingTime({ size: 10 })).process(shown));
    harness.setProcessingTime(3);
    harness.processElement(['a', 1]);
    harness.setProcessingTime(8);
    harness.processElement(['a', 2]);
    t.deepEqual(results(harness), []);
    harness.setProcessingTime(9);
    t.deepEqual(results(harness), ['a [0,10) 1 2 @9']);
    harness.processElement(['a', 3]);
    await harness.endInput();
    t.deepEqual(results(harness), []);
  });

  test(`processing-time sessions end when nothing has come for the gap, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (items) => items.window(session.processingTime({ gap: 10 })).process(shown));
    harness.processElement(['a', 1]);
    harness.setProcessingTime(8);
    harness.processElement(['a', 2]);
    harness.setProcessingTime(16);
    t.deepEqual(results(harness), []);
    harness.setProcessingTime(17);
    t.deepEqual(results(harness), ['a [0,18) 1 2 @17']);
  });

  test(`count windows: every n records, or the last n at every so many, codegen ${codegen}`, async (t) => {
    const purged = await open(t, codegen, (items) => items.countWindow(2).process(shown));
    const slid = await open(t, codegen, (items) => items.countWindow(3, 2).reduce(add));
    for (const value of [1, 2, 3, 4, 5, 6]) for (const harness of [purged, slid]) harness.processElement(['a', value]);
    purged.processElement(['b', 1]);
    t.deepEqual(purged.extractOutput().map((line) => line.replace(/\[.*\) /, '')), ['a 1 2', 'a 3 4', 'a 5 6']);
    t.deepEqual(slid.extractOutput(), [['a', 3], ['a', 9], ['a', 15]]);
  });

  test(`windowAll sees all keys, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (items) => items.windowAll(tens).process({
      process: (all, { key, window }, out) => out.emit(`${key} ${window.startMs} ${[...all].map(([k, n]) => k + n).join(' ')}`),
    }));
    harness.processElement(['a', 1], 1);
    harness.processElement(['b', 2], 2);
    await harness.endInput();
    t.deepEqual(results(harness), ['all 0 a1 b2 @9']);
  });

  test(`an evictor limits what the function sees and what stays, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (items) => items.window(globalWindows()).trigger(trigger.count(2)).evictor(evictor.time(10)).process(shown));
    for (const [value, ms] of [[1, 0], [2, 5], [3, 12], [4, 14], [5, 13], [6, 30]] as const) harness.processElement(['a', value], ms);
    const seen = harness.extractOutput().map((line) => line.replace(/.*\) /, ''));
    t.deepEqual(seen, ['1 2', '2 3 4', '6']);
    const after = await open(t, codegen, (items) => items.window(globalWindows()).trigger(trigger.count(2)).evictor(evictor.count(1, { after: true })).process(shown));
    for (const value of [1, 2, 3, 4]) after.processElement(['a', value], value);
    t.deepEqual(after.extractOutput().map((line) => line.replace(/.*\) /, '')), ['1 2', '2 3 4']);
  });

  test(`an evictor that leaves nothing: the function sees an empty window, reduce has no result, codegen ${codegen}`, async (t) => {
    const none = { evictBefore: () => [] };
    const processed = await open(t, codegen, (items) => items.window(tens).evictor(none).process(shown));
    const reduced = await open(t, codegen, (items) => items.window(tens).evictor(none).reduce(add));
    for (const harness of [processed, reduced]) {
      harness.processElement(['a', 1], 0);
      harness.processWatermark(9);
    }
    t.deepEqual([results(processed), results(reduced)], [['a [0,10)  @9'], []]);
  });

  test(`fire keeps the contents, purge drops them and nothing fires without new records, codegen ${codegen}`, async (t) => {
    const by: Readonly<Record<number, TriggerResult>> = { 1: 'continue', 2: 'fire', 3: 'purge', 4: 'fireAndPurge' };
    const scripted: Trigger<Item> = {
      onElement: ([, value]) => by[value] ?? 'continue',
      onEventTime: () => 'fire',
      onProcessingTime: () => 'continue',
      clear: () => undefined,
    };
    const harness = await open(t, codegen, (items) => items.window(tens).trigger(scripted).allowedLateness(20).process(shown));
    const feed = (values: readonly number[]): string[] => {
      for (const value of values) harness.processElement(['a', value], 5);
      return harness.extractOutput().map((line) => line.replace(/.*\) /, ''));
    };
    t.deepEqual(feed([1, 2]), ['1 2']);
    t.deepEqual(feed([2]), ['1 2 2']);
    t.deepEqual(feed([3, 1, 4]), ['1 4']);
    harness.processWatermark(29);
    t.deepEqual(harness.extractOutput(), []);
  });

  test(`a trigger has timers and state for each window; cleanup clears them, even at the time of a trigger's timer, codegen ${codegen}`, async (t) => {
    const calls: string[] = [];
    const traced: Trigger<Item, { readonly seen: ReturnType<typeof state.value<number>> }> = {
      state: { seen: state.value(types.number) },
      onElement([, value], _timestampMs, window, context) {
        const seen = (context.state.seen.get() ?? 0) + value;
        context.state.seen.set(seen);
        context.registerEventTimeTimer(window.endMs - 1);
        context.registerEventTimeTimer(window.startMs + 2);
        if (value === 9) context.deleteEventTimeTimer(window.startMs + 2);
        return 'continue';
      },
      onEventTime(timeMs, window, context) {
        calls.push(`${window.startMs} at ${timeMs}, seen ${context.state.seen.get()}`);
        return timeMs === window.endMs - 1 ? 'fire' : 'continue';
      },
      onProcessingTime: () => 'continue',
      clear(window, context) {
        calls.push(`clear ${window.startMs}, seen ${context.state.seen.get()}`);
        context.state.seen.clear();
      },
    };
    const harness = await open(t, codegen, (items) => items.window(tens).trigger(traced).process(shown));
    harness.processElement(['a', 1], 1);
    harness.processElement(['a', 2], 2);
    harness.processElement(['a', 9], 12);
    harness.processWatermark(12);
    harness.processWatermark(19);
    t.deepEqual(calls, ['0 at 2, seen 3', '0 at 9, seen 3', 'clear 0, seen 3', '10 at 19, seen 9', 'clear 10, seen 9']);
    t.deepEqual(results(harness), ['a [0,10) 1 2 @9', 'a [10,20) 9 @19']);
  });

  test(`a window function has state per window and per key, a side output, watermark and clock, and is told when a window is gone, codegen ${codegen}`, async (t) => {
    const fn: ProcessWindowFunction<Item, string, string, { firings: ReturnType<typeof state.value<number>> }, { total: ReturnType<typeof state.value<number>> }> = {
      windowState: { firings: state.value(types.number) },
      globalState: { total: state.value(types.number) },
      process(items, context, out) {
        const firings = (context.windowState.firings.get() ?? 0) + 1;
        context.windowState.firings.set(firings);
        const total = (context.globalState.total.get() ?? 0) + [...items].length;
        context.globalState.total.set(total);
        context.output(late, [context.key, total]);
        out.emit(`firing ${firings}, total ${total}, watermark ${context.currentWatermarkMs}, clock ${context.currentProcessingTimeMs()}`);
        out.emit('and another');
      },
      clear(context) {
        context.windowState.firings.clear();
      },
    };
    const harness = await open(t, codegen, (items) => items.window(tens).allowedLateness(5).process(fn));
    harness.setProcessingTime(77);
    harness.processElement(['a', 1], 1);
    harness.processElement(['a', 1], 11);
    harness.processWatermark(10);
    harness.processElement(['a', 1], 2);
    harness.processWatermark(30);
    t.deepEqual(harness.extractOutput().filter((line) => line !== 'and another'), [
      'firing 1, total 1, watermark 10, clock 77', 'firing 2, total 3, watermark 10, clock 77', 'firing 1, total 4, watermark 30, clock 77',
    ]);
    t.deepEqual(harness.sideOutput(late), [['a', 1], ['a', 3], ['a', 4]]);
  });

  test(`an assigner is asked once for each record, and its windows do not interfere, codegen ${codegen}`, async (t) => {
    let asked = 0;
    const two: WindowAssigner<Item> = {
      name: 'Two()',
      isEventTime: true,
      assignWindows(_value, timestampMs) {
        asked += 1;
        return [{ startMs: timestampMs, endMs: timestampMs + 2 }, { startMs: 100, endMs: 200 }];
      },
      defaultTrigger: () => trigger.eventTime(),
    };
    const harness = await open(t, codegen, (items) => items.window(two).process(shown));
    harness.processElement(['a', 1], 1);
    harness.processElement(['a', 2], 5);
    await harness.endInput();
    t.is(asked, 2);
    t.deepEqual(results(harness), ['a [1,3) 1 @2', 'a [5,7) 2 @6', 'a [100,200) 1 2 @199']);
  });

  test(`a continuous trigger with early results, and a window's last one, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (items) => items.window(tumbling.eventTime({ size: 10 })).trigger(trigger.continuousEventTime(4)).reduce(add, ([, sum]) => `${sum}`));
    harness.processElement(['a', 1], 1);
    harness.processWatermark(4);
    harness.processElement(['a', 2], 5);
    harness.processWatermark(8);
    harness.processElement(['a', 4], 9);
    harness.processWatermark(100);
    t.deepEqual(results(harness), ['1 @9', '3 @9', '7 @9']);
  });

  test(`sessions with a count trigger count over merged windows, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (items) => items.window(session.eventTime({ gap: 10 })).trigger(trigger.purging(trigger.count(3))).process(shown));
    for (const [value, ms] of [[1, 0], [2, 15], [3, 7], [4, 8], [5, 9], [6, 10]] as const) harness.processElement(['a', value], ms);
    const lines = results(harness);
    t.is(lines.length, 2);
    t.regex(lines[0] ?? '', /^a \[0,25\) (1 2|2 1) 3 @24$/);
    t.is(lines[1], 'a [0,25) 4 5 6 @24');
  });

  test(`results that are kept are not changed by later records, codegen ${codegen}`, async (t) => {
    const itself = { createAccumulator: () => [] as number[], add: (list: number[], [, value]: Item) => { list.push(value); return list; }, getResult: (list: number[]) => list };
    for (const windows of [tumbling.eventTime({ size: 10 }), globalWindows()]) {
      const harness = await open(t, codegen, (items) => {
        const windowed = items.window(windows).allowedLateness(windows.isEventTime ? 100 : 0);
        return (windows.isEventTime ? windowed : windowed.trigger(trigger.count(1))).aggregate(itself);
      });
      harness.processElement(['a', 1], 1);
      harness.processWatermark(9);
      const first = harness.extractOutput();
      harness.processElement(['a', 2], 1);
      t.deepEqual([first, harness.extractOutput()], [[[1]], [[1, 2]]]);
    }
  });

  test(`a failing function names its operator, codegen ${codegen}`, async (t) => {
    const bad = (): Item => { throw new RangeError('no'); };
    const harness = await open(t, codegen, (items) => items.window(tens).reduce(bad).name('broken'));
    harness.processElement(['a', 1], 1);
    t.throws(() => harness.processElement(['a', 1], 2), { message: /operator 'broken' failed.*RangeError: no/s });
    const firing = await open(t, codegen, (items) => items.window(tens).process({ process: bad as never }).name('breaks'));
    firing.processElement(['a', 1], 1);
    t.throws(() => firing.processWatermark(9), { message: /operator 'breaks' failed.*RangeError: no/s });
  });

  test(`a record without a timestamp fails event-time windows, codegen ${codegen}`, async (t) => {
    const harness = await open(t, codegen, (items) => items.window(tens).reduce(add));
    t.throws(() => harness.processElement(['a', 1]), { code: 'TIMESTAMP_MISSING' });
  });
}
