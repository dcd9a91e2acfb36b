/** When timers fire, for whom, and what becomes of them in a snapshot. */
import fc from 'fast-check';
import test from 'ava';
import type { Clock } from '../../src/base/ports.ts';
import { keyGroupRangeOf } from '../../src/graph/key-groups.ts';
import { NO_TIMESTAMP } from '../../src/graph/functions.ts';
import { VOID_NAMESPACE } from '../../src/state/namespace.ts';
import { HeapTimerService } from '../../src/state/timer-service.ts';
import type { ScheduledWork, TimeDomain } from '../../src/state/timer-service.ts';

interface Fired {
  readonly domain: TimeDomain;
  readonly key: unknown;
  readonly timestampMs: number;
}

/** A service with a selected key, a clock that stands, and scheduled work that runs when the test says. */
class Bench {
  key: unknown = 'a';
  nowMs = 1000;
  readonly fired: Fired[] = [];
  readonly alarms: { readonly atMs: number; callback: (() => void) | null }[] = [];
  readonly work: ScheduledWork[] = [];
  onTimer: (fired: Fired) => void = () => undefined;
  readonly service = new HeapTimerService({ key: () => this.key, setKey: (key) => void (this.key = key) }, null);

  constructor() {
    this.service.fireTo({
      onTimer: (domain, timestampMs) => {
        const fired = { domain, key: this.key, timestampMs };
        this.fired.push(fired);
        this.onTimer(fired);
      },
    });
  }

  attach(): this {
    const clock: Clock = {
      nowMs: () => this.nowMs,
      monotonicMs: () => this.nowMs,
      after: (delayMs, callback) => {
        const alarm: (typeof this.alarms)[number] = { atMs: this.nowMs + delayMs, callback };
        this.alarms.push(alarm);
        return { cancel: () => void (alarm.callback = null) };
      },
      every: () => notUsed(),
    };
    this.service.attach({ clock, schedule: (work) => void this.work.push(work) });
    return this;
  }

  register(domain: TimeDomain, key: unknown, ...timestampsMs: number[]): void {
    this.key = key;
    for (const timestampMs of timestampsMs) this.service.register(domain, timestampMs, VOID_NAMESPACE);
  }

  /** Drives a watermark to its end; answers the number of calls. */
  watermark(timestampMs: number): number {
    let calls = 1;
    while (this.service.advanceWatermark(timestampMs) === 'more') calls++;
    return calls;
  }

  get pendingAlarms(): number[] {
    return this.alarms.filter(({ callback }) => callback !== null).map(({ atMs }) => atMs);
  }

  /** Moves the clock and does what falls due. */
  advance(nowMs: number): void {
    this.nowMs = nowMs;
    for (const alarm of this.alarms) {
      if (alarm.callback === null || alarm.atMs > nowMs) continue;
      const { callback } = alarm;
      alarm.callback = null;
      callback();
    }
    for (let next = this.work.shift(); next !== undefined; next = this.work.shift()) while (next() === 'more');
  }
}

function notUsed(): never {
  throw new Error('not used');
}

const timestamps = (bench: Bench): number[] => bench.fired.map(({ timestampMs }) => timestampMs);

test('a timer fires when the watermark reaches its timestamp, with its key selected, one per call', (t) => {
  const bench = new Bench().attach();
  bench.register('event', 'a', 10, 30);
  bench.register('event', 'b', 20);
  t.is(bench.service.currentWatermarkMs, NO_TIMESTAMP);
  t.is(bench.watermark(9), 1);
  t.deepEqual(bench.fired, []);
  t.is(bench.service.advanceWatermark(30), 'more');
  t.deepEqual(bench.fired, [{ domain: 'event', key: 'a', timestampMs: 10 }]);
  t.is(bench.service.currentWatermarkMs, 30, 'the watermark is current while its timers fire');
  t.is(bench.watermark(30), 2);
  t.deepEqual(bench.fired.slice(1).map(({ key }) => key), ['b', 'a']);
});

test('a timer registered in the past fires at the next watermark, and inside onTimer in the same drive', (t) => {
  const bench = new Bench().attach();
  bench.watermark(100);
  bench.register('event', 'a', 50);
  t.deepEqual(timestamps(bench), []);
  bench.onTimer = ({ timestampMs }) => {
    if (timestampMs < 60) bench.service.register('event', timestampMs + 3, VOID_NAMESPACE);
  };
  bench.watermark(101);
  t.deepEqual(timestamps(bench), [50, 53, 56, 59, 62]);
});

test('the same timer twice is one, a deleted one does not fire, deleting a missing one is no error', (t) => {
  const bench = new Bench().attach();
  bench.register('event', 'a', 10, 10, 20);
  bench.register('processing', 'a', 10);
  bench.service.delete('event', 20, VOID_NAMESPACE);
  bench.service.delete('event', 21, VOID_NAMESPACE);
  bench.key = 'b';
  bench.service.delete('event', 10, VOID_NAMESPACE);
  bench.watermark(100);
  t.deepEqual(bench.fired, [{ domain: 'event', key: 'a', timestampMs: 10 }]);
  t.is(bench.service.count('processing'), 1);
});

test('there is one alarm however many processing timers, and an earlier timer moves it', (t) => {
  const bench = new Bench().attach();
  bench.register('processing', 'a', 5000, 6000);
  t.deepEqual(bench.pendingAlarms, [5001]);
  bench.register('processing', 'b', 3000);
  t.deepEqual(bench.pendingAlarms, [3001]);
  bench.advance(3000);
  t.deepEqual(bench.fired, [], 'the millisecond of the timer is not over');
  bench.advance(3001);
  t.deepEqual(bench.fired, [{ domain: 'processing', key: 'b', timestampMs: 3000 }]);
  t.deepEqual(bench.pendingAlarms, [5001]);
  bench.advance(10_000);
  t.deepEqual(timestamps(bench), [3000, 5000, 6000]);
  t.deepEqual(bench.pendingAlarms, []);
});

test('a processing timer registered inside onTimer is fine, in the past and in the future', (t) => {
  const bench = new Bench().attach();
  bench.onTimer = ({ timestampMs }) => {
    if (timestampMs === 2000) for (const next of [500, 9000]) bench.service.register('processing', next, VOID_NAMESPACE);
  };
  bench.register('processing', 'a', 2000);
  bench.advance(2001);
  t.deepEqual(timestamps(bench), [2000, 500]);
  t.deepEqual(bench.pendingAlarms, [9001]);
});

test('timers that are far off, and a clock that goes back, only move the alarm', (t) => {
  const bench = new Bench().attach();
  bench.register('processing', 'a', 1e12);
  for (let i = 0; i < 3; i++) {
    t.is(bench.pendingAlarms.length, 1);
    bench.advance(bench.pendingAlarms[0] as number);
  }
  bench.nowMs = 10;
  t.deepEqual(bench.fired, []);
});

test('overdue processing timers fire at once after a restore', (t) => {
  const bench = new Bench();
  bench.service.restore({ domain: 'processing', key: 'z', namespace: VOID_NAMESPACE, timestampMs: 7 });
  bench.attach();
  bench.advance(1001);
  t.deepEqual(bench.fired, [{ domain: 'processing', key: 'z', timestampMs: 7 }]);
});

test('after close nothing fires', (t) => {
  const bench = new Bench().attach();
  bench.register('processing', 'a', 2000);
  bench.service.close();
  bench.advance(5000);
  t.deepEqual(bench.fired, []);
});

test('a timestamp that is not a whole number of ms is a clear error', (t) => {
  const bench = new Bench().attach();
  for (const wrong of [Number.NaN, null, undefined, 1.5, Number.POSITIVE_INFINITY, '5', 5n]) {
    const error = t.throws(() => bench.service.register('event', wrong as number, VOID_NAMESPACE));
    t.like(error, { code: 'TIMESTAMP_INVALID', message: `a timer's timestamp is a whole number of ms, not ${String(wrong)}` });
  }
  t.is(bench.service.count('event'), 0);
});

test('timers move by key group: the parts of a snapshot fire what the whole would have fired', (t) => {
  const timer = fc.record({
    domain: fc.constantFrom<TimeDomain>('event', 'processing'),
    key: fc.oneof(fc.string({ maxLength: 3 }), fc.integer()),
    timestampMs: fc.integer({ min: 0, max: 50 }),
  });
  const spell = ({ domain, key, timestampMs }: Fired): string => JSON.stringify([domain, key, timestampMs]);
  fc.assert(fc.property(fc.array(timer), fc.integer({ min: 1, max: 5 }), (timers, parallelism) => {
    const whole = new Bench().attach();
    for (const { domain, key, timestampMs } of timers) whole.register(domain, key, timestampMs);
    const parts = Array.from({ length: parallelism }, (_, i) => {
      const part = new Bench();
      const entries = whole.service.entries(keyGroupRangeOf(i, 128, parallelism));
      t.deepEqual(entries.map(({ keyGroup }) => keyGroup), entries.map(({ keyGroup }) => keyGroup).toSorted((a, b) => a - b));
      for (const entry of entries) part.service.restore(entry);
      return part.attach();
    });
    for (const bench of [whole, ...parts]) {
      bench.watermark(50);
      bench.advance(1001);
    }
    t.deepEqual(parts.flatMap(({ fired }) => fired).map(spell).toSorted(), whole.fired.map(spell).toSorted());
    t.is(whole.fired.length, new Set(timers.map(spell)).size);
  }));
});
