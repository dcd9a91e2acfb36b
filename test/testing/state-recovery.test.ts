/** State of every kind, and broadcast state, across a failure: each record is in each of them exactly once. */
import test from 'ava';
import { systemPorts } from '../../src/base/system-ports.ts';
import { job, state, t as types } from '../../src/index.ts';
import { MiniCluster } from '../../src/testing/index.ts';
import { pacedSource, type Tap } from './paced-source.ts';

const KEYS = 5;

async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => systemPorts.clock.after(2, () => resolve(null)));
}

test('A failure: state of every kind and broadcast state go on from the checkpoint, each record is in them once', async (t) => {
  const taps = { numbers: { isClosed: false, total: -1 } as Tap, rules: { isClosed: false, total: -1 } as Tap };
  const counts = new Map<number, number>();
  const heard = new Map<number, number>();
  const disagreements = new Set<string>();
  let failNext = false;
  let failures = 0;
  const program = job({ name: 'states' }, (env) => {
    const rules = env.fromSource(pacedSource(taps.rules)).uid('rules').broadcast({ rules: state.map(types.string, types.int32) });
    env.fromSource(pacedSource(taps.numbers)).uid('numbers').keyBy((n) => n % KEYS).connect(rules).process({
      state: {
        value: state.value(types.object({ n: types.int32 })),
        list: state.list(types.int32),
        map: state.map(types.int32, types.int32, { ttl: '1 d' }),
        reducing: state.reducing(types.int32, (a, b) => a + b),
        aggregating: state.aggregating(types.object({ n: types.int32 }), {
          createAccumulator: () => ({ n: 0 }),
          add: (accumulator, _value: number) => ({ n: accumulator.n + 1 }),
          getResult: ({ n }) => n,
        }),
      },
      output: types.int32,
      process(n, { key, state: { value, list, map, reducing, aggregating } }) {
        if (failNext) {
          failNext = false;
          failures += 1;
          throw new Error('planned');
        }
        value.set({ n: (value.get()?.n ?? 0) + 1 });
        list.add(n);
        map.set(n, 1);
        reducing.add(1);
        aggregating.add(n);
        const all = [value.get()?.n, list.get().length, [...map.keys()].length, reducing.get(), aggregating.get()];
        if (new Set(all).size > 1) disagreements.add(`${key}: ${all.join(' ')}`);
        counts.set(key, Math.max(list.get().length, counts.get(key) ?? 0));
      },
      processBroadcast(n, { broadcastState }) {
        broadcastState.rules.set(`${n}`, 1);
        const times = (broadcastState.rules.get('times') ?? 0) + 1;
        broadcastState.rules.set('times', times);
        const known = [...broadcastState.rules.keys()].length - 1;
        if (known !== times) disagreements.add(`broadcast: ${known} ${times}`);
        heard.set(0, Math.max(times, heard.get(0) ?? 0));
      },
    }).uid('states').discard();
  });
  await using cluster = await MiniCluster.start({
    slots: 2,
    configuration: {
      'execution.checkpointing.interval': '20 ms', 'parallelism.default': '2', 'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': '5', 'restart-strategy.fixed-delay.delay': '1 ms',
    },
  });
  const running = await cluster.submit(program);
  const completed = (): number => cluster.gateway.checkpoints(running.jobId).statistics.counts.completed;
  for (const wanted of [1, 2]) {
    const before = completed();
    await eventually(() => completed() > before + 1);
    failNext = true;
    await eventually(() => failures === wanted);
  }
  for (const tap of Object.values(taps)) tap.isClosed = true;
  await running.result();
  t.deepEqual([...disagreements], []);
  t.is([...counts.values()].reduce((a, b) => a + b, 0), taps.numbers.total);
  t.is(heard.get(0), taps.rules.total);
  t.true(cluster.gateway.checkpoints(running.jobId).statistics.counts.restored >= 2);
});
