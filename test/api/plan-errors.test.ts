/** Mistakes in a build function: each is refused with the code PLAN_INVALID or PROGRAM_INVALID and a message that says what to do. */
import test, { type ExecutionContext } from 'ava';
import { StreamExecutionEnvironment, job, outputTag, state, t as types } from '../../src/index.ts';
import type { ProcessContext } from '../../src/index.ts';
import { buildProgram } from '../../src/graph/program.ts';
import { ClusterError } from '../../src/protocol/errors.ts';
import { graphOf } from './build.ts';

function refused(t: ExecutionContext, build: (env: StreamExecutionEnvironment) => void, message: RegExp): ClusterError | undefined {
  const error = t.throws(() => graphOf(build), { instanceOf: ClusterError, message });
  t.is(error?.code, 'PLAN_INVALID');
  if (!message.source.includes('Flink job')) t.regex(error?.message ?? '', /\(at .*plan-errors\.test\.[jt]s:\d+:\d+\)$/);
  return error;
}

test('two operators with one uid', (t) => {
  refused(t, (env) => void env.fromElements(1).map((n) => n).uid('a').filter(() => true).uid('a'), /duplicate uid 'a': 'Map' and 'Filter'/);
});

test('forward between different parallelisms, with the place of the call', (t) => {
  const build = (env: StreamExecutionEnvironment) => void env.fromElements(1).forward().map((n) => n).setParallelism(2).print();
  const error = refused(t, build, /forward needs equal parallelism/);
  t.regex(error?.message ?? '', /at .*plan-errors\.test\.[jt]s:\d+:\d+/);
});

test('parallelism and max parallelism out of bounds', (t) => {
  for (const parallelism of [0, -1, 1.5, 32769, NaN]) {
    refused(t, (env) => void env.setParallelism(parallelism), /integer from 1 to 32768/);
    refused(t, (env) => void env.fromSequence(1, 2).setMaxParallelism(parallelism), /integer from 1 to 32768/);
  }
});

test('parallelism above max parallelism', (t) => {
  const build = (env: StreamExecutionEnvironment) => void env.fromSequence(1, 2).setParallelism(4).setMaxParallelism(3).print();
  refused(t, build, /'Source: Sequence Source' has parallelism 4, above its max parallelism 3/);
});

test('a collection read in parallel', (t) => {
  refused(t, (env) => void env.fromElements(1).setParallelism(2), /cannot have parallelism 2: a collection has one reader/);
});

test('state on a stream that is not keyed', (t) => {
  const counting = { state: { n: state.value(types.int32) }, process: () => undefined };
  refused(t, (env) => void env.fromElements(1).process(counting as never), /state 'n' is declared on a stream that is not keyed/);
});

test('a keyed stream connected with one that is not', (t) => {
  refused(t, (env) => {
    const keyed = env.fromElements(1).keyBy((n) => n);
    env.fromElements(2).connect(keyed);
  }, /one stream is keyed and the other is not/);
});

test('connected streams whose equal keys have different hashes', (t) => {
  refused(t, (env) => {
    const ints = env.fromElements(-1).keyBy((n) => n, types.int32);
    ints.connect(env.fromElements(-1).keyBy((n) => n));
  }, /equal keys of int32 and of no declared type have different hashes/);
  const alike = (env: StreamExecutionEnvironment) => {
    const texts = env.fromElements('a').keyBy((text) => text, types.string);
    texts.connect(env.fromElements('a').keyBy((text) => text)).map({ map1: (text) => text, map2: (text) => text }).discard();
  };
  t.notThrows(() => graphOf(alike));
});

test('a key whose type has no hash, where the key is declared', (t) => {
  const maps = (env: StreamExecutionEnvironment) => env.fromElements(new Map<string, string>());
  refused(t, (env) => void maps(env).keyBy((map) => map, types.map(types.string, types.string)), /keyBy: type Map<string, string> cannot be a key/);
});

test('what is no function, sink or source, in a program whose types nobody checked', (t) => {
  const nothing = undefined as never;
  const wrong: readonly (readonly [(env: StreamExecutionEnvironment) => unknown, RegExp])[] = [
    [(env) => env.fromElements(1).keyBy(nothing), /keyBy: the key selector must be a function, not undefined/],
    [(env) => env.fromElements(1).partitionCustom(nothing, (n) => n), /partitionCustom: the partitioner must be a function/],
    [(env) => env.fromElements(1).sinkTo(nothing), /sinkTo needs an object, not undefined/],
    [(env) => env.fromElements(1).sinkTo({ name: 'mine' } as never), /sinkTo: the method createWriter\(…\) is missing/],
    [(env) => env.fromElements(1).sinkTo({ createWriter: () => nothing } as never), /sinkTo: the field name must be a text/],
    [(env) => env.fromSource(nothing), /fromSource needs an object, not undefined/],
    [(env) => env.fromSource({ name: 'mine' } as never), /createEnumerator\(…\) and createReader\(…\) is missing/],
    [(env) => env.socketTextStream('localhost', 80, { retriesMax: 1.5 }), /retriesMax must be an integer, 0 or more, or -1/],
  ];
  for (const [build, message] of wrong) refused(t, (env) => void build(env), message);
});

test('two collect sinks with one id', (t) => {
  refused(t, (env) => {
    env.fromElements(1).collect('same');
    env.fromElements(2).collect('same');
  }, /two collect sinks have the id 'same'/);
});

test('a stream of another environment', (t) => {
  const other = StreamExecutionEnvironment.createLocalEnvironment().fromElements(1);
  refused(t, (env) => void env.fromElements(2).union(other), /belongs to another environment/);
});

test('one side output with two types', (t) => {
  refused(t, (env) => {
    const main = env.fromElements(1).process({ process: () => undefined });
    main.getSideOutput(outputTag('late', types.string)).print();
    main.getSideOutput(outputTag('late', types.int32)).print();
  }, /side output 'late' of 'Process' has type string and cannot also have type int32/);
});

test('a program without operators', (t) => {
  refused(t, () => undefined, /The program didn't contain a Flink job/);
  refused(t, (env) => void env.fromElements(1), /The program didn't contain a Flink job/);
});

test('an iteration is refused with the reason', (t) => {
  const error = t.throws(() => graphOf((env) => env.fromElements(1).iterate()), { instanceOf: ClusterError });
  t.is(error?.code, 'UNSUPPORTED');
  t.regex(error?.message ?? '', /feedback edge/);
});

test('a malformed duration or option names itself', (t) => {
  refused(t, (env) => void env.setBufferTimeout('10 parsecs' as never), /setBufferTimeout: '10 parsecs' is not a duration/);
  refused(t, (env) => void env.fromElements(1).asyncMap(async (n) => n, { capacity: 0 }), /asyncMap: capacity/);
  refused(t, (env) => void env.fromSequence(5, 1), /fromSequence: bounds/);
  refused(t, (env) => void env.enableCheckpointing(5), /enableCheckpointing: an interval of 5 ms is too short/);
  refused(t, (env) => void env.checkpointConfig.setRetainedCheckpoints(0), /checkpointConfig\.setRetainedCheckpoints: 0 is not a whole number of at least 1/);
  refused(t, (env) => void env.socketTextStream('localhost', 70_000), /socketTextStream: port/);
});

test('a build function that returns a promise', (t) => {
  const program = job({ name: 'waits' }, (async () => undefined) as never);
  const error = t.throws(() => program.build({ args: {}, configuration: {} }), { instanceOf: ClusterError, message: /returned a promise/ });
  t.is(error?.code, 'PROGRAM_INVALID');
});

test('an async function where a record is expected: nobody need have compiled the program', (t) => {
  const wait = (async () => 1) as never;
  const waits = { process: wait } as never;
  refused(t, (env) => void env.fromElements(1).map(wait), /^map got an async function: .*Use asyncMap/);
  refused(t, (env) => void env.fromElements(1).filter({ filter: wait }), /^filter got an async function/);
  refused(t, (env) => void env.fromElements(1).flatMap((async function* () { yield 1; }) as never), /^flatMap got an async function/);
  refused(t, (env) => void env.fromElements(1).process(waits), /^process got an async function/);
  t.notThrows(() => graphOf((env) => void env.fromElements(1).asyncMap(async (n) => n).print()));
});

test('a build function that throws: its error comes through', (t) => {
  const program = job({ name: 'throws' }, () => { throw new TypeError('no such thing'); });
  t.throws(() => program.build({ args: {}, configuration: {} }), { instanceOf: TypeError, message: 'no such thing' });
});

test('a build function that makes another plan each time fails with the differences', (t) => {
  let builds = 0;
  const program = job({ name: 'drifts' }, (env) => {
    builds += 1;
    env.fromElements(1).map((n) => n).name(`map ${builds}`).print();
  });
  const error = t.throws(() => buildProgram(program, { args: {}, configuration: {} }), { instanceOf: ClusterError });
  t.is(error?.code, 'PLAN_MISMATCH');
  t.regex(error?.message ?? '', /operator 2 'map 1': name was "map 1", now "map 2"/);
});

test('execute inside a job is refused', async (t) => {
  let pending: Promise<unknown> = Promise.resolve();
  graphOf((env) => {
    env.fromElements(1).print();
    pending = env.execute();
    pending.catch(() => undefined);
  });
  await t.throwsAsync(pending, { instanceOf: ClusterError, message: /not for build functions/ });
});

test('a function that sets timers and has no onTimer is refused where it is applied', (t) => {
  const setting = { process: (n: number, { timers }: ProcessContext<number, Record<never, never>>) => timers.registerEventTimeTimer(n) };
  const program = job({ name: 'timers' }, (env) => void env.fromElements(1).keyBy((n) => n).process(setting).discard());
  t.throws(() => program.build({ args: {}, configuration: {} }), {
    code: 'PLAN_INVALID', message: /process\(…\) sets a timer, but the function has no method onTimer.*plan-errors\.test/,
  });
});
