/**
 * What each operator of a StreamGraph is: its plain-data half (`data`, part of the plan digest, shown
 * in plans, stored in the JobGraph) and its user half (`user`, closures that exist only where the
 * program was built). Operators are never serialised; a slot rebuilds the program and looks them up by node id.
 */
import type { JsonObject } from '../protocol/json.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { BroadcastStateSpecs, KeyedBroadcastProcessFunction } from './broadcast-functions.ts';
import type { FileFormat } from './file-formats.ts';
import type * as f from './functions.ts';
import type { OperatorStateSpecs } from './operator-state-functions.ts';
import type { TimestampAssigner, WatermarkData, WatermarkFunctions, WatermarkSpec } from './watermarks.ts';
import type * as w from './windows.ts';

interface Kind<K extends string, D extends JsonObject, U> {
  readonly kind: K;
  readonly data: D;
  readonly user: U;
}

type NoData = Readonly<Record<string, never>>;
type Fn = f.Lifecycle;

/** Built-in sources: their enumerators are cores at the JobMaster, driven by `data` alone. */
type SourceKinds =
  | Kind<'source.sequence', { readonly from: number; readonly to: number }, Record<never, never>>
  | Kind<'source.elements', { readonly count: number }, { readonly elements: readonly unknown[] }>
  | Kind<'source.files', FileSourceData, { readonly format: FileFormat }>
  | Kind<'source.socket', SocketSourceData, Record<never, never>>
  | Kind<'source.datagen', DatagenSourceData, { readonly generate: (index: number) => unknown }>
  | Kind<'source.custom', { readonly boundedness: 'bounded' | 'unbounded' }, { readonly source: f.Source<unknown> }>;

/** A source, and the event time of its records where it makes it itself. */
export type SourceSpec = SourceKinds & { readonly watermarks?: WatermarkSpec };

/** Text from a TCP server. `retriesMax`: attempts to connect again after the connection was lost; -1: for ever. */
export interface SocketSourceData extends JsonObject {
  readonly host: string;
  readonly port: number;
  readonly delimiter: string;
  readonly retriesMax: number;
}

/** Records by index. Null: unbounded, and as fast as they are taken. The rate is over all subtasks. */
export interface DatagenSourceData extends JsonObject {
  readonly count: number | null;
  readonly perSecond: number | null;
}

/** Files by byte range. `path` is a file, a directory (recursive), or a glob. */
export interface FileSourceData extends JsonObject {
  readonly path: string;
  /** Splits of a file start at multiples of this. */
  readonly splitSizeBytes: number;
  /** Null: bounded. Otherwise the directory is listed again at this interval, for ever. */
  readonly discoveryIntervalMs: number | null;
  /** A line longer than this is an error naming file and offset. */
  readonly lineSizeBytesMax: number;
  /** Name of the format. */
  readonly format: string;
  /** `text`: by ranges, but for compressed files; `blocks`: by ranges; `whole`: each file at a time. */
  readonly splitting: 'text' | 'blocks' | 'whole';
}

/** What a file sink's bucket may depend on, besides the record. */
export interface BucketContext {
  readonly timestampMs: number;
  readonly processingTimeMs: number;
}

/** A file sink: see connectors/file-sink.ts. */
export type FileSinkData = {
  readonly path: string;
  readonly prefix: string;
  readonly suffix: string;
  readonly sizeBytesMax: number;
  /** A part file ends this long after its first row. */
  readonly rolloverMs: number;
  /** Or this long after its last row. */
  readonly inactivityMs: number;
};

export type FileSinkSpec = Kind<'sink.file', FileSinkData, {
  readonly encode: (value: unknown) => string;
  readonly bucket: (value: unknown, context: BucketContext) => string;
}>;

/** Sinks. `print` goes to the TaskManager's `.out`. */
export type SinkSpec =
  | Kind<'sink.print', { readonly stream: 'stdout' | 'stderr'; readonly prefix: string | null }, Record<never, never>>
  /** Folds count and an order-independent hash of the records into accumulators `<name>.count`, `<name>.hash`. */
  | Kind<'sink.discard', { readonly fold: boolean }, Record<never, never>>
  | Kind<'sink.text', { readonly path: string }, { readonly format: (value: unknown) => string }>
  | FileSinkSpec
  /** Delivered to the client that asked (`executeAndCollect`), through the JobMaster, with back-pressure. */
  | Kind<'sink.collect', { readonly id: string }, Record<never, never>>
  | Kind<'sink.custom', NoData, { readonly sink: f.Sink<unknown> }>;

/** One-input operators. */
export type TransformSpec =
  | Kind<'map', NoData, Fn & { readonly map: f.MapFunction<unknown, unknown> }>
  | Kind<'filter', NoData, Fn & { readonly filter: f.FilterFunction<unknown> }>
  | Kind<'flatMap', NoData, Fn & { readonly flatMap: f.FlatMapFunction<unknown, unknown> }>
  | Kind<'asyncMap', { readonly ordered: boolean; readonly capacity: number; readonly timeoutMs: number },
      Fn & { readonly asyncMap: f.AsyncFunction<unknown, unknown>; readonly options: f.AsyncOptions<unknown, unknown> }>
  /** Assigns event timestamps; watermarks pass. */
  | Kind<'timestamps', NoData, { readonly timestampMs: TimestampAssigner<unknown> }>
  /** Assigns event timestamps and makes watermarks of its own. */
  | Kind<'watermarks', WatermarkData, WatermarkFunctions>
  /** Rolling reduce: one output per input. State: value state `reduce` of the input type. */
  | Kind<'keyed.reduce', NoData, Fn & { readonly reduce: f.ReduceFunction<unknown> }>
  /** sum/min/max keep the other fields of the first record; minBy/maxBy return whole records (`first`: ties keep the earlier). */
  | Kind<'keyed.aggregate', AggregateData, Record<never, never>>
  | Kind<'window', WindowData, WindowUser>
  | Kind<'process', ProcessData, f.ProcessFunction<unknown, unknown, unknown, f.StateSpecs, OperatorStateSpecs>>;

/** Names of the states of a process function. */
export type ProcessData = {
  readonly states: readonly string[];
  /** Not there when it has none. */
  readonly operatorStates?: readonly string[];
  /** Every subtask is restored from the operator state of all. */
  readonly unionState?: true;
};

/** What the program says of windows, as shown in plans. */
export interface WindowData extends JsonObject {
  readonly assigner: string;
  readonly trigger: string;
  readonly evictor: string | null;
  readonly allowedLatenessMs: number;
  /** Side output of late records; null: they are dropped and counted. */
  readonly lateTag: string | null;
  readonly contents: WindowContentsSpec['kind'];
}

/** What a window keeps of its records: a combination, or all of them. */
export type WindowContentsSpec =
  | { readonly kind: 'reduce'; readonly reduce: f.ReduceFunction<unknown> }
  | { readonly kind: 'field'; readonly data: AggregateData }
  | { readonly kind: 'aggregate'; readonly aggregate: w.AggregateFunction<unknown, unknown, unknown> }
  | { readonly kind: 'list' };

/** The user half of windows. */
export interface WindowUser extends Fn {
  readonly assigner: w.WindowAssigner;
  readonly trigger: w.Trigger;
  readonly evictor: w.Evictor | null;
  readonly contents: WindowContentsSpec;
  /** Null: the combinations themselves are the results. */
  readonly fn: w.ProcessWindowFunction<unknown, unknown, unknown, f.StateSpecs, f.StateSpecs> | null;
  /** Whether elements are `TaggedRecord`s of two inputs. */
  readonly joins: boolean;
  /** All states that trigger and function declare, for the plan. */
  readonly state: f.StateSpecs;
}

/** Bounds of the right record's time relative to the left one's, both included. */
export interface IntervalJoinData extends JsonObject {
  readonly lowerMs: number;
  readonly upperMs: number;
  /** Side outputs of late records; null: they are dropped and counted. */
  readonly leftLateTag: string | null;
  readonly rightLateTag: string | null;
}

export type IntervalJoinUser = w.ProcessJoinFunction<unknown, unknown, unknown>;

/** `field`: null aggregates the record itself, a number addresses an element of a tuple. */
export interface AggregateData extends JsonObject {
  readonly op: 'sum' | 'min' | 'max' | 'minBy' | 'maxBy';
  readonly field: string | number | null;
  readonly first: boolean;
}

/** The function, called as it is, and the states that the broadcast stream declares. */
export interface BroadcastUser {
  readonly function: KeyedBroadcastProcessFunction<unknown, unknown, unknown, unknown, BroadcastStateSpecs, f.StateSpecs>;
  readonly broadcast: BroadcastStateSpecs;
}

/** Two-input operators. Input 0 and input 1 are the edges' `inputIndex`. */
export type TwoInputSpec =
  | Kind<'co.map', NoData, Fn & { readonly map1: f.MapFunction<unknown, unknown>; readonly map2: f.MapFunction<unknown, unknown> }>
  | Kind<'co.flatMap', NoData,
      Fn & { readonly flatMap1: f.FlatMapFunction<unknown, unknown>; readonly flatMap2: f.FlatMapFunction<unknown, unknown> }>
  | Kind<'co.intervalJoin', IntervalJoinData, IntervalJoinUser>
  /** Windows over two inputs, keyed alike: their elements are `TaggedRecord`s. */
  | Kind<'co.window', WindowData, WindowUser>
  /** `broadcast` is fed by input 1, which has no key. */
  | Kind<'co.broadcast', { readonly states: readonly string[]; readonly broadcastStates: readonly string[] }, BroadcastUser>
  | Kind<'co.process', ProcessData, f.CoProcessFunction<unknown, unknown, unknown, unknown, f.StateSpecs, OperatorStateSpecs>>;

/** Every operator. `union`, `select side output` and partitioning are properties of edges, not operators. */
export type OperatorSpec = SourceSpec | TransformSpec | TwoInputSpec | SinkSpec;

/** How a record finds its key. */
export interface KeySpec {
  readonly selector: f.KeySelector<unknown, unknown>;
  /** Null when the key is a string, number, bigint or boolean and was not declared: hashed by its JavaScript type. */
  readonly type: TypeDescriptor<unknown> | null;
}
