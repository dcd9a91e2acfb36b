/** Options of state and checkpoints. */
import { ignored, option, optional } from './option.ts';
import { boolean, duration, enumeration, int, memory, string } from './value-types.ts';

const since = '0.2';

/** `state.*` and `execution.checkpointing.*`. */
export const stateOptions = {
  stateBackend: option({
    key: 'state.backend.type', type: enumeration(['hashmap', 'rocksdb'], { filesystem: 'hashmap', jobmanager: 'hashmap' }),
    default: 'hashmap', deprecated: ['state.backend'],
    description: 'Where keyed state lives: on the heap, or in a store that spills to disk.',
  }),
  incrementalCheckpoints: option({
    key: 'execution.checkpointing.incremental', type: boolean, default: 'true', deprecated: ['state.backend.incremental'],
    description: 'Upload only what changed since the last checkpoint. Unlike Flink: on unless switched off, for every backend.',
  }),
  localRecovery: option({
    key: 'execution.state-recovery.from-local', type: boolean, default: 'false', deprecated: ['state.backend.local-recovery'],
    description: 'Restore from the copy of the last checkpoint on the TaskManager’s own disk, where there is one.',
  }),
  localBackup: optional({
    key: 'execution.checkpointing.local-backup.enabled', type: boolean,
    description: 'Keep a copy of the last checkpoint on the TaskManager’s own disk. Unset: as `execution.state-recovery.from-local`.',
  }),
  localRecoveryDirs: optional({
    key: 'execution.checkpointing.local-backup.dirs', type: string, deprecated: ['taskmanager.state.local.root-dirs'],
    description: 'Directories for those copies, separated by commas. Unset: in the working directory of the TaskManager.',
  }),
  latencyTracking: option({
    key: 'state.latency-track.keyed-state-enabled', type: boolean, default: 'false',
    deprecated: ['state.backend.latency-track.keyed-state-enabled'], since: '0.5',
    description: 'Measure how long accesses to keyed state take.',
  }),
  rocksDbLocalDirs: optional({
    key: 'state.backend.rocksdb.localdir', type: string, description: 'Directories of the `rocksdb` backend.',
  }),
  rocksDbManagedMemory: option({
    key: 'state.backend.rocksdb.memory.managed', type: boolean, default: 'true',
    description: 'Take caches and write buffers from managed memory.',
  }),
  rocksDbFixedMemory: optional({
    key: 'state.backend.rocksdb.memory.fixed-per-slot', type: memory, description: 'Fixed memory of a slot’s backend instead.',
  }),
  rocksDbTuning: ignored('state.backend.rocksdb.<...>', string, 'the store behind the `rocksdb` backend has other knobs.'),
  changelog: ignored('state.changelog.enabled', boolean, 'every checkpoint is incremental as it is.'),
  changelogTuning: ignored('state.changelog.<...>', string, 'every checkpoint is incremental as it is.'),
  checkpointStorage: optional({
    key: 'execution.checkpointing.storage', type: enumeration(['jobmanager', 'filesystem']),
    deprecated: ['state.checkpoint-storage'],
    description: 'Where checkpoints go. Unset: `filesystem` when `execution.checkpointing.dir` is set.',
  }),
  checkpointDir: optional({
    key: 'execution.checkpointing.dir', type: string, deprecated: ['state.checkpoints.dir'],
    description: 'Directory of checkpoints.',
  }),
  savepointDir: optional({
    key: 'execution.checkpointing.savepoint-dir', type: string,
    deprecated: ['state.savepoints.dir', 'savepoints.state.backend.fs.dir'],
    description: 'Directory of savepoints that name none.',
  }),
  createCheckpointSubDir: option({
    key: 'execution.checkpointing.create-subdir', type: boolean, default: 'true', deprecated: ['state.checkpoints.create-subdir'],
    description: 'Keep each job’s checkpoints in a directory named after its id.',
  }),
  retainedCheckpoints: option({
    key: 'execution.checkpointing.num-retained', type: int(1), default: '1', deprecated: ['state.checkpoints.num-retained'],
    description: 'Completed checkpoints that are kept.',
  }),
  smallStateThreshold: option({
    key: 'execution.checkpointing.data-inline-threshold', type: memory, default: '20 kb',
    deprecated: ['state.storage.fs.memory-threshold'],
    description: 'State up to this size is stored in the checkpoint’s metadata.',
  }),
  checkpointWriteBuffer: option({
    key: 'execution.checkpointing.write-buffer-size', type: memory, default: '4096b',
    deprecated: ['state.storage.fs.write-buffer-size'], since,
    description: 'Buffer of a checkpoint’s writer.',
  }),
  checkpointInterval: optional({
    key: 'execution.checkpointing.interval', type: duration, description: 'How often a checkpoint starts. Unset: never.',
  }),
  checkpointIntervalBacklog: optional({
    key: 'execution.checkpointing.interval-during-backlog', type: duration, since,
    description: 'The interval while a source works through a backlog. 0: no checkpoints meanwhile.',
  }),
  checkpointMode: option({
    key: 'execution.checkpointing.mode', type: enumeration(['EXACTLY_ONCE', 'AT_LEAST_ONCE']), default: 'EXACTLY_ONCE',
    description: 'What a recovery guarantees.',
  }),
  checkpointTimeout: option({
    key: 'execution.checkpointing.timeout', type: duration, default: '10 min', description: 'How long a checkpoint may take.',
  }),
  checkpointMinPause: option({
    key: 'execution.checkpointing.min-pause', type: duration, default: '0 ms', description: 'Pause between two checkpoints.',
  }),
  checkpointsConcurrent: option({
    key: 'execution.checkpointing.max-concurrent-checkpoints', type: int(1), default: '1',
    description: 'Checkpoints in progress at once.',
  }),
  checkpointTolerableFailures: option({
    key: 'execution.checkpointing.tolerable-failed-checkpoints', type: int(0), default: '0',
    description: 'Failed checkpoints in a row that the job survives.',
  }),
  checkpointRetention: option({
    key: 'execution.checkpointing.externalized-checkpoint-retention', default: 'NO_EXTERNALIZED_CHECKPOINTS',
    type: enumeration(['DELETE_ON_CANCELLATION', 'RETAIN_ON_CANCELLATION', 'NO_EXTERNALIZED_CHECKPOINTS']),
    description: 'What becomes of checkpoints when the job ends.',
  }),
  checkpointsAfterFinish: option({
    key: 'execution.checkpointing.checkpoints-after-tasks-finish', type: boolean, default: 'true',
    deprecated: ['execution.checkpointing.checkpoints-after-tasks-finish.enabled'],
    description: 'Go on with checkpoints when some tasks have finished.',
  }),
  unalignedCheckpoints: option({
    key: 'execution.checkpointing.unaligned.enabled', type: boolean, default: 'false',
    deprecated: ['execution.checkpointing.unaligned'],
    description: 'Let barriers overtake records; the overtaken records become part of the checkpoint.',
  }),
  forceUnalignedCheckpoints: option({
    key: 'execution.checkpointing.unaligned.forced', type: boolean, default: 'false', since,
    description: 'The same for plans in which it is risky.',
  }),
  alignedCheckpointTimeout: option({
    key: 'execution.checkpointing.aligned-checkpoint-timeout', type: duration, default: '0 ms',
    description: 'How long a checkpoint stays aligned before it turns unaligned.',
  }),
  fileMerging: ignored('execution.checkpointing.file-merging.<...>', string, 'Drey bounds the number of files by rebasing deltas.'),
} as const;
