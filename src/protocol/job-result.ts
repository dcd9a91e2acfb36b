/** How a job ended: what clients wait for and the JobResultStore keeps. Plain data. */
import type { AccumulatorValue } from './deployment.ts';
import type { ErrorInfo } from './errors.ts';
import type { JobId } from './ids.ts';

/** Exists only for globally terminal jobs. */
export interface JobResult {
  readonly jobId: JobId;
  readonly name: string;
  readonly status: 'FINISHED' | 'CANCELED' | 'FAILED';
  readonly startTimeMs: number;
  readonly endTimeMs: number;
  readonly accumulators: Readonly<Record<string, AccumulatorValue>>;
  /** Null unless FAILED. */
  readonly error: ErrorInfo | null;
}
