/**
 * What must not compile, and what must: `tsc` is the test. An expected error that does not occur fails the build, and
 * so does a type that is not the one asserted.
 */
import { StreamExecutionEnvironment, arg, dataGenerator, job, outputTag, state, t, tuple } from '../../src/index.ts';
import type { Collector, DataStream, Infer, KeyedStream, SingleOutputStream, Sink, Source, TypeDescriptor } from '../../src/index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only when `A` is exactly `B`. */
function assertType<A, B>(_same: Equal<A, B>): void {}

interface Order {
  readonly id: string;
  readonly amount: number;
  readonly paid: boolean;
  readonly buyer: { readonly name: string };
}

declare const text: TypeDescriptor<string>;
declare const count: TypeDescriptor<number>;
declare const buyerType: TypeDescriptor<{ readonly name: string }>;
declare const orders: DataStream<Order>;
declare const keyedOrders: KeyedStream<Order, string>;
declare const words: DataStream<[word: string, count: number]>;
declare const numbers: DataStream<number>;

export function results(): void {
  assertType<ReturnType<typeof numbers.iterate>, never>(true);
  const lengths = orders.map((order) => order.id.length);
  assertType<typeof lengths, SingleOutputStream<number>>(true);
  const parts = orders.flatMap((order) => order.id.split('-'));
  assertType<typeof parts, SingleOutputStream<string>>(true);
  const emitted = orders.flatMap((order, out: Collector<number>) => out.emit(order.amount));
  assertType<typeof emitted, SingleOutputStream<number>>(true);
  const present = numbers.map((n) => (n > 0 ? n : null)).filter((n) => n !== null);
  assertType<typeof present, SingleOutputStream<number>>(true);
  const pairs = orders.map((order) => tuple(order.id, order.amount));
  assertType<typeof pairs, SingleOutputStream<[string, number]>>(true);
  const looked = orders.asyncMap(async (order) => order.amount, { timeout: '5 s', retry: { attemptsMax: 3, delay: '100 ms' } });
  assertType<typeof looked, SingleOutputStream<number>>(true);
}

export function synchronousCallbacks(): void {
  // @ts-expect-error map refuses promises
  orders.map(async (order) => order.amount);
  // @ts-expect-error a rich map refuses promises
  orders.map({ map: async (order: Order) => order.amount });
  // @ts-expect-error flatMap refuses promises
  orders.flatMap(async (order) => [order.id]);
  // @ts-expect-error filter refuses promises
  orders.filter(async (order) => order.paid);
  // @ts-expect-error process refuses promises
  orders.process({ async process(order, _context, out: Collector<string>) { out.emit(order.id); } });
  // @ts-expect-error reduce refuses promises
  keyedOrders.reduce(async (a) => a);
  // @ts-expect-error asyncMap wants one
  orders.asyncMap((order) => order.amount);
  // @ts-expect-error a key is not a promise
  orders.keyBy(async (order) => order.id);
  // @ts-expect-error a build function declares, it does not wait
  job({ name: 'waits' }, async (env) => { env.fromElements(1).print(); });
}

export function keys(): void {
  const byId = orders.keyBy((order) => order.id);
  assertType<typeof byId, KeyedStream<Order, string>>(true);
  const byField = orders.keyBy('paid');
  assertType<typeof byField, KeyedStream<Order, boolean>>(true);
  const byWord = words.keyBy(([word]) => word);
  assertType<typeof byWord, KeyedStream<[word: string, count: number], string>>(true);
  const byIndex = words.keyBy(0);
  assertType<typeof byIndex, KeyedStream<[word: string, count: number], string>>(true);
  const byBuyer = orders.keyBy((order) => order.buyer, buyerType);
  assertType<typeof byBuyer, KeyedStream<Order, { readonly name: string }>>(true);
  // @ts-expect-error an object key needs a declared type
  orders.keyBy((order) => order.buyer);
  // @ts-expect-error the declared type is not that of the key
  orders.keyBy((order) => order.buyer, count);
  // @ts-expect-error no such field
  orders.keyBy('nothing');
  // @ts-expect-error a field that is no primitive
  orders.keyBy('buyer');
  // @ts-expect-error keys of connected streams have one type
  keyedOrders.connect(numbers.keyBy((n) => n));
  // @ts-expect-error a keyed stream connects with a keyed stream
  keyedOrders.connect(orders);
}

export function aggregates(): void {
  const sums = words.keyBy(([word]) => word).sum(1);
  assertType<typeof sums, SingleOutputStream<[word: string, count: number]>>(true);
  keyedOrders.sum('amount');
  keyedOrders.minBy('id').uid('cheapest');
  numbers.keyBy((n) => n % 2).sum();
  // @ts-expect-error a text cannot be summed
  keyedOrders.sum('id');
  // @ts-expect-error element 0 is a text
  words.keyBy(([word]) => word).sum(0);
  // @ts-expect-error an object needs a field
  keyedOrders.sum();
  // @ts-expect-error an object has no order
  keyedOrders.maxBy('buyer');
  // @ts-expect-error a flag has no order
  keyedOrders.max('paid');
}

export function states(): void {
  const late = outputTag('late', text);
  const seen = keyedOrders.process({
    state: { total: state.value(count), last: state.value(text) },
    output: text,
    process(order, context, out) {
      assertType<typeof context.key, string>(true);
      const total = context.state.total.get();
      assertType<typeof total, number | undefined>(true);
      context.state.total.set((total ?? 0) + order.amount);
      context.output(late, order.id);
      out.emit(order.id);
      // @ts-expect-error no such state
      context.state.nothing.get();
      // @ts-expect-error a text is no count
      context.state.total.set('1');
      // @ts-expect-error the output is a text
      out.emit(order.amount);
      // @ts-expect-error the side output is a text
      context.output(late, order.amount);
    },
  });
  assertType<typeof seen, SingleOutputStream<string>>(true);
  const side = seen.getSideOutput(late);
  assertType<typeof side, DataStream<string>>(true);
  // @ts-expect-error state needs a keyed stream
  orders.process({ state: { total: state.value(count) }, process(order, _context, out: Collector<string>) { out.emit(order.id); } });
}

export function stateKinds(): void {
  keyedOrders.process({
    state: {
      ids: state.list(text),
      amounts: state.map(text, count),
      longest: state.reducing(text, (a, b) => (b.length > a.length ? b : a)),
      mean: state.aggregating(t.object({ sum: count, n: count }), {
        createAccumulator: () => ({ sum: 0, n: 0 }),
        add: (mean, amount: number) => ({ sum: mean.sum + amount, n: mean.n + 1 }),
        getResult: ({ sum, n }) => `${sum / n}`,
      }),
    },
    output: text,
    process(order, { state: { ids, amounts, longest, mean } }, out) {
      ids.add(order.id);
      // @ts-expect-error the list read is shared
      ids.get().push(order.id);
      assertType<ReturnType<typeof amounts.get>, number | undefined>(true);
      amounts.set(order.id, order.amount);
      longest.add(order.id);
      mean.add(order.amount);
      assertType<ReturnType<typeof mean.get>, string | undefined>(true);
      // @ts-expect-error amounts are numbers
      mean.add(order.id);
      out.emit(longest.get() ?? '');
    },
  });
  // @ts-expect-error an object is no key of a map state
  state.map(t.object({ n: count }), count);
}

export function broadcasts(): void {
  const limits = numbers.broadcast({ limits: state.map(text, count) });
  const keyed = keyedOrders.connect(limits).process({
    state: { total: state.value(count) },
    process(order, context, out: Collector<string>) {
      assertType<typeof context.key, string>(true);
      context.state.total.set(context.broadcastState.limits.get(order.id) ?? 0);
      // @ts-expect-error this side only reads
      context.broadcastState.limits.set(order.id, 1);
      out.emit(order.id);
    },
    processBroadcast(limit, context) {
      context.broadcastState.limits.set('all', limit);
      context.applyToKeyedState('total', (key, total) => {
        assertType<typeof key, string>(true);
        total.set((total.get() ?? 0) + limit);
      });
      // @ts-expect-error the broadcast side has no key
      context.state.total.get();
    },
  });
  assertType<typeof keyed, SingleOutputStream<string>>(true);
  orders.connect(limits).process({
    process(order, { broadcastState }, out: Collector<number>) { out.emit(broadcastState.limits.get(order.id) ?? 0); },
    processBroadcast(limit, { broadcastState }) { broadcastState.limits.set('all', limit); },
  });
}

export function connections(): void {
  const joined = keyedOrders.connect(words.keyBy(([word]) => word)).process({
    state: { order: state.value(text) },
    output: count,
    process1(order, context) { context.state.order.set(order.id); },
    process2([, n], context, out) { if (context.state.order.get() === context.key) out.emit(n); },
  });
  assertType<typeof joined, SingleOutputStream<number>>(true);
  const merged = orders.connect(numbers).map({ map1: (order) => order.amount, map2: (n) => n });
  assertType<typeof merged, SingleOutputStream<number>>(true);
  // @ts-expect-error a union is of one type
  orders.union(numbers);
}

export function jobArguments(): void {
  const args = {
    input: arg.path({ optional: true }),
    top: arg.int({ default: 10 }),
    mode: arg.choice(['fast', 'exact']),
    verbose: arg.boolean(),
  };
  job({ name: 'typed', args }, (env, given) => {
    assertType<typeof given.input, string | undefined>(true);
    assertType<typeof given.top, number>(true);
    assertType<typeof given.mode, 'fast' | 'exact'>(true);
    assertType<typeof given.verbose, boolean>(true);
    // @ts-expect-error no such argument
    env.fromElements(given.nothing).print();
  });
  // @ts-expect-error not a duration
  StreamExecutionEnvironment.createLocalEnvironment().setBufferTimeout('10 sec');
}

declare const orderSink: Sink<Order>;
declare const numberSink: Sink<number>;
declare const unknownSink: Sink<unknown>;
declare const orderSource: Source<Order>;
declare const orderType: TypeDescriptor<Order>;

export function sinks(): void {
  orders.sinkTo(orderSink);
  orders.sinkTo(unknownSink);
  // @ts-expect-error a sink of numbers takes no orders
  orders.sinkTo(numberSink);
  orders.writeAsText('/out', { format: (order) => order.id });
  // @ts-expect-error a line is a text
  orders.writeAsText('/out', { format: (order) => order.amount });
  // @ts-expect-error an order has no such field
  orders.writeAsText('/out', { format: (order) => order.nothing });
  const all = orders.executeAndCollect();
  assertType<typeof all, AsyncIterable<Order>>(true);
  // @ts-expect-error a sink ends the stream
  orders.print().map((order: Order) => order);
}

export function sources(): void {
  const env = StreamExecutionEnvironment.createLocalEnvironment();
  const read = env.fromSource(orderSource);
  assertType<typeof read, SingleOutputStream<Order>>(true);
  const generated = env.fromSource(dataGenerator({ generate: (index) => ({ index }) }));
  assertType<typeof generated, SingleOutputStream<{ index: number }>>(true);
  const lines = env.readTextFile('/in');
  assertType<typeof lines, SingleOutputStream<string>>(true);
  const fromSet = env.fromCollection(new Set(['a']));
  assertType<typeof fromSet, SingleOutputStream<string>>(true);
  // @ts-expect-error the type is not that of the source
  env.fromSource(orderSource, { type: text });
  // @ts-expect-error elements of another type than the one declared
  env.fromCollection([1], text);
}

export function sideOutputs(): void {
  const flagged = outputTag('flagged', orderType);
  const parts = orders.process({
    process(order, context, out: Collector<number>) {
      context.output(flagged, order);
      // @ts-expect-error the tag is of orders
      context.output(flagged, order.id);
      out.emit(order.amount);
    },
  });
  const side = parts.getSideOutput(flagged);
  assertType<typeof side, DataStream<Order>>(true);
  side.sinkTo(orderSink);
  // @ts-expect-error the side output holds orders
  side.sinkTo(numberSink);
  // @ts-expect-error only an operator has side outputs, a union has none
  orders.union(orders).getSideOutput(flagged);
  // @ts-expect-error a tag of another type
  outputTag<string>('late', count);
}

export function operators(): void {
  // @ts-expect-error a reduce gives what it takes
  keyedOrders.reduce((a) => a.amount);
  // @ts-expect-error the declared type is not that of the records
  orders.map((order) => order.id).returns(count);
  // @ts-expect-error the partitioner's key is not the selector's
  orders.partitionCustom((key: number) => key, (order) => order.id);
  // @ts-expect-error a partitioner answers an index
  orders.partitionCustom((key: string) => key, (order) => order.id);
  // @ts-expect-error a predicate answers true or false
  orders.filter((order) => order.amount);
  // @ts-expect-error event time is a number
  orders.assignTimestamps((order) => order.id);
  // @ts-expect-error only a keyed stream has rolling aggregates
  orders.sum('amount');
  // @ts-expect-error results of the stand-in are results
  orders.asyncMap(async (order) => order.amount, { onTimeout: (order) => order.id });
  // @ts-expect-error both functions of a connected map have one result type
  orders.connect(numbers).map({ map1: (order): number => order.amount, map2: (n) => String(n) });
  const merged = orders.map((order) => order.id).union(numbers.map((n) => String(n)));
  assertType<typeof merged, DataStream<string>>(true);
  // @ts-expect-error a name is a text
  orders.map((order) => order.id).name(5);
}

/** What `t` describes is what TypeScript sees. */
export function descriptors(): void {
  const row = t.object({
    id: t.string,
    note: t.option(t.string),
    at: t.nullable(t.timestamp),
    kind: t.literal('a', 'b'),
    tags: t.array(t.string),
    pair: t.tuple(t.string, t.int32),
    counts: t.map(t.string, t.int64),
    raw: t.bytes,
    either: t.oneOf(t.string, t.boolean),
  });
  assertType<Infer<typeof row>, {
    id: string;
    at: number | null;
    kind: 'a' | 'b';
    tags: string[];
    pair: [string, number];
    counts: Map<string, bigint>;
    raw: Uint8Array;
    either: string | boolean;
    note?: string | undefined;
  }>(true);
  const event = t.union('kind', { click: t.object({ x: t.int32 }), view: t.object({ page: t.string }) });
  assertType<Infer<typeof event>, { kind: 'click'; x: number } | { kind: 'view'; page: string }>(true);
  // @ts-expect-error a variant is an object
  t.union('kind', { click: t.string });
  // @ts-expect-error a literal is a plain value
  t.literal({});
}

type IsAny<T> = 0 extends 1 & T ? true : false;
/** Compiles only when `T` is known: an `any` would fit everywhere, and hide every mistake behind it. */
function assertKnown<T>(_known: IsAny<T> extends true ? never : T): void {}

/** What functions are given is known without a word about types. (The package's own text: test/api/public-types.test.ts.) */
export function parametersOfCallbacks(): void {
  orders.map((order) => assertKnown<typeof order>(order));
  orders.flatMap((order) => [assertKnown<typeof order>(order)]);
  orders.filter((order) => (assertKnown<typeof order>(order), true));
  orders.keyBy((order) => (assertKnown<typeof order>(order), order.id));
  orders.asyncMap(async (order, signal) => (assertKnown<typeof order>(order), assertKnown<typeof signal>(signal)));
  keyedOrders.reduce((a, b) => (assertKnown<typeof a>(a), assertKnown<typeof b>(b), a));
  keyedOrders.process({
    state: { total: state.value(count) },
    process(order, context, out: Collector<string>) {
      assertKnown<typeof order>(order);
      assertKnown<typeof context.key>(context.key);
      assertKnown<typeof context.state.total>(context.state.total);
      assertKnown<typeof context.timestampMs>(context.timestampMs);
      out.emit(order.id);
    },
  });
  orders.connect(numbers).process({
    process1(order, context) { assertKnown<typeof order>(order); assertKnown<typeof context>(context); },
    process2(n, _context, out: Collector<number>) { assertKnown<typeof n>(n); out.emit(n); },
  });
  orders.partitionCustom((key, parallelism) => (assertKnown<typeof key>(key), parallelism - 1), (order) => order.id);
  // @ts-expect-error what this file holds against `any` does hold
  assertKnown<ReturnType<typeof JSON.parse>>(1);
}
