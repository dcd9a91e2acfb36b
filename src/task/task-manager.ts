/**
 * A TaskManager: TaskExecutor, exchange and the link to the JobManager, from start to stop. What differs
 * between a process, a MiniCluster and the simulator is handed in.
 */
import type { LoggerSource } from '../base/log.ts';
import type { Ports } from '../base/ports.ts';
import type { ChannelBroker } from '../exchange/contract.ts';
import type { LeaderRetrieval } from '../ha/high-availability.ts';
import { jsonBytes, type RequestOf } from '../protocol/control.ts';
import type { ExecutionReport, OperatorEvent, TaskDeployment } from '../protocol/deployment.ts';
import type { JobId, ResourceId } from '../protocol/ids.ts';
import type {
  HardwareDescription,
  MemoryConfiguration,
  ResourceProfile,
  TaskManagerDescription,
  TaskManagerMetrics,
} from '../protocol/task-manager.ts';
import type { RpcTransport } from '../rpc/transport.ts';
import { ArtifactCache } from '../storage/artifact-cache.ts';
import type { FileSystems } from '../storage/file-system.ts';
import type { CancellationOptions } from './cancellation-watchdog.ts';
import { JobManagerLink } from './job-manager-link.ts';
import { ProgramStore } from './program-store.ts';
import type { RegistrationOptions } from './registration.core.ts';
import type { SlotHost } from './slot-protocol.ts';
import type { Task } from './task-executor.core.ts';
import { TaskExecutor, type PrintTarget } from './task-executor.ts';

export interface TaskManagerOptions {
  readonly ports: Ports;
  readonly loggers: LoggerSource;
  readonly transport: RpcTransport;
  readonly retrieval: LeaderRetrieval;
  readonly registration: RegistrationOptions;
  readonly slotHost: SlotHost;
  readonly broker: ChannelBroker;
  readonly print: PrintTarget;
  /** Where checkpoints are written. */
  readonly files: FileSystems;
  /** `taskmanager.host`: what peers dial. */
  readonly host: string;
  /** `taskmanager.bind-host`. */
  readonly bindAddress: string;
  /** `taskmanager.data.port`; 0 picks one. */
  readonly dataPort: number;
  /** `taskmanager.resource-id`; null: `<host>:<data port>-<6 hex>`. */
  readonly resourceId: string | null;
  /** `taskmanager.numberOfTaskSlots`. */
  readonly slotCount: number;
  /** `pekko.ask.timeout`. */
  readonly callTimeoutMs: number;
  readonly cancellation: CancellationOptions;
  /** `execution.checkpointing.local-backup.dirs`, one below each for this process alone. */
  readonly localStateDirectories: readonly string[];
  /** Where fetched artifacts are kept; created when the first one comes. */
  readonly artifactDirectory: string;
  readonly resources: { readonly total: ResourceProfile; readonly hardware: HardwareDescription; readonly memory: MemoryConfiguration };
  /** Current figures of the process. */
  readonly metrics: () => TaskManagerMetrics;
}

const RESOURCE_ID_SUFFIX_SIZE_BYTES = 3;

export class TaskManager {
  readonly description: TaskManagerDescription;
  private readonly options: TaskManagerOptions;
  private readonly link: JobManagerLink;
  private readonly executor: TaskExecutor;

  private constructor(options: TaskManagerOptions, dataPort: number) {
    this.options = options;
    this.description = describe(options, dataPort);
    const { ports, loggers, slotCount, slotHost, broker, print, files, cancellation } = options;
    const { resourceId, host } = this.description;
    this.executor = new TaskExecutor({
      ports,
      loggers,
      slotCount,
      slotHost,
      broker,
      print,
      files,
      cancellation,
      localStateDirectories: options.localStateDirectories,
      programs: new ProgramStore(
        new ArtifactCache(options.artifactDirectory), (request) => this.link.call('fetchArtifact', request, options.callTimeoutMs),
      ),
      location: { resourceId, host, dataPort },
      toJobManager: {
        taskStateChanged: (report) => this.link.notify('taskStateChanged', stateMessage(report)),
        operatorEvent: (jobId, event, task) => this.link.notify('operatorEvent', eventMessage(jobId, event, task)),
        acknowledgeCheckpoint: async (task, ack) => {
          await this.link.call('acknowledgeCheckpoint', { ...attemptOf(task), ackJson: jsonBytes(ack) }, options.callTimeoutMs);
        },
        declineCheckpoint: (task, checkpointId, error) => {
          this.link.notify('declineCheckpoint', { ...attemptOf(task), checkpointId, errorJson: jsonBytes(error) });
        },
      },
    });
    this.link = new JobManagerLink({
      ports,
      loggers,
      transport: options.transport,
      retrieval: options.retrieval,
      registration: options.registration,
      handlers: this.executor.handlers,
      describe: () => ({ descriptionJson: jsonBytes(this.description), ...this.state() }),
      heartbeat: () => ({ ...this.state(), metricsJson: jsonBytes(options.metrics()) }),
      onLost: () => undefined, // Tasks run on: the next registration reports them.
    });
  }

  /** Binds the data port, starts the slots and begins to register. Throws PORT_IN_USE. */
  static async start(options: TaskManagerOptions): Promise<TaskManager> {
    const dataPort = await options.broker.listen(options.bindAddress, options.dataPort);
    const taskManager = new TaskManager(options, dataPort);
    const log = options.loggers.logger('org.apache.flink.runtime.taskexecutor.TaskManagerRunner');
    log.info(`Starting TaskManager with ResourceID: ${taskManager.description.resourceId}`);
    options.loggers
      .logger('org.apache.flink.runtime.taskexecutor.TaskManagerServices')
      .info(`TaskManager data connection initialized successfully; listening internally on port: ${dataPort}`);
    options.loggers
      .logger('org.apache.flink.runtime.rpc.pekko.PekkoRpcService')
      .info('Starting RPC endpoint for org.apache.flink.runtime.taskexecutor.TaskExecutor at pekko://flink/user/rpc/taskmanager_0 .');
    options.loggers.logger('org.apache.flink.runtime.taskexecutor.DefaultJobLeaderService').info('Start job leader service.');
    taskManager.executor.start();
    taskManager.link.start();
    return taskManager;
  }

  get resourceId(): ResourceId {
    return this.description.resourceId;
  }

  /** Tells the JobManager, then stops all tasks and closes all sockets. */
  async close(reason = 'the TaskManager is stopping'): Promise<void> {
    const log = this.options.loggers.logger('org.apache.flink.runtime.taskexecutor.TaskExecutor');
    log.info('Stopping TaskExecutor pekko://flink/user/rpc/taskmanager_0.');
    await this.link.close(reason);
    await this.executor.close();
    await this.options.broker.close();
    log.info('Stopped TaskExecutor pekko://flink/user/rpc/taskmanager_0.');
  }

  private state(): Pick<RequestOf<'heartbeat'>, 'slotsJson' | 'executionsJson'> {
    return { slotsJson: jsonBytes(this.executor.slotReports()), executionsJson: jsonBytes(this.executor.executionReports()) };
  }
}

function describe(options: TaskManagerOptions, dataPort: number): TaskManagerDescription {
  const { host, slotCount, resources, ports } = options;
  const resourceId = (options.resourceId ?? `${host}:${dataPort}-${ports.random.hex(RESOURCE_ID_SUFFIX_SIZE_BYTES)}`) as ResourceId;
  return {
    resourceId,
    host,
    rpcPort: dataPort,
    dataPort,
    slotCount,
    totalResource: resources.total,
    hardware: resources.hardware,
    memory: resources.memory,
  };
}

function attemptOf(task: TaskDeployment): Pick<RequestOf<'declineCheckpoint'>, 'job' | 'generation' | 'attempt'> {
  const { jobId, generation, attemptId } = task;
  return { job: jobId, generation, attempt: attemptId };
}

function stateMessage(report: ExecutionReport): RequestOf<'taskStateChanged'> {
  return { job: report.jobId, generation: report.generation, attempt: report.attemptId, reportJson: jsonBytes(report) };
}

function eventMessage(jobId: JobId, event: OperatorEvent, task: Task): RequestOf<'operatorEvent'> {
  const { attemptId, subtaskIndex, nodeId, body } = event;
  return { job: jobId, generation: task.deployment.generation, attempt: attemptId, subtaskIndex, nodeId, bodyJson: jsonBytes(body) };
}
