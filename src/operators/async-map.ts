/**
 * asyncMap: a bounded queue of requests between two segments of a chain.
 *
 *     upstream ─► [r1 ✓][r2 …][W][r3 ✓] ─► downstream      ordered: nothing leaves before r1
 *                                                          unordered: r1, r2 in any order, then W, then r3
 *
 * The operator ends one segment (its `process` is synchronous) and begins the next, which the task feeds
 * by `poll` between records. Events wait in the queue with the records, so nothing overtakes a watermark.
 * A request counts against the capacity until its result has been polled.
 */
import type { Lifecycle, RecordBatch, AsyncFunction, AsyncOptions } from '../graph/functions.ts';
import { present } from '../base/assert.ts';
import type { StreamEvent } from '../exchange/contract.ts';
import { AsyncRequest } from './async-request.ts';
import type { AsyncOutcome, RequestOptions } from './async-request.ts';
import { operatorFailure } from './failure.ts';
import { FunctionOperator } from './function-operator.ts';
import { HeldRecords } from './held-records.ts';
import type { OperatorCode, OperatorContext, RecordVariables } from './operator.ts';

/** What a segment of a chain reads besides a gate or a source reader. */
export interface SegmentInput {
  /** Fills `batch`, or puts the next event into `event`. */
  poll(batch: RecordBatch): 'records' | 'event' | 'nothing';
  /** Event of the last `poll`. */
  readonly event: StreamEvent | null;
  readonly inputIndex: 0;
}

interface Waiting {
  readonly value: unknown;
  readonly timestampMs: number;
}

/** A record in the queue. `done` once `result` is there. */
interface Pending {
  readonly request: AsyncRequest;
  readonly timestampMs: number;
  done: boolean;
  result: unknown;
}

/** The records between two events, and the event that closes them (null while it has not come). */
interface Stretch {
  readonly pending: Pending[];
  event: StreamEvent | null;
}

type User = Lifecycle & { readonly asyncMap: AsyncFunction<unknown, unknown>; readonly options: AsyncOptions<unknown, unknown> };

/** Calls an asynchronous function per record, many at a time. */
export class AsyncMapOperator extends FunctionOperator<User> implements SegmentInput {
  override readonly retainsInput = true;
  event: StreamEvent | null = null;
  readonly inputIndex = 0;
  private readonly waiting: HeldRecords<Waiting>;
  private stretches: Stretch[] = [{ pending: [], event: null }];
  private inFlight = 0;
  private shared: RequestOptions | null = null;
  private context: OperatorContext | null = null;

  constructor(name: string, user: User) {
    super(name, user);
    this.waiting = new HeldRecords(name);
  }

  override open(context: OperatorContext): void | Promise<void> {
    this.context = context;
    this.shared = {
      operatorName: this.name,
      call: (value, signal) => this.user.asyncMap(value, signal),
      options: this.user.options,
      clock: context.clock,
    };
    return super.open(context);
  }

  process(value: unknown, timestampMs: number): void {
    if (this.inFlight < this.user.options.capacity) this.request(value, timestampMs);
    else this.waiting.add({ value, timestampMs });
  }

  generate(code: OperatorCode, record: RecordVariables): void {
    code.line(`${code.constant('asyncMap', this)}.process(${record.value}, ${record.timestampMs});`);
  }

  resume(): boolean {
    while (this.inFlight < this.user.options.capacity) {
      const next = this.waiting.take();
      if (next === undefined) return true;
      this.request(next.value, next.timestampMs);
    }
    return false;
  }

  onEvent(event: StreamEvent): void {
    this.newest().event = event;
    this.stretches.push({ pending: [], event: null });
    if (event.kind !== 'end') return;
    for (const stretch of this.stretches) for (const { request } of stretch.pending) request.hurry();
  }

  poll(batch: RecordBatch): 'records' | 'event' | 'nothing' {
    const oldest = this.stretches[0];
    if (oldest === undefined) return 'nothing';
    batch.length = 0;
    if (this.user.options.ordered) this.takeOrdered(oldest.pending, batch);
    else this.takeUnordered(oldest.pending, batch);
    this.inFlight -= batch.length;
    if (batch.length > 0) return 'records';
    if (oldest.pending.length > 0 || oldest.event === null) return 'nothing';
    this.event = oldest.event;
    this.stretches.shift();
    return 'event';
  }

  isIdle(): boolean {
    return this.inFlight === 0 && this.waiting.length === 0;
  }

  override async close(): Promise<void> {
    for (const stretch of this.stretches) for (const { request } of stretch.pending) request.cancel();
    this.stretches = [];
    await super.close();
  }

  private request(value: unknown, timestampMs: number): void {
    const context = present(this.context, 'records come after open');
    const shared = present(this.shared, 'records come after open');
    const request = new AsyncRequest(value, shared, (outcome) => context.post(() => this.complete(pending, outcome)));
    const pending: Pending = { request, timestampMs, done: false, result: undefined };
    this.newest().pending.push(pending);
    this.inFlight++;
    if (this.inFlight >= this.user.options.capacity) context.status.full = true;
    request.start();
  }

  private complete(pending: Pending, outcome: AsyncOutcome): void {
    if (outcome.kind === 'error') throw operatorFailure(this.name, outcome.error);
    pending.result = outcome.result;
    pending.done = true;
  }

  /** From the front, up to the first that is not done. */
  private takeOrdered(pending: Pending[], batch: RecordBatch): void {
    let taken = 0;
    for (; taken < batch.capacity; taken++) {
      const next = pending[taken];
      if (next === undefined || !next.done) break;
      put(next, batch);
    }
    pending.splice(0, taken);
  }

  /** All that are done; the rest close up. */
  private takeUnordered(pending: Pending[], batch: RecordBatch): void {
    let kept = 0;
    for (const next of pending) {
      if (next.done && batch.length < batch.capacity) put(next, batch);
      else pending[kept++] = next;
    }
    pending.length = kept;
  }

  private newest(): Stretch {
    return present(this.stretches.at(-1), 'nothing follows the end of a task');
  }
}

function put(pending: Pending, batch: RecordBatch): void {
  batch.values[batch.length] = pending.result;
  batch.timestampsMs[batch.length] = pending.timestampMs;
  batch.length++;
}
