/**
 * Reads `socketTextStream`: text of a TCP server, one record per delimiter, until the server ends the
 * connection. A lost connection is tried again `retriesMax` times (-1: for ever), each after a pause.
 * Reading pauses while more than a bound of text waits, so a fast server is held back by TCP.
 */
import { connect, type Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import type { Clock, Timer } from '../base/ports.ts';
import { NO_TIMESTAMP, type PollResult, type ReaderContext, type RecordBatch, type SourceReader } from '../graph/functions.ts';
import type { SocketSplit } from '../graph/splits.ts';
import { ClusterError } from '../protocol/errors.ts';
import { Signal } from './signal.ts';

/** Flink: `SocketTextStreamFunction`, delay between connection attempts. */
const RETRY_DELAY_MS = 500;
const CONNECT_TIMEOUT_MS = 10_000;
/** Records waiting for `poll`; the socket pauses above and resumes below half of it. */
const PENDING_RECORDS_MAX = 16_384;
/** A record without a delimiter in this many characters is an error. */
const RECORD_CHARACTERS_MAX = 64 * 1024 * 1024;

/** Where to connect. */
export interface SocketOptions {
  readonly host: string;
  readonly port: number;
  readonly delimiter: string;
  readonly retriesMax: number;
}

export class SocketReader implements SourceReader<unknown> {
  private readonly options: SocketOptions;
  private readonly context: ReaderContext;
  private readonly clock: Clock;
  private split: SocketSplit | null = null;
  private socket: Socket | null = null;
  private timer: Timer | null = null;
  private retries = 0;
  private pending: string[] = [];
  private pendingFirst = 0;
  /** Text after the last delimiter. */
  private rest = '';
  private state: 'waiting' | 'reading' | 'ended' | 'closed' = 'waiting';
  private failure: ClusterError | null = null;
  private readonly changed = new Signal();

  constructor(options: SocketOptions, context: ReaderContext, clock: Clock) {
    this.options = options;
    this.context = context;
    this.clock = clock;
  }

  poll(batch: RecordBatch<unknown>): PollResult {
    batch.length = 0;
    if (this.failure !== null) throw this.failure;
    const count = Math.min(batch.capacity, this.pending.length - this.pendingFirst);
    for (let i = 0; i < count; i++) {
      batch.values[i] = this.pending[this.pendingFirst + i];
      batch.timestampsMs[i] = NO_TIMESTAMP;
    }
    batch.length = count;
    this.drop(count);
    if (count > 0) return 'more';
    return this.state === 'ended' ? 'end' : 'nothing';
  }

  available(): Promise<void> {
    if (this.pending.length > 0 || this.failure !== null || this.state === 'ended') return Promise.resolve();
    return this.changed.wait();
  }

  addSplits(splits: readonly SocketSplit[]): void {
    this.split = splits[0] ?? this.split;
    this.state = 'reading';
    this.open();
  }

  /** Without the split: another subtask has the connection. */
  noMoreSplits(): void {
    if (this.state === 'waiting') this.end();
  }

  snapshot(): readonly SocketSplit[] {
    return this.split === null || this.state === 'ended' ? [] : [this.split];
  }

  close(): void {
    this.state = 'closed';
    this.timer?.cancel();
    this.socket?.destroy();
    this.changed.raise();
  }

  private open(): void {
    const decoder = new StringDecoder('utf8');
    const socket = connect({ host: this.options.host, port: this.options.port });
    this.socket = socket;
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error(`no connection after ${CONNECT_TIMEOUT_MS} ms`)));
    socket.on('connect', () => this.onConnect(socket));
    socket.on('data', (bytes) => this.onText(decoder.write(bytes)));
    socket.on('end', () => this.onEnd(decoder.end()));
    socket.on('error', (error) => this.onLost(error));
  }

  private onConnect(socket: Socket): void {
    socket.setTimeout(0);
    this.context.log.info(`Connected to server socket ${this.options.host}:${this.options.port}`);
  }

  private onText(text: string): void {
    const parts = (this.rest + text).split(this.options.delimiter);
    this.rest = parts.pop() ?? '';
    if (this.rest.length > RECORD_CHARACTERS_MAX) {
      return this.fail(`sent ${this.rest.length} characters without a delimiter`, 'RECORD_TOO_LARGE');
    }
    for (const part of parts) this.pending.push(this.withoutCarriageReturn(part));
    if (this.pending.length - this.pendingFirst > PENDING_RECORDS_MAX) this.socket?.pause();
    this.changed.raise();
  }

  private onEnd(text: string): void {
    if (text !== '') this.onText(text);
    // Unlike Flink, an orderly end of the stream is the end of the source also with retries left.
    if (this.rest !== '') this.pending.push(this.withoutCarriageReturn(this.rest));
    this.rest = '';
    this.end();
  }

  private onLost(error: Error): void {
    if (this.state !== 'reading') return;
    const { retriesMax } = this.options;
    if (retriesMax >= 0 && this.retries >= retriesMax) return this.fail(`is lost: ${error.message}`, 'CONNECTION_LOST', error);
    this.retries += 1;
    this.context.log.warn(
      `Lost connection to server socket ${this.options.host}:${this.options.port} (${error.message}). Retrying in ${RETRY_DELAY_MS} msecs...`,
    );
    this.timer = this.clock.after(RETRY_DELAY_MS, () => this.open());
  }

  private fail(what: string, code: 'CONNECTION_LOST' | 'RECORD_TOO_LARGE', cause?: unknown): void {
    this.failure = new ClusterError(code, `socket ${this.options.host}:${this.options.port} ${what}`, { cause });
    this.socket?.destroy();
    this.changed.raise();
  }

  private end(): void {
    this.state = 'ended';
    this.changed.raise();
  }

  /** As Flink: with the delimiter `\n` a carriage return before it belongs to it. */
  private withoutCarriageReturn(text: string): string {
    return this.options.delimiter === '\n' && text.endsWith('\r') ? text.slice(0, -1) : text;
  }

  private drop(count: number): void {
    this.pendingFirst += count;
    if (this.pendingFirst === this.pending.length) {
      this.pending = [];
      this.pendingFirst = 0;
    }
    if (this.pending.length - this.pendingFirst < PENDING_RECORDS_MAX / 2) this.socket?.resume();
  }
}
