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
import type { FileSystems } from '../storage/file-system.ts';
import { GatheredLines } from './gathered-lines.ts';

/** What to write where. */
export interface TextFileOptions {
  readonly path: string;
  readonly format: (value: unknown) => string;
}

export class TextFileWriter implements SinkWriter<unknown> {
  private readonly format: (value: unknown) => string;
  private readonly lines: GatheredLines;
  private ended = false;

  constructor(options: TextFileOptions, context: RuntimeContext, files: FileSystems) {
    this.format = options.format;
    const place = files.resolve(`${options.path.replace(/\/+$/, '')}/part-${context.subtaskIndex}`);
    this.lines = new GatheredLines(place.files.create(place.path, { replace: context.attemptNumber > 0 }));
  }

  write(value: unknown): void | Promise<void> {
    return this.lines.append(this.lineOf(value));
  }

  async flush(endOfInput: boolean): Promise<void> {
    await this.lines.flush();
    if (!endOfInput || this.ended) return;
    this.ended = true;
    await this.lines.commit();
  }

  /** Without the end of the input the file is thrown away. */
  async close(): Promise<void> {
    if (!this.ended) await this.lines.abort();
  }

  private lineOf(value: unknown): string {
    const line: unknown = this.format(value);
    if (typeof line === 'string') return line;
    throw new ClusterError('TYPE_MISMATCH', `writeAsText: the format function returned a value of type ${typeof line}, not a string`);
  }
}
