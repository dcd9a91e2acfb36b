/**
 * One record's request of `asyncMap`: its attempts, its timeout, and exactly one outcome.
 *
 *     start ──► attempt ──► result or error ──► retry after a delay, or outcome
 *        └───── timeout (spans all attempts) ──────────────────────► outcome
 *
 * Only the first outcome counts; what completes later is ignored. The signal aborts on timeout, and when
 * the task is cancelled or fails.
 */
import { ClusterError } from '../protocol/errors.ts';
import type { Clock, Timer } from '../base/ports.ts';
import type { AsyncFunction, AsyncOptions } from '../graph/functions.ts';

/** How a request ended. */
export type AsyncOutcome = { readonly kind: 'result'; readonly result: unknown } | { readonly kind: 'error'; readonly error: unknown };

/** What all requests of one operator share. */
export interface RequestOptions {
  readonly operatorName: string;
  readonly call: AsyncFunction<unknown, unknown>;
  readonly options: AsyncOptions<unknown, unknown>;
  readonly clock: Clock;
}

/** A request under way. */
export class AsyncRequest {
  private readonly value: unknown;
  private readonly shared: RequestOptions;
  private readonly abort = new AbortController();
  private readonly timeout: Timer | null;
  private onOutcome: ((outcome: AsyncOutcome) => void) | null;
  private retry: Timer | null = null;
  private attempts = 0;
  private delayMs: number;
  private isHurried = false;

  /** `onOutcome` is called at most once, never from inside the constructor or `start`. */
  constructor(value: unknown, shared: RequestOptions, onOutcome: (outcome: AsyncOutcome) => void) {
    this.value = value;
    this.shared = shared;
    this.onOutcome = onOutcome;
    this.delayMs = shared.options.retry?.delayMs ?? 0;
    const { timeoutMs } = shared.options;
    this.timeout = timeoutMs > 0 ? shared.clock.after(timeoutMs, () => this.onTimeout()) : null;
  }

  /** Calls the user's function, again on each retry. */
  start(): void {
    this.attempts++;
    this.retry = null;
    void this.attempt();
  }

  /**
   * No more input: a retry that waits is made at once, and those after it without delay. Unlike Flink, which makes no
   * retry any more for an attempt that is still under way then: the last records of an input would fail the job.
   */
  hurry(): void {
    this.isHurried = true;
    if (this.retry === null) return;
    this.retry.cancel();
    this.start();
  }

  /** The task is going away: no outcome is reported any more. Idempotent. */
  cancel(): void {
    this.onOutcome = null;
    this.release();
    this.abort.abort(new ClusterError('CONNECTION_LOST', `operator '${this.shared.operatorName}': the task ended`));
  }

  private async attempt(): Promise<void> {
    let outcome: AsyncOutcome;
    try {
      outcome = { kind: 'result', result: await this.shared.call(this.value, this.abort.signal) };
    } catch (error) {
      outcome = { kind: 'error', error };
    }
    if (this.onOutcome === null) return;
    try {
      if (this.shouldRetry(outcome)) return this.scheduleRetry();
    } catch (error) {
      outcome = { kind: 'error', error }; // The user's predicate threw.
    }
    this.settle(outcome);
  }

  private shouldRetry(outcome: AsyncOutcome): boolean {
    const { retry } = this.shared.options;
    if (retry === undefined || this.attempts >= retry.attemptsMax) return false;
    if (outcome.kind === 'result') return retry.ifResult?.(outcome.result) ?? false;
    return retry.ifError?.(outcome.error) ?? retry.ifResult === undefined;
  }

  private scheduleRetry(): void {
    const { retry } = this.shared.options;
    this.retry = this.shared.clock.after(this.isHurried ? 0 : this.delayMs, () => this.start());
    if (retry !== undefined) this.delayMs = Math.min(this.delayMs * retry.backoffMultiplier, retry.delayMsMax);
  }

  private onTimeout(): void {
    const { operatorName, options } = this.shared;
    const { onTimeout, timeoutMs } = options;
    const error = new ClusterError('DEADLINE_EXCEEDED', `operator '${operatorName}': asyncMap took longer than ${timeoutMs} ms`);
    this.settle(onTimeout === undefined ? { kind: 'error', error } : substitute(onTimeout, this.value));
    this.abort.abort(error);
  }

  private settle(outcome: AsyncOutcome): void {
    const { onOutcome } = this;
    this.onOutcome = null;
    this.release();
    onOutcome?.(outcome);
  }

  private release(): void {
    this.timeout?.cancel();
    this.retry?.cancel();
    this.retry = null;
  }
}

function substitute(onTimeout: (value: unknown) => unknown, value: unknown): AsyncOutcome {
  try {
    return { kind: 'result', result: onTimeout(value) };
  } catch (error) {
    return { kind: 'error', error };
  }
}
