/**
 * What the bytes of files mean, as sources see it: lines that become records one by one, or blocks that a format reads itself.
 * Implementations are in the room `formats`.
 *
 * A position in a file is a byte where reading can begin, and how many records come after it: `CheckpointedPosition` of Flink.
 */
import type { TypeDescriptor } from '../types/type-descriptor.ts';

/** Consecutive records of a file. */
export interface RecordRun<T = unknown> {
  readonly records: readonly T[];
  /** Where to begin so that the first record read is `records[0]`. */
  readonly positionBytes: number;
}

/** A file that is read. */
export interface FormatInput {
  /** For messages. */
  readonly path: string;
  /** The whole file's; of a compressed file it says nothing about the bytes that `read` yields. */
  readonly sizeBytes: number;
  /** Bytes from `startBytes` on, up to `endBytes` or the end of the file. Text of a compressed file comes decompressed. */
  read(startBytes: number, endBytes?: number): AsyncIterable<Uint8Array>;
  /** A record was left out because it could not be read. */
  skipped(reason: string): void;
}

/** The part of a file that one reader reads. */
export interface FormatRange {
  readonly startBytes: number;
  /** Excluded. */
  readonly endBytes: number;
  /** A `RecordRun.positionBytes` to go on from; null at the beginning. */
  readonly positionBytes: number | null;
}

/** A file is lines, and each line a record. Read by byte ranges, compressed files as a whole. */
export interface LineFormat<T = unknown> {
  readonly kind: 'lines';
  /** In plans. */
  readonly name: string;
  readonly type: TypeDescriptor<T> | undefined;
  /** Null: the lines themselves are the records. Throws for a line that is no record. */
  readonly decode: ((line: string) => T) | null;
  /** Lines that are no records are counted (`numRecordsInErrors`) and left out; otherwise they fail the job. */
  readonly skipsErrors: boolean;
}

/** A format that finds its records itself. */
export interface BlockFormat<T = unknown> {
  readonly kind: 'blocks';
  readonly name: string;
  readonly type: TypeDescriptor<T> | undefined;
  /** Any range of bytes can be read on its own: each record of the file belongs to one of several ranges. */
  readonly isSplittable: boolean;
  /** Files named `.gz`, `.deflate` or `.zst` are decompressed. Others have a compression of their own. */
  readonly isText: boolean;
  /** The records of a range, in order. Throws DATA_CORRUPT naming file and byte. */
  read(input: FormatInput, range: FormatRange): AsyncIterable<RecordRun<T>>;
}

/** How a file source reads files. */
export type FileFormat<T = unknown> = LineFormat<T> | BlockFormat<T>;
