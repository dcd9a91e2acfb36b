/** Broadcast process functions under the harness: who may read and change what, with and without keys. */
import test from 'ava';
import { ClusterError, state, t as types } from '../../src/index.ts';
import type { DataStream } from '../../src/index.ts';
import { OperatorHarness } from '../../src/testing/operator-harness.ts';

interface Order {
  readonly buyer: string;
  readonly amount: number;
}

interface Limit {
  readonly buyer: string;
  readonly amount: number | null;
}

const limits = { limits: state.map(types.string, types.float64) };

for (const codegen of ['on', 'off'] as const) {
  test(`a stream reads what a broadcast stream has said, codegen ${codegen}`, async (t) => {
    const harness = await OperatorHarness.openTwoInput((orders: DataStream<Order>, changes: DataStream<Limit>) =>
      orders.connect(changes.broadcast(limits)).process<string>({
        process(order, context, out) {
          t.is('set' in context.broadcastState.limits && typeof context.broadcastState.limits.set === 'function', false);
          if (order.amount > (context.broadcastState.limits.get(order.buyer) ?? 100)) out.emit(`${order.buyer} ${order.amount}`);
        },
        processBroadcast({ buyer, amount }, { broadcastState, timestampMs }, out) {
          if (amount === null) broadcastState.limits.delete(buyer);
          else broadcastState.limits.set(buyer, amount);
          out.emit(`limits at ${timestampMs}: ${[...broadcastState.limits.keys()].join()}`);
        },
      }), { codegen });
    t.teardown(() => harness.close());
    harness.processElement({ buyer: 'a', amount: 50 });
    harness.processElement2({ buyer: 'a', amount: 10 }, 7);
    harness.processElement({ buyer: 'a', amount: 50 });
    harness.processElement2({ buyer: 'a', amount: null }, 8);
    harness.processElement({ buyer: 'a', amount: 50 });
    t.deepEqual(harness.extractOutput(), ['limits at 7: a', 'a 50', 'limits at 8: ']);
  });

  test(`the broadcast side of a keyed stream has no key, but visits all of them, codegen ${codegen}`, async (t) => {
    const errors: unknown[] = [];
    const leaked: { total?: { get(): unknown } } = {};
    const harness = await OperatorHarness.openTwoInput((orders: DataStream<Order>, changes: DataStream<Limit>) =>
      orders.keyBy((order) => order.buyer).connect(changes.broadcast(limits)).process({
        state: { total: state.value(types.float64) },
        output: types.string,
        process(order, context) {
          leaked.total = context.state.total;
          context.state.total.set((context.state.total.get() ?? 0) + order.amount);
        },
        processBroadcast(_limit, context, out) {
          try {
            leaked.total?.get();
          } catch (error) {
            errors.push(error);
          }
          context.applyToKeyedState('total', (key, total) => {
            out.emit(`${key} ${total.get()}`);
            if (key === 'a') total.clear();
          });
        },
      }), { codegen });
    t.teardown(() => harness.close());
    for (const [buyer, amount] of [['a', 1], ['b', 2], ['a', 3]] as const) harness.processElement({ buyer, amount });
    harness.processElement2({ buyer: '', amount: 0 });
    t.deepEqual(harness.extractOutput().toSorted(), ['a 4', 'b 2']);
    harness.processElement2({ buyer: '', amount: 0 });
    t.deepEqual(harness.extractOutput(), ['b 2']);
    t.is(errors.length, 2);
    t.true(errors.every((error) => error instanceof ClusterError && error.code === 'KEY_INVALID'));
  });
}
