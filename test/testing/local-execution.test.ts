/** Programs that run where they are written, without `job()` or a cluster. */
import test from 'ava';
import { StreamExecutionEnvironment } from '../../src/index.ts';

test('executeAndCollect runs the program in this process', async (t) => {
  const env = StreamExecutionEnvironment.createLocalEnvironment();
  const values: number[] = [];
  for await (const value of env.fromSequence(1, 5).map((n) => n * 10).executeAndCollect()) values.push(value);
  t.deepEqual(values, [10, 20, 30, 40, 50]);
});

test('the cluster of a local program has a slot for every subtask, however its parallelism was set', async (t) => {
  const env = StreamExecutionEnvironment.createLocalEnvironment({ parallelism: 2 });
  const sums: number[] = [];
  const numbers = env.fromSequence(1, 100).slotSharingGroup('sources');
  const mapped = numbers.map((n) => n).setParallelism(3).slotSharingGroup('maps');
  for await (const sum of mapped.keyBy(() => 0).sum().executeAndCollect()) sums.push(sum);
  t.is(Math.max(...sums), 5050);
});
