/**
 * Looks up each order's customer in a slow service, many lookups at a time, without holding up the stream:
 * results keep the order of the input (`--unordered` lets them overtake each other), a lookup that fails is tried again,
 * and one that takes too long yields a stand-in.
 *
 *     bin/flink run examples/streaming/AsyncEnrichment.ts --orders 100
 */
import { setTimeout as delay } from 'node:timers/promises';
import { arg, dataGenerator, job } from 'drey';

interface Order {
  readonly id: number;
  readonly customer: number;
}

const CUSTOMERS = ['Ada', 'Barbara', 'Grace', 'Hedy', 'Katherine', 'Margaret'];

/** Stands for a remote service: each answer takes a while, and the first request for an order fails now and then. */
class CustomerService {
  private readonly failedOnce = new Set<number>();

  async nameOf({ id, customer }: Order, signal: AbortSignal): Promise<string> {
    await delay((id * 7) % 20, undefined, { signal });
    if (id % 10 === 3 && !this.failedOnce.has(id)) {
      this.failedOnce.add(id);
      throw new Error('the service is busy');
    }
    return CUSTOMERS[customer % CUSTOMERS.length] ?? 'nobody';
  }
}

const args = {
  orders: arg.int({ default: 100, description: 'how many' }),
  unordered: arg.boolean({ description: 'let results overtake each other' }),
};

export default job({ name: 'Async Enrichment', args }, (env, { orders, unordered }) => {
  const service = new CustomerService();

  env
    .fromSource(dataGenerator({ count: orders, generate: (index): Order => ({ id: index, customer: index * 5 }) }), { name: 'orders' })
    .asyncMap(async (order, signal) => `order ${order.id} of ${await service.nameOf(order, signal)}`, {
      ordered: !unordered,
      capacity: 20,
      timeout: '5 s',
      onTimeout: (order) => `order ${order.id} of somebody`,
      retry: { attemptsMax: 3, delay: '10 ms', backoffMultiplier: 2 },
    })
    .name('look up customer')
    .print();
});
