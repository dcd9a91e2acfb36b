/** The job's configuration as a task reads it. */
import { Configuration } from '../config/configuration.ts';
import { jobOptions } from '../config/job-options.ts';
import { stateOptions } from '../config/state-options.ts';
import type { JobGraph } from '../graph/job-graph.ts';

/** Parsed once per task. */
export interface TaskSettings {
  readonly codegen: boolean;
  readonly objectReuse: boolean;
  readonly freezeRecords: boolean;
  /** 0 flushes after every record, -1 only full buffers. */
  readonly bufferTimeoutMs: number;
  /** How often watermarks are emitted; 0: only with records. */
  readonly autoWatermarkIntervalMs: number;
  /** Barriers may overtake. */
  readonly unaligned: boolean;
  /** Null: as the TaskManager is configured. */
  readonly stateBackend: 'hashmap' | 'rocksdb' | null;
}

export function taskSettings(jobGraph: JobGraph): TaskSettings {
  const configuration = Configuration.of(jobGraph.configuration);
  return {
    codegen: configuration.get(jobOptions.codegen) === 'on',
    objectReuse: configuration.get(jobOptions.objectReuse),
    freezeRecords: configuration.get(jobOptions.freezeRecords),
    bufferTimeoutMs: configuration.get(jobOptions.bufferTimeoutEnabled) ? configuration.get(jobOptions.bufferTimeoutInterval) : -1,
    autoWatermarkIntervalMs: configuration.get(jobOptions.autoWatermarkInterval),
    unaligned: configuration.get(stateOptions.unalignedCheckpoints) && configuration.get(stateOptions.checkpointMode) === 'EXACTLY_ONCE',
    stateBackend: configuration.has(stateOptions.stateBackend) ? configuration.get(stateOptions.stateBackend) : null,
  };
}
