/**
 * Programs made by chance: a tree of operators over one type of record, which can be built through the API and, beside
 * it, worked out on plain arrays. Some operators change their record in place, which nobody else may notice.
 */
import fc from 'fast-check';
import { outputTag, state, t } from '../../src/index.ts';
import type { Collector, DataStream, SingleOutputStream } from '../../src/index.ts';
import type { Listened } from './declared.ts';

export interface Row {
  readonly key: string;
  n: number;
  readonly tags: string[];
  readonly note: string | null;
}

export const Row = t.object({ key: t.string, n: t.number, tags: t.array(t.string), note: t.nullable(t.string) });

/** A record or (without a value) a watermark. */
export interface Item {
  readonly value: Row | null;
  readonly timestampMs: number;
}

type Stream = DataStream<Row>;
type ApplyResult = readonly Row[];

/** An operator: as declared, and as a function from a record to its results. `reference` is made afresh for each run. */
interface Operator {
  readonly text: string;
  readonly declare: (input: Stream) => SingleOutputStream<Row>;
  readonly reference: () => (row: Row) => ApplyResult;
}

/** An operator, whether its type is declared, and who reads it. No readers: its results are a result of the program. */
export interface Program {
  readonly operator: Operator;
  readonly isTyped: boolean;
  readonly readers: readonly Program[];
}

const side = outputTag('odd', Row);
const byKey = (row: Row): string => row.key;

function rolling(combine: (accumulated: Row, row: Row) => Row): () => (row: Row) => ApplyResult {
  return () => {
    const accumulated = new Map<string, Row>();
    return (row) => {
      const before = accumulated.get(row.key);
      const now = before === undefined ? structuredClone(row) : combine(structuredClone(before), row);
      accumulated.set(row.key, now);
      return [now];
    };
  };
}

const plain = (apply: (row: Row) => ApplyResult): Operator['reference'] => () => apply;
/** Independent of each other: a function that emits one array in two records shares it by its own choice. */
const copies = (row: Row, count: number): Row[] => Array.from({ length: count }, (_, i) => ({ ...row, n: row.n + i, tags: [...row.tags] }));

function* lazily(rows: readonly Row[]): Generator<Row> {
  yield* rows;
}

const makers: readonly ((n: number) => Operator)[] = [
  (n) => ({ text: `map(+${n})`, declare: (s) => s.map((row) => ({ ...row, n: row.n + n })), reference: plain((row) => [{ ...row, n: row.n + n }]) }),
  (n) => ({
    text: `map in place(*${n})`,
    declare: (s) => s.map((row) => {
      row.n = row.n * n + 0; // No -0: Math.max of the reference tells it from 0.
      row.tags.push(`x${n}`);
      return row;
    }),
    reference: plain((row) => [{ ...row, n: row.n * n + 0, tags: [...row.tags, `x${n}`] }]),
  }),
  (n) => ({ text: `filter(%${n + 2})`, declare: (s) => s.filter((row) => row.n % (n + 2) !== 0), reference: plain((row) => (row.n % (n + 2) === 0 ? [] : [row])) }),
  (n) => ({ text: `flatMap array(${n})`, declare: (s) => s.flatMap((row) => copies(row, n)), reference: plain((row) => copies(row, n)) }),
  (n) => ({ text: `flatMap generator(${n})`, declare: (s) => s.flatMap((row) => lazily(copies(row, n))), reference: plain((row) => copies(row, n)) }),
  (n) => ({
    text: `flatMap emits(${n})`,
    declare: (s) => s.flatMap((row, out: Collector<Row>) => { for (const each of copies(row, n)) out.emit(each); }),
    reference: plain((row) => copies(row, n)),
  }),
  () => ({ text: 'sum', declare: (s) => s.keyBy(byKey).sum('n'), reference: rolling((a, row) => ({ ...a, n: a.n + row.n })) }),
  () => ({ text: 'max', declare: (s) => s.keyBy('key').max('n'), reference: rolling((a, row) => ({ ...a, n: Math.max(a.n, row.n) })) }),
  () => ({ text: 'minBy', declare: (s) => s.keyBy('key').minBy('n'), reference: rolling((a, row) => (row.n < a.n ? structuredClone(row) : a)) }),
  (n) => ({
    text: `reduce(${n})`,
    declare: (s) => s.keyBy(byKey).reduce((a, row) => ({ ...a, n: a.n - row.n * n })),
    reference: rolling((a, row) => ({ ...a, n: a.n - row.n * n })),
  }),
  (n) => ({
    text: `process with state(${n})`,
    declare: (s) => s.keyBy(byKey).process({
      state: { last: state.value(Row) },
      output: Row,
      process(row, context, out) {
        const last = context.state.last.get();
        context.state.last.set(row);
        if (row.n % 2 !== 0) context.output(side, row);
        if (last !== undefined) out.emit(last);
        if (n % 2 === 0) out.emit(row);
      },
    }),
    reference: () => {
      const lasts = new Map<string, Row>();
      return (row) => {
        const last = lasts.get(row.key);
        lasts.set(row.key, structuredClone(row));
        return [...(last === undefined ? [] : [last]), ...(n % 2 === 0 ? [row] : [])];
      };
    },
  }),
  (n) => ({
    text: `asyncMap(${n})`,
    declare: (s) => s.asyncMap(async (row): Promise<Row> => {
      for (let turns = row.n % 3; turns > 0; turns--) await Promise.resolve();
      return { ...row, note: `${n}` };
    }, { capacity: n + 1 }),
    reference: plain((row) => [{ ...row, note: `${n}` }]),
  }),
];

const operator: fc.Arbitrary<Operator> = fc.tuple(fc.constantFrom(...makers), fc.nat(3)).map(([make, n]) => make(n));

/** Programs of up to six operators in a row and two readers of one. */
export const programs: fc.Arbitrary<Program> = fc.letrec<{ program: Program }>((tie) => ({
  program: fc.record({
    operator,
    isTyped: fc.boolean(),
    readers: fc.oneof({ maxDepth: 5, depthSize: 'small' }, fc.constant([]), fc.array(tie('program'), { minLength: 1, maxLength: 2 })),
  }),
})).program;

const row: fc.Arbitrary<Row> = fc.record({
  key: fc.constantFrom('a', 'b', ''),
  n: fc.integer({ min: -5, max: 9 }),
  tags: fc.array(fc.constantFrom('t', 'é'), { maxLength: 2 }),
  note: fc.option(fc.constantFrom('', 'note')),
});

/** Records and watermarks with rising times. */
export const inputs: fc.Arbitrary<readonly Item[]> = fc
  .array(fc.option(row, { freq: 5 }), { minLength: 1, maxLength: 8 })
  .map((values) => values.map((value, i) => ({ value, timestampMs: 10 * i })));

/** Declares a program on a stream; answers its results, in the order of `referenceOf`. */
export function declareProgram(program: Program, input: Stream): readonly Listened[] {
  const declared = program.operator.declare(input);
  const output = program.isTyped ? declared.returns(Row) : declared;
  const sides = hasSide(program) ? [output.getSideOutput(side)] : [];
  const own = program.readers.length === 0 ? [output] : program.readers.flatMap((reader) => declareProgram(reader, output));
  return [...own, ...sides];
}

/** The same on plain arrays. */
export function referenceOf(program: Program, items: readonly Item[]): readonly (readonly Item[])[] {
  const step = program.operator.reference();
  const output = items.flatMap((item): Item[] => {
    if (item.value === null) return [item];
    return step(structuredClone(item.value)).map((value) => ({ value: structuredClone(value), timestampMs: item.timestampMs }));
  });
  const sides = hasSide(program) ? [items.filter(({ value }) => value === null || value.n % 2 !== 0)] : [];
  const own = program.readers.length === 0 ? [output] : program.readers.flatMap((reader) => referenceOf(reader, output));
  return [...own, ...sides];
}

/** For messages. */
export function textOf({ operator: { text }, isTyped, readers }: Program): string {
  const rest = readers.length === 0 ? '' : ` -> (${readers.map(textOf).join(', ')})`;
  return `${text}${isTyped ? ': Row' : ''}${rest}`;
}

function hasSide({ operator: { text } }: Program): boolean {
  return text.startsWith('process');
}
