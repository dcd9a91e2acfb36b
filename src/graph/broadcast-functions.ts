/**
 * Functions over a stream and a broadcast one. Every subtask gets all records of the broadcast stream and keeps what
 * it learns from them in broadcast state, alike everywhere: so only the broadcast side may change it.
 */
import type { Collector, Lifecycle, MapState, MapStateSpec, Nothing, OnTimerContext, OutputTag, ProcessContext } from './functions.ts';
import type { StateHandle, StateSpecs, TimeView } from './functions.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';

/** Broadcast states by name: maps. */
export type BroadcastStateSpecs = Readonly<Record<string, MapStateSpec<unknown, unknown>>>;

/** Broadcast state, for the side that only looks. */
export type ReadOnlyMapState<K, V> = Pick<MapState<K, V>, 'get' | 'has' | 'isEmpty' | 'entries' | 'keys' | 'values'>;

export type BroadcastHandles<B extends BroadcastStateSpecs> = {
  readonly [N in keyof B]: B[N] extends MapStateSpec<infer K, infer V> ? MapState<K, V> : never;
};
export type ReadOnlyBroadcastHandles<B extends BroadcastStateSpecs> = {
  readonly [N in keyof B]: B[N] extends MapStateSpec<infer K, infer V> ? ReadOnlyMapState<K, V> : never;
};

interface Reads<B extends BroadcastStateSpecs> {
  readonly broadcastState: ReadOnlyBroadcastHandles<B>;
}

/** What the function learns about a record of the broadcast stream. It has no key. */
export interface BroadcastContext<B extends BroadcastStateSpecs> {
  readonly broadcastState: BroadcastHandles<B>;
  readonly timestampMs: number;
  readonly timers: TimeView;
  output<T>(tag: OutputTag<T>, value: T): void;
}

/** As `BroadcastContext`, where the other stream is keyed. */
export interface KeyedBroadcastContext<K, B extends BroadcastStateSpecs, S extends StateSpecs> extends BroadcastContext<B> {
  /** Calls `visit` for every key of this subtask that has a value in the state, which it may change. */
  applyToKeyedState<N extends keyof S & string>(name: N, visit: (key: K, state: StateHandle<S[N]>) => Nothing): void;
}

/** A stream without keys, and a broadcast one. */
export interface BroadcastProcessFunction<T, U, R, B extends BroadcastStateSpecs> extends Lifecycle {
  readonly output?: TypeDescriptor<R>;
  process(value: T, context: ProcessContext<never, Record<never, never>> & Reads<B>, out: Collector<R>): Nothing;
  /** Must do the same in every subtask, whatever the order in which records come. */
  processBroadcast(value: U, context: BroadcastContext<B>, out: Collector<R>): Nothing;
}

/** A keyed stream and a broadcast one. */
export interface KeyedBroadcastProcessFunction<
  T, U, R, K, B extends BroadcastStateSpecs, S extends StateSpecs = Record<never, never>,
> extends Lifecycle {
  readonly state?: S;
  readonly output?: TypeDescriptor<R>;
  process(value: T, context: ProcessContext<K, S> & Reads<B>, out: Collector<R>): Nothing;
  /** Must do the same in every subtask, whatever the order in which records come. */
  processBroadcast(value: U, context: KeyedBroadcastContext<K, B, S>, out: Collector<R>): Nothing;
  onTimer?(timestampMs: number, context: OnTimerContext<K, S> & Reads<B>, out: Collector<R>): Nothing;
}
