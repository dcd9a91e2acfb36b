/**
 * A whole cluster in one process: one JobManager, some TaskManagers, messages in memory. What runs the tasks
 * is handed in: inline slots or slot workers (MiniCluster), scripted ones (tests).
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoggerSource } from '../base/log.ts';
import type { Ports, Timer } from '../base/ports.ts';
import { JobManager } from '../dispatcher/job-manager.ts';
import type { ChannelBroker } from '../exchange/contract.ts';
import { memoryStores, standaloneElection, standaloneRetrieval } from '../ha/standalone.ts';
import type { CoordinatorMaker } from '../jobmaster/operator-coordinator.ts';
import type { ProgramWorkers } from '../jobmaster/program-worker.ts';
import { ClusterError } from '../protocol/errors.ts';
import { NO_TASK_MANAGER_METRICS } from '../protocol/task-manager.ts';
import { MemoryTransport } from '../rpc/memory-transport.ts';
import type { RpcTransport } from '../rpc/transport.ts';
import type { CancellationOptions } from '../task/cancellation-watchdog.ts';
import type { SlotHost } from '../task/slot-protocol.ts';
import type { PrintTarget } from '../task/task-executor.ts';
import { localFileSystems } from '../storage/local-files.ts';
import { TaskManager } from '../task/task-manager.ts';

export interface EmbeddedClusterOptions {
  readonly ports: Ports;
  readonly loggers: LoggerSource;
  readonly taskManagerCount: number;
  /** Slots of each TaskManager. */
  readonly slotCount: number;
  /** Flat dotted keys, as in the configuration file. */
  readonly configuration: Readonly<Record<string, string>>;
  /** Called once per TaskManager. */
  readonly makeSlotHost: (broker: ChannelBroker) => SlotHost;
  readonly makeBroker: () => ChannelBroker;
  readonly makeCoordinator: CoordinatorMaker;
  readonly programWorkers: ProgramWorkers | null;
  /** Where artifacts are kept; `artifacts` below it. Default: a fresh temporary directory. */
  readonly blobDirectory?: string;
  readonly print: PrintTarget;
  readonly cancellation: CancellationOptions;
  /** Default: in memory. */
  readonly transport?: RpcTransport;
}

const LOCALHOST = 'localhost';
const HEARTBEAT = { intervalMs: 2000, timeoutMs: 6000 };
const REGISTRATION = { initialTimeoutMs: 100, maxTimeoutMs: 30_000, errorDelayMs: 10_000, refusedDelayMs: 30_000 };
const CALL_TIMEOUT_MS = 10_000;
const ARCHIVE = { expirationMs: 3_600_000, sizeBytesMax: 50 * 1024 * 1024, jobsMax: 10_000 };
/** Longest wait for all TaskManagers at start. */
const START_TIMEOUT_MS = 10_000;
const START_POLL_MS = 2;

const NO_RESOURCE = { cpuCores: 1, taskHeapSizeBytes: 0, taskOffHeapSizeBytes: 0, managedSizeBytes: 0, networkSizeBytes: 0 };
const RESOURCES = {
  total: NO_RESOURCE,
  hardware: { cpuCores: 1, physicalMemorySizeBytes: 0, freeMemorySizeBytes: 0, managedMemorySizeBytes: 0 },
  memory: {
    frameworkHeapSizeBytes: 0,
    taskHeapSizeBytes: 0,
    frameworkOffHeapSizeBytes: 0,
    taskOffHeapSizeBytes: 0,
    networkSizeBytes: 0,
    managedSizeBytes: 0,
    jvmMetaspaceSizeBytes: 0,
    jvmOverheadSizeBytes: 0,
    totalFlinkSizeBytes: 0,
    totalProcessSizeBytes: 0,
  },
};

export class EmbeddedCluster {
  readonly jobManager: JobManager;
  private readonly options: EmbeddedClusterOptions;
  private readonly transport: RpcTransport;
  private readonly running = new Set<TaskManager>();
  private started = 0;

  private constructor(options: EmbeddedClusterOptions, transport: RpcTransport, jobManager: JobManager) {
    this.options = options;
    this.transport = transport;
    this.jobManager = jobManager;
  }

  /** Resolves once every slot is registered. */
  static async start(options: EmbeddedClusterOptions): Promise<EmbeddedCluster> {
    const { ports, loggers, makeCoordinator, programWorkers, configuration } = options;
    const transport = options.transport ?? new MemoryTransport();
    const jobManager = await JobManager.start({
      ports,
      loggers,
      transport,
      election: standaloneElection(ports.random),
      stores: memoryStores(),
      bindAddress: { host: LOCALHOST, port: 0 },
      advertisedHost: LOCALHOST,
      heartbeat: HEARTBEAT,
      callTimeoutMs: CALL_TIMEOUT_MS,
      evenlySpreadOut: configuration['cluster.evenly-spread-out-slots'] === 'true',
      archive: ARCHIVE,
      blobDirectory: options.blobDirectory ?? directory(ports),
      programWorkers,
      makeCoordinator,
      files: localFileSystems(ports.random),
      configuration,
    });
    const cluster = new EmbeddedCluster(options, transport, jobManager);
    await Promise.all(Array.from({ length: options.taskManagerCount }, () => cluster.startTaskManager()));
    await cluster.registered(options.taskManagerCount);
    return cluster;
  }

  get taskManagers(): readonly TaskManager[] {
    return [...this.running];
  }

  /** Adds a TaskManager. It registers in the background. */
  async startTaskManager(): Promise<TaskManager> {
    const { ports, loggers, slotCount, makeBroker, makeSlotHost, print, cancellation } = this.options;
    const broker = makeBroker();
    const taskManager = await TaskManager.start({
      ports,
      loggers,
      transport: this.transport,
      retrieval: standaloneRetrieval(this.jobManager.address),
      registration: REGISTRATION,
      slotHost: makeSlotHost(broker),
      broker,
      print,
      files: localFileSystems(ports.random),
      host: LOCALHOST,
      bindAddress: '127.0.0.1',
      dataPort: 0,
      resourceId: `taskmanager-${++this.started}`,
      slotCount,
      callTimeoutMs: CALL_TIMEOUT_MS,
      cancellation,
      localStateDirectories: [join(directory(ports), 'localState')],
      artifactDirectory: join(directory(ports), 'cache'),
      resources: RESOURCES,
      metrics: () => NO_TASK_MANAGER_METRICS,
    });
    this.running.add(taskManager);
    return taskManager;
  }

  /** Stops a TaskManager; its tasks are lost. */
  async stopTaskManager(taskManager: TaskManager): Promise<void> {
    this.running.delete(taskManager);
    await taskManager.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.running].map((taskManager) => taskManager.close()));
    await this.jobManager.close();
  }

  private registered(count: number): Promise<void> {
    const { clock } = this.options.ports;
    const deadlineMs = clock.monotonicMs() + START_TIMEOUT_MS;
    return new Promise((resolve, reject) => {
      const poll: Timer = clock.every(START_POLL_MS, () => {
        const isReady = this.jobManager.taskManagers().length >= count;
        if (!isReady && clock.monotonicMs() < deadlineMs) return;
        poll.cancel();
        if (isReady) resolve();
        else reject(new ClusterError('DEADLINE_EXCEEDED', `not all ${count} TaskManagers registered within ${START_TIMEOUT_MS} ms`));
      });
    });
  }
}

function directory(ports: Ports): string {
  return join(tmpdir(), `drey-minicluster-${process.pid}-${ports.random.hex(4)}`);
}
