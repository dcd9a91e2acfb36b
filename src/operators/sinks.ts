/**
 * The ends of a chain: the discard sink, which is generated in place, and the sink over a `SinkWriter`
 * of the connectors, whose promises are awaited as back-pressure.
 */
import { RecordFold } from '../graph/record-hash.ts';
import type { RuntimeContext, SinkWriter } from '../graph/functions.ts';
import type { StreamEvent } from '../exchange/contract.ts';
import { operatorFailure } from './failure.ts';
import { HeldRecords } from './held-records.ts';
import type { OperatorCode, OperatorContext, RecordVariables, StreamOperator } from './operator.ts';

/** Forgets records; with a fold it first adds them to a count and a hash (graph/record-hash.ts). */
export class DiscardOperator implements StreamOperator {
  readonly name: string;
  readonly retainsInput = false;
  readonly retainsOutput = false;
  readonly readsOnly = true;
  /** Null: records are forgotten unseen. */
  readonly fold: RecordFold | null;

  constructor(name: string, fold: boolean) {
    this.name = name;
    this.fold = fold ? new RecordFold() : null;
  }

  link(): void {
    // A sink has no outputs.
  }

  open(): void {
    // Nothing to open.
  }

  process(value: unknown): void {
    this.fold?.add(value);
  }

  generate(code: OperatorCode, record: RecordVariables): void {
    if (this.fold !== null) code.line(`${code.constant('fold', this.fold)}.add(${record.value});`);
  }

  close(): void {
    // Nothing to close.
  }
}

/** Makes the writer of a sink when its task opens. */
export type OpenSinkWriter = (context: RuntimeContext) => SinkWriter<unknown> | Promise<SinkWriter<unknown>>;

/** How a writer treats records. */
export interface SinkRecords {
  readonly readsOnly: boolean;
  readonly copy: (value: unknown) => unknown;
}

/**
 * Gives records to a writer. A promise from the writer raises `status.full` until it settles; records
 * that arrive in between (from an upstream that cannot stop) wait in order.
 */
export class SinkOperator implements StreamOperator {
  readonly name: string;
  readonly retainsInput: boolean;
  readonly retainsOutput = false;
  readonly readsOnly: boolean;
  private readonly openWriter: OpenSinkWriter;
  private readonly copy: (value: unknown) => unknown;
  private writer: SinkWriter<unknown> | null = null;
  private context: Pick<OperatorContext, 'status' | 'post'> = { status: { full: false }, post: () => undefined };
  private readonly waiting: HeldRecords<{ readonly value: unknown; readonly timestampMs: number }>;
  /** A promise of the writer has not settled. Read by generated code for every record. */
  private writing = false;
  private flushed = false;
  private ended = false;

  /** `readsOnly`: the writer is done with a record when `write` returns, and calls no user code that could change it. */
  constructor(name: string, openWriter: OpenSinkWriter, records: SinkRecords) {
    this.name = name;
    this.openWriter = openWriter;
    this.readsOnly = records.readsOnly;
    this.retainsInput = !records.readsOnly;
    this.copy = records.copy;
    this.waiting = new HeldRecords(name);
  }

  link(): void {
    // A sink has no outputs.
  }

  async open(context: OperatorContext): Promise<void> {
    this.context = context;
    this.writer = await this.openWriter(context.runtime);
  }

  process(value: unknown, timestampMs: number): void {
    if (this.writing) this.waiting.add({ value: this.copy(value), timestampMs });
    else this.settle(this.writer?.write(value, timestampMs));
  }

  generate(code: OperatorCode, record: RecordVariables): void {
    code.line(`${code.constant('sink', this)}.process(${record.value}, ${record.timestampMs});`);
  }

  resume(): boolean {
    return !this.writing;
  }

  onEvent(event: StreamEvent): void {
    if (event.kind !== 'end') return;
    this.ended = true;
    this.settle(this.writer?.flush(true));
    this.flushed = !this.writing;
  }

  isIdle(): boolean {
    return !this.ended || this.flushed;
  }

  async close(): Promise<void> {
    const writer = this.writer;
    this.writer = null;
    await writer?.close();
  }

  /** Waits for the writer when it asked for that. */
  private settle(written: void | Promise<void>): void {
    if (written === undefined) return;
    const settled = Promise.resolve(written); // A writer in JavaScript may have answered something else.
    this.writing = true;
    this.context.status.full = true;
    settled.then(
      () => this.context.post(() => this.onWritten()),
      (thrown: unknown) => this.context.post(() => {
        throw operatorFailure(this.name, thrown);
      }),
    );
  }

  private onWritten(): void {
    this.writing = false;
    if (this.ended) this.flushed = true;
    while (!this.writing && this.waiting.length > 0) {
      const next = this.waiting.take();
      if (next !== undefined) this.process(next.value, next.timestampMs);
    }
  }
}
