/**
 * What every state backend must do. Random programs over several states and keys run on the backend and on
 * a plain Map; both must answer alike, and what `entries` lists must be all of it.
 */
import type { TestFn } from 'ava';
import fc from 'fast-check';
import { ClusterError } from '../../src/protocol/errors.ts';
import { keyGroupOf, keyGroupRangeOf } from '../../src/graph/key-groups.ts';
import { hashKey } from '../../src/graph/key-hash.ts';
import type { KeyedStateStore, StateBackend, StateStoreOptions } from '../../src/state/keyed-state-store.ts';
import { testStateKinds } from './state-kinds.ts';
import { fileOf, testStateSnapshots } from './state-snapshots.ts';

const MAX_PARALLELISM = 128;
const ALL: StateStoreOptions = {
  keyGroups: keyGroupRangeOf(0, MAX_PARALLELISM, 1),
  keyType: null,
  freezeValues: false,
};

const STATES = ['a', 'b', 'c'];

type Command =
  | { readonly op: 'set'; readonly key: unknown; readonly state: string; readonly value: unknown }
  | { readonly op: 'get' | 'clear'; readonly key: unknown; readonly state: string };

const keys = {
  integers: fc.integer({ min: -40, max: 40 }),
  numbers: fc.oneof(fc.double({ noNaN: true }), fc.maxSafeInteger(), fc.constantFrom(0, -0, 0.5, 2 ** 31, -(2 ** 31))),
  strings: fc.string({ maxLength: 3 }),
  mixed: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.string({ maxLength: 1 }), fc.boolean(), fc.bigInt({ min: 0n, max: 9n })),
};
const values = {
  numbers: fc.oneof(fc.integer(), fc.double(), fc.constantFrom(Number.NaN, -0)),
  mixed: fc.oneof(fc.integer(), fc.string(), fc.constant(null), fc.record({ word: fc.string(), count: fc.integer() })),
};

function commands(key: fc.Arbitrary<unknown>, value: fc.Arbitrary<unknown>): fc.Arbitrary<Command[]> {
  const state = fc.constantFrom(...STATES);
  const command = fc.oneof(
    { weight: 4, arbitrary: fc.record({ op: fc.constant('set' as const), key, state, value }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('get' as const), key, state }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('clear' as const), key, state }) },
  );
  return fc.array(command, { maxLength: 300, size: 'max' });
}

/** The model: one entry per (state, key). -0 and 0 are one key, as they are for Map. */
class Model {
  readonly entries = new Map<string, Map<unknown, unknown>>();

  of(state: string): Map<unknown, unknown> {
    const found = this.entries.get(state) ?? new Map<unknown, unknown>();
    this.entries.set(state, found);
    return found;
  }

  get entryCount(): number {
    return [...this.entries.values()].reduce((count, state) => count + state.size, 0);
  }
}

/** Declares the tests of the contract for one backend. */
export function testStateBackend(test: TestFn, backend: StateBackend): void {
  for (const [keyKind, key] of Object.entries(keys)) {
    for (const [valueKind, value] of Object.entries(values)) {
      test(`${backend.name}: a store answers like a Map (${keyKind} as keys, ${valueKind} as values)`, (t) => {
        fc.assert(fc.property(commands(key, value), (program) => {
          const store = backend.open(ALL);
          const model = new Model();
          for (const command of program) t.deepEqual(perform(store, command), performOnModel(model, command));
          compareEntries(t, store, model);
          compareEntries(t, rebuilt(backend, store), model);
          return true;
        }), { numRuns: 60 });
      });
    }
  }
  testStateKinds(test, backend);
  testStateSnapshots(test, backend);
  testKeys(test, backend);
  testGrowth(test, backend);
}

function perform(store: KeyedStateStore, command: Command): unknown {
  store.setKey(command.key);
  const state = store.value(command.state, null);
  if (command.op === 'set') state.set(command.value);
  if (command.op === 'clear') state.clear();
  return command.op === 'clear' ? undefined : state.get();
}

function performOnModel(model: Model, command: Command): unknown {
  const state = model.of(command.state);
  if (command.op === 'set') state.set(command.key, command.value);
  if (command.op === 'clear') state.delete(command.key);
  return state.get(command.key);
}

function compareEntries(t: { is(a: unknown, b: unknown): unknown; deepEqual(a: unknown, b: unknown): unknown }, store: KeyedStateStore, model: Model): void {
  t.is(store.entryCount, model.entryCount);
  let keyGroup = 0;
  let count = 0;
  for (const entry of store.entries(ALL.keyGroups)) {
    t.is(entry.keyGroup >= keyGroup, true);
    t.is(entry.keyGroup, keyGroupOf(hashKey(entry.key), MAX_PARALLELISM));
    t.deepEqual(entry.value, model.of(entry.state).get(entry.key));
    t.is(model.of(entry.state).has(entry.key), true);
    keyGroup = entry.keyGroup;
    count += 1;
  }
  t.is(count, model.entryCount);
}

function rebuilt(backend: StateBackend, store: KeyedStateStore): KeyedStateStore {
  const copy = backend.open(ALL);
  for (const name of STATES) copy.value(name, null);
  copy.restore(fileOf(store.snapshot(1, 'full')), ALL.keyGroups);
  copy.endRestore();
  return copy;
}

function testKeys(test: TestFn, backend: StateBackend): void {
  for (const key of [undefined, null, Number.NaN]) {
    test(`${backend.name}: ${String(key)} is refused as a key`, (t) => {
      const store = backend.open(ALL);
      t.is(t.throws(() => store.setKey(key), { instanceOf: ClusterError })?.code, 'KEY_INVALID');
    });
  }

  test(`${backend.name}: state without a selected key is refused`, (t) => {
    const store = backend.open(ALL);
    const state = store.value('a', null);
    t.is(t.throws(() => state.get(), { instanceOf: ClusterError })?.code, 'KEY_INVALID');
    t.is(t.throws(() => store.key(), { instanceOf: ClusterError })?.code, 'KEY_INVALID');
  });

  test(`${backend.name}: an object that was not declared is refused as a key`, (t) => {
    const store = backend.open(ALL);
    store.setKey({ word: 'a' });
    t.regex(t.throws(() => store.value('a', null).set(1), { instanceOf: ClusterError })?.message ?? '', /declare its type/);
  });

  test(`${backend.name}: a key outside the subtask's key groups is refused when it is first stored`, (t) => {
    const range = keyGroupRangeOf(0, MAX_PARALLELISM, 2);
    const store = backend.open({ ...ALL, keyGroups: range });
    const astray = Array.from({ length: 100 }, (_, i) => i).find((i) => keyGroupOf(hashKey(i), MAX_PARALLELISM) > range.last);
    store.setKey(astray);
    t.regex(t.throws(() => store.value('a', null).set(1), { instanceOf: ClusterError })?.message ?? '', /key group/);
  });
}

function testGrowth(test: TestFn, backend: StateBackend): void {
  test(`${backend.name}: 200 000 keys come and go twice without a trace`, (t) => {
    const store = backend.open(ALL);
    const state = store.value<number>('count', null);
    for (let round = 1; round <= 2; round++) {
      for (let key = 0; key < 200_000; key++) {
        store.setKey(key * 7);
        state.set(key + round);
      }
      t.is(store.entryCount, 200_000);
      for (let key = 0; key < 200_000; key++) {
        store.setKey(key * 7);
        if (state.get() !== key + round) return t.fail(`key ${key * 7} lost its value`);
        state.clear();
      }
      t.is(store.entryCount, 0);
    }
    t.deepEqual([...store.entries(ALL.keyGroups)], []);
  });

  test(`${backend.name}: a value that was set is not changed through the object it came from`, (t) => {
    const store = backend.open(ALL);
    const state = store.value<{ count: number }>('a', null);
    const value = { count: 1 };
    store.setKey('k');
    state.set(value);
    value.count = 2;
    t.deepEqual(state.get(), { count: 1 });
  });

  test(`${backend.name}: dev mode freezes what is read`, (t) => {
    const store = backend.open({ ...ALL, freezeValues: true });
    const state = store.value<{ at: { count: number } }>('a', null);
    store.setKey('k');
    state.set({ at: { count: 1 } });
    t.throws(() => ((state.get() as { at: { count: number } }).at.count = 2), { instanceOf: TypeError });
  });
}
