/**
 * The environment of a program: where its streams start, and what holds for all its operators. `job()` hands one to the
 * build function; scripts and tests that run in their own process make one with `createLocalEnvironment`.
 */
import type { Source } from '../graph/functions.ts';
import { planError } from '../graph/build-site.ts';
import type { JobProgram } from '../graph/stream-graph.ts';
import { StreamGraphBuilder, checkParallelism } from '../graph/stream-graph-builder.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { CheckpointConfig, type CheckpointingMode } from './checkpoint-config.ts';
import { DataStream, SingleOutputStream } from './data-stream.ts';
import { durationMs, type Duration } from './duration.ts';
import { localExecutor, type JobExecutionResult, type LocalJob } from './local-executor.ts';
import { requireNamed } from './option-checks.ts';
import * as sources from './sources.ts';
import { WatermarkStrategy } from './watermark-strategy.ts';

/** Options of `createLocalEnvironment`. */
export interface LocalEnvironmentOptions {
  /** Default parallelism of operators. Default 1. */
  readonly parallelism?: number;
  /** Configuration of the cluster and the job, by Flink's dotted keys. */
  readonly configuration?: Readonly<Record<string, string>>;
}

/** Options of `fromSource`. */
export interface SourceOptions<T> {
  /** Instead of the source's own; shown as `Source: <name>`. */
  readonly name?: string;
  /** Instead of the source's own. */
  readonly type?: TypeDescriptor<T>;
}

type AnySource<T> = sources.BuiltInSource<T> | Source<T>;

/** Flink: `CheckpointCoordinatorConfiguration.MINIMAL_CHECKPOINT_TIME`. */
const CHECKPOINT_INTERVAL_MS_MIN = 10;

const LOCAL_JOB_NAME = 'Flink Streaming Job';
const COLLECT_ID = 'executeAndCollect';

/** Makes streams. */
export class StreamExecutionEnvironment {
  /** @internal */
  readonly builder: StreamGraphBuilder;
  /** Null inside a `job()`: there the cluster runs the program. */
  private readonly localConfiguration: Readonly<Record<string, string>> | null;

  /** @internal */
  constructor(builder: StreamGraphBuilder, localConfiguration: Readonly<Record<string, string>> | null) {
    this.builder = builder;
    this.localConfiguration = localConfiguration;
  }

  /** An environment whose program runs in this process, by `execute` or `executeAndCollect`. */
  static createLocalEnvironment(options: LocalEnvironmentOptions = {}): StreamExecutionEnvironment {
    const configuration = options.configuration ?? {};
    const environment = new StreamExecutionEnvironment(new StreamGraphBuilder(LOCAL_JOB_NAME, configuration), configuration);
    return options.parallelism === undefined ? environment : environment.setParallelism(options.parallelism);
  }

  // ---- Sources ----

  /** Lines of a file, a directory (with its sub-directories) or a glob. Bounded. */
  readTextFile(path: string): SingleOutputStream<string> {
    return this.fromSource(sources.fileSource({ path }));
  }

  /** A built-in source (`fileSource`, `dataGenerator`) or a user-defined one, whose records have event time by a strategy. */
  fromSource<T>(source: AnySource<T>, strategy: WatermarkStrategy<T>, name?: string, options?: SourceOptions<T>): SingleOutputStream<T>;
  fromSource<T>(source: AnySource<T>, options?: SourceOptions<T>): SingleOutputStream<T>;
  fromSource<T>(
    source: AnySource<T>, strategyOrOptions: WatermarkStrategy<T> | SourceOptions<T> = {}, ownName?: string, more: SourceOptions<T> = {},
  ): SingleOutputStream<T> {
    const strategy = strategyOrOptions instanceof WatermarkStrategy ? strategyOrOptions : null;
    const options = strategyOrOptions instanceof WatermarkStrategy ? more : strategyOrOptions;
    const { name, spec, type, serialReason } = isBuiltIn(source) ? source : customSource(source);
    const draft = this.builder.add({
      spec: strategy === null ? spec : { ...spec, watermarks: { data: strategy.data, functions: strategy.functions } },
      name: `Source: ${ownName ?? options.name ?? name}`,
      inputs: [],
      outputType: options.type ?? type,
      ...(serialReason === undefined ? {} : { serialReason }),
    });
    return new SingleOutputStream(this, draft);
  }

  /** The integers `from..to`, both included. */
  fromSequence(from: number, to: number): SingleOutputStream<number> {
    return this.fromSource(sources.sequenceSource(from, to));
  }

  /** The given values. Parallelism 1. */
  fromElements<T>(...elements: readonly T[]): SingleOutputStream<T> {
    return this.fromCollection(elements);
  }

  /** The values of an array or another iterable. Parallelism 1. */
  fromCollection<T>(elements: Iterable<T>, type?: TypeDescriptor<T>): SingleOutputStream<T> {
    return this.fromSource(sources.collectionSource([...elements], type));
  }

  /** Text that a TCP server sends, line by line. Parallelism 1; unbounded until the server closes. */
  socketTextStream(host: string, port: number, options: sources.SocketOptions = {}): SingleOutputStream<string> {
    return this.fromSource(sources.socketSource(host, port, options));
  }

  // ---- What holds for all operators ----

  /** Parallelism of operators that set none, 1 to 32768. Outranks `-p` and `parallelism.default`. */
  setParallelism(parallelism: number): this {
    checkParallelism('the parallelism of the environment', parallelism);
    this.builder.parallelism = parallelism;
    return this;
  }

  /** Max parallelism of operators that set none, 1 to 32768. */
  setMaxParallelism(maxParallelism: number): this {
    checkParallelism('the max parallelism of the environment', maxParallelism);
    this.builder.maxParallelism = maxParallelism;
    return this;
  }

  /** Runs each operator as a task of its own. */
  disableOperatorChaining(): this {
    this.builder.configure('pipeline.operator-chaining.enabled', 'false');
    return this;
  }

  /** How long a record may wait in a half-filled buffer. 0: flushed after each record; -1: only full buffers are sent. */
  setBufferTimeout(timeout: Duration): this {
    const text = timeout === -1 ? '-1' : `${durationMs(timeout, 'setBufferTimeout')} ms`;
    this.builder.configure('execution.buffer-timeout.interval', text);
    return this;
  }

  /** Takes a checkpoint every `interval`; a job that fails goes on from the newest. Off unless this or the configuration says so. */
  enableCheckpointing(interval: Duration, mode?: CheckpointingMode): this {
    const intervalMs = durationMs(interval, 'enableCheckpointing');
    if (intervalMs < CHECKPOINT_INTERVAL_MS_MIN) {
      throw planError(`enableCheckpointing: an interval of ${intervalMs} ms is too short; at least ${CHECKPOINT_INTERVAL_MS_MIN} ms`);
    }
    this.builder.configure('execution.checkpointing.interval', `${intervalMs} ms`);
    if (mode !== undefined) this.checkpointConfig.setCheckpointingMode(mode);
    return this;
  }

  /** How checkpoints are taken, kept and cleaned up. */
  get checkpointConfig(): CheckpointConfig {
    return new CheckpointConfig((key, value) => this.builder.configure(key, value));
  }

  // ---- Local execution ----

  /** Runs the program in this process and waits for its end. Throws PROGRAM_INVALID inside a `job()`. */
  async execute(name?: string): Promise<JobExecutionResult> {
    const configuration = this.requireLocal('execute()');
    const job = await submit(this.program(name ?? this.builder.jobName), configuration);
    try {
      return await job.result;
    } finally {
      await job.close();
    }
  }

  /** @internal */
  executeAndCollect<T>(stream: DataStream<T>, limit: number): AsyncIterable<T> {
    const configuration = this.requireLocal('executeAndCollect()');
    stream.collect(COLLECT_ID);
    const program = this.program(this.builder.jobName);
    return collected<T>(() => submit(program, configuration), limit);
  }

  /**
   * What was declared since the last program, with all that it reads from. Its graph is built once: there is only
   * this process to run it.
   */
  private program(name: string): JobProgram {
    const graph = { ...this.builder.finish(), jobName: name };
    return { dreyJob: 1, name, parseArgs: () => ({}), build: () => graph };
  }

  private requireLocal(call: string): Readonly<Record<string, string>> {
    if (this.localConfiguration !== null) return this.localConfiguration;
    throw new ClusterError(
      'PROGRAM_INVALID',
      `${call} is not for build functions: the cluster runs the job once it is built. ` +
        'End the stream in a sink instead, or use StreamExecutionEnvironment.createLocalEnvironment() in a script of its own.',
    );
  }
}

function isBuiltIn<T>(source: sources.BuiltInSource<T> | Source<T>): source is sources.BuiltInSource<T> {
  return typeof source === 'object' && source !== null && 'spec' in source;
}

function customSource<T>(source: Source<T>): sources.BuiltInSource<T> {
  requireNamed('fromSource', source, ['createEnumerator', 'createReader']);
  const { name, boundedness, type } = source;
  return { name, spec: { kind: 'source.custom', data: { boundedness }, user: { source: source as unknown as Source<unknown> } }, type };
}

async function submit(program: JobProgram, configuration: Readonly<Record<string, string>>): Promise<LocalJob> {
  return (await localExecutor()).submit(program, configuration);
}

async function* collected<T>(submit: () => Promise<LocalJob>, limit: number): AsyncGenerator<T> {
  const job = await submit();
  try {
    let taken = 0;
    if (limit <= 0) return;
    for await (const value of job.collected(COLLECT_ID)) {
      yield value as T;
      taken += 1;
      if (taken >= limit) return;
    }
    await job.result;
  } finally {
    await job.close();
  }
}
