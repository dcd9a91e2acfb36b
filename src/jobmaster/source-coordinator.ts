/** The coordinator of a built-in source: the shell around its enumerator. */
import { unreachable } from '../base/assert.ts';
import type { Ports, Timer } from '../base/ports.ts';
import type { OperatorEvent } from '../protocol/deployment.ts';
import { errorInfo } from '../protocol/errors.ts';
import type { JsonValue } from '../protocol/json.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { listFiles } from './file-listing.ts';
import type { CoordinatorContext, OperatorCoordinator } from './operator-coordinator.ts';
import type { EnumeratorCore, EnumeratorEffect, EnumeratorEvent } from './split-enumerators.core.ts';

/** What the coordinator works with. */
export interface SourceCoordinatorOptions {
  readonly ports: Ports;
  readonly files: FileSystems;
  readonly core: EnumeratorCore;
  readonly context: CoordinatorContext;
}

/** See `OperatorCoordinator`. */
export class SourceCoordinator implements OperatorCoordinator {
  private readonly options: SourceCoordinatorOptions;
  private timer: Timer | null = null;
  private isClosed = false;

  constructor(options: SourceCoordinatorOptions) {
    this.options = options;
  }

  start(): void {
    this.step({ kind: 'started' });
  }

  onOperatorEvent({ subtaskIndex, body }: OperatorEvent): void {
    if (body.kind === 'readerRegistered') this.step({ kind: 'readerRegistered', subtaskIndex });
    else if (body.kind === 'splitRequest') this.step({ kind: 'splitRequested', subtaskIndex });
    else if (body.kind === 'splitFinished') this.step({ kind: 'splitFinished', subtaskIndex, splitId: body.splitId });
  }

  onSubtaskFailed(subtaskIndex: number): void {
    this.step({ kind: 'subtaskFailed', subtaskIndex });
  }

  close(): void {
    this.isClosed = true;
    this.timer?.cancel();
  }

  private step(event: EnumeratorEvent): void {
    if (this.isClosed) return;
    for (const effect of this.options.core.step(event)) this.perform(effect);
  }

  private perform(effect: EnumeratorEffect): void {
    const { context, ports } = this.options;
    switch (effect.kind) {
      case 'assign':
        return context.sendToSubtask(effect.subtaskIndex, { kind: 'addSplits', splits: effect.splits as readonly JsonValue[] });
      case 'noMoreSplits':
        return context.sendToSubtask(effect.subtaskIndex, { kind: 'noMoreSplits' });
      case 'listFiles':
        return this.list(effect.path);
      case 'startDiscoveryTimer':
        this.timer = ports.clock.after(effect.delayMs, () => this.step({ kind: 'discoveryDue' }));
        return;
      default:
        return unreachable(effect, 'enumerator effect');
    }
  }

  /** A listing that fails fails the job: the message names the path. */
  private list(path: string): void {
    listFiles(this.options.files, path).then(
      (files) => this.step({ kind: 'filesListed', files }),
      (thrown: unknown) => {
        if (!this.isClosed) this.options.context.fail(errorInfo(thrown));
      },
    );
  }
}
