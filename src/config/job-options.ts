/** Options of jobs: how a program becomes a plan, how it runs, and when it starts again. */
import { ignored, option, optional } from './option.ts';
import { boolean, double, duration, enumeration, int, list, map, string } from './value-types.ts';

/** `parallelism.*`, `pipeline.*`, `execution.*` without checkpoints, and `restart-strategy.*`. */
export const jobOptions = {
  parallelism: option({
    key: 'parallelism.default', type: int(1, 32768), default: '1', description: 'Parallelism of jobs that name none.',
  }),
  pipelineName: optional({
    key: 'pipeline.name', type: string, description: 'Name of the job. Wins over the name in the program.',
  }),
  maxParallelism: option({
    key: 'pipeline.max-parallelism', type: int(-1, 32768), default: '-1',
    description: 'Number of key groups, and so the highest parallelism that state can be rescaled to. -1: derived from the parallelism.',
  }),
  objectReuse: option({
    key: 'pipeline.object-reuse', type: boolean, default: 'true',
    description: 'Pass references between chained operators; `false` inserts a copy. Unlike Flink: `true` unless set.',
  }),
  codegen: option({
    key: 'pipeline.codegen', type: enumeration(['on', 'off']), default: 'on',
    description: 'Run each chain of operators as one generated function; `off` interprets the operators, for comparison. '
      + 'Unlike Flink: there the JIT compiler inlines.',
  }),
  freezeRecords: option({
    key: 'pipeline.freeze-records', type: boolean, default: 'false',
    description: 'Freeze records between operators, so that a function that changes a record it was given fails where it does so. '
      + 'Unlike Flink: a development aid.',
  }),
  operatorChaining: option({
    key: 'pipeline.operator-chaining.enabled', type: boolean, default: 'true', deprecated: ['pipeline.operator-chaining'],
    description: 'Fuse neighbouring operators into one task.',
  }),
  chainDifferentMaxParallelism: option({
    key: 'pipeline.operator-chaining.chain-operators-with-different-max-parallelism', type: boolean, default: 'true',
    description: 'Fuse operators whose maximum parallelism differs.',
  }),
  genericTypes: option({
    key: 'pipeline.generic-types', type: boolean, default: 'true',
    description: 'Allow records without a type descriptor; `false` makes them an error, so that none is encoded slowly by accident.',
  }),
  autoGenerateUids: option({
    key: 'pipeline.auto-generate-uids', type: boolean, default: 'true',
    description: 'Derive missing operator ids from the plan; `false` makes a missing `uid` an error.',
  }),
  autoWatermarkInterval: option({
    key: 'pipeline.auto-watermark-interval', type: duration, default: '200 ms',
    description: 'How often watermarks are emitted; `0` emits only those that a generator makes with a record.',
  }),
  unalignedSourceSplits: option({
    key: 'pipeline.watermark-alignment.allow-unaligned-source-splits', type: boolean, default: 'false', since: '0.2',
    description: 'Align only whole sources when one of them cannot pause single splits.',
  }),
  globalJobParameters: optional({
    key: 'pipeline.global-job-parameters', type: map, since: '0.2',
    description: 'Parameters that every function sees and the dashboard shows.',
  }),
  cachedFiles: optional({
    key: 'pipeline.cached-files', type: list(';'), since: '0.2',
    description: 'Files copied to every TaskManager: `name:a,path:…;name:b,path:…`.',
  }),
  pipelineJars: ignored('pipeline.jars', list(';'), 'a job is one bundled module; its dependencies are inside.'),
  pipelineClasspaths: ignored('pipeline.classpaths', list(';'), 'there is no class path; dependencies are bundled.'),
  kryoRegistration: ignored('pipeline.registered-kryo-types', list(';'), 'there is no Kryo; declare types with `t.*`.'),
  pojoRegistration: ignored('pipeline.registered-pojo-types', list(';'), 'there are no POJOs; declare types with `t.*`.'),
  forceAvro: ignored('pipeline.force-avro', boolean, 'types are declared with `t.*`.'),
  forceKryo: ignored('pipeline.force-kryo', boolean, 'types are declared with `t.*`.'),
  jobExternals: optional({
    key: 'job.externals', type: list(','),
    description: 'Packages that the client leaves out of a job’s bundle and the cluster provides, such as native addons. '
      + 'Unlike Flink: there are no JAR files.',
  }),
  runtimeMode: option({
    key: 'execution.runtime-mode', type: enumeration(['STREAMING', 'BATCH', 'AUTOMATIC']), default: 'STREAMING', since: '0.2',
    description: 'How bounded inputs are treated.',
  }),
  bufferTimeoutEnabled: option({
    key: 'execution.buffer-timeout.enabled', type: boolean, default: 'true',
    description: 'Send buffers that are not full after a while.',
  }),
  bufferTimeoutInterval: option({
    key: 'execution.buffer-timeout.interval', type: duration, default: '100 ms', deprecated: ['execution.buffer-timeout'],
    description: 'Longest time that a record waits in a buffer. 0 sends every record at once.',
  }),
  executionTarget: optional({
    key: 'execution.target', type: string,
    description: 'Where `bin/flink run` runs a job (`-t`): `remote`, or `local` for a cluster in its own process. Unset: `remote`.',
  }),
  attached: option({
    key: 'execution.attached', type: boolean, default: 'false', since: '0.2', description: 'Whether the client waits for the job’s end.',
  }),
  shutdownOnAttachedExit: option({
    key: 'execution.shutdown-on-attached-exit', type: boolean, default: 'false', since: '0.2',
    description: 'Cancel the job when its attached client ends (`-sae`).',
  }),
  batchShuffleMode: option({
    key: 'execution.batch-shuffle-mode', type: string, default: 'ALL_EXCHANGES_BLOCKING', since: '0.2',
    description: 'How bounded jobs exchange data between stages.',
  }),
  startFromSavepoint: optional({
    key: 'execution.state-recovery.path', type: string, deprecated: ['execution.savepoint.path'],
    description: 'Savepoint or retained checkpoint that the job starts from (`-s`).',
  }),
  allowNonRestoredState: option({
    key: 'execution.state-recovery.ignore-unclaimed-state', type: boolean, default: 'false',
    deprecated: ['execution.savepoint.ignore-unclaimed-state'],
    description: 'Start although the savepoint holds state that no operator claims (`-n`).',
  }),
  claimMode: option({
    key: 'execution.state-recovery.claim-mode', type: enumeration(['NO_CLAIM', 'CLAIM', 'LEGACY']), default: 'NO_CLAIM',
    deprecated: ['execution.savepoint-restore-mode'],
    description: 'Who owns the files that the job started from (`-rm`).',
  }),
  restartStrategy: optional({
    key: 'restart-strategy.type', deprecated: ['restart-strategy'],
    type: enumeration(['none', 'fixed-delay', 'failure-rate', 'exponential-delay'], { off: 'none', disable: 'none' }),
    description: 'When a failed job starts again. Unset: never without checkpoints, `exponential-delay` with them.',
  }),
  fixedDelayAttempts: option({
    key: 'restart-strategy.fixed-delay.attempts', type: int(0), default: '1', description: 'Restarts before the job fails.',
  }),
  fixedDelay: option({
    key: 'restart-strategy.fixed-delay.delay', type: duration, default: '1 s', description: 'Pause before each restart.',
  }),
  failureRateMax: option({
    key: 'restart-strategy.failure-rate.max-failures-per-interval', type: int(0), default: '1',
    description: 'Failures within the interval that the job survives.',
  }),
  failureRateInterval: option({
    key: 'restart-strategy.failure-rate.failure-rate-interval', type: duration, default: '1 min',
    description: 'The interval in which failures are counted.',
  }),
  failureRateDelay: option({
    key: 'restart-strategy.failure-rate.delay', type: duration, default: '1 s', description: 'Pause before each restart.',
  }),
  exponentialInitialBackoff: option({
    key: 'restart-strategy.exponential-delay.initial-backoff', type: duration, default: '1 s', description: 'First pause.',
  }),
  exponentialMaxBackoff: option({
    key: 'restart-strategy.exponential-delay.max-backoff', type: duration, default: '1 min', description: 'Longest pause.',
  }),
  exponentialMultiplier: option({
    key: 'restart-strategy.exponential-delay.backoff-multiplier', type: double, default: '1.5',
    description: 'Factor from one pause to the next.',
  }),
  exponentialJitter: option({
    key: 'restart-strategy.exponential-delay.jitter-factor', type: double, default: '0.1',
    description: 'Share of the pause that chance adds or takes away.',
  }),
  exponentialResetThreshold: option({
    key: 'restart-strategy.exponential-delay.reset-backoff-threshold', type: duration, default: '1 h',
    description: 'Time without failure after which the pause is the first one again.',
  }),
  exponentialAttempts: optional({
    key: 'restart-strategy.exponential-delay.attempts-before-reset-backoff', type: int(1),
    description: 'Failures in a row that fail the job. Unset: it never gives up.',
  }),
} as const;
