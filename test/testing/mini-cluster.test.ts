/** Programs from end to end in one process. */
import test from 'ava';
import { job } from '../../src/index.ts';
import { MiniCluster } from '../../src/testing/index.ts';

test('A program runs from source to collect sink', async (t) => {
  await using cluster = await MiniCluster.start({ slots: 1 });
  const program = job({ name: 'squares' }, (env) => {
    env.fromSequence(1, 10).map((n) => n * n).filter((n) => n % 2 === 0).collect('squares');
  });
  t.deepEqual(await cluster.executeAndCollect(program, {}, 'squares'), [4, 16, 36, 64, 100]);
});

test('A keyed program at parallelism 2 over two TaskManagers counts every record once', async (t) => {
  await using cluster = await MiniCluster.start({ taskManagers: 1, slots: 2, configuration: { 'parallelism.default': '2' } });
  const program = job({ name: 'counts' }, (env) => {
    env.fromSequence(1, 1000).map((n) => ({ key: n % 7, count: 1 })).keyBy((record) => record.key).sum('count').collect('counts');
  });
  const counts = await cluster.executeAndCollect<{ key: number; count: number }>(program, {}, 'counts');
  t.is(counts.length, 1000);
  const last = new Map(counts.map(({ key, count }) => [key, count]));
  t.is([...last.values()].reduce((sum, count) => sum + count, 0), 1000);
});

test('A user function that throws fails the job with the operator and the reason', async (t) => {
  await using cluster = await MiniCluster.start({ slots: 1 });
  const program = job({ name: 'failing' }, (env) => {
    env
      .fromSequence(1, 10)
      .map((n) => {
        if (n === 5) throw new RangeError('five is too many');
        return n;
      })
      .collect('never');
  });
  await t.throwsAsync(cluster.run(program), { message: /five is too many/ });
});

test('A running job can be canceled', async (t) => {
  await using cluster = await MiniCluster.start({ slots: 1 });
  const program = job({ name: 'endless' }, (env) => {
    env.fromSequence(1, Number.MAX_SAFE_INTEGER).map((n) => n + 1).filter((n) => n < 0).print();
  });
  const running = await cluster.submit(program);
  await running.cancel();
  await t.throwsAsync(running.result(), { message: /canceled/ });
});
