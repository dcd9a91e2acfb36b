/**
 * Timers of one time domain, earliest first, each (timestamp, key, namespace) once.
 *
 *     heap                  in the order in which timers fire
 *     cells by timestamp ─► cell per namespace ─► timer per key        to find one that is there already
 *
 * Windows ask for the same timer with every record, many keys at the same timestamp: the cell used last is
 * remembered, so that asking again is one look into a map of keys. A timeout per key is the other extreme,
 * one timestamp for one key: such a cell needs no map.
 *
 * Invariants (test/state/timer-queue.test.ts): equal to a sorted list of distinct timers; a timer is in the
 * heap exactly when its cell has it, and no cell is empty.
 */
import { keyHashOf } from '../graph/key-hash.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { present } from '../base/assert.ts';
import { keyEqualsOf } from './key-equality.ts';
import { HashedKeyMap, PlainKeyMap } from './key-map.ts';
import type { KeyMap } from './key-map.ts';
import type { Namespace } from './namespace.ts';
import { TimerHeap } from './timer-heap.ts';

/** One timer. */
export interface QueuedTimer {
  readonly timestampMs: number;
  readonly key: unknown;
  readonly namespace: Namespace;
  /** The heap's. */
  place: number;
}

/** Timers of one timestamp and namespace: `only` while there is one key, then `byKey`. */
interface Cell {
  readonly timestampMs: number;
  readonly namespace: Namespace;
  only: QueuedTimer | null;
  byKey: KeyMap<QueuedTimer> | null;
}

/** See the file's head. */
export class TimerQueue {
  private readonly newKeyMap: () => KeyMap<QueuedTimer>;
  private readonly isSameKey: (a: unknown, b: unknown) => boolean;
  private readonly heap = new TimerHeap<QueuedTimer>();
  /** Most timestamps have one namespace; the others are found by their start. */
  private readonly cells = new Map<number, Cell | Map<number, Cell[]>>();
  private recent: Cell | null = null;

  constructor(keyType: TypeDescriptor<unknown> | null) {
    const equals = keyEqualsOf(keyType);
    const hash = keyHashOf(keyType);
    this.newKeyMap = equals === null ? () => new PlainKeyMap() : () => new HashedKeyMap(hash, equals);
    this.isSameKey = equals ?? ((a, b) => a === b);
  }

  get size(): number {
    return this.heap.size;
  }

  has(timestampMs: number, key: unknown, namespace: Namespace): boolean {
    const cell = this.find(timestampMs, namespace);
    return cell !== null && this.timerOf(cell, key) !== undefined;
  }

  /** Only a timer that is not there. The queue keeps `key`. */
  add(timestampMs: number, key: unknown, namespace: Namespace): void {
    const timer: QueuedTimer = { timestampMs, key, namespace, place: 0 };
    const cell = this.find(timestampMs, namespace) ?? this.addCell(timestampMs, namespace);
    if (cell.only === null && cell.byKey === null) cell.only = timer;
    else this.mapOf(cell).add(key, timer);
    this.heap.add(timer);
  }

  /** A timer that is not there is no error. */
  delete(timestampMs: number, key: unknown, namespace: Namespace): void {
    const cell = this.find(timestampMs, namespace);
    const timer = cell === null ? undefined : this.timerOf(cell, key);
    if (timer !== undefined) this.remove(timer);
  }

  /** The earliest timestamp; infinite when there is none. */
  peekMs(): number {
    return this.heap.first?.timestampMs ?? Number.POSITIVE_INFINITY;
  }

  /** Removes and answers the earliest timer. Only while there is one. */
  take(): QueuedTimer {
    const timer = present(this.heap.first, 'a timer is taken only while there is one');
    this.remove(timer);
    return timer;
  }

  /** All timers as they are now, in no order: a copy of references, 1 ms for a million. */
  toArray(): readonly QueuedTimer[] {
    return this.heap.toArray();
  }

  /** All timers, in no order. */
  [Symbol.iterator](): Iterator<QueuedTimer> {
    return this.heap[Symbol.iterator]();
  }

  private remove(timer: QueuedTimer): void {
    this.heap.remove(timer);
    const cell = present(this.find(timer.timestampMs, timer.namespace), 'a timer is in its cell');
    if (cell.byKey === null) cell.only = null;
    else cell.byKey.remove(timer.key);
    if (cell.byKey === null || cell.byKey.size === 0) this.removeCell(cell);
  }

  private timerOf(cell: Cell, key: unknown): QueuedTimer | undefined {
    if (cell.byKey !== null) return cell.byKey.get(key);
    return cell.only !== null && this.isSameKey(cell.only.key, key) ? cell.only : undefined;
  }

  private mapOf(cell: Cell): KeyMap<QueuedTimer> {
    if (cell.byKey === null) {
      cell.byKey = this.newKeyMap();
      if (cell.only !== null) cell.byKey.add(cell.only.key, cell.only);
      cell.only = null;
    }
    return cell.byKey;
  }

  private find(timestampMs: number, namespace: Namespace): Cell | null {
    const { recent } = this;
    if (recent !== null && recent.timestampMs === timestampMs && isSame(recent.namespace, namespace)) return recent;
    const found = this.cells.get(timestampMs);
    if (found === undefined) return null;
    const alike = found instanceof Map ? (found.get(namespace.startMs) ?? []) : [found];
    const cell = alike.find((each) => isSame(each.namespace, namespace)) ?? null;
    if (cell !== null) this.recent = cell;
    return cell;
  }

  private addCell(timestampMs: number, namespace: Namespace): Cell {
    const cell: Cell = { timestampMs, namespace, only: null, byKey: null };
    const found = this.cells.get(timestampMs);
    this.recent = cell;
    if (found === undefined) {
      this.cells.set(timestampMs, cell);
      return cell;
    }
    const byStart = found instanceof Map ? found : new Map([[found.namespace.startMs, [found]]]);
    byStart.set(namespace.startMs, [...(byStart.get(namespace.startMs) ?? []), cell]);
    this.cells.set(timestampMs, byStart);
    return cell;
  }

  private removeCell(cell: Cell): void {
    const { timestampMs, namespace: { startMs } } = cell;
    if (this.recent === cell) this.recent = null;
    const found = this.cells.get(timestampMs);
    if (found instanceof Map) {
      const rest = found.get(startMs)?.filter((each) => each !== cell) ?? [];
      if (rest.length > 0) found.set(startMs, rest);
      else found.delete(startMs);
    }
    if (!(found instanceof Map) || found.size === 0) this.cells.delete(timestampMs);
  }
}

function isSame(a: Namespace, b: Namespace): boolean {
  return a === b || (a.startMs === b.startMs && a.endMs === b.endMs);
}
