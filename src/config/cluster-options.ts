/** Options of the processes: who listens where, who belongs to whom, and how long each waits for the other. */
import { ignored, option, optional } from './option.ts';
import { boolean, duration, enumeration, int, list, memory, port, portRange, string } from './value-types.ts';

const NOT_ADAPTIVE = 'a job waits for all slots that it asks for; `PUT /jobs/:jobid/resource-requirements` changes its parallelism.';

/** Options of the JobManager, the TaskManager and what passes between them. */
export const clusterOptions = {
  jobManagerRpcAddress: option({
    key: 'jobmanager.rpc.address', type: string, default: 'localhost',
    description: 'Host name or address at which TaskManagers and clients reach the JobManager. Ignored with high availability.',
  }),
  jobManagerRpcPort: option({
    key: 'jobmanager.rpc.port', type: port, default: '6123',
    description: 'Port of the JobManager’s RPC. With high availability `high-availability.jobmanager.port` is used instead.',
  }),
  jobManagerBindHost: option({
    key: 'jobmanager.bind-host', type: string, default: 'localhost',
    description: 'Interface that the JobManager’s RPC, blob and data ports listen on. `0.0.0.0` means all. '
      + 'Unlike Flink: without the key nothing listens beyond loopback.',
  }),
  jobManagerRpcBindPort: optional({
    key: 'jobmanager.rpc.bind-port', type: port,
    description: 'Port that the RPC listens on when it differs from the advertised `jobmanager.rpc.port`.',
  }),
  jobManagerResourceId: optional({
    key: 'jobmanager.resource-id', type: string, since: '0.4',
    description: 'Name of the JobManager process in logs and metrics; drawn at random when unset.',
  }),
  jobManagerFailoverStrategy: option({
    key: 'jobmanager.execution.failover-strategy', type: enumeration(['region', 'full']), default: 'region', since: '0.2',
    description: 'What restarts when a task fails: the pipelined region that it belongs to, or the whole job.',
  }),
  jobManagerAttemptsHistorySize: option({
    key: 'jobmanager.execution.attempts-history-size', type: int(1), default: '16', since: '0.2',
    description: 'How many earlier attempts of a subtask stay visible.',
  }),
  jobManagerScheduler: option({
    key: 'jobmanager.scheduler', type: enumeration(['default', 'adaptive', 'adaptivebatch']), default: 'default', since: '0.2',
    description: 'How a job gets its slots: all that it asks for, or as many as there are (`adaptive`).',
  }),
  adaptiveScheduler: ignored('jobmanager.adaptive-scheduler.<...>', string, NOT_ADAPTIVE),
  schedulerMode: ignored('scheduler-mode', string, NOT_ADAPTIVE),
  adaptiveBatchScheduler: ignored(
    'jobmanager.adaptive-batch-scheduler.<...>', string, 'the parallelism of a job is known before it starts.',
  ),
  jobManagerArchiveDir: optional({
    key: 'jobmanager.archive.fs.dir', type: string, since: '0.5',
    description: 'Directory that finished jobs are archived in, for the history server.',
  }),
  jobManagerAdoptTimeout: option({
    key: 'jobmanager.adopt.timeout', type: duration, default: '3 s', since: '0.3',
    description: 'How long a new leader waits for complete reports of running executions before it restarts what was not reported. '
      + 'Unlike Flink: a lost JobManager does not restart its jobs.',
  }),
  jobStoreExpirationTime: option({
    key: 'jobstore.expiration-time', type: duration, default: '1 h',
    description: 'How long a finished job stays visible.',
  }),
  jobStoreCacheSize: option({
    key: 'jobstore.cache-size', type: memory, default: '50 mb', description: 'Memory for finished jobs; the oldest go first.',
  }),
  jobStoreMaxCapacity: option({
    key: 'jobstore.max-capacity', type: int(1), default: '2147483647', description: 'How many finished jobs stay visible.',
  }),
  taskManagerHost: optional({
    key: 'taskmanager.host', type: string, deprecated: ['taskmanager.hostname'],
    description: 'Address that the TaskManager advertises. Unset: the address of the interface that reaches the JobManager.',
  }),
  taskManagerBindHost: option({
    key: 'taskmanager.bind-host', type: string, default: 'localhost',
    description: 'Interface that the TaskManager’s RPC and data ports listen on. `0.0.0.0` means all. '
      + 'Unlike Flink: without the key nothing listens beyond loopback.',
  }),
  taskManagerRpcPort: option({
    key: 'taskmanager.rpc.port', type: portRange, default: '0', since: '0.2',
    description: 'Port of the TaskManager’s RPC; a range serves several TaskManagers on one host. 0 lets the system choose.',
  }),
  taskManagerRpcBindPort: optional({
    key: 'taskmanager.rpc.bind-port', type: port, since: '0.2',
    description: 'Port that the RPC listens on when it differs from the advertised `taskmanager.rpc.port`.',
  }),
  taskManagerDataPort: option({
    key: 'taskmanager.data.port', type: port, default: '0', deprecated: ['taskmanager.network.server.port'],
    description: 'Port over which TaskManagers exchange records. 0 lets the system choose.',
  }),
  taskManagerDataBindPort: optional({
    key: 'taskmanager.data.bind-port', type: portRange, since: '0.2',
    description: 'Port that the data exchange listens on when it differs from the advertised `taskmanager.data.port`.',
  }),
  taskManagerResourceId: optional({
    key: 'taskmanager.resource-id', type: string,
    description: 'Name of the TaskManager. Unset: `<host>:<rpc port>-<6 hex digits>`.',
  }),
  taskManagerSlots: option({
    key: 'taskmanager.numberOfTaskSlots', type: int(1, 1024), default: '1',
    description: 'Task slots of a TaskManager. A slot is a worker thread: as many as the host has cores is a good start.',
  }),
  taskManagerRegistrationTimeout: option({
    key: 'taskmanager.registration.timeout', type: duration, default: '5 min',
    deprecated: ['taskmanager.maxRegistrationDuration'], since: '0.2',
    description: 'How long a TaskManager that never had a leader tries to register before it gives up and exits.',
  }),
  taskManagerIsolationTimeout: option({
    key: 'taskmanager.isolation.timeout', type: duration, default: '10 min', since: '0.3',
    description: 'How long a TaskManager goes on running tasks with neither a leader nor ZooKeeper in reach. '
      + 'Unlike Flink: replaces giving up at `taskmanager.registration.timeout`.',
  }),
  taskManagerLease: option({
    key: 'taskmanager.lease', type: boolean, default: 'false', since: '0.3',
    description: 'Strict mode: a TaskManager cancels its tasks before a leader may deploy them elsewhere, '
      + 'for sinks that cannot be fenced. Unlike Flink: Flink has no such mode.',
  }),
  taskManagerSlotTimeout: option({
    key: 'taskmanager.slot.timeout', type: duration, default: '10 s', since: '0.2',
    description: 'How long an allocated slot waits for its job before it is free again.',
  }),
  taskManagerExitOnFatal: option({
    key: 'taskmanager.jvm-exit-on-oom', type: boolean, default: 'true', since: '0.2',
    description: 'Exit when a slot runs out of heap, instead of replacing the slot’s worker alone.',
  }),
  taskManagerDebugMemoryLog: option({
    key: 'taskmanager.debug.memory.log', type: boolean, default: 'false', description: 'Log memory use periodically.', since: '0.5',
  }),
  taskManagerDebugMemoryLogInterval: option({
    key: 'taskmanager.debug.memory.log-interval', type: duration, default: '5 s', description: 'How often memory use is logged.',
    deprecated: ['taskmanager.debug.memory.logIntervalMs'], since: '0.5',
  }),
  taskCancellationInterval: option({
    key: 'task.cancellation.interval', type: duration, default: '30 s',
    description: 'Time between two attempts to interrupt a task that is being cancelled.',
  }),
  taskCancellationTimeout: option({
    key: 'task.cancellation.timeout', type: duration, default: '3 min',
    description: 'How long a cancelled task may go on. Then its slot’s worker is terminated and replaced. 0: never. '
      + 'Unlike Flink: the TaskManager survives.',
  }),
  heartbeatInterval: option({
    key: 'heartbeat.interval', type: duration, default: '2 s',
    description: 'Time between heartbeats. Unlike Flink: 2 s instead of 10 s, so that a lost host is noticed sooner.',
  }),
  heartbeatTimeout: option({
    key: 'heartbeat.timeout', type: duration, default: '6 s',
    description: 'Silence after which the other side counts as dead. Unlike Flink: 6 s instead of 50 s.',
  }),
  heartbeatRpcFailureThreshold: option({
    key: 'heartbeat.rpc-failure-threshold', type: int(-1), default: '2', since: '0.2',
    description: 'Failed heartbeat calls in a row after which the other side counts as dead. -1: only the timeout counts.',
  }),
  clusterRegistrationInitialTimeout: option({
    key: 'cluster.registration.initial-timeout', type: duration, default: '100 ms',
    description: 'Deadline of the first registration attempt; doubles up to `cluster.registration.max-timeout`.',
  }),
  clusterRegistrationMaxTimeout: option({
    key: 'cluster.registration.max-timeout', type: duration, default: '30 s', description: 'Longest deadline of a registration attempt.',
  }),
  clusterRegistrationErrorDelay: option({
    key: 'cluster.registration.error-delay', type: duration, default: '10 s',
    description: 'Longest pause after a registration attempt that failed.',
  }),
  clusterRegistrationRefusedDelay: option({
    key: 'cluster.registration.refused-registration-delay', type: duration, default: '30 s',
    description: 'Pause after a registration that was refused.',
  }),
  clusterServicesShutdownTimeout: option({
    key: 'cluster.services.shutdown-timeout', type: duration, default: '30 s', since: '0.2',
    description: 'How long an orderly shutdown may take.',
  }),
  clusterId: optional({
    key: 'cluster.id', type: string, since: '0.4',
    description: 'A name for this cluster; a process of another name is refused.',
  }),
  evenlySpreadOutSlots: option({
    key: 'cluster.evenly-spread-out-slots', type: boolean, default: 'false',
    description: 'Spread tasks over all TaskManagers instead of filling one after the other.',
  }),
  slotRequestTimeout: option({
    key: 'slot.request.timeout', type: duration, default: '5 min', deprecated: ['slotmanager.request-timeout'],
    description: 'How long a job waits for slots before it fails with `NoResourceAvailableException`.',
  }),
  slotIdleTimeout: optional({
    key: 'slot.idle.timeout', type: duration, since: '0.2',
    description: 'How long a job keeps a slot that it does not use. Unset: `heartbeat.timeout`.',
  }),
  slotManagerRequirementCheckDelay: option({
    key: 'slotmanager.requirement-check.delay', type: duration, default: '50 ms', since: '0.2',
    description: 'How long slot requests are gathered before they are matched with free slots.',
  }),
  slotManagerMaxSlots: option({
    key: 'slotmanager.number-of-slots.max', type: int(1), default: '2147483647', since: '0.2',
    description: 'Most slots the cluster accepts.',
  }),
  resourceManagerStartUpTime: optional({
    key: 'resourcemanager.standalone.start-up-time', type: duration, since: '0.2',
    description: 'While the cluster is younger, requests wait for TaskManagers; later, what cannot be fulfilled fails at once. '
      + 'Unset: `slot.request.timeout`.',
  }),
  resourceManagerJobTimeout: option({
    key: 'resourcemanager.job.timeout', type: duration, default: '5 min', since: '0.2',
    description: 'How long a job may be without a JobMaster.',
  }),
  rpcAskTimeout: option({
    key: 'pekko.ask.timeout', type: duration, default: '10 s', deprecated: ['akka.ask.timeout'],
    description: 'Deadline of a call between the processes of the cluster.',
  }),
  rpcFrameSize: option({
    key: 'pekko.framesize', type: memory, default: '10485760b', deprecated: ['akka.framesize'], since: '0.2',
    description: 'Largest message between the processes of the cluster.',
  }),
  blobServerPort: option({
    key: 'blob.server.port', type: portRange, default: '0', since: '0.3',
    description: 'Port or ports of the server that hands out job artifacts.',
  }),
  blobStorageDirectory: optional({
    key: 'blob.storage.directory', type: string, description: 'Directory for artifacts. Unset: below the first of `io.tmp.dirs`.',
  }),
  blobClientTimeout: option({
    key: 'blob.client.connect.timeout', type: duration, default: '10 s', since: '0.3',
    description: 'How long fetching an artifact may stall before the next attempt.',
  }),
  blobFetchRetries: option({
    key: 'blob.fetch.retries', type: int(0), default: '5', since: '0.3', description: 'Further attempts to fetch an artifact.',
  }),
  blobFetchConcurrent: option({
    key: 'blob.fetch.num-concurrent', type: int(1), default: '50', since: '0.3', description: 'Artifacts served at the same time.',
  }),
  blobFetchBacklog: ignored('blob.fetch.backlog', int(), 'artifacts are fetched over HTTP, whose queue the system bounds.'),
  blobCleanupInterval: option({
    key: 'blob.service.cleanup.interval', type: duration, default: '1 h', since: '0.3',
    description: 'How long artifacts that no job uses stay on a TaskManager. A plain number is in milliseconds.',
  }),
  tempDirectories: optional({
    key: 'io.tmp.dirs', type: list(','), deprecated: ['taskmanager.tmp.dirs', 'jobmanager.web.tmpdir'],
    description: 'Directories for temporary files, separated by commas. Unset: the system’s.',
  }),
  processWorkingDirectory: optional({
    key: 'process.working-dir', type: string,
    description: 'Directory that a process keeps its local files in. Unset: below the first of `io.tmp.dirs`.',
  }),
} as const;
