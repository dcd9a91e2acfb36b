/** Options of metrics and traces, reporters included. */
import { ignored, option, optional } from './option.ts';
import { boolean, duration, enumeration, int, list, map, portRange, string } from './value-types.ts';

const since = '0.5';

/** `metrics.*` and `traces.*`. */
export const metricOptions = {
  metricReporters: optional({
    key: 'metrics.reporters', type: list(','), since, description: 'Names of the reporters to start. Unset: all that are configured.',
  }),
  reporterFactory: optional({
    key: 'metrics.reporter.<name>.factory.class', type: string, deprecated: ['metrics.reporter.<name>.class'], since,
    description: 'Kind of the reporter, by the name of Flink’s class, for example '
      + '`org.apache.flink.metrics.prometheus.PrometheusReporterFactory`.',
  }),
  reporterInterval: optional({
    key: 'metrics.reporter.<name>.interval', type: duration, since,
    description: 'How often a reporter that pushes does so; 10 s when unset.',
  }),
  reporterDelimiter: optional({
    key: 'metrics.reporter.<name>.scope.delimiter', type: string, since, description: 'Between the parts of an identifier.',
  }),
  reporterVariablesExcludes: optional({
    key: 'metrics.reporter.<name>.scope.variables.excludes', type: list(';'), since, description: 'Variables that are left out.',
  }),
  reporterVariablesAdditional: optional({
    key: 'metrics.reporter.<name>.scope.variables.additional', type: map, since, description: 'Variables that are added.',
  }),
  reporterFilterIncludes: optional({
    key: 'metrics.reporter.<name>.filter.includes', type: list(';'), since,
    description: 'Metrics to report: `<scope>[:<names>[:<types>]]`.',
  }),
  reporterFilterExcludes: optional({
    key: 'metrics.reporter.<name>.filter.excludes', type: list(';'), since, description: 'Metrics to leave out; wins over includes.',
  }),
  reporterPort: optional({
    key: 'metrics.reporter.<name>.port', type: portRange, since,
    description: 'Port that the reporter serves or sends to. A range serves several processes on one host: the first free port wins.',
  }),
  reporterOther: optional({
    key: 'metrics.reporter.<name>.<...>', type: string, since,
    description: 'What else the reporter knows: `host`, `hostUrl`, `jobName` and so on.',
  }),
  fetcherUpdateInterval: option({
    key: 'metrics.fetcher.update-interval', type: duration, default: '10 s', since,
    description: 'How old metrics in REST may be. 0 switches them off.',
  }),
  queryServicePort: option({
    key: 'metrics.internal.query-service.port', type: portRange, default: '0', since,
    description: 'Accepted for compatibility. Metrics travel over the RPC port.',
  }),
  queryServicePriority: ignored('metrics.internal.query-service.thread-priority', int(), 'Node.js has no thread priorities.'),
  jobStatusMetrics: option({
    key: 'metrics.job.status.enable', type: list(','), default: 'CURRENT_TIME', since,
    description: 'Which forms each job status is reported in: `STATE`, `CURRENT_TIME`, `TOTAL_TIME`.',
  }),
  latencyInterval: option({
    key: 'metrics.latency.interval', type: duration, default: '0 ms', since,
    description: 'How often sources send latency markers. 0: never.',
  }),
  latencyGranularity: option({
    key: 'metrics.latency.granularity', type: enumeration(['single', 'operator', 'subtask']), default: 'operator', since,
    description: 'How finely latency is told apart.',
  }),
  latencyHistorySize: option({
    key: 'metrics.latency.history-size', type: int(1), default: '128', since, description: 'Samples of each latency.',
  }),
  systemResource: option({
    key: 'metrics.system-resource', type: boolean, default: 'false', since, description: 'Report the host’s CPU, memory and network.',
  }),
  systemResourceInterval: option({
    key: 'metrics.system-resource-probing-interval', type: duration, default: '5 s', since, description: 'How often they are read.',
  }),
  detailedNetworkMetrics: option({
    key: 'taskmanager.network.detailed-metrics', type: boolean, default: 'false', since, description: 'Report the queues of every channel.',
  }),
  scopeDelimiter: option({
    key: 'metrics.scope.delimiter', type: string, default: '.', since, description: 'Between the parts of an identifier.',
  }),
  scopeJobManager: scope('metrics.scope.jm', '<host>.jobmanager'),
  scopeJobManagerJob: scope('metrics.scope.jm-job', '<host>.jobmanager.<job_name>', ['metrics.scope.jm.job']),
  scopeJobManagerOperator: scope('metrics.scope.jm-operator', '<host>.jobmanager.<job_name>.<operator_name>'),
  scopeTaskManager: scope('metrics.scope.tm', '<host>.taskmanager.<tm_id>'),
  scopeTaskManagerJob: scope('metrics.scope.tm-job', '<host>.taskmanager.<tm_id>.<job_name>', ['metrics.scope.tm.job']),
  scopeTask: scope('metrics.scope.task', '<host>.taskmanager.<tm_id>.<job_name>.<task_name>.<subtask_index>'),
  scopeOperator: scope('metrics.scope.operator', '<host>.taskmanager.<tm_id>.<job_name>.<operator_name>.<subtask_index>'),
  traceReporters: optional({
    key: 'traces.reporters', type: list(','), since, description: 'Names of the trace reporters to start.',
  }),
  traceReporter: optional({
    key: 'traces.reporter.<name>.<...>', type: string, since, description: 'A trace reporter’s `factory.class` and its own keys.',
  }),
  jmxServerPort: ignored('jmx.server.port', portRange, 'there is no JMX on Node.js.'),
} as const;

function scope(key: string, format: string, deprecated: readonly string[] = []) {
  return option({ key, type: string, default: format, deprecated, since, description: 'Format of the identifiers in this scope.' });
}
