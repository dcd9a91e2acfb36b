/** Time to live: what is read when, what is removed when, and what snapshots hold of it. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ClusterError } from '../../src/protocol/errors.ts';
import { state, t as types } from '../../src/index.ts';
import type { DataStream, StateHandles, TimeToLive } from '../../src/index.ts';
import { declareState } from '../../src/state/declare-state.ts';
import { heapBackend } from '../../src/state/heap-backend.ts';
import type { KeyedStateStore } from '../../src/state/keyed-state-store.ts';
import { OperatorHarness } from '../../src/testing/operator-harness.ts';
import { fileOf } from '../conformance/state-snapshots.ts';

const ALL = { first: 0, last: 127, maxParallelism: 128 };

function specsOf(ttl: Partial<TimeToLive>) {
  const options = { ttl: { timeToLive: 100, ...ttl } };
  return {
    value: state.value(types.string, options),
    list: state.list(types.string, options),
    map: state.map(types.string, types.string, options),
    reducing: state.reducing(types.string, (a, b) => a + b, options),
    aggregating: state.aggregating(types.object({ text: types.string }), {
      createAccumulator: () => ({ text: '' }),
      add(accumulator, value: string) {
        accumulator.text += value;
        return accumulator;
      },
      getResult: ({ text }) => text,
    }, options),
  };
}

type Handles = StateHandles<ReturnType<typeof specsOf>>;

interface Fixture {
  readonly store: KeyedStateStore;
  readonly states: Handles;
  nowMs: number;
}

function open(ttl: Partial<TimeToLive> = {}): Fixture {
  const store = heapBackend.open({ keyGroups: ALL, keyType: null, freezeValues: true });
  const fixture: Fixture = {
    store, nowMs: 1000,
    states: Object.fromEntries(Object.entries(specsOf(ttl)).map(([name, spec]) => [name, declareState(store, name, spec, {}, () => fixture.nowMs)])) as unknown as Handles,
  };
  store.setKey('k');
  return fixture;
}

function put({ states }: Fixture, text: string): void {
  states.value.set(text);
  states.list.add(text);
  states.map.set(text, text);
  states.reducing.add(text);
  states.aggregating.add(text);
}

function expectAll(t: ExecutionContext, { states }: Fixture, expected: readonly string[]): void {
  t.is(states.value.get(), expected.at(-1));
  t.deepEqual(states.list.get(), expected);
  t.deepEqual([...states.map.keys()], expected);
  t.is(states.map.isEmpty(), expected.length === 0);
  t.is(states.map.has('a'), expected.includes('a'));
  t.is(states.map.get('b'), expected.includes('b') ? 'b' : undefined);
  const joined = expected.length === 0 ? undefined : expected.join('');
  t.is(states.reducing.get(), joined);
  t.is(states.aggregating.get(), joined);
}

test('what was written lives as long as it should, each element and entry by itself', (t) => {
  const fixture = open();
  put(fixture, 'a');
  fixture.nowMs += 99;
  expectAll(t, fixture, ['a']);
  fixture.nowMs += 1;
  expectAll(t, fixture, []);
  t.is(fixture.store.entryCount, 0, 'what is met expired is removed');
  put(fixture, 'a');
  fixture.nowMs += 60;
  put(fixture, 'b');
  expectAll(t, fixture, ['a', 'b']);
  fixture.nowMs += 60;
  t.deepEqual(fixture.states.list.get(), ['b']);
  t.deepEqual([...fixture.states.map.entries()], [['b', 'b']]);
  t.is(fixture.states.reducing.get(), 'ab', 'a reduction lives as long as its last use');
  fixture.nowMs += 1000;
  put(fixture, 'c');
  t.is(fixture.states.reducing.get(), 'c');
  t.is(fixture.states.aggregating.get(), 'c');
});

test('reading counts as a use when asked for', (t) => {
  for (const updateType of ['onReadAndWrite', 'onCreateAndWrite'] as const) {
    const fixture = open({ updateType });
    put(fixture, 'a');
    for (let i = 0; i < 5; i++) {
      fixture.nowMs += 60;
      expectAll(t, fixture, updateType === 'onReadAndWrite' || i === 0 ? ['a'] : []);
    }
  }
});

test('what has expired is shown once more when asked for', (t) => {
  const fixture = open({ visibility: 'returnExpiredIfNotCleanedUp', keysPerAccess: 0 });
  put(fixture, 'a');
  fixture.nowMs += 500;
  t.is(fixture.states.value.get(), 'a');
  t.is(fixture.states.value.get(), undefined);
  t.deepEqual(fixture.states.list.get(), ['a']);
  t.deepEqual(fixture.states.list.get(), []);
  t.is(fixture.states.map.get('a'), 'a');
  t.is(fixture.states.map.get('a'), undefined);
  t.is(fixture.states.reducing.get(), 'a');
  t.is(fixture.states.reducing.get(), undefined);
  t.is(fixture.states.aggregating.get(), 'a');
  t.is(fixture.states.aggregating.get(), undefined);
});

test('keys that nobody asks for again are removed by accesses of others', (t) => {
  for (const keysPerAccess of [0, 5]) {
    const fixture = open({ keysPerAccess });
    for (let key = 0; key < 200; key++) {
      fixture.store.setKey(key);
      put(fixture, 'a');
    }
    fixture.nowMs += 500;
    fixture.store.setKey('k');
    for (let i = 0; i < 100; i++) put(fixture, `${i}`);
    t.is(fixture.store.entryCount, keysPerAccess === 0 ? 200 * 5 + 5 : 5);
  }
});

test('snapshots leave out what has expired when asked to', (t) => {
  for (const cleanupInSnapshots of [false, true]) {
    const fixture = open({ cleanupInSnapshots, keysPerAccess: 0 });
    put(fixture, 'a');
    fixture.nowMs += 60;
    fixture.states.list.add('b');
    fixture.nowMs += 60;
    const file = fileOf(fixture.store.snapshot(1, 'full'));
    const copy = open();
    copy.store.restore(file, ALL);
    t.is(copy.store.entryCount, cleanupInSnapshots ? 1 : 5);
    copy.store.setKey('k');
    copy.nowMs = fixture.nowMs;
    t.deepEqual(copy.states.list.get(), ['b']);
    t.is(copy.states.value.get(), undefined);
  }
});

test('turning a time to live on is a change of type at restore', (t) => {
  const store = heapBackend.open({ keyGroups: ALL, keyType: null, freezeValues: false, operatorName: 'sessions' });
  const value = store.value('value', types.string);
  store.setKey('k');
  value.set('a');
  const error = t.throws(() => open().store.restore(fileOf(store.snapshot(1, 'full')), ALL), { instanceOf: ClusterError });
  t.is(error?.code, 'STATE_INCOMPATIBLE');
  t.regex(error?.message ?? '', /state 'value'/);
});

test('a process function declares how long its state lives, and the clock decides', async (t) => {
  const harness = await OperatorHarness.open((words: DataStream<string>) =>
    words.keyBy((word) => word).process({
      state: { count: state.value(types.int32, { ttl: '1 min' }) },
      output: types.int32,
      process(_word, context, out) {
        const count = (context.state.count.get() ?? 0) + 1;
        context.state.count.set(count);
        out.emit(count);
      },
    }));
  t.teardown(() => harness.close());
  for (const nowMs of [0, 59_999, 119_998, 179_998]) {
    harness.setProcessingTime(nowMs);
    harness.processElement('a');
  }
  t.deepEqual(harness.extractOutput(), [1, 2, 3, 1]);
});

test('a time to live that is none is refused', (t) => {
  for (const ttl of [0, { timeToLive: '1 h', keysPerAccess: -1 } as const]) {
    t.is(t.throws(() => state.value(types.string, { ttl }), { instanceOf: ClusterError })?.code, 'PLAN_INVALID');
  }
});
