/**
 * Every operator of the DataStream API with what it must give, written a second time as plainly as possible: a
 * function from one record to the results it brings about. The suite varies everything around it.
 */
import { outputTag, state, t, tuple } from '../../src/index.ts';
import type { Collector, DataStream } from '../../src/index.ts';
import type { TypeDescriptor } from '../../src/types/type-descriptor.ts';
import type { Incoming, Listened } from './declared.ts';

/** A result: where it leaves (0: the first stream that `build` answers), its value, and its event time if not the record's. */
export type Result = readonly [output: number, value: unknown, timestampMs?: number];

export interface Case {
  readonly types: readonly (TypeDescriptor<unknown> | null)[];
  readonly records: readonly Incoming[];
  readonly build: (inputs: readonly DataStream<unknown>[]) => readonly Listened[];
  /** Made afresh for each run: it may keep state. */
  readonly reference: () => (record: Incoming) => readonly Result[];
  /** The reference is asked for the results that a watermark brings about, too. */
  readonly seesWatermarks?: true;
  /** Results between two watermarks may change places. */
  readonly isUnordered?: true;
}

interface Word {
  readonly word: string;
  readonly n: number;
}

const Word = t.object({ word: t.string, n: t.number });
const Pair = t.tuple(t.string, t.number);
const numbers = [5, -1, 2, 0, 3, 3];
const words: readonly Word[] = ['a', 'b', 'a', 'c', 'b', 'a'].map((word, i) => ({ word, n: [3, 1, 2, 2, 1, 3][i] as number }));
const pairs = words.map(({ word, n }) => tuple(word, n));

/** An operator on one stream. */
function one<T>(
  values: readonly T[],
  build: (input: DataStream<T>) => readonly Listened[],
  reference: () => (value: T, timestampMs: number) => readonly Result[],
  type: TypeDescriptor<T> | null = null,
): Case {
  return {
    types: [type],
    records: withWatermark(values.map((value, i) => ({ inputIndex: 0, value, timestampMs: 100 * i }))),
    build: ([input]) => build(input as DataStream<T>),
    reference: () => {
      const step = reference();
      return ({ value, timestampMs }) => step(value as T, timestampMs);
    },
  };
}

/** An operator on two connected streams, whose records take turns. */
function two(
  build: (numbers: DataStream<number>, words: DataStream<Word>) => readonly Listened[],
  reference: () => { readonly first: (n: number) => readonly Result[]; readonly second: (word: Word) => readonly Result[] },
): Case {
  const inputs = [0, 1, 1, 0, 0, 1] as const;
  return {
    types: [t.number, Word],
    records: withWatermark(inputs.map((inputIndex, i) => ({ inputIndex, value: inputIndex === 0 ? numbers[i] : words[i], timestampMs: 100 * i }))),
    build: ([first, second]) => build(first as DataStream<number>, second as DataStream<Word>),
    reference: () => {
      const { first, second } = reference();
      return ({ inputIndex, value }) => (inputIndex === 0 ? first(value as number) : second(value as Word));
    },
  };
}

/** A watermark in the middle: what came before it must leave before it. */
function withWatermark(records: readonly Incoming[]): readonly Incoming[] {
  return records.toSpliced(3, 0, { inputIndex: 0, value: null, timestampMs: 250, isWatermark: true });
}

const main = (...values: readonly unknown[]): readonly Result[] => values.map((value) => [0, value]);

/** A reference that accumulates per key. */
function rolling<T>(keyOf: (value: T) => unknown, combine: (accumulated: T, value: T) => T): () => (value: T) => readonly Result[] {
  return () => {
    const accumulated = new Map<unknown, T>();
    return (value) => {
      const key = keyOf(value);
      const before = accumulated.get(key);
      accumulated.set(key, before === undefined ? value : combine(before, value));
      return main(accumulated.get(key));
    };
  };
}

function* upTo(n: number): Generator<number> {
  for (let i = 1; i <= n; i++) yield n * 10 + i;
}

/** Counts down turns of the event loop, more for smaller numbers, so that results come in another order. */
async function later<T>(n: number, value: T): Promise<T> {
  for (let turns = 6 - n; turns > 0; turns--) await Promise.resolve();
  return value;
}

/** NaN is above all numbers. */
function minimum(): (value: number) => readonly Result[] {
  let least = NaN;
  return (n) => {
    if (Number.isNaN(least) || n < least) least = n;
    return main(least);
  };
}

const byWord = (each: Word): string => each.word;
const high = outputTag('high', t.number);
const rest = outputTag<string>('rest');

const elementWise: Readonly<Record<string, Case>> = {
  'map': one(numbers, (s) => [s.map((n) => n * 2)], () => (n) => main(n * 2), t.number),
  'map by a rich function': one(numbers, (s) => [s.map({ map: (n: number) => `#${n}` })], () => (n) => main(`#${n}`)),
  'map to null': one(numbers, (s) => [s.map((n) => (n > 2 ? n : null))], () => (n) => main(n > 2 ? n : null)),
  'filter': one(numbers, (s) => [s.filter((n) => n > 1)], () => (n) => (n > 1 ? main(n) : [])),
  'flatMap that returns an array': one(numbers, (s) => [s.flatMap((n) => [...upTo(n)])], () => (n) => main(...upTo(n))),
  'flatMap that returns a generator': one(numbers, (s) => [s.flatMap((n) => upTo(n))], () => (n) => main(...upTo(n))),
  'flatMap that returns a set': one(numbers, (s) => [s.flatMap((n) => new Set([n, -n]))], () => (n) => main(...new Set([n, -n]))),
  'flatMap that emits': one(
    numbers,
    (s) => [s.flatMap((n, out: Collector<number>) => { for (const each of upTo(n)) out.emit(each); })],
    () => (n) => main(...upTo(n)),
  ),
  'flatMap that emits and returns': one(
    numbers,
    (s) => [s.flatMap((n, out: Collector<number>) => { out.emit(n); return [-n, n]; })],
    () => (n) => main(n, -n, n),
  ),
  'assignTimestamps': one(numbers, (s) => [s.assignTimestamps((n, ts) => n * 1000 + ts)], () => (n, ts) => [[0, n, n * 1000 + ts]]),
  'two consumers of one stream': one(
    words,
    (s) => {
      const all = s.map((each) => ({ ...each }));
      return [all.map((each) => each.n), all.filter((each) => each.n > 1), all];
    },
    () => (each) => [[0, each.n], ...(each.n > 1 ? [[1, each] as const] : []), [2, each]],
    Word,
  ),
};

const keyed: Readonly<Record<string, Case>> = {
  'keyed map': one(words, (s) => [s.keyBy(byWord).map((each) => each.n)], () => (each) => main(each.n)),
  'reduce': one(
    words,
    (s) => [s.keyBy(byWord).reduce((a, b) => ({ word: a.word, n: a.n * 10 + b.n }))],
    rolling<Word>(byWord, (a, b) => ({ word: a.word, n: a.n * 10 + b.n })),
    Word,
  ),
  'reduce of numbers': one(numbers, (s) => [s.keyBy((n) => n % 2 === 0).reduce((a, b) => a - b)], rolling<number>((n) => n % 2 === 0, (a, b) => a - b)),
  'sum': one(words, (s) => [s.keyBy('word').sum('n')], rolling<Word>(byWord, (a, b) => ({ ...a, n: a.n + b.n })), Word),
  'sum of an undeclared type': one(words, (s) => [s.keyBy('word').sum('n')], rolling<Word>(byWord, (a, b) => ({ ...a, n: a.n + b.n }))),
  'sum of a readonly type': one(words, (s) => [s.keyBy('word').sum('n')], rolling<Word>(byWord, (a, b) => ({ ...a, n: a.n + b.n })), t.readonly(Word)),
  'sum of a readonly tuple': one(
    pairs,
    (s) => [s.keyBy(0).sum(1)],
    rolling<[string, number]>(([word]) => word, (a, b) => [a[0], a[1] + b[1]]),
    t.readonly(Pair) as TypeDescriptor<[string, number]>,
  ),
  'sum of a tuple': one(pairs, (s) => [s.keyBy(0).sum(1)], rolling<[string, number]>(([word]) => word, (a, b) => [a[0], a[1] + b[1]]), Pair),
  'sum of tuples that are sometimes more than key and number': one<readonly unknown[]>(
    [['a', 1], ['b', 1, 'first'], ['a', 2, 'more'], ['b', 2], ['a', 0.5], ['', -1], [7, 1], ['', 1], [7, 2, null], [7, NaN], [7, 1]],
    (s) => [s.keyBy((each) => each[0] as string).sum(1 as never)],
    rolling<readonly unknown[]>((each) => each[0], (a, b) => a.with(1, (a[1] as number) + (b[1] as number))),
  ),
  'sum of tuples keyed by less than a field': one(
    pairs,
    (s) => [s.keyBy(([word]) => word.length).sum(1)],
    rolling<[string, number]>(([word]) => word.length, (a, b) => [a[0], a[1] + b[1]]),
  ),
  'sum of the number before the key': one(
    pairs.map(([word, n]) => tuple(n, word)),
    (s) => [s.keyBy(1).sum(0)],
    rolling<[number, string]>(([, word]) => word, (a, b) => [a[0] + b[0], a[1]]),
  ),
  'sum of numbers': one(numbers, (s) => [s.keyBy((n) => n % 2 === 0).sum()], rolling<number>((n) => n % 2 === 0, (a, b) => a + b)),
  'sum of bigints': one([1n, 2n ** 60n, -3n], (s) => [s.keyBy(() => 'all').sum()], rolling<bigint>(() => 'all', (a, b) => a + b), t.int64),
  'min': one(words, (s) => [s.keyBy('word').min('n')], rolling<Word>(byWord, (a, b) => ({ ...a, n: Math.min(a.n, b.n) })), Word),
  'max': one(words, (s) => [s.keyBy('word').max('n')], rolling<Word>(byWord, (a, b) => ({ ...a, n: Math.max(a.n, b.n) })), Word),
  'max of a tuple': one(pairs, (s) => [s.keyBy(0).max(1)], rolling<[string, number]>(([word]) => word, (a, b) => [a[0], Math.max(a[1], b[1])])),
  'min of texts': one(['b', 'a', 'c'], (s) => [s.keyBy(() => 0).min()], rolling<string>(() => 0, (a, b) => (b < a ? b : a)), t.string),
  'min with NaN': one([NaN, 3, NaN, 1], (s) => [s.keyBy(() => 0).min()], minimum, t.number),
  'minBy': one(words, (s) => [s.keyBy(() => 0).minBy('n')], rolling<Word>(() => 0, (a, b) => (b.n < a.n ? b : a)), Word),
  'minBy, the last of equals': one(words, (s) => [s.keyBy(() => 0).minBy('n', { first: false })], rolling<Word>(() => 0, (a, b) => (b.n <= a.n ? b : a))),
  'maxBy': one(words, (s) => [s.keyBy(() => 0).maxBy('n')], rolling<Word>(() => 0, (a, b) => (b.n > a.n ? b : a)), Word),
  'maxBy, the last of equals': one(words, (s) => [s.keyBy(() => 0).maxBy('n', { first: false })], rolling<Word>(() => 0, (a, b) => (b.n >= a.n ? b : a))),
  'keyBy an object': one(
    words,
    (s) => [s.keyBy((each) => ({ word: each.word, n: each.n }), Word).reduce((a, b) => ({ word: a.word + b.word, n: a.n }))],
    rolling<Word>((each) => `${each.word}/${each.n}`, (a, b) => ({ word: a.word + b.word, n: a.n })),
    Word,
  ),
};

const processing: Readonly<Record<string, Case>> = {
  'process': one(
    numbers,
    (s) => {
      const processed = s.process({
        process(n, context, out: Collector<string>) {
          if (n > 2) context.output(high, n);
          for (let i = 0; i < n; i++) out.emit(`${n}@${context.timestampMs}`);
          if (n <= 0) context.output(rest, String(n));
        },
      });
      return [processed, processed.getSideOutput(high), processed.getSideOutput(rest)];
    },
    () => (n, ts) => [
      ...(n > 2 ? [[1, n] as const] : []),
      ...Array.from({ length: Math.max(0, n) }, () => [0, `${n}@${ts}`] as const),
      ...(n <= 0 ? [[2, String(n)] as const] : []),
    ],
    t.number,
  ),
  'process with a side output that nobody reads': one(
    numbers,
    (s) => [s.process({ process(n, context, out: Collector<number>) { context.output(high, n); out.emit(n); } })],
    () => (n) => main(n),
  ),
  'keyed process with state': one(
    words,
    (s) => [s.keyBy('word').process({
      state: { last: state.value(Word), seen: state.value(t.int32) },
      output: t.tuple(t.string, t.int32, t.nullable(t.number)),
      process(each, context, out) {
        const seen = (context.state.seen.get() ?? 0) + 1;
        out.emit(tuple(context.key, seen, context.state.last.get()?.n ?? null));
        if (seen === 2) context.state.last.clear();
        else context.state.last.set(each);
        context.state.seen.set(seen);
      },
    })],
    () => {
      const states = new Map<string, { seen: number; last: number | null }>();
      return ({ word, n }) => {
        const { seen, last } = states.get(word) ?? { seen: 0, last: null };
        states.set(word, { seen: seen + 1, last: seen === 1 ? null : n });
        return main([word, seen + 1, last]);
      };
    },
    Word,
  ),
};

const connected: Readonly<Record<string, Case>> = {
  'connected map': two(
    (a, b) => [a.connect(b).map({ map1: (n): number | string => n + 1, map2: (each) => each.word })],
    () => ({ first: (n) => main(n + 1), second: (each) => main(each.word) }),
  ),
  'connected flatMap': two(
    (a, b) => [a.connect(b).flatMap({ flatMap1: (n): Iterable<number | string> => upTo(n), flatMap2: (each) => [each.word, each.word] })],
    () => ({ first: (n) => main(...upTo(n)), second: ({ word }) => main(word, word) }),
  ),
  'connected flatMap that emits': two(
    (a, b) => [a.connect(b).flatMap({ flatMap1: (n, out: Collector<unknown>) => out.emit(n), flatMap2: (each, out) => out.emit(each) })],
    () => ({ first: (n) => main(n), second: (each) => main(each) }),
  ),
  'connected process': two(
    (a, b) => {
      const joined = a.connect(b).process({
        process1(n, context, out: Collector<number>) { out.emit(context.timestampMs + n); },
        process2(each, context) { context.output(rest, each.word); },
      });
      return [joined.map((n) => n), joined.getSideOutput(rest)];
    },
    () => {
      const times = [0, 100, 200, 300, 400, 500];
      const firsts = [0, 300, 400];
      return { first: (n) => main((times[(firsts.shift() as number) / 100] as number) + n), second: (each) => [[1, each.word]] };
    },
  ),
  'connected keyed process that shares state': two(
    (a, b) => [a.keyBy((n) => n > 2).connect(b.keyBy((each) => each.n > 2)).process({
      state: { total: state.value(t.number) },
      process1(n, context) { context.state.total.set((context.state.total.get() ?? 0) + n); },
      process2(each, context, out: Collector<readonly unknown[]>) { out.emit([each.word, context.key, context.state.total.get()]); },
    })],
    () => {
      const totals = new Map<boolean, number>();
      return {
        first: (n) => { totals.set(n > 2, (totals.get(n > 2) ?? 0) + n); return []; },
        second: ({ word, n }) => main([word, n > 2, totals.get(n > 2)]),
      };
    },
  ),
};

/** By the signal that all attempts of one request share. */
const attempted = new WeakSet<AbortSignal>();

async function secondTime(n: number, signal: AbortSignal): Promise<string> {
  if (attempted.has(signal)) return `${n}!`;
  attempted.add(signal);
  return 'not yet';
}

const asynchronous: Readonly<Record<string, Case>> = {
  'asyncMap': one(numbers, (s) => [s.asyncMap((n) => later(n, n * 2))], () => (n) => main(n * 2)),
  'asyncMap, one at a time': one(numbers, (s) => [s.asyncMap((n) => later(n, n * 2), { capacity: 1 })], () => (n) => main(n * 2)),
  'asyncMap, unordered': { ...one(numbers, (s) => [s.asyncMap((n) => later(n, n * 2), { ordered: false })], () => (n) => main(n * 2)), isUnordered: true },
  'asyncMap, unordered, two at a time': {
    ...one(numbers, (s) => [s.asyncMap((n) => later(n, [n]), { ordered: false, capacity: 2 }).map(([n]) => n)], () => (n) => main(n)),
    isUnordered: true,
  },
  'asyncMap with retries of a result': one(
    numbers.slice(0, 4),
    (s) => [s.asyncMap(secondTime, { retry: { attemptsMax: 2, delay: 0, ifResult: (result) => result === 'not yet' } })],
    () => (n) => main(`${n}!`),
  ),
  'asyncMap behind a flatMap that emits many': one(
    numbers,
    (s) => [s.flatMap((n, out: Collector<number>) => { for (const each of upTo(n)) out.emit(each); }).asyncMap((n) => later(n % 5, n), { capacity: 2 })],
    () => (n) => main(...upTo(n)),
  ),
};

/** By name. */
export const operatorCases: Readonly<Record<string, Case>> = { ...elementWise, ...keyed, ...processing, ...connected, ...asynchronous };
