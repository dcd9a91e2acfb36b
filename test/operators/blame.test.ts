/** Whoever throws, and from wherever the engine called it: the failure names the operator, generated and interpreted alike. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { job } from '../../src/index.ts';
import type { Collector, DataStream, Sink, SinkWriter, StreamExecutionEnvironment } from '../../src/index.ts';
import { MiniCluster } from '../../src/testing/index.ts';

type Build = (env: StreamExecutionEnvironment) => void;

const boom = (): never => {
  throw new Error('boom');
};

function* many(): Generator<number> {
  for (let i = 0; i < 10_000; i++) yield i;
}

const sink = (writer: Partial<SinkWriter<number>>): Sink<number> => ({
  name: 'mine',
  createWriter: () => ({ write: () => undefined, flush: () => undefined, close: () => undefined, ...writer }),
});

/** Builds with the name of the operator at fault. */
const failures: Readonly<Record<string, readonly [name: string, build: Build]>> = {
  'a map': ['thrower', (env) => void env.fromElements(1).map(boom).name('thrower').discard()],
  'open': ['opener', (env) => void env.fromElements(1).map({ open: boom, map: (n: number) => n }).name('opener').discard()],
  'close': ['closer', (env) => void env.fromElements(1).map({ close: boom, map: (n: number) => n }).name('closer').discard()],
  'a key selector right behind a source': ['Source: Collection Source', (env) => void env.fromElements(1).keyBy(boom).sum().setParallelism(2).discard()],
  'a map that is given what a flatMap held while its output was full': ['thrower', (env) => {
    const held = env.fromElements(1).flatMap(() => many()).map((n) => (n === 9_000 ? boom() : n)).name('thrower');
    held.rebalance().map((n) => n).discard();
  }],
  'a map behind an asyncMap': ['thrower', (env) => void env.fromElements(1).asyncMap(async (n) => n).map(boom).name('thrower').discard()],
  'a map on a side output': ['thrower', (env) => {
    const tag = { id: 'side' };
    const main = env.fromElements(1).process({ process: (n, context, _out: Collector<number>) => context.output(tag, n) });
    main.getSideOutput(tag).map(boom).name('thrower').discard();
  }],
  'the condition of a retry': ['async wait operator', (env) => {
    const retry = { attemptsMax: 2, delay: 0, ifResult: boom };
    env.fromElements(1).asyncMap(async (n) => n, { retry }).discard();
  }],
  'the flush of a sink': ['Sink: mine', (env) => void env.fromElements(1).sinkTo(sink({ flush: boom }))],
  'a write after one that was awaited': ['Sink: mine', (env) => {
    const write = async (n: number): Promise<void> => void (n === 2 && boom());
    const twice = (s: DataStream<number>) => s.flatMap((n, out: Collector<number>) => { out.emit(n); out.emit(n + 1); });
    twice(env.fromElements(1)).sinkTo(sink({ write: (n) => (n === 1 ? write(n) : boom()) }));
  }],
};

let cluster: MiniCluster;
test.before(async () => {
  cluster = await MiniCluster.start({ slots: 2, configuration: { 'parallelism.default': '1' } });
});
test.after.always(() => cluster.close());

async function failureOf(t: ExecutionContext, build: Build, codegen: string): Promise<string> {
  const program = job({ name: 'failing' }, (env) => {
    build(env);
  });
  const error = await t.throwsAsync(cluster.run(program, {}, { 'pipeline.codegen': codegen }));
  return error?.message ?? '';
}

for (const [what, [name, build]] of Object.entries(failures)) {
  for (const codegen of ['on', 'off']) {
    test(`${what} that throws is named, codegen ${codegen}`, async (t) => {
      const message = await failureOf(t, build, codegen);
      t.true(message.includes(`operator '${name}' failed at `), message);
      t.regex(message, /at \S*blame\.test\.[jt]s:\d+:\d+: /);
    });
  }
}
