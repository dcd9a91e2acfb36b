/**
 * Split enumerators of the built-in sources, as pure state machines: which subtask reads what. The I/O is in
 * source-coordinator.ts.
 *
 * Two kinds. *Fixed*: the splits follow from the plan; each subtask gets its own when it registers
 * (sequence, elements, generator, socket). *Files*: a listing is cut into ranges; a subtask that asks gets
 * the next one, so fast subtasks read more. With a discovery interval the path is listed again for ever.
 *
 *     listFiles ─► filesListed ─► pending ──splitRequest──► assigned ──subtaskFailed──► pending
 *
 * Invariants (test/jobmaster/split-enumerators.test.ts): a split is pending or assigned to one subtask, never
 * both; a subtask is told `noMoreSplits` only when no split can come to it any more.
 *
 * Source: FLIP-27; Flink `StaticFileSplitEnumerator`, `ContinuousFileSplitEnumerator`, `IteratorSourceEnumerator`.
 */
import { assert, present } from '../base/assert.ts';
import type { FileSourceData } from '../graph/operator-spec.ts';
import type { SourceSplit } from '../graph/functions.ts';
import { datagenSplits, fileSplits, isCompressedName, sequenceSplits, type FileSplit } from '../graph/splits.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import type { JsonObject, JsonValue } from '../protocol/json.ts';

/** A file as a listing sees it. */
export interface ListedFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** What a subtask says it holds (takeover) by split id. */
export interface ReportedSplits {
  readonly subtaskIndex: number;
  readonly splits: readonly { readonly id: string; readonly finished: boolean }[];
}

export type EnumeratorEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'readerRegistered'; readonly subtaskIndex: number }
  | { readonly kind: 'splitRequest'; readonly subtaskIndex: number }
  /** The subtask's attempt is gone: what it was given since the last completed checkpoint comes back. */
  | { readonly kind: 'subtaskFailed'; readonly subtaskIndex: number }
  | { readonly kind: 'filesListed'; readonly files: readonly ListedFile[] }
  | { readonly kind: 'listingFailed'; readonly error: ErrorInfo }
  | { readonly kind: 'discoveryDue' }
  /** After a takeover: what readers own or finished counts as assigned. */
  | { readonly kind: 'reconcile'; readonly reported: readonly ReportedSplits[] };

export type EnumeratorEffect =
  | { readonly kind: 'assign'; readonly subtaskIndex: number; readonly splits: readonly SourceSplit[] }
  | { readonly kind: 'noMoreSplits'; readonly subtaskIndex: number }
  /** Answered by `filesListed` or `listingFailed`; one at a time. */
  | { readonly kind: 'listFiles'; readonly path: string }
  /** Answered by `discoveryDue`. */
  | { readonly kind: 'startDiscoveryTimer'; readonly delayMs: number }
  | { readonly kind: 'fail'; readonly error: ErrorInfo };

/** One source's enumerator. */
export interface EnumeratorCore {
  /** Applies one event; answers the effects to perform, in order. */
  step(event: EnumeratorEvent): EnumeratorEffect[];
  /** Plain data from which `enumeratorOf` resumes. */
  snapshot(): JsonValue;
}

/** The splits of a fixed source by the subtask that reads them; null for sources whose splits are found as they run. */
function fixedSplits(kind: string, data: JsonObject, parallelism: number): readonly SourceSplit[] | null {
  switch (kind) {
    case 'source.sequence': {
      const { from, to } = data as { readonly from: number; readonly to: number };
      return sequenceSplits(from, to, parallelism);
    }
    case 'source.elements':
      return [{ id: 'elements', next: 0 }];
    case 'source.datagen': {
      const { count } = data as { readonly count: number | null };
      return datagenSplits(count, parallelism);
    }
    case 'source.socket':
      return [{ id: 'socket' }];
    default:
      return null;
  }
}

/** The enumerator of a built-in source. `restored`: what `snapshot` gave, or null. */
export function enumeratorOf(
  source: { readonly kind: string; readonly data: JsonObject }, parallelism: number, restored: JsonValue | null,
): EnumeratorCore {
  const splits = fixedSplits(source.kind, source.data, parallelism);
  if (splits !== null) return new FixedEnumerator(splits, parallelism, restored as FixedSnapshot | null);
  assert(source.kind === 'source.files', 'a built-in source has fixed splits or reads files');
  return new FileEnumerator(source.data as FileSourceData, restored as FileSnapshot | null);
}

interface FixedSnapshot extends JsonObject {
  /** Splits that no reader has, with the subtask that each was made for. */
  readonly unassigned: readonly { readonly subtaskIndex: number; readonly split: SourceSplit }[];
}

class FixedEnumerator implements EnumeratorCore {
  /** The splits that were still to be given out when this one began, by the subtask that each was made for. */
  private readonly madeFor: ReadonlyMap<SourceSplit, number>;
  private readonly unassigned: Set<SourceSplit>;
  private readonly parallelism: number;

  /** Split number i is for subtask i; after a rescale, for subtask i mod parallelism. */
  constructor(splits: readonly SourceSplit[], parallelism: number, restored: FixedSnapshot | null) {
    const made = restored?.unassigned ?? splits.map((split, subtaskIndex) => ({ subtaskIndex, split }));
    this.madeFor = new Map(made.map(({ subtaskIndex, split }) => [split, subtaskIndex]));
    this.unassigned = new Set(this.madeFor.keys());
    this.parallelism = parallelism;
  }

  step(event: EnumeratorEvent): EnumeratorEffect[] {
    switch (event.kind) {
      case 'readerRegistered':
        return [...this.assign(event.subtaskIndex), { kind: 'noMoreSplits', subtaskIndex: event.subtaskIndex }];
      case 'splitRequest': // Splits were sent, and their end announced, when the reader registered.
      case 'start':
        return [];
      case 'subtaskFailed':
        return this.takeBack(event.subtaskIndex);
      case 'reconcile':
        return this.reconcile(event.reported);
      case 'filesListed':
      case 'listingFailed':
      case 'discoveryDue':
        return assertNoFiles(event.kind);
    }
  }

  snapshot(): JsonValue {
    const left = [...this.madeFor].filter(([split]) => this.unassigned.has(split));
    return { unassigned: left.map(([split, subtaskIndex]) => ({ subtaskIndex, split })) };
  }

  private assign(subtaskIndex: number): EnumeratorEffect[] {
    const splits = this.splitsOf(subtaskIndex).filter((split) => this.unassigned.delete(split));
    return splits.length === 0 ? [] : [{ kind: 'assign', subtaskIndex, splits }];
  }

  private takeBack(subtaskIndex: number): EnumeratorEffect[] {
    for (const split of this.splitsOf(subtaskIndex)) this.unassigned.add(split);
    return [];
  }

  private splitsOf(subtaskIndex: number): SourceSplit[] {
    return [...this.madeFor].filter(([, maker]) => maker % this.parallelism === subtaskIndex).map(([split]) => split);
  }

  private reconcile(reported: readonly ReportedSplits[]): EnumeratorEffect[] {
    const taken = new Set(reported.flatMap(({ splits }) => splits.map(({ id }) => id)));
    for (const split of this.unassigned) if (taken.has(split.id)) this.unassigned.delete(split);
    return [];
  }
}

function assertNoFiles(kind: string): EnumeratorEffect[] {
  assert(false, `a source without files gets no ${kind}`);
  return [];
}

interface FileSnapshot extends JsonObject {
  readonly seen: readonly string[];
  readonly listed: boolean;
  readonly pending: readonly FileSplit[];
}

class FileEnumerator implements EnumeratorCore {
  private readonly data: FileSourceData;
  /** Paths that have been cut into splits. */
  private readonly seen: Set<string>;
  /** The first listing is in. */
  private listed: boolean;
  /** In the order in which they go out. */
  private pending: FileSplit[];
  private readonly assigned = new Map<number, FileSplit[]>();
  /** Subtasks whose request found nothing, in order. */
  private readonly waiting = new Set<number>();
  /** Splits that a reader reported before the listing that finds them. */
  private readonly reconciled = new Map<string, number>();

  constructor(data: FileSourceData, restored: FileSnapshot | null) {
    this.data = data;
    this.seen = new Set(restored?.seen);
    this.listed = restored?.listed ?? false;
    this.pending = [...(restored?.pending ?? [])];
  }

  step(event: EnumeratorEvent): EnumeratorEffect[] {
    switch (event.kind) {
      case 'start':
        return this.isComplete() ? [] : [{ kind: 'listFiles', path: this.data.path }];
      case 'readerRegistered':
        return [];
      case 'splitRequest':
        this.waiting.add(event.subtaskIndex);
        return this.serve();
      case 'subtaskFailed':
        return this.takeBack(event.subtaskIndex);
      case 'filesListed':
        return this.onListed(event.files);
      case 'listingFailed':
        return [{ kind: 'fail', error: event.error }];
      case 'discoveryDue':
        return [{ kind: 'listFiles', path: this.data.path }];
      case 'reconcile':
        return this.reconcile(event.reported);
    }
  }

  snapshot(): JsonValue {
    return { seen: [...this.seen], listed: this.listed, pending: this.pending };
  }

  private isComplete(): boolean {
    return this.listed && this.data.discoveryIntervalMs === null;
  }

  private onListed(files: readonly ListedFile[]): EnumeratorEffect[] {
    const unseen = files.filter(({ path }) => !this.seen.has(path)).toSorted((a, b) => (a.path < b.path ? -1 : 1));
    for (const file of unseen) {
      this.seen.add(file.path);
      for (const split of fileSplits(file, this.splitSizeOf(file))) this.addFound(split);
    }
    this.listed = true;
    const { discoveryIntervalMs } = this.data;
    const effects = this.serve();
    return discoveryIntervalMs === null ? effects : [...effects, { kind: 'startDiscoveryTimer', delayMs: discoveryIntervalMs }];
  }

  private splitSizeOf({ path }: ListedFile): number {
    const { splitting, splitSizeBytes } = this.data;
    return splitting === 'whole' || (splitting === 'text' && isCompressedName(path)) ? Number.POSITIVE_INFINITY : splitSizeBytes;
  }

  private addFound(split: FileSplit): void {
    const owner = this.reconciled.get(split.id);
    if (owner === undefined) this.pending.push(split);
    else this.give(owner, split);
  }

  /** Answers waiting requests with splits, or with their end. */
  private serve(): EnumeratorEffect[] {
    const effects: EnumeratorEffect[] = [];
    for (const subtaskIndex of this.waiting) {
      const split = this.pending.shift();
      if (split === undefined && !this.isComplete()) break;
      this.waiting.delete(subtaskIndex);
      if (split === undefined) effects.push({ kind: 'noMoreSplits', subtaskIndex });
      else effects.push({ kind: 'assign', subtaskIndex, splits: [this.give(subtaskIndex, split)] });
    }
    return effects;
  }

  private give(subtaskIndex: number, split: FileSplit): FileSplit {
    const held = this.assigned.get(subtaskIndex);
    if (held === undefined) this.assigned.set(subtaskIndex, [split]);
    else held.push(split);
    return split;
  }

  /** A failed subtask's splits go first again, and its open request is void. */
  private takeBack(subtaskIndex: number): EnumeratorEffect[] {
    this.waiting.delete(subtaskIndex);
    this.pending.unshift(...(this.assigned.get(subtaskIndex) ?? []));
    this.assigned.delete(subtaskIndex);
    return this.serve();
  }

  private reconcile(reported: readonly ReportedSplits[]): EnumeratorEffect[] {
    for (const { subtaskIndex, splits } of reported) for (const { id } of splits) this.reconciled.set(id, subtaskIndex);
    const taken = this.pending.filter(({ id }) => this.reconciled.has(id));
    this.pending = this.pending.filter(({ id }) => !this.reconciled.has(id));
    for (const split of taken) this.give(present(this.reconciled.get(split.id), 'a taken split was reported'), split);
    return this.serve();
  }
}
