import test from 'ava';
import fc from 'fast-check';
import { BoundedQueue } from '../../src/base/bounded-queue.ts';

test('a bounded queue behaves as an array that refuses to grow past its capacity', (t) => {
  const commands = fc.array(fc.option(fc.integer()), { maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), commands, (capacity, steps) => {
      const queue = new BoundedQueue<number>(capacity);
      const model: number[] = [];
      for (const step of steps) {
        if (step === null) t.is(queue.take(), model.shift());
        else if (queue.offer(step)) model.push(step);
        else t.is(model.length, capacity);
        t.is(queue.length, model.length);
        t.is(queue.peek(), model[0]);
      }
    }),
  );
});
