/**
 * What every state backend must do with the kinds of state and with namespaces. Random programs run on one
 * store with a state of each kind and layout, and on plain Maps; both must answer alike after every step.
 */
import type { ExecutionContext, TestFn } from 'ava';
import fc from 'fast-check';
import { ClusterError } from '../../src/protocol/errors.ts';
import { keyGroupRangeOf } from '../../src/graph/key-groups.ts';
import type { AggregateFunction } from '../../src/graph/windows.ts';
import type { KeyedStateStore, Namespacing, StateBackend, StateStoreOptions } from '../../src/state/keyed-state-store.ts';
import type { Namespace } from '../../src/state/namespace.ts';
import { t as types } from '../../src/types/t.ts';

const ALL: StateStoreOptions = { keyGroups: keyGroupRangeOf(0, 128, 1), keyType: null, freezeValues: false };
export const NAMESPACINGS = [undefined, 'shared', 'own'] as const satisfies (Namespacing | undefined)[];
export const KINDS = ['value', 'list', 'map', 'reducing', 'aggregating'] as const;
const KEYS: readonly (number | string)[] = [1, 2, 300, 'a', 'b'];
type Kind = (typeof KINDS)[number];

/** Sums in place. */
const total: AggregateFunction<number, { sum: number }, number> = {
  createAccumulator: () => ({ sum: 0 }),
  add(accumulator, value) {
    accumulator.sum += value;
    return accumulator;
  },
  getResult: ({ sum }) => sum,
  merge: (a, b) => ({ sum: a.sum + b.sum }),
};

/** One state of one kind in one layout, driven by numbers: `put` adds, `get` answers what a model can compute. */
interface Subject {
  put(value: number): void;
  get(): unknown;
  clear(): void;
  merge?(target: Namespace, sources: readonly Namespace[]): void;
}

/** Declares a state of `kind`; also for a store that is about to be restored. */
export function subject(store: KeyedStateStore, kind: Kind, namespaced?: Namespacing): Subject {
  const options = namespaced === undefined ? {} : { namespaced };
  const name = `${kind}-${namespaced ?? 'plain'}`;
  switch (kind) {
    case 'value': {
      const state = store.value(name, types.float64, options);
      return { put: (value) => state.set(value), get: () => state.get(), clear: () => state.clear() };
    }
    case 'list': {
      const state = store.list(name, types.float64, options);
      return {
        put: (value) => (value < 0 ? state.update([value, value]) : state.add(value)),
        get: () => [...state.get()],
        clear: () => state.clear(),
        merge: (target, sources) => state.mergeNamespaces(target, sources),
      };
    }
    case 'map': {
      const state = store.map(name, types.float64, types.string, options);
      return {
        put: (value) => (value < 0 ? state.delete(-value) : state.set(value, `v${value}`)),
        get: () => [...state.entries()].map(([key, value]) => [key, value, state.has(key), state.get(key)]),
        clear: () => state.clear(),
      };
    }
    case 'reducing': {
      const state = store.reducing(name, types.string as never, (a: unknown, b: unknown) => `${String(a)},${String(b)}`, options);
      return {
        put: (value) => state.add(String(value)),
        get: () => state.get(),
        clear: () => state.clear(),
        merge: (target, sources) => state.mergeNamespaces(target, sources),
      };
    }
    case 'aggregating': {
      const state = store.aggregating(name, types.object({ sum: types.float64 }), total, options);
      return {
        put: (value) => state.add(value),
        get: () => state.get(),
        clear: () => state.clear(),
        merge: (target, sources) => state.mergeNamespaces(target, sources),
      };
    }
  }
}

/** All states of all kinds and layouts. */
export function subjects(store: KeyedStateStore): { readonly kind: Kind; readonly namespaced: boolean; readonly subject: Subject }[] {
  return KINDS.flatMap((kind) => NAMESPACINGS.map((namespacing) => ({
    kind, namespaced: namespacing !== undefined, subject: subject(store, kind, namespacing),
  })));
}

/** The values put since the last clear, by key and namespace: each kind's answer follows from them. */
export class KindsModel {
  readonly puts = new Map<string, number[]>();

  list(key: unknown, namespace: Namespace | null): number[] {
    const place = JSON.stringify([key, namespace?.startMs, namespace?.endMs]);
    const found = this.puts.get(place) ?? [];
    this.puts.set(place, found);
    return found;
  }

  clone(): KindsModel {
    const copy = new KindsModel();
    for (const [place, puts] of this.puts) copy.puts.set(place, [...puts]);
    return copy;
  }

  answer(kind: Kind, puts: readonly number[]): unknown {
    switch (kind) {
      case 'value': return puts.at(-1);
      case 'reducing': return puts.length === 0 ? undefined : puts.join(',');
      case 'aggregating': return puts.length === 0 ? undefined : puts.reduce((a, b) => a + b, 0);
      case 'list': return puts.reduce<number[]>((list, value) => (value < 0 ? [value, value] : [...list, value]), []);
      case 'map': {
        const map = new Map<number, string>();
        for (const value of puts) {
          if (value < 0) map.delete(-value);
          else map.set(value, `v${value}`);
        }
        return [...map].map(([key, value]) => [key, value, true, value]);
      }
    }
  }
}

export type KindsCommand =
  | { readonly op: 'put'; readonly key: number | string; readonly namespace: Namespace; readonly value: number }
  | { readonly op: 'clear'; readonly key: number | string; readonly namespace: Namespace };

const namespaces: readonly Namespace[] = [[0, 10], [10, 20], [5, 15], [0, 20], [-10, 0]].map(([startMs = 0, endMs = 0]) => ({ startMs, endMs }));

export const kindsCommand: fc.Arbitrary<KindsCommand> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('put' as const), key: fc.constantFrom(...KEYS), namespace: fc.constantFrom(...namespaces),
      value: fc.constantFrom(1, 2, 3, -1, -2),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('clear' as const), key: fc.constantFrom(...KEYS), namespace: fc.constantFrom(...namespaces),
    }),
  },
);

/** Runs one step on all states and on both models. */
export function performKinds(store: KeyedStateStore, all: ReturnType<typeof subjects>, models: KindsModels, command: KindsCommand): void {
  store.setKey(command.key);
  store.setNamespace({ ...command.namespace });
  for (const each of all) {
    if (command.op === 'put') each.subject.put(command.value);
    else each.subject.clear();
  }
  for (const list of [models.plain.list(command.key, null), models.namespaced.list(command.key, command.namespace)]) {
    if (command.op === 'put') list.push(command.value);
    else list.length = 0;
  }
}

/** Plain states ignore namespaces. */
export interface KindsModels {
  readonly plain: KindsModel;
  readonly namespaced: KindsModel;
}

/** A store with its states. */
export interface Subjects {
  readonly store: KeyedStateStore;
  readonly all: ReturnType<typeof subjects>;
}

/** Compares all states of all keys and namespaces; `holderOf` answers the store that has a key. */
export function compareKinds(t: ExecutionContext, holderOf: (key: unknown) => Subjects, models: KindsModels): void {
  for (const key of KEYS) {
    const { store, all } = holderOf(key);
    store.setKey(key);
    for (const namespace of namespaces) {
      store.setNamespace(namespace);
      for (const { kind, namespaced, subject: state } of all) {
        const puts = namespaced ? models.namespaced.list(key, namespace) : models.plain.list(key, null);
        t.deepEqual(state.get(), models.plain.answer(kind, puts), `${kind} of ${key} in ${namespace.startMs}..${namespace.endMs}`);
      }
    }
  }
}

/** Declares the tests of the contract for one backend. */
export function testStateKinds(test: TestFn, backend: StateBackend): void {
  test(`${backend.name}: all kinds of state in all layouts answer like their models`, (t) => {
    fc.assert(fc.property(fc.array(kindsCommand, { maxLength: 80, size: 'max' }), (program) => {
      const store = backend.open(ALL);
      const models = { plain: new KindsModel(), namespaced: new KindsModel() };
      const all = subjects(store);
      for (const command of program) performKinds(store, all, models, command);
      compareKinds(t, () => ({ store, all }), models);
      return true;
    }), { numRuns: 50 });
  });

  for (const kind of ['list', 'reducing', 'aggregating'] as const) {
    for (const namespacing of ['shared', 'own'] as const) {
      test(`${backend.name}: merging puts the sources of a ${namespacing} ${kind} state behind the target, and empties them`, (t) => {
        const store = backend.open(ALL);
        const state = subject(store, kind, namespacing);
        const [first, second, third] = namespaces as [Namespace, Namespace, Namespace];
        store.setKey('k');
        [third, second, first].forEach((namespace, i) => {
          store.setNamespace(namespace);
          state.put(i + 1);
        });
        state.merge?.(second, [third, { startMs: 77, endMs: 78 }, first]);
        t.deepEqual(state.get(), kind === 'list' ? [] : undefined, 'the selected namespace was a source');
        store.setNamespace(second);
        t.deepEqual(state.get(), { list: [2, 1, 3], reducing: '2,1,3', aggregating: 6 }[kind]);
        t.is(store.entryCount, 1);
        state.merge?.({ startMs: 1, endMs: 2 }, [second]);
        store.setNamespace({ startMs: 1, endMs: 2 });
        t.deepEqual(state.get(), { list: [2, 1, 3], reducing: '2,1,3', aggregating: 6 }[kind]);
        state.clear();
        t.is(store.entryCount, 0);
      });
    }
  }

  test(`${backend.name}: a thousand windows come and go without a trace`, (t) => {
    const store = backend.open(ALL);
    const states = [store.value<unknown>('shared', null, { namespaced: 'shared' }), store.value<unknown>('own', null, { namespaced: 'own' })];
    const visit = (window: number, act: (key: number) => void): void => {
      store.setNamespace({ startMs: window * 10, endMs: window * 10 + 10 });
      for (let key = window; key < window + 20; key++) {
        store.setKey(key);
        act(key);
      }
    };
    for (let window = 0; window < 1000; window++) {
      visit(window, (key) => {
        states[0]?.set(key + window);
        states[1]?.set(`${key + window}`);
      });
      if (window < 2) continue;
      visit(window - 2, (key) => {
        t.is(states[0]?.get(), key + window - 2);
        t.is(states[1]?.get(), `${key + window - 2}`);
        for (const state of states) state.clear();
      });
      t.is(store.entryCount, 2 * 2 * 20);
    }
    for (const window of [998, 999]) visit(window, () => states.forEach((state) => state.clear()));
    t.is(store.entryCount, 0);
    t.deepEqual([...store.entries(ALL.keyGroups)], []);
  });

  test(`${backend.name}: objects, NaN and nothing are refused as keys of a map`, (t) => {
    const store = backend.open(ALL);
    const state = store.map('m', types.json<unknown>(), types.string);
    store.setKey('k');
    for (const key of [{}, [], null, undefined, Number.NaN]) {
      t.is(t.throws(() => state.set(key, 'x'), { instanceOf: ClusterError })?.code, 'KEY_INVALID');
    }
    t.true(state.isEmpty());
  });

  test(`${backend.name}: what a list and a map were given is not changed through the object it came from`, (t) => {
    const store = backend.open(ALL);
    const word = types.object({ n: types.float64 });
    const list = store.list('list', word);
    const map = store.map('map', types.string, word);
    const value = { n: 1 };
    store.setKey('k');
    list.add(value);
    map.set('a', value);
    value.n = 2;
    t.deepEqual(list.get(), [{ n: 1 }]);
    t.deepEqual(map.get('a'), { n: 1 });
  });

  test(`${backend.name}: dev mode freezes the list that is read, and refuses what the type of a state cannot hold`, (t) => {
    const store = backend.open({ ...ALL, freezeValues: true });
    const list = store.list('words', types.object({ n: types.float64 }));
    store.setKey('k');
    list.add({ n: 1 });
    t.throws(() => (list.get() as unknown[]).push(2), { instanceOf: TypeError });
    t.throws(() => ((list.get()[0] as { n: number }).n = 2), { instanceOf: TypeError });
    list.add({ n: 2 });
    t.deepEqual(list.get(), [{ n: 1 }, { n: 2 }]);
    const error = t.throws(() => list.add({ n: 'three' } as never), { instanceOf: ClusterError });
    t.is(error?.code, 'TYPE_MISMATCH');
    t.regex(error?.message ?? '', /state 'words' .*\$\.n: expected float64/);
  });

  test(`${backend.name}: a state declared twice in different ways is refused`, (t) => {
    const store = backend.open(ALL);
    store.value('a', types.string);
    t.regex(t.throws(() => store.list('a', types.string), { instanceOf: ClusterError })?.message ?? '', /'a' is declared twice/);
  });
}
