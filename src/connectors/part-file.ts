/**
 * One part file of the file sink, from its first row until it is pending:
 *
 *     append … ─► in progress (seen by nobody) ── finish ──► pending, `.part-<uid>-<n>.inprogress.<hex>`
 *                         └───── discard ──► nothing                └── commit (file-sink.ts) ──► `part-<uid>-<n>`
 *
 * A pending file is complete and durable. Rows are gathered and written a buffer at a time, one after another.
 */
import type { FileSystem, FileWriter } from '../storage/file-system.ts';

/** Rows gathered before they are written, in characters. */
const GATHERED_CHARACTERS_MAX = 64 * 1024;

/** Where a part file goes. */
export interface PartPlace {
  readonly files: FileSystem;
  /** The hidden name's path in `files`. */
  readonly path: string;
}

export class PartFile {
  readonly createdMs: number;
  private readonly place: PartPlace;
  private readonly opening: Promise<FileWriter>;
  private gathered = '';
  private sentSizeBytes = 0;
  /** Settles when everything sent before has been written. */
  private written: Promise<void>;
  private isWriting = false;
  private isPending = false;

  constructor(place: PartPlace, createdMs: number) {
    this.place = place;
    this.createdMs = createdMs;
    this.opening = place.files.create(place.path);
    this.written = this.opening.then(() => undefined);
    // Reported by the first append that waits, or by `finish`; a rejection that nobody awaits yet would end the process.
    this.written.catch(() => undefined);
  }

  /** Rows that are not written yet count a byte a character. */
  get sizeBytes(): number {
    return this.sentSizeBytes + this.gathered.length;
  }

  /** Adds a row. A promise means that storage is behind. */
  append(row: string): void | Promise<void> {
    this.gathered += `${row}\n`;
    return this.gathered.length < GATHERED_CHARACTERS_MAX ? undefined : this.send();
  }

  /** Makes the file pending. */
  async finish(): Promise<void> {
    await this.send();
    await this.written;
    await (await this.opening).commit();
    this.isPending = true;
  }

  /** Removes the file, also when it is pending. Never throws: a hidden file that stays does no harm. */
  async discard(): Promise<void> {
    await this.written.catch(() => undefined);
    const writer = await this.opening.catch(() => null);
    await writer?.abort().catch(() => undefined);
    if (this.isPending) await this.place.files.delete(this.place.path).catch(() => false);
  }

  /** Starts to write what was gathered; asks for a wait only when a buffer before it is still being written. */
  private send(): void | Promise<void> {
    if (this.gathered === '') return;
    const bytes = Buffer.from(this.gathered);
    this.gathered = '';
    this.sentSizeBytes += bytes.length;
    const before = this.isWriting ? this.written : undefined;
    this.isWriting = true;
    const written = this.written.then(async () => (await this.opening).write(bytes));
    this.written = written;
    written.then(() => this.onWritten(written), () => undefined);
    return before;
  }

  private onWritten(write: Promise<void>): void {
    if (this.written === write) this.isWriting = false;
  }
}
