/**
 * The `collect` sink: hands records to the client that asked, through the coordinator at the JobMaster.
 * Batches are numbered and acknowledged; with a window of them unacknowledged the input waits, so a client
 * that does not poll holds the job back instead of filling memory.
 *
 * Records cross as plain data: what JSON cannot say is refused, naming where.
 */
import type { SinkWriter } from '../graph/functions.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { JsonValue } from '../protocol/json.ts';
import { Signal } from './signal.ts';

/** Records per batch. */
const BATCH_RECORDS_MAX = 256;
/** Batches on their way. */
const WINDOW_BATCHES = 4;

/** The way to the coordinator. */
export interface CollectChannel {
  send(sequence: number, values: readonly JsonValue[]): void;
  /** `acknowledged` is called with the sequence number of each batch that the coordinator took. */
  onAcknowledged(acknowledged: (sequence: number) => void): void;
}

export class CollectWriter implements SinkWriter<unknown> {
  private readonly channel: CollectChannel;
  private readonly changed = new Signal();
  private batch: JsonValue[] = [];
  private nextSequence = 0;
  private acknowledgedEnd = 0;
  private sendScheduled = false;
  private closed = false;

  constructor(channel: CollectChannel) {
    this.channel = channel;
    channel.onAcknowledged((sequence) => {
      this.acknowledgedEnd = Math.max(this.acknowledgedEnd, sequence + 1);
      this.changed.raise();
    });
  }

  write(value: unknown): void | Promise<void> {
    this.batch.push(plainData(value, '$'));
    if (this.batch.length >= BATCH_RECORDS_MAX) return this.sendWhenThereIsRoom();
    if (!this.sendScheduled) this.scheduleSend();
  }

  /** Resolves when the coordinator has everything. */
  async flush(): Promise<void> {
    await this.sendWhenThereIsRoom();
    while (this.acknowledgedEnd < this.nextSequence && !this.closed) await this.changed.wait();
  }

  close(): void {
    this.closed = true;
    this.changed.raise();
  }

  private scheduleSend(): void {
    this.sendScheduled = true;
    queueMicrotask(() => {
      this.sendScheduled = false;
      void this.sendWhenThereIsRoom();
    });
  }

  private sendWhenThereIsRoom(): void | Promise<void> {
    if (this.batch.length === 0) return;
    if (!this.isFull()) return this.send();
    return this.waitAndSend();
  }

  private async waitAndSend(): Promise<void> {
    while (this.batch.length > 0 && this.isFull() && !this.closed) await this.changed.wait();
    if (this.batch.length > 0 && !this.closed) this.send();
  }

  private isFull(): boolean {
    return this.nextSequence - this.acknowledgedEnd >= WINDOW_BATCHES;
  }

  private send(): void {
    const values = this.batch;
    this.batch = [];
    this.channel.send(this.nextSequence++, values);
  }
}

/** A copy as plain data. Throws TYPE_MISMATCH with the path of what cannot be one. */
function plainData(value: unknown, path: string): JsonValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return value.map((item, i) => plainData(item, `${path}[${i}]`));
  if (typeof value !== 'object' || !isPlain(value)) throw notPlainData(value, path);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name, plainData(field, `${path}.${name}`)]));
}

function isPlain(value: object): boolean {
  return ![Map, Set, Date, ArrayBuffer].some((kind) => value instanceof kind) && !ArrayBuffer.isView(value);
}

function notPlainData(value: unknown, path: string): ClusterError {
  const what = typeof value === 'object' ? (value?.constructor.name ?? 'null') : `${typeof value} ${String(value)}`;
  return new ClusterError(
    'TYPE_MISMATCH', `collect: ${path} is a ${what}, which cannot be sent to the client; map the records to plain data first`,
  );
}
