/**
 * What a slot prints: of `print` sinks and of the user's console. Text is gathered and sent once per
 * turn of the slot loop, and at most `UNANSWERED_BYTES_MAX` are under way: beyond, a sink's write waits
 * and the slot runs nothing, so a flood of output holds its producer and not the TaskManager's memory.
 */
import type { FromSlot } from './slot-protocol.ts';

/** Bytes sent or gathered that the TaskManager has not written yet. */
const UNANSWERED_BYTES_MAX = 1024 * 1024;
/** Text gathered before it is sent early. */
const GATHERED_CHARS_MAX = 64 * 1024;

type Stream = 'stdout' | 'stderr';

/** The printer of one slot. */
export class SlotPrinter {
  private readonly send: (message: FromSlot) => void;
  private readonly onRoom: () => void;
  private stream: Stream = 'stdout';
  private gathered = '';
  private unansweredBytes = 0;
  private waiting: (() => void)[] = [];

  /** `onRoom` is called when a full printer can take more. */
  constructor(send: (message: FromSlot) => void, onRoom: () => void) {
    this.send = send;
    this.onRoom = onRoom;
  }

  get isFull(): boolean {
    return this.unansweredBytes > UNANSWERED_BYTES_MAX;
  }

  /** A promise when the text must be written before more may come. */
  print(stream: Stream, text: string): void | Promise<void> {
    if (stream !== this.stream) this.flush();
    this.stream = stream;
    this.gathered += text;
    if (this.gathered.length >= GATHERED_CHARS_MAX) this.flush();
    if (this.isFull) return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Sends what was gathered. */
  flush(): void {
    if (this.gathered === '') return;
    const text = this.gathered;
    this.gathered = '';
    this.unansweredBytes += Buffer.byteLength(text);
    this.send({ kind: 'print', stream: this.stream, text });
  }

  /** `bytes` have been written. */
  onPrinted(bytes: number): void {
    const wasFull = this.isFull;
    this.unansweredBytes -= bytes;
    if (!wasFull || this.isFull) return;
    const woken = this.waiting;
    this.waiting = [];
    for (const resolve of woken) resolve();
    this.onRoom();
  }
}
