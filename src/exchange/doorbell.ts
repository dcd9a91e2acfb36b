/**
 * A doorbell: how one thread wakes another that has nothing to do. A shared counter that every ring
 * raises, and a flag that says whether the owner sleeps, so that ringing an awake owner costs two
 * atomic operations and no system call.
 *
 *     int32[0] count     raised by each ring; compared before sleeping, so no ring is ever lost
 *     int32[1] sleeping  1 while the owner waits
 *
 * Invariant: the owner reads `value()` before it looks for work, and sleeps on that value: a ring in
 * between makes the wait return at once.
 */
import type { SlotDoorbell } from './contract.ts';

const COUNT = 0;
const SLEEPING = 1;
const SIZE_BYTES = 8;

/** Atomics.waitAsync is in V8 since 8.7, and not yet in the library types of our target. */
interface AsyncAtomics {
  waitAsync(words: Int32Array, index: number, expected: number): { readonly async: boolean; readonly value: string | Promise<string> };
}

/**
 * The doorbells of a TaskManager's slots. A slot keeps its own for life, whichever worker sits there:
 * rings towards a slot may be opened while its worker is being replaced.
 */
export class SlotDoorbells {
  private readonly doorbells = new Map<number, SharedArrayBuffer>();

  of(slotIndex: number): SharedArrayBuffer {
    const doorbell = this.doorbells.get(slotIndex) ?? new SharedArrayBuffer(SIZE_BYTES);
    this.doorbells.set(slotIndex, doorbell);
    return doorbell;
  }
}

/** The owner's side. One sleeper at a time. */
export class Doorbell implements SlotDoorbell {
  readonly shared: SharedArrayBuffer;
  private readonly words: Int32Array;
  private isRetired = false;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(SIZE_BYTES)) {
    this.shared = shared;
    this.words = new Int32Array(shared);
  }

  value(): number {
    return Atomics.load(this.words, COUNT);
  }

  async changed(seen: number): Promise<void> {
    Atomics.store(this.words, SLEEPING, 1);
    const wait = (Atomics as unknown as AsyncAtomics).waitAsync(this.words, COUNT, seen);
    if (wait.async) await wait.value;
    if (!this.isRetired) Atomics.store(this.words, SLEEPING, 0);
  }

  /** A wait of this owner may end after the next one has gone to sleep, and must not mark it as awake. */
  retire(): void {
    this.isRetired = true;
  }

  /** Wakes the owner, or keeps it from falling asleep. From any thread. */
  ring(): void {
    Atomics.add(this.words, COUNT, 1);
    if (Atomics.load(this.words, SLEEPING) === 1) Atomics.notify(this.words, COUNT);
  }
}
