/**
 * Splits of the built-in sources: plain data that the enumerator assigns, the reader works off, and a
 * checkpoint stores. A split holds its own resume position, so the reader has no other state.
 */
import type { SourceSplit } from './functions.ts';

/** Bytes `startBytes..endBytes` (end excluded) of a file. A line belongs to the split in which it begins. */
export interface FileSplit extends SourceSplit {
  readonly path: string;
  readonly startBytes: number;
  readonly endBytes: number;
  /** Where reading goes on: the beginning of a line or block; null before the first. Of a compressed file: in its content. */
  readonly positionBytes: number | null;
  /** Records behind that position that were read already; of lines always absent. */
  readonly recordsAfterPosition?: number;
}

/** The integers `next..to`, both included. Finished when `next > to`. */
export interface SequenceSplit extends SourceSplit {
  readonly next: number;
  readonly to: number;
}

/** Elements of the program from index `next` on. */
export interface ElementsSplit extends SourceSplit {
  readonly next: number;
}

/** Generated records `next`, `next + step`, `next + 2 step`…: every step-th index, so that rates are even over subtasks. */
export interface DatagenSplit extends SourceSplit {
  readonly next: number;
  readonly step: number;
}

/** The one connection of a socket source. It has no position: what was sent cannot be read again. */
export type SocketSplit = SourceSplit;

/** Contiguous shares of `from..to`, one per subtask that gets any; the first ones are one longer. */
export function sequenceSplits(from: number, to: number, parallelism: number): SequenceSplit[] {
  const splits: SequenceSplit[] = [];
  // In bigint: to - from + 1 may exceed the safe integers.
  const count = BigInt(to) - BigInt(from) + 1n;
  const share = count / BigInt(parallelism);
  const longer = Number(count % BigInt(parallelism));
  let next = BigInt(from);
  for (let subtask = 0; subtask < parallelism; subtask++) {
    const end = next + share + (subtask < longer ? 1n : 0n);
    if (end > next) splits.push({ id: `sequence-${subtask}`, next: Number(next), to: Number(end - 1n) });
    next = end;
  }
  return splits;
}

/** One split per subtask: subtask i generates indices i, i + p, i + 2p… */
export function datagenSplits(count: number | null, parallelism: number): DatagenSplit[] {
  const splits = Array.from({ length: parallelism }, (_, i) => ({ id: `datagen-${i}`, next: i, step: parallelism }));
  return count === null ? splits : splits.filter((split) => split.next < count);
}

/** Names of compressed files, as Flink knows them. Such files are read from their beginning only. */
const COMPRESSED_NAME = /\.(gz|gzip|deflate|zst|bz2|xz)$/i;

/** Whether a file of text with this name is read through a decompressor, and so as a whole. */
export function isCompressedName(path: string): boolean {
  return COMPRESSED_NAME.test(path);
}

/** Cuts a file into ranges of `splitSizeBytes`; infinite: it stays whole. An empty file has no split. */
export function fileSplits(file: { readonly path: string; readonly sizeBytes: number }, splitSizeBytes: number): FileSplit[] {
  const splits: FileSplit[] = [];
  for (let startBytes = 0; startBytes < file.sizeBytes; startBytes += splitSizeBytes) {
    const endBytes = Math.min(startBytes + splitSizeBytes, file.sizeBytes);
    splits.push({ id: `${file.path}:${startBytes}+${endBytes - startBytes}`, path: file.path, startBytes, endBytes, positionBytes: null });
  }
  return splits;
}
