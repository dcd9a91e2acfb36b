/** Windows: what must not compile, and what must; `tsc` is the test (see streams.ts). */
import { outputTag, session, state, t, trigger, tuple, tumbling } from '../../src/index.ts';
import type { Collector, DataStream, KeyedStream, SingleOutputStream, TypeDescriptor } from '../../src/index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only when `A` is exactly `B`. */
function assertType<A, B>(_same: Equal<A, B>): void {}

interface Order {
  readonly id: string;
  readonly amount: number;
  readonly paid: boolean;
}

declare const text: TypeDescriptor<string>;
declare const orders: DataStream<Order>;
declare const keyedOrders: KeyedStream<Order, string>;
declare const words: DataStream<[word: string, count: number]>;
declare const numbers: DataStream<number>;

export function variance(named: DataStream<Order>): DataStream<{ readonly id: string }> {
  // @ts-expect-error not every named thing is an order
  const wrong: DataStream<Order> = named.map((order) => ({ id: order.id }));
  wrong.print();
  return named;
}

export function anyStream<T>(stream: DataStream<T>): DataStream<unknown> {
  return stream;
}

export function windows(): void {
  const minutes = keyedOrders.window(tumbling.eventTime({ size: '1 min', offset: '-8 s' }));
  const largest = minutes.maxBy('amount');
  assertType<typeof largest, SingleOutputStream<Order>>(true);
  const reduced = minutes.reduce((a, b) => (a.amount > b.amount ? a : b), (order, { key, window }) => tuple(key, window.endMs, order.amount));
  assertType<typeof reduced, SingleOutputStream<[string, number, number]>>(true);
  const count = { createAccumulator: () => 0, add: (n: number, _order: Order) => n + 1, getResult: (n: number) => `${n}`, merge: (a: number, b: number) => a + b };
  const counted = minutes.trigger(trigger.purging(trigger.count(5))).aggregate(count);
  assertType<typeof counted, SingleOutputStream<string>>(true);
  const keyed = minutes.aggregate(count, (n, context) => {
    assertType<typeof context.key, string>(true);
    return tuple(context.key, n);
  });
  assertType<typeof keyed, SingleOutputStream<[string, string]>>(true);
  const seen = minutes.process({
    windowState: { firings: state.value(t.number) },
    output: text,
    process(all, context, out) {
      for (const order of all) if (order.paid) out.emit(order.id);
      context.windowState.firings.set(1);
      // @ts-expect-error the output is a text
      out.emit(context.window.startMs);
    },
  });
  assertType<typeof seen, SingleOutputStream<string>>(true);
  const sessions = keyedOrders.window(session.eventTime({ gap: (order) => order.amount })).apply((key, window, orders, out: Collector<number>) => {
    assertType<typeof key, string>(true);
    for (const order of orders) out.emit(order.amount - window.startMs);
  });
  assertType<typeof sessions, SingleOutputStream<number>>(true);
  words.windowAll(tumbling.processingTime({ size: 5000 })).sum(1);
  numbers.countWindowAll(3).max();
  minutes.sideOutputLateData(outputTag<Order>('late')).allowedLateness('1 s');
  // @ts-expect-error a text cannot be summed
  minutes.sum('id');
  // @ts-expect-error reduce refuses promises
  minutes.reduce(async (a) => a);
  // @ts-expect-error a window function refuses promises
  minutes.process({ async process(all, _context, out: Collector<Order>) { for (const order of all) out.emit(order); } });
  // @ts-expect-error windows need keys: windowAll
  orders.window(tumbling.eventTime({ size: 1 }));
  // @ts-expect-error the accumulator is a number
  minutes.aggregate({ createAccumulator: () => '', add: (n: number) => n + 1, getResult: (n: number) => n });
}
