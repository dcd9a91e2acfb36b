/** Windows and joins for the conformance suite: what fires with a record, and what fires with the watermark at 250. */
import { globalWindows, outputTag, sliding, session, trigger, tumbling } from '../../src/index.ts';
import type { DataStream } from '../../src/index.ts';
import type { Case, Result } from './operator-cases.ts';
import type { Listened } from './declared.ts';

interface Word {
  readonly word: string;
  readonly n: number;
}

const WATERMARK_MS = 250;
const COUNT_TIME_MS = Number.MAX_SAFE_INTEGER;
const late = outputTag<Word>('late');

type Step = (value: Word, timestampMs: number) => readonly Result[];

const words: readonly Word[] = ['a', 'b', 'a', 'b', 'b', 'a'].map((word, i) => ({ word, n: 2 ** i }));

/** Records 0.1 s apart, but the fourth is late; the watermark is between the third and the fourth. */
const TIMES_MS = [0, 100, 200, 150, 400, 500];

function windowed(build: (input: DataStream<Word>) => readonly Listened[], reference: () => { readonly step: Step; readonly onWatermark?: () => readonly Result[] }): Case {
  const records = words.map((value, i) => ({ inputIndex: 0 as const, value, timestampMs: TIMES_MS[i] as number }));
  const watermark = { inputIndex: 0 as const, value: null, timestampMs: WATERMARK_MS, isWatermark: true as const };
  return {
    types: [null],
    records: [...records.slice(0, 3), watermark, ...records.slice(3)],
    seesWatermarks: true,
    build: ([input]) => build(input as DataStream<Word>),
    reference: () => {
      const { step, onWatermark } = reference();
      return (record) => (record.isWatermark ? (onWatermark?.() ?? []) : step(record.value as Word, record.timestampMs));
    },
  };
}

/** Sums in windows that are [0, 200) and later ones, which nothing fires; the late record fires again or is late. */
function sums(latenessMs: number): () => { readonly step: Step; readonly onWatermark: () => readonly Result[] } {
  return () => {
    const totals = new Map<string, number>();
    let hasFired = false;
    const shown = (word: string): Result => [0, { word, n: totals.get(word) }, 199];
    return {
      step(value, timestampMs) {
        if (timestampMs >= 200) return [];
        if (hasFired && latenessMs === 0) return [[1, value]];
        totals.set(value.word, (totals.get(value.word) ?? 0) + value.n);
        return hasFired ? [shown(value.word)] : [];
      },
      onWatermark() {
        const isFirst = !hasFired;
        hasFired = true;
        return isFirst ? [...totals.keys()].map(shown) : [];
      },
    };
  };
}

const withLate = (latenessMs: number, by: 'sum' | 'reduce' | 'process') => (input: DataStream<Word>): readonly Listened[] => {
  const windows = input.keyBy('word').window(tumbling.eventTime({ size: 200 })).allowedLateness(latenessMs).sideOutputLateData(late);
  const add = (a: Word, b: Word): Word => ({ word: a.word, n: a.n + b.n });
  const results = by === 'sum' ? windows.sum('n') : by === 'reduce' ? windows.reduce(add) : windows.process<Word>({ process: (all, _context, out) => out.emit([...all].reduce(add)) });
  return [results, results.getSideOutput(late)];
};

function counted(size: number, show: (list: readonly Word[]) => unknown, keep: (list: Word[]) => Word[], keyOf: (value: Word) => string, every = size) {
  return () => {
    const lists = new Map<string, Word[]>();
    const seen = new Map<string, number>();
    const step: Step = (value) => {
      const key = keyOf(value);
      const list = [...(lists.get(key) ?? []), value].slice(-size);
      const count = (seen.get(key) ?? 0) + 1;
      lists.set(key, list);
      seen.set(key, count);
      if (count % every !== 0) return [];
      lists.set(key, keep(list));
      return [[0, show(list), COUNT_TIME_MS]];
    };
    return { step };
  };
}

const total = (list: readonly Word[]): Word => ({ word: list[0]?.word ?? '', n: list.reduce((sum, { n }) => sum + n, 0) });
const byWord = ({ word }: Word): string => word;

/** Two streams whose records take turns; the watermark leaves only the fourth record behind. */
function joined(build: (left: DataStream<Word>, right: DataStream<Word>) => readonly Listened[], reference: () => (input: 0 | 1, value: Word, timestampMs: number) => readonly Result[]): Case {
  const inputs = [0, 1, 1, 0, 0, 1] as const;
  const records = words.map((value, i) => ({ inputIndex: inputs[i] as 0 | 1, value, timestampMs: TIMES_MS[i] as number }));
  const watermark = { inputIndex: 0 as const, value: null, timestampMs: WATERMARK_MS, isWatermark: true as const };
  return {
    types: [null, null],
    records: [...records.slice(0, 3), watermark, ...records.slice(3)],
    build: ([left, right]) => build(left as DataStream<Word>, right as DataStream<Word>),
    reference: () => {
      const step = reference();
      return ({ inputIndex, value, timestampMs }) => step(inputIndex, value as Word, timestampMs);
    },
  };
}

const pairs: Readonly<Record<string, Case>> = {
  'interval join': joined(
    (left, right) => {
      const results = left.keyBy(() => 'all').intervalJoin(right.keyBy(() => 'all')).between(-200, '200 ms').sideOutputLeftLateData(late)
        .process(({ n }, other) => n * 100 + other.n);
      return [results, results.getSideOutput(late)];
    },
    () => {
      const seen: { readonly input: 0 | 1; readonly value: Word; readonly timestampMs: number }[] = [];
      return (input, value, timestampMs) => {
        if (seen.length === 3 && timestampMs < WATERMARK_MS) return [[1, value]];
        const partners = seen.filter((other) => other.input !== input && Math.abs(other.timestampMs - timestampMs) <= 200);
        seen.push({ input, value, timestampMs });
        return partners.map((other): Result => {
          const [left, right] = input === 0 ? [value, other.value] : [other.value, value];
          return [0, left.n * 100 + right.n, Math.max(timestampMs, other.timestampMs)];
        });
      };
    },
  ),
  'window join that fires for every third record': joined(
    (left, right) => [left.join(right).where(() => 'all').equalTo(() => 'all').window(globalWindows()).trigger(trigger.count(3)).apply((a, b) => a.n * 100 + b.n)],
    () => {
      const seen: { readonly input: 0 | 1; readonly value: Word }[] = [];
      return (input, value) => {
        seen.push({ input, value });
        if (seen.length % 3 !== 0) return [];
        const [left, right] = [0, 1].map((side) => seen.filter((each) => each.input === side)) as [typeof seen, typeof seen];
        return left.flatMap((a) => right.map((b): Result => [0, a.value.n * 100 + b.value.n, COUNT_TIME_MS]));
      };
    },
  ),
};

export const windowCases: Readonly<Record<string, Case>> = {
  'tumbling windows of sums': windowed(withLate(0, 'sum'), sums(0)),
  'tumbling windows of sums with lateness': windowed(withLate(500, 'sum'), sums(500)),
  'tumbling windows that reduce': windowed(withLate(0, 'reduce'), sums(0)),
  'tumbling windows that process': windowed(withLate(0, 'process'), sums(0)),
  'tumbling windows that process with lateness': windowed(withLate(500, 'process'), sums(500)),
  'sessions': windowed((input) => [input.keyBy('word').window(session.eventTime({ gap: 120 })).sum('n')], () => {
    const first: Word[] = [];
    return {
      // Only the session of b at 100 has ended by the watermark; that of a was at 0.
      step: (value, timestampMs) => { if (timestampMs <= 100) first.push(value); return []; },
      onWatermark: () => first.splice(0).reduce<Word[]>((all, value) => {
        const same = all.find(({ word }) => word === value.word);
        return same === undefined ? [...all, value] : all.map((each) => (each === same ? { ...each, n: each.n + value.n } : each));
      }, []).map((each): Result => [0, each, each.word === 'a' ? 119 : 219]),
    };
  }),
  'sliding windows': windowed((input) => [input.keyBy(() => 'all').window(sliding.eventTime({ size: 200, slide: 100 })).sum('n')], () => {
    const seen: { readonly value: Word; readonly timestampMs: number }[] = [];
    let watermarkMs = -1;
    const sum = (startMs: number): Result[] => {
      const list = seen.filter(({ timestampMs }) => timestampMs >= startMs && timestampMs < startMs + 200).map(({ value }) => value);
      return list.length === 0 ? [] : [[0, total(list), startMs + 199]];
    };
    return {
      step: (value, timestampMs) => {
        // The late record is too late for [0, 200) and in time for [100, 300).
        if (watermarkMs < 0 || timestampMs >= 200) seen.push({ value, timestampMs });
        return [];
      },
      onWatermark: () => {
        if (watermarkMs >= 0) return [];
        watermarkMs = WATERMARK_MS;
        return [-100, 0].flatMap(sum);
      },
    };
  }),
  'count windows': windowed((input) => [input.keyBy('word').countWindow(2).sum('n')], counted(2, total, () => [], byWord)),
  'count windows that slide': windowed((input) => [input.keyBy('word').countWindow(3, 1).sum('n')], counted(3, total, (list) => list, byWord, 1)),
  'windows over all by count': windowed((input) => [input.countWindowAll(2).reduce((a, b) => ({ word: a.word, n: a.n + b.n }))], counted(2, total, () => [], () => 'all')),
  'a trigger that fires for each record': windowed(
    (input) => [input.keyBy('word').window(globalWindows()).trigger(trigger.count(1)).aggregate({
      createAccumulator: () => [] as number[],
      add: (list: number[], { n }) => { list.push(n); return list; },
      getResult: (list) => list,
    })],
    counted(100, (list) => list.map(({ n }) => n), (list) => list, byWord, 1),
  ),
  ...pairs,
};
