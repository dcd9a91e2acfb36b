/**
 * The port to an in-process cluster, for `execute` and `executeAndCollect` outside of a `job()`. The entry point
 * of the package binds it; it is loaded on first use, since most processes that import the package never need it.
 */
import { ClusterError } from '../protocol/errors.ts';
import type { JobProgram } from '../graph/stream-graph.ts';

/** What a finished job leaves behind. */
export interface JobExecutionResult {
  readonly jobId: string;
  readonly netRuntimeMs: number;
  /** Counters as numbers, 64-bit sums as decimal text, histograms as counts by value. */
  readonly accumulators: Readonly<Record<string, number | string | Readonly<Record<string, number>>>>;
}

/** A job that runs in this process. */
export interface LocalJob {
  /** Records of the `collect` sink with this id, in the order of their arrival. May be read once. */
  collected(id: string): AsyncIterable<unknown>;
  /** Rejects with the job's failure, or when it was cancelled. */
  readonly result: Promise<JobExecutionResult>;
  /** Cancels the job if it still runs, and releases the cluster. Idempotent. */
  close(): Promise<void>;
}

/** Runs programs in this process. */
export interface LocalExecutor {
  submit(program: JobProgram, configuration: Readonly<Record<string, string>>): Promise<LocalJob>;
}

let loadExecutor: (() => Promise<LocalExecutor>) | null = null;

/** Says where the local executor comes from. The last call wins. */
export function bindLocalExecutor(load: () => Promise<LocalExecutor>): void {
  loadExecutor = load;
}

/** The bound executor. Throws UNSUPPORTED when there is none. */
export async function localExecutor(): Promise<LocalExecutor> {
  if (loadExecutor === null) throw new ClusterError('UNSUPPORTED', "local execution needs the package entry point: import from 'drey'");
  return loadExecutor();
}
