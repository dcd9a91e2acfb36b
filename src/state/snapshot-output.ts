/** The bytes of a snapshot's file as they are written, given out in slices. */
import { ByteWriter } from '../types/byte-writer.ts';

export class SnapshotOutput {
  readonly sink = new ByteWriter();
  /** What was given out; the rows are counted by who writes them. */
  readonly size = { bytes: 0, rowCount: 0 };
  /** Bytes of `sink` that were given out. */
  private sentBytes = 0;

  /** Written and not given out. */
  get waitingBytes(): number {
    return this.sink.position - this.sentBytes;
  }

  /** Where the next byte will be in the file. */
  get endOffset(): number {
    return this.size.bytes + this.waitingBytes;
  }

  /** At most `sizeBytes` of what waits. */
  slice(sizeBytes: number): Uint8Array {
    const { sink } = this;
    const end = Math.min(sink.position, this.sentBytes + sizeBytes);
    const bytes = new Uint8Array(sink.store.subarray(this.sentBytes, end));
    this.size.bytes += bytes.length;
    this.sentBytes = end;
    if (end === sink.position) this.sentBytes = sink.position = 0;
    return bytes;
  }
}
