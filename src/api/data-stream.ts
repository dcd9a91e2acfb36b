/**
 * Streams. Each method declares an operator and answers the stream of its results; nothing runs before the
 * whole program has been declared.
 *
 *     DataStream ── keyBy ──► KeyedStream ── reduce, process, … ──► SingleOutputStream (a DataStream)
 *
 * Functions called per record are synchronous; an `async` callback does not compile. Asynchronous work is an
 * operator of its own: `asyncMap`.
 */
import { planError } from '../graph/build-site.ts';
import type { BroadcastStateSpecs } from '../graph/broadcast-functions.ts';
import type * as f from '../graph/functions.ts';
import type { OperatorStateSpecs } from '../graph/operator-state-functions.ts';
import type { AggregateData, KeySpec, OperatorSpec } from '../graph/operator-spec.ts';
import { formatRecord } from '../graph/record-format.ts';
import type { Partitioning } from '../graph/stream-graph.ts';
import type { OperatorDraft, Outlet } from '../graph/stream-graph-builder.ts';
import type { WindowAssigner } from '../graph/windows.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { BroadcastConnectedStream, BroadcastStream } from './broadcast-streams.ts';
import { ConnectedStreams } from './connected-streams.ts';
import { DataStreamSink } from './data-stream-sink.ts';
import type { StreamExecutionEnvironment } from './environment.ts';
import type { Comparable, FieldArgument, FieldOf, PrimitiveKey, Summable } from './fields.ts';
import type { BuiltInSink } from './file-sink.ts';
import * as specs from './function-specs.ts';
import { keySpec, requireKeysToMeet } from './keys.ts';
import { requireFunction, requireNamed } from './option-checks.ts';
import { IntervalJoin, JoinedStreams } from './joined-streams.ts';
import * as settings from './operator-settings.ts';
import type { WatermarkStrategy } from './watermark-strategy.ts';
import { allInput, countWindows, keyedInput } from './window-inputs.ts';
import { WindowedStream, type AllWindowedStream } from './windowed-stream.ts';

/** Flink's name of a sink that has none. */
const UNNAMED = 'Unnamed';
/** Why there is no `iterate`. */
const ITERATE_REFUSED =
  'iterate() is not supported: records on a feedback edge are in no checkpoint, so a failure would lose them (Flink removed it in 2.0). ' +
  'Write the feedback to a topic or file that the job also reads, or loop inside process().';

/** A stream of records of type `T`. */
export class DataStream<T> {
  /** @internal */
  readonly environment: StreamExecutionEnvironment;
  /** Where the stream comes from; several after a union. @internal */
  readonly outlets: readonly Outlet[];
  /** @internal */
  readonly key: KeySpec | null;

  /** @internal */
  constructor(environment: StreamExecutionEnvironment, outlets: readonly Outlet[], key: KeySpec | null = null) {
    this.environment = environment;
    this.outlets = outlets;
    this.key = key;
  }

  // ---- Transformations ----

  /** One result per record. */
  map<R>(map: specs.MapInput<T, R>): SingleOutputStream<R> {
    return this.transform('Map', specs.mapSpec(map));
  }

  /** Any number of results per record: return them (an array is fastest) or emit them. */
  flatMap<R>(flatMap: specs.FlatMapInput<T, R>): SingleOutputStream<R> {
    return this.transform('Flat Map', specs.flatMapSpec(flatMap));
  }

  /** Keeps the records for which the predicate holds; a type guard narrows the stream. */
  filter<S extends T>(predicate: (value: T) => value is S): SingleOutputStream<S>;
  filter(predicate: specs.FilterInput<T>): SingleOutputStream<T>;
  filter(predicate: specs.FilterInput<T>): SingleOutputStream<T> {
    return this.transform('Filter', specs.filterSpec(predicate), this.type);
  }

  /** Full control over outputs, side outputs and lifecycle. State and timers need a keyed stream. */
  process<R, O extends OperatorStateSpecs = Record<never, never>>(
    fn: f.ProcessFunction<T, R, never, Record<never, never>, O> & { readonly state?: never; readonly onTimer?: never },
  ): SingleOutputStream<R> {
    return this.transform('Process', specs.processSpec(fn, false), fn.output);
  }

  /** One asynchronous call per record, many in flight. */
  asyncMap<R>(asyncMap: specs.AsyncInput<T, R>, options: specs.AsyncMapOptions<T, R> = {}): SingleOutputStream<R> {
    return this.transform('async wait operator', specs.asyncMapSpec(asyncMap, options));
  }

  /** Event time by a strategy: timestamps, and watermarks instead of those from upstream. Best right behind the source. */
  assignTimestampsAndWatermarks(strategy: WatermarkStrategy<T>): SingleOutputStream<T> {
    const { data, functions: user } = strategy;
    if (data.alignment !== null) throw planError('withWatermarkAlignment is for sources, which can pause: give the strategy to fromSource');
    return this.transform('Timestamps/Watermarks', { kind: 'watermarks', data, user }, this.type);
  }

  /** Gives each record the event time that the function returns, in ms. Watermarks pass as they come. */
  assignTimestamps(timestampMs: (value: T, recordTimestampMs: number) => number): SingleOutputStream<T> {
    const user = { timestampMs: timestampMs as (value: unknown, recordTimestampMs: number) => number };
    return this.transform('Timestamps/Watermarks', { kind: 'timestamps', data: {}, user }, this.type);
  }

  /** Partitions by key: all records of a key meet in one subtask. `type` is required for keys that are not primitive. */
  keyBy<F extends FieldOf<T, PrimitiveKey>>(field: F): KeyedStream<T, T[F & keyof T]>;
  keyBy<K>(selector: f.KeySelector<T, K>, type: TypeDescriptor<K>): KeyedStream<T, K>;
  keyBy<K extends PrimitiveKey>(selector: f.KeySelector<T, K>): KeyedStream<T, K>;
  keyBy(selectorOrField: f.KeySelector<T, unknown> | string | number, type?: TypeDescriptor<unknown>): KeyedStream<T, unknown> {
    return new KeyedStream(this.environment, this.outlets, keySpec(selectorOrField, type));
  }

  /** All records of several streams of one type. A stream united with itself is doubled. */
  union(...others: readonly DataStream<T>[]): DataStream<T> {
    for (const other of others) this.requireSameEnvironment(other, 'union');
    return new DataStream(this.environment, [this, ...others].flatMap((stream) => stream.outlets));
  }

  /** Two streams, of different types, into one operator. */
  connect<U>(other: DataStream<U>): ConnectedStreams<T, U, never>;
  /** With what a broadcast stream feeds into its state. */
  connect<U, B extends BroadcastStateSpecs>(other: BroadcastStream<U, B>): BroadcastConnectedStream<T, U, never, B>;
  connect<U>(other: DataStream<U> | BroadcastStream<U, BroadcastStateSpecs>): unknown {
    if (other instanceof BroadcastStream) {
      this.requireSameEnvironment(other.stream, 'connect');
      return new BroadcastConnectedStream(this, other);
    }
    this.requireSameEnvironment(other, 'connect');
    if ((this.key === null) !== (other.key === null)) {
      throw planError('connect: one stream is keyed and the other is not; key both, with keys of the same type, or neither');
    }
    if (this.key !== null && other.key !== null) requireKeysToMeet(this.key, other.key);
    return new ConnectedStreams(this, other);
  }

  /** Pairs of records of two streams with equal keys in a window: `.where(…).equalTo(…).window(…).apply(…)`. */
  join<U>(other: DataStream<U>): JoinedStreams<T, U, 'join'> {
    this.requireSameEnvironment(other, 'join');
    return new JoinedStreams(this, other, 'join');
  }

  /** The records of two streams with one key in a window, side by side: `.where(…).equalTo(…).window(…).apply(…)`. */
  coGroup<U>(other: DataStream<U>): JoinedStreams<T, U, 'coGroup'> {
    this.requireSameEnvironment(other, 'coGroup');
    return new JoinedStreams(this, other, 'coGroup');
  }

  /** Always throws UNSUPPORTED, saying why. */
  iterate(): never {
    throw new ClusterError('UNSUPPORTED', ITERATE_REFUSED);
  }

  /** Windows over the whole stream, in one subtask. */
  windowAll(assigner: WindowAssigner<T>): AllWindowedStream<T> {
    return new WindowedStream(allInput(this), assigner);
  }

  /** Windows of `size` records of the whole stream. `slide`: evaluated for every so many records, over the last `size`. */
  countWindowAll(size: number, slide?: number): AllWindowedStream<T> {
    return countWindows(allInput(this), size, slide);
  }

  // ---- Partitioning ----

  /** Each record to a random subtask. */
  shuffle(): DataStream<T> {
    return this.partitioned({ kind: 'shuffle' });
  }

  /** Records to all subtasks in turn. */
  rebalance(): DataStream<T> {
    return this.partitioned({ kind: 'rebalance' });
  }

  /** Records in turn to the subtasks of a nearby share. */
  rescale(): DataStream<T> {
    return this.partitioned({ kind: 'rescale' });
  }

  /** Each record to every subtask. */
  broadcast(): DataStream<T>;
  /** Declares the states that the records feed; to be connected to a stream that reads them. */
  broadcast<B extends BroadcastStateSpecs>(states: B): BroadcastStream<T, B>;
  broadcast(states?: BroadcastStateSpecs): unknown {
    if (states !== undefined) return new BroadcastStream(this.partitioned({ kind: 'broadcast' }), states);
    return this.partitioned({ kind: 'broadcast' });
  }

  /** Subtask to subtask of equal index; both operators need the same parallelism. */
  forward(): DataStream<T> {
    return this.partitioned({ kind: 'forward' });
  }

  /** All records to the first subtask. */
  global(): DataStream<T> {
    return this.partitioned({ kind: 'global' });
  }

  /** Records to the subtask that the partitioner names. */
  partitionCustom<K>(partitioner: f.Partitioner<K>, selector: f.KeySelector<T, K>): DataStream<T> {
    requireFunction('partitionCustom', 'the partitioner', partitioner);
    requireFunction('partitionCustom', 'the key selector', selector);
    const key: KeySpec = { selector: selector as f.KeySelector<unknown, unknown>, type: null };
    return this.partitioned({ kind: 'custom', partitioner: partitioner as f.Partitioner<unknown>, key });
  }

  // ---- Sinks ----

  /** Writes each record on a line of the TaskManager's `.out`, after `prefix>` and the subtask when there are several. */
  print(prefix?: string): DataStreamSink {
    return this.addSink('Print to Std. Out', { kind: 'sink.print', data: { stream: 'stdout', prefix: prefix ?? null }, user: {} });
  }

  /** `print` to the standard error stream. */
  printToErr(prefix?: string): DataStreamSink {
    return this.addSink('Print to Std. Err', { kind: 'sink.print', data: { stream: 'stderr', prefix: prefix ?? null }, user: {} });
  }

  /** Drops all records. `fold`: keeps count and hash of them as accumulators. */
  discard(options: { readonly fold?: boolean } = {}): DataStreamSink {
    return this.addSink('Discard', { kind: 'sink.discard', data: { fold: options.fold ?? false }, user: {} });
  }

  /** Writes each record on a line of files below the directory `path`. `format` must not return a promise. */
  writeAsText(path: string, options: { readonly format?: (value: T) => string } = {}): DataStreamSink {
    const format = (options.format ?? formatRecord) as (value: unknown) => string;
    return this.addSink('Text File', { kind: 'sink.text', data: { path }, user: { format } });
  }

  /** Writes to a sink: a built-in one (`fileSink`) or your own. */
  sinkTo(sink: f.Sink<T> | BuiltInSink<T>): DataStreamSink {
    if (typeof sink === 'object' && sink !== null && 'spec' in sink) return this.addSink(sink.name, sink.spec);
    requireNamed('sinkTo', sink, ['createWriter']);
    return this.addSink(sink.name, { kind: 'sink.custom', data: {}, user: { sink: sink as unknown as f.Sink<unknown> } });
  }

  /** Delivers the records to whoever runs the job (a test, `executeAndCollect`), under `id`. */
  collect(id: string): DataStreamSink {
    return this.addSink(`Collect ${id}`, { kind: 'sink.collect', data: { id }, user: {} }).setParallelism(1);
  }

  /**
   * Runs the program of this environment in this process and yields the records of this stream, at most `limit`.
   * Leaving the loop cancels the job. Outside of a `job()` only.
   */
  executeAndCollect(limit = Infinity): AsyncIterable<T> {
    return this.environment.executeAndCollect(this, limit);
  }

  /** Declares an operator on this stream. @internal */
  transform<R>(name: string, spec: OperatorSpec, outputType?: TypeDescriptor<unknown> | null): SingleOutputStream<R> {
    const draft = this.environment.builder.add({ spec, name, inputs: [this.outlets], keys: [this.key], outputType });
    return new SingleOutputStream(this.environment, draft);
  }

  /** Throws PLAN_INVALID for a stream of another environment. @internal */
  requireSameEnvironment(other: { readonly environment: StreamExecutionEnvironment }, call: string): void {
    if (other.environment !== this.environment) throw planError(`${call}: the other stream belongs to another environment`);
  }

  /** Type of the records, when it was declared. @internal */
  get type(): TypeDescriptor<T> | null {
    const types = new Set(this.outlets.map(typeOf));
    const [only] = types;
    return types.size === 1 ? ((only ?? null) as TypeDescriptor<T> | null) : null;
  }

  private partitioned(partitioning: Partitioning): DataStream<T> {
    return new DataStream(this.environment, this.outlets.map((outlet) => ({ ...outlet, partitioning })));
  }

  private addSink(name: string, spec: OperatorSpec): DataStreamSink {
    const { builder } = this.environment;
    return new DataStreamSink(builder, builder.add({ spec, name: `Sink: ${name || UNNAMED}`, inputs: [this.outlets], keys: [this.key] }));
  }
}

/** The stream of one operator's results, and what can still be said of that operator. */
export class SingleOutputStream<T> extends DataStream<T> {
  private readonly operator: OperatorDraft;

  /** @internal */
  constructor(environment: StreamExecutionEnvironment, operator: OperatorDraft) {
    super(environment, [{ operator, sideOutput: null, partitioning: null }]);
    this.operator = operator;
  }

  /** Name in plans, logs and metrics. */
  name(name: string): this {
    settings.setName(this.operator, name);
    return this;
  }

  /** Stable identity, to which state is mapped. Unique in the job. */
  uid(uid: string): this {
    settings.setUid(this.environment.builder, this.operator, uid);
    return this;
  }

  /** Number of subtasks, 1 to 32768. */
  setParallelism(parallelism: number): this {
    settings.setParallelism(this.operator, parallelism);
    return this;
  }

  /** Bound of any later rescale, 1 to 32768; fixed for the life of the job's state. */
  setMaxParallelism(maxParallelism: number): this {
    settings.setMaxParallelism(this.operator, maxParallelism);
    return this;
  }

  /** Subtasks of different groups never share a slot. Default: the group of the inputs. */
  slotSharingGroup(group: string): this {
    settings.setSlotSharingGroup(this.operator, group);
    return this;
  }

  /** Starts a chain: not chained with what comes before. */
  startNewChain(): this {
    this.operator.chaining = 'head';
    return this;
  }

  /** Never chained, neither with what comes before nor with what comes after. */
  disableChaining(): this {
    this.operator.chaining = 'never';
    return this;
  }

  /** Declares the type of the records: compact and checked on the wire. */
  returns(type: TypeDescriptor<T>): this {
    this.operator.outputType = type;
    return this;
  }

  /** The records that the operator sent to `tag`. */
  getSideOutput<U>(tag: f.OutputTag<U>): DataStream<U> {
    this.environment.builder.addSideOutput(this.operator, tag.id, tag.type ?? null);
    return new DataStream(this.environment, [{ operator: this.operator, sideOutput: tag.id, partitioning: null }]);
  }
}

/** A stream partitioned by key. State and rolling aggregates are kept per key. */
export class KeyedStream<T, K> extends DataStream<T> {
  /** @internal */
  constructor(environment: StreamExecutionEnvironment, outlets: readonly Outlet[], key: KeySpec) {
    super(environment, outlets.map((outlet) => ({ ...outlet, partitioning: { kind: 'hash', key } })), key);
  }

  /** `process` with the record's key, declared state and timers. */
  override process<R, S extends f.StateSpecs = Record<never, never>, O extends OperatorStateSpecs = Record<never, never>>(
    fn: f.ProcessFunction<T, R, K, S, O>,
  ): SingleOutputStream<R> {
    return this.transform('KeyedProcess', specs.processSpec(fn, true), fn.output);
  }

  /** Rolling reduction per key: one output per record, the first record of a key as it is. */
  reduce(reduce: specs.ReduceInput<T>): SingleOutputStream<T> {
    return this.transform('Keyed Reduce', specs.reduceSpec(reduce), this.type);
  }

  /** Rolling sum of a field; the other fields are those of the key's first record. */
  sum<F extends FieldArgument<T, Summable>>(...[field]: F): SingleOutputStream<T> {
    return this.aggregate('sum', field);
  }

  /** Rolling minimum of a field; the other fields are those of the key's first record. */
  min<F extends FieldArgument<T, Comparable>>(...[field]: F): SingleOutputStream<T> {
    return this.aggregate('min', field);
  }

  /** Rolling maximum of a field; the other fields are those of the key's first record. */
  max<F extends FieldArgument<T, Comparable>>(...[field]: F): SingleOutputStream<T> {
    return this.aggregate('max', field);
  }

  /** The record with the least value of a field so far. `first` (default): of equal records the earlier. */
  minBy<F extends FieldOf<T, Comparable>>(field: F, options: { readonly first?: boolean } = {}): SingleOutputStream<T> {
    return this.aggregate('minBy', field, options.first);
  }

  /** The record with the greatest value of a field so far. `first` (default): of equal records the earlier. */
  maxBy<F extends FieldOf<T, Comparable>>(field: F, options: { readonly first?: boolean } = {}): SingleOutputStream<T> {
    return this.aggregate('maxBy', field, options.first);
  }

  /** Windows per key. */
  window(assigner: WindowAssigner<T>): WindowedStream<T, K> {
    return new WindowedStream(keyedInput(this), assigner);
  }

  /** Windows of `size` records per key. `slide`: evaluated for every so many records, over the last `size`. */
  countWindow(size: number, slide?: number): WindowedStream<T, K> {
    return countWindows(keyedInput(this), size, slide);
  }

  /** Pairs of records of two streams with equal keys and near times: `.between('-5 s', '5 s').process(…)`. */
  intervalJoin<U>(other: KeyedStream<U, K>): IntervalJoin<T, U> {
    this.requireSameEnvironment(other, 'intervalJoin');
    if (this.key !== null && other.key !== null) requireKeysToMeet(this.key, other.key);
    return new IntervalJoin(this, other);
  }

  /** Two keyed streams into one operator that shares state per key. Keys must have the same type. */
  override connect<U>(other: KeyedStream<U, K>): ConnectedStreams<T, U, K>;
  override connect<U, B extends BroadcastStateSpecs>(other: BroadcastStream<U, B>): BroadcastConnectedStream<T, U, K, B>;
  override connect<U>(other: KeyedStream<U, K> & BroadcastStream<U, BroadcastStateSpecs>): unknown {
    return super.connect(other);
  }

  private aggregate(op: AggregateData['op'], field: string | number | undefined, first = true): SingleOutputStream<T> {
    const data = { op, field: field ?? null, first };
    return this.transform('Keyed Aggregation', { kind: 'keyed.aggregate', data, user: {} }, this.type);
  }
}

function typeOf({ operator, sideOutput }: Outlet): TypeDescriptor<unknown> | null {
  return sideOutput === null ? operator.outputType : (operator.sideOutputs.get(sideOutput) ?? null);
}
