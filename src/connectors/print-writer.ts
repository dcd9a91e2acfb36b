/**
 * The `print` sink: one line per record, after `prefix:subtask> ` as Flink's `PrintSinkOutputWriter` spells it.
 * Lines are gathered and leave together: after a bound, or when the subtask goes on to something else.
 */
import type { RuntimeContext, SinkWriter } from '../graph/functions.ts';
import { formatRecord } from '../graph/record-format.ts';

/** Text gathered before it is sent, in characters. */
const GATHERED_CHARACTERS_MAX = 16 * 1024;

/** Where the lines go. */
export interface PrintContext extends RuntimeContext {
  print(stream: 'stdout' | 'stderr', text: string): void | Promise<void>;
}

export class PrintWriter implements SinkWriter<unknown> {
  private readonly stream: 'stdout' | 'stderr';
  private readonly prefix: string;
  private readonly context: PrintContext;
  private gathered = '';
  private flushScheduled = false;

  constructor(options: { readonly stream: 'stdout' | 'stderr'; readonly prefix: string | null }, context: PrintContext) {
    this.stream = options.stream;
    this.context = context;
    this.prefix = prefixOf(options.prefix, context);
  }

  write(value: unknown): void | Promise<void> {
    this.gathered += `${this.prefix}${formatRecord(value)}\n`;
    if (this.gathered.length >= GATHERED_CHARACTERS_MAX) return this.send();
    if (!this.flushScheduled) this.scheduleSend();
  }

  flush(): void | Promise<void> {
    return this.send();
  }

  close(): void | Promise<void> {
    return this.send();
  }

  /** A microtask runs when the chain gives up the thread: so a line is never held back for want of a next one. */
  private scheduleSend(): void {
    this.flushScheduled = true;
    queueMicrotask(() => {
      this.flushScheduled = false;
      void this.send();
    });
  }

  private send(): void | Promise<void> {
    if (this.gathered === '') return;
    const text = this.gathered;
    this.gathered = '';
    return this.context.print(this.stream, text);
  }
}

/** `id:3> `, `id> ` with one subtask, `3> ` without an id, nothing without either. Subtasks count from 1. */
function prefixOf(id: string | null, { subtaskIndex, parallelism }: RuntimeContext): string {
  const parts = [...(id === null ? [] : [id]), ...(parallelism > 1 ? [subtaskIndex + 1] : [])];
  return parts.length === 0 ? '' : `${parts.join(':')}> `;
}
