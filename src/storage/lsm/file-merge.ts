/** Writes what a cursor shows into files, a slice at a time. */
import type { EntryCursor } from './entry.ts';
import type { BlockCache } from './block-cache.ts';
import { SortedFileWriter, type SortedFile } from './sorted-file.ts';

/** How files are written. */
export interface FileOutput {
  readonly cache: BlockCache;
  /** Files are cut at about this size, between two places; Infinity: there is one file. */
  readonly fileSizeBytes: number;
  /** Keys that are gone are left out. */
  readonly dropsGone: boolean;
  nextPath(): string;
}

export class FileMerge {
  readonly outputs: SortedFile[] = [];
  private readonly cursor: EntryCursor;
  private readonly output: FileOutput;
  private writer: SortedFileWriter | null = null;

  constructor(cursor: EntryCursor, output: FileOutput) {
    this.cursor = cursor;
    this.output = output;
  }

  /** Looks at entries of about `sizeBytes`. True when all is written: `outputs` are held once each. */
  step(sizeBytes: number): boolean {
    const { cursor, output } = this;
    for (let left = sizeBytes; left > 0;) {
      if (!cursor.next()) {
        this.endFile();
        return true;
      }
      const { place, key, value } = cursor;
      left -= key.end - key.start + value.end - value.start;
      if (output.dropsGone && value.end === value.start) continue;
      if (this.writer !== null && this.writer.sizeBytes >= output.fileSizeBytes && place > this.writer.lastPlace) this.endFile();
      this.writer ??= new SortedFileWriter(output.nextPath());
      this.writer.add(place, key, value);
    }
    return false;
  }

  /** Nothing of it is left. */
  abort(): void {
    this.writer?.abort();
    this.writer = null;
    for (const file of this.outputs) file.release();
    this.outputs.length = 0;
  }

  private endFile(): void {
    if (this.writer !== null) this.outputs.push(this.writer.end(this.output.cache));
    this.writer = null;
  }
}
