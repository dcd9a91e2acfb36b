/**
 * The coordinator of a built-in source: the shell around its enumerator core. It lists files, runs the
 * discovery timer, and turns effects into messages to the source's subtasks.
 */
import { unreachable } from '../base/assert.ts';
import type { Clock, Timer } from '../base/ports.ts';
import type { OperatorEvent } from '../protocol/deployment.ts';
import { ClusterError, errorInfo, type ErrorInfo } from '../protocol/errors.ts';
import type { JsonValue } from '../protocol/json.ts';
import { listInputFiles } from '../storage/file-listing.ts';
import type { FileSystems } from '../storage/file-system.ts';
import type { CoordinatorContext, OperatorCoordinator } from './operator-coordinator.ts';
import type { EnumeratorCore, EnumeratorEffect, EnumeratorEvent } from './split-enumerators.core.ts';

/** A listing that takes longer fails the job: storage that hangs must not look like a source without data. */
const LISTING_TIMEOUT_MS = 60_000;

export interface SourceCoordinatorOptions {
  readonly core: EnumeratorCore;
  /** Of the source, for messages. */
  readonly name: string;
  readonly clock: Clock;
  readonly files: FileSystems;
}

export class SourceCoordinator implements OperatorCoordinator {
  private readonly options: SourceCoordinatorOptions;
  private readonly context: CoordinatorContext;
  private readonly timers = new Set<Timer>();
  private closed = false;

  constructor(options: SourceCoordinatorOptions, context: CoordinatorContext) {
    this.options = options;
    this.context = context;
  }

  start(): void {
    this.step({ kind: 'start' });
  }

  onOperatorEvent({ subtaskIndex, body }: OperatorEvent): void {
    if (body.kind === 'readerRegistered' || body.kind === 'splitRequest') this.step({ kind: body.kind, subtaskIndex });
  }

  onSubtaskFailed(subtaskIndex: number, _reason: ErrorInfo): void {
    this.step({ kind: 'subtaskFailed', subtaskIndex });
  }

  snapshot(_checkpointId: number, answer: (state: JsonValue) => void): void {
    answer(this.options.core.snapshot());
  }

  close(): void {
    this.closed = true;
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
  }

  /** Late answers to a closed coordinator are dropped. */
  private step(event: EnumeratorEvent): void {
    if (this.closed) return;
    for (const effect of this.options.core.step(event)) this.perform(effect);
  }

  private perform(effect: EnumeratorEffect): void {
    switch (effect.kind) {
      case 'assign':
        return this.context.sendToSubtask(effect.subtaskIndex, { kind: 'addSplits', splits: effect.splits });
      case 'noMoreSplits':
        return this.context.sendToSubtask(effect.subtaskIndex, { kind: 'noMoreSplits' });
      case 'listFiles':
        return this.listFiles(effect.path);
      case 'startDiscoveryTimer':
        return void this.after(effect.delayMs, () => this.step({ kind: 'discoveryDue' }));
      case 'fail':
        return this.context.fail(effect.error);
      default:
        return unreachable(effect, 'enumerator effects');
    }
  }

  private listFiles(path: string): void {
    let answered = false;
    const answer = (event: EnumeratorEvent): void => {
      if (!answered) this.step(event);
      answered = true;
    };
    const late = new ClusterError('DEADLINE_EXCEEDED', `listing the files of ${path} took longer than ${LISTING_TIMEOUT_MS} ms`);
    const deadline = this.after(LISTING_TIMEOUT_MS, () => answer({ kind: 'listingFailed', error: errorInfo(late) }));
    listInputFiles(this.options.files, path)
      .then(
        (files) => answer({ kind: 'filesListed', files }),
        (thrown: unknown) => answer({ kind: 'listingFailed', error: this.fault(thrown) }),
      )
      .finally(() => this.cancel(deadline))
      .catch((thrown: unknown) => this.context.fail(errorInfo(thrown)));
  }

  private fault(thrown: unknown): ErrorInfo {
    const error = errorInfo(thrown, 'STORAGE_FAILED');
    return { ...error, message: `source '${this.options.name}': ${error.message}` };
  }

  private after(delayMs: number, act: () => void): Timer {
    const timer = this.options.clock.after(delayMs, () => {
      this.timers.delete(timer);
      act();
    });
    this.timers.add(timer);
    return timer;
  }

  private cancel(timer: Timer): void {
    timer.cancel();
    this.timers.delete(timer);
  }
}
