/**
 * Reads what a `ByteWriter` wrote, from a window of any memory (a ring's buffer, a file, a frame).
 * Reading past the window throws DATA_CORRUPT: a reader never sees bytes that belong to something else.
 */
import { ClusterError } from '../protocol/errors.ts';
import { SHORT_READ_MAX, readShortAscii, readText } from './text-bytes.ts';
import type { ByteSource } from './type-descriptor.ts';

const VARINT_SIZE_BYTES_MAX = 8;
const ITEMS_WITHOUT_BYTES_MAX = 1 << 20;
const NOTHING = new Uint8Array(0);

/** A window `[position, end)` of memory. Reused by `reset` and `window`. */
export class ByteReader implements ByteSource {
  position = 0;
  end = 0;
  private store: Buffer = Buffer.from(NOTHING.buffer);
  private view = new DataView<ArrayBufferLike>(NOTHING.buffer);

  constructor(memory: Uint8Array = NOTHING) {
    this.reset(memory);
  }

  /** Reads all of `memory` from now on. */
  reset(memory: Uint8Array): void {
    this.store = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength);
    this.view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    this.window(0, memory.byteLength);
  }

  /** Moves the window within the same memory. */
  window(start: number, end: number): void {
    this.position = start;
    this.end = end;
  }

  u8(): number {
    if (this.position >= this.end) throw pastEnd();
    return this.store[this.position++] as number;
  }

  i32(): number {
    const at = this.take(4);
    return this.view.getInt32(at, true);
  }

  f64(): number {
    const at = this.take(8);
    return this.view.getFloat64(at, true);
  }

  i64(): bigint {
    const at = this.take(8);
    return this.view.getBigInt64(at, true);
  }

  varint(): number {
    const first = this.u8();
    return first < 128 ? first : this.longVarint(first);
  }

  count(): number {
    const count = this.varint();
    // An item takes a byte or more, but for literals and objects without fields.
    if (count > this.end - this.position && count > ITEMS_WITHOUT_BYTES_MAX) throw pastEnd();
    return count;
  }

  string(): string {
    const sizeBytes = this.varint();
    const start = this.take(sizeBytes);
    if (sizeBytes === 0) return '';
    const text = sizeBytes <= SHORT_READ_MAX ? readShortAscii(this.store, start, sizeBytes) : '';
    return text === '' ? readText(this.store, start, start + sizeBytes) : text;
  }

  /** A copy: the window's memory may be reused. */
  bytes(): Uint8Array {
    const sizeBytes = this.varint();
    const start = this.take(sizeBytes);
    return new Uint8Array(this.store.subarray(start, start + sizeBytes));
  }

  private take(sizeBytes: number): number {
    const at = this.position;
    if (at + sizeBytes > this.end) throw pastEnd();
    this.position = at + sizeBytes;
    return at;
  }

  private longVarint(first: number): number {
    let value = first & 127;
    let scale = 128;
    for (let i = 1; i < VARINT_SIZE_BYTES_MAX; i++) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw new ClusterError('DATA_CORRUPT', 'a number is longer than 53 bits: the data is damaged, or of another type');
  }
}

function pastEnd(): ClusterError {
  return new ClusterError('DATA_CORRUPT', 'a value reaches past the end of its data: the data is damaged, or of another type');
}
