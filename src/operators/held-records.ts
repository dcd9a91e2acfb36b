/**
 * Records that wait in front of an operator that takes none. It happens only when one call upstream
 * emits many records at once and cannot stop, so the queue costs nothing while it is empty.
 */
import { ClusterError } from '../protocol/errors.ts';

/** Records that may wait in front of one operator. Beyond, one call upstream has emitted too much. */
const HELD_RECORDS_MAX = 1_000_000;

/** First in, first out. */
export class HeldRecords<T> {
  private readonly operatorName: string;
  private items: T[] = [];
  private head = 0;

  constructor(operatorName: string) {
    this.operatorName = operatorName;
  }

  get length(): number {
    return this.items.length - this.head;
  }

  /** Throws EMIT_OVERFLOW past `HELD_RECORDS_MAX`. */
  add(item: T): void {
    if (this.length >= HELD_RECORDS_MAX) {
      throw new ClusterError(
        'EMIT_OVERFLOW',
        `operator '${this.operatorName}': more than ${HELD_RECORDS_MAX} records wait, because one call upstream emitted them all; ` +
          'return an iterable there instead of calling out.emit',
      );
    }
    this.items.push(item);
  }

  /** The oldest, removed; undefined when none waits. */
  take(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.items[this.head++];
    if (this.head * 2 > this.items.length) this.compact();
    return item;
  }

  /** An item moves at most once for each one taken, so taking is constant on average. */
  private compact(): void {
    this.items = this.items.slice(this.head);
    this.head = 0;
  }
}
