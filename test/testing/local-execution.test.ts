/** Programs that run where they are written, without `job()` or a cluster. */
import test from 'ava';
import { StreamExecutionEnvironment } from '../../src/index.ts';

test('executeAndCollect runs the program in this process', async (t) => {
  const env = StreamExecutionEnvironment.createLocalEnvironment();
  const values: number[] = [];
  for await (const value of env.fromSequence(1, 5).map((n) => n * 10).executeAndCollect()) values.push(value);
  t.deepEqual(values, [10, 20, 30, 40, 50]);
});

test('an environment runs one program after another: each has what was declared since the last', async (t) => {
  const env = StreamExecutionEnvironment.createLocalEnvironment();
  const numbers = env.fromElements(1, 2);
  const collect = async (stream: typeof numbers): Promise<number[]> => {
    const values: number[] = [];
    for await (const value of stream.executeAndCollect()) values.push(value);
    return values;
  };
  t.deepEqual(await collect(numbers), [1, 2]);
  t.deepEqual(await collect(numbers.map((n) => n * 10)), [10, 20]);
  await t.throwsAsync(env.execute(), { message: /defined no operators/ });
});

test('the cluster of a local program has a slot for every subtask, however its parallelism was set', async (t) => {
  const env = StreamExecutionEnvironment.createLocalEnvironment({ parallelism: 2 });
  const sums: number[] = [];
  const numbers = env.fromSequence(1, 100).slotSharingGroup('sources');
  const mapped = numbers.map((n) => n).setParallelism(3).slotSharingGroup('maps');
  for await (const sum of mapped.keyBy(() => 0).sum().executeAndCollect()) sums.push(sum);
  t.is(Math.max(...sums), 5050);
});
