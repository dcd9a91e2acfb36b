/**
 * A ring: one channel between two threads, as a single-producer single-consumer queue of buffers in
 * shared memory. Credit is the number of free buffers.
 *
 *     control words (int32)                               | cause | announcement | buffer 0 | … | buffer n−1
 *     [0] n  [16] head  [32] tail  [48] starved           | 4 KiB | 8 KiB        | 32 KiB each: header and payload
 *     [49] producer state  [50] consumer state            |
 *     [51] length of the cause                            |
 *     [52] version  [53] length of the announcement       |
 *
 *     head: buffers published, written by the producer      free      = n − (head − tail)
 *     tail: buffers released, written by the consumer       available = head − tail
 *
 * An announcement is text that need not wait for room: that of a barrier which overtakes the buffers. The next
 * takes its place. Its version is odd while it is being written, so that the consumer never reads half of one.
 *
 * The hot words lie in cache lines of their own. A buffer is published by one atomic store after it is
 * complete, so ending a thread at any point never shows a torn record.
 *
 * Wake-ups: every publish rings the consumer's doorbell. The consumer rings the producer's only when the
 * producer has said that it starves and half the ring is free, so that two busy ends do not wake each
 * other for every buffer; pausing a channel rings at once, since half may never be reached.
 */
import { assert } from '../base/assert.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import { BUFFER_SIZE_BYTES } from './contract.ts';
import type { Doorbell } from './doorbell.ts';

const COUNT = 0;
const HEAD = 16;
const TAIL = 32;
const STARVED = 48;
const PRODUCER_STATE = 49;
const CONSUMER_STATE = 50;
const CAUSE_LENGTH = 51;
const ANNOUNCEMENT_VERSION = 52;
const ANNOUNCEMENT_LENGTH = 53;
const CONTROL_SIZE_BYTES = 256;
/** Longer causes are shortened; the whole one is in the log of the side that failed. */
const CAUSE_SIZE_BYTES_MAX = 4096;
const CAUSE_TEXT_MAX = 600;
/** Longer announcements are not made. */
const ANNOUNCEMENT_SIZE_BYTES_MAX = 8192;
const ANNOUNCEMENT_OFFSET = CONTROL_SIZE_BYTES + CAUSE_SIZE_BYTES_MAX;
const BUFFERS_OFFSET = ANNOUNCEMENT_OFFSET + ANNOUNCEMENT_SIZE_BYTES_MAX;

const OPEN = 0;
const CLOSED = 1;
/** Between OPEN and CLOSED while the cause is being written. */
const CLOSING = 2;

/** Fewest buffers that let both ends work at the same time. */
export const RING_BUFFERS_MIN = 2;

/** Makes the memory of a ring of `bufferCount` buffers. */
export function allocateRing(bufferCount: number): SharedArrayBuffer {
  assert(bufferCount >= RING_BUFFERS_MIN, 'a ring has at least two buffers');
  const shared = new SharedArrayBuffer(BUFFERS_OFFSET + bufferCount * BUFFER_SIZE_BYTES);
  new Int32Array(shared, 0, 1)[0] = bufferCount;
  return shared;
}

/** Both ends: the memory, and what either may ask. */
class RingMemory {
  /** The whole memory; buffers are addressed by offset. */
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly bufferCount: number;
  protected readonly words: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.bytes = Buffer.from(shared);
    this.view = new DataView(shared);
    this.words = new Int32Array(shared, 0, CONTROL_SIZE_BYTES / 4);
    this.bufferCount = this.words[COUNT] as number;
  }

  protected offsetOf(position: number): number {
    return BUFFERS_OFFSET + (position % this.bufferCount) * BUFFER_SIZE_BYTES;
  }

  /** Published and not yet released. */
  protected inUse(): number {
    return (Atomics.load(this.words, HEAD) - Atomics.load(this.words, TAIL)) | 0;
  }
}

/** Writes buffers. `peer` is the consumer's doorbell. */
export class RingProducer extends RingMemory {
  private readonly peer: Doorbell;
  private head: number;

  constructor(shared: SharedArrayBuffer, peer: Doorbell) {
    super(shared);
    this.peer = peer;
    this.head = Atomics.load(this.words, HEAD);
  }

  free(): number {
    return this.bufferCount - ((this.head - Atomics.load(this.words, TAIL)) | 0);
  }

  /** Offset of the next free buffer; only while `free() > 0`. */
  nextOffset(): number {
    return this.offsetOf(this.head >>> 0);
  }

  /** Shows the buffer at `nextOffset` to the consumer. */
  publish(): void {
    this.head = (this.head + 1) | 0;
    Atomics.store(this.words, HEAD, this.head);
    this.peer.ring();
  }

  /** Asks to be woken when half the ring is free. Look at `free` again afterwards. */
  starve(): void {
    Atomics.store(this.words, STARVED, 1);
  }

  isEmpty(): boolean {
    return this.inUse() === 0;
  }

  /** Published buffers that the consumer has not given back. */
  unreleased(): number {
    return this.inUse();
  }

  /** Offset of a published buffer: 0 is the newest, 1 the one before. Its bytes stay as they are until the next `publish`. */
  publishedOffset(back: number): number {
    return this.offsetOf((this.head - 1 - back) >>> 0);
  }

  /** Tells the consumer something ahead of all buffers. False when it is too long, and nothing is told. */
  announce(text: string): boolean {
    if (Buffer.byteLength(text) > ANNOUNCEMENT_SIZE_BYTES_MAX) return false;
    Atomics.add(this.words, ANNOUNCEMENT_VERSION, 1);
    Atomics.store(this.words, ANNOUNCEMENT_LENGTH, this.bytes.write(text, ANNOUNCEMENT_OFFSET));
    Atomics.add(this.words, ANNOUNCEMENT_VERSION, 1);
    this.peer.ring();
    return true;
  }

  isConsumerClosed(): boolean {
    return Atomics.load(this.words, CONSUMER_STATE) === CLOSED;
  }

  /** Ends the channel; published buffers stay readable. The first cause counts. Idempotent. */
  close(cause: ErrorInfo | null): void {
    closeRing(this.words, this.bytes, cause);
    this.peer.ring();
  }
}

/** Reads buffers. `peer` is the producer's doorbell. */
export class RingConsumer extends RingMemory {
  private readonly peer: Doorbell;
  private tail: number;
  private announcementVersion = 0;

  constructor(shared: SharedArrayBuffer, peer: Doorbell) {
    super(shared);
    this.peer = peer;
    this.tail = Atomics.load(this.words, TAIL);
  }

  available(): number {
    return (Atomics.load(this.words, HEAD) - this.tail) | 0;
  }

  /** Offset of the oldest buffer; only while `available() > 0`. */
  nextOffset(): number {
    return this.offsetOf(this.tail >>> 0);
  }

  /** Offset of the buffer that comes `ahead` after the oldest; only while `available() > ahead`. */
  offsetAhead(ahead: number): number {
    return this.offsetOf((this.tail + ahead) >>> 0);
  }

  /** What the producer has announced since the last call; null: nothing. */
  announcement(): string | null {
    const version = Atomics.load(this.words, ANNOUNCEMENT_VERSION);
    if (version === this.announcementVersion || version % 2 === 1) return null;
    const length = Atomics.load(this.words, ANNOUNCEMENT_LENGTH);
    const text = this.bytes.toString('utf8', ANNOUNCEMENT_OFFSET, ANNOUNCEMENT_OFFSET + length);
    if (Atomics.load(this.words, ANNOUNCEMENT_VERSION) !== version) return null; // The next one is being written, and will be seen.
    this.announcementVersion = version;
    return text;
  }

  /** Gives the oldest buffer back. */
  release(): void {
    this.tail = (this.tail + 1) | 0;
    Atomics.store(this.words, TAIL, this.tail);
    if (Atomics.load(this.words, STARVED) === 1 && this.inUse() * 2 <= this.bufferCount) this.feed();
  }

  /** Wakes a starving producer now. */
  feed(): void {
    if (Atomics.exchange(this.words, STARVED, 0) === 1) this.peer.ring();
  }

  /** The producer has closed; ask before `available`, since it may publish and then close. */
  isProducerClosed(): boolean {
    return Atomics.load(this.words, PRODUCER_STATE) === CLOSED;
  }

  /** Why the producer closed; null when it had no cause. */
  cause(): ErrorInfo | null {
    const length = Atomics.load(this.words, CAUSE_LENGTH);
    if (length === 0) return null;
    return JSON.parse(this.bytes.toString('utf8', CONTROL_SIZE_BYTES, CONTROL_SIZE_BYTES + length)) as ErrorInfo;
  }

  /** Nobody reads any more. Idempotent. */
  close(): void {
    Atomics.store(this.words, CONSUMER_STATE, CLOSED);
    this.peer.ring();
  }
}

/** A writer that was terminated while CLOSING leaves the state to the next closer, hence no wait. */
function closeRing(words: Int32Array, bytes: Buffer, cause: ErrorInfo | null): void {
  if (Atomics.compareExchange(words, PRODUCER_STATE, OPEN, CLOSING) === CLOSED) return;
  if (cause !== null) {
    const short = { code: cause.code, className: cause.className, message: cause.message.slice(0, CAUSE_TEXT_MAX), stack: '' };
    Atomics.store(words, CAUSE_LENGTH, bytes.write(JSON.stringify(short), CONTROL_SIZE_BYTES, CAUSE_SIZE_BYTES_MAX));
  }
  Atomics.store(words, PRODUCER_STATE, CLOSED);
}
