/**
 * The coordinator of a user-defined source: passes what its subtasks say to the enumerator, wherever that
 * runs, and what the enumerator says to them. A fault of the enumerator fails this job.
 */
import type { OperatorEvent } from '../protocol/deployment.ts';
import { errorInfo, type ErrorInfo } from '../protocol/errors.ts';
import type { JsonValue } from '../protocol/json.ts';
import type { CoordinatorContext, OperatorCoordinator } from './operator-coordinator.ts';
import type { EnumeratorCommand, EnumeratorHost, EnumeratorOutlet } from './enumerator-host.ts';

/** Where an enumerator runs. */
export interface EnumeratorRunner {
  post(command: EnumeratorCommand): void;
  /** Closes the enumerator, and ends the thread if it has one. Idempotent. */
  close(): void;
}

/** What a runner reports. */
export interface EnumeratorListener extends EnumeratorOutlet {
  fail(error: ErrorInfo): void;
}

export class CustomSourceCoordinator implements OperatorCoordinator {
  private readonly runner: EnumeratorRunner;
  private readonly snapshots = new Map<number, (state: JsonValue) => void>();
  private closed = false;

  constructor(context: CoordinatorContext, run: (listener: EnumeratorListener) => EnumeratorRunner) {
    this.runner = run({
      send: (subtaskIndex, body) => (this.closed ? undefined : context.sendToSubtask(subtaskIndex, body)),
      snapshotTaken: (checkpointId, state) => this.snapshotTaken(checkpointId, state),
      fail: (error) => (this.closed ? undefined : context.fail(error)),
    });
  }

  start(): void {
    this.runner.post({ kind: 'start' });
  }

  onOperatorEvent({ subtaskIndex, body }: OperatorEvent): void {
    if (body.kind === 'readerRegistered' || body.kind === 'splitRequest') this.runner.post({ kind: body.kind, subtaskIndex });
    else if (body.kind === 'sourceEvent') this.runner.post({ kind: 'sourceEvent', subtaskIndex, event: body.event });
  }

  onSubtaskFailed(subtaskIndex: number): void {
    this.runner.post({ kind: 'subtaskFailed', subtaskIndex });
  }

  snapshot(checkpointId: number, answer: (state: JsonValue) => void): void {
    this.snapshots.set(checkpointId, answer);
    this.runner.post({ kind: 'snapshot', checkpointId });
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.snapshots.clear();
    this.runner.close();
  }

  private snapshotTaken(checkpointId: number, state: JsonValue): void {
    const answer = this.snapshots.get(checkpointId);
    this.snapshots.delete(checkpointId);
    answer?.(state);
  }
}

/** Runs the enumerator of a program that is registered in this process. */
export function runInline(makeHost: (outlet: EnumeratorOutlet) => EnumeratorHost, listener: EnumeratorListener): EnumeratorRunner {
  const host = makeHost(listener);
  const post = (command: EnumeratorCommand): void => {
    host.handle(command).catch((thrown: unknown) => listener.fail(errorInfo(thrown)));
  };
  return { post, close: () => post({ kind: 'close' }) };
}
