/**
 * Drey: write a stateful stream processing job as a TypeScript module, run it on a cluster that is operated
 * like Apache Flink. A job module's default export is a `job`:
 *
 *     import { arg, job } from 'drey';
 *
 *     export default job({ name: 'Lengths', args: { input: arg.path() } }, (env, args) => {
 *       env.readTextFile(args.input).map((line) => line.length).print();
 *     });
 */
import { bindLocalExecutor } from './api/local-executor.ts';

export { arg } from './api/arguments.ts';
export type { Argument, ArgumentOptions, ArgumentSpecs, ArgumentsOf } from './api/arguments.ts';
export { BroadcastConnectedStream, BroadcastStream } from './api/broadcast-streams.ts';
export { ConnectedStreams } from './api/connected-streams.ts';
export { DataStream, KeyedStream, SingleOutputStream } from './api/data-stream.ts';
export { DataStreamSink } from './api/data-stream-sink.ts';
export { outputTag, state, tuple } from './api/declarations.ts';
export type { CheckpointConfig, CheckpointRetention, CheckpointingMode } from './api/checkpoint-config.ts';
export type { StateDeclaration, TimeToLive } from './api/declarations.ts';
export type { Duration } from './api/duration.ts';
export { StreamExecutionEnvironment } from './api/environment.ts';
export type { LocalEnvironmentOptions, SourceOptions } from './api/environment.ts';
export type {
  AsyncInput,
  AsyncMapOptions,
  AsyncRetryOptions,
  CoFlatMapFunction,
  CoMapFunction,
  FilterInput,
  FlatMapInput,
  MapInput,
  ReduceInput,
  RichAsyncFunction,
  RichFilterFunction,
  RichFlatMapFunction,
  RichMapFunction,
  RichReduceFunction,
} from './api/function-specs.ts';
export { job } from './api/job.ts';
export { BoundedIntervalJoin, IntervalJoin, JoinedStreams, KeyedJoin, WindowedJoin } from './api/joined-streams.ts';
export type { CoGroupInput, JoinInput, PairInput } from './api/joined-streams.ts';
export type { BuildFunction, JobOptions } from './api/job.ts';
export type { JobExecutionResult } from './api/local-executor.ts';
export { bucket, fileSink, rows } from './api/file-sink.ts';
export type { BucketAssigner, BuiltInSink, FileSinkOptions, RollingOptions } from './api/file-sink.ts';
export { formats } from './api/formats.ts';
export type { CsvOptions, JsonLinesOptions } from './api/formats.ts';
export { dataGenerator, fileSource } from './api/sources.ts';
export type { BuiltInSource, DataGeneratorOptions, FileSourceOptions, SocketOptions } from './api/sources.ts';
export { WatermarkStrategy } from './api/watermark-strategy.ts';
export { evictor, globalWindows, session, sliding, trigger, tumbling } from './api/windows.ts';
export type { EvictorOptions, SessionOptions, SlidingOptions, TumblingOptions } from './api/windows.ts';
export { WindowedStream } from './api/windowed-stream.ts';
export type { AllWindowedStream } from './api/windowed-stream.ts';
export type { AggregateInput, WindowFunctionInput, WindowResultFunction } from './api/window-specs.ts';
export type {
  BroadcastContext,
  BroadcastHandles,
  BroadcastProcessFunction,
  BroadcastStateSpecs,
  KeyedBroadcastContext,
  KeyedBroadcastProcessFunction,
  ReadOnlyBroadcastHandles,
  ReadOnlyMapState,
} from './graph/broadcast-functions.ts';
export type { BlockFormat, FileFormat, FormatInput, FormatRange, LineFormat, RecordRun } from './graph/file-formats.ts';
export { MAX_WATERMARK, NO_TIMESTAMP } from './graph/functions.ts';
export type {
  Accumulators,
  AggregatingState,
  AggregatingStateSpec,
  AsyncFunction,
  CoProcessFunction,
  Collector,
  Counter,
  EnumeratorContext,
  FilterFunction,
  FlatMapFunction,
  KeySelector,
  Lifecycle,
  ListState,
  ListStateSpec,
  MapFunction,
  MapState,
  MapStateSpec,
  OnTimerContext,
  OutputTag,
  Partitioner,
  PollResult,
  ProcessContext,
  ProcessFunction,
  ReaderContext,
  RecordBatch,
  ReduceFunction,
  ReducingState,
  ReducingStateSpec,
  RuntimeContext,
  Sink,
  SinkWriter,
  SinkWriterContext,
  Source,
  SourceReader,
  SourceSplit,
  SplitEnumerator,
  StateHandle,
  StateHandles,
  StateSpec,
  StateSpecs,
  StateTtl,
  Timers,
  TimeView,
  ValueState,
  ValueStateSpec,
} from './graph/functions.ts';
export type {
  Checkpointed,
  InitializeContext,
  OperatorList,
  OperatorListSpec,
  OperatorStateHandles,
  OperatorStateSpecs,
  SnapshotContext,
} from './graph/operator-state-functions.ts';
export { GLOBAL_WINDOW, maxTimestampOf } from './graph/windows.ts';
export type {
  AggregateFunction,
  AssignerContext,
  Evictor,
  EvictorContext,
  JoinContext,
  MergeContext,
  ProcessJoinFunction,
  ProcessWindowFunction,
  TaggedRecord,
  TimestampedValue,
  TimeWindow,
  Trigger,
  TriggerContext,
  TriggerResult,
  WindowAssigner,
  WindowContext,
} from './graph/windows.ts';
export type { JobProgram } from './graph/stream-graph.ts';
export type { TimestampAssigner, WatermarkGenerator, WatermarkOutput } from './graph/watermarks.ts';
export { ClusterError } from './protocol/errors.ts';
export type { ErrorCode } from './protocol/errors.ts';
export type { JsonObject, JsonValue } from './protocol/json.ts';
export { t } from './types/t.ts';
export type { CustomCodec } from './types/t.ts';
export type { Infer, TypeDescriptor } from './types/type-descriptor.ts';

bindLocalExecutor(async () => (await import('./testing/local-executor.ts')).miniClusterExecutor);
