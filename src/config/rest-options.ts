/** Options of the REST endpoint, the dashboard, the command line client and the history server. */
import { ignored, option, optional } from './option.ts';
import { boolean, duration, int, list, memory, port, portRange, string } from './value-types.ts';

/** `rest.*`, `web.*`, `client.*` and `historyserver.*`. */
export const restOptions = {
  restAddress: optional({
    key: 'rest.address', type: string, deprecated: ['web.address', 'jobmanager.web.address'],
    description: 'Address at which clients reach REST. Unset: `jobmanager.rpc.address`.',
  }),
  restBindAddress: optional({
    key: 'rest.bind-address', type: string,
    description: 'Interface that REST listens on. Unset: `localhost`. An address here is consent to serve it; '
      + 'a warning is logged beyond loopback when there is no authentication.',
  }),
  restPort: option({
    key: 'rest.port', type: port, default: '8081', deprecated: ['web.port', 'jobmanager.web.port'],
    description: 'Port that clients connect to, and that REST listens on unless `rest.bind-port` is set.',
  }),
  restBindPort: optional({
    key: 'rest.bind-port', type: portRange,
    description: 'Ports that REST tries to listen on, the first free one wins. Unset: `rest.port`. Wins over the port in `masters`.',
  }),
  restUrlPrefix: option({
    key: 'rest.url-prefix', type: string, default: '/', since: '0.5',
    description: 'Path in front of every call of the client, for a proxy.',
  }),
  restConnectionTimeout: option({
    key: 'rest.connection-timeout', type: duration, default: '15 s', since: '0.5', description: 'How long a client waits for a connection.',
  }),
  restIdlenessTimeout: option({
    key: 'rest.idleness-timeout', type: duration, default: '5 min', since: '0.5', description: 'How long a connection may idle.',
  }),
  restAwaitLeaderTimeout: option({
    key: 'rest.await-leader-timeout', type: duration, default: '30 s', since: '0.3', description: 'How long a client waits for a leader.',
  }),
  restRetryMaxAttempts: option({
    key: 'rest.retry.max-attempts', type: int(0), default: '20', since: '0.3',
    description: 'Further attempts of a retriable call of the client.',
  }),
  restRetryDelay: option({
    key: 'rest.retry.delay', type: duration, default: '3 s', since: '0.3', description: 'Pause between those attempts.',
  }),
  restMaxContentLength: option({
    key: 'rest.server.max-content-length', type: memory, default: '104857600b',
    description: 'Largest request body. Uploads are streamed to disk and not bound by it. A plain number is in bytes.',
  }),
  restClientMaxContentLength: option({
    key: 'rest.client.max-content-length', type: memory, default: '104857600b', since: '0.5',
    description: 'Largest answer a client accepts.',
  }),
  restServerThreads: ignored('rest.server.numThreads', int(), 'one event loop serves all connections.'),
  restServerThreadPriority: ignored('rest.server.thread-priority', int(), 'Node.js has no thread priorities.'),
  restAsyncStoreDuration: option({
    key: 'rest.async.store-duration', type: duration, default: '5 min', since: '0.2',
    description: 'How long the result of an asynchronous operation can be asked for.',
  }),
  restCheckpointStatisticsTimeout: option({
    key: 'rest.cache.checkpoint-statistics.timeout', type: duration, default: '3 s', since: '0.2',
    description: 'How long checkpoint statistics are served from the cache.',
  }),
  restCheckpointStatisticsSize: option({
    key: 'rest.cache.checkpoint-statistics.size', type: int(1), default: '1000', since: '0.2',
    description: 'Checkpoints whose statistics are cached.',
  }),
  restFlameGraphEnabled: option({
    key: 'rest.flamegraph.enabled', type: boolean, default: 'false', since: '0.5', description: 'Serve flame graphs.',
  }),
  restProfilingEnabled: option({
    key: 'rest.profiling.enabled', type: boolean, default: 'false', since: '0.5', description: 'Serve the profiler.',
  }),
  restProfilingHistorySize: option({
    key: 'rest.profiling.history-size', type: int(1), default: '10', since: '0.5', description: 'Profiles that are kept.',
  }),
  restProfilingDurationMax: option({
    key: 'rest.profiling.duration-max', type: duration, default: '5 min', since: '0.5', description: 'Longest profile.',
  }),
  webSubmitEnable: option({
    key: 'web.submit.enable', type: boolean, default: 'true', deprecated: ['jobmanager.web.submit.enable'],
    description: 'Allow jobs to be uploaded and run through REST and the dashboard.',
  }),
  webCancelEnable: option({
    key: 'web.cancel.enable', type: boolean, default: 'true', description: 'Allow jobs to be cancelled from the dashboard.',
  }),
  webRescaleEnable: option({
    key: 'web.rescale.enable', type: boolean, default: 'true', description: 'Allow jobs to be rescaled from the dashboard.',
  }),
  webUploadDir: optional({
    key: 'web.upload.dir', type: string, deprecated: ['jobmanager.web.upload.dir'],
    description: 'Directory for uploaded job files. Unset: below `web.tmpdir`.',
  }),
  webTempDir: optional({
    key: 'web.tmpdir', type: string, since: '0.5',
    description: 'Directory for the endpoint’s temporary files. Unset: the first of `io.tmp.dirs`.',
  }),
  webLogPath: optional({
    key: 'web.log.path', type: string, deprecated: ['jobmanager.web.log.path'], since: '0.5',
    description: 'The JobManager’s log file, for the dashboard. Unset: the file that the process logs to.',
  }),
  webRefreshInterval: option({
    key: 'web.refresh-interval', type: duration, default: '3 s', deprecated: ['jobmanager.web.refresh-interval'],
    description: 'How often the dashboard refreshes, and how long job data may be served from the cache. A plain number is in '
      + 'milliseconds.',
  }),
  webTimeout: option({
    key: 'web.timeout', type: duration, default: '10 min', since: '0.5', description: 'Deadline of what a request asks of the cluster.',
  }),
  webHistory: option({
    key: 'web.history', type: int(0), default: '5', deprecated: ['jobmanager.web.history'], since: '0.5',
    description: 'Finished jobs that the dashboard lists first.',
  }),
  webCheckpointsHistory: option({
    key: 'web.checkpoints.history', type: int(1), default: '10', deprecated: ['jobmanager.web.checkpoints.history'],
    description: 'Checkpoints whose details are kept.',
  }),
  webExceptionHistorySize: option({
    key: 'web.exception-history-size', type: int(0), default: '16', description: 'Failures of a job that are kept.',
  }),
  webAccessControlAllowOrigin: option({
    key: 'web.access-control-allow-origin', type: string, default: '*', deprecated: ['jobmanager.web.access-control-allow-origin'],
    since: '0.5', description: 'Value of `Access-Control-Allow-Origin` on every answer.',
  }),
  clientTimeout: option({
    key: 'client.timeout', type: duration, default: '1 min', deprecated: ['akka.client.timeout'],
    description: 'Deadline of a call of the client.',
  }),
  clientRetryPeriod: option({
    key: 'client.retry-period', type: duration, default: '2 s', since: '0.5',
    description: 'How often an attached client asks for the job’s state.',
  }),
  clientHeartbeatInterval: option({
    key: 'client.heartbeat.interval', type: duration, default: '30 s', since: '0.2',
    description: 'How often an attached client shows that it is alive.',
  }),
  clientHeartbeatTimeout: option({
    key: 'client.heartbeat.timeout', type: duration, default: '3 min', since: '0.2',
    description: 'Silence of an attached client after which its job is cancelled, when it asked for that.',
  }),
  historyServerArchiveDir: optional({
    key: 'historyserver.archive.fs.dir', type: list(','), since: '0.5', description: 'Directories that the history server watches.',
  }),
  historyServerRefreshInterval: option({
    key: 'historyserver.archive.fs.refresh-interval', type: duration, default: '10 s', since: '0.5', description: 'How often it looks.',
  }),
  historyServerCleanExpired: option({
    key: 'historyserver.archive.clean-expired-jobs', type: boolean, default: 'false', since: '0.5',
    description: 'Forget jobs whose archive is gone.',
  }),
  historyServerRetainedJobs: option({
    key: 'historyserver.archive.retained-jobs', type: int(-1), default: '-1', since: '0.5',
    description: 'Archives that are kept; -1 keeps all.',
  }),
  historyServerAddress: optional({
    key: 'historyserver.web.address', type: string, since: '0.5', description: 'Interface that the history server listens on.',
  }),
  historyServerPort: option({
    key: 'historyserver.web.port', type: port, default: '8082', since: '0.5', description: 'Port of the history server.',
  }),
  historyServerTempDir: optional({
    key: 'historyserver.web.tmpdir', type: string, since: '0.5', description: 'Directory for its files.',
  }),
  historyServerRefresh: option({
    key: 'historyserver.web.refresh-interval', type: duration, default: '10 s', since: '0.5',
    description: 'How often its dashboard refreshes.',
  }),
  historyServerLogUrl: optional({
    key: 'historyserver.log.<process>.url-pattern', type: string, since: '0.5',
    description: 'Where the logs of archived jobs are. `<process>` is `jobmanager` or `taskmanager`.',
  }),
} as const;
