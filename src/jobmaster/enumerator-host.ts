/**
 * Drives one user-written split enumerator: commands in, messages to readers out. It runs where user code
 * may run, in a worker thread or, for programs registered in this process, beside the JobMaster.
 *
 * Commands are handled one after the other, each to its end, also when the enumerator returns a promise.
 */
import type { EnumeratorContext, Source, SourceSplit, SplitEnumerator } from '../graph/functions.ts';
import type { StreamGraph } from '../graph/stream-graph.ts';
import type { OperatorEventBody } from '../protocol/deployment.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { JsonValue } from '../protocol/json.ts';

/** What happens to an enumerator. Plain data. */
export type EnumeratorCommand =
  | { readonly kind: 'start' }
  | { readonly kind: 'readerRegistered'; readonly subtaskIndex: number }
  | { readonly kind: 'splitRequest'; readonly subtaskIndex: number }
  | { readonly kind: 'sourceEvent'; readonly subtaskIndex: number; readonly event: JsonValue }
  | { readonly kind: 'subtaskFailed'; readonly subtaskIndex: number }
  /** Answered by `EnumeratorOutlet.snapshotTaken`. */
  | { readonly kind: 'snapshot'; readonly checkpointId: number }
  | { readonly kind: 'close' };

/** Where an enumerator's words go. */
export interface EnumeratorOutlet {
  /** To the reader of a subtask. */
  send(subtaskIndex: number, body: OperatorEventBody): void;
  snapshotTaken(checkpointId: number, state: JsonValue): void;
}

/** The user's source at a node of a rebuilt graph. */
export function customSourceOf(graph: StreamGraph, nodeId: number): Source<unknown> {
  const spec = graph.nodes.find(({ id }) => id === nodeId)?.spec;
  if (spec?.kind === 'source.custom') return spec.user.source;
  throw new ClusterError(
    'PLAN_MISMATCH', `operator ${nodeId} of the rebuilt program is no user-defined source: the program builds different plans`,
  );
}

export class EnumeratorHost {
  private readonly parallelism: number;
  private readonly outlet: EnumeratorOutlet;
  private readonly enumerator: SplitEnumerator;
  private readonly readers = new Set<number>();
  /** What each subtask was given. */
  private readonly assigned = new Map<number, SourceSplit[]>();
  private last: Promise<void> = Promise.resolve();

  /** `restored`: what a former enumerator's `snapshot` gave, or null. */
  constructor(source: Source<unknown>, parallelism: number, outlet: EnumeratorOutlet, restored: JsonValue | null) {
    this.parallelism = parallelism;
    this.outlet = outlet;
    this.enumerator = source.createEnumerator(this.context(), restored);
  }

  /** Rejects with what the enumerator threw; so does every later command, except `close`. */
  handle(command: EnumeratorCommand): Promise<void> {
    const before = command.kind === 'close' ? this.last.catch(() => undefined) : this.last;
    this.last = before.then(() => this.apply(command));
    return this.last;
  }

  private async apply(command: EnumeratorCommand): Promise<void> {
    switch (command.kind) {
      case 'start':
        return this.enumerator.start?.();
      case 'readerRegistered':
        this.readers.add(command.subtaskIndex);
        return this.enumerator.addReader(command.subtaskIndex);
      case 'splitRequest':
        return this.enumerator.handleSplitRequest(command.subtaskIndex);
      case 'sourceEvent':
        return this.enumerator.onEvent?.(command.subtaskIndex, command.event);
      case 'subtaskFailed':
        return this.takeBack(command.subtaskIndex);
      case 'snapshot':
        return this.outlet.snapshotTaken(command.checkpointId, this.enumerator.snapshot());
      case 'close':
        return this.enumerator.close?.();
    }
  }

  private takeBack(subtaskIndex: number): void {
    const splits = this.assigned.get(subtaskIndex) ?? [];
    this.assigned.delete(subtaskIndex);
    this.readers.delete(subtaskIndex);
    if (splits.length > 0) this.enumerator.addSplitsBack(splits, subtaskIndex);
  }

  private context(): EnumeratorContext<SourceSplit> {
    return {
      parallelism: this.parallelism,
      registeredReaders: () => [...this.readers].toSorted((a, b) => a - b),
      assignSplit: (split, subtaskIndex) => this.assign(split, subtaskIndex),
      signalNoMoreSplits: (subtaskIndex) => this.outlet.send(this.registered(subtaskIndex), { kind: 'noMoreSplits' }),
      sendEvent: (subtaskIndex, event) => this.outlet.send(this.registered(subtaskIndex), { kind: 'sourceEvent', event }),
    };
  }

  private assign(split: SourceSplit, subtaskIndex: number): void {
    this.outlet.send(this.registered(subtaskIndex), { kind: 'addSplits', splits: [split] });
    const held = this.assigned.get(subtaskIndex);
    if (held === undefined) this.assigned.set(subtaskIndex, [split]);
    else held.push(split);
  }

  private registered(subtaskIndex: number): number {
    if (this.readers.has(subtaskIndex)) return subtaskIndex;
    throw new ClusterError(
      'USER_CODE', `the enumerator addressed subtask ${subtaskIndex}, whose reader is not registered (see registeredReaders())`,
    );
  }
}
