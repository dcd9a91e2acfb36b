/** The timer queue against a plain list, and the shapes of load that it is built for. */
import fc from 'fast-check';
import test from 'ava';
import { TimerQueue } from '../../src/state/timer-queue.ts';
import { VOID_NAMESPACE } from '../../src/state/namespace.ts';
import type { Namespace } from '../../src/state/namespace.ts';
import { t as types } from '../../src/types/t.ts';

interface Listed {
  readonly timestampMs: number;
  readonly key: unknown;
  readonly namespace: Namespace;
}

type Step = { readonly kind: 'add' | 'delete'; readonly timer: Listed } | { readonly kind: 'take' };

const spell = (timer: Listed): string => JSON.stringify([timer.timestampMs, timer.key, timer.namespace]);

function stepsOf(keys: fc.Arbitrary<unknown>): fc.Arbitrary<Step[]> {
  const namespace = fc.oneof(fc.constant(VOID_NAMESPACE), fc.record({ startMs: fc.integer({ min: 0, max: 3 }), endMs: fc.integer({ min: 4, max: 5 }) }));
  const timer = fc.record({ timestampMs: fc.integer({ min: -3, max: 6 }), key: keys, namespace });
  return fc.array(fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('add' as const), timer }) },
    fc.record({ kind: fc.constant('delete' as const), timer }),
    fc.record({ kind: fc.constant('take' as const) }),
  ), { maxLength: 120 });
}

/** Runs the steps on both; throws where they differ. */
function compare(t: { is(a: unknown, b: unknown): void; deepEqual(a: unknown, b: unknown): void }, queue: TimerQueue, steps: readonly Step[]): void {
  const listed = new Map<string, Listed>();
  for (const step of steps) {
    if (step.kind === 'take') {
      const earliestMs = Math.min(...[...listed.values()].map(({ timestampMs }) => timestampMs));
      t.is(queue.peekMs(), earliestMs);
      if (listed.size === 0) continue;
      const taken = queue.take();
      t.is(taken.timestampMs, earliestMs);
      t.is(listed.delete(spell(taken)), true);
    } else {
      const { timestampMs, key, namespace } = step.timer;
      const had = listed.has(spell(step.timer));
      t.is(queue.has(timestampMs, key, namespace), had);
      if (step.kind === 'delete') queue.delete(timestampMs, key, namespace);
      else if (!had) queue.add(timestampMs, key, namespace);
      t.is(queue.has(timestampMs, key, namespace), step.kind === 'add');
      if (step.kind === 'add') listed.set(spell(step.timer), step.timer);
      else listed.delete(spell(step.timer));
    }
    t.is(queue.size, listed.size);
  }
  t.deepEqual([...queue].map(spell).toSorted(), [...listed.keys()].toSorted());
}

test('a queue is a sorted list of distinct timers', (t) => {
  fc.assert(fc.property(stepsOf(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom('0', 'a'))), (steps) => {
    compare(t, new TimerQueue(null), steps);
  }));
});

test('keys that are objects are equal by their fields', (t) => {
  const keyType = types.tuple(types.string, types.int32);
  const keys = fc.tuple(fc.constantFrom('AaBB', 'BBAa', 'AaAa', 'c'), fc.integer({ min: 0, max: 1 })); // The first three hash alike.
  fc.assert(fc.property(stepsOf(keys), (steps) => compare(t, new TimerQueue(keyType), steps)));
});

test('a hundred thousand timers of one timestamp, of one namespace each, and of one timestamp each', (t) => {
  const shapes: readonly ((i: number) => readonly [timestampMs: number, namespace: Namespace])[] = [
    () => [1_000_000, VOID_NAMESPACE], (i) => [1_000_000, { startMs: i, endMs: 1_000_000 }], (i) => [(i * 7919) % 100_000, VOID_NAMESPACE],
  ];
  for (const shape of shapes) {
    const queue = new TimerQueue(null);
    for (let i = 0; i < 100_000; i++) {
      const [timestampMs, namespace] = shape(i);
      queue.add(timestampMs, i, namespace);
    }
    const keys = new Set(Array.from({ length: 100_000 }, () => queue.take().key));
    t.is(keys.size, 100_000);
    t.is(queue.peekMs(), Number.POSITIVE_INFINITY);
  }
});

test('equal timestamps leave in the order of Flink: the first, and then whoever the heap brings to its root', (t) => {
  const queue = new TimerQueue(null);
  for (const key of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) queue.add(10, key, VOID_NAMESPACE);
  t.deepEqual(Array.from({ length: 7 }, () => queue.take().key), ['a', 'g', 'f', 'e', 'd', 'c', 'b']);
  for (const [key, timestampMs] of Object.entries({ a: 10, b: 20, c: 10, d: 20, e: 10, f: 10 })) queue.add(timestampMs, key, VOID_NAMESPACE);
  queue.delete(10, 'e', VOID_NAMESPACE);
  t.deepEqual(Array.from({ length: 5 }, () => queue.take().key), ['a', 'f', 'c', 'd', 'b']);
});
