/** The TaskManager process: control and network on the main thread, one worker thread per task slot. */
import { rm } from 'node:fs/promises';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { systemPorts } from '../base/system-ports.ts';
import type { Configuration } from '../config/configuration.ts';
import { taskManagerMemory, type MemoryBudget } from '../config/memory-budget.ts';
import { options } from '../config/options.ts';
import { BUFFER_SIZE_BYTES } from '../exchange/contract.ts';
import { TaskManagerChannels } from '../exchange/broker.ts';
import { standaloneRetrieval } from '../ha/standalone.ts';
import type { TaskManagerMetrics } from '../protocol/task-manager.ts';
import { wsTransport } from '../rpc/ws-transport.ts';
import { localFileSystems } from '../storage/local-files.ts';
import { TaskManager, type TaskManagerOptions } from '../task/task-manager.ts';
import { ThreadSlotHost, type ThreadSlotHostOptions } from '../task/thread-slot-host.ts';
import { heartbeatOptions, makeDirectory, runDaemon, temporaryDirectory, type Daemon } from './daemon.ts';

const NAMES = {
  component: 'TaskManager',
  ending: 'TaskManagerRunner',
  logger: 'org.apache.flink.runtime.taskexecutor.TaskManagerRunner',
};

/** Of a slot, with `state.backend.rocksdb.memory.managed: false`. */
const UNMANAGED_STATE_SIZE_BYTES = 128 * 1024 * 1024;

await runDaemon(NAMES, start);

async function start(daemon: Daemon): Promise<() => Promise<void>> {
  const { configuration, log } = daemon;
  const ports = systemPorts;
  const budget = taskManagerMemory(configuration);
  logBudget(daemon, budget);
  const host = configuration.get(options.taskManagerHost) ?? 'localhost';
  log.logger(NAMES.logger).info(`Using configured hostname/address for TaskManager: ${host}.`);
  const slotCount = configuration.get(options.taskManagerSlots);
  const workingDirectory = join(
    configuration.get(options.processWorkingDirectory) ?? temporaryDirectory(configuration, tmpdir()), `tm_${ports.random.hex(16)}`,
  );
  log.logger(NAMES.logger).info(`Using working directory: WorkingDirectory(${workingDirectory})`);
  makeDirectory(workingDirectory, 'io.tmp.dirs');
  const localState = localStateDirectories(configuration, workingDirectory);
  const broker = new TaskManagerChannels({
    ports,
    log: log.logger('org.apache.flink.runtime.io.network.NettyShuffleEnvironment'),
    networkSizeBytes: budget.network,
  });
  const taskManager = await TaskManager.start({
    ports,
    loggers: log,
    transport: wsTransport,
    retrieval: standaloneRetrieval({
      host: configuration.get(options.jobManagerRpcAddress), port: configuration.get(options.jobManagerRpcPort),
    }),
    registration: registrationOptions(configuration),
    slotHost: new ThreadSlotHost(slotLimits(configuration, budget, workingDirectory)),
    broker,
    print: { write: (stream, text, onWritten) => void process[stream].write(text, onWritten) },
    files: localFileSystems(ports.random),
    host,
    bindAddress: configuration.get(options.taskManagerBindHost),
    dataPort: configuration.get(options.taskManagerDataPort),
    resourceId: configuration.get(options.taskManagerResourceId) ?? null,
    slotCount,
    callTimeoutMs: configuration.get(options.rpcAskTimeout),
    cancellation: {
      intervalMs: configuration.get(options.taskCancellationInterval), timeoutMs: configuration.get(options.taskCancellationTimeout),
    },
    localStateDirectories: localState,
    artifactDirectory: join(workingDirectory, 'blobStorage'),
    resources: resourcesOf(budget, slotCount),
    metrics: () => processMetrics(budget),
  });
  daemon.ready();
  return async () => {
    await taskManager.close();
    const directories = [workingDirectory, stateDirectory(configuration, workingDirectory), ...localState];
    for (const directory of directories) await rm(directory, { recursive: true, force: true });
  };
}

/** One for this process below each that is configured. */
function localStateDirectories(configuration: Configuration, workingDirectory: string): readonly string[] {
  const configured = directoriesIn(configuration.get(options.localRecoveryDirs));
  if (configured.length === 0) return [join(workingDirectory, 'localState')];
  return configured.map((directory) => join(directory, basename(workingDirectory)));
}

/** This process's below the first that is configured. */
function stateDirectory(configuration: Configuration, workingDirectory: string): string {
  const [first] = directoriesIn(configuration.get(options.rocksDbLocalDirs));
  return first === undefined ? workingDirectory : join(first, basename(workingDirectory));
}

/** Paths of local directories, of a list that may have them as URLs. */
function directoriesIn(list: string | undefined): readonly string[] {
  const texts = (list ?? '').split(',').map((each) => each.trim()).filter((each) => each !== '');
  return texts.map((each) => resolve(each.replace(/^file:(\/\/)?/, '')));
}

/** A quarter of a slot's managed memory is for rows on its heap (state/lsm-backend.ts). */
function slotLimits(configuration: Configuration, { taskHeap, managed }: MemoryBudget, workingDirectory: string): ThreadSlotHostOptions {
  const slotCount = configuration.get(options.taskManagerSlots);
  const isManaged = configuration.get(options.rocksDbManagedMemory);
  const memorySizeBytes = configuration.get(options.rocksDbFixedMemory) ?? (isManaged ? managed / slotCount : UNMANAGED_STATE_SIZE_BYTES);
  return {
    oldSpaceSizeMbMax: Math.floor((taskHeap / slotCount + memorySizeBytes / 4) / 2 ** 20),
    diskState: {
      directory: join(stateDirectory(configuration, workingDirectory), 'state'),
      memorySizeBytes,
      backend: configuration.get(options.stateBackend),
    },
  };
}

function registrationOptions(configuration: Configuration): TaskManagerOptions['registration'] {
  return {
    initialTimeoutMs: configuration.get(options.clusterRegistrationInitialTimeout),
    maxTimeoutMs: configuration.get(options.clusterRegistrationMaxTimeout),
    errorDelayMs: configuration.get(options.clusterRegistrationErrorDelay),
    refusedDelayMs: configuration.get(options.clusterRegistrationRefusedDelay),
    ...heartbeatOptions(configuration),
  };
}

function resourcesOf(budget: MemoryBudget, slotCount: number): TaskManagerOptions['resources'] {
  return {
    total: {
      cpuCores: slotCount,
      taskHeapSizeBytes: budget.taskHeap,
      taskOffHeapSizeBytes: budget.taskOffHeap,
      managedSizeBytes: budget.managed,
      networkSizeBytes: budget.network,
    },
    hardware: {
      cpuCores: availableParallelism(),
      physicalMemorySizeBytes: totalmem(),
      freeMemorySizeBytes: getHeapStatistics().heap_size_limit,
      managedMemorySizeBytes: budget.managed,
    },
    memory: {
      frameworkHeapSizeBytes: budget.frameworkHeap,
      taskHeapSizeBytes: budget.taskHeap,
      frameworkOffHeapSizeBytes: budget.frameworkOffHeap,
      taskOffHeapSizeBytes: budget.taskOffHeap,
      networkSizeBytes: budget.network,
      managedSizeBytes: budget.managed,
      jvmMetaspaceSizeBytes: budget.metaspace,
      jvmOverheadSizeBytes: budget.overhead,
      totalFlinkSizeBytes: budget.totalFlink,
      totalProcessSizeBytes: budget.totalProcess,
    },
  };
}

function processMetrics(budget: MemoryBudget): TaskManagerMetrics {
  const memory = process.memoryUsage();
  const segmentsTotal = Math.floor(budget.network / BUFFER_SIZE_BYTES);
  return {
    heapUsedSizeBytes: memory.heapUsed,
    heapCommittedSizeBytes: memory.heapTotal,
    heapMaxSizeBytes: getHeapStatistics().heap_size_limit,
    nonHeapUsedSizeBytes: Math.max(0, memory.rss - memory.heapTotal),
    directUsedSizeBytes: memory.arrayBuffers,
    segmentsTotal,
    segmentsAvailable: segmentsTotal,
  };
}

function logBudget({ log }: Daemon, budget: MemoryBudget): void {
  const logger = log.logger('org.apache.flink.runtime.taskexecutor.TaskManagerRunner');
  const line = (
    what: string, sizeBytes: number,
  ): void => logger.info(`  ${what.padEnd(31)}${(sizeBytes / 2 ** 20).toFixed(3)}mb (${sizeBytes} bytes)`);
  logger.info('Final TaskExecutor Memory configuration (caps, not reservations):');
  line('Total Process Memory:', budget.totalProcess);
  line('  Total Flink Memory:', budget.totalFlink);
  line('    Task Heap Memory:', budget.taskHeap);
  line('    Managed Memory:', budget.managed);
  line('    Network Memory:', budget.network);
}
