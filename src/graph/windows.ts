/**
 * Windows as users meet them: what an assigner, a trigger, an evictor and a window function are. The built-in ones
 * implement the same interfaces (window-assigners.ts, window-triggers.ts, window-evictors.ts).
 *
 *     record ─► assigner ─► [start, end) ─► contents of (key, window) ─► trigger: fire? ─► evictor ─► window function ─► results
 *
 * A window is half open; a result carries the window's last timestamp, `end - 1`, so that windows of the same size cascade.
 * All of it runs synchronously on the operator's thread. `Window` and `Trigger` objects hold no state of their own:
 * what they keep lies in keyed state, by key and window.
 *
 * Source: Flink `WindowAssigner`, `Trigger`, `Evictor`, `ProcessWindowFunction`, `AggregateFunction`.
 */
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { MAX_WATERMARK, NO_TIMESTAMP, type Collector, type Lifecycle, type Nothing, type OutputTag } from './functions.ts';
import type { StateHandles, StateSpecs } from './functions.ts';

/** The times `startMs ≤ t < endMs`. */
export interface TimeWindow {
  readonly startMs: number;
  readonly endMs: number;
}

/** The one window of `globalWindows`: it holds everything and never ends. */
export const GLOBAL_WINDOW: TimeWindow = { startMs: NO_TIMESTAMP, endMs: MAX_WATERMARK };

/** The last timestamp that belongs to a window; event time of its results. */
export function maxTimestampOf(window: TimeWindow): number {
  return window.endMs >= MAX_WATERMARK ? MAX_WATERMARK : window.endMs - 1;
}

/** What an assigner may ask. */
export interface AssignerContext {
  currentProcessingTimeMs(): number;
}

/** Windows that repeat: what the operator needs to find them without asking. */
export interface PeriodicWindows {
  readonly sizeMs: number;
  readonly slideMs: number;
  readonly offsetMs: number;
}

/** Puts a record into windows. */
export interface WindowAssigner<T = unknown> {
  /** With its parameters, as shown in plans; part of the plan's digest. */
  readonly name: string;
  /** False: its windows end by processing time. */
  readonly isEventTime: boolean;
  /** True: windows that overlap or touch become one (sessions). */
  readonly isMerging?: boolean;
  /** Set by built-in assigners whose windows follow from the timestamp alone. */
  readonly periodic?: PeriodicWindows;
  /** Called once for each record. A record may belong to no window. */
  assignWindows(value: T, timestampMs: number, context: AssignerContext): readonly TimeWindow[];
  /** The trigger in force unless the program names another. */
  defaultTrigger(): Trigger<T>;
}

/** What becomes of a window: `fire` emits its contents and keeps them, `purge` drops them, `fireAndPurge` does both. */
export type TriggerResult = 'continue' | 'fire' | 'purge' | 'fireAndPurge';

/** What a trigger may do: timers and state of the current key and window. */
export interface TriggerContext<S extends StateSpecs = StateSpecs> {
  readonly state: StateHandles<S>;
  /** `NO_TIMESTAMP` before the first watermark. */
  readonly currentWatermarkMs: number;
  currentProcessingTimeMs(): number;
  registerEventTimeTimer(timestampMs: number): void;
  registerProcessingTimeTimer(timestampMs: number): void;
  deleteEventTimeTimer(timestampMs: number): void;
  deleteProcessingTimeTimer(timestampMs: number): void;
}

/** What a trigger may do when windows become one. */
export interface MergeContext<S extends StateSpecs = StateSpecs> extends TriggerContext<S> {
  /** Takes the values that the merged windows have in value state `name`, combines them, and sets the result for the new window. */
  mergeState<T>(name: keyof S & string, combine: (a: T, b: T) => T): void;
}

/** Decides when a window is evaluated and when its contents are dropped. */
export interface Trigger<T = unknown, S extends StateSpecs = StateSpecs> {
  /** With its parameters, as shown in plans; part of the plan's digest. */
  readonly name?: string;
  /** State per key and window. */
  readonly state?: S;
  /** For each record that enters a window, once for each of its windows. */
  onElement(value: T, timestampMs: number, window: TimeWindow, context: TriggerContext<S>): TriggerResult;
  onEventTime(timeMs: number, window: TimeWindow, context: TriggerContext<S>): TriggerResult;
  onProcessingTime(timeMs: number, window: TimeWindow, context: TriggerContext<S>): TriggerResult;
  /** `window` now stands for several others, whose state can be merged; they are cleared after. Without it: no merging windows. */
  onMerge?(window: TimeWindow, context: MergeContext<S>): Nothing;
  /** Drops state and timers: the window is gone. */
  clear(window: TimeWindow, context: TriggerContext<S>): Nothing;
}

/** A record in a window, as evictors see it. */
export interface TimestampedValue<T> {
  readonly value: T;
  readonly timestampMs: number;
}

/** What an evictor may ask. */
export interface EvictorContext {
  readonly currentWatermarkMs: number;
  currentProcessingTimeMs(): number;
}

/** Removes records from a window that fires. Any evictor makes the window keep all of its records. */
export interface Evictor<T = unknown> {
  readonly name?: string;
  /** Before the window function; answers what stays. */
  evictBefore?(elements: readonly TimestampedValue<T>[], window: TimeWindow, context: EvictorContext): readonly TimestampedValue<T>[];
  /** After the window function; answers what stays. */
  evictAfter?(elements: readonly TimestampedValue<T>[], window: TimeWindow, context: EvictorContext): readonly TimestampedValue<T>[];
}

/** Aggregates records one by one. An accumulator may be changed in place and returned. */
export interface AggregateFunction<T, A, R> {
  /** Type of the accumulator, for state. Without it a tagged encoding is used. */
  readonly accumulator?: TypeDescriptor<A>;
  createAccumulator(): A;
  add(accumulator: A, value: T): A;
  getResult(accumulator: A): R;
  /** Needed for merging windows (sessions) only. */
  merge?(a: A, b: A): A;
}

/** What a window function learns about the window that fires. One object, reused from firing to firing. */
export interface WindowContext<K, W extends StateSpecs = StateSpecs, G extends StateSpecs = StateSpecs> {
  readonly key: K;
  readonly window: TimeWindow;
  /** State of this key and window; drop it in `clear`. Reading it with merging windows throws. */
  readonly windowState: StateHandles<W>;
  /** State of this key. */
  readonly globalState: StateHandles<G>;
  readonly currentWatermarkMs: number;
  currentProcessingTimeMs(): number;
  /** Emits to a side output. */
  output<T>(tag: OutputTag<T>, value: T): void;
}

/** What the function of an interval join learns about a pair. One object, reused from pair to pair. */
export interface JoinContext {
  readonly leftTimestampMs: number;
  readonly rightTimestampMs: number;
  /** Event time of what is emitted: the later of the two. */
  readonly timestampMs: number;
  /** Emits to a side output. */
  output<T>(tag: OutputTag<T>, value: T): void;
}

/** Sees each pair of an interval join. */
export interface ProcessJoinFunction<A, B, R> extends Lifecycle {
  readonly output?: TypeDescriptor<R>;
  process(left: A, right: B, context: JoinContext, out: Collector<R>): Nothing;
}

/** A record of either input of a window join or coGroup. */
export interface TaggedRecord<A, B> {
  readonly first?: A;
  readonly second?: B;
}

/** Evaluates a window: all of its records, or the one result of `reduce` or `aggregate`. */
export interface ProcessWindowFunction<
  T, R, K = unknown, W extends StateSpecs = Record<never, never>, G extends StateSpecs = Record<never, never>,
> extends Lifecycle {
  readonly windowState?: W;
  readonly globalState?: G;
  readonly output?: TypeDescriptor<R>;
  process(elements: Iterable<T>, context: WindowContext<K, W, G>, out: Collector<R>): Nothing;
  /** The window is gone: drop its `windowState`. */
  clear?(context: WindowContext<K, W, G>): Nothing;
}
