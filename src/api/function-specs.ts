/**
 * User functions as the API takes them, plain functions or rich objects, and the operator specs made from them.
 *
 * A result type that is a promise is refused at compile time (`NotPromise`, `Nothing`): code that runs for each
 * record is synchronous. Specs hold functions of `unknown`; the typed methods of the streams vouch for the types.
 */
import { planError } from '../graph/build-site.ts';
import type { BroadcastStateSpecs } from '../graph/broadcast-functions.ts';
import type * as f from '../graph/functions.ts';
import type { BroadcastUser, OperatorSpec, ProcessData } from '../graph/operator-spec.ts';
import type { OperatorStateSpecs } from '../graph/operator-state-functions.ts';
import { durationMs, type Duration } from './duration.ts';
import { invalidOption } from './option-checks.ts';

type Lifecycle = f.Lifecycle;

/** A function, or an object with `open`/`close` besides it. */
export type MapInput<T, R> = ((value: T) => f.NotPromise<R>) | RichMapFunction<T, R>;
export type RichMapFunction<T, R> = Lifecycle & { map(value: T): f.NotPromise<R> };
export type FilterInput<T> = f.FilterFunction<T> | RichFilterFunction<T>;
export type RichFilterFunction<T> = Lifecycle & { filter(value: T): boolean };
export type FlatMapInput<T, R> = f.FlatMapFunction<T, R> | RichFlatMapFunction<T, R>;
export type RichFlatMapFunction<T, R> = Lifecycle & { flatMap(value: T, out: f.Collector<R>): Iterable<R> | f.Nothing };
export type ReduceInput<T> = f.ReduceFunction<T> | RichReduceFunction<T>;
export type RichReduceFunction<T> = Lifecycle & { reduce(accumulated: T, value: T): T };
export type AsyncInput<T, R> = f.AsyncFunction<T, R> | RichAsyncFunction<T, R>;
export type RichAsyncFunction<T, R> = Lifecycle & { asyncMap(value: T, signal: AbortSignal): Promise<R> };
export type CoMapFunction<A, B, R> = Lifecycle & { map1(value: A): f.NotPromise<R>; map2(value: B): f.NotPromise<R> };
export type CoFlatMapFunction<A, B, R> = Lifecycle & {
  flatMap1(value: A, out: f.Collector<R>): Iterable<R> | f.Nothing;
  flatMap2(value: B, out: f.Collector<R>): Iterable<R> | f.Nothing;
};

/** Options of `asyncMap`. */
export interface AsyncMapOptions<T, R> {
  /** Default true. False: results leave as they complete, but never overtake a watermark. */
  readonly ordered?: boolean;
  /** Default 100. Requests in flight per subtask; input waits beyond. */
  readonly capacity?: number;
  /** Default `'1 min'`; 0: none. Spans all attempts. */
  readonly timeout?: Duration;
  /** Stands in for the result on timeout; without it a timeout fails the job. */
  readonly onTimeout?: (value: T) => f.NotPromise<R>;
  readonly retry?: AsyncRetryOptions<R>;
}

/** When and how `asyncMap` tries again. Without `ifResult` and `ifError`, any rejection is retried. */
export interface AsyncRetryOptions<R> {
  /** Attempts in all, the first included. */
  readonly attemptsMax: number;
  readonly delay: Duration;
  /** Default 1: the delay stays the same. */
  readonly backoffMultiplier?: number;
  /** Default: no bound besides the timeout. */
  readonly delayMax?: Duration;
  readonly ifResult?: (result: R) => boolean;
  readonly ifError?: (error: unknown) => boolean;
}

const ASYNC_CAPACITY = 100;
const ASYNC_TIMEOUT: Duration = '1 min';
const DELAY_MS_UNBOUNDED = Number.MAX_SAFE_INTEGER;

export function mapSpec<T, R>(input: MapInput<T, R>): OperatorSpec {
  const { map, ...lifecycle } = withMethods(input, ['map'], 'map');
  return { kind: 'map', data: {}, user: { ...lifecycle, map: map as f.MapFunction<unknown, unknown> } };
}

export function filterSpec<T>(input: FilterInput<T>): OperatorSpec {
  const { filter, ...lifecycle } = withMethods(input, ['filter'], 'filter');
  return { kind: 'filter', data: {}, user: { ...lifecycle, filter: filter as f.FilterFunction<unknown> } };
}

export function flatMapSpec<T, R>(input: FlatMapInput<T, R>): OperatorSpec {
  const { flatMap, ...lifecycle } = withMethods(input, ['flatMap'], 'flatMap');
  return { kind: 'flatMap', data: {}, user: { ...lifecycle, flatMap: flatMap as f.FlatMapFunction<unknown, unknown> } };
}

export function reduceSpec<T>(input: ReduceInput<T>): OperatorSpec {
  return { kind: 'keyed.reduce', data: {}, user: reduceFunction(input) };
}

/** A reduction of any records, with the life of its function. */
export function reduceFunction<T>(input: ReduceInput<T>): Lifecycle & { readonly reduce: f.ReduceFunction<unknown> } {
  const { reduce, ...lifecycle } = withMethods(input, ['reduce'], 'reduce');
  return { ...lifecycle, reduce: reduce as f.ReduceFunction<unknown> };
}

export function asyncMapSpec<T, R>(input: AsyncInput<T, R>, options: AsyncMapOptions<T, R>): OperatorSpec {
  const { asyncMap, ...lifecycle } = withMethods(input, ['asyncMap'], 'asyncMap');
  const resolved = resolveAsyncOptions(options);
  const { ordered, capacity, timeoutMs } = resolved;
  return {
    kind: 'asyncMap',
    data: { ordered, capacity, timeoutMs },
    user: { ...lifecycle, asyncMap: asyncMap as f.AsyncFunction<unknown, unknown>, options: resolved as f.AsyncOptions<unknown, unknown> },
  };
}

export function coMapSpec<A, B, R>(input: CoMapFunction<A, B, R>): OperatorSpec {
  const { map1, map2, ...lifecycle } = withMethods(input, ['map1', 'map2'], 'map');
  const user = { ...lifecycle, map1: map1 as f.MapFunction<unknown, unknown>, map2: map2 as f.MapFunction<unknown, unknown> };
  return { kind: 'co.map', data: {}, user };
}

export function coFlatMapSpec<A, B, R>(input: CoFlatMapFunction<A, B, R>): OperatorSpec {
  const { flatMap1, flatMap2, ...lifecycle } = withMethods(input, ['flatMap1', 'flatMap2'], 'flatMap');
  const user = {
    ...lifecycle,
    flatMap1: flatMap1 as f.FlatMapFunction<unknown, unknown>,
    flatMap2: flatMap2 as f.FlatMapFunction<unknown, unknown>,
  };
  return { kind: 'co.flatMap', data: {}, user };
}

/** `process` function objects are handed over as they are: they are called as methods. */
export function processSpec<T, R, K, S extends f.StateSpecs, O extends OperatorStateSpecs>(
  fn: f.ProcessFunction<T, R, K, S, O>, isKeyed: boolean,
): OperatorSpec {
  requireMethods(fn, ['process'], 'process');
  requireKeyForTimers(fn, isKeyed);
  const user = fn as unknown as f.ProcessFunction<unknown, unknown, unknown, f.StateSpecs, OperatorStateSpecs>;
  return { kind: 'process', data: processData(fn, isKeyed), user };
}

export function coProcessSpec<A, B, R, K, S extends f.StateSpecs, O extends OperatorStateSpecs>(
  fn: f.CoProcessFunction<A, B, R, K, S, O>, isKeyed: boolean,
): OperatorSpec {
  requireMethods(fn, ['process1', 'process2'], 'process');
  requireKeyForTimers(fn, isKeyed);
  const user = fn as unknown as f.CoProcessFunction<unknown, unknown, unknown, unknown, f.StateSpecs, OperatorStateSpecs>;
  return { kind: 'co.process', data: processData(fn, isKeyed), user };
}

export function broadcastProcessSpec(fn: object, broadcast: BroadcastStateSpecs, isKeyed: boolean): OperatorSpec {
  requireMethods(fn, ['process', 'processBroadcast'], 'process');
  const user = fn as BroadcastUser['function'];
  requireKeyForTimers(user, isKeyed);
  if ('operatorState' in fn) {
    throw planError('a function beside broadcast state has no operatorState: keep it in a process function of its own');
  }
  const states = stateNames(user.state, isKeyed);
  const broadcastStates = Object.keys(broadcast);
  const mortal = broadcastStates.find((name) => broadcast[name]?.ttl !== undefined);
  if (mortal !== undefined) throw planError(`broadcast state '${mortal}' cannot have a time to live: it would differ between subtasks`);
  const twice = states.find((name) => broadcastStates.includes(name));
  if (twice !== undefined) throw planError(`state '${twice}' is declared twice: by the function and by the broadcast stream`);
  return { kind: 'co.broadcast', data: { states, broadcastStates }, user: { function: user, broadcast } };
}

function processData(fn: { readonly state?: f.StateSpecs; readonly operatorState?: OperatorStateSpecs }, isKeyed: boolean): ProcessData {
  const operatorStates = Object.entries(fn.operatorState ?? {});
  for (const [name, { kind }] of operatorStates) {
    if (kind === 'operatorList' || kind === 'unionList') continue;
    throw planError(`operator state '${name}' is ${String(kind)} state: declare it by state.operatorList(…) or state.unionList(…)`);
  }
  return {
    states: stateNames(fn.state, isKeyed),
    ...(operatorStates.length === 0 ? {} : { operatorStates: operatorStates.map(([name]) => name) }),
    ...(operatorStates.some(([, { kind }]) => kind === 'unionList') ? { unionState: true } : {}),
  };
}

function stateNames(state: f.StateSpecs | undefined, isKeyed: boolean): readonly string[] {
  const names = Object.keys(state ?? {});
  if (names.length > 0 && !isKeyed) {
    throw planError(`state '${names.join("', '")}' is declared on a stream that is not keyed: call keyBy(…) before process(…)`);
  }
  return names;
}

function requireKeyForTimers(fn: object, isKeyed: boolean): void {
  const onTimer: unknown = Reflect.get(fn, 'onTimer');
  if (onTimer !== undefined && !isKeyed) {
    throw planError('onTimer is declared on a stream that is not keyed: timers belong to a key; call keyBy(…) before process(…)');
  }
  if (onTimer !== undefined || !isKeyed) return;
  const setter = TIMER_SETTERS.find((name) => setsTimer(Reflect.get(fn, name)));
  if (setter !== undefined) throw planError(`${setter}(…) sets a timer, but the function has no method onTimer(…) that would be called`);
}

/** The methods of process functions that get records. */
const TIMER_SETTERS = ['process', 'process1', 'process2'];

/** By the text of the method: a timer that is set elsewhere is found when it is set, by operators/user-timers.ts. */
function setsTimer(method: unknown): boolean {
  return typeof method === 'function' && /\bregister(?:Event|Processing)TimeTimer\s*\(/.test(Function.prototype.toString.call(method));
}

/** The functions of an input with their names, bound to their object, and `open` and `close` where there are any. */
function withMethods<M extends string>(input: object, methods: readonly M[], operator: string): Record<M, unknown> & Lifecycle {
  if (typeof input === 'function') {
    refuseAsync(input, operator);
    return { [methods[0] as M]: input } as Record<M, unknown>;
  }
  requireMethods(input, methods, operator);
  const names = [...methods, 'open', 'close'].filter((name) => typeof Reflect.get(input, name) === 'function');
  const bound = names.map((name) => [name, (Reflect.get(input, name) as () => unknown).bind(input)] as const);
  return Object.fromEntries(bound) as Record<M, unknown> & Lifecycle;
}

function requireMethods(input: unknown, methods: readonly string[], operator: string): void {
  const isObject = typeof input === 'object' && input !== null;
  const missing = methods.filter((name) => !isObject || typeof Reflect.get(input, name) !== 'function');
  if (missing.length > 0) {
    throw planError(`${operator} needs a function, or an object with the method ${missing.map((name) => `${name}(…)`).join(' and ')}`);
  }
  for (const name of methods) refuseAsync(Reflect.get(input as object, name), operator);
}

/** Does not compile either; but a program need not have been compiled when it is bundled. */
export function refuseAsync(method: unknown, operator: string): void {
  const kind: unknown = typeof method === 'function' ? Reflect.get(method, Symbol.toStringTag) : undefined;
  if (operator === 'asyncMap' || typeof kind !== 'string' || !kind.startsWith('Async')) return;
  const advice = 'Use asyncMap, or open() for what is loaded once';
  throw planError(`${operator} got an async function: its result would be a promise, not a record. ${advice}`);
}

function resolveAsyncOptions<T, R>(options: AsyncMapOptions<T, R>): f.AsyncOptions<T, R> {
  const { ordered = true, capacity = ASYNC_CAPACITY, timeout = ASYNC_TIMEOUT, onTimeout, retry } = options;
  if (!Number.isInteger(capacity) || capacity < 1) throw invalidOption('asyncMap', 'capacity', capacity, 'an integer above 0');
  const timeoutMs = durationMs(timeout, 'asyncMap: timeout');
  return {
    ordered,
    capacity,
    timeoutMs,
    ...(onTimeout ? { onTimeout } : {}),
    ...(retry ? { retry: resolveRetry(retry, timeoutMs) } : {}),
  };
}

function resolveRetry<R>(retry: AsyncRetryOptions<R>, timeoutMs: number): f.AsyncRetry<R> {
  const { attemptsMax, delay, backoffMultiplier = 1, delayMax = timeoutMs > 0 ? timeoutMs : DELAY_MS_UNBOUNDED, ifResult, ifError } = retry;
  if (!Number.isInteger(attemptsMax) || attemptsMax < 1) {
    throw invalidOption('asyncMap', 'retry.attemptsMax', attemptsMax, 'an integer above 0');
  }
  if (!(backoffMultiplier >= 1)) throw invalidOption('asyncMap', 'retry.backoffMultiplier', backoffMultiplier, '1 or more');
  return {
    attemptsMax,
    delayMs: durationMs(delay, 'asyncMap: retry.delay'),
    backoffMultiplier,
    delayMsMax: durationMs(delayMax, 'asyncMap: retry.delayMax'),
    ...(ifResult ? { ifResult } : {}),
    ...(ifError ? { ifError } : {}),
  };
}
