/**
 * The functions that users write, as the engine sees them. Everything called per record is
 * synchronous; only `open`, `close`, sources, sinks and `asyncMap` may return promises.
 */
import type { JsonValue } from '../protocol/json.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { Checkpointed, OperatorStateHandles, OperatorStateSpecs } from './operator-state-functions.ts';
import type { AggregateFunction } from './windows.ts';

/** Event time of a record that has none; also the watermark before any watermark. */
export const NO_TIMESTAMP = Number.MIN_SAFE_INTEGER;
/** The watermark after the last record of a bounded input. */
export const MAX_WATERMARK = Number.MAX_SAFE_INTEGER;

/** Where `flatMap` and `process` put their results. Never blocks; may be called any number of times per record. */
export interface Collector<T> {
  /** Emits with the timestamp of the record being processed. */
  emit(value: T): void;
}

/** An output besides the main one, matched by id. The type makes `getSideOutput` typed. */
export interface OutputTag<T> {
  readonly id: string;
  readonly type?: TypeDescriptor<T>;
}

/** Counts that end up in the job's result; same name, same job: merged by addition. */
export interface Accumulators {
  /** Adds to an integer or double counter. Throws if `name` was used with another kind. */
  add(name: string, amount: number): void;
  /** Records one value of a distribution. */
  histogram(name: string, value: number): void;
}

/** A user metric. Cheap enough to call for each record. */
export interface Counter {
  inc(by?: number): void;
}

/** What a rich function learns in `open`. */
export interface RuntimeContext {
  readonly jobId: string;
  readonly jobName: string;
  readonly taskName: string;
  /** 0-based. */
  readonly subtaskIndex: number;
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** 0 for the first attempt. */
  readonly attemptNumber: number;
  readonly accumulators: Accumulators;
  /** Registers (or finds) a counter in the operator's metric group. */
  counter(name: string): Counter;
  /** Registers a gauge; `read` is called when metrics are reported. */
  gauge(name: string, read: () => number | string): void;
  /** Writes to the TaskManager's log, with the task's name. */
  readonly log: { info(message: string): void; warn(message: string): void; error(message: string): void };
}

/** Set-up and tear-down that every function object may have. `close` also runs after a failure and must be idempotent. */
export interface Lifecycle {
  open?(context: RuntimeContext): void | Promise<void>;
  close?(): void | Promise<void>;
}

/** Compile-time refusal of promises where a value is due: an `async` callback does not type-check. */
export type NotPromise<T> = T extends PromiseLike<unknown> ? never : T;

/** What a synchronous callback without a result returns. Unlike plain `void`, it refuses `async` callbacks at compile time. */
export type Nothing = void | undefined;

export type MapFunction<T, R> = (value: T) => R;
export type FilterFunction<T> = (value: T) => boolean;
/** Returns an iterable of results, or emits and returns nothing. A returned array is the fast way. */
export type FlatMapFunction<T, R> = (value: T, out: Collector<R>) => Iterable<R> | Nothing;
/** Typed as a method, so that a stream of a subtype is a stream of the supertype although records go in and come out. */
export type ReduceFunction<T> = { reduce(accumulated: T, value: T): T }['reduce'];
/** Deterministic: the same value always has the same key. */
export type KeySelector<T, K> = (value: T) => K;
/** Index of the target subtask, 0 ≤ index < `parallelism`. */
export type Partitioner<K> = (key: K, parallelism: number) => number;

/** One value per key. `get` returns undefined when nothing was set. The value read is shared: change it through `set`. */
export interface ValueState<T> {
  get(): T | undefined;
  set(value: T): void;
  clear(): void;
}

/** A list per key; `get` answers an empty one when nothing was added. The list read is shared: change it through the state. */
export interface ListState<T> {
  get(): readonly T[];
  add(value: T): void;
  addAll(values: Iterable<T>): void;
  /** Replaces the list. */
  update(values: Iterable<T>): void;
  clear(): void;
}

/** A map per key, whose keys are strings, numbers, bigints or booleans. Values read are shared: change them through `set`. */
export interface MapState<K, V> {
  get(key: K): V | undefined;
  has(key: K): boolean;
  set(key: K, value: V): void;
  setAll(entries: Iterable<readonly [K, V]>): void;
  delete(key: K): void;
  isEmpty(): boolean;
  entries(): Iterable<readonly [K, V]>;
  keys(): Iterable<K>;
  values(): Iterable<V>;
  clear(): void;
}

/** The reduction of all values added per key; undefined before the first. */
export interface ReducingState<T> {
  get(): T | undefined;
  add(value: T): void;
  clear(): void;
}

/** The aggregate of all values added per key; undefined before the first. */
export interface AggregatingState<T, R> {
  get(): R | undefined;
  add(value: T): void;
  clear(): void;
}

/** How long state lives, resolved. Processing time. */
export interface StateTtl {
  readonly timeToLiveMs: number;
  readonly updateType: 'onCreateAndWrite' | 'onReadAndWrite';
  readonly visibility: 'neverReturnExpired' | 'returnExpiredIfNotCleanedUp';
  /** Keys that each access looks at to remove what has expired. */
  readonly keysPerAccess: number;
  /** Snapshots leave out what has expired. */
  readonly cleanupInSnapshots: boolean;
}

/** Declares a value state of a process function. `name` of the state is its field name in `state: {…}`. */
export interface ValueStateSpec<T> {
  readonly kind: 'value';
  readonly type: TypeDescriptor<T>;
  readonly ttl?: StateTtl;
}

/** Declares a list state; `type` is that of the elements. */
export interface ListStateSpec<T> {
  readonly kind: 'list';
  readonly type: TypeDescriptor<T>;
  readonly ttl?: StateTtl;
}

/** Declares a map state; `type` is that of the values. */
export interface MapStateSpec<K, V> {
  readonly kind: 'map';
  readonly keyType: TypeDescriptor<K>;
  readonly type: TypeDescriptor<V>;
  readonly ttl?: StateTtl;
}

/** Declares a reducing state. */
export interface ReducingStateSpec<T> {
  readonly kind: 'reducing';
  readonly type: TypeDescriptor<T>;
  readonly ttl?: StateTtl;
  reduce(accumulated: T, value: T): T;
}

/** Declares an aggregating state; `type` is that of the accumulator. */
export interface AggregatingStateSpec<T, A, R> {
  readonly kind: 'aggregating';
  readonly type: TypeDescriptor<A>;
  readonly ttl?: StateTtl;
  readonly aggregate: AggregateFunction<T, A, R>;
}

/** All state kinds that may be declared. */
export type StateSpec =
  | ValueStateSpec<unknown>
  | ListStateSpec<unknown>
  | MapStateSpec<unknown, unknown>
  | ReducingStateSpec<unknown>
  | AggregatingStateSpec<unknown, unknown, unknown>;
export type StateSpecs = Readonly<Record<string, StateSpec>>;

/** The handle of one declared state. */
export type StateHandle<S> =
  S extends ValueStateSpec<infer T> ? ValueState<T>
  : S extends ListStateSpec<infer T> ? ListState<T>
  : S extends MapStateSpec<infer K, infer V> ? MapState<K, V>
  : S extends ReducingStateSpec<infer T> ? ReducingState<T>
  : S extends AggregatingStateSpec<infer T, infer _A, infer R> ? AggregatingState<T, R>
  : never;
/** The handles a function gets for its declared states, by field name. */
export type StateHandles<S extends StateSpecs> = { readonly [K in keyof S]: StateHandle<S[K]> };

/** The two clocks, as a function sees them. */
export interface TimeView {
  /** No record with an event time up to this will follow; `NO_TIMESTAMP` before the first watermark. */
  readonly currentWatermarkMs: number;
  /** Wall clock of the TaskManager. */
  currentProcessingTimeMs(): number;
}

/** Timers of the record's key. They are in checkpoints. The same timer (time and key) twice is one. */
export interface Timers extends TimeView {
  /** `onTimer` is called once the watermark reaches `timestampMs`; in the past: with the next watermark. */
  registerEventTimeTimer(timestampMs: number): void;
  /** `onTimer` is called once the wall clock has passed `timestampMs`. */
  registerProcessingTimeTimer(timestampMs: number): void;
  /** A timer that is not there is no error. */
  deleteEventTimeTimer(timestampMs: number): void;
  deleteProcessingTimeTimer(timestampMs: number): void;
}

/** What a process function learns about the record at hand. One object, reused from record to record. */
export interface ProcessContext<K, S extends StateSpecs, O extends OperatorStateSpecs = Record<never, never>> {
  /** Key of the record. Reading it on a stream that is not keyed throws. */
  readonly key: K;
  readonly state: StateHandles<S>;
  /** What belongs to the subtask, whatever the key. */
  readonly operatorState: OperatorStateHandles<O>;
  /** Event time of the record, ms; `NO_TIMESTAMP` without one. */
  readonly timestampMs: number;
  /** On a stream that is not keyed: the clocks only. */
  readonly timers: [K] extends [never] ? TimeView : Timers;
  /** Emits to a side output. */
  output<T>(tag: OutputTag<T>, value: T): void;
}

/** What `onTimer` learns: the key is the timer's, `timestampMs` is the timer's time. */
export interface OnTimerContext<K, S extends StateSpecs, O extends OperatorStateSpecs = Record<never, never>>
  extends ProcessContext<K, S, O> {
  readonly timeDomain: 'event' | 'processing';
}

/** `process` on any stream; keyed streams may declare state and set timers. */
export interface ProcessFunction<
  T, R, K = never, S extends StateSpecs = Record<never, never>, O extends OperatorStateSpecs = Record<never, never>,
> extends Lifecycle, Checkpointed<O> {
  readonly state?: S;
  readonly output?: TypeDescriptor<R>;
  process(value: T, context: ProcessContext<K, S, O>, out: Collector<R>): Nothing;
  /**
   * A timer fires, on keyed streams; never while a record is being processed. What is emitted has the time of an event timer;
   * what a processing timer emits has no event time.
   */
  onTimer?(timestampMs: number, context: OnTimerContext<K, S, O>, out: Collector<R>): Nothing;
}

/** `process` on two connected streams. Both inputs share keyed state and timers when both are keyed. */
export interface CoProcessFunction<
  A, B, R, K = never, S extends StateSpecs = Record<never, never>, O extends OperatorStateSpecs = Record<never, never>,
> extends Lifecycle, Checkpointed<O> {
  readonly state?: S;
  readonly output?: TypeDescriptor<R>;
  process1(value: A, context: ProcessContext<K, S, O>, out: Collector<R>): Nothing;
  process2(value: B, context: ProcessContext<K, S, O>, out: Collector<R>): Nothing;
  onTimer?(timestampMs: number, context: OnTimerContext<K, S, O>, out: Collector<R>): Nothing;
}

/** How often and how long `asyncMap` retries. The timeout spans all attempts. */
export interface AsyncRetry<R> {
  readonly attemptsMax: number;
  readonly delayMs: number;
  /** 1 = fixed delay. */
  readonly backoffMultiplier: number;
  readonly delayMsMax: number;
  readonly ifResult?: (result: R) => boolean;
  readonly ifError?: (error: unknown) => boolean;
}

/** Options of `asyncMap`, resolved. */
export interface AsyncOptions<T, R> {
  /** False: results leave as they complete, but never overtake a watermark. */
  readonly ordered: boolean;
  /** Requests in flight per subtask; input waits beyond. */
  readonly capacity: number;
  readonly timeoutMs: number;
  /** Stands in for the result on timeout; without it a timeout fails the job. */
  readonly onTimeout?: (value: T) => R;
  readonly retry?: AsyncRetry<R>;
}

/** The signal aborts on timeout, cancel and failure. */
export type AsyncFunction<T, R> = (value: T, signal: AbortSignal) => Promise<R>;

// ---- Sources (FLIP-27 shape) ----

/** A unit of work of a source: plain data, so that it can be assigned, reported and stored. `id` is unique in its source. */
export interface SourceSplit {
  readonly id: string;
  readonly [field: string]: JsonValue;
}

/** Up to `capacity` records with timestamps, filled by a reader and emptied by a chain. Reused; valid until the next poll. */
export interface RecordBatch<T = unknown> {
  readonly values: T[];
  /** Event time of `values[i]`; `NO_TIMESTAMP` without one. */
  readonly timestampsMs: number[];
  /** Records present: `values[0..length)`. */
  length: number;
  readonly capacity: number;
  /**
   * Set by a reader that reads several splits: the id of the split that all records of the batch come from, so that each
   * split has a watermark of its own. Absent before each poll.
   */
  splitId?: string | null;
}

/** Answer of `poll`: records (or none yet) may follow; nothing now (await `available`); nothing ever again. */
export type PollResult = 'more' | 'nothing' | 'end';

/** Reads the splits of one subtask. All of its state lives in its splits. */
export interface SourceReader<T, S extends SourceSplit = SourceSplit> {
  start?(): void | Promise<void>;
  /** Fills `batch` from index 0 and sets its length. Synchronous and non-blocking: I/O goes on in the background. */
  poll(batch: RecordBatch<T>): PollResult;
  /** Resolves when `poll` may have something again. Called only after `'nothing'`. */
  available(): Promise<void>;
  addSplits(splits: readonly S[]): void;
  noMoreSplits(): void;
  /** The splits that are not finished, with their resume positions. Called between polls. */
  snapshot(): readonly S[];
  /** An event that the enumerator sent to this reader. */
  onEvent?(event: JsonValue): void;
  close(): void | Promise<void>;
}

/** What a reader may use. */
export interface ReaderContext extends RuntimeContext {
  /** Asks the enumerator for a split; the answer is `addSplits` or `noMoreSplits`. */
  requestSplit(): void;
  /** Sends plain data to the enumerator. */
  sendEvent(event: JsonValue): void;
}

/** What an enumerator may do. All calls are asynchronous in effect: they become messages to the readers. */
export interface EnumeratorContext<S extends SourceSplit> {
  readonly parallelism: number;
  /** Subtasks whose readers are registered. */
  registeredReaders(): readonly number[];
  assignSplit(split: S, subtaskIndex: number): void;
  signalNoMoreSplits(subtaskIndex: number): void;
  sendEvent(subtaskIndex: number, event: JsonValue): void;
}

/** Finds splits and assigns them to readers. One per source, at the JobManager. */
export interface SplitEnumerator<S extends SourceSplit = SourceSplit> {
  start?(): void | Promise<void>;
  addReader(subtaskIndex: number): void;
  handleSplitRequest(subtaskIndex: number): void;
  /** Splits of a failed reader come back. */
  addSplitsBack(splits: readonly S[], subtaskIndex: number): void;
  onEvent?(subtaskIndex: number, event: JsonValue): void;
  /** Plain data from which `Source.createEnumerator` resumes. */
  snapshot(): JsonValue;
  close?(): void | Promise<void>;
}

/** A source as a user writes it. */
export interface Source<T, S extends SourceSplit = SourceSplit> {
  readonly name: string;
  readonly boundedness: 'bounded' | 'unbounded';
  readonly type?: TypeDescriptor<T>;
  createEnumerator(context: EnumeratorContext<S>, restored: JsonValue | null): SplitEnumerator<S>;
  createReader(context: ReaderContext): SourceReader<T, S>;
}

// ---- Sinks (Sink V2 shape) ----

/** Writes the records of one subtask. */
export interface SinkWriter<T, Committable extends JsonValue = JsonValue, State extends JsonValue = JsonValue> {
  /** Synchronous: buffers or writes. A writer that needs room returns a promise; input waits for it. */
  write(value: T, timestampMs: number): void | Promise<void>;
  /** No record with an event time up to this will follow. Synchronous, in order with the records. */
  writeWatermark?(timestampMs: number): void;
  /** Everything written so far must reach the outside before it resolves. Also called as each barrier passes. */
  flush(endOfInput: boolean): void | Promise<void>;
  /**
   * For sinks with a committer, after `flush`: makes what was written since the last call ready, and answers what is needed to
   * make it visible. From now on only a commit may do that; without one it must never be seen.
   */
  prepareCommit?(): readonly Committable[] | Promise<readonly Committable[]>;
  /** After `prepareCommit`: what a new writer goes on from. */
  snapshot?(checkpointId: number): State | Promise<State>;
  close(): void | Promise<void>;
}

/** Makes visible what writers have prepared, once the checkpoint that holds it is complete. */
export interface Committer<Committable extends JsonValue = JsonValue> {
  /** What was committed before, in full or in part, may come again. A rejection fails the task, and the commit is made again. */
  commit(committables: readonly Committable[]): Promise<void>;
  close?(): void | Promise<void>;
}

/** What a sink's writer learns. */
export interface SinkWriterContext<State extends JsonValue = JsonValue> extends RuntimeContext {
  /** States of the writers that this one takes over from: none at a fresh start, several after a change of parallelism. */
  readonly restored: readonly State[];
}

/** A sink as a user writes it. */
export interface Sink<T, Committable extends JsonValue = JsonValue, State extends JsonValue = JsonValue> {
  readonly name: string;
  createWriter(
    context: SinkWriterContext<State>,
  ): SinkWriter<T, Committable, State> | Promise<SinkWriter<T, Committable, State>>;
  /** With one, the sink is exactly-once: nothing that was not committed is visible, and everything is committed once. */
  createCommitter?(context: RuntimeContext): Committer<Committable> | Promise<Committer<Committable>>;
}
