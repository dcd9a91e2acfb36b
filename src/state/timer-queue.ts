/**
 * Timers of one time domain, earliest first, each (timestamp, key, namespace) once.
 *
 *     heap of distinct timestamps ──► bucket per timestamp ──► cell per namespace ──► keys
 *
 * Coalesced timers (windows: one timestamp for all keys) share a bucket, so that the heap stays small and a
 * timer costs one entry of a set. A bucket with one key, the other extreme (a timeout per key), needs no set.
 * A deleted timestamp stays in the heap until it comes up or stale ones outnumber the rest.
 *
 * Invariants (test/state/timer-queue.test.ts): equal to a sorted list of distinct timers; every bucket has
 * a timer, and its timestamp is in the heap.
 */
import { keyEqualsOf } from './key-equality.ts';
import { HashedKeySet, PlainKeySet, Rounds } from './key-set.ts';
import type { KeySet } from './key-set.ts';
import { keyHashOf } from '../graph/key-hash.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { Namespace } from './namespace.ts';
import { present } from '../base/assert.ts';

/** One timer. */
export interface QueuedTimer {
  readonly timestampMs: number;
  readonly key: unknown;
  readonly namespace: Namespace;
}

/** In place of a key. */
const NO_KEY = Symbol('no key');
/** Stale timestamps that are not worth a rebuild of the heap. */
const STALE_MIN = 64;

/** Timers of one timestamp and namespace: `only` while there is one key, then `keys`. */
interface Cell {
  readonly namespace: Namespace;
  only: unknown;
  keys: KeySet | null;
}

/** Timers of one timestamp: the first namespace, and the others by start. */
interface Bucket {
  first: Cell;
  others: OtherCells | null;
}

interface OtherCells {
  readonly byStart: Map<number, Cell[]>;
  readonly rounds: Rounds<Cell[]>;
}

/** See the file's head. */
export class TimerQueue {
  /** Live timers. */
  size = 0;
  private readonly newKeySet: () => KeySet;
  private heap: number[] = [];
  private readonly buckets = new Map<number, Bucket>();
  /** The cell that was used last: records in a row often ask for the same window. */
  private recentMs = Number.NaN;
  private recent: Cell | null = null;

  constructor(keyType: TypeDescriptor<unknown> | null) {
    const equals = keyEqualsOf(keyType);
    const hash = keyHashOf(keyType);
    this.newKeySet = equals === null ? () => new PlainKeySet() : () => new HashedKeySet(hash, equals);
  }

  /** False when the timer is there already. The queue keeps `key`. */
  add(timestampMs: number, key: unknown, namespace: Namespace): boolean {
    const { recent } = this;
    const cell = recent !== null && timestampMs === this.recentMs && isSame(recent.namespace, namespace)
      ? recent
      : this.cellFor(timestampMs, namespace);
    const isNew = this.addTo(cell, key);
    if (isNew) this.size++;
    return isNew;
  }

  /** False when there is no such timer. */
  delete(timestampMs: number, key: unknown, namespace: Namespace): boolean {
    const bucket = this.buckets.get(timestampMs);
    const cell = bucket === undefined ? null : findCell(bucket, namespace);
    if (bucket === undefined || cell === null || !this.deleteFrom(cell, key)) return false;
    this.size--;
    if (isEmpty(cell)) this.removeCell(timestampMs, bucket, cell);
    if (this.heap.length > 2 * this.buckets.size + STALE_MIN) this.rebuild();
    return true;
  }

  /** The earliest timestamp; infinite when there is none. */
  peekMs(): number {
    for (;;) {
      const [earliestMs] = this.heap;
      if (earliestMs === undefined) return Number.POSITIVE_INFINITY;
      if (this.buckets.has(earliestMs)) return earliestMs;
      this.pop();
    }
  }

  /** Removes and answers the earliest timer. Only while there is one. */
  take(): QueuedTimer {
    const timestampMs = this.peekMs();
    const bucket = present(this.buckets.get(timestampMs), 'a timer is taken only while there is one');
    const cell = bucket.first;
    const key = takeFrom(cell);
    this.size--;
    if (isEmpty(cell)) this.removeCell(timestampMs, bucket, cell);
    return { timestampMs, key, namespace: cell.namespace };
  }

  /** All timers, in no order. */
  *[Symbol.iterator](): Generator<QueuedTimer> {
    for (const [timestampMs, bucket] of this.buckets) {
      for (const cell of cellsOf(bucket)) {
        for (const key of cell.keys ?? [cell.only]) yield { timestampMs, key, namespace: cell.namespace };
      }
    }
  }

  private cellFor(timestampMs: number, namespace: Namespace): Cell {
    let bucket = this.buckets.get(timestampMs);
    let cell = bucket === undefined ? null : findCell(bucket, namespace);
    if (cell === null) {
      cell = { namespace, only: NO_KEY, keys: null };
      if (bucket === undefined) {
        bucket = { first: cell, others: null };
        this.buckets.set(timestampMs, bucket);
        this.push(timestampMs);
      } else {
        addOther(bucket, cell);
      }
    }
    this.recentMs = timestampMs;
    this.recent = cell;
    return cell;
  }

  private addTo(cell: Cell, key: unknown): boolean {
    if (cell.keys !== null) return cell.keys.add(key);
    if (cell.only === NO_KEY) {
      cell.only = key;
      return true;
    }
    if (cell.only === key) return false;
    cell.keys = this.newKeySet();
    cell.keys.add(cell.only);
    cell.only = NO_KEY;
    return cell.keys.add(key);
  }

  private deleteFrom(cell: Cell, key: unknown): boolean {
    if (cell.keys === null && cell.only !== NO_KEY) {
      cell.keys = this.newKeySet(); // The set knows which keys are equal.
      cell.keys.add(cell.only);
      cell.only = NO_KEY;
    }
    return cell.keys?.delete(key) ?? false;
  }

  private removeCell(timestampMs: number, bucket: Bucket, cell: Cell): void {
    if (cell === this.recent) this.recent = null;
    if (bucket.others === null) {
      this.buckets.delete(timestampMs);
    } else if (cell === bucket.first) {
      bucket.first = takeOther(bucket, bucket.others);
    } else {
      removeOther(bucket, bucket.others, cell);
    }
  }

  private push(timestampMs: number): void {
    const { heap } = this;
    let at = heap.push(timestampMs) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as number) <= timestampMs) break;
      heap[at] = heap[parent] as number;
      at = parent;
    }
    heap[at] = timestampMs;
  }

  private pop(): void {
    const last = this.heap.pop();
    if (last !== undefined && this.heap.length > 0) this.sink(0, last);
  }

  private sink(from: number, timestampMs: number): void {
    const { heap } = this;
    let at = from;
    for (let child = 2 * at + 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && (heap[child + 1] as number) < (heap[child] as number)) child++;
      if ((heap[child] as number) >= timestampMs) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = timestampMs;
  }

  /** Leaves the stale timestamps out. */
  private rebuild(): void {
    this.heap = [...this.buckets.keys()];
    for (let at = (this.heap.length >> 1) - 1; at >= 0; at--) this.sink(at, this.heap[at] as number);
  }
}

function isSame(a: Namespace, b: Namespace): boolean {
  return a === b || (a.startMs === b.startMs && a.endMs === b.endMs);
}

function isEmpty(cell: Cell): boolean {
  return cell.keys === null ? cell.only === NO_KEY : cell.keys.size === 0;
}

function takeFrom(cell: Cell): unknown {
  if (cell.keys !== null) return cell.keys.take();
  const key = cell.only;
  cell.only = NO_KEY;
  return key;
}

function findCell(bucket: Bucket, namespace: Namespace): Cell | null {
  if (isSame(bucket.first.namespace, namespace)) return bucket.first;
  return bucket.others?.byStart.get(namespace.startMs)?.find((cell) => isSame(cell.namespace, namespace)) ?? null;
}

function addOther(bucket: Bucket, cell: Cell): void {
  const { byStart } = (bucket.others ??= noOthers());
  const alike = byStart.get(cell.namespace.startMs);
  if (alike === undefined) byStart.set(cell.namespace.startMs, [cell]);
  else alike.push(cell);
}

function noOthers(): OtherCells {
  const byStart = new Map<number, Cell[]>();
  return { byStart, rounds: new Rounds(() => byStart.values()) };
}

function removeOther(bucket: Bucket, { byStart }: OtherCells, cell: Cell): void {
  const { startMs } = cell.namespace;
  const rest = byStart.get(startMs)?.filter((other) => other !== cell) ?? [];
  if (rest.length > 0) byStart.set(startMs, rest);
  else byStart.delete(startMs);
  if (byStart.size === 0) bucket.others = null;
}

function takeOther(bucket: Bucket, others: OtherCells): Cell {
  const cell = present(others.rounds.next()[0], 'other namespaces have timers');
  removeOther(bucket, others, cell);
  return cell;
}

function* cellsOf(bucket: Bucket): Generator<Cell> {
  yield bucket.first;
  if (bucket.others !== null) for (const alike of bucket.others.byStart.values()) yield* alike;
}
