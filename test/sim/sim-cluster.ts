/** A cluster of the production's shells on simulated hosts: one JobManager, TaskManagers that come and go. */
import { silentLoggers } from '../../src/base/log.ts';
import { JobManager } from '../../src/dispatcher/job-manager.ts';
import { memoryStores, standaloneElection, standaloneRetrieval } from '../../src/ha/standalone.ts';
import { NO_TASK_MANAGER_METRICS } from '../../src/protocol/task-manager.ts';
import { FileSystems } from '../../src/storage/file-system.ts';
import { localFileSystems } from '../../src/storage/local-files.ts';
import { TaskManager, type TaskManagerOptions } from '../../src/task/task-manager.ts';
import { idleBroker } from '../testing/scripted-slots.ts';
import { CheckpointLedger } from './checkpoint-ledger.ts';
import { SeededRandom } from './seeded-random.ts';
import type { Scenario } from './scenario.ts';
import { SimHost } from './sim-host.ts';
import { SimNetwork } from './sim-network.ts';
import { SimSlotHost, type LiveTask } from './sim-slot-host.ts';
import { VirtualClock } from './virtual-time.ts';

export const CANCELLATION_TIMEOUT_MS = 2000;
const JOB_MANAGER_HOST = 'jobmanager';
const CALL_TIMEOUT_MS = 10_000;
const HEARTBEAT = { intervalMs: 2000, timeoutMs: 6000 };
const REGISTRATION = { initialTimeoutMs: 100, maxTimeoutMs: 30_000, errorDelayMs: 10_000, refusedDelayMs: 30_000 };
const NO_BYTES = { cpuCores: 1, taskHeapSizeBytes: 0, taskOffHeapSizeBytes: 0, managedSizeBytes: 0, networkSizeBytes: 0 };
const RESOURCES: TaskManagerOptions['resources'] = {
  total: NO_BYTES,
  hardware: { cpuCores: 1, physicalMemorySizeBytes: 0, freeMemorySizeBytes: 0, managedMemorySizeBytes: 0 },
  memory: {
    frameworkHeapSizeBytes: 0, taskHeapSizeBytes: 0, frameworkOffHeapSizeBytes: 0, taskOffHeapSizeBytes: 0, networkSizeBytes: 0,
    managedSizeBytes: 0, jvmMetaspaceSizeBytes: 0, jvmOverheadSizeBytes: 0, totalFlinkSizeBytes: 0, totalProcessSizeBytes: 0,
  },
};

interface SimTaskManager {
  readonly host: SimHost;
  readonly slots: SimSlotHost;
  readonly taskManager: TaskManager;
}

export class SimCluster {
  readonly clock = new VirtualClock();
  readonly network: SimNetwork;
  /** Tasks that run now, anywhere. */
  readonly live = new Set<LiveTask>();
  readonly ledger = new CheckpointLedger();
  jobManager!: JobManager;
  private readonly scenario: Scenario;
  private readonly random: SeededRandom;
  private readonly taskManagers = new Map<number, SimTaskManager>();
  private lives = 0;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.random = new SeededRandom(scenario.seed).fork();
    this.network = new SimNetwork(this.clock, this.random.fork());
  }

  async start(): Promise<void> {
    const { ports, transport } = this.host(JOB_MANAGER_HOST);
    this.jobManager = await JobManager.start({
      ports,
      transport,
      loggers: silentLoggers,
      election: standaloneElection(ports.random),
      stores: memoryStores(),
      bindAddress: { host: JOB_MANAGER_HOST, port: 0 },
      advertisedHost: JOB_MANAGER_HOST,
      heartbeat: HEARTBEAT,
      callTimeoutMs: CALL_TIMEOUT_MS,
      evenlySpreadOut: false,
      archive: { expirationMs: 3_600_000, sizeBytesMax: 50_000_000, jobsMax: 1000 },
      blobDirectory: '/nonexistent',
      programWorkers: null,
      makeCoordinator: () => null,
      files: new FileSystems(new Map()),
      configuration: { 'slot.request.timeout': '20 s' },
    });
    for (let index = 0; index < this.scenario.taskManagers; index++) await this.startTaskManager(index);
  }

  async startTaskManager(index: number): Promise<void> {
    const resourceId = `tm-${index}-${++this.lives}`;
    const host = this.host(this.hostOf(index));
    const slots = new SimSlotHost({ clock: this.clock, random: this.random.fork(), behaviour: this.scenario.behaviour, live: this.live, ledger: this.ledger, resourceId });
    const taskManager = await TaskManager.start({
      ports: host.ports,
      transport: host.transport,
      loggers: silentLoggers,
      retrieval: standaloneRetrieval(this.jobManager.address),
      registration: REGISTRATION,
      slotHost: slots,
      broker: idleBroker(),
      print: { write: (_stream, _text, onWritten) => onWritten() },
      files: localFileSystems(host.ports.random),
      host: host.name,
      bindAddress: host.name,
      dataPort: 0,
      resourceId,
      slotCount: this.scenario.slots,
      callTimeoutMs: CALL_TIMEOUT_MS,
      localStateDirectories: [],
      cancellation: { intervalMs: 500, timeoutMs: CANCELLATION_TIMEOUT_MS },
      artifactDirectory: '/nonexistent',
      resources: RESOURCES,
      metrics: () => NO_TASK_MANAGER_METRICS,
    });
    this.taskManagers.set(index, { host, slots, taskManager });
  }

  /** `kill -9`. */
  killTaskManager(index: number): void {
    const found = this.taskManagers.get(index);
    found?.host.kill();
    found?.slots.kill();
    this.taskManagers.delete(index);
  }

  isUp(index: number): boolean {
    return this.taskManagers.has(index);
  }

  cut(index: number, oneWay: boolean): void {
    this.network.cut(this.hostOf(index), JOB_MANAGER_HOST);
    if (!oneWay) this.network.cut(JOB_MANAGER_HOST, this.hostOf(index));
  }

  reset(index: number): void {
    this.network.reset(this.hostOf(index), JOB_MANAGER_HOST);
  }

  private hostOf(index: number): string {
    return `taskmanager-${index}`;
  }

  private host(name: string): SimHost {
    return new SimHost(name, { clock: this.clock, random: this.random.fork(), network: this.network });
  }
}
