/** Options of high availability: ZooKeeper, what is stored where, and what is cleaned up. */
import { ignored, option, optional } from './option.ts';
import { boolean, duration, enumeration, int, portRange, string } from './value-types.ts';

const since = '0.3';

/** `high-availability.*`, `zookeeper.*`, `job-result-store.*` and `cleanup-strategy.*`. */
export const highAvailabilityOptions = {
  highAvailability: option({
    key: 'high-availability.type', type: enumeration(['NONE', 'ZOOKEEPER']), default: 'NONE', since,
    deprecated: ['high-availability', 'recovery.mode'],
    description: 'Who elects the leading JobManager: nobody, or ZooKeeper.',
  }),
  highAvailabilityClusterId: option({
    key: 'high-availability.cluster-id', type: string, default: '/default', since,
    deprecated: ['high-availability.zookeeper.path.namespace', 'recovery.zookeeper.path.namespace'],
    description: 'Name of this cluster below `path.root` and in `storageDir`.',
  }),
  highAvailabilityStorageDir: optional({
    key: 'high-availability.storageDir', type: string, since,
    deprecated: ['high-availability.zookeeper.storageDir', 'recovery.zookeeper.storageDir'],
    description: 'Directory, for example `hdfs:///flink/ha/`, for job graphs, checkpoint pointers and artifacts. Required with ZooKeeper.',
  }),
  highAvailabilityJobManagerPort: option({
    key: 'high-availability.jobmanager.port', type: portRange, default: '0', deprecated: ['recovery.jobmanager.port'], since,
    description: 'Port of the JobManager’s RPC with high availability, instead of `jobmanager.rpc.port`.',
  }),
  zooKeeperQuorum: optional({
    key: 'high-availability.zookeeper.quorum', type: string, deprecated: ['recovery.zookeeper.quorum'], since,
    description: 'ZooKeeper servers, `host:port` separated by commas; blanks are ignored.',
  }),
  zooKeeperRoot: option({
    key: 'high-availability.zookeeper.path.root', type: string, default: '/flink', deprecated: ['recovery.zookeeper.path.root'], since,
    description: 'Root of all clusters’ nodes.',
  }),
  zooKeeperJobGraphs: option({
    key: 'high-availability.zookeeper.path.jobgraphs', type: string, default: '/jobgraphs', since,
    description: 'Where job graphs are, below the cluster.',
  }),
  zooKeeperRunningRegistry: ignored('high-availability.zookeeper.path.running-registry', string, 'Flink has not used it since 1.15.'),
  zooKeeperSessionTimeout: option({
    key: 'high-availability.zookeeper.client.session-timeout', type: duration, default: '10 s', since,
    deprecated: ['recovery.zookeeper.client.session-timeout'],
    description: 'Session that a process asks for. Unlike Flink: 10 s instead of 60 s, so that a dead leader is replaced sooner.',
  }),
  zooKeeperConnectionTimeout: option({
    key: 'high-availability.zookeeper.client.connection-timeout', type: duration, default: '15 s', since,
    description: 'How long connecting may take.',
  }),
  zooKeeperRetryWait: option({
    key: 'high-availability.zookeeper.client.retry-wait', type: duration, default: '5 s', since,
    description: 'First pause between attempts.',
  }),
  zooKeeperMaxRetries: option({
    key: 'high-availability.zookeeper.client.max-retry-attempts', type: int(0), default: '3', since, description: 'Further attempts.',
  }),
  zooKeeperAcl: option({
    key: 'high-availability.zookeeper.client.acl', type: enumeration(['open', 'creator']), default: 'open', since,
    description: 'Who may read and change the nodes.',
  }),
  zooKeeperTolerateSuspended: option({
    key: 'high-availability.zookeeper.client.tolerate-suspended-connections', type: boolean, default: 'false', since,
    description: 'Accepted for compatibility. Drey always goes on through a short disconnection and steps down on its own clock.',
  }),
  zooKeeperEnsembleTracker: option({
    key: 'high-availability.zookeeper.client.ensemble-tracker', type: boolean, default: 'true', since,
    description: 'Follow changes of the ensemble.',
  }),
  zooKeeperAuthorization: optional({
    key: 'high-availability.zookeeper.client.authorization', type: string, since,
    description: 'Digest credentials, `user:password`. Always masked when shown.',
  }),
  zooKeeperMaxCloseWait: optional({
    key: 'high-availability.zookeeper.client.max-close-wait', type: duration, since, description: 'How long closing a session may take.',
  }),
  zooKeeperSimulatedExpiration: ignored(
    'high-availability.zookeeper.client.simulated-session-expiration-percent', int(), 'Drey keeps its own watch over the session.',
  ),
  highAvailabilityJobDelay: ignored('high-availability.job.delay', duration, 'Flink has no use for it either.'),
  oldHighAvailabilityServices: ignored('high-availability.use-old-ha-services', boolean, 'there is one implementation.'),
  zooKeeperSaslDisable: option({
    key: 'zookeeper.sasl.disable', type: boolean, default: 'false', since,
    description: 'Never authenticate by SASL. Servers that demand SASL are refused with a message.',
  }),
  zooKeeperSaslServiceName: option({
    key: 'zookeeper.sasl.service-name', type: string, default: 'zookeeper', since, description: 'Kerberos service name of the servers.',
  }),
  zooKeeperSaslLoginContext: option({
    key: 'zookeeper.sasl.login-context-name', type: string, default: 'Client', since, description: 'Name of the login context.',
  }),
  jobResultStorePath: optional({
    key: 'job-result-store.storage-path', type: string, since,
    description: 'Directory of job results. Unset: `<storageDir>/job-result-store/<cluster-id>`.',
  }),
  jobResultStoreDeleteOnCommit: option({
    key: 'job-result-store.delete-on-commit', type: boolean, default: 'true', since,
    description: 'Delete a result once its job is cleaned up; `false` keeps it as `<job id>.json`.',
  }),
  cleanupStrategy: option({
    key: 'cleanup-strategy.type', since, default: 'exponential-delay', deprecated: ['cleanup-strategy'],
    type: enumeration(['exponential-delay', 'fixed-delay', 'none'], { disable: 'none', off: 'none' }),
    description: 'When a failed clean-up of a finished job is tried again.',
  }),
  cleanupFixedDelay: option({
    key: 'cleanup-strategy.fixed-delay.delay', type: duration, default: '1 min', since, description: 'Pause between attempts.',
  }),
  cleanupFixedAttempts: optional({
    key: 'cleanup-strategy.fixed-delay.attempts', type: int(1), since, description: 'Attempts. Unset: without end.',
  }),
  cleanupInitialBackoff: option({
    key: 'cleanup-strategy.exponential-delay.initial-backoff', type: duration, default: '1 s', since, description: 'First pause.',
  }),
  cleanupMaxBackoff: option({
    key: 'cleanup-strategy.exponential-delay.max-backoff', type: duration, default: '1 h', since, description: 'Longest pause.',
  }),
  cleanupAttempts: optional({
    key: 'cleanup-strategy.exponential-delay.attempts', type: int(1), since, description: 'Attempts. Unset: without end.',
  }),
} as const;
