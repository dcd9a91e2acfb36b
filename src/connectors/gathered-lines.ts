/** Lines on their way into a file: gathered, and written a buffer at a time, one after another. */
import type { FileWriter } from '../storage/file-system.ts';

/** Lines gathered before they are written, in characters. */
const GATHERED_CHARACTERS_MAX = 64 * 1024;

export class GatheredLines {
  private readonly opening: Promise<FileWriter>;
  private gathered = '';
  private sentSizeBytes = 0;
  /** Settles when everything sent before has been written. */
  private written: Promise<void>;
  /** Whether a buffer is being written: the next one has to wait for it. */
  private isWriting = false;

  constructor(opening: Promise<FileWriter>) {
    this.opening = opening;
    this.written = opening.then(() => undefined);
    // Reported by the first append that waits, or by `flush`; a rejection that nobody awaits yet would end the process.
    this.written.catch(() => undefined);
  }

  /** Lines that are not written yet count a byte a character. */
  get sizeBytes(): number {
    return this.sentSizeBytes + this.gathered.length;
  }

  /** Adds a line and its end. A promise means that storage is behind. */
  append(line: string): void | Promise<void> {
    this.gathered += `${line}\n`;
    return this.gathered.length < GATHERED_CHARACTERS_MAX ? undefined : this.send();
  }

  /** Resolves when every line is written. Throws what storage threw first. */
  async flush(): Promise<void> {
    void this.send();
    await this.written;
  }

  /** Makes the file complete and durable. */
  async commit(): Promise<void> {
    await this.flush();
    await (await this.opening).commit();
  }

  /** Throws the file away. */
  async abort(): Promise<void> {
    await this.written.catch(() => undefined);
    const file = await this.opening.catch(() => null);
    await file?.abort();
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
