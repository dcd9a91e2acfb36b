/** `execute` and `executeAndCollect` against a stand-in for the cluster; the real one is exercised by the examples' tests. */
import test from 'ava';
import { StreamExecutionEnvironment } from '../../src/index.ts';
import { bindLocalExecutor, type JobExecutionResult } from '../../src/api/local-executor.ts';
import type { JobProgram, StreamGraph } from '../../src/graph/stream-graph.ts';

const RESULT: JobExecutionResult = { jobId: '0'.repeat(32), netRuntimeMs: 1, accumulators: { seen: 3 } };

interface Seen {
  graph: StreamGraph | null;
  name: string;
  closed: number;
}

/** Answers 1, 2, 3 whatever the program; remembers what it was given and that it was closed. */
function bindExecutor(result: Promise<JobExecutionResult> = Promise.resolve(RESULT)): Seen {
  const seen: Seen = { graph: null, name: '', closed: 0 };
  result.catch(() => undefined);
  const submit = async (program: JobProgram, configuration: Readonly<Record<string, string>>) => {
    seen.graph = program.build({ args: {}, configuration });
    seen.name = program.name;
    return { collected, result, close: async () => void (seen.closed += 1) };
  };
  bindLocalExecutor(async () => ({ submit }));
  return seen;
}

async function* collected(): AsyncGenerator<number> {
  yield* [1, 2, 3];
}

async function take(stream: AsyncIterable<number>, count = Infinity): Promise<number[]> {
  const taken: number[] = [];
  for await (const value of stream) {
    taken.push(value);
    if (taken.length >= count) break;
  }
  return taken;
}

test.serial('executeAndCollect submits the program with a collect sink and yields its records', async (t) => {
  const seen = bindExecutor();
  const env = StreamExecutionEnvironment.createLocalEnvironment({ parallelism: 2 });
  t.deepEqual(await take(env.fromSequence(1, 3).map((n) => n).executeAndCollect()), [1, 2, 3]);
  t.deepEqual(seen.graph?.nodes.map(({ name, parallelism }) => [name, parallelism]), [
    ['Source: Sequence Source', 2], ['Map', 2], ['Sink: Collect executeAndCollect', 1],
  ]);
  t.is(seen.closed, 1);
});

test.serial('a limit, or leaving the loop, closes the job', async (t) => {
  const seen = bindExecutor();
  const stream = () => StreamExecutionEnvironment.createLocalEnvironment().fromSequence(1, 3);
  t.deepEqual(await take(stream().executeAndCollect(2)), [1, 2]);
  t.deepEqual(await take(stream().executeAndCollect(0)), []);
  t.deepEqual(await take(stream().executeAndCollect(), 1), [1]);
  t.is(seen.closed, 3);
});

test.serial('a job that fails rejects the loop after its records', async (t) => {
  const seen = bindExecutor(Promise.reject(new Error('the job failed')));
  const env = StreamExecutionEnvironment.createLocalEnvironment();
  await t.throwsAsync(take(env.fromSequence(1, 3).executeAndCollect()), { message: 'the job failed' });
  t.is(seen.closed, 1);
});

test.serial('execute answers the job result, under the given name', async (t) => {
  const seen = bindExecutor();
  const env = StreamExecutionEnvironment.createLocalEnvironment();
  env.fromElements(1).discard();
  t.deepEqual(await env.execute('named'), RESULT);
  t.is(seen.name, 'named');
  t.is(seen.closed, 1);
});

test.serial('a program without operators is refused before it is submitted', async (t) => {
  bindExecutor();
  await t.throwsAsync(StreamExecutionEnvironment.createLocalEnvironment().execute(), { message: /didn't contain a Flink job/ });
});
