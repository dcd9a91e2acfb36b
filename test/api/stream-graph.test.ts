/** What the calls of a build function become: operators, edges, levels of parallelism. */
import test from 'ava';
import { MAX_WATERMARK, dataGenerator, fileSource, outputTag } from '../../src/index.ts';
import { edgesOf, graphOf, jobOf } from './build.ts';

test('a chain of transformations becomes forward edges between operators with the names of Flink', (t) => {
  const graph = graphOf((env) => {
    env.fromSequence(1, 9).map((n) => n).flatMap((n) => [n]).filter((n) => n > 0).process({ process: (n, _c, out) => out.emit(n) }).print();
  });
  t.deepEqual(edgesOf(graph), [
    'Source: Sequence Source -> Map: forward',
    'Map -> Flat Map: forward',
    'Flat Map -> Filter: forward',
    'Filter -> Process: forward',
    'Process -> Sink: Print to Std. Out: forward',
  ]);
});

test('keyed operators read hash edges and know their key', (t) => {
  const graph = graphOf((env) => {
    const keyed = env.fromSequence(1, 9).keyBy((n) => n % 3);
    keyed.reduce((a, b) => a + b).print();
    keyed.sum().discard();
  });
  t.deepEqual(edgesOf(graph).filter((edge) => edge.endsWith('hash')), [
    'Source: Sequence Source -> Keyed Reduce: hash',
    'Source: Sequence Source -> Keyed Aggregation: hash',
  ]);
  t.is(graph.nodes.find((node) => node.name === 'Keyed Reduce')?.keys[0]?.selector(7), 1);
});

test('every partitioning becomes the edge of its kind', (t) => {
  const graph = graphOf((env) => {
    const source = env.fromSequence(1, 9);
    const streams = [source.shuffle(), source.rebalance(), source.rescale(), source.broadcast(), source.forward(), source.global()];
    for (const stream of streams) stream.discard();
    source.partitionCustom((key: number, n) => key % n, (n) => n).discard();
  });
  const kinds = graph.edges.map((edge) => edge.partitioning.kind);
  t.deepEqual(kinds, ['shuffle', 'rebalance', 'rescale', 'broadcast', 'forward', 'global', 'custom']);
});

test('a union has one edge per stream, into one input; connected streams have two inputs', (t) => {
  const graph = graphOf((env) => {
    const a = env.fromElements(1).name('a');
    const b = env.fromElements(2).name('b');
    a.union(b, a).map((n) => n).name('united').print();
    a.connect(b).map({ map1: (n) => n, map2: (n) => n }).discard();
  });
  t.deepEqual(edgesOf(graph).filter((edge) => !edge.includes('Sink')), [
    'Source: a -> united: forward',
    'Source: b -> united: forward',
    'Source: a -> united: forward',
    'Source: a -> Co-Map: forward',
    'Source: b -> Co-Map (input 1): forward',
  ]);
});

test('a side output is an edge from the operator that emits it', (t) => {
  const late = outputTag<string>('late');
  const graph = graphOf((env) => {
    const main = env.fromElements('x').process({ process: (value, context) => context.output(late, value) });
    main.getSideOutput(late).print();
    main.discard();
  });
  t.deepEqual(edgesOf(graph).slice(1), ['Process[late] -> Sink: Print to Std. Out: forward', 'Process -> Sink: Discard: forward']);
  t.deepEqual(graph.nodes[1]?.sideOutputs, { late: null });
});

test('parallelism comes from the operator, else the environment, else the submission, else 1', (t) => {
  const parallelismOf = (configuration: Record<string, string>, level: number | null) =>
    graphOf((env) => {
      if (level !== null) env.setParallelism(level);
      env.fromSequence(1, 9).map((n) => n).setParallelism(4).filter(() => true).discard();
    }, configuration).nodes.map((node) => node.parallelism);
  t.deepEqual(parallelismOf({}, null), [1, 4, 1, 1]);
  t.deepEqual(parallelismOf({ 'parallelism.default': '2' }, null), [2, 4, 2, 2]);
  t.deepEqual(parallelismOf({ 'parallelism.default': '2' }, 3), [3, 4, 3, 3]);
});

test('streams between operators of different parallelism are rebalanced', (t) => {
  const graph = graphOf((env) => void env.fromElements(1, 2).map((n) => n).setParallelism(2).print().setParallelism(2));
  t.deepEqual(graph.edges.map((edge) => edge.partitioning.kind), ['rebalance', 'forward']);
});

test('max parallelism is declared, or derived from the parallelism', (t) => {
  const graph = graphOf((env) => {
    env.setParallelism(100);
    env.fromSequence(1, 9).map((n) => n).setMaxParallelism(200).discard();
  });
  t.deepEqual(graph.nodes.map((node) => node.maxParallelism), [256, 200, 256]);
});

test('a slot sharing group is inherited when all inputs agree', (t) => {
  const graph = graphOf((env) => {
    const slow = env.fromElements(1).slotSharingGroup('slow');
    const other = env.fromElements(2);
    slow.map((n) => n).name('inherits').discard();
    slow.union(other).map((n) => n).name('mixed').discard();
  });
  t.is(graph.nodes.find((node) => node.name === 'inherits')?.slotSharingGroup, 'slow');
  t.is(graph.nodes.find((node) => node.name === 'mixed')?.slotSharingGroup, 'default');
});

test('sources and sinks carry their options as plain data', (t) => {
  const graph = graphOf((env) => {
    env.fromSource(fileSource({ path: '/in/*.txt', discoveryInterval: '10 s', splitSizeBytes: 1024 })).writeAsText('/out');
    env.fromSource(dataGenerator({ generate: (n) => n, count: 5, ratePerSecond: 2 })).print('numbers');
    env.socketTextStream('localhost', 9999).discard({ fold: true });
    env.fromElements('a').collect('letters');
  });
  t.deepEqual(graph.nodes.map((node) => node.spec.data as object), [
    { path: '/in/*.txt', splitSizeBytes: 1024, discoveryIntervalMs: 10_000, lineSizeBytesMax: 64 * 1024 * 1024, format: 'text', splitting: 'text' },
    { path: '/out' },
    { count: 5, perSecond: 2 },
    { stream: 'stdout', prefix: 'numbers' },
    { host: 'localhost', port: 9999, delimiter: '\n', retriesMax: 0 },
    { fold: true },
    { count: 1 },
    { id: 'letters' },
  ]);
});

test('a source that nothing reads is no part of the program', (t) => {
  const graph = graphOf((env) => {
    env.fromSequence(1, 2);
    env.fromElements(1).print();
  });
  t.deepEqual(graph.nodes.map((node) => node.name), ['Source: Collection Source', 'Sink: Print to Std. Out']);
});

test('a sink without a name is Unnamed, and a slot sharing group without one is refused', (t) => {
  const open = () => ({ write: () => undefined, flush: () => undefined, close: () => undefined });
  const graph = graphOf((env) => void env.fromElements(1).sinkTo({ name: '', createWriter: open }));
  t.is(graph.nodes.at(-1)?.name, 'Sink: Unnamed');
  for (const group of ['', 7 as unknown as string]) {
    const error = t.throws(() => graphOf((env) => void env.fromElements(1).map((n) => n).slotSharingGroup(group).print()));
    t.regex(error.message, /^the slot sharing group of 'Map' must be a text that is not empty, not (""|7)/);
  }
});

test('what the program configures overlays the submission', (t) => {
  const job = jobOf((env) => {
    env.setBufferTimeout('20 ms').disableOperatorChaining();
    env.fromElements(1).map((n) => n).print();
  }, { 'execution.buffer-timeout.interval': '100 ms', 'parallelism.default': '2' });
  t.is(job.configuration['execution.buffer-timeout.interval'], '20 ms');
  t.is(job.configuration['parallelism.default'], '2');
  t.is(job.vertices.length, 3);
});

test('checkpoints are configured by the keys of Flink', (t) => {
  const job = jobOf((env) => {
    env.enableCheckpointing('10 s', 'at-least-once').checkpointConfig.setCheckpointTimeout('1 min').setMinPauseBetweenCheckpoints(500).setMaxConcurrentCheckpoints(2)
      .setTolerableCheckpointFailureNumber(3).setCheckpointDirectory('file:/c').setExternalizedCheckpointRetention('retain-on-cancellation').setRetainedCheckpoints(4);
    env.fromElements(1).print();
  });
  t.deepEqual(Object.fromEntries(Object.entries(job.configuration).map(([key, value]) => [key.replace('execution.checkpointing.', ''), value])), {
    interval: '10000 ms', mode: 'AT_LEAST_ONCE', timeout: '60000 ms', 'min-pause': '500 ms', 'max-concurrent-checkpoints': '2',
    'tolerable-failed-checkpoints': '3', dir: 'file:/c', 'externalized-checkpoint-retention': 'RETAIN_ON_CANCELLATION', 'num-retained': '4',
  });
});

test('asyncMap resolves its options', (t) => {
  const graph = graphOf((env) => {
    const retry = { attemptsMax: 3, delay: 50 };
    env.fromElements(1).asyncMap(async (n) => n, { ordered: false, capacity: 7, timeout: '2 s', retry }).print();
  });
  const spec = graph.nodes[1]?.spec;
  t.deepEqual(spec?.data as object, { ordered: false, capacity: 7, timeoutMs: 2000 });
  t.like(spec?.user, { options: { retry: { attemptsMax: 3, delayMs: 50, backoffMultiplier: 1, delayMsMax: 2000 } } });
  const patient = graphOf((env) => void env.fromElements(1).asyncMap(async (n) => n, { timeout: 0, retry: { attemptsMax: 3, delay: 50 } }).print());
  t.like(patient.nodes[1]?.spec.user, { options: { retry: { delayMsMax: Number.MAX_SAFE_INTEGER } } });
});

test('methods of a rich function keep their object', (t) => {
  const rich = { base: 10, open() { this.base = MAX_WATERMARK; }, map(n: number) { return n + this.base; } };
  const graph = graphOf((env) => void env.fromElements(1).map(rich).print());
  const spec = graph.nodes[1]?.spec;
  if (spec?.kind !== 'map') return t.fail('the second operator is the map');
  t.is(spec.user.map(1), 11);
  void spec.user.open?.({} as never);
  t.is(rich.base, MAX_WATERMARK);
});
