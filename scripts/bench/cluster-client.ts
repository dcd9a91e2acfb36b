/**
 * What the benchmark asks of a cluster over REST. Flink and Drey answer the same paths with the same
 * fields, so one client measures both the same way.
 */
import { delay } from '../../src/base/ports.ts';
import { clock, until } from './processes.ts';

const REQUEST_TIMEOUT_MS = 10_000;
const JOB_TIMEOUT_MS = 600_000;
const JOB_POLL_INTERVAL_MS = 50;

/** A finished job. */
export interface JobRun {
  readonly jobId: string;
  /** The job's own duration, from its creation to its end, as REST reports it. */
  readonly durationMs: number;
  /** Sum over subtasks, by name without the operator's. Decimal text: hash sums exceed safe integers. */
  readonly accumulators: Readonly<Record<string, string>>;
}

interface JobDetails {
  readonly state: string;
  readonly duration: number;
  readonly 'start-time': number;
  readonly 'end-time': number;
}

/** A started cluster. */
export interface Cluster {
  readonly name: 'drey' | 'flink';
  readonly restUrl: string;
  readonly pids: readonly number[];
  /** Submits detached with a cold client; answers the job id and the client's wall time. */
  submit(job: string, args: readonly string[]): { readonly jobId: string; readonly durationMs: number };
  stop(): Promise<void>;
}

async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

/** Waits until `slots` slots have registered. */
export async function awaitSlots(restUrl: string, slots: number, timeoutMs: number): Promise<void> {
  const isReady = await until(async () => (await registeredSlots(restUrl)) >= slots, timeoutMs);
  if (!isReady) throw new Error(`${restUrl}: no ${slots} slots within ${timeoutMs} ms`);
}

async function registeredSlots(restUrl: string): Promise<number> {
  try {
    const overview = (await getJson(`${restUrl}/overview`)) as { readonly 'slots-total': number };
    return overview['slots-total'];
  } catch (error) {
    // Not listening yet, or listening without a leader (503).
    if (error instanceof Error) return 0;
    throw error;
  }
}

/** Waits for the end of a job. Throws with the root cause unless it finished. */
export async function awaitJob(restUrl: string, jobId: string): Promise<JobRun> {
  const deadlineMs = clock.monotonicMs() + JOB_TIMEOUT_MS;
  for (;;) {
    const details = (await getJson(`${restUrl}/jobs/${jobId}`)) as JobDetails;
    if (details.state === 'FINISHED') return finished(restUrl, jobId, details);
    if (details.state === 'FAILED' || details.state === 'CANCELED') {
      throw new Error(`job ${jobId} is ${details.state}: ${JSON.stringify(await getJson(`${restUrl}/jobs/${jobId}/exceptions`))}`);
    }
    if (clock.monotonicMs() > deadlineMs) throw new Error(`job ${jobId} did not finish within ${JOB_TIMEOUT_MS} ms`);
    await delay(clock, JOB_POLL_INTERVAL_MS);
  }
}

async function finished(restUrl: string, jobId: string, details: JobDetails): Promise<JobRun> {
  const body = (await getJson(`${restUrl}/jobs/${jobId}/accumulators`)) as {
    readonly 'user-task-accumulators': readonly { readonly name: string; readonly value: string }[];
  };
  const accumulators: Record<string, string> = {};
  for (const { name, value } of body['user-task-accumulators']) accumulators[name.slice(name.lastIndexOf('.') + 1)] = value;
  return { jobId, durationMs: details.duration, accumulators };
}

/** The id that `flink run` printed. */
export function submittedJobId(output: string): string {
  const match = /JobID ([0-9a-f]{32})/u.exec(output);
  if (match?.[1] === undefined) throw new Error(`no job id in the client's output:\n${output}`);
  return match[1];
}
