/**
 * Buffers for a reader that gives back what it has read. A fresh 256 KiB outside the heap for each read makes V8 collect
 * the old generation again and again (counting the words of 135 MB: 24 collections in 11 s, 4 % of the processor time).
 */

/** Bytes of one read. Larger reads gained nothing on local disks. */
export const READ_SIZE_BYTES = 256 * 1024;
/** Kept for reuse: more than a reader has at hand. */
const FREE_MAX = 8;

/** The buffers of one reader. */
export class ReadBuffers {
  private readonly free: Uint8Array[] = [];

  /** `READ_SIZE_BYTES` with anything in them. */
  take(): Uint8Array {
    return this.free.pop() ?? new Uint8Array(READ_SIZE_BYTES);
  }

  /** Nobody looks at `chunk` any more, a whole buffer or its only part in use. Memory that is no such buffer is left alone. */
  give({ buffer }: Uint8Array): void {
    const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === READ_SIZE_BYTES;
    if (isWhole && this.free.length < FREE_MAX) this.free.push(new Uint8Array(buffer));
  }
}
