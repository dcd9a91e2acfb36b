/**
 * State with a time to live: each value, list element and map entry carries the time of its last use, and is as good as
 * gone when that is long enough ago. A layer over the handles of any backend; processing time only.
 *
 * What has expired is removed when it is met, a few other keys are looked at with each access, and a snapshot may leave it
 * out. The wrapped type is part of the schema, so turning a time to live on or off is a change of type at restore.
 *
 * Source: Flink `StateTtlConfig`, `AbstractTtlDecorator`.
 */
import { ClusterError } from '../protocol/errors.ts';
import type { StateHandle, StateSpec, StateTtl } from '../graph/functions.ts';
import type { AggregatingState, ListState, MapState, ReducingState, ValueState } from '../graph/functions.ts';
import type { AggregateFunction } from '../graph/windows.ts';
import { t } from '../types/t.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { KeyedStateStore } from './keyed-state-store.ts';

interface Stamped<T> {
  readonly value: T;
  readonly usedMs: number;
}

type Keep = (value: unknown) => unknown;

function stamped<T>(type: TypeDescriptor<T>): TypeDescriptor<Stamped<T>> {
  return t.object({ value: type as TypeDescriptor<unknown>, usedMs: t.timestamp }) as unknown as TypeDescriptor<Stamped<T>>;
}

/** When things expire, and what becomes of them. */
class Expiry {
  readonly touchesOnRead: boolean;
  readonly nowMs: () => number;
  private readonly ttl: StateTtl;

  constructor(ttl: StateTtl, nowMs: () => number) {
    this.ttl = ttl;
    this.nowMs = nowMs;
    this.touchesOnRead = ttl.updateType === 'onReadAndWrite';
  }

  stamp<T>(value: T): Stamped<T> {
    return { value, usedMs: this.nowMs() };
  }

  isOver({ usedMs }: Stamped<unknown>): boolean {
    return usedMs + this.ttl.timeToLiveMs <= this.nowMs();
  }

  /** Whether one that is over, and about to be removed, is still shown. */
  get showsExpired(): boolean {
    return this.ttl.visibility === 'returnExpiredIfNotCleanedUp';
  }
}

/** Sweeps a few rows with each access. */
class Sweeper {
  private readonly store: KeyedStateStore;
  private readonly name: string;
  private readonly rowsPerAccess: number;

  constructor(store: KeyedStateStore, name: string, ttl: StateTtl) {
    this.store = store;
    this.name = name;
    this.rowsPerAccess = ttl.keysPerAccess;
  }

  step(): void {
    if (this.rowsPerAccess > 0) this.store.sweep(this.name, this.rowsPerAccess);
  }
}

/** Value, reducing and aggregating state: one stamp. */
class StampedCell<T> {
  private readonly inner: { get(): Stamped<T> | undefined; clear(): void };
  private readonly expiry: Expiry;
  private readonly sweeper: Sweeper;
  private readonly restamp: (value: T) => void;

  constructor(
    inner: { get(): Stamped<T> | undefined; clear(): void }, expiry: Expiry, sweeper: Sweeper, restamp: (value: T) => void,
  ) {
    this.inner = inner;
    this.expiry = expiry;
    this.sweeper = sweeper;
    this.restamp = restamp;
  }

  get(): T | undefined {
    this.sweeper.step();
    const found = this.inner.get();
    if (found === undefined) return undefined;
    if (this.expiry.isOver(found)) {
      this.inner.clear();
      return this.expiry.showsExpired ? found.value : undefined;
    }
    if (this.expiry.touchesOnRead) this.restamp(found.value);
    return found.value;
  }
}

function ttlValue<T>(inner: ValueState<Stamped<T>>, expiry: Expiry, sweeper: Sweeper): ValueState<T> {
  const set = (value: T): void => inner.set(expiry.stamp(value));
  const cell = new StampedCell<T>(inner, expiry, sweeper, set);
  return {
    get: () => cell.get(),
    set(value) {
      sweeper.step();
      if (value === undefined) inner.clear();
      else set(value);
    },
    clear: () => inner.clear(),
  };
}

function ttlList<T>(inner: ListState<Stamped<T>>, expiry: Expiry, sweeper: Sweeper): ListState<T> {
  return {
    get() {
      sweeper.step();
      const all = inner.get();
      const alive = all.filter((element) => !expiry.isOver(element));
      if (alive.length < all.length || (expiry.touchesOnRead && all.length > 0)) {
        inner.update(expiry.touchesOnRead ? alive.map(({ value }) => expiry.stamp(value)) : alive);
      }
      return (expiry.showsExpired ? all : alive).map(({ value }) => value);
    },
    add(value) {
      sweeper.step();
      inner.add(expiry.stamp(value));
    },
    addAll(values) {
      for (const value of values) this.add(value);
    },
    update(values) {
      inner.update(Array.from(values, (value) => expiry.stamp(value)));
    },
    clear: () => inner.clear(),
  };
}

class TtlMapState<K, V> implements MapState<K, V> {
  private readonly inner: MapState<K, Stamped<V>>;
  private readonly expiry: Expiry;
  private readonly sweeper: Sweeper;

  constructor(inner: MapState<K, Stamped<V>>, expiry: Expiry, sweeper: Sweeper) {
    this.inner = inner;
    this.expiry = expiry;
    this.sweeper = sweeper;
  }

  get(key: K): V | undefined {
    this.sweeper.step();
    const found = this.inner.get(key);
    return found === undefined ? undefined : this.use(key, found)?.value;
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  set(key: K, value: V): void {
    this.sweeper.step();
    if (value === undefined) this.inner.delete(key);
    else this.inner.set(key, this.expiry.stamp(value));
  }

  setAll(entries: Iterable<readonly [K, V]>): void {
    for (const [key, value] of entries) this.set(key, value);
  }

  delete(key: K): void {
    this.inner.delete(key);
  }

  isEmpty(): boolean {
    return this.alive().length === 0;
  }

  entries(): Iterable<readonly [K, V]> {
    return this.alive();
  }

  keys(): Iterable<K> {
    return this.alive().map(([key]) => key);
  }

  values(): Iterable<V> {
    return this.alive().map(([, value]) => value);
  }

  clear(): void {
    this.inner.clear();
  }

  private alive(): readonly (readonly [K, V])[] {
    this.sweeper.step();
    return [...this.inner.entries()].flatMap(([key, found]) => {
      const used = this.use(key, found);
      return used === null ? [] : [[key, used.value] as const];
    });
  }

  /** Null for an entry that is over and not shown any more. */
  private use(key: K, found: Stamped<V>): Stamped<V> | null {
    if (this.expiry.isOver(found)) {
      this.inner.delete(key);
      return this.expiry.showsExpired ? found : null;
    }
    if (this.expiry.touchesOnRead) this.inner.set(key, this.expiry.stamp(found.value));
    return found;
  }
}

function ttlReducing<T>(
  store: KeyedStateStore, name: string, spec: { readonly type: TypeDescriptor<T>; reduce(a: T, b: T): T },
  parts: readonly [Expiry, Sweeper],
): ReducingState<T> {
  const [expiry, sweeper] = parts;
  const inner = store.reducing(name, stamped(spec.type), (a, b) => {
    return expiry.isOver(a) ? b : { value: spec.reduce(a.value, b.value), usedMs: b.usedMs };
  });
  const cell = new StampedCell<T>(inner, expiry, sweeper, (value) => {
    inner.clear();
    inner.add(expiry.stamp(value));
  });
  return {
    get: () => cell.get(),
    add(value) {
      sweeper.step();
      inner.add(expiry.stamp(value));
    },
    clear: () => inner.clear(),
  };
}

function ttlAggregating<T, A, R>(
  store: KeyedStateStore, name: string, spec: { readonly type: TypeDescriptor<A>; readonly aggregate: AggregateFunction<T, A, R> },
  parts: readonly [Expiry, Sweeper],
): AggregatingState<T, R> {
  const [expiry, sweeper] = parts;
  const { aggregate } = spec;
  /** A value to add, or null to use the accumulator without a change. */
  const inner = store.aggregating<{ readonly value: T } | null, Stamped<A>, Stamped<R>>(name, stamped(spec.type), {
    createAccumulator: () => expiry.stamp(aggregate.createAccumulator()),
    add(accumulator, added) {
      const current = expiry.isOver(accumulator) ? aggregate.createAccumulator() : accumulator.value;
      return expiry.stamp(added === null ? current : aggregate.add(current, added.value));
    },
    getResult: (accumulator) => ({ value: aggregate.getResult(accumulator.value), usedMs: accumulator.usedMs }),
  });
  const cell = new StampedCell<R>(inner, expiry, sweeper, () => inner.add(null));
  return {
    get: () => cell.get(),
    add(value) {
      sweeper.step();
      inner.add({ value });
    },
    clear: () => inner.clear(),
  };
}

function keepList(expiry: Expiry): Keep {
  return (list) => {
    const all = list as readonly Stamped<unknown>[];
    const alive = all.filter((element) => !expiry.isOver(element));
    return alive.length === 0 ? undefined : alive.length === all.length ? list : alive;
  };
}

function keepMap(expiry: Expiry): Keep {
  return (map) => {
    const all = map as ReadonlyMap<unknown, Stamped<unknown>>;
    const alive = [...all].filter(([, entry]) => !expiry.isOver(entry));
    return alive.length === 0 ? undefined : alive.length === all.size ? map : new Map(alive);
  };
}

/** Declares a state with a time to live. `nowMs` is used from the first access on. */
export function declareTtlState(
  store: KeyedStateStore, name: string, spec: StateSpec & { readonly ttl: StateTtl }, nowMs: () => number,
): StateHandle<StateSpec> {
  const expiry = new Expiry(spec.ttl, nowMs);
  const sweeper = new Sweeper(store, name, spec.ttl);
  const handle = declareOver(store, name, spec, [expiry, sweeper]);
  const keepOne: Keep = (value) => (expiry.isOver(value as Stamped<unknown>) ? undefined : value);
  const keep = spec.kind === 'list' ? keepList(expiry) : spec.kind === 'map' ? keepMap(expiry) : keepOne;
  store.expire(name, keep, { inSnapshots: spec.ttl.cleanupInSnapshots });
  return handle;
}

function declareOver(store: KeyedStateStore, name: string, spec: StateSpec, parts: readonly [Expiry, Sweeper]): StateHandle<StateSpec> {
  switch (spec.kind) {
    case 'value':
      return ttlValue(store.value(name, stamped(spec.type)), ...parts);
    case 'list':
      return ttlList(store.list(name, stamped(spec.type)), ...parts);
    case 'map':
      return new TtlMapState(store.map(name, spec.keyType, stamped(spec.type)), ...parts);
    case 'reducing':
      return ttlReducing(store, name, spec, parts);
    case 'aggregating':
      return ttlAggregating(store, name, spec, parts);
  }
}

/** State of windows lives as long as its window. */
export function refuseTtl(name: string): ClusterError {
  return new ClusterError('PROGRAM_INVALID', `state '${name}' of a window cannot have a time to live: it ends with its window`);
}
