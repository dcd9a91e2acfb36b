/**
 * Timers of one time domain, earliest first, each (timestamp, key, namespace) once.
 *
 *     heap     in the order in which timers fire
 *     index    timer by timestamp, key and namespace, to find one that is there already
 *
 * Windows ask for the same timer with every record, and a session moves its timer with every record that makes it
 * grow: both are one probe of the index, and nothing is made besides the timer itself.
 *
 * Invariants (test/state/timer-queue.test.ts): equal to a sorted list of distinct timers; a timer is in the
 * heap exactly when it is in the index.
 */
import { keyHashOf, type KeyHash } from '../graph/key-hash.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { present } from '../base/assert.ts';
import { keyEqualsOf } from './key-equality.ts';
import type { Namespace } from './namespace.ts';
import { GOLDEN, RowIndex, spreadOfNumber, VACANT } from './row-index.ts';
import { TimerHeap } from './timer-heap.ts';

/** One timer. */
export interface QueuedTimer {
  readonly timestampMs: number;
  readonly key: unknown;
  readonly namespace: Namespace;
  /** The heap's. */
  place: number;
  /** The index's. */
  slot: number;
  readonly spread: number;
}

/** A timer of a key. */
export type TimerMoment = Pick<QueuedTimer, 'timestampMs' | 'namespace'>;
type WantedTimer = Pick<QueuedTimer, 'timestampMs' | 'key' | 'namespace'>;

/** Finds timers; a timer's slot is its row. */
class TimerIndex extends RowIndex {
  private readonly hash: KeyHash;
  private readonly equals: ((a: unknown, b: unknown) => boolean) | null;
  private readonly timers: (QueuedTimer | null)[] = [];
  private readonly freeSlots: number[] = [];

  constructor(keyType: TypeDescriptor<unknown> | null) {
    super();
    this.hash = keyHashOf(keyType);
    this.equals = keyEqualsOf(keyType);
  }

  spreadOf(timestampMs: number, key: unknown, namespace: Namespace): number {
    const time = spreadOfNumber(timestampMs) ^ (spreadOfNumber(namespace.startMs) >>> 1);
    return Math.imul(this.hash(key) ^ Math.imul(time, GOLDEN), GOLDEN);
  }

  find(timestampMs: number, key: unknown, namespace: Namespace, spread: number): QueuedTimer | null {
    const found = this.probe(this.buckets, this.shift, spread, { timestampMs, key, namespace });
    if (found !== null || this.retiring === null) return found;
    return this.probe(this.retiring, this.shift + 1, spread, { timestampMs, key, namespace });
  }

  /** Only a timer that is not there. */
  add(timer: QueuedTimer): void {
    const slot = this.freeSlots.pop() ?? this.timers.length;
    timer.slot = slot;
    this.timers[slot] = timer;
    this.addRow(slot);
  }

  /** Only a timer that is there. */
  remove({ slot }: QueuedTimer): void {
    this.removeRow(slot);
    this.timers[slot] = null;
    this.freeSlots.push(slot);
  }

  protected override spreadAt(slot: number): number {
    return (this.timers[slot] as QueuedTimer).spread;
  }

  private probe(buckets: Int32Array, shift: number, spread: number, wanted: WantedTimer): QueuedTimer | null {
    const { timestampMs, key, namespace } = wanted;
    const mask = buckets.length - 1;
    const tag = spread << (32 - shift);
    for (let bucket = spread >>> shift; ; bucket = (bucket + 1) & mask) {
      const entry = buckets[bucket] as number;
      if (entry === VACANT) return null;
      const slot = (entry ^ tag) - 1;
      if (slot >>> 0 > mask >>> 1) continue;
      const timer = this.timers[slot] as QueuedTimer;
      if (timer.timestampMs === timestampMs && this.isSameKey(timer.key, key) && isSame(timer.namespace, namespace)) return timer;
    }
  }

  private isSameKey(a: unknown, b: unknown): boolean {
    return a === b || (this.equals !== null && this.equals(a, b));
  }
}

/** See the file's head. */
export class TimerQueue {
  private readonly heap = new TimerHeap<QueuedTimer>();
  private readonly index: TimerIndex;

  constructor(keyType: TypeDescriptor<unknown> | null) {
    this.index = new TimerIndex(keyType);
  }

  get size(): number {
    return this.heap.size;
  }

  has(timestampMs: number, key: unknown, namespace: Namespace): boolean {
    return this.find(timestampMs, key, namespace) !== null;
  }

  /** Only a timer that is not there. The queue keeps `key`. */
  add(timestampMs: number, key: unknown, namespace: Namespace): void {
    const spread = this.index.spreadOf(timestampMs, key, namespace);
    const timer: QueuedTimer = { timestampMs, key, namespace, place: 0, slot: 0, spread };
    this.index.add(timer);
    this.heap.add(timer);
  }

  /** As adding a timer, which is not there, and then deleting one: in this order, which shows in the heap. False: there is none. */
  move(key: unknown, from: TimerMoment, to: TimerMoment): boolean {
    const timer = this.find(from.timestampMs, key, from.namespace);
    if (timer === null) return false;
    this.add(to.timestampMs, timer.key, to.namespace);
    this.remove(timer);
    return true;
  }

  /** A timer that is not there is no error. */
  delete(timestampMs: number, key: unknown, namespace: Namespace): void {
    const timer = this.find(timestampMs, key, namespace);
    if (timer !== null) this.remove(timer);
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
    this.index.remove(timer);
  }

  private find(timestampMs: number, key: unknown, namespace: Namespace): QueuedTimer | null {
    return this.index.find(timestampMs, key, namespace, this.index.spreadOf(timestampMs, key, namespace));
  }
}

function isSame(a: Namespace, b: Namespace): boolean {
  return a === b || (a.startMs === b.startMs && a.endMs === b.endMs);
}
