/**
 * What one chain cannot show: sources, sinks, partitioners, unions and connected streams on several subtasks, the life
 * of rich functions, and the counts of records. Whole programs on a cluster of inline slots, generated and interpreted,
 * against plain arrays.
 */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import test from 'ava';
import { dataGenerator, fileSource, job, state, t as types } from '../../src/index.ts';
import type { Collector, DataStream, RuntimeContext, Sink, StreamExecutionEnvironment, TypeDescriptor } from '../../src/index.ts';
import { keyGroupOf, operatorIndexOf } from '../../src/graph/key-groups.ts';
import { hashKey } from '../../src/graph/key-hash.ts';
import { hashRecord, mix32 } from '../../src/graph/record-hash.ts';
import { MiniCluster } from '../../src/testing/index.ts';

const printed: string[] = [];
let cluster: MiniCluster;
let directory = '';

test.before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drey conformance '));
  const onPrint = (stream: string, text: string) => void printed.push(...text.trimEnd().split('\n').map((line) => `${stream}: ${line}`));
  cluster = await MiniCluster.start({ slots: 6, onPrint });
});
test.after.always(async () => {
  await cluster.close();
  await rm(directory, { recursive: true, force: true });
});

/** Runs a program whose result goes to the collect sink `out`; answers the records in an order of their own. */
async function collected<T>(codegen: string, build: (env: StreamExecutionEnvironment) => DataStream<T>): Promise<readonly T[]> {
  const program = job({ name: 'conformance' }, (env) => void build(env).collect('out'));
  const running = await cluster.submit(program, {}, { 'pipeline.codegen': codegen });
  const values: T[] = [];
  for await (const value of running.collected('out')) values.push(value as T);
  await running.result();
  return sorted(values);
}

const sorted = <T>(values: Iterable<T>): readonly T[] =>
  [...values].toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i + 1);

/** `[record, subtask]` for each record, as its subtask saw it. */
function located(stream: DataStream<number>, parallelism: number): DataStream<readonly [number, number]> {
  let subtask = -1; // One function object for each subtask: the program is built in each slot.
  return stream.map({
    open(context: RuntimeContext) { subtask = context.subtaskIndex; },
    map: (n: number): readonly [number, number] => [n, subtask],
  }).setParallelism(parallelism);
}

const COUNT = 24;
/** Where two producers may send the record n, and to how many of the consumers. */
const partitioners: Readonly<Record<string, {
  readonly apply: (stream: DataStream<number>) => DataStream<number>;
  readonly consumers?: number;
  readonly copies?: number;
  readonly holds: (seen: readonly (readonly [number, number])[]) => boolean;
}>> = {
  rebalance: { apply: (s) => s.rebalance(), holds: (seen) => [0, 1, 2].every((i) => seen.filter(([, at]) => at === i).length === COUNT / 3) },
  rescale: { apply: (s) => s.rescale(), consumers: 4, holds: (seen) => seen.every(([n, at]) => (n <= COUNT / 2 ? at < 2 : at >= 2)) },
  shuffle: { apply: (s) => s.shuffle(), holds: (seen) => new Set(seen.map(([, at]) => at)).size === 3 },
  global: { apply: (s) => s.global(), holds: (seen) => seen.every(([, at]) => at === 0) },
  forward: { apply: (s) => s.forward(), consumers: 2, holds: (seen) => seen.every(([n, at]) => at === (n <= COUNT / 2 ? 0 : 1)) },
  broadcast: {
    apply: (s) => s.broadcast(),
    copies: 3,
    holds: (seen) => upTo(COUNT).every((n) => new Set(seen.filter(([m]) => m === n).map(([, at]) => at)).size === 3),
  },
  partitionCustom: {
    apply: (s) => s.partitionCustom((key: number, parallelism) => (key + 1) % parallelism, (n) => n % 3),
    holds: (seen) => seen.every(([n, at]) => at === (n + 1) % 3),
  },
  keyBy: {
    apply: (s) => s.keyBy((n) => n % 7),
    holds: (seen) => seen.every(([n, at]) => at === operatorIndexOf(keyGroupOf(hashKey(n % 7), 128), 128, 3)),
  },
};

const shown = (value: unknown): string => inspect(value, { depth: 9 });
const Inner = types.object({ id: types.int32, note: types.nullable(types.string) });
/** Types with values at their ends. */
const recordTypes: readonly (readonly [TypeDescriptor<unknown>, readonly unknown[]])[] = ([
  [types.string, ['', 'ä語😀', '\ud800', 'x'.repeat(40_000)]],
  [types.number, [0, -0, NaN, -Infinity, 251, 2 ** 53, Number.MIN_VALUE]],
  [types.int32, [-(2 ** 31), 2 ** 31 - 1]],
  [types.int64, [-(2n ** 63n), 2n ** 63n - 1n]],
  [types.boolean, [true, false]],
  [types.timestamp, [Number.MIN_SAFE_INTEGER, 0]],
  [types.bytes, [new Uint8Array(0), new Uint8Array([0, 255])]],
  [types.nullable(types.string), [null, '']],
  [types.tuple(types.string, types.nullable(types.float64)), [['a', null], ['', 0.5]]],
  [types.array(types.array(types.int32)), [[], [[], [1, 2]]]],
  [types.map(types.string, Inner), [new Map(), new Map([['', { id: -1, note: null }]])]],
  [types.object({ inner: Inner, tags: types.array(types.string) }), [{ inner: { id: 1, note: null }, tags: ['', 'x'] }]],
  [types.union('kind', { a: types.object({ n: types.int32 }), b: Inner }), [{ kind: 'a', n: 1 }, { kind: 'b', id: 2, note: 'x' }]],
  [types.oneOf(types.string, Inner), ['text', { id: 3, note: null }]],
  [types.literal('on', 'off', null), ['on', null]],
  [types.json(), [{ a: [1, { b: null }] }, 'text', []]],
  [types.readonly(Inner), [{ id: 4, note: 'kept' }]],
] as const) as unknown as readonly (readonly [TypeDescriptor<unknown>, readonly unknown[]])[];

for (const codegen of ['on', 'off']) {
  for (const [name, { apply, consumers = 3, copies = 1, holds }] of Object.entries(partitioners)) {
    test(`${name} sends each record where it must, codegen ${codegen}`, async (t) => {
      const seen = await collected(codegen, (env) => located(apply(env.fromSequence(1, COUNT).setParallelism(2)), consumers));
      t.deepEqual(seen.map(([n]) => n).toSorted((a, b) => a - b), upTo(COUNT).flatMap((n) => Array<number>(copies).fill(n)));
      t.true(holds(seen), JSON.stringify(seen));
    });
  }

  test(`records of every type arrive as they were, declared or not, at home and in state, codegen ${codegen}`, async (t) => {
    for (const [type, values] of recordTypes) {
      const expected = sorted([...values, ...values].map(shown));
      for (const declared of [type, undefined]) {
        const seen = await collected(codegen, (env) => {
          const records = env.fromCollection(values, declared).rebalance().map((value) => value).setParallelism(2);
          const typed = declared === undefined ? records : records.returns(declared);
          return typed.keyBy(shown).process({
            state: { last: state.value(type) },
            process(value, context, out: Collector<string>) {
              context.state.last.set(value);
              out.emit(shown(value));
              out.emit(shown(context.state.last.get()));
            },
          }).setParallelism(2);
        });
        t.deepEqual(seen, expected, type.name);
      }
    }
  });

  test(`union has all records of all its streams, also of one taken twice, codegen ${codegen}`, async (t) => {
    const seen = await collected(codegen, (env) => {
      const numbers = env.fromSequence(1, 5).setParallelism(2);
      return numbers.union(numbers, env.fromElements(100), numbers.filter((n) => n > 4)).map((n) => n).setParallelism(3);
    });
    t.deepEqual(seen, sorted([...upTo(5), ...upTo(5), 100, 5]));
  });

  test(`a union of streams with different keys still keeps each where its key is, codegen ${codegen}`, async (t) => {
    const seen = await collected(codegen, (env) => {
      const numbers = env.fromSequence(1, COUNT);
      return located(numbers.keyBy((n) => n % 2).union(numbers.keyBy((n) => n % 5)), 3);
    });
    t.deepEqual(seen.map(([n]) => n).toSorted((a, b) => a - b), upTo(COUNT).flatMap((n) => [n, n]));
  });

  test(`connected keyed streams meet in the state of their key, codegen ${codegen}`, async (t) => {
    const seen = await collected(codegen, (env) => {
      env.setParallelism(3);
      const left = env.fromSequence(1, 20).keyBy((n) => `key ${n % 6}`);
      const right = env.fromSequence(1, 30).map((n) => ({ n })).keyBy(({ n }) => `key ${n % 6}`);
      return left.connect(right).process({
        state: { seen: state.value(types.number) },
        process1: (_n, context, out: Collector<readonly [string, number]>) => count(context, out),
        process2: (_n, context, out) => count(context, out),
      });
    });
    const expected = new Map<string, number>();
    for (const n of [...upTo(20), ...upTo(30)]) expected.set(`key ${n % 6}`, (expected.get(`key ${n % 6}`) ?? 0) + 1);
    t.deepEqual(seen, sorted([...expected].flatMap(([key, total]) => upTo(total).map((n) => [key, n] as const))));
  });

  test(`every source gives its records once, codegen ${codegen}`, async (t) => {
    const path = join(directory, `lines-${codegen}.txt`);
    await writeFile(path, 'a\r\n\nzwölf\nlast');
    const lines = ['a', '', 'zwölf', 'last'];
    const server = createServer((socket) => socket.end('one\ntwo\n'));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const sources: readonly (readonly [(env: StreamExecutionEnvironment) => DataStream<unknown>, readonly unknown[]])[] = [
      [(env) => env.fromElements(1, 2, 2).map((n): unknown => n), [1, 2, 2]],
      [(env) => env.fromCollection(new Set(['x', 'y'])).map((text): unknown => text), ['x', 'y']],
      [(env) => env.fromSequence(-2, 2).setParallelism(3).map((n): unknown => n), [-2, -1, 0, 1, 2]],
      [(env) => env.fromSource(dataGenerator({ generate: (i) => i * i, count: 7 })).setParallelism(3).map((n): unknown => n), [0, 1, 4, 9, 16, 25, 36]],
      [(env) => env.readTextFile(path).map((line): unknown => line), lines],
      [(env) => env.fromSource(fileSource({ path, splitSizeBytes: 3 })).setParallelism(2).map((line): unknown => line), lines],
      [(env) => env.socketTextStream('127.0.0.1', port).map((line): unknown => line), ['one', 'two']],
    ];
    for (const [build, expected] of sources) t.deepEqual(await collected(codegen, build), sorted(expected));
  });

  test.serial(`every sink gets the records in their order, codegen ${codegen}`, async (t) => {
    const path = join(directory, `text-${codegen}`);
    const notes: string[] = [];
    const own: Sink<number> = {
      name: 'own',
      createWriter: ({ subtaskIndex, parallelism }) => ({
        write: async (n, timestampMs) => void notes.push(`${n}@${timestampMs}`),
        flush: (endOfInput) => void notes.push(`flush ${endOfInput}`),
        close: () => void notes.push(`close ${subtaskIndex}/${parallelism}`),
      }),
    };
    printed.length = 0;
    const program = job({ name: 'sinks' }, (env) => {
      const numbers = env.fromElements(3, 1, 2).assignTimestamps((n) => n * 10);
      numbers.print();
      numbers.print('note');
      numbers.printToErr();
      numbers.writeAsText(path, { format: (n) => `<${n}>` });
      numbers.discard({ fold: true }).name('folded');
      numbers.sinkTo(own);
    });
    const { accumulators } = await cluster.run(program, {}, { 'pipeline.codegen': codegen });
    const of = (prefix: RegExp): readonly string[] => printed.filter((line) => prefix.test(line));
    t.deepEqual(of(/^stdout: \d/), ['stdout: 3', 'stdout: 1', 'stdout: 2']);
    t.deepEqual(of(/note/), ['stdout: note> 3', 'stdout: note> 1', 'stdout: note> 2']);
    t.deepEqual(of(/^stderr/), ['stderr: 3', 'stderr: 1', 'stderr: 2']);
    const files = await readdir(path);
    t.is((await Promise.all(files.map((file) => readFile(join(path, file), 'utf8')))).join(''), '<3>\n<1>\n<2>\n');
    t.deepEqual(notes, ['3@30', '1@10', '2@20', 'flush true', 'close 0/1']);
    t.is(accumulators['folded.count'], 3);
    t.is(accumulators['folded.hash'], String([3, 1, 2].reduce((sum, n) => sum + mix32(hashRecord(n)), 0)));
  });

  test(`rich functions open downstream first, close upstream first, and know where they run, codegen ${codegen}`, async (t) => {
    const notes: string[] = [];
    const contexts: RuntimeContext[] = [];
    const rich = (name: string) => ({
      open(context: RuntimeContext) {
        contexts.push(context);
        notes.push(`open ${name}`);
      },
      map(n: number) {
        notes.push(`${name} ${n}`);
        return n;
      },
      close: () => void notes.push(`close ${name}`),
    });
    const program = job({ name: 'rich' }, (env) => {
      env.setMaxParallelism(64).fromElements(7).map(rich('first')).name('first').map(rich('second')).name('second').discard();
    });
    const { jobId } = await cluster.run(program, {}, { 'pipeline.codegen': codegen });
    t.deepEqual(notes, ['open second', 'open first', 'first 7', 'second 7', 'close first', 'close second']);
    for (const context of contexts) {
      const name = 'Source: Collection Source -> first -> second -> Sink: Discard (1/1)#0';
      t.like(context, { jobId, jobName: 'rich', taskName: name, subtaskIndex: 0, parallelism: 1, maxParallelism: 64, attemptNumber: 0 });
    }
  });

  test(`numRecordsIn and numRecordsOut count what crosses tasks, codegen ${codegen}`, async (t) => {
    const program = job({ name: 'counts' }, (env) => {
      env.setParallelism(2);
      const numbers = env.fromSequence(1, 10).flatMap((n) => [n, n]);
      numbers.keyBy((n) => n % 3).sum().filter((n) => n > 0).rebalance().map((n) => n).broadcast().map((n) => n).discard();
    });
    const { jobId } = await cluster.run(program, {}, { 'pipeline.codegen': codegen });
    const { vertices } = cluster.gateway.job(jobId as Parameters<typeof cluster.gateway.job>[0]);
    const total = (of: 'numRecordsIn' | 'numRecordsOut') => vertices.map(({ subtasks }) => subtasks.reduce((sum, { metrics }) => sum + metrics[of], 0));
    t.deepEqual(total('numRecordsIn'), [0, 20, 20, 40]);
    t.deepEqual(total('numRecordsOut'), [20, 20, 40, 0]);
  });
}

function count(
  context: { readonly key: string; readonly state: { readonly seen: { get(): number | undefined; set(value: number): void } } },
  out: Collector<readonly [string, number]>,
): void {
  const seen = (context.state.seen.get() ?? 0) + 1;
  context.state.seen.set(seen);
  out.emit([context.key, seen]);
}
