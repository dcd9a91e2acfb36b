/**
 * Program workers: short-lived threads that run users' build functions, so that none runs on the JobManager's
 * main thread. One request per worker; at most `WORKERS_MAX` at once; a build that takes too long is terminated.
 */
import { Worker } from 'node:worker_threads';
import { BoundedQueue } from '../base/bounded-queue.ts';
import type { Clock } from '../base/ports.ts';
import { userPlace } from '../base/source-place.ts';
import type { JobGraph, ProgramRef } from '../graph/job-graph.ts';
import { ClusterError, errorFromInfo, thrownText, type ErrorInfo } from '../protocol/errors.ts';
import type { JobId } from '../protocol/ids.ts';
import type { JsonObject } from '../protocol/json.ts';

/** A program to build. Structured-cloneable. */
export interface BuildRequest {
  readonly artifactPath: string;
  readonly program: ProgramRef;
  readonly programArgs: readonly string[];
  readonly configuration: Readonly<Record<string, string>>;
  readonly jobId: JobId;
  readonly submittedAtMs: number;
  readonly expectedPlanDigest: string | null;
}

/** What a build makes. */
export interface ProgramBuild {
  readonly jobGraph: JobGraph;
  readonly executionPlan: JsonObject;
}

/** Worker → pool. */
export type BuildAnswer =
  | { readonly kind: 'built'; readonly built: ProgramBuild }
  | { readonly kind: 'failed'; readonly error: ErrorInfo };

const WORKERS_MAX = 4;
const WAITING_MAX = 256;
const OLD_SPACE_SIZE_MB_MAX = 256;
const ENTRY = new URL('./program-worker-thread.js', import.meta.url);

/** A bounded pool of program workers. */
export class ProgramWorkers {
  private readonly clock: Clock;
  private readonly timeoutMs: number;
  private readonly waiting = new BoundedQueue<() => void>(WAITING_MAX);
  private readonly busy = new Set<Worker>();
  private spare: Worker | null = null;

  /** `timeoutMs`: of one build, waiting excluded. */
  constructor(clock: Clock, timeoutMs: number) {
    this.clock = clock;
    this.timeoutMs = timeoutMs;
  }

  /** Starts a worker ahead of a request that is about to come. */
  prepare(): void {
    this.spare ??= startWorker();
  }

  /** Throws PROGRAM_INVALID, PLAN_INVALID, PLAN_MISMATCH, DEADLINE_EXCEEDED, OVERLOADED. */
  async build(request: BuildRequest): Promise<ProgramBuild> {
    if (this.busy.size >= WORKERS_MAX) await this.turn();
    const worker = this.spare ?? startWorker();
    this.spare = null;
    this.busy.add(worker);
    try {
      const answer = await this.ask(worker, request);
      if (answer.kind === 'failed') throw errorFromInfo(answer.error);
      return answer.built;
    } finally {
      this.busy.delete(worker);
      this.waiting.take()?.();
      await worker.terminate();
    }
  }

  async close(): Promise<void> {
    const workers = [...this.busy, ...(this.spare ? [this.spare] : [])];
    this.spare = null;
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  private turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.waiting.offer(resolve)) reject(new ClusterError('OVERLOADED', `${WAITING_MAX} programs wait to be built already`));
    });
  }

  private ask(worker: Worker, request: BuildRequest): Promise<BuildAnswer> {
    return new Promise((resolve, reject) => {
      const advice = 'the build function only describes the job and must return at once';
      const text = `building the program took longer than ${this.timeoutMs} ms; ${advice}`;
      const deadline = this.clock.after(this.timeoutMs, () => reject(new ClusterError('DEADLINE_EXCEEDED', text)));
      const settle = (act: () => void): void => {
        deadline.cancel();
        act();
      };
      worker.once('message', (answer: BuildAnswer) => settle(() => resolve(answer)));
      worker.once('error', (error) => settle(() => reject(causeOfDeath(error))));
      worker.once(
        'exit',
        (code) => settle(() => reject(
          new ClusterError('PROGRAM_INVALID', `the program ended its thread while it was built: process.exit(${code})`),
        )),
      );
      worker.postMessage(request);
    });
  }
}

/** What the program prints while it is built goes to the process's `.out`, as everywhere. */
function startWorker(): Worker {
  const worker = new Worker(ENTRY, { name: 'program', resourceLimits: { maxOldGenerationSizeMb: OLD_SPACE_SIZE_MB_MAX } });
  worker.unref();
  worker.on('error', () => undefined); // A spare that fails is told by the request that uses it: its thread has exited.
  return worker;
}

/** What an error event of a worker means: its memory is used up, or a promise was rejected that nobody waited for. */
function causeOfDeath(error: Error): ClusterError {
  if ('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const advice = 'a build function only describes the job; load data in open(), or read it with a source';
    return new ClusterError('PROGRAM_INVALID', `the program needs more than ${OLD_SPACE_SIZE_MB_MAX} MB of memory to be built: ${advice}`);
  }
  const place = userPlace(error);
  const where = place === null ? '' : ` at ${place}`;
  const text = `an error that nothing caught${where} while the program was built: ${thrownText(error)}`;
  return new ClusterError('PROGRAM_INVALID', text, { cause: error });
}
