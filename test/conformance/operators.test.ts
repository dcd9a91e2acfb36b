/**
 * Every operator against one harness: input split everywhere, output refused every other call, generated
 * and interpreted. All runs must give the same records, in the same order, on every output.
 *
 * Method: the expected output is written down for each operator; the adversary then varies everything
 * that an operator must not depend on.
 */
import test from 'ava';
import type { StateSpecs } from '../../src/graph/functions.ts';
import type { KeySpec, OperatorSpec, TransformSpec } from '../../src/graph/operator-spec.ts';
import type { TypeDescriptor } from '../../src/types/type-descriptor.ts';
import { edge, node, OperatorDriver } from '../operators/operator-driver.ts';
import type { DriverOptions, Emitted } from '../operators/operator-driver.ts';

interface Word {
  readonly word: string;
  readonly n: number;
}

interface Case {
  readonly spec: OperatorSpec;
  readonly keys?: readonly (KeySpec | null)[];
  /** By input. */
  readonly input: readonly (readonly unknown[])[];
  readonly expected: readonly unknown[];
  readonly side?: Readonly<Record<string, readonly unknown[]>>;
}

const numbers = [1, 2, 3, 4, 5, 6, 7];
const words: readonly Word[] = ['a', 'b', 'a', 'c', 'b', 'a'].map((word, i) => ({ word, n: i + 1 }));
const byWord: KeySpec = { selector: (value) => (value as Word).word, type: null };
const byParity: KeySpec = { selector: (value) => (value as number) % 2, type: null };
const anyType = { immutable: true } as unknown as TypeDescriptor<unknown>;
const count: StateSpecs = { count: { kind: 'value', type: anyType } };

function* upTo(n: number): Iterable<number> {
  for (let i = 1; i <= n; i++) yield n * 10 + i;
}

const expanded = numbers.flatMap((n) => [...upTo(n)]);

const countingProcess: TransformSpec = {
  kind: 'process',
  data: { states: ['count'] },
  user: {
    state: count,
    process(value, context, out) {
      const state = context.state['count'];
      const seen = ((state?.get() as number | undefined) ?? 0) + 1;
      state?.set(seen);
      for (let i = 0; i < seen; i++) out.emit([context.key, value, i]);
      if (seen === 2) context.output({ id: 'second' }, value);
    },
  },
};

function aggregate(op: 'sum' | 'min' | 'max' | 'minBy' | 'maxBy', first = true): OperatorSpec {
  return { kind: 'keyed.aggregate', data: { op, field: 'n', first }, user: {} };
}

const cases: Readonly<Record<string, Case>> = {
  map: { spec: { kind: 'map', data: {}, user: { map: (n) => (n as number) * 2 } }, input: [numbers], expected: numbers.map((n) => n * 2) },
  filter: { spec: { kind: 'filter', data: {}, user: { filter: (n) => (n as number) % 2 === 0 } }, input: [numbers], expected: [2, 4, 6] },
  'flatMap that returns arrays': {
    spec: { kind: 'flatMap', data: {}, user: { flatMap: (n) => [...upTo(n as number)] } },
    input: [numbers],
    expected: expanded,
  },
  'flatMap that returns iterables': {
    spec: { kind: 'flatMap', data: {}, user: { flatMap: (n) => upTo(n as number) } },
    input: [numbers],
    expected: expanded,
  },
  'flatMap that emits': {
    spec: { kind: 'flatMap', data: {}, user: { flatMap: (n, out) => { for (const each of upTo(n as number)) out.emit(each); } } },
    input: [numbers],
    expected: expanded,
  },
  'ordered asyncMap': {
    spec: {
      kind: 'asyncMap',
      data: { ordered: true, capacity: 2, timeoutMs: 0 },
      user: { asyncMap: async (n) => (n as number) * 2, options: { ordered: true, capacity: 2, timeoutMs: 0 } },
    },
    input: [numbers],
    expected: numbers.map((n) => n * 2),
  },
  timestamps: {
    spec: { kind: 'timestamps', data: {}, user: { timestampMs: (n) => (n as number) * 1000 } },
    input: [numbers],
    expected: numbers,
  },
  'keyed reduce': {
    spec: { kind: 'keyed.reduce', data: {}, user: { reduce: (a, b) => ({ word: (a as Word).word, n: (a as Word).n + (b as Word).n }) } },
    keys: [byWord],
    input: [words],
    expected: [['a', 1], ['b', 2], ['a', 4], ['c', 4], ['b', 7], ['a', 10]].map(([word, n]) => ({ word, n })),
  },
  sum: { spec: aggregate('sum'), keys: [byWord], input: [words], expected: [1, 2, 4, 4, 7, 10].map((n, i) => ({ word: words[i]?.word, n })) },
  max: { spec: aggregate('max'), keys: [byWord], input: [words], expected: words },
  min: { spec: aggregate('min'), keys: [byWord], input: [words], expected: [1, 2, 1, 4, 2, 1].map((n, i) => ({ word: words[i]?.word, n })) },
  maxBy: { spec: aggregate('maxBy'), keys: [byWord], input: [words], expected: words },
  minBy: { spec: aggregate('minBy'), keys: [byWord], input: [words], expected: [1, 2, 1, 4, 2, 1].map((n, i) => ({ word: words[i]?.word, n })) },
  'process with state and a side output': {
    spec: countingProcess,
    keys: [byParity],
    input: [numbers.slice(0, 4)],
    expected: [[1, 1, 0], [0, 2, 0], [1, 3, 0], [1, 3, 1], [0, 4, 0], [0, 4, 1]],
    side: { second: [3, 4] },
  },
  'connected map': {
    spec: { kind: 'co.map', data: {}, user: { map1: (n) => (n as number) + 100, map2: (n) => (n as number) + 200 } },
    input: [[1, 2], [1, 2]],
    expected: [101, 102, 201, 202],
  },
  'connected flatMap': {
    spec: { kind: 'co.flatMap', data: {}, user: { flatMap1: (n) => upTo(n as number), flatMap2: (n) => [...upTo(n as number)] } },
    input: [[1, 2], [3]],
    expected: [11, 21, 22, 31, 32, 33],
  },
  'connected process with shared state': {
    spec: {
      kind: 'co.process',
      data: { states: ['count'] },
      user: {
        state: count,
        process1: (value, context) => context.state['count']?.set(value),
        process2: (value, context, out) => out.emit([value, context.state['count']?.get()]),
      },
    },
    keys: [byParity, byParity],
    input: [[1, 2, 3], [1, 2, 4]],
    expected: [[1, 3], [2, 2], [4, 2]],
  },
};

/** Runs a case once; answers what left by each output, with event times. */
async function emittedOf(each: Case, batchSize: number, options: DriverOptions): Promise<readonly (readonly Emitted[])[]> {
  const sideOutputs = Object.keys(each.side ?? {});
  const driver = new OperatorDriver([node(1, each.spec, { keys: each.keys ?? [] })], [], { ...options, sideOutputs });
  await driver.open();
  for (const [inputIndex, values] of each.input.entries()) {
    await driver.run(values, { batchSize, inputIndex: inputIndex as 0 | 1, timestampsMs: values.map((_, i) => 1000 * inputIndex + i) });
  }
  await driver.event({ kind: 'end' });
  await driver.settle();
  await driver.close();
  return driver.writers.map(({ emitted }) => emitted);
}

function valuesOf(emitted: readonly Emitted[]): readonly unknown[] {
  return emitted.map((one) => ('event' in one ? one.event.kind : one.value));
}

for (const [name, each] of Object.entries(cases)) {
  for (const mode of ['generated', 'interpreted'] as const) {
    test(`${name}, ${mode}: the same records however the input is split and the output refuses`, async (t) => {
      const expected = [each.expected, ...Object.values(each.side ?? {})].map((records) => [...records, 'end']);
      const undisturbed = await emittedOf(each, numbers.length, { mode: 'interpreted' });
      for (const refuses of [false, true]) {
        for (let batchSize = 1; batchSize <= numbers.length; batchSize++) {
          const emitted = await emittedOf(each, batchSize, { mode, refuses });
          const circumstances = `batches of ${batchSize}, refuses: ${refuses}`;
          t.deepEqual(emitted.map(valuesOf), expected, circumstances);
          t.deepEqual(emitted, undisturbed, `event times, ${circumstances}`);
        }
      }
    });

    if (each.input.length > 1) continue; // A connected stream is never chained to its inputs.
    test(`${name}, ${mode}: a chain of itself and a flatMap before it loses nothing when the output refuses`, async (t) => {
      const twice = node(1, { kind: 'flatMap', data: {}, user: { flatMap: (value, out) => { out.emit(value); out.emit(value); } } });
      const run = async (refuses: boolean) => {
        const driver = new OperatorDriver([twice, node(2, each.spec, { keys: each.keys ?? [] })], [edge(1, 2)], { mode, refuses });
        await driver.open();
        await driver.run(each.input[0] ?? [], { batchSize: 3 });
        await driver.event({ kind: 'end' });
        await driver.settle();
        await driver.close();
        return driver.values();
      };
      const free = await run(false);
      t.true(free.length > each.expected.length);
      t.deepEqual(await run(true), free);
    });
  }
}
