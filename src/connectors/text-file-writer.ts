/**
 * The text file sink: each subtask writes one file `part-<subtask>` below the directory, one line per record.
 * The file appears under its name, complete and durable, when the input ends; a job that fails or is
 * cancelled leaves none. Lines are gathered and written a buffer at a time; the writer asks its input to
 * wait while storage is behind.
 *
 * A part that an earlier job left is never overwritten (FILE_EXISTS); a later attempt of the same job begins
 * anew and replaces its own.
 */
import type { RuntimeContext, SinkWriter } from '../graph/functions.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { FileSystems, FileWriter } from '../storage/file-system.ts';

/** Lines gathered before they are written, in characters. */
const GATHERED_CHARACTERS_MAX = 64 * 1024;

/** What to write where. */
export interface TextFileOptions {
  readonly path: string;
  readonly format: (value: unknown) => string;
}

export class TextFileWriter implements SinkWriter<unknown> {
  private readonly path: string;
  private readonly format: (value: unknown) => string;
  private readonly opening: Promise<FileWriter>;
  private gathered = '';
  /** Settles when everything sent before has been written. */
  private written: Promise<void>;
  /** Whether a buffer is being written: the next one has to wait for it. */
  private isWriting = false;
  private ended = false;

  constructor(options: TextFileOptions, context: RuntimeContext, files: FileSystems) {
    this.path = `${options.path.replace(/\/+$/, '')}/part-${context.subtaskIndex}`;
    this.format = options.format;
    const place = files.resolve(this.path);
    this.opening = place.files.create(place.path, { replace: context.attemptNumber > 0 });
    this.written = this.opening.then(() => undefined);
    // Reported by the first write or flush; a rejection that nobody awaits yet would end the process.
    this.written.catch(() => undefined);
  }

  write(value: unknown): void | Promise<void> {
    this.gathered += `${this.lineOf(value)}\n`;
    if (this.gathered.length >= GATHERED_CHARACTERS_MAX) return this.send();
  }

  async flush(endOfInput: boolean): Promise<void> {
    void this.send();
    await this.written;
    if (!endOfInput || this.ended) return;
    this.ended = true;
    await (await this.opening).commit();
  }

  /** Without the end of the input the file is thrown away. */
  async close(): Promise<void> {
    const file = await this.opening.catch(() => null);
    await this.written.catch(() => undefined);
    if (!this.ended) await file?.abort();
  }

  private lineOf(value: unknown): string {
    const line: unknown = this.format(value);
    if (typeof line === 'string') return line;
    throw new ClusterError('TYPE_MISMATCH', `writeAsText: the format function returned a value of type ${typeof line}, not a string`);
  }

  /** Starts to write what was gathered; asks for a wait only when a buffer before it is still being written. */
  private send(): void | Promise<void> {
    if (this.gathered === '') return;
    const bytes = Buffer.from(this.gathered);
    this.gathered = '';
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
