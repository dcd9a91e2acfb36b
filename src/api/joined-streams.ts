/**
 * Joins of two streams by key and time:
 *
 *     orders.join(payments).where((o) => o.id).equalTo((p) => p.order).window(tumbling.eventTime({ size: '1 h' }))
 *       .apply((order, payment) => …)                                     each pair of a key in a window
 *     orders.coGroup(payments)… .apply((orders, payments, out) => …)      both sides of a key in a window, one may be empty
 *     keyedOrders.intervalJoin(keyedPayments).between('-5 s', '1 min').process((order, payment) => …)
 *                                                                         pairs whose times are near each other
 */
import { planError } from '../graph/build-site.ts';
import type * as f from '../graph/functions.ts';
import type { OperatorSpec } from '../graph/operator-spec.ts';
import type * as w from '../graph/windows.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { KeyedStream, SingleOutputStream, type DataStream } from './data-stream.ts';
import { durationMs, type Duration } from './duration.ts';
import type { PrimitiveKey } from './fields.ts';
import { refuseAsync } from './function-specs.ts';
import { keySpec } from './keys.ts';
import { signedDurationMs } from './windows.ts';
import * as specs from './window-specs.ts';

/** One result for each pair. */
export type JoinInput<A, B, R> = ((left: A, right: B) => f.NotPromise<R>) | (f.Lifecycle & { join(left: A, right: B): f.NotPromise<R> });

/** One result for each pair of an interval join, or any number of them. */
export type PairInput<A, B, R> = ((left: A, right: B) => f.NotPromise<R>) | w.ProcessJoinFunction<A, B, R>;

/** Sees the records of both sides; either may be empty. */
export type CoGroupInput<A, B, R> =
  | ((left: readonly A[], right: readonly B[], out: f.Collector<R>) => f.Nothing)
  | (f.Lifecycle & { coGroup(left: readonly A[], right: readonly B[], out: f.Collector<R>): f.Nothing });

/** Two streams that have no keys yet. */
export class JoinedStreams<A, B, M extends 'join' | 'coGroup'> {
  private readonly streams: readonly [DataStream<A>, DataStream<B>];
  private readonly mode: M;

  /** @internal */
  constructor(first: DataStream<A>, second: DataStream<B>, mode: M) {
    this.streams = [first, second];
    this.mode = mode;
  }

  /** The key of the first stream; `equalTo` says the second's, of the same type. */
  where<K extends PrimitiveKey>(key: f.KeySelector<A, K>): { equalTo(other: f.KeySelector<B, K>): KeyedJoin<A, B, K, M> };
  where<K>(key: f.KeySelector<A, K>, type: TypeDescriptor<K>): { equalTo(other: f.KeySelector<B, K>): KeyedJoin<A, B, K, M> };
  where<K>(key: f.KeySelector<A, K>, type?: TypeDescriptor<K>): { equalTo(other: f.KeySelector<B, K>): KeyedJoin<A, B, K, M> } {
    const [first, second] = this.streams;
    return { equalTo: (other) => new KeyedJoin<A, B, K, M>(keyed(first, key, type), keyed(second, other, type), this.mode) };
  }
}

/** Two streams keyed alike. */
export class KeyedJoin<A, B, K, M extends 'join' | 'coGroup'> {
  private readonly first: KeyedStream<A, K>;
  private readonly second: KeyedStream<B, K>;
  private readonly mode: M;

  /** @internal */
  constructor(first: KeyedStream<A, K>, second: KeyedStream<B, K>, mode: M) {
    this.first = first;
    this.second = second;
    this.mode = mode;
  }

  /** The windows in which records meet. */
  window(assigner: w.WindowAssigner<A | B>): WindowedJoin<A, B, M> {
    return new WindowedJoin<A, B, M>([this.first, this.second], assigner, this.mode);
  }
}

/** Two streams in common windows. */
export class WindowedJoin<A, B, M extends 'join' | 'coGroup'> {
  private readonly streams: readonly DataStream<never>[];
  private readonly description: specs.WindowDescription;
  private readonly mode: M;

  /** @internal */
  constructor(streams: readonly [DataStream<A>, DataStream<B>], assigner: w.WindowAssigner<A | B>, mode: M) {
    this.streams = streams as unknown as readonly DataStream<never>[];
    this.description = specs.describeWindows(assigner);
    this.mode = mode;
  }

  /** When windows are evaluated; replaces the trigger of the assigner. */
  trigger<S extends f.StateSpecs>(trigger: w.Trigger<A | B, S>): this {
    specs.setTrigger(this.description, trigger);
    return this;
  }

  /** Which records are left out, over both inputs. */
  evictor(evictor: w.Evictor<w.TaggedRecord<A, B>>): this {
    this.description.evictor = evictor as w.Evictor;
    return this;
  }

  /** Default 0. How long after its end a window takes late records, firing again for each. */
  allowedLateness(lateness: Duration): this {
    this.description.allowedLatenessMs = durationMs(lateness, 'allowedLateness');
    return this;
  }

  /** What becomes of a window: of each pair of a join, of both sides of a coGroup. Results carry the window's last timestamp. */
  apply<R>(fn: M extends 'join' ? JoinInput<A, B, R> : CoGroupInput<A, B, R>): SingleOutputStream<R> {
    const method = this.mode === 'join' ? 'join' : 'coGroup';
    const call = methodOf(fn, method);
    const process = this.mode === 'join' ? eachPair(call) : bothSides(call);
    const lifecycles = typeof fn === 'object' ? [fn as f.Lifecycle] : [];
    const spec = specs.windowSpec(this.description, { contents: { kind: 'list' }, fn: { process }, lifecycles }, true);
    return declare(this.streams, specs.windowName(this.description), spec, null);
  }
}

/** Two keyed streams whose records meet when their times are near. Event time only. */
export class IntervalJoin<A, B> {
  private readonly streams: readonly [DataStream<A>, DataStream<B>];

  /** @internal */
  constructor(first: DataStream<A>, second: DataStream<B>) {
    this.streams = [first, second];
  }

  /** The right record's time relative to the left one's, both bounds included: `between('-5 s', '1 min')`. */
  between(lower: Duration, upper: Duration): BoundedIntervalJoin<A, B> {
    const [lowerMs, upperMs] = [signedDurationMs(lower, 'between: lower bound'), signedDurationMs(upper, 'between: upper bound')];
    if (lowerMs > upperMs) throw planError(`between: the lower bound '${lower}' is above the upper bound '${upper}'`);
    return new BoundedIntervalJoin(this.streams, lowerMs, upperMs);
  }
}

/** An interval join with its bounds. */
export class BoundedIntervalJoin<A, B> {
  private readonly streams: readonly [DataStream<A>, DataStream<B>];
  private readonly lowerMs: number;
  private readonly upperMs: number;
  private leftLateTag: string | null = null;
  private rightLateTag: string | null = null;
  private isLowerExclusive = false;
  private isUpperExclusive = false;

  /** @internal */
  constructor(streams: readonly [DataStream<A>, DataStream<B>], lowerMs: number, upperMs: number) {
    this.streams = streams;
    this.lowerMs = lowerMs;
    this.upperMs = upperMs;
  }

  /** The lower bound itself does not join. */
  lowerBoundExclusive(): this {
    this.isLowerExclusive = true;
    return this;
  }

  /** The upper bound itself does not join. */
  upperBoundExclusive(): this {
    this.isUpperExclusive = true;
    return this;
  }

  /** Where records of the first stream go that come behind the watermark. */
  sideOutputLeftLateData(tag: f.OutputTag<A>): this {
    this.leftLateTag = tag.id;
    return this;
  }

  /** Where records of the second stream go that come behind the watermark. */
  sideOutputRightLateData(tag: f.OutputTag<B>): this {
    this.rightLateTag = tag.id;
    return this;
  }

  /** What becomes of a pair: a result for each, or any number of them with the times of both. */
  process<R>(fn: PairInput<A, B, R>): SingleOutputStream<R> {
    const data = {
      lowerMs: this.lowerMs + (this.isLowerExclusive ? 1 : 0),
      upperMs: this.upperMs - (this.isUpperExclusive ? 1 : 0),
      leftLateTag: this.leftLateTag,
      rightLateTag: this.rightLateTag,
    };
    const user = pairFunction(fn);
    return declare(this.streams, 'Interval Join', { kind: 'co.intervalJoin', data, user }, user.output ?? null);
  }
}

function pairFunction<A, B, R>(fn: PairInput<A, B, R>): w.ProcessJoinFunction<unknown, unknown, unknown> {
  if (typeof fn === 'function') {
    refuseAsync(fn, 'process');
    return { process: (left, right, _context, out) => out.emit(fn(left as A, right as B)) };
  }
  specs.requireMethods(fn, 'process', ['process']);
  return fn as unknown as w.ProcessJoinFunction<unknown, unknown, unknown>;
}

type Call = (...args: readonly unknown[]) => unknown;
type WindowProcess = specs.AnyWindowFunction['process'];

function methodOf(fn: unknown, method: string): Call {
  if (typeof fn === 'function') {
    refuseAsync(fn, 'apply');
    return fn as Call;
  }
  specs.requireMethods(fn, 'apply', [method]);
  return (Reflect.get(fn as object, method) as Call).bind(fn);
}

function eachPair(join: Call): WindowProcess {
  return (elements, _context, out) => {
    const { left, right } = sidesOf(elements);
    for (const first of left) for (const second of right) out.emit(join(first, second));
  };
}

function bothSides(coGroup: Call): WindowProcess {
  return (elements, _context, out) => {
    const { left, right } = sidesOf(elements);
    coGroup(left, right, out);
  };
}

function sidesOf(elements: Iterable<unknown>): { readonly left: unknown[]; readonly right: unknown[] } {
  const [left, right]: [unknown[], unknown[]] = [[], []];
  for (const element of elements as Iterable<w.TaggedRecord<unknown, unknown>>) {
    if (element.first !== undefined) left.push(element.first);
    else right.push(element.second);
  }
  return { left, right };
}

function keyed<T, K>(stream: DataStream<T>, selector: f.KeySelector<T, K>, type: TypeDescriptor<K> | undefined): KeyedStream<T, K> {
  return new KeyedStream(stream.environment, stream.outlets, keySpec(selector, type));
}

function declare<R>(
  streams: readonly DataStream<never>[] | readonly [DataStream<unknown>, DataStream<unknown>],
  name: string, spec: OperatorSpec, outputType: TypeDescriptor<unknown> | null,
): SingleOutputStream<R> {
  const [first, second] = streams as readonly [DataStream<unknown>, DataStream<unknown>];
  const { environment } = first;
  const inputs = [first.outlets, second.outlets];
  return new SingleOutputStream(environment, environment.builder.add({ spec, name, inputs, keys: [first.key, second.key], outputType }));
}
