/**
 * The newest entries, in memory: bytes in one buffer, found by a hash table over columns. They are sorted only
 * when they are read as a whole, one key group after the other, so that no step takes longer than sorting one group.
 */
import { copyBytes, groupOfPlace, GROUPS_MAX, GROUP_SPAN, Span, type EntryCursor, type EntrySource } from './entry.ts';

const ENTRIES_INITIAL = 16;
/** A place in its group and the number of an entry are sorted as one number below 2^53. */
const ENTRIES_MAX = 1 << 21;
const SIZE_BYTES_INITIAL = 64;
const GOLDEN = 0x9e3779b1;
/** Of an entry beside its bytes: columns, and its buckets. */
const ENTRY_SIZE_BYTES = 32;

export class Memtable implements EntrySource {
  private store: Buffer = Buffer.allocUnsafeSlow(SIZE_BYTES_INITIAL);
  private usedBytes = 0;
  private places = new Float64Array(ENTRIES_INITIAL);
  /** Start and end of the key, start and end of the value. */
  private spans = new Int32Array(4 * ENTRIES_INITIAL);
  private buckets = new Int32Array(2 * ENTRIES_INITIAL);
  private entryCount = 0;
  private readonly candidate = new Span();

  get sizeBytes(): number {
    return this.usedBytes + this.entryCount * ENTRY_SIZE_BYTES;
  }

  get isEmpty(): boolean {
    return this.entryCount === 0;
  }

  get isFull(): boolean {
    return this.entryCount === ENTRIES_MAX;
  }

  /** Sets the value of a key; empty: it is gone. Nobody reads the table as a whole yet. */
  put(place: number, key: Span, value: Span): void {
    const found = this.entryOf(place, key);
    const entry = found < 0 ? this.add(place, key) : found;
    const { spans } = this;
    const length = value.end - value.start;
    const room = (spans[4 * entry + 3] as number) - (spans[4 * entry + 2] as number);
    const start = length <= room ? (spans[4 * entry + 2] as number) : this.append(value);
    if (length <= room) copyBytes(value, this.store, start);
    spans[4 * entry + 2] = start;
    spans[4 * entry + 3] = start + length;
  }

  find(place: number, key: Span, value: Span): boolean {
    const entry = this.entryOf(place, key);
    if (entry < 0) return false;
    this.showValue(entry, value);
    return true;
  }

  cursor(): EntryCursor {
    return new MemtableCursor(this, this.groups());
  }

  retain(): void {
    // Memory takes care of itself.
  }

  release(): void {
    // As above.
  }

  showKey(entry: number, span: Span): void {
    span.set(this.store, this.spans[4 * entry] as number, this.spans[4 * entry + 1] as number);
  }

  showValue(entry: number, span: Span): void {
    span.set(this.store, this.spans[4 * entry + 2] as number, this.spans[4 * entry + 3] as number);
  }

  placeAt(entry: number): number {
    return this.places[entry] as number;
  }

  /** Entries of one group, in their order. */
  sorted(entries: Int32Array): Int32Array {
    const { places } = this;
    const packed = new Float64Array(entries.length);
    for (let i = 0; i < packed.length; i++) {
      const entry = entries[i] as number;
      packed[i] = ((places[entry] as number) % GROUP_SPAN) * ENTRIES_MAX + entry;
    }
    packed.sort();
    const order = new Int32Array(packed.length);
    let last = -1;
    let hasTwins = false;
    for (let i = 0; i < order.length; i++) {
      const entry = (packed[i] as number) % ENTRIES_MAX;
      const place = places[entry] as number;
      hasTwins ||= place === last;
      last = place;
      order[i] = entry;
    }
    if (hasTwins) this.sortTwins(order);
    return order;
  }

  /** Entries of one place, by their keys. */
  private sortTwins(order: Int32Array): void {
    for (let start = 0; start < order.length; start++) {
      const place = this.placeAt(order[start] as number);
      let end = start + 1;
      while (end < order.length && this.placeAt(order[end] as number) === place) end += 1;
      if (end - start > 1) order.subarray(start, end).sort((a, b) => this.compareKeys(a, b));
      start = end - 1;
    }
  }

  private compareKeys(a: number, b: number): number {
    const [left, right] = [new Span(), new Span()];
    this.showKey(a, left);
    this.showKey(b, right);
    return left.compare(right);
  }

  /** Entries by ascending group. */
  private groups(): Int32Array[] {
    const ends = new Int32Array(GROUPS_MAX + 1);
    for (let entry = 0; entry < this.entryCount; entry++) {
      const group = groupOfPlace(this.placeAt(entry));
      ends[group + 1] = (ends[group + 1] as number) + 1;
    }
    const bounds: number[] = [0];
    for (let group = 0; group < GROUPS_MAX; group++) {
      const end = (ends[group] as number) + (ends[group + 1] as number);
      if (end > (ends[group] as number)) bounds.push(end);
      ends[group + 1] = end;
    }
    const entries = new Int32Array(this.entryCount);
    for (let entry = 0; entry < this.entryCount; entry++) {
      const group = groupOfPlace(this.placeAt(entry));
      const at = ends[group] as number;
      entries[at] = entry;
      ends[group] = at + 1;
    }
    return bounds.slice(1).map((end, i) => entries.subarray(bounds[i], end));
  }

  private entryOf(place: number, key: Span): number {
    const { buckets, places, candidate } = this;
    const mask = buckets.length - 1;
    for (let bucket = spreadOf(place) & mask; ; bucket = (bucket + 1) & mask) {
      const entry = (buckets[bucket] as number) - 1;
      if (entry < 0) return -1;
      if (places[entry] !== place) continue;
      this.showKey(entry, candidate);
      if (candidate.equals(key)) return entry;
    }
  }

  private add(place: number, key: Span): number {
    if (2 * (this.entryCount + 1) > this.buckets.length) this.grow();
    const entry = this.entryCount++;
    this.places[entry] = place;
    this.spans[4 * entry] = this.append(key);
    this.spans.fill(this.usedBytes, 4 * entry + 1, 4 * entry + 4);
    this.enter(entry);
    return entry;
  }

  /** Answers where the bytes are. */
  private append(bytes: Span): number {
    const start = this.usedBytes;
    this.usedBytes = start + bytes.end - bytes.start;
    if (this.usedBytes > this.store.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.usedBytes, 2 * this.store.length));
      this.store.copy(grown, 0, 0, start);
      this.store = grown;
    }
    copyBytes(bytes, this.store, start);
    return start;
  }

  private enter(entry: number): void {
    const { buckets } = this;
    const mask = buckets.length - 1;
    let bucket = spreadOf(this.placeAt(entry)) & mask;
    while (buckets[bucket] !== 0) bucket = (bucket + 1) & mask;
    buckets[bucket] = entry + 1;
  }

  private grow(): void {
    const places = new Float64Array(2 * this.places.length);
    places.set(this.places);
    const spans = new Int32Array(2 * this.spans.length);
    spans.set(this.spans);
    this.places = places;
    this.spans = spans;
    this.buckets = new Int32Array(2 * this.buckets.length);
    for (let entry = 0; entry < this.entryCount; entry++) this.enter(entry);
  }
}

function spreadOf(place: number): number {
  const mixed = Math.imul(place | 0, GOLDEN);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

class MemtableCursor implements EntryCursor {
  place = -1;
  readonly key = new Span();
  readonly value = new Span();
  private readonly table: Memtable;
  private readonly groups: readonly Int32Array[];
  private group = -1;
  private order: Int32Array = new Int32Array(0);
  private at = -1;

  constructor(table: Memtable, groups: readonly Int32Array[]) {
    this.table = table;
    this.groups = groups;
  }

  next(): boolean {
    this.at += 1;
    if (this.at >= this.order.length && !this.nextGroup()) return false;
    const entry = this.order[this.at] as number;
    this.place = this.table.placeAt(entry);
    this.table.showKey(entry, this.key);
    this.table.showValue(entry, this.value);
    return true;
  }

  private nextGroup(): boolean {
    this.group += 1;
    if (this.group >= this.groups.length) return false;
    this.order = this.table.sorted(this.groups[this.group] as Int32Array);
    this.at = 0;
    return true;
  }
}
