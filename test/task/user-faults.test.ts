/** User functions that misbehave: whatever they do, the task fails with the operator, the place in the source and what it was. */
import test from 'ava';
import type { StreamExecutionEnvironment } from '../../src/index.ts';
import { start } from './slot-fixture.ts';

const HERE = String.raw`.*user-faults\.test\.[tj]s:\d+:\d+`;

type Fault = readonly [build: (env: StreamExecutionEnvironment) => void, message: RegExp];

/** Throws what it is given, whatever that is. */
function fail(thrown: unknown): never {
  throw thrown;
}

/** What a user does; what the error says. `as never` stands for a program that nobody has compiled. */
const FAULTS: Readonly<Record<string, Fault>> = {
  'a map that throws a text': [
    (env) => env.fromElements(1).map(() => fail('no')).name('m').discard(),
    /^operator '.*m.*' failed: it threw "no", which is no Error/,
  ],
  'an asyncMap that rejects with null': [
    (env) => env.fromElements(1).asyncMap(async () => fail(null)).name('a').discard(),
    /^operator 'a' failed: it threw null/,
  ],
  'an asyncMap that throws before its promise': [
    (env) => env.fromElements(1).asyncMap(() => fail(new RangeError('sync'))).name('a').discard(),
    new RegExp(`^operator 'a' failed at ${HERE}: RangeError: sync$`),
  ],
  'an open that rejects': [
    (env) => env.fromElements(1).map({ open: async () => fail(new Error('no key')), map: (n: number) => n }).name('m').discard(),
    new RegExp(`^operator 'm' failed at ${HERE}: Error: no key$`),
  ],
  'a close that throws': [
    (env) => env.fromElements(1).map({ close: () => fail(new Error('no end')), map: (n: number) => n }).name('m').discard(),
    new RegExp(`^operator 'm' failed at ${HERE}: Error: no end$`),
  ],
  'a flatMap that returns a number': [
    (env) => env.fromElements(1).flatMap(((n: number) => n) as never).name('f').discard(),
    /^operator 'f' failed: TypeError: its function returned a value of type number: return an iterable of results/,
  ],
  'a record that cannot travel': [
    (env) => env.fromElements(1).map(() => ({ then: () => 1 })).name('m').rebalance().map((each) => each).discard(),
    /^operator 'm': \$\.then: a function cannot travel between tasks$/,
  ],
  'endless recursion': [
    (env) => {
      const endless = (n: number): number => endless(n) + 1;
      env.fromElements(1).map(endless).name('m').discard();
    },
    new RegExp(`failed at ${HERE}: RangeError: Maximum call stack size exceeded$`),
  ],
  'an error with a message of 20 million characters': [
    (env) => env.fromElements(1).map(() => fail(new Error('y'.repeat(20_000_000)))).name('m').discard(),
    /^operator 'm' failed at [^]{0,300}: Error: y{1,20000} … \(\d+ characters left out\) … y{1,20000}$/,
  ],
};

for (const [what, [build, message]] of Object.entries(FAULTS)) {
  for (const codegen of ['on', 'off']) {
    test(`${what}, codegen ${codegen}`, async (t) => {
      const running = await start(t, build, { configuration: { 'pipeline.codegen': codegen } });
      await running.until(() => running.finals.some(({ state }) => state === 'FAILED'), 'a task fails');
      t.regex(running.finals.find(({ state }) => state === 'FAILED')?.error?.message ?? '', message);
    });
  }
}
