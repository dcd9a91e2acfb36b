/**
 * The one door into a shell: events are posted from anywhere and handled one at a time, in order.
 *
 *     for await (const event of mailbox) for (const effect of core.step(event)) perform(effect);
 *
 * `perform` is never awaited; its outcome comes back as an event. This takes the place of Flink's main-thread executor.
 */
import { BoundedQueue } from './bounded-queue.ts';
import { assert } from './assert.ts';

/** A bounded queue of events with one reader. */
export class Mailbox<E> implements AsyncIterable<E> {
  private readonly queue: BoundedQueue<E>;
  private wake: (() => void) | null = null;
  private closed = false;

  /** Overflow is a bug of the poster (an unbounded producer), hence an assertion. */
  constructor(capacity: number) {
    this.queue = new BoundedQueue(capacity);
  }

  /** Adds an event. After `close` it is dropped: late answers to a stopped shell are not errors. */
  post(event: E): void {
    if (this.closed) return;
    assert(this.queue.offer(event), `a mailbox holds at most ${this.queue.capacity} events`);
    this.notify();
  }

  /** Ends the iteration once the events posted so far are handled. Idempotent. */
  close(): void {
    this.closed = true;
    this.notify();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<E> {
    for (;;) {
      const event = this.queue.take();
      if (event !== undefined) yield event;
      else if (this.closed) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  private notify(): void {
    const wake = this.wake;
    this.wake = null;
    wake?.();
  }
}
