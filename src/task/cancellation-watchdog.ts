/**
 * Watches tasks that are being canceled: asks again at intervals, and once the timeout has passed gives the task up, whose
 * slot's worker is then stopped. A worker thread cannot be made to throw from outside, so asking again helps a task that
 * waits or works in batches; code that never returns ends with its worker.
 *
 * Source: Flink `Task.TaskInterrupter`, `Task.TaskCancelerWatchDog`.
 */
import type { Logger } from '../base/log.ts';
import type { Clock, Timer } from '../base/ports.ts';
import type { ExecutionAttemptId } from '../protocol/ids.ts';

/** How patient it is. */
export interface CancellationOptions {
  /** `task.cancellation.interval`; 0: asked once. */
  readonly intervalMs: number;
  /** `task.cancellation.timeout`; 0: never given up. */
  readonly timeoutMs: number;
}

export interface CancellationWatchdogOptions extends CancellationOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Asks the task again. */
  readonly interrupt: (attemptId: ExecutionAttemptId) => void;
  readonly giveUp: (attemptId: ExecutionAttemptId) => void;
}

/** One per TaskManager. */
export class CancellationWatchdog {
  private readonly options: CancellationWatchdogOptions;
  private readonly timers = new Map<ExecutionAttemptId, Timer>();

  constructor(options: CancellationWatchdogOptions) {
    this.options = options;
  }

  /** The task was asked to end just now. `name`: for the log. */
  start(attemptId: ExecutionAttemptId, name: string): void {
    this.wait(attemptId, { name, startedMs: this.options.clock.monotonicMs() });
  }

  /** The task is over. */
  end(attemptId: ExecutionAttemptId): void {
    this.timers.get(attemptId)?.cancel();
    this.timers.delete(attemptId);
  }

  close(): void {
    for (const attemptId of this.timers.keys()) this.end(attemptId);
  }

  private wait(attemptId: ExecutionAttemptId, task: { readonly name: string; readonly startedMs: number }): void {
    const { clock, log, intervalMs, timeoutMs, interrupt, giveUp } = this.options;
    const passedMs = clock.monotonicMs() - task.startedMs;
    const leftMs = timeoutMs === 0 ? Infinity : Math.max(0, timeoutMs - passedMs);
    const isLast = intervalMs === 0 || intervalMs >= leftMs;
    if (isLast && leftMs === Infinity) return;
    const timer = clock.after(isLast ? leftMs : intervalMs, () => {
      this.timers.delete(attemptId);
      if (isLast) {
        log.warn(`Task ${task.name} did not exit gracefully within ${timeoutMs} ms after its cancellation; its slot's worker is replaced.`);
        return giveUp(attemptId);
      }
      const stuckMs = Math.round(clock.monotonicMs() - task.startedMs);
      log.warn(`Task ${task.name} did not react to cancelling signal - interrupting; it is stuck for ${stuckMs} ms.`);
      interrupt(attemptId);
      this.wait(attemptId, task);
    });
    this.timers.set(attemptId, timer);
  }
}
