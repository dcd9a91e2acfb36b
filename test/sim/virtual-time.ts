/**
 * Virtual time: the simulator's clock. Timers fire in order of their due time, ties in the order they were
 * started; between two firings every microtask runs, so the order of everything is a function of the seed.
 *
 * Nothing here waits for real time: 120 virtual seconds pass as fast as their events can be handled.
 */
import type { Clock, Timer } from '../../src/base/ports.ts';

interface Scheduled {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** A clock whose time only moves in `runUntil`. */
export class VirtualClock implements Clock {
  /** Wall clock at virtual time 0; far from 0 so that a mix-up of the two clocks shows. */
  private readonly epochMs = 1_700_000_000_000;
  private readonly heap: Scheduled[] = [];
  private timeMs = 0;
  private order = 0;
  /** Timers fired since the start. */
  events = 0;

  nowMs(): number {
    return this.epochMs + this.timeMs;
  }

  monotonicMs(): number {
    return this.timeMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const scheduled = { dueMs: this.timeMs + Math.max(0, delayMs), order: this.order++, callback, cancelled: false };
    this.push(scheduled);
    return { cancel: () => void (scheduled.cancelled = true) };
  }

  every(intervalMs: number, callback: () => void): Timer {
    let timer: Timer;
    const tick = (): void => {
      timer = this.after(intervalMs, tick);
      callback();
    };
    timer = this.after(intervalMs, tick);
    return { cancel: () => timer.cancel() };
  }

  /** Fires timers until `done` holds (answers true) or virtual time reaches `endMs` (answers whether `done` holds then). */
  async runUntil(endMs: number, done: () => boolean = () => false): Promise<boolean> {
    await settle();
    while (!done()) {
      const next = this.peek();
      if (!next || next.dueMs > endMs) {
        this.timeMs = Math.max(this.timeMs, endMs);
        return done();
      }
      this.pop();
      if (next.cancelled) continue;
      this.timeMs = next.dueMs;
      this.events++;
      next.callback();
      await settle();
    }
    return true;
  }

  private peek(): Scheduled | undefined {
    return this.heap[0];
  }

  private push(item: Scheduled): void {
    const { heap } = this;
    let i = heap.push(item) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as Scheduled;
      if (isBefore(above, item)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = item;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      const left = 2 * i + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const child = right < heap.length && isBefore(heap[right] as Scheduled, heap[left] as Scheduled) ? right : left;
      if (isBefore(last, heap[child] as Scheduled)) break;
      heap[i] = heap[child] as Scheduled;
      i = child;
    }
    heap[i] = last;
  }
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

/** One turn of the event loop: every promise that can settle without I/O has settled afterwards. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
