/**
 * The enumerators of the built-in sources, as pure state machines: who gets which split, and when a reader
 * has had its last. The I/O (listing files, sending, timers) is in source-coordinator.ts.
 *
 *     sequence, elements, datagen, socket: splits are known from the start and belong to fixed subtasks
 *     files: listed once or again and again; a reader that asks gets the next range
 *
 * Invariants: a split is with one reader at most; what a reader held when it failed is assigned again; a bounded
 * reader is told exactly once per registration that no more will come.
 */
import { unreachable } from '../base/assert.ts';
import type { SourceSplit } from '../graph/functions.ts';
import type { FileSourceData } from '../graph/operator-spec.ts';
import { datagenSplits, fileSplits, sequenceSplits } from '../graph/splits.ts';
import type { JsonObject } from '../protocol/json.ts';

/** A file that was found. */
export interface ListedFile {
  readonly path: string;
  readonly sizeBytes: number;
}

export type EnumeratorEvent =
  | { readonly kind: 'started' }
  | { readonly kind: 'readerRegistered'; readonly subtaskIndex: number }
  | { readonly kind: 'splitRequested'; readonly subtaskIndex: number }
  | { readonly kind: 'splitFinished'; readonly subtaskIndex: number; readonly splitId: string }
  /** Its reader is gone; it will register anew. */
  | { readonly kind: 'subtaskFailed'; readonly subtaskIndex: number }
  | { readonly kind: 'filesListed'; readonly files: readonly ListedFile[] }
  | { readonly kind: 'discoveryDue' };

export type EnumeratorEffect =
  | { readonly kind: 'assign'; readonly subtaskIndex: number; readonly splits: readonly SourceSplit[] }
  | { readonly kind: 'noMoreSplits'; readonly subtaskIndex: number }
  /** Answered by `filesListed`. */
  | { readonly kind: 'listFiles'; readonly path: string }
  /** Answered by `discoveryDue`. */
  | { readonly kind: 'startDiscoveryTimer'; readonly delayMs: number };

/** One enumerator. */
export interface EnumeratorCore {
  /** Applies one event; returns the effects to perform, in order. */
  step(event: EnumeratorEvent): EnumeratorEffect[];
}

/** The enumerator of a built-in source; null for other kinds of operators. */
export function enumeratorFor(kind: string, data: JsonObject, parallelism: number): EnumeratorCore | null {
  switch (kind) {
    case 'source.sequence':
      return new FixedEnumerator(sequenceSplits(data['from'] as number, data['to'] as number, parallelism));
    case 'source.datagen':
      return new FixedEnumerator(datagenSplits(data['count'] as number | null, parallelism));
    case 'source.elements':
      return new FixedEnumerator([{ id: 'elements', next: 0 }]);
    case 'source.socket':
      return new FixedEnumerator([{ id: 'socket' }]);
    case 'source.files':
      return new FileEnumerator(data as FileSourceData);
    default:
      return null;
  }
}

/** Split i belongs to subtask i for good: a reader that comes back gets its unfinished split again. */
class FixedEnumerator implements EnumeratorCore {
  private readonly splits: readonly SourceSplit[];
  private readonly finished = new Set<string>();

  constructor(splits: readonly SourceSplit[]) {
    this.splits = splits;
  }

  step(event: EnumeratorEvent): EnumeratorEffect[] {
    switch (event.kind) {
      case 'readerRegistered':
        return this.register(event.subtaskIndex);
      case 'splitFinished':
        this.finished.add(event.splitId);
        return [];
      case 'subtaskFailed': {
        // Without a checkpoint everything is read again, as the operators behind it start anew.
        const split = this.splits[event.subtaskIndex];
        if (split) this.finished.delete(split.id);
        return [];
      }
      case 'started':
      case 'splitRequested':
      case 'filesListed':
      case 'discoveryDue':
        return [];
      default:
        return unreachable(event, 'enumerator event');
    }
  }

  private register(subtaskIndex: number): EnumeratorEffect[] {
    const split = this.splits[subtaskIndex];
    const last: EnumeratorEffect = { kind: 'noMoreSplits', subtaskIndex };
    return split && !this.finished.has(split.id) ? [{ kind: 'assign', subtaskIndex, splits: [split] }, last] : [last];
  }
}

/** Ranges of files, in the order of their paths, to whoever asks. */
class FileEnumerator implements EnumeratorCore {
  private readonly data: FileSourceData;
  /** Next to assign first. */
  private pending: SourceSplit[] = [];
  private readonly assigned = new Map<string, { readonly split: SourceSplit; readonly subtaskIndex: number }>();
  /** Every path that was ever listed: continuous discovery reads a file once. */
  private readonly known = new Set<string>();
  /** Readers that asked when there was nothing. */
  private readonly hungry = new Set<number>();
  private isListing = false;

  constructor(data: FileSourceData) {
    this.data = data;
  }

  step(event: EnumeratorEvent): EnumeratorEffect[] {
    switch (event.kind) {
      case 'started':
      case 'discoveryDue':
        this.isListing = true;
        return [{ kind: 'listFiles', path: this.data.path }];
      case 'filesListed':
        return this.addFiles(event.files);
      case 'splitRequested':
        this.hungry.add(event.subtaskIndex);
        return this.feed();
      case 'splitFinished':
        this.assigned.delete(event.splitId);
        return [];
      case 'subtaskFailed':
        return this.takeBack(event.subtaskIndex);
      case 'readerRegistered':
        return []; // It asks when it wants something.
      default:
        return unreachable(event, 'enumerator event');
    }
  }

  private addFiles(files: readonly ListedFile[]): EnumeratorEffect[] {
    this.isListing = false;
    const fresh = files.filter(({ path }) => !this.known.has(path)).toSorted((a, b) => (a.path < b.path ? -1 : 1));
    for (const file of fresh) {
      this.known.add(file.path);
      this.pending.push(...fileSplits(file, this.data.splitSizeBytes));
    }
    const { discoveryIntervalMs } = this.data;
    const again: EnumeratorEffect[] = discoveryIntervalMs === null ? [] : [{ kind: 'startDiscoveryTimer', delayMs: discoveryIntervalMs }];
    return [...this.feed(), ...again];
  }

  private takeBack(subtaskIndex: number): EnumeratorEffect[] {
    this.hungry.delete(subtaskIndex);
    const held = [...this.assigned.values()].filter((entry) => entry.subtaskIndex === subtaskIndex).map(({ split }) => split);
    for (const { id } of held) this.assigned.delete(id);
    this.pending = [...held, ...this.pending];
    return this.feed();
  }

  private feed(): EnumeratorEffect[] {
    const effects: EnumeratorEffect[] = [];
    for (const subtaskIndex of this.hungry) {
      const split = this.pending.shift();
      if (split) {
        this.assigned.set(split.id, { split, subtaskIndex });
        effects.push({ kind: 'assign', subtaskIndex, splits: [split] });
      } else if (this.isExhausted()) {
        effects.push({ kind: 'noMoreSplits', subtaskIndex });
      } else {
        continue;
      }
      this.hungry.delete(subtaskIndex);
    }
    return effects;
  }

  private isExhausted(): boolean {
    return !this.isListing && this.data.discoveryIntervalMs === null;
  }
}
