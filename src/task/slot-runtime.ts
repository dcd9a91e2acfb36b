/**
 * The inside of one slot: takes messages from the TaskExecutor, rebuilds programs, and runs the slot's
 * subtasks in turns on one thread.
 *
 *     turn: every subtask a stretch, readers of channels several, round and round, for `TURN_MS`
 *       └─► something ran: yield to the event loop, next turn
 *       └─► nothing could: sleep until the doorbell, mail, a message, or the flush that is due
 *
 * The same runtime runs in a worker thread and inline. Failures are reported, never thrown.
 */
import type { Timer } from '../base/ports.ts';
import { ClusterError, errorInfo } from '../protocol/errors.ts';
import type { ExecutionAttemptId } from '../protocol/ids.ts';
import type { FromSlot, SlotDeployment, ToSlot } from './slot-protocol.ts';
import { SlotPrinter } from './slot-printer.ts';
import { SlotPrograms } from './slot-programs.ts';
import type { LoadProgram } from './slot-programs.ts';
import { Subtask } from './subtask.ts';
import { subtaskParts } from './subtask-parts.ts';
import type { SlotSurroundings } from './subtask-parts.ts';

/** How long subtasks run before the event loop gets its turn. Messages and timers wait no longer than this and one stretch. */
const TURN_MS = 5;
/**
 * Steps that a task which reads channels may take for each step of the others: the buffers it frees are those that
 * sources of other slots wait for. WordCount at parallelism 2, 20 M words: 3.15 s with 1, 2.75-2.85 s with 5 or 17 (Node 20).
 */
const READING_STEPS_MAX = 8;
/** How often a running task reports its figures. */
const REPORT_INTERVAL_MS = 1000;

type ToTaskCheckpoints = Extract<ToSlot, { readonly checkpointId: number } | { readonly kind: 'checkpointBytesTaken' }>;

/** What a host gives to the runtime. */
export interface SlotRuntimeOptions extends Omit<SlotSurroundings, 'print' | 'send'> {
  readonly loadProgram: LoadProgram;
  send(message: FromSlot): void;
}

/** One task in the slot. */
interface Task {
  readonly deployment: SlotDeployment;
  /** Null while it is being built. */
  subtask: Subtask | null;
  state: 'INITIALIZING' | 'RUNNING' | 'closing';
  isCancelled: boolean;
}

type FinalState = 'FINISHED' | 'CANCELED' | 'FAILED';

/** See the file's head. */
export class SlotRuntime {
  private readonly options: SlotRuntimeOptions;
  private readonly programs: SlotPrograms;
  private readonly printer: SlotPrinter;
  private readonly tasks = new Map<ExecutionAttemptId, Task>();
  private readonly reports: Timer;
  private isStopped = false;
  private isAwake = true;
  private wakeSleeper: (() => void) | null = null;
  private flushedAtMs = 0;
  /** Pending wait for the doorbell; one at a time. */
  private bell: Promise<void> | null = null;

  constructor(options: SlotRuntimeOptions) {
    this.options = options;
    this.programs = new SlotPrograms(options.loadProgram);
    this.printer = new SlotPrinter((message) => options.send(message), () => this.wake());
    this.reports = options.ports.clock.every(REPORT_INTERVAL_MS, () => this.report());
  }

  /** Announces the slot and runs until `stop`. */
  async run(): Promise<void> {
    this.options.send({ kind: 'ready', doorbell: this.options.exchange.doorbell.shared });
    while (!this.isStopped) {
      const seen = this.options.exchange.doorbell.value();
      this.isAwake = false;
      const ran = this.turn();
      this.printer.flush();
      if (ran) await new Promise((resolve) => setImmediate(resolve));
      else if (!this.isAwake) await this.sleep(seen);
    }
  }

  /** Ends `run` after the current turn. Tasks are left as they are. */
  private stop(): void {
    this.isStopped = true;
    this.options.exchange.doorbell.retire();
    this.reports.cancel();
    this.wake();
  }

  /** Stops at once and releases what the tasks hold; nothing is reported any more. */
  async terminate(): Promise<void> {
    this.stop();
    const tasks = [...this.tasks.values()];
    this.tasks.clear();
    for (const task of tasks) {
      task.isCancelled = true;
      task.state = 'closing';
      await task.subtask?.close(errorInfo(new ClusterError('SLOT_LOST', 'the slot was terminated')));
    }
  }

  /** Handles one message of the TaskExecutor. */
  accept(message: ToSlot): void {
    this.options.interrupt[0] = 0;
    switch (message.kind) {
      case 'deploy':
        void this.deploy(message.task);
        break;
      case 'cancel':
        this.cancel(message.attemptId);
        break;
      case 'operatorEvent':
        this.tasks.get(message.attemptId)?.subtask?.onOperatorEvent(message.nodeId, message.body);
        break;
      case 'printed':
        this.printer.onPrinted(message.bytes);
        break;
      case 'triggerCheckpoint':
      case 'checkpointComplete':
      case 'checkpointAborted':
      case 'checkpointAcknowledged':
      case 'checkpointBytesTaken':
        this.onCheckpointMessage(message);
        break;
    }
    this.wake();
  }

  /** A task that is not running yet declines; for one that is over there is nothing to do. */
  private onCheckpointMessage(message: ToTaskCheckpoints): void {
    const task = this.tasks.get(message.attemptId);
    const subtask = task?.subtask;
    switch (message.kind) {
      case 'triggerCheckpoint': {
        const { attemptId, checkpointId, timestampMs, options } = message;
        if (subtask && task?.state === 'RUNNING') {
          return subtask.triggerCheckpoint({ kind: 'barrier', checkpointId, timestampMs, options: JSON.stringify(options) });
        }
        const error = errorInfo(new ClusterError('CHECKPOINT_FAILED', `task ${attemptId} is not running`));
        return this.options.send({ kind: 'checkpointDecline', attemptId, checkpointId, error });
      }
      case 'checkpointComplete':
        return subtask?.checkpointComplete(message.checkpointId);
      case 'checkpointAborted':
        return subtask?.checkpointAborted(message.checkpointId);
      case 'checkpointAcknowledged':
        return subtask?.checkpointAcknowledged(message.checkpointId);
      case 'checkpointBytesTaken':
        return subtask?.checkpointBytesTaken(message.sizeBytes);
    }
  }

  /** Prints what the user's console wrote. */
  print(stream: 'stdout' | 'stderr', text: string): void | Promise<void> {
    return this.printer.print(stream, text);
  }

  private async deploy(deployment: SlotDeployment): Promise<void> {
    const task: Task = { deployment, subtask: null, state: 'INITIALIZING', isCancelled: false };
    this.tasks.set(deployment.deployment.attemptId, task);
    try {
      this.sendState(task, 'INITIALIZING');
      await this.open(task);
    } catch (thrown) {
      await this.end(task, task.isCancelled ? 'CANCELED' : 'FAILED', thrown);
    }
  }

  private async open(task: Task): Promise<void> {
    const graph = await this.programs.graph(task.deployment);
    const { ports } = this.options;
    const { deployment } = task.deployment;
    const subtask = new Subtask(subtaskParts(task.deployment, graph, this.surroundings()), {
      ports,
      wake: () => this.wake(),
      send: (nodeId, body) => this.sendOperatorEvent(task.deployment, nodeId, body),
      sendCheckpoint: (message) => this.options.send({ ...message, attemptId: deployment.attemptId }),
    });
    task.subtask = subtask;
    if (!task.isCancelled) await subtask.open();
    if (task.isCancelled) return this.end(task, 'CANCELED', null);
    task.state = 'RUNNING';
    this.sendState(task, 'RUNNING');
    await subtask.start();
    this.wake();
  }

  private surroundings(): SlotSurroundings {
    return {
      ...this.options,
      print: (stream, text) => this.print(stream, text),
      send: (task, nodeId, body) => this.sendOperatorEvent(task, nodeId, body),
    };
  }

  private cancel(attemptId: ExecutionAttemptId): void {
    const task = this.tasks.get(attemptId);
    if (task === undefined) return;
    task.isCancelled = true;
    if (task.state === 'RUNNING') void this.end(task, 'CANCELED', null);
    else task.subtask?.abandon();
  }

  /** True when a subtask ran. A full printer holds everybody: somebody is flooding it. */
  private turn(): boolean {
    const { interrupt, ports: { clock } } = this.options;
    let nowMs = clock.monotonicMs();
    const untilMs = nowMs + TURN_MS;
    let ranOnce = false;
    let ran = true;
    while (ran && nowMs < untilMs && !this.printer.isFull && interrupt[0] === 0) {
      ran = false;
      for (const task of this.tasks.values()) {
        if (task.state !== 'RUNNING') continue;
        ran = this.steps(task, nowMs, untilMs) || ran;
        nowMs = clock.monotonicMs();
      }
      ranOnce ||= ran;
    }
    this.flushWhenDue(nowMs);
    return ranOnce && !this.printer.isFull;
  }

  /** A step of the task; some more, while there is time, of one that reads channels. True when it ran. */
  private steps(task: Task, nowMs: number, untilMs: number): boolean {
    const { interrupt, ports: { clock } } = this.options;
    if (!this.step(task, nowMs)) return false;
    let steps = task.subtask?.isSource === true ? 1 : READING_STEPS_MAX;
    let againMs = clock.monotonicMs();
    while (--steps > 0 && againMs < untilMs && !this.printer.isFull && interrupt[0] === 0 && this.step(task, againMs)) {
      againMs = clock.monotonicMs();
    }
    return true;
  }

  private step(task: Task, nowMs: number): boolean {
    try {
      const result = task.subtask?.step(nowMs);
      if (result === 'finished') void this.end(task, 'FINISHED', null);
      return result === 'ran';
    } catch (thrown) {
      void this.end(task, 'FAILED', thrown);
      return false;
    }
  }

  /** Closes the task and reports its final state. The first call counts. */
  private async end(task: Task, state: FinalState, thrown: unknown): Promise<void> {
    if (task.state === 'closing') return;
    task.state = 'closing';
    const { attemptId } = task.deployment.deployment;
    const cause = state === 'FINISHED' ? null : errorInfo(thrown ?? new Error(`task ${attemptId} was cancelled`));
    if (state === 'FINISHED') task.subtask?.reportSplits();
    const closing = await task.subtask?.close(cause);
    const failedToClose = state === 'FINISHED' && closing instanceof Error;
    if (closing instanceof Error) this.options.log.warn(`closing ${attemptId} failed`, closing);
    this.printer.flush();
    const error = failedToClose ? errorInfo(closing) : state === 'FAILED' ? cause : null;
    this.sendState(task, failedToClose ? 'FAILED' : state, error);
    this.tasks.delete(attemptId);
  }

  /** One interval for all tasks of the slot: the shortest that is asked for. */
  private flushWhenDue(nowMs: number): void {
    const dueMs = this.flushDueMs();
    if (dueMs === null || nowMs < dueMs) return;
    this.flushedAtMs = nowMs;
    for (const { subtask } of this.tasks.values()) if (subtask !== null && subtask.bufferTimeoutMs >= 0) subtask.flush();
  }

  /** When half-filled buffers must go; null when there are none. */
  private flushDueMs(): number | null {
    let timeoutMs = Number.POSITIVE_INFINITY;
    for (const { subtask } of this.tasks.values()) {
      if (subtask?.needsFlush && subtask.bufferTimeoutMs >= 0) timeoutMs = Math.min(timeoutMs, subtask.bufferTimeoutMs);
    }
    return timeoutMs === Number.POSITIVE_INFINITY ? null : this.flushedAtMs + timeoutMs;
  }

  private async sleep(seen: number): Promise<void> {
    const { clock } = this.options.ports;
    const dueMs = this.flushDueMs();
    const flush = dueMs === null ? null : clock.after(Math.max(0, dueMs - clock.monotonicMs()), () => this.wake());
    this.bell ??= this.options.exchange.doorbell.changed(seen).finally(() => (this.bell = null));
    await Promise.race([this.bell, new Promise<void>((resolve) => (this.wakeSleeper = resolve))]);
    flush?.cancel();
  }

  private wake(): void {
    this.isAwake = true;
    this.wakeSleeper?.();
    this.wakeSleeper = null;
  }

  private report(): void {
    for (const { subtask, state, deployment } of this.tasks.values()) {
      if (state !== 'RUNNING' || subtask === null) continue;
      subtask.reportSplits();
      const { attemptId } = deployment.deployment;
      this.options.send({ kind: 'metrics', attemptId, metrics: subtask.metrics(), accumulators: subtask.accumulators() });
    }
  }

  private sendState(task: Task, state: FinalState | 'INITIALIZING' | 'RUNNING', error: ReturnType<typeof errorInfo> | null = null): void {
    const { attemptId } = task.deployment.deployment;
    const metrics = task.subtask?.metrics() ?? NO_METRICS;
    this.options.send({ kind: 'state', attemptId, state, error, metrics, accumulators: task.subtask?.accumulators() ?? {} });
  }

  private sendOperatorEvent(task: SlotDeployment, nodeId: number, body: Parameters<SlotSurroundings['send']>[2]): void {
    const { jobId, attemptId, subtaskIndex } = task.deployment;
    this.options.send({ kind: 'operatorEvent', jobId, event: { attemptId, subtaskIndex, nodeId, body } });
  }
}

const NO_METRICS = {
  numRecordsIn: 0,
  numRecordsOut: 0,
  numBytesIn: 0,
  numBytesOut: 0,
  busyTimeMs: 0,
  idleTimeMs: 0,
  backPressuredTimeMs: 0,
  currentInputWatermarkMs: null,
};
