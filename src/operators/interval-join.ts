/**
 * The interval join of two keyed streams: each pair of one key whose right record is between `lower` and `upper` of the
 * left one, by event time, bounds included.
 *
 *     left   ────────────●──────────►       right record r joins left record l
 *     right  ───[lower ──┴── upper]─►       when l + lower ≤ r ≤ l + upper
 *
 * Each input has a buffer per key, sorted by time. A record looks for partners in the other buffer, enters its own, and
 * leaves it by a timer when no partner can come any more. A record behind the watermark is late: it joins nothing.
 * A pair carries the later of its two timestamps.
 *
 * Partners come out in the order of Flink's buffers, which are hash maps by timestamp; `hashOrder` has the effect.
 *
 * State: value states `left-buffer` and `right-buffer`, owned. Source: Flink `IntervalJoinOperator`, `java.util.HashMap`.
 */
import { present } from '../base/assert.ts';
import type { StreamEvent } from '../exchange/contract.ts';
import type { Collector, Counter, OutputTag, ValueState } from '../graph/functions.ts';
import { NO_TIMESTAMP } from '../graph/functions.ts';
import type { IntervalJoinData, IntervalJoinUser, KeySpec } from '../graph/operator-spec.ts';
import { requireTimestamp } from '../graph/window-assigners.ts';
import type { JoinContext } from '../graph/windows.ts';
import type { KeyedStateStore } from '../state/keyed-state-store.ts';
import type { Namespace } from '../state/namespace.ts';
import type { TimeDomain, TimerService, TimerTarget } from '../state/timer-service.ts';
import { t } from '../types/t.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { FunctionOperator } from './function-operator.ts';
import type { OperatorCode, OperatorContext, OperatorOutputs, RecordVariables } from './operator.ts';
import { LATE_RECORDS_DROPPED } from './windowed-operator.ts';

/** The records of one time. */
interface Bucket {
  readonly timestampMs: number;
  /** Place in the order of arrival of the times of this buffer. */
  readonly arrival: number;
  readonly values: unknown[];
}

/** The records of one input and key that may still find partners. */
interface Buffer {
  /** Sorted by time. */
  readonly buckets: Bucket[];
  arrivals: number;
  /** Of the hash map that Flink would have. */
  capacity: number;
}

/** The record that looks for partners. */
interface OwnRecord {
  readonly value: unknown;
  readonly timestampMs: number;
  readonly inputIndex: 0 | 1;
}

/** Namespaces of the timers that clean up the buffers. */
const CLEANUP: readonly [left: Namespace, right: Namespace] = [{ startMs: 0, endMs: 1 }, { startMs: 1, endMs: 2 }];

const CAPACITY_INITIAL = 16;
const LOAD_MAX = 0.75;
const TWO_TO_32 = 2 ** 32;

/** What the task supplies. */
export interface JoinSurroundings {
  readonly keys: readonly KeySpec[];
  readonly store: KeyedStateStore;
  /** By input; null when not declared. */
  readonly types: readonly [TypeDescriptor<unknown> | null, TypeDescriptor<unknown> | null];
}

class PairContext implements JoinContext {
  leftTimestampMs = NO_TIMESTAMP;
  rightTimestampMs = NO_TIMESTAMP;
  timestampMs = NO_TIMESTAMP;
  outputs: OperatorOutputs | null = null;

  output<T>(tag: OutputTag<T>, value: T): void {
    this.outputs?.side(tag.id)?.collect(value, this.timestampMs);
  }
}

export class IntervalJoinOperator extends FunctionOperator<IntervalJoinUser> implements TimerTarget {
  override readonly retainsInput = true;
  override readonly retainsOutput = true;
  private readonly data: IntervalJoinData;
  private readonly around: JoinSurroundings;
  private readonly buffers: readonly ValueState<Buffer>[];
  private readonly context = new PairContext();
  private readonly collector: Collector<unknown> = { emit: (value) => this.outputs.main.collect(value, this.context.timestampMs) };
  private timers: TimerService | null = null;
  private lateRecordsDropped: Counter | null = null;

  constructor(name: string, spec: { readonly data: IntervalJoinData; readonly user: IntervalJoinUser }, around: JoinSurroundings) {
    super(name, spec.user);
    this.data = spec.data;
    this.around = around;
    this.buffers = (['left-buffer', 'right-buffer'] as const).map((state, input) => {
      return around.store.value<Buffer>(state, bufferType(around.types[input] ?? null), { ownership: 'owned' });
    });
  }

  override link(outputs: OperatorOutputs): void {
    super.link(outputs);
    this.context.outputs = outputs;
  }

  override open(context: OperatorContext): void | Promise<void> {
    this.timers = present(context.timers, 'joined streams are keyed, so they have timers');
    this.timers.fireTo(this);
    this.lateRecordsDropped = context.runtime.counter(LATE_RECORDS_DROPPED);
    return super.open(context);
  }

  process(value: unknown, timestampMs: number, inputIndex: 0 | 1): void {
    requireTimestamp(timestampMs);
    const timers = this.timers as TimerService;
    if (timestampMs < timers.currentWatermarkMs) {
      this.onLate(value, timestampMs, inputIndex);
      return;
    }
    this.around.store.setKey((this.around.keys[inputIndex] as KeySpec).selector(value));
    this.add(value, timestampMs, inputIndex);
    const { lowerMs, upperMs } = this.data;
    const others = this.buffers[1 - inputIndex]?.get();
    const [fromMs, toMs] = inputIndex === 0 ? [lowerMs, upperMs] : [-upperMs, -lowerMs];
    if (others !== undefined) this.joinWith(others, timestampMs + fromMs, timestampMs + toMs, { value, timestampMs, inputIndex });
    const reachMs = inputIndex === 0 ? upperMs : -lowerMs;
    timers.register('event', timestampMs + Math.max(0, reachMs), CLEANUP[inputIndex]);
  }

  generate(code: OperatorCode, record: RecordVariables, inputIndex: 0 | 1): void {
    code.collector();
    code.line(`${code.constant('join', this)}.process(${record.value}, ${record.timestampMs}, ${inputIndex});`);
  }

  onEvent(event: StreamEvent): void | 'more' {
    return event.kind === 'watermark' ? this.timers?.advanceWatermark(event.timestampMs) : undefined;
  }

  /** The records of one time have had all their partners. */
  onTimer(_domain: TimeDomain, timestampMs: number, namespace: Namespace): void {
    const input = namespace.startMs === CLEANUP[0].startMs ? 0 : 1;
    const reachMs = input === 0 ? this.data.upperMs : -this.data.lowerMs;
    const state = this.buffers[input] as ValueState<Buffer>;
    const buffer = state.get();
    if (buffer === undefined) return;
    const recordMs = timestampMs - Math.max(0, reachMs);
    const at = positionOf(buffer.buckets, recordMs);
    if (buffer.buckets[at]?.timestampMs !== recordMs) return;
    if (buffer.buckets.length === 1) {
      state.clear();
      return;
    }
    buffer.buckets.splice(at, 1);
    state.set(buffer);
  }

  private onLate(value: unknown, timestampMs: number, inputIndex: 0 | 1): void {
    const tag = inputIndex === 0 ? this.data.leftLateTag : this.data.rightLateTag;
    if (tag === null) this.lateRecordsDropped?.inc();
    else this.outputs.side(tag)?.collect(value, timestampMs);
  }

  private add(value: unknown, timestampMs: number, inputIndex: 0 | 1): void {
    const state = this.buffers[inputIndex] as ValueState<Buffer>;
    const buffer = state.get() ?? { buckets: [], arrivals: 0, capacity: CAPACITY_INITIAL };
    const { buckets } = buffer;
    const at = positionOf(buckets, timestampMs);
    const bucket = buckets[at];
    if (bucket?.timestampMs === timestampMs) {
      bucket.values.push(value);
    } else {
      buckets.splice(at, 0, { timestampMs, arrival: buffer.arrivals++, values: [value] });
      if (buckets.length > buffer.capacity * LOAD_MAX) buffer.capacity *= 2;
    }
    state.set(buffer);
  }

  private joinWith(others: Buffer, fromMs: number, toMs: number, own: OwnRecord): void {
    const { buckets } = others;
    const from = positionOf(buckets, fromMs);
    let to = from;
    while (to < buckets.length && (buckets[to] as Bucket).timestampMs <= toMs) to++;
    for (const bucket of hashOrder(buckets.slice(from, to), others.capacity)) {
      for (const other of bucket.values) this.emit(own, other, bucket.timestampMs);
    }
  }

  private emit(own: OwnRecord, other: unknown, otherMs: number): void {
    const { context } = this;
    const isLeft = own.inputIndex === 0;
    context.leftTimestampMs = isLeft ? own.timestampMs : otherMs;
    context.rightTimestampMs = isLeft ? otherMs : own.timestampMs;
    context.timestampMs = Math.max(own.timestampMs, otherMs);
    this.user.process(isLeft ? own.value : other, isLeft ? other : own.value, context, this.collector);
  }
}

function bufferType(type: TypeDescriptor<unknown> | null): TypeDescriptor<Buffer> | null {
  if (type === null) return null;
  const buckets = t.array(t.object({ timestampMs: t.number, arrival: t.number, values: t.array(type) }));
  return t.object({ buckets, arrivals: t.number, capacity: t.number }) as unknown as TypeDescriptor<Buffer>;
}

/** Index of the first bucket that is not earlier. Mostly the last or the one after it. */
function positionOf(buckets: readonly Bucket[], timestampMs: number): number {
  let [low, high] = [0, buckets.length];
  if (high > 0 && (buckets[high - 1] as Bucket).timestampMs < timestampMs) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((buckets[middle] as Bucket).timestampMs < timestampMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The order in which a Java hash map of this capacity iterates. */
function hashOrder(buckets: Bucket[], capacity: number): readonly Bucket[] {
  if (buckets.length < 2) return buckets;
  return buckets.sort((a, b) => slotOf(a.timestampMs, capacity) - slotOf(b.timestampMs, capacity) || a.arrival - b.arrival);
}

function slotOf(timestampMs: number, capacity: number): number {
  const hash = (timestampMs | 0) ^ Math.floor(timestampMs / TWO_TO_32);
  return (hash ^ (hash >>> 16)) & (capacity - 1);
}
