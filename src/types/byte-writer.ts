/**
 * The growing buffer behind every codec: snapshots, state and exchange write through this one class, so
 * that calls from generated codecs stay monomorphic and inline.
 *
 * A string is a varint of its size in bytes and its bytes; see types/text-bytes.ts.
 */
import { ClusterError } from '../protocol/errors.ts';
import { SHORT_WRITE_MAX, textSizeBytes, writeText } from './text-bytes.ts';
import type { ByteSink } from './type-descriptor.ts';

/** Bound on one value; a record beyond it is a mistake in the program, not a record. */
export const RECORD_SIZE_BYTES_MAX = 64 * 1024 * 1024;
const VARINT_SIZE_BYTES_MAX = 8;
const INT31_LIMIT = 0x80000000;

/** Writes into `store[0..position)`, growing as needed. `store` changes when it grows. */
export class ByteWriter implements ByteSink {
  /** What was written, in `[0, position)`. */
  store: Buffer;
  position = 0;
  private view: DataView;

  constructor(sizeBytes = 256) {
    this.store = Buffer.from(new ArrayBuffer(sizeBytes)); // Never a slice of Node's pool.
    this.view = new DataView(this.store.buffer);
  }

  u8(value: number): void {
    if (this.position >= this.store.length) this.grow(1);
    this.store[this.position++] = value;
  }

  i32(value: number): void {
    const at = this.position;
    if (at + 4 > this.store.length) this.grow(4);
    this.view.setInt32(at, value, true);
    this.position = at + 4;
  }

  f64(value: number): void {
    const at = this.position;
    if (at + 8 > this.store.length) this.grow(8);
    this.view.setFloat64(at, value, true);
    this.position = at + 8;
  }

  i64(value: bigint): void {
    const at = this.position;
    if (at + 8 > this.store.length) this.grow(8);
    this.view.setBigInt64(at, value, true);
    this.position = at + 8;
  }

  varint(value: number): void {
    if (this.position + VARINT_SIZE_BYTES_MAX > this.store.length) this.grow(VARINT_SIZE_BYTES_MAX);
    if (value < 128) this.store[this.position++] = value;
    else this.longVarint(value);
  }

  string(value: string): void {
    const length = value.length;
    if (length > SHORT_WRITE_MAX) return this.longString(value);
    const start = this.position + 1;
    if (start + length > this.store.length) this.grow(length + 1);
    const store = this.store;
    let bits = 0;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      bits |= unit;
      store[start + i] = unit;
    }
    if (bits > 127) return this.longString(value);
    store[start - 1] = length;
    this.position = start + length;
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value, 0, value.length);
  }

  /** Bytes without a length. */
  raw(source: Uint8Array, start: number, end: number): void {
    const at = this.position;
    if (at + end - start > this.store.length) this.grow(end - start);
    this.store.set(source.subarray(start, end), at);
    this.position = at + end - start;
  }

  /** A copy of what was written. */
  toBytes(): Uint8Array {
    return new Uint8Array(this.store.subarray(0, this.position));
  }

  private longString(value: string): void {
    const sizeBytes = textSizeBytes(value);
    this.varint(sizeBytes);
    if (this.position + sizeBytes > this.store.length) this.grow(sizeBytes);
    this.position = writeText(value, this.store, this.position);
  }

  /** Seven bits a byte, low first; bit operations cover 31 bits, division the rest. */
  private longVarint(value: number): void {
    let rest = value;
    while (rest >= INT31_LIMIT) {
      this.store[this.position++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 128) {
      this.store[this.position++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.store[this.position++] = rest;
  }

  private grow(moreBytes: number): void {
    const needed = this.position + moreBytes;
    if (needed > RECORD_SIZE_BYTES_MAX) {
      throw new ClusterError('RECORD_TOO_LARGE', `a value of more than ${RECORD_SIZE_BYTES_MAX} bytes cannot be encoded`);
    }
    const bigger = Buffer.from(new ArrayBuffer(Math.max(needed, this.store.length * 2)));
    bigger.set(this.store.subarray(0, this.position));
    this.store = bigger;
    this.view = new DataView(bigger.buffer);
  }
}
