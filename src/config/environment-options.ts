/** Options of the processes' surroundings: logs, pid files, SSH, encryption, file systems, and foreign deployments. */
import { ignored, option, optional } from './option.ts';
import { boolean, duration, enumeration, int, list, string } from './value-types.ts';

const NO_JVM = 'there is no JVM; use `env.node.opts`.';
const OTHER_DEPLOYMENT = 'Drey runs standalone.';

/** `env.*`, `security.*`, `fs.*`, `table.*`, `sql-*` and what belongs to deployments that Drey does not have. */
export const environmentOptions = {
  logDir: optional({
    key: 'env.log.dir', type: string, description: 'Directory of log files. `FLINK_LOG_DIR` wins. Unset: `log` beside `bin`.',
  }),
  logFilesMax: option({
    key: 'env.log.max', type: int(1, 1000), default: '10', description: 'Old log files that are kept. `MAX_LOG_FILE_NUMBER` wins.',
  }),
  logLevel: option({
    key: 'env.log.level', type: enumeration(['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR']), default: 'INFO',
    description: 'Level of the root logger. `ROOT_LOG_LEVEL` wins.',
  }),
  pidDir: option({
    key: 'env.pid.dir', type: string, default: '/tmp', description: 'Directory of pid files. `FLINK_PID_DIR` wins.',
  }),
  sshOptions: optional({
    key: 'env.ssh.opts', type: string, since: '0.4',
    description: 'Arguments of `ssh` in the scripts. `FLINK_SSH_OPTS` wins.',
  }),
  redirectOutput: option({
    key: 'env.stdout-err.redirect-to-file', type: boolean, default: 'false', since: '0.4',
    description: 'Write what a process in the foreground prints to its `.out` and `.err` files.',
  }),
  nodeOptions: optional({
    key: 'env.node.opts', type: string,
    description: 'Arguments of `node` for every process. Unlike Flink: takes the place of `env.java.opts`.',
  }),
  hadoopConfDir: optional({
    key: 'env.hadoop.conf.dir', type: string, since: '0.3',
    description: 'Directory of `core-site.xml` and `hdfs-site.xml`. `HADOOP_CONF_DIR` wins.',
  }),
  yarnConfDir: ignored('env.yarn.conf.dir', string, OTHER_DEPLOYMENT),
  hbaseConfDir: ignored('env.hbase.conf.dir', string, 'there is no HBase connector.'),
  javaHome: ignored('env.java.home', string, NO_JVM),
  javaOptions: ignored('env.java.opts', string, NO_JVM),
  javaOptionsOf: ignored('env.java.opts.<process>', string, NO_JVM),
  javaDefaultOptions: ignored('env.java.default-opts.<process>', string, NO_JVM),
  fileSystemDefault: optional({
    key: 'fs.default-scheme', type: string, since: '0.3', description: 'Scheme and authority of paths that have none. Unset: local files.',
  }),
  fileSystemOverwrite: option({
    key: 'fs.overwrite-files', type: boolean, default: 'false', since: '0.2',
    description: 'Let file sinks replace files of an earlier run.',
  }),
  hadoopConf: optional({
    key: 'fs.hdfs.hadoopconf', type: string, since: '0.3', description: 'Directory of `core-site.xml` and `hdfs-site.xml`.',
  }),
  webHdfs: optional({
    key: 'fs.webhdfs.<...>', type: string, since: '0.3',
    description: 'Name nodes and users of HDFS when there is no `hdfs-site.xml`. Unlike Flink: HDFS is spoken over HTTP.',
  }),
  fileSystemOther: optional({ key: 'fs.<scheme>.<...>', type: string, since: '0.3', description: 'Settings of one file system.' }),
  internalSslEnabled: option({
    key: 'security.ssl.internal.enabled', type: boolean, default: 'false', since: '0.4', deprecated: ['security.ssl.enabled'],
    description: 'Encrypt and mutually authenticate what passes between the processes.',
  }),
  restSslEnabled: option({
    key: 'security.ssl.rest.enabled', type: boolean, default: 'false', since: '0.4', description: 'Serve REST over HTTPS.',
  }),
  restSslAuthentication: option({
    key: 'security.ssl.rest.authentication-enabled', type: boolean, default: 'false', since: '0.4',
    description: 'Ask REST clients for a certificate.',
  }),
  sslProtocol: option({ key: 'security.ssl.protocol', type: string, default: 'TLSv1.2', since: '0.4', description: 'Oldest TLS version.' }),
  sslAlgorithms: optional({ key: 'security.ssl.algorithms', type: list(','), since: '0.4', description: 'Cipher suites.' }),
  sslVerifyHostname: option({
    key: 'security.ssl.verify-hostname', type: boolean, default: 'true', since: '0.4', description: 'Check host names of certificates.',
  }),
  sslOther: optional({
    key: 'security.ssl.<...>', type: string, since: '0.4', description: 'Key stores, trust stores, their passwords and tuning.',
  }),
  allowRemoteSubmit: option({
    key: 'security.insecure.allow-remote-submit', type: boolean, default: 'false', since: '0.4',
    description: 'Accept jobs on an address beyond loopback although nobody is authenticated. A job is code. Unlike Flink: asked for.',
  }),
  kerberos: optional({
    key: 'security.kerberos.<...>', type: string, since: '0.3', description: 'Kerberos login; only delegation tokens are supported.',
  }),
  delegationTokens: optional({
    key: 'security.delegation.<...>', type: string, since: '0.3', description: 'Delegation tokens.',
  }),
  securityModules: ignored('security.module.factory.classes', list(';'), 'there are no classes to load.'),
  securityContext: ignored('security.context.factory.classes', list(';'), 'there are no classes to load.'),
  classLoaderResolveOrder: ignored('classloader.resolve-order', string, 'a job is one bundled module.'),
  classLoaderOther: ignored('classloader.<...>', string, 'a job is one bundled module.'),
  queryableState: ignored('queryable-state.<...>', string, 'queryable state, deprecated in Flink, does not exist here.'),
  rpcTuning: ignored('pekko.<...>', string, 'Drey’s RPC is not Pekko.'),
  rpcTuningOld: ignored('akka.<...>', string, 'Drey’s RPC is not Akka.'),
  networkTuning: ignored('taskmanager.network.netty.<...>', string, 'the data exchange is not Netty.'),
  networkRequestBackoff: ignored(
    'taskmanager.network.request-backoff.<...>', duration, 'partitions are announced before they are asked for.',
  ),
  networkCompression: ignored('taskmanager.network.<...>', string, 'Drey’s data exchange has no such knob.'),
  computeNuma: ignored('taskmanager.compute.numa', boolean, 'start one TaskManager per node with `numactl` instead.'),
  externalResources: ignored('external-resources', list(';'), 'a slot has no external resources.'),
  zooKeeperHeap: optional({
    key: 'zookeeper.heap.mb', type: int(1), since: '0.4',
    description: 'Heap of a ZooKeeper that the scripts start, in MiB.',
  }),
  sqlGateway: optional({ key: 'sql-gateway.<...>', type: string, since: '0.5', description: 'The SQL gateway.' }),
  sqlClient: optional({ key: 'sql-client.<...>', type: string, since: '0.5', description: 'The SQL client.' }),
  table: optional({ key: 'table.<...>', type: string, since: '0.5', description: 'The Table API and SQL.' }),
  kubernetes: ignored('kubernetes.<...>', string, OTHER_DEPLOYMENT),
  yarn: ignored('yarn.<...>', string, OTHER_DEPLOYMENT),
  python: ignored('python.<...>', string, 'there are no Python functions.'),
  userArtifacts: ignored('user.artifacts.<...>', string, OTHER_DEPLOYMENT),
} as const;
