/**
 * A first-in first-out queue that refuses rather than grows: a ring over an array whose length is a
 * power of two, so that an index wraps by a mask.
 *
 *     head ─► next to take        tail ─► next free place        length = tail − head
 */
import { assert } from './assert.ts';

/** Holds at most `capacity` items, oldest first. */
export class BoundedQueue<T> {
  readonly capacity: number;
  private readonly slots: (T | undefined)[];
  private readonly mask: number;
  private head = 0;
  private tail = 0;

  constructor(capacity: number) {
    assert(Number.isInteger(capacity) && capacity > 0, 'a queue holds at least one item');
    this.capacity = capacity;
    const size = 2 ** Math.ceil(Math.log2(capacity));
    this.slots = Array.from<T | undefined>({ length: size });
    this.mask = size - 1;
  }

  get length(): number {
    return this.tail - this.head;
  }

  /** False when the queue is full: nothing was added. */
  offer(item: T): boolean {
    if (this.length === this.capacity) return false;
    this.slots[this.tail++ & this.mask] = item;
    return true;
  }

  /** The oldest item, removed; undefined when the queue is empty. */
  take(): T | undefined {
    if (this.head === this.tail) return undefined;
    const index = this.head++ & this.mask;
    const item = this.slots[index];
    this.slots[index] = undefined; // So that the collector may have it.
    return item;
  }

  /** The oldest item, left in place. */
  peek(): T | undefined {
    return this.head === this.tail ? undefined : this.slots[this.head & this.mask];
  }

  /** All of them, oldest first, left in place. */
  *items(): Iterable<T> {
    for (let at = this.head; at < this.tail; at++) yield this.slots[at & this.mask] as T;
  }
}
