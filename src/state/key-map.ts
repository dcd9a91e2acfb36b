/**
 * A map by key that knows when two keys are the same: by `===`, or field by field where the key's type says so.
 */
import type { KeyHash } from '../graph/key-hash.ts';

/** What is kept for each key. */
export interface KeyMap<V> {
  readonly size: number;
  get(key: unknown): V | undefined;
  /** Only for a key that is not there. */
  add(key: unknown, value: V): void;
  /** Only for a key that is there. */
  remove(key: unknown): void;
  values(): Iterable<V>;
}

/** Keys that `===` tells apart. */
export class PlainKeyMap<V> implements KeyMap<V> {
  private readonly entries = new Map<unknown, V>();

  get size(): number {
    return this.entries.size;
  }

  get(key: unknown): V | undefined {
    return this.entries.get(key);
  }

  add(key: unknown, value: V): void {
    this.entries.set(key, value);
  }

  remove(key: unknown): void {
    this.entries.delete(key);
  }

  values(): Iterable<V> {
    return this.entries.values();
  }
}

interface Entry<V> {
  readonly key: unknown;
  readonly value: V;
}

/** Keys that are equal by their fields. */
export class HashedKeyMap<V> implements KeyMap<V> {
  size = 0;
  private readonly hash: KeyHash;
  private readonly equals: (a: unknown, b: unknown) => boolean;
  private readonly entriesByHash = new Map<number, readonly Entry<V>[]>();

  constructor(hash: KeyHash, equals: (a: unknown, b: unknown) => boolean) {
    this.hash = hash;
    this.equals = equals;
  }

  get(key: unknown): V | undefined {
    return this.alike(key).find((entry) => this.equals(entry.key, key))?.value;
  }

  add(key: unknown, value: V): void {
    this.entriesByHash.set(this.hash(key), [...this.alike(key), { key, value }]);
    this.size++;
  }

  remove(key: unknown): void {
    const rest = this.alike(key).filter((entry) => !this.equals(entry.key, key));
    if (rest.length > 0) this.entriesByHash.set(this.hash(key), rest);
    else this.entriesByHash.delete(this.hash(key));
    this.size--;
  }

  *values(): Iterable<V> {
    for (const entries of this.entriesByHash.values()) for (const { value } of entries) yield value;
  }

  private alike(key: unknown): readonly Entry<V>[] {
    return this.entriesByHash.get(this.hash(key)) ?? [];
  }
}
