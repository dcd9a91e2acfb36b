/**
 * What the sorted store holds: entries of a place, a key and a value, all three opaque to it.
 *
 *     place    key group · 2^32 + key hash: a number, so that searching and merging compare numbers
 *     key      bytes; equal keys have equal bytes and equal places
 *     value    bytes; empty: the key is gone
 *
 * Entries are ordered by place, and by the bytes of the key where places are equal.
 */

/** Key groups apart from each other. */
export const GROUP_SPAN = 4294967296;

/** Groups are below; as many as a max parallelism may have. */
export const GROUPS_MAX = 32_768;
/** Spans up to here are compared and copied byte by byte: that is sooner done than called. */
const SHORT_MAX = 32;

/** The place of a key. */
export function placeOf(keyGroup: number, hash: number): number {
  return keyGroup * GROUP_SPAN + (hash >>> 0);
}

/** The key group of a place. */
export function groupOfPlace(place: number): number {
  return Math.floor(place / GROUP_SPAN);
}

/** Part `[start, end)` of a buffer. Reused: what it shows is good until its owner moves on. */
export class Span {
  store: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;

  set(store: Buffer, start: number, end: number): void {
    this.store = store;
    this.start = start;
    this.end = end;
  }

  equals(other: Span): boolean {
    const length = this.end - this.start;
    if (length !== other.end - other.start) return false;
    if (length > SHORT_MAX) return this.compare(other) === 0;
    const [store, otherStore, shift] = [this.store, other.store, other.start - this.start];
    for (let at = this.start; at < this.end; at++) if (store[at] !== otherStore[at + shift]) return false;
    return true;
  }

  /** Below 0, 0 or above 0, in the order of bytes. */
  compare(other: Span): number {
    return this.store.compare(other.store, other.start, other.end, this.start, this.end);
  }
}

/** Copies a span to `target` at `at`. */
export function copyBytes({ store, start, end }: Span, target: Buffer, at: number): void {
  if (end - start > SHORT_MAX) store.copy(target, at, start, end);
  else for (let i = start, to = at; i < end; i++, to++) target[to] = store[i] as number;
}

/** Walks over sorted entries. Begins before the first. */
export interface EntryCursor {
  /** False at the end. What `key` and `value` showed is gone. */
  next(): boolean;
  readonly place: number;
  readonly key: Span;
  readonly value: Span;
}

/** Shows what one of several other cursors shows. */
export abstract class CursorOfCursors implements EntryCursor {
  protected current: EntryCursor | null = null;

  abstract next(): boolean;

  get place(): number {
    return (this.current as EntryCursor).place;
  }

  get key(): Span {
    return (this.current as EntryCursor).key;
  }

  get value(): Span {
    return (this.current as EntryCursor).value;
  }
}

/** Entries that are looked up by key. */
export interface EntrySource {
  readonly sizeBytes: number;
  /** Whether there is an entry of the key, maybe one that says it is gone; `value` shows it. Throws DATA_CORRUPT, STORAGE_FAILED. */
  find(place: number, key: Span, value: Span): boolean;
  cursor(): EntryCursor;
  retain(): void;
  release(): void;
}
