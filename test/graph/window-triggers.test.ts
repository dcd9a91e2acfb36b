/** The built-in triggers by Flink's rules, each on its own. */
import test from 'ava';
import { MAX_WATERMARK } from '../../src/graph/functions.ts';
import * as triggers from '../../src/graph/window-triggers.ts';
import { GLOBAL_WINDOW, type Trigger } from '../../src/graph/windows.ts';
import { t as types } from '../../src/types/t.ts';
import { TriggerDriver } from './trigger-fixture.ts';

const first = { startMs: 0, endMs: 10 };
const second = { startMs: 20, endMs: 40 };
const both = { startMs: 0, endMs: 40 };

test('the event-time trigger fires when the watermark reaches the last timestamp, and at once for late records', (t) => {
  const driver = new TriggerDriver(triggers.eventTimeTrigger);
  t.is(driver.element(1, 3, first), 'continue');
  t.deepEqual(driver.timers('event', first), [9]);
  t.deepEqual(driver.watermark(8, first), []);
  t.deepEqual(driver.watermark(9, first), ['fire']);
  t.is(driver.element(1, 3, first), 'fire');
  t.deepEqual(driver.timers('event', first), []);
});

test('the event-time trigger moves its timer to the merged window unless the watermark has passed it', (t) => {
  const driver = new TriggerDriver(triggers.eventTimeTrigger);
  driver.element(1, 3, first);
  driver.element(1, 25, second);
  driver.merge(both, [first, second]);
  t.deepEqual([first, second, both].map((window) => driver.timers('event', window)), [[], [], [39]]);
  driver.watermarkMs = 39;
  driver.merge({ startMs: 0, endMs: 40 }, []);
  driver.clear(both);
  t.deepEqual(driver.timers('event', both), []);
});

test('the processing-time trigger fires at the last timestamp of the window by the clock', (t) => {
  const driver = new TriggerDriver(triggers.processingTimeTrigger);
  t.is(driver.element(1, 3, first), 'continue');
  t.deepEqual(driver.watermark(100, first), []);
  t.deepEqual(driver.time(9, first), ['fire']);
});

test('the count trigger counts windows apart, starts over when it fires, and adds up merged windows', (t) => {
  const driver = new TriggerDriver(triggers.countTrigger(3));
  const results = [first, first, second, first, first].map((window) => driver.element('x', 0, window));
  t.deepEqual(results, ['continue', 'continue', 'continue', 'fire', 'continue']);
  driver.merge(both, [first, second]);
  t.is(driver.element('x', 0, both), 'fire');
  driver.element('x', 0, both);
  driver.clear(both);
  t.is([first, second, both].reduce((sum, window) => sum + driver.stateSize(window), 0), 0);
});

test('the delta trigger fires above the threshold and moves its reference when it fires', (t) => {
  const driver = new TriggerDriver(triggers.deltaTrigger(5, (a: number, b: number) => b - a, types.number));
  t.deepEqual([10, 15, 16, 20, 21, 22].map((value) => driver.element(value, 0, GLOBAL_WINDOW)), ['continue', 'continue', 'fire', 'continue', 'continue', 'fire']);
  driver.clear(GLOBAL_WINDOW);
  t.is(driver.stateSize(GLOBAL_WINDOW), 0);
});

test('the purging trigger purges when the inner one fires, with its state and its ability to merge', (t) => {
  const purging = triggers.purgingTrigger(triggers.countTrigger(2) as unknown as Trigger<unknown>);
  const driver = new TriggerDriver(purging);
  t.deepEqual([1, 2].map((value) => driver.element(value, 0, first)), ['continue', 'fireAndPurge']);
  t.is(purging.name, 'PurgingTrigger(CountTrigger(2))');
  t.true('onMerge' in purging);
  const delta = triggers.deltaTrigger(1, (a: number, b: number) => b - a, types.number);
  t.false('onMerge' in triggers.purgingTrigger(delta as unknown as Trigger<number>));
});

test('the continuous event-time trigger fires at multiples of its interval and at the end of the window', (t) => {
  const driver = new TriggerDriver(triggers.continuousEventTimeTrigger(4));
  t.is(driver.element(1, 5, first), 'continue');
  t.deepEqual(driver.timers('event', first), [8, 9]);
  t.deepEqual(driver.watermark(7, first), []);
  t.deepEqual(driver.watermark(8, first), ['fire']);
  t.deepEqual(driver.timers('event', first), [9]);
  t.deepEqual(driver.watermark(9, first), ['fire']);
  t.is(driver.element(1, 5, first), 'fire');
  driver.clear(first);
  t.is(driver.stateSize(first), 0);
});

test('the continuous event-time trigger keeps the earliest of the fire times of merged windows', (t) => {
  const driver = new TriggerDriver(triggers.continuousEventTimeTrigger(4));
  driver.element(1, 5, first);
  driver.element(1, 25, second);
  driver.merge(both, [first, second]);
  t.deepEqual(driver.timers('event', both), [8]);
  t.deepEqual(driver.watermark(8, both), ['fire']);
  t.deepEqual(driver.timers('event', both), [12]);
});

test('the continuous processing-time trigger fires at multiples of its interval by the clock', (t) => {
  const driver = new TriggerDriver(triggers.continuousProcessingTimeTrigger(4));
  driver.nowMs = 1;
  driver.element(1, 0, first);
  driver.element(1, 0, first);
  t.deepEqual(driver.timers('processing', first), [4]);
  t.deepEqual(driver.time(8, first), ['fire', 'fire']);
  t.deepEqual(driver.timers('processing', first), [9]);
  driver.clear(first);
  t.deepEqual(driver.timers('processing', first), []);
});

test('the trigger at the end of the stream fires with the last watermark only; the never trigger does not', (t) => {
  const driver = new TriggerDriver(triggers.endOfStreamTrigger);
  driver.element(1, 0, GLOBAL_WINDOW);
  t.deepEqual(driver.watermark(1_000_000, GLOBAL_WINDOW), []);
  t.deepEqual(driver.watermark(MAX_WATERMARK, GLOBAL_WINDOW), ['fire']);
  const never = new TriggerDriver(triggers.neverTrigger);
  t.is(never.element(1, 0, GLOBAL_WINDOW), 'continue');
  t.deepEqual(never.watermark(MAX_WATERMARK, GLOBAL_WINDOW), []);
});

const COUNT_OF_THREE = triggers.countTrigger(3) as unknown as Trigger<unknown>;

test('a processing timeout fires after the first record, clears the inner trigger, and is called off when that fires', (t) => {
  const driver = new TriggerDriver(triggers.processingTimeoutTrigger(COUNT_OF_THREE, 100, { resetOnRecord: false, clearOnTimeout: true }));
  driver.element(1, 0, first);
  driver.nowMs = 50;
  driver.element(1, 0, first);
  t.deepEqual(driver.timers('processing', first), [100]);
  t.deepEqual(driver.time(100, first), ['fire']);
  t.is(driver.stateSize(first), 0);
  t.deepEqual([1, 2, 3].map((value) => driver.element(value, 0, first)), ['continue', 'continue', 'fire']);
  t.deepEqual(driver.timers('processing', first), []);
});

test('a processing timeout that resets counts from the last record, and may leave the inner trigger its state', (t) => {
  const driver = new TriggerDriver(triggers.processingTimeoutTrigger(COUNT_OF_THREE, 100, { resetOnRecord: true, clearOnTimeout: false }));
  driver.element(1, 0, first);
  driver.nowMs = 50;
  driver.element(1, 0, first);
  t.deepEqual(driver.timers('processing', first), [150]);
  t.deepEqual(driver.time(150, first), ['fire']);
  t.is(driver.element(1, 0, first), 'fire');
});
