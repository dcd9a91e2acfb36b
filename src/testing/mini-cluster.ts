/**
 * MiniCluster: a whole cluster inside a test. The same Dispatcher, scheduler, exchange and operators as in
 * production, in one process.
 *
 *     await using cluster = await MiniCluster.start({ taskManagers: 1, slots: 2 });
 *     const result = await cluster.run(wordCount, { input: 'words.txt' });
 *     const counts = await cluster.executeAndCollect(wordCount, { input: 'words.txt' });
 *
 * Slots run inline, so that breakpoints, closures and coverage work as in any test; `threads: true` gives each
 * slot its worker thread, as a TaskManager does, and then runs bundled artifacts only (`runArtifact`).
 */
// A user's project need not have the library of `await using` in its `lib`: the declarations bring it.
/// <reference lib="esnext.disposable" preserve="true" />
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../base/assert.ts';
import { silentLoggers, type LoggerSource } from '../base/log.ts';
import { systemPorts } from '../base/system-ports.ts';
import type { JobManagerGateway } from '../dispatcher/gateway.ts';
import { TaskManagerChannels } from '../exchange/broker.ts';
import { jobGraphOf } from '../graph/job-graph-builder.ts';
import { buildProgram } from '../graph/program.ts';
import type { JobProgram } from '../graph/stream-graph.ts';
import { coordinatorMaker } from '../jobmaster/coordinators.ts';
import { customSources } from '../jobmaster/custom-sources.ts';
import { EnumeratorWorkers } from '../jobmaster/enumerator-worker.ts';
import type { CoordinatorMaker } from '../jobmaster/operator-coordinator.ts';
import { ProgramWorkers } from '../jobmaster/program-worker.ts';
import { ClusterError } from '../protocol/errors.ts';
import { newId, type JobId } from '../protocol/ids.ts';
import type { JsonObject } from '../protocol/json.ts';
import { ArtifactCache } from '../storage/artifact-cache.ts';
import { FileSystems } from '../storage/file-system.ts';
import { LocalFiles } from '../storage/local-files.ts';
import { InlineSlotHost, type InlineSlotHostOptions } from '../task/inline-slot-host.ts';
import type { SlotHost } from '../task/slot-protocol.ts';
import { ThreadSlotHost } from '../task/thread-slot-host.ts';
import type { PrintTarget } from '../task/task-executor.ts';
import { EmbeddedCluster } from './embedded-cluster.ts';
import type { TestClock } from './test-clock.ts';
import { MiniClusterJob, type JobExecutionResult } from './mini-cluster-job.ts';

export interface MiniClusterOptions {
  /** Default 1. */
  readonly taskManagers?: number;
  /** Slots of each TaskManager. Default 4. */
  readonly slots?: number;
  /** As in the configuration file, for example `{ 'parallelism.default': '2' }`. */
  readonly configuration?: Readonly<Record<string, string>>;
  /** Worker threads instead of inline slots. Default false. */
  readonly threads?: boolean;
  /** Processing time of the jobs, which the test moves. Inline slots only. Default: the system's clock. */
  readonly clock?: TestClock;
  /** Where the cluster logs. Default: nowhere. */
  readonly loggers?: LoggerSource;
  /** Receives what jobs print. Default: the process's stdout and stderr. */
  readonly onPrint?: (stream: 'stdout' | 'stderr', text: string) => void;
}

const SLOTS = 4;
const NETWORK_SIZE_BYTES = 64 * 1024 * 1024;
/** Of a slot. */
const DISK_STATE = { memorySizeBytes: 64 * 1024 * 1024, backend: 'hashmap' } as const;
const THREAD_LIMITS = { oldSpaceSizeMbMax: 256 };
const CANCELLATION = { intervalMs: 30_000, timeoutMs: 10_000 };
const BUILD_TIMEOUT_MS = 30_000;
const NETWORK_LOGGER = 'org.apache.flink.runtime.io.network.NettyShuffleEnvironment';
const COLLECT_ID = 'executeAndCollect';

export class MiniCluster implements AsyncDisposable {
  private readonly cluster: EmbeddedCluster;
  private readonly programs: Map<string, JobProgram>;
  private readonly configuration: Readonly<Record<string, string>>;

  private constructor(cluster: EmbeddedCluster, programs: Map<string, JobProgram>, configuration: Readonly<Record<string, string>>) {
    this.cluster = cluster;
    this.programs = programs;
    this.configuration = configuration;
  }

  /** Resolves once every slot is registered. */
  static async start(options: MiniClusterOptions = {}): Promise<MiniCluster> {
    const programs = new Map<string, JobProgram>();
    const loggers = options.loggers ?? silentLoggers;
    const configuration = options.configuration ?? {};
    const ports = systemPorts;
    const blobDirectory = join(tmpdir(), `drey-blobs-${ports.random.hex(8)}`);
    const cluster = await EmbeddedCluster.start({
      ports,
      loggers,
      taskManagerCount: options.taskManagers ?? 1,
      slotCount: options.slots ?? SLOTS,
      configuration,
      makeSlotHost: slotHosts(options, { loggers, programs, diskState: { ...DISK_STATE, directory: join(blobDirectory, 'state') } }),
      makeBroker: () => new TaskManagerChannels({ ports, log: loggers.logger(NETWORK_LOGGER), networkSizeBytes: NETWORK_SIZE_BYTES }),
      blobDirectory,
      makeCoordinator: coordinators(programs, blobDirectory),
      programWorkers: new ProgramWorkers(ports.clock, BUILD_TIMEOUT_MS),
      print: options.onPrint ? printTo(options.onPrint) : printToProcess,
      cancellation: CANCELLATION,
    });
    return new MiniCluster(cluster, programs, configuration);
  }

  /** Everything that REST would serve. */
  get gateway(): JobManagerGateway {
    return this.cluster.jobManager;
  }

  /** Submits a program. `args`: as the job's `args` declare them. Throws what the build function throws. */
  async submit(program: JobProgram, args: JsonObject = {}, configuration: Readonly<Record<string, string>> = {}): Promise<MiniClusterJob> {
    const { random, clock } = systemPorts;
    const jobId = newId<JobId>(random);
    const effective = { ...this.configuration, ...configuration };
    this.programs.set(jobId, program);
    const graph = buildProgram(program, { args, configuration: effective });
    const ref = { kind: 'registered', id: jobId } as const;
    await this.gateway.submitJob(jobGraphOf(graph, { jobId, program: ref, args, configuration: effective, submittedAtMs: clock.nowMs() }));
    return new MiniClusterJob(this.gateway, jobId);
  }

  /** Runs a program to its end. Throws when the job fails or is canceled. */
  async run(program: JobProgram, args: JsonObject = {}, configuration: Readonly<Record<string, string>> = {}): Promise<JobExecutionResult> {
    return (await this.submit(program, args, configuration)).result();
  }

  /** Runs a program to its end and answers what its collect sink `id` received, in order of arrival. */
  async executeAndCollect<T = unknown>(program: JobProgram, args: JsonObject = {}, id: string = COLLECT_ID): Promise<T[]> {
    const job = await this.submit(program, args);
    const values: T[] = [];
    for await (const value of job.collected(id)) values.push(value as T);
    await job.result();
    return values;
  }

  /** Runs a bundled program (an ES module as `flink run` uploads it) to its end. */
  async runArtifact(
    bundle: Uint8Array,
    programArgs: readonly string[] = [],
    configuration: Readonly<Record<string, string>> = {},
  ): Promise<JobExecutionResult> {
    const artifactId = await this.gateway.putArtifact(bundle);
    const jobId = await this.gateway.submitProgram({ artifactId, programArgs, configuration, jobId: null, expectedPlanDigest: null });
    return new MiniClusterJob(this.gateway, jobId).result();
  }

  /** Stops one TaskManager, as a fault would; its tasks are lost. */
  async stopTaskManager(index = 0): Promise<void> {
    await this.cluster.stopTaskManager(present(this.cluster.taskManagers[index], `TaskManager ${index} runs`));
  }

  /** Adds a TaskManager. */
  async startTaskManager(): Promise<void> {
    await this.cluster.startTaskManager();
  }

  /** Stops everything. Idempotent. */
  async close(): Promise<void> {
    await this.cluster.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function slotHosts({ clock, threads }: MiniClusterOptions, shared: Omit<InlineSlotHostOptions, 'ports'>): () => SlotHost {
  if (!threads) return () => new InlineSlotHost({ ...shared, ports: clock === undefined ? systemPorts : { ...systemPorts, clock } });
  if (clock !== undefined) throw new ClusterError('UNSUPPORTED', 'a MiniCluster with threads runs in real time: leave clock out');
  return () => new ThreadSlotHost({ ...THREAD_LIMITS, diskState: shared.diskState });
}

function coordinators(programs: ReadonlyMap<string, JobProgram>, blobDirectory: string): CoordinatorMaker {
  const artifacts = new ArtifactCache(join(blobDirectory, 'artifacts'));
  return coordinatorMaker({
    ports: systemPorts,
    files: new FileSystems(new Map([['file', () => new LocalFiles(systemPorts.random)]])),
    custom: customSources({
      workers: new EnumeratorWorkers(systemPorts.clock),
      artifactPath: (artifactId) => artifacts.find(artifactId),
      registeredProgram: (id) => programs.get(id) ?? null,
    }),
  });
}

function printTo(onPrint: (stream: 'stdout' | 'stderr', text: string) => void): PrintTarget {
  return {
    write: (stream, text, onWritten) => {
      onPrint(stream, text);
      onWritten();
    },
  };
}

const printToProcess: PrintTarget = {
  write: (stream, text, onWritten) => void process[stream].write(text, () => onWritten()),
};
