/** How a program wants its checkpoints: Flink's `CheckpointConfig`. Each setting is a configuration key of the job. */
import { planError } from '../graph/build-site.ts';
import { durationMs, type Duration } from './duration.ts';

/** What a recovery guarantees. At-least-once does not wait for barriers of other inputs. */
export type CheckpointingMode = 'exactly-once' | 'at-least-once';

/** What becomes of the newest checkpoints when the job is canceled or fails. When it finishes they go. */
export type CheckpointRetention = 'delete-on-cancellation' | 'retain-on-cancellation' | 'no-externalized-checkpoints';

/** Made by `env.checkpointConfig`. */
export class CheckpointConfig {
  private readonly configure: (key: string, value: string) => void;

  /** @internal */
  constructor(configure: (key: string, value: string) => void) {
    this.configure = configure;
  }

  /** Default `exactly-once`. */
  setCheckpointingMode(mode: CheckpointingMode): this {
    return this.set('mode', enumText(mode));
  }

  /** How long a checkpoint may take. Default 10 min. */
  setCheckpointTimeout(timeout: Duration): this {
    return this.set('timeout', `${durationMs(timeout, 'checkpointConfig.setCheckpointTimeout')} ms`);
  }

  /** From the end of one checkpoint to the next. Default 0. */
  setMinPauseBetweenCheckpoints(pause: Duration): this {
    return this.set('min-pause', `${durationMs(pause, 'checkpointConfig.setMinPauseBetweenCheckpoints')} ms`);
  }

  /** Checkpoints in progress at once. Default 1. */
  setMaxConcurrentCheckpoints(count: number): this {
    return this.set('max-concurrent-checkpoints', whole(count, 1, 'checkpointConfig.setMaxConcurrentCheckpoints'));
  }

  /** Failed checkpoints in a row that the job survives. Default 0. */
  setTolerableCheckpointFailureNumber(count: number): this {
    return this.set('tolerable-failed-checkpoints', whole(count, 0, 'checkpointConfig.setTolerableCheckpointFailureNumber'));
  }

  /** Directory of the checkpoints; without one they live in the JobManager's memory. */
  setCheckpointDirectory(directory: string): this {
    return this.set('dir', directory);
  }

  /** Default `no-externalized-checkpoints`. */
  setExternalizedCheckpointRetention(retention: CheckpointRetention): this {
    return this.set('externalized-checkpoint-retention', enumText(retention));
  }

  /** Completed checkpoints that are kept. Default 1. */
  setRetainedCheckpoints(count: number): this {
    return this.set('num-retained', whole(count, 1, 'checkpointConfig.setRetainedCheckpoints'));
  }

  private set(name: string, value: string): this {
    this.configure(`execution.checkpointing.${name}`, value);
    return this;
  }
}

/** `at-least-once` is `AT_LEAST_ONCE` in the configuration. */
function enumText(value: string): string {
  return value.toUpperCase().replaceAll('-', '_');
}

function whole(count: number, min: number, option: string): string {
  if (Number.isSafeInteger(count) && count >= min) return String(count);
  throw planError(`${option}: ${count} is not a whole number of at least ${min}`);
}
