/** Programs that run where they are written, without `job()` or a cluster. */
import test from 'ava';
import { StreamExecutionEnvironment } from '../../src/index.ts';

test('executeAndCollect runs the program in this process', async (t) => {
  const env = StreamExecutionEnvironment.createLocalEnvironment();
  const values: number[] = [];
  for await (const value of env.fromSequence(1, 5).map((n) => n * 10).executeAndCollect()) values.push(value);
  t.deepEqual(values, [10, 20, 30, 40, 50]);
});
