/**
 * What every state backend must do with snapshots. Random programs write, clear, open snapshots of both modes, write
 * them slice by slice between records, confirm some and give up others; each complete one is restored with a
 * random parallelism, and must equal the models as they were when it was opened.
 */
import type { ExecutionContext, TestFn } from 'ava';
import fc from 'fast-check';
import { ClusterError } from '../../src/protocol/errors.ts';
import { keyGroupOf, keyGroupRangeOf, operatorIndexOf } from '../../src/graph/key-groups.ts';
import { hashKey } from '../../src/graph/key-hash.ts';
import type {
  KeyedSnapshot, KeyedStateFile, KeyedStateStore, KeyGroupRange, SnapshotMode, SnapshotTimer, StateBackend, StateStoreOptions,
} from '../../src/state/keyed-state-store.ts';
import { VOID_NAMESPACE } from '../../src/state/namespace.ts';
import { keyedFilePart } from '../../src/state/snapshot-format.ts';
import { t as types } from '../../src/types/t.ts';
import type { TypeDescriptor } from '../../src/types/type-descriptor.ts';
import { compareKinds, KINDS, kindsCommand, KindsModel, NAMESPACINGS, performKinds, subject, subjects } from './state-kinds.ts';
import type { KindsCommand, KindsModels, Subjects } from './state-kinds.ts';

const MAX_PARALLELISM = 8;
const ALL: StateStoreOptions = {
  keyGroups: keyGroupRangeOf(0, MAX_PARALLELISM, 1), keyType: null, freezeValues: false, operatorName: 'counter',
};

/** Writes a snapshot to its end. */
export function fileOf(snapshot: KeyedSnapshot, sizeBytes = 100): KeyedStateFile {
  const slices: Uint8Array[] = [];
  for (let slice = snapshot.next(sizeBytes); slice !== null; slice = snapshot.next(sizeBytes)) slices.push(slice);
  return { meta: JSON.parse(JSON.stringify(snapshot.meta)) as KeyedStateFile['meta'], bytes: Buffer.concat(slices), offset: 0 };
}

/** The file, cut down to what a range needs of it. */
function partOf(file: KeyedStateFile, range: KeyGroupRange): KeyedStateFile {
  const { start, end } = keyedFilePart(file.meta, range);
  return { meta: file.meta, bytes: file.bytes.slice(start, end), offset: start };
}

function restored(backend: StateBackend, files: readonly KeyedStateFile[], parallelism: number): (key: unknown) => Subjects {
  const holders = Array.from({ length: parallelism }, (_, index) => {
    const keyGroups = keyGroupRangeOf(index, MAX_PARALLELISM, parallelism);
    const store = backend.open({ ...ALL, keyGroups });
    const all = subjects(store);
    for (const file of files) store.restore(partOf(file, keyGroups), keyGroups);
    store.endRestore();
    return { store, all };
  });
  return (key) => holders[operatorIndexOf(keyGroupOf(hashKey(key), MAX_PARALLELISM), MAX_PARALLELISM, parallelism)] as Subjects;
}

type Step =
  | KindsCommand
  | { readonly op: 'open'; readonly mode: SnapshotMode }
  | { readonly op: 'slice'; readonly which: number; readonly sizeBytes: number }
  | { readonly op: 'finish'; readonly which: number; readonly confirm: boolean; readonly parallelism: number }
  | { readonly op: 'giveUp'; readonly which: number };

const which = fc.nat(3);
const steps: fc.Arbitrary<Step[]> = fc.array(fc.oneof(
  { weight: 12, arbitrary: kindsCommand },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('open' as const), mode: fc.constantFrom<SnapshotMode>('full', 'incremental', 'incremental') }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('slice' as const), which, sizeBytes: fc.constantFrom(1, 50, 1000) }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('finish' as const), which, confirm: fc.boolean(), parallelism: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('giveUp' as const), which }) },
), { maxLength: 150, size: 'max' });

interface OpenSnapshot {
  readonly id: number;
  readonly snapshot: KeyedSnapshot;
  readonly slices: Uint8Array[];
  readonly models: KindsModels;
  readonly keyCount: number;
}

/** A store, its models, and the snapshots under way. */
class Run {
  readonly store: KeyedStateStore;
  readonly all: ReturnType<typeof subjects>;
  readonly models: KindsModels = { plain: new KindsModel(), namespaced: new KindsModel() };
  private readonly t: ExecutionContext;
  private readonly backend: StateBackend;
  private readonly open: OpenSnapshot[] = [];
  private readonly chains = new Map<number, readonly KeyedStateFile[]>();
  private lastId = 0;

  constructor(t: ExecutionContext, backend: StateBackend) {
    this.t = t;
    this.backend = backend;
    this.store = backend.open(ALL);
    this.all = subjects(this.store);
  }

  perform(step: Step): void {
    if (step.op === 'put' || step.op === 'clear') return performKinds(this.store, this.all, this.models, step);
    if (step.op === 'open') return this.openSnapshot(step.mode);
    const open = this.open[step.which % Math.max(1, this.open.length)];
    if (open === undefined) return undefined;
    if (step.op === 'slice') {
      const slice = open.snapshot.next(step.sizeBytes);
      return slice === null ? this.complete(open, 1) : void open.slices.push(slice);
    }
    if (step.op === 'giveUp') {
      open.snapshot.release();
      this.open.splice(this.open.indexOf(open), 1);
      return undefined;
    }
    for (let slice = open.snapshot.next(64); slice !== null; slice = open.snapshot.next(64)) open.slices.push(slice);
    this.complete(open, step.parallelism);
    if (step.confirm) this.store.confirm(open.id);
  }

  private openSnapshot(mode: SnapshotMode): void {
    const id = ++this.lastId;
    const models = { plain: this.models.plain.clone(), namespaced: this.models.namespaced.clone() };
    const keyCount = new Set([...this.store.entries(ALL.keyGroups)].map(({ key }) => key)).size;
    this.open.push({ id, snapshot: this.store.snapshot(id, mode), slices: [], models, keyCount });
  }

  private complete(open: OpenSnapshot, parallelism: number): void {
    this.open.splice(this.open.indexOf(open), 1);
    const file = { meta: open.snapshot.meta, bytes: Buffer.concat(open.slices), offset: 0 };
    const { baseId } = open.snapshot;
    const files = [...(baseId === null ? [] : (this.chains.get(baseId) as readonly KeyedStateFile[])), file];
    this.chains.set(open.id, files);
    if (baseId === null) this.t.is(file.meta['rowCount'], open.keyCount);
    compareKinds(this.t, restored(this.backend, files, parallelism), open.models);
  }
}

/** Declares the tests of the contract for one backend. */
export function testStateSnapshots(test: TestFn, backend: StateBackend): void {
  test(`${backend.name}: what is restored is the state at the moment of the snapshot, whatever happened since`, (t) => {
    fc.assert(fc.property(steps, (program) => {
      const run = new Run(t, backend);
      for (const step of program) run.perform(step);
      compareKinds(t, () => run, run.models);
      return true;
    }), { numRuns: 150 });
  });

  testIncrements(test, backend);
  testRemoval(test, backend);
  testSize(test, backend);
  testTouches(test, backend);
  testSharing(test, backend);
  testTimers(test, backend);
  testSlicedRestore(test, backend);
  testEvolution(test, backend);
}

function testIncrements(test: TestFn, backend: StateBackend): void {
  test(`${backend.name}: an increment holds the keys that changed since the confirmed checkpoint, and no others`, (t) => {
    const store = backend.open(ALL);
    const count = store.value('count', types.float64);
    const set = (key: number): void => {
      store.setKey(key);
      count.set(key);
    };
    for (let key = 0; key < 10_000; key++) set(key);
    const full = fileOf(store.snapshot(1, 'incremental'));
    t.is(full.meta['rowCount'], 10_000);
    store.confirm(1);
    for (let key = 0; key < 100; key++) set(key * 7);
    for (let key = 0; key < 10_000; key++) {
      store.setKey(key);
      count.get();
    }
    const second = store.snapshot(2, 'incremental');
    t.is(second.baseId, 1);
    const increment = fileOf(second);
    t.is(increment.meta['rowCount'], 100);
    t.true(increment.bytes.length < full.bytes.length / 50);
    set(3);
    t.is(fileOf(store.snapshot(3, 'incremental')).meta['rowCount'], 101, 'checkpoint 2 was not confirmed');
    t.is(store.snapshot(4, 'full').baseId, null);
    store.confirm(3);
    t.is(fileOf(store.snapshot(5, 'incremental')).meta['rowCount'], 0);
  });

  test(`${backend.name}: ten thousand increments are restored from few files of at most about twice the live bytes`, (t) => {
    const store = backend.open(ALL);
    const count = store.value('count', types.float64);
    let chain: KeyedStateFile[] = [];
    for (let id = 1; id <= 10_000; id++) {
      for (let i = 0; i < 3; i++) {
        store.setKey((id * 31 + i * 7) % 50);
        count.set(id + i);
      }
      const snapshot = store.snapshot(id, 'incremental');
      const file = fileOf(snapshot);
      chain = snapshot.baseId === null ? [file] : [...chain, file];
      store.confirm(id);
      if (chain.length > 20) return t.fail(`${chain.length} files`);
    }
    const live = fileOf(store.snapshot(20_000, 'full')).bytes.length;
    t.true(chain.reduce((size, { bytes }) => size + bytes.length, 0) < 3 * live);
    const copy = backend.open(ALL);
    const copied = copy.value('count', types.float64);
    for (const file of chain) copy.restore(file, ALL.keyGroups);
    for (let key = 0; key < 50; key++) {
      store.setKey(key);
      copy.setKey(key);
      t.is(copied.get(), count.get());
    }
  });

  test(`${backend.name}: keys that come and go for ever leave nothing in increments`, (t) => {
    const store = backend.open(ALL);
    const last = store.value('last', types.string);
    let chain: KeyedStateFile[] = [];
    for (let id = 1; id <= 30; id++) {
      for (let i = 0; i < 3000; i++) {
        store.setKey(`${id}/${i}`);
        last.set('x');
        store.setKey(`${id - 1}/${i}`);
        last.clear();
      }
      const snapshot = store.snapshot(id, 'incremental');
      const file = fileOf(snapshot, 10_000);
      chain = snapshot.baseId === null ? [file] : [...chain, file];
      store.confirm(id);
      const copy = backend.open(ALL);
      copy.value('last', types.string);
      for (const each of chain) copy.restore(each, ALL.keyGroups);
      t.is(copy.entryCount, 3000);
    }
  });
}

function testRemoval(test: TestFn, backend: StateBackend): void {
  test(`${backend.name}: keys that are removed in masses, and some of which come back, are removed by increments`, (t) => {
    const store = backend.open(ALL);
    const count = store.value('count', types.float64);
    const expected = new Map<number, number>();
    const set = (key: number, value: number | undefined): void => {
      store.setKey(key);
      if (value === undefined) {
        count.clear();
        expected.delete(key);
      } else {
        count.set(value);
        expected.set(key, value);
      }
    };
    const files: KeyedStateFile[] = [];
    const check = (file: KeyedStateFile, contents: ReadonlyMap<number, number>): void => {
      const copy = backend.open(ALL);
      copy.value('count', types.float64);
      for (const each of [...files, file]) copy.restore(each, ALL.keyGroups);
      const found = [...copy.entries(ALL.keyGroups)].map(({ key, value }) => `${String(key)}=${String(value)}`);
      t.deepEqual(found.toSorted(), [...contents].map(([key, value]) => `${key}=${value}`).toSorted());
    };
    for (let key = 0; key < 9000; key++) set(key, 1);
    files.push(fileOf(store.snapshot(1, 'incremental')));
    store.confirm(1);
    for (let key = 0; key < 7000; key++) set(key, undefined);
    for (let key = 0; key < 3000; key += 3) set(key, 2);
    for (let key = 20_000; key < 24_000; key++) set(key, 3);
    const snapshot = store.snapshot(2, 'incremental');
    const atSnapshot = new Map(expected);
    const slices: Uint8Array[] = [];
    for (let slice = snapshot.next(500), key = 0; slice !== null; slice = snapshot.next(500), key += 40) {
      slices.push(slice);
      for (let i = key; i < key + 40; i++) {
        set(i, undefined);
        set(20_000 + i, undefined);
        set(30_000 + i, 4);
      }
    }
    check({ meta: snapshot.meta, bytes: Buffer.concat(slices), offset: 0 }, atSnapshot);
    check(fileOf(store.snapshot(3, 'incremental')), expected);
  });
}

function testSize(test: TestFn, backend: StateBackend): void {
  for (const keyGroups of [keyGroupRangeOf(0, MAX_PARALLELISM, 1), keyGroupRangeOf(1, MAX_PARALLELISM, MAX_PARALLELISM)]) {
    test(`${backend.name}: 100 000 keys in key groups ${keyGroups.first}..${keyGroups.last} are written while they change`, (t) => {
      const store = backend.open({ ...ALL, keyGroups });
      const count = store.value('count', types.float64);
      const mine: number[] = [];
      for (let key = 0; mine.length < 100_000; key++) {
        const keyGroup = keyGroupOf(hashKey(key), MAX_PARALLELISM);
        if (keyGroup >= keyGroups.first && keyGroup <= keyGroups.last) mine.push(key);
      }
      const keys = mine.slice(0, 80_000);
      for (const key of keys) {
        store.setKey(key);
        count.set(1);
      }
      const snapshot = store.snapshot(1, 'full');
      const slices: Uint8Array[] = [];
      let step = 0;
      for (let slice = snapshot.next(8192); slice !== null; slice = snapshot.next(8192)) {
        slices.push(slice);
        for (let i = 0; i < 300; i++) {
          store.setKey(mine[(step * 7919) % mine.length]);
          if (step++ % 3 === 0) count.clear();
          else count.set(step);
        }
      }
      t.is(snapshot.meta['rowCount'], 80_000);
      const copy = backend.open({ ...ALL, keyGroups });
      const copied = copy.value('count', types.float64);
      copy.restore({ meta: snapshot.meta, bytes: Buffer.concat(slices), offset: 0 }, keyGroups);
      t.is(copy.entryCount, 80_000);
      for (const key of keys) {
        copy.setKey(key);
        if (copied.get() !== 1) return t.fail(`key ${key} is ${copied.get()}`);
      }
    });
  }
}

function testTouches(test: TestFn, backend: StateBackend): void {
  for (const kind of KINDS) {
    for (const namespacing of NAMESPACINGS) {
      test(`${backend.name}: every change of a ${namespacing ?? 'plain'} ${kind} state lets an open snapshot write what was`, (t) => {
        const [first, second] = [{ startMs: 0, endMs: 1 }, { startMs: 1, endMs: 2 }];
        const changes: readonly ((state: ReturnType<typeof subject>) => void)[] = [
          (state) => state.put(2), (state) => state.put(-1), (state) => state.clear(),
          ...(namespacing === undefined ? [] : [(state: ReturnType<typeof subject>) => state.merge?.(second, [first, second])]),
        ];
        for (const change of changes) {
          const store = backend.open(ALL);
          const state = subject(store, kind, namespacing);
          store.setKey('k');
          store.setNamespace(first);
          state.put(1);
          const before = state.get();
          const snapshot = store.snapshot(1, 'full');
          change(state);
          const copy = backend.open(ALL);
          const copied = subject(copy, kind, namespacing);
          copy.restore(fileOf(snapshot), ALL.keyGroups);
          copy.setKey('k');
          copy.setNamespace(first);
          t.deepEqual(copied.get(), before);
          store.confirm(1);
          const now = state.get();
          copy.restore(fileOf(store.snapshot(2, 'incremental')), ALL.keyGroups);
          copy.setKey('k');
          copy.setNamespace(first);
          t.deepEqual(copied.get(), now);
        }
      });
    }
  }
}

function testSharing(test: TestFn, backend: StateBackend): void {
  test(`${backend.name}: a value that is changed in place after it was read is part of neither more nor less than it should be`, (t) => {
    const store = backend.open(ALL);
    const word = types.object({ n: types.float64 });
    const states = [
      store.value('copied', word), store.value('owned', word, { ownership: 'owned' }), store.value('shared', word, { namespaced: 'shared' }),
      store.value('own', word, { namespaced: 'own' }),
    ];
    store.setKey('k');
    for (const state of states) state.set({ n: 1 });
    const first = store.snapshot(1, 'incremental');
    for (const state of states) (state.get() as { n: number }).n = 2;
    const before = fileOf(first);
    store.confirm(1);
    for (const state of states) (state.get() as { n: number }).n = 3;
    const after = [before, fileOf(store.snapshot(2, 'incremental'))];
    for (const [files, n] of [[[before], 1], [after, 3]] as const) {
      const copy = backend.open(ALL);
      for (const name of ['copied', 'owned']) copy.value(name, word);
      copy.value('shared', word, { namespaced: 'shared' });
      copy.value('own', word, { namespaced: 'own' });
      for (const file of files) copy.restore(file, ALL.keyGroups);
      t.deepEqual([...copy.entries(ALL.keyGroups)].map(({ value }) => value), Array.from({ length: 4 }, () => ({ n })));
    }
  });

  test(`${backend.name}: opening a snapshot and the first record after it take no longer with more state`, (t) => {
    const store = backend.open(ALL);
    const count = store.value('count', types.float64);
    for (let key = 0; key < 300_000; key++) {
      store.setKey(key);
      count.set(key);
    }
    const written: number[] = [];
    const snapshot = store.snapshot(1, 'full');
    for (let slice = snapshot.next(4096); slice !== null; slice = snapshot.next(4096)) written.push(slice.length);
    t.true(Math.max(...written) < 2 * 4096, 'slices are of about the size asked for');
    t.true(written.length > 100);
  });

  test(`${backend.name}: a value that cannot be written fails the snapshot, naming state and key, not the record that touches it`, (t) => {
    const store = backend.open(ALL);
    const count = store.value<unknown>('count', types.float64 as TypeDescriptor<unknown>);
    store.setKey('k');
    count.set('not a number');
    const snapshot = store.snapshot(1, 'full');
    t.notThrows(() => count.set(2));
    const error = t.throws(() => fileOf(snapshot), { instanceOf: ClusterError });
    t.is(error?.code, 'CHECKPOINT_FAILED');
    t.regex(error?.message ?? '', /state 'count' of key k cannot be written: .*float64/);
    snapshot.release();
    t.notThrows(() => fileOf(store.snapshot(2, 'full')));
  });
}

function testTimers(test: TestFn, backend: StateBackend): void {
  test(`${backend.name}: timers travel with the key groups, and those of the last increment count`, (t) => {
    const store = backend.open(ALL);
    store.value('count', types.float64);
    let timers: SnapshotTimer[] = ['a', 'b', 'c', 1, 2].map((key, i) => ({ key, namespace: { startMs: i, endMs: 10 }, timestampMs: i }));
    store.attachTimers({ capture: (domain) => (domain === 'event' ? [...timers] : timers.slice(0, 1)), restore: () => t.fail() });
    const first = store.snapshot(1, 'incremental');
    const kept = timers;
    timers = [{ key: 'z', namespace: VOID_NAMESPACE, timestampMs: 99 }];
    const files = [fileOf(first)];
    store.confirm(1);
    const second = [...files, fileOf(store.snapshot(2, 'incremental'))];
    for (const [chain, expected] of [[files, kept], [second, timers]] as const) {
      const found = [0, 1, 2].flatMap((index) => {
        const keyGroups = keyGroupRangeOf(index, MAX_PARALLELISM, 3);
        const copy = backend.open({ ...ALL, keyGroups });
        copy.value('count', types.float64);
        const own: (SnapshotTimer & { readonly domain: string })[] = [];
        copy.attachTimers({ capture: () => [], restore: (timer) => own.push(timer) });
        for (const file of chain) copy.restore(partOf(file, keyGroups), keyGroups);
        copy.endRestore();
        for (const { key } of own) t.is(operatorIndexOf(keyGroupOf(hashKey(key), MAX_PARALLELISM), MAX_PARALLELISM, 3), index);
        return own;
      });
      const event = found.filter(({ domain }) => domain === 'event').map(({ key, namespace, timestampMs }) => ({ key, namespace, timestampMs }));
      t.deepEqual(new Set(event.map((each) => JSON.stringify(each))), new Set(expected.map((each) => JSON.stringify(each))));
      t.is(found.length, expected.length + 1);
    }
  });
}

/** Counts around those of a slice, in one section. */
function testSlicedRestore(test: TestFn, backend: StateBackend): void {
  test(`${backend.name}: a file is read back in slices, wherever they end`, (t) => {
    const options = { ...ALL, keyGroups: keyGroupRangeOf(0, 1, 1) };
    for (const count of [0, 1, 511, 512, 513, 1024, 5000]) {
      for (const timerCount of [0, 1, 512, 3000]) {
        const store = backend.open(options);
        const value = store.value<number>('count', types.float64);
        for (let key = 0; key < count; key++) {
          store.setKey(key);
          value.set(key * 2);
        }
        const timers = Array.from({ length: timerCount }, (_, i): SnapshotTimer => ({ key: i, namespace: VOID_NAMESPACE, timestampMs: i }));
        store.attachTimers({ capture: () => [...timers], restore: () => t.fail() });
        const file = fileOf(store.snapshot(1, 'canonical'), 64 * 1024);
        const copy = backend.open(options);
        const own: string[] = [];
        copy.value<number>('count', types.float64);
        copy.attachTimers({ capture: () => [], restore: ({ domain, timestampMs }) => own.push(`${domain} ${timestampMs}`) });
        let slices = 0;
        for (const _ of copy.restoreSlices(file, options.keyGroups)) slices += 1;
        copy.endRestore();
        if (count + timerCount > 2000) t.true(slices > 2, 'others have their turn in between');
        t.is(copy.entryCount, count);
        t.true([...copy.entries(options.keyGroups)].every(({ key, value: found }) => found === (key as number) * 2));
        t.deepEqual(own.toSorted(), timers.flatMap(({ timestampMs }) => [`event ${timestampMs}`, `processing ${timestampMs}`]).toSorted());
      }
    }
  });
}

function testEvolution(test: TestFn, backend: StateBackend): void {
  const former = types.object({ n: types.float64, gone: types.string });
  const written = (): KeyedStateFile => {
    const store = backend.open(ALL);
    const state = store.value('count', former);
    store.setKey('k');
    state.set({ n: 1, gone: 'x' });
    return fileOf(store.snapshot(1, 'full'));
  };
  const evolutions: Readonly<Record<string, readonly [type: TypeDescriptor<unknown>, expected: unknown]>> = {
    'an optional field that is added': [types.object({ n: types.float64, gone: types.string, more: types.option(types.string) }), { n: 1, gone: 'x', more: undefined }],
    'a field that goes': [types.object({ n: types.float64 }), { n: 1 }],
    'a field that becomes optional': [types.object({ gone: types.option(types.string), n: types.float64 }), { n: 1, gone: 'x' }],
    'a field that is added': [types.object({ n: types.float64, more: types.string }), /operator 'counter', state 'count': \$\.more is new/],
    'a field that changes its type': [types.object({ n: types.string }), /operator 'counter', state 'count': \$\.n was float64 and is now string/],
    'another type': [types.string, /operator 'counter', state 'count': \$ was object and is now string/],
  };
  for (const [what, [type, expected]] of Object.entries(evolutions)) {
    test(`${backend.name}: ${what} is ${expected instanceof RegExp ? 'refused' : 'taken over'} at restore`, (t) => {
      const store = backend.open(ALL);
      const state = store.value('count', type);
      if (expected instanceof RegExp) {
        const error = t.throws(() => store.restore(written(), ALL.keyGroups), { instanceOf: ClusterError });
        t.is(error?.code, 'STATE_INCOMPATIBLE');
        t.regex(error?.message ?? '', expected);
        return;
      }
      store.restore(written(), ALL.keyGroups);
      store.setKey('k');
      t.deepEqual(state.get(), expected);
    });
  }

  test(`${backend.name}: another kind of state, another type of key and another max parallelism are refused at restore`, (t) => {
    const refuse = (store: KeyedStateStore, message: RegExp): void => {
      const error = t.throws(() => store.restore(written(), ALL.keyGroups), { instanceOf: ClusterError });
      t.is(error?.code, 'STATE_INCOMPATIBLE');
      t.regex(error?.message ?? '', message);
    };
    const list = backend.open(ALL);
    list.list('count', former);
    refuse(list, /state 'count': it was value state and is now list state/);
    refuse(backend.open({ ...ALL, keyType: types.string }), /the type of its key was undeclared and is now/);
    refuse(backend.open({ ...ALL, keyGroups: keyGroupRangeOf(0, 16, 1) }), /its max parallelism was 8 and is now 16/);
  });

  test(`${backend.name}: a state that is no longer declared stays in later snapshots, and may be declared again`, (t) => {
    const store = backend.open(ALL);
    store.restore(written(), ALL.keyGroups);
    store.endRestore();
    const later = backend.open(ALL);
    later.restore(fileOf(store.snapshot(2, 'full')), ALL.keyGroups);
    const state = later.value('count', types.object({ n: types.float64, gone: types.string }));
    later.setKey('k');
    t.deepEqual(state.get(), { n: 1, gone: 'x' });
    t.is(t.throws(() => later.value('count', types.string), { instanceOf: ClusterError })?.code, 'STATE_INCOMPATIBLE');
  });

  test(`${backend.name}: a file that is cut, or of a later format, is refused`, (t) => {
    const file = written();
    const store = backend.open(ALL);
    store.value('count', former);
    t.is(t.throws(() => store.restore({ ...file, bytes: file.bytes.slice(0, -1) }, ALL.keyGroups), { instanceOf: ClusterError })?.code, 'DATA_CORRUPT');
    t.is(t.throws(() => store.restore({ ...file, meta: { ...file.meta, version: 2 } }, ALL.keyGroups), { instanceOf: ClusterError })?.code, 'UNSUPPORTED');
    t.is(t.throws(() => store.restore({ ...file, meta: { version: 1 } }, ALL.keyGroups), { instanceOf: ClusterError })?.code, 'DATA_CORRUPT');
  });
}
