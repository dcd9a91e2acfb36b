/** Chains, vertices and job edges. The programs are drawn by name; `->` joins operators of one task. */
import test from 'ava';
import { flinkJson, executionPlanOf, restPlanOf } from '../../src/graph/plan-json.ts';
import { consumersOf } from '../../src/graph/job-graph.ts';
import { digestOf, explainMismatch, planOf } from '../../src/graph/plan.ts';
import { ClusterError } from '../../src/protocol/errors.ts';
import { canonicalJson } from '../../src/protocol/json.ts';
import { t as types } from '../../src/types/t.ts';
import { graphOf, jobOf } from '../api/build.ts';
import type { StreamExecutionEnvironment } from '../../src/index.ts';

function wordCount(env: StreamExecutionEnvironment): void {
  env
    .fromElements('a b')
    .flatMap((line) => line.split(' '))
    .name('tokenizer')
    .keyBy((word) => word)
    .reduce((a) => a)
    .name('counter')
    .print()
    .name('print-sink');
}

const vertexNames = (build: (env: StreamExecutionEnvironment) => void) => jobOf(build).vertices.map((vertex) => vertex.name);

test('operators joined by forward edges run as one task', (t) => {
  t.deepEqual(vertexNames(wordCount), ['Source: Collection Source -> tokenizer', 'counter -> Sink: print-sink']);
});

test('an operator with several consumers makes a chain that is a tree', (t) => {
  const job = jobOf((env) => {
    const numbers = env.fromSequence(1, 9).map((n) => n);
    numbers.filter(() => true).print();
    numbers.discard();
  });
  const names = job.vertices.map((vertex) => vertex.name);
  t.deepEqual(names, ['Source: Sequence Source -> Map -> (Filter -> Sink: Print to Std. Out, Sink: Discard)']);
  t.is(
    job.vertices[0]?.description,
    'Source: Sequence Source<br/>+- Map<br/>   :- Filter<br/>   :  +- Sink: Print to Std. Out<br/>   +- Sink: Discard<br/>',
  );
  t.deepEqual(job.vertices[0]?.operators.map((operator) => operator.nodeId), [1, 2, 3, 4, 5]);
});

test('a union or a second input heads a chain of its own', (t) => {
  t.deepEqual(
    vertexNames((env) => {
      const a = env.fromElements(1).name('a');
      a.union(env.fromElements(2).name('b')).map((n) => n).name('united').print();
    }),
    ['Source: a', 'Source: b', 'united -> Sink: Print to Std. Out'],
  );
});

test('startNewChain, disableChaining, parallelism and slot sharing groups break chains', (t) => {
  const build = (change: 'head' | 'never' | 'parallelism' | 'group') => (env: StreamExecutionEnvironment) => {
    const map = env.fromSequence(1, 9).map((n) => n);
    if (change === 'head') map.startNewChain();
    if (change === 'never') map.disableChaining();
    if (change === 'parallelism') map.setParallelism(2);
    if (change === 'group') map.slotSharingGroup('other');
    map.discard();
  };
  t.deepEqual(vertexNames(build('head')), ['Source: Sequence Source', 'Map -> Sink: Discard']);
  t.deepEqual(vertexNames(build('never')), ['Source: Sequence Source', 'Map', 'Sink: Discard']);
  t.deepEqual(vertexNames(build('parallelism')), ['Source: Sequence Source', 'Map', 'Sink: Discard']);
  t.deepEqual(vertexNames(build('group')), ['Source: Sequence Source', 'Map -> Sink: Discard']);
});

test('chain-operators-with-different-max-parallelism: false breaks a chain where the max parallelism changes', (t) => {
  const build = (env: StreamExecutionEnvironment) => {
    env.fromElements(1).setMaxParallelism(10).map((n) => n).setMaxParallelism(20).filter(() => true).setMaxParallelism(20).discard().setMaxParallelism(20);
  };
  const key = 'pipeline.operator-chaining.chain-operators-with-different-max-parallelism';
  const shown = (value: string) => jobOf(build, { [key]: value }).vertices.map(({ name, maxParallelism }) => [name, maxParallelism]);
  t.deepEqual(shown('true'), [['Source: Collection Source -> Map -> Filter -> Sink: Discard', 10]]);
  t.deepEqual(shown('false'), [['Source: Collection Source', 10], ['Map -> Filter -> Sink: Discard', 20]]);
});

test('vertices come sources first, and every edge names both ends', (t) => {
  const job = jobOf(wordCount, { 'parallelism.default': '2' });
  const place = new Map(job.vertices.map((vertex, i) => [vertex.id, i]));
  t.deepEqual(job.edges.map(({ partitioning }) => partitioning), ['rebalance', 'hash']);
  for (const edge of job.edges) t.true((place.get(edge.sourceVertex) ?? 0) < (place.get(edge.targetVertex) ?? 0));
});

test('a job graph is plain data: it survives JSON', (t) => {
  const job = jobOf(wordCount);
  t.deepEqual(JSON.parse(JSON.stringify(job)), job as unknown);
});

test('operator ids follow the uid, else the place in the graph, and never the parallelism', (t) => {
  const idsOf = (prepare: (env: StreamExecutionEnvironment) => void, parallelism: number) =>
    graphOf((env) => {
      env.setParallelism(parallelism);
      prepare(env);
    }).nodes.map((node) => node.operatorId);
  t.deepEqual(idsOf(wordCount, 1), idsOf(wordCount, 4));
  t.is(new Set(idsOf(wordCount, 1)).size, 4);
  const withUid = (before: boolean) =>
    graphOf((env) => {
      const source = env.fromElements(1);
      (before ? source.map((n) => n) : source).filter(() => true).uid('kept').print();
    }).nodes.find((node) => node.uid === 'kept')?.operatorId;
  t.is(withUid(false), withUid(true));
  t.regex(withUid(true) ?? '', /^[0-9a-f]{32}$/);
});

test('equal operators of one program have different ids', (t) => {
  const graph = graphOf((env) => {
    const source = env.fromElements(1);
    source.map((n) => n).discard();
    source.map((n) => n).discard();
  });
  t.is(new Set(graph.nodes.map((node) => node.operatorId)).size, graph.nodes.length);
});

test('equal programs have equal digests; a difference is named', (t) => {
  const plan = planOf(graphOf(wordCount));
  t.is(digestOf(plan), digestOf(planOf(graphOf(wordCount))));
  t.is(canonicalJson(JSON.parse(JSON.stringify(plan))), canonicalJson(plan));
  const other = planOf(graphOf(wordCount, { 'parallelism.default': '2' }));
  t.not(digestOf(other), digestOf(plan));
  t.true(explainMismatch(plan, other).includes("operator 2 'tokenizer': parallelism was 1, now 2"));
});

test('pipeline.generic-types: false asks for a type where records cross tasks', (t) => {
  const strict = { 'pipeline.generic-types': 'false' };
  const message = /the output of 'tokenizer' has no declared type/;
  const error = t.throws(() => jobOf(wordCount, strict), { instanceOf: ClusterError, message });
  t.is(error?.code, 'PLAN_INVALID');
  t.notThrows(() =>
    jobOf((env) => {
      env.fromElements('a b').flatMap((line) => line.split(' ')).returns(types.string).keyBy((word) => word).reduce((a) => a).print();
    }, strict),
  );
});

test('pipeline.auto-generate-uids: false asks for a uid on every operator', (t) => {
  const strict = { 'pipeline.auto-generate-uids': 'false' };
  t.throws(() => jobOf(wordCount, strict), { message: /'tokenizer', 'counter', 'Sink: print-sink' has no uid/ });
  t.notThrows(() => jobOf((env) => void env.fromElements(1).uid('source').print().uid('sink'), strict));
});

test('flink info prints the execution plan in the layout of Flink', (t) => {
  t.is(
    flinkJson(executionPlanOf(graphOf((env) => void env.fromElements('a').keyBy((word) => word).reduce((a) => a).name('counter').print()))),
    `{
  "nodes" : [ {
    "id" : 1,
    "type" : "Source: Collection Source",
    "pact" : "Data Source",
    "contents" : "Source: Collection Source",
    "parallelism" : 1
  }, {
    "id" : 2,
    "type" : "counter",
    "pact" : "Operator",
    "contents" : "counter",
    "parallelism" : 1,
    "predecessors" : [ {
      "id" : 1,
      "ship_strategy" : "HASH",
      "side" : "second"
    } ]
  }, {
    "id" : 3,
    "type" : "Sink: Print to Std. Out",
    "pact" : "Data Sink",
    "contents" : "Sink: Print to Std. Out",
    "parallelism" : 1,
    "predecessors" : [ {
      "id" : 2,
      "ship_strategy" : "FORWARD",
      "side" : "second"
    } ]
  } ]
}`,
  );
});

test('the REST plan lists consumers first, with the ids of their inputs', (t) => {
  const job = jobOf(wordCount);
  const [source, counter] = job.vertices;
  const constant = { parallelism: 1, operator: '', operator_strategy: '', optimizer_properties: {} };
  t.deepEqual(restPlanOf(job), {
    jid: job.jobId,
    name: 'test',
    type: 'STREAMING',
    nodes: [
      {
        ...constant,
        id: counter?.id ?? '',
        description: 'counter<br/>+- Sink: print-sink<br/>',
        inputs: [{ num: 0, id: source?.id ?? '', ship_strategy: 'HASH', exchange: 'pipelined_bounded' }],
      },
      { ...constant, id: source?.id ?? '', description: 'Source: Collection Source<br/>+- tokenizer<br/>' },
    ],
  });
});

test('rescale gives every producer and every consumer a peer', (t) => {
  for (const [producers, consumers] of [[1, 3], [3, 1], [2, 5], [5, 2], [4, 4], [4, 6], [6, 4]] as const) {
    const fed = Array.from({ length: producers }, (_, i) => consumersOf('rescale', i, { producers, consumers }));
    t.true(fed.every((list) => list.length > 0), `${producers} to ${consumers}: no producer is left out`);
    t.is(new Set(fed.flat()).size, consumers, `${producers} to ${consumers}: no consumer is left out`);
  }
});
