/**
 * Sets of keys: the same key once, in the order of adding, taken out one by one from the front.
 *
 * Taking goes on where the last taking stopped: a fresh iterator would walk over the holes that earlier
 * takings left, and a million takings would cost a million squared.
 */
import { assert } from '../base/assert.ts';
import type { KeyHash } from '../graph/key-hash.ts';

/** Walks over a collection from which items are removed, round after round. */
export class Rounds<T> {
  private readonly start: () => Iterator<T>;
  private rest: Iterator<T>;

  constructor(start: () => Iterator<T>) {
    this.start = start;
    this.rest = start();
  }

  /** Only while the collection has items. */
  next(): T {
    let next = this.rest.next();
    if (next.done === true) {
      this.rest = this.start(); // Items were added, or passed over, since the round began.
      next = this.rest.next();
    }
    assert(next.done !== true, 'an item is taken only while there is one');
    return next.value;
  }
}

/** Keys, each once. */
export interface KeySet extends Iterable<unknown> {
  readonly size: number;
  /** False when the key is there already. */
  add(key: unknown): boolean;
  /** False when there is no such key. */
  delete(key: unknown): boolean;
  /** Removes the oldest. Only while there is one. */
  take(): unknown;
}

/** Keys that `===` tells apart. */
export class PlainKeySet implements KeySet {
  private readonly keys = new Set<unknown>();
  private rounds: Rounds<unknown> | null = null;

  get size(): number {
    return this.keys.size;
  }

  add(key: unknown): boolean {
    const before = this.keys.size;
    return this.keys.add(key).size > before;
  }

  delete(key: unknown): boolean {
    return this.keys.delete(key);
  }

  take(): unknown {
    this.rounds ??= new Rounds(() => this.keys.values());
    const key = this.rounds.next();
    this.keys.delete(key);
    return key;
  }

  [Symbol.iterator](): Iterator<unknown> {
    return this.keys.values();
  }
}

/** Keys that are equal by their fields. */
export class HashedKeySet implements KeySet {
  private readonly hash: KeyHash;
  private readonly equals: (a: unknown, b: unknown) => boolean;
  private readonly keysByHash = new Map<number, unknown[]>();
  private rounds: Rounds<[number, unknown[]]> | null = null;
  size = 0;

  constructor(hash: KeyHash, equals: (a: unknown, b: unknown) => boolean) {
    this.hash = hash;
    this.equals = equals;
  }

  add(key: unknown): boolean {
    const hash = this.hash(key);
    const alike = this.keysByHash.get(hash);
    if (alike === undefined) this.keysByHash.set(hash, [key]);
    else if (alike.some((other) => this.equals(other, key))) return false;
    else alike.push(key);
    this.size++;
    return true;
  }

  delete(key: unknown): boolean {
    const hash = this.hash(key);
    const alike = this.keysByHash.get(hash) ?? [];
    const index = alike.findIndex((other) => this.equals(other, key));
    if (index < 0) return false;
    alike.splice(index, 1);
    if (alike.length === 0) this.keysByHash.delete(hash);
    this.size--;
    return true;
  }

  take(): unknown {
    this.rounds ??= new Rounds(() => this.keysByHash.entries());
    const [hash, alike] = this.rounds.next();
    const key = alike.shift();
    if (alike.length === 0) this.keysByHash.delete(hash); // Otherwise its turn comes again in the next round.
    this.size--;
    return key;
  }

  *[Symbol.iterator](): Iterator<unknown> {
    for (const alike of this.keysByHash.values()) yield* alike;
  }
}
