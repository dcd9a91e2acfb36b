/**
 * A text file that is rolled at its start and at a size: `x.log` becomes `x.log.1`, the next one `x.log.2`, up to a
 * limit; there the oldest, `.1`, goes and the others move down. The newest old file has the highest number, as
 * with log4j's default strategy.
 *
 * Never throws: a log that cannot be written must not take the process with it. What could not be written is
 * counted, and told in the file once it can be written again.
 *
 * Writes are synchronous: the page cache takes them, the order is right, and nothing is lost when the process ends.
 */
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** How a file is rolled. */
export interface RollingLimits {
  readonly sizeBytesMax: number;
  /** Old files that are kept. */
  readonly filesMax: number;
}

/** One log file. */
export class RollingFile {
  private readonly path: string;
  private limits: RollingLimits;
  private descriptor: number | null = null;
  private sizeBytes = 0;
  private dropped = 0;

  /** Rolls an existing file away, unless it is empty. Opens the new one at the first write. */
  constructor(path: string, limits: RollingLimits) {
    this.path = path;
    this.limits = limits;
    this.guarded(() => {
      mkdirSync(dirname(path), { recursive: true });
      if (existsSync(path) && statSync(path).size > 0) this.roll();
    });
  }

  /** Writes that failed since the last one that succeeded. */
  get droppedCount(): number {
    return this.dropped;
  }

  /** Limits for what is written from now on. */
  setLimits(limits: RollingLimits): void {
    this.limits = limits;
  }

  /** Appends `text`. False when it was dropped. */
  append(text: string): boolean {
    const written = this.guarded(() => {
      if (this.sizeBytes >= this.limits.sizeBytesMax) {
        this.close();
        this.roll();
      }
      this.write(this.dropped === 0 ? text : `(${this.dropped} writes to this log failed and are missing here)\n${text}`);
    });
    this.dropped = written ? 0 : this.dropped + 1;
    return written;
  }

  /** Idempotent; a later `append` opens the file again. */
  close(): void {
    const descriptor = this.descriptor;
    this.descriptor = null;
    if (descriptor !== null) closeSync(descriptor);
  }

  private write(text: string): void {
    this.descriptor ??= this.open();
    const bytes = Buffer.from(text);
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(this.descriptor, bytes, offset);
    this.sizeBytes += bytes.length;
  }

  private open(): number {
    const descriptor = openSync(this.path, 'a');
    this.sizeBytes = fstatSync(descriptor).size;
    return descriptor;
  }

  private roll(): void {
    const numbered = (number: number): string => `${this.path}.${number}`;
    let free = 1;
    while (free <= this.limits.filesMax && existsSync(numbered(free))) free++;
    if (free > this.limits.filesMax) {
      rmSync(numbered(1), { force: true });
      for (let number = 2; number < free; number++) renameSync(numbered(number), numbered(number - 1));
      free = this.limits.filesMax;
    }
    renameSync(this.path, numbered(free));
    this.sizeBytes = 0;
  }

  /** Runs file operations; any failure of theirs makes the answer false. */
  private guarded(operations: () => void): boolean {
    try {
      operations();
      return true;
    } catch (failure) {
      if (!(failure instanceof Error && 'code' in failure)) throw failure; // A bug, not the disk.
      return false;
    }
  }
}
