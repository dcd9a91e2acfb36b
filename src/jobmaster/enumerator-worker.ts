/**
 * Enumerator workers: threads that run users' split enumerators, so that none runs on the JobManager's main
 * thread. One thread per user-defined source, started when its job starts: a crash or an endless loop fails
 * that job alone. At most `WORKERS_MAX` at once.
 */
import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../base/ports.ts';
import type { BuildSettings } from '../graph/stream-graph.ts';
import type { OperatorEventBody } from '../protocol/deployment.ts';
import { ClusterError, errorInfo, type ErrorInfo } from '../protocol/errors.ts';
import type { JsonValue } from '../protocol/json.ts';
import type { EnumeratorListener, EnumeratorRunner } from './custom-source-coordinator.ts';
import type { EnumeratorCommand } from './enumerator-host.ts';

/** What a worker runs. Structured-cloneable. */
export interface EnumeratorWork {
  readonly artifactPath: string;
  readonly settings: BuildSettings;
  readonly nodeId: number;
  readonly parallelism: number;
  readonly restored: JsonValue | null;
}

/** Worker → main thread. */
export type FromEnumerator =
  | { readonly kind: 'send'; readonly subtaskIndex: number; readonly body: OperatorEventBody }
  | { readonly kind: 'snapshotTaken'; readonly checkpointId: number; readonly state: JsonValue }
  /** The oldest command that was posted has been handled. */
  | { readonly kind: 'handled' }
  | { readonly kind: 'failed'; readonly error: ErrorInfo };

const WORKERS_MAX = 64;
/** Heap of one worker, in MiB. */
const OLD_SPACE_SIZE_MB_MAX = 256;
/** Of one command, the first with loading the program included. */
const COMMAND_TIMEOUT_MS = 60_000;
/** What `close` may take before the thread is terminated. */
const CLOSE_TIMEOUT_MS = 1000;
/** Commands that an enumerator is behind. */
const COMMANDS_UNHANDLED_MAX = 10_000;
const ENTRY = new URL('./enumerator-worker-thread.js', import.meta.url);

/** The bound on workers, over all jobs of this JobManager. */
export class EnumeratorWorkers {
  private readonly settings: ThreadSettings;
  private readonly running = new Set<EnumeratorThread>();

  constructor(clock: Clock, oldSpaceSizeMbMax = OLD_SPACE_SIZE_MB_MAX) {
    this.settings = { clock, oldSpaceSizeMbMax };
  }

  /** Starts a worker as soon as `work` is known. Faults, OVERLOADED among them, go to the listener. */
  run(work: Promise<EnumeratorWork>, listener: EnumeratorListener): EnumeratorRunner {
    if (this.running.size >= WORKERS_MAX) {
      throw new ClusterError('OVERLOADED', `${WORKERS_MAX} split enumerators run at this JobManager already`);
    }
    const thread: EnumeratorThread = new EnumeratorThread(this.settings, listener, () => this.running.delete(thread));
    this.running.add(thread);
    work.then((known) => thread.begin(known), (thrown: unknown) => thread.fail(errorInfo(thrown, 'PROGRAM_INVALID')));
    return thread;
  }
}

interface ThreadSettings {
  readonly clock: Clock;
  readonly oldSpaceSizeMbMax: number;
}

class EnumeratorThread implements EnumeratorRunner {
  private readonly settings: ThreadSettings;
  private readonly listener: EnumeratorListener;
  private readonly onEnded: () => void;
  private worker: Worker | null = null;
  /** Commands before the worker has begun. */
  private readonly early: EnumeratorCommand[] = [];
  private unhandled = 0;
  private deadline: Timer | null = null;
  private state: 'running' | 'closing' | 'ended' = 'running';

  constructor(settings: ThreadSettings, listener: EnumeratorListener, onEnded: () => void) {
    this.settings = settings;
    this.listener = listener;
    this.onEnded = onEnded;
  }

  begin(work: EnumeratorWork): void {
    if (this.state !== 'running') return;
    const resourceLimits = { maxOldGenerationSizeMb: this.settings.oldSpaceSizeMbMax };
    const worker = new Worker(ENTRY, { name: 'enumerator', workerData: work, resourceLimits });
    worker.unref();
    worker.on('message', (message: FromEnumerator) => this.onMessage(message));
    worker.on('error', (error) => this.fail(errorInfo(error, 'USER_CODE')));
    worker.on(
      'exit', (code) => this.fail(errorInfo(new ClusterError('USER_CODE', `the split enumerator ended its thread with code ${code}`))),
    );
    this.worker = worker;
    for (const command of this.early.splice(0)) worker.postMessage(command);
  }

  post(command: EnumeratorCommand): void {
    if (this.state !== 'running') return;
    this.unhandled += 1;
    if (this.unhandled > COMMANDS_UNHANDLED_MAX) {
      return this.fail(errorInfo(new ClusterError('OVERLOADED', `the split enumerator is ${COMMANDS_UNHANDLED_MAX} messages behind`)));
    }
    this.deadline ??= this.watch(COMMAND_TIMEOUT_MS);
    if (this.worker === null) this.early.push(command);
    else this.worker.postMessage(command);
  }

  close(): void {
    if (this.state !== 'running') return;
    this.post({ kind: 'close' });
    this.state = 'closing';
    if (this.worker === null) return this.end();
    this.deadline?.cancel();
    this.deadline = this.settings.clock.after(CLOSE_TIMEOUT_MS, () => this.end());
  }

  /** The first fault counts: those that follow are its consequences. */
  fail(error: ErrorInfo): void {
    if (this.state === 'ended') return;
    const wasRunning = this.state === 'running';
    this.end();
    if (wasRunning) this.listener.fail(error);
  }

  private onMessage(message: FromEnumerator): void {
    if (this.state === 'ended') return;
    if (message.kind === 'failed') return this.fail(message.error);
    if (message.kind === 'send') return this.listener.send(message.subtaskIndex, message.body);
    if (message.kind === 'snapshotTaken') return this.listener.snapshotTaken(message.checkpointId, message.state);
    this.unhandled -= 1;
    if (this.state === 'closing') return this.unhandled === 0 ? this.end() : undefined;
    this.deadline?.cancel();
    this.deadline = this.unhandled > 0 ? this.watch(COMMAND_TIMEOUT_MS) : null;
  }

  private watch(timeoutMs: number): Timer {
    const text = `the split enumerator has not answered for ${timeoutMs} ms; its methods must return, long work belongs into promises`;
    return this.settings.clock.after(timeoutMs, () => this.fail(errorInfo(new ClusterError('DEADLINE_EXCEEDED', text))));
  }

  private end(): void {
    this.state = 'ended';
    this.deadline?.cancel();
    this.early.length = 0;
    this.onEnded();
    this.worker?.terminate().catch((thrown: unknown) => this.listener.fail(errorInfo(thrown)));
  }
}
