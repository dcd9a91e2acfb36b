/**
 * A binary heap of timers by timestamp, from which any of them can be removed.
 *
 * In which order equal timestamps leave shows in the results of a job, so it is Flink's, move by move: a removed
 * element is replaced by the last, which sinks if it is later than a child and rises if it did not sink.
 *
 * Source: Flink `HeapPriorityQueue`.
 */

/** What the heap holds. `place` is the heap's. */
export interface HeapTimer {
  readonly timestampMs: number;
  place: number;
}

/** See the file's head. */
export class TimerHeap<T extends HeapTimer> {
  /** From index 1 on; the children of `i` are `2 i` and `2 i + 1`. */
  private readonly timers: (T | null)[] = [null];

  get size(): number {
    return this.timers.length - 1;
  }

  /** All, in no order, in an array of its own. */
  toArray(): T[] {
    return this.timers.slice(1) as T[];
  }

  /** The earliest; null when there is none. */
  get first(): T | null {
    return this.timers[1] ?? null;
  }

  add(timer: T): void {
    this.timers.push(timer);
    this.rise(timer, this.size);
  }

  /** Only a timer that is in the heap. */
  remove(timer: T): void {
    const { place } = timer;
    const last = this.timers.pop() as T;
    if (last === timer) return;
    this.sink(last, place);
    if (last.place === place) this.rise(last, place);
  }

  /** In no order. */
  *[Symbol.iterator](): Generator<T> {
    for (let i = 1; i < this.timers.length; i++) yield this.at(i);
  }

  private rise(timer: T, from: number): void {
    let place = from;
    for (let parent = place >> 1; parent > 0 && timer.timestampMs < this.at(parent).timestampMs; parent = place >> 1) {
      this.put(this.at(parent), place);
      place = parent;
    }
    this.put(timer, place);
  }

  private sink(timer: T, from: number): void {
    let place = from;
    for (let child = this.earlierChild(place); child !== 0; child = this.earlierChild(place)) {
      if (this.at(child).timestampMs >= timer.timestampMs) break;
      this.put(this.at(child), place);
      place = child;
    }
    this.put(timer, place);
  }

  /** 0: there is none. */
  private earlierChild(place: number): number {
    const first = 2 * place;
    const second = first + 1;
    if (second < this.timers.length && this.at(second).timestampMs < this.at(first).timestampMs) return second;
    return first < this.timers.length ? first : 0;
  }

  private at(place: number): T {
    return this.timers[place] as T;
  }

  private put(timer: T, place: number): void {
    this.timers[place] = timer;
    timer.place = place;
  }
}
