/**
 * Windows of a stream, until it is said what becomes of them:
 *
 *     keyed.window(tumbling.eventTime({ size: '1 min' }))
 *       .allowedLateness('10 s').sideOutputLateData(late)
 *       .aggregate(average, (mean, { key, window }) => ({ key, from: window.startMs, mean }))
 *
 * `reduce`, `aggregate` and the field aggregations combine records as they come; `process` and `apply` see all records of
 * a window when it fires, and so keep them until then.
 */
import type * as f from '../graph/functions.ts';
import type { AggregateData, WindowContentsSpec } from '../graph/operator-spec.ts';
import type * as w from '../graph/windows.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { SingleOutputStream } from './data-stream.ts';
import { durationMs, type Duration } from './duration.ts';
import type { Comparable, FieldArgument, FieldOf, Summable } from './fields.ts';
import { reduceFunction, type ReduceInput } from './function-specs.ts';
import * as specs from './window-specs.ts';

type NoStates = Record<never, never>;

/** The key of all records where windows are over a whole stream. */
export const ALL = 'all';

/** Windows over a whole stream. */
export type AllWindowedStream<T> = WindowedStream<T, typeof ALL>;

/** The stream under the windows. */
export interface WindowedInput<T> {
  readonly type: TypeDescriptor<T> | null;
  declare<R>(name: string, spec: ReturnType<typeof specs.windowSpec>, outputType: TypeDescriptor<unknown> | null): SingleOutputStream<R>;
}

/** Windows over records of type `T` with keys of type `K`. */
export class WindowedStream<T, K> {
  private readonly input: WindowedInput<T>;
  private readonly description: specs.WindowDescription;

  /** @internal */
  constructor(input: WindowedInput<T>, assigner: w.WindowAssigner<T>) {
    this.input = input;
    this.description = specs.describeWindows(assigner);
  }

  /** When windows are evaluated; replaces the trigger of the assigner. */
  trigger<S extends f.StateSpecs>(trigger: w.Trigger<T, S>): this {
    specs.setTrigger(this.description, trigger);
    return this;
  }

  /** Which records are left out. Windows then keep all of their records. */
  evictor(evictor: w.Evictor<T>): this {
    this.description.evictor = evictor as w.Evictor;
    return this;
  }

  /** Default 0. How long after its end a window takes late records, firing again for each. Event time only. */
  allowedLateness(lateness: Duration): this {
    this.description.allowedLatenessMs = durationMs(lateness, 'allowedLateness');
    return this;
  }

  /** Where records go that are later than allowed; without it they are dropped and counted (`numLateRecordsDropped`). */
  sideOutputLateData(tag: f.OutputTag<T>): this {
    this.description.lateTag = tag as f.OutputTag<unknown>;
    return this;
  }

  /** One record per window, reduced as records come. `fn` gets it with key and window. */
  reduce(reduce: ReduceInput<T>): SingleOutputStream<T>;
  reduce<R, W extends f.StateSpecs = NoStates, G extends f.StateSpecs = NoStates>(
    reduce: ReduceInput<T>, fn: specs.WindowFunctionInput<T, R, K, W, G>,
  ): SingleOutputStream<R>;
  reduce<R, W extends f.StateSpecs, G extends f.StateSpecs>(
    reduce: ReduceInput<T>, fn?: specs.WindowFunctionInput<T, R, K, W, G>,
  ): SingleOutputStream<R> {
    const parts = reduceFunction(reduce);
    const type = fn === undefined ? this.input.type : null;
    return this.evaluate({ kind: 'reduce', reduce: parts.reduce }, specs.windowFunction(fn), [parts], type);
  }

  /** One result per window, aggregated as records come. `fn` gets it with key and window. */
  aggregate<A, R>(aggregate: specs.AggregateInput<T, A, R>): SingleOutputStream<R>;
  aggregate<A, V, R, W extends f.StateSpecs = NoStates, G extends f.StateSpecs = NoStates>(
    aggregate: specs.AggregateInput<T, A, V>, fn: specs.WindowFunctionInput<V, R, K, W, G>,
  ): SingleOutputStream<R>;
  aggregate<A, V, R, W extends f.StateSpecs, G extends f.StateSpecs>(
    aggregate: specs.AggregateInput<T, A, V>, fn?: specs.WindowFunctionInput<V, R, K, W, G>,
  ): SingleOutputStream<R> {
    specs.requireMethods(aggregate, 'an aggregate function', ['createAccumulator', 'add', 'getResult']);
    const contents = { kind: 'aggregate', aggregate: aggregate as w.AggregateFunction<unknown, unknown, unknown> } as const;
    return this.evaluate(contents, specs.windowFunction(fn), [aggregate]);
  }

  /** All records of a window when it fires. */
  process<R, W extends f.StateSpecs = NoStates, G extends f.StateSpecs = NoStates>(
    fn: w.ProcessWindowFunction<T, R, K, W, G>,
  ): SingleOutputStream<R> {
    return this.evaluate({ kind: 'list' }, specs.processFunction(fn), []);
  }

  /** `process` as a plain function. */
  apply<R>(apply: (key: K, window: w.TimeWindow, values: Iterable<T>, out: f.Collector<R>) => f.Nothing): SingleOutputStream<R> {
    return this.process<R>({ process: (values, { key, window }, out) => apply(key, window, values, out) });
  }

  /** Sum of a field; the other fields are those of the window's first record. */
  sum<F extends FieldArgument<T, Summable>>(...[field]: F): SingleOutputStream<T> {
    return this.combine('sum', field);
  }

  /** Minimum of a field; the other fields are those of the window's first record. */
  min<F extends FieldArgument<T, Comparable>>(...[field]: F): SingleOutputStream<T> {
    return this.combine('min', field);
  }

  /** Maximum of a field; the other fields are those of the window's first record. */
  max<F extends FieldArgument<T, Comparable>>(...[field]: F): SingleOutputStream<T> {
    return this.combine('max', field);
  }

  /** The record with the least value of a field. `first` (default): of equal records the earlier. */
  minBy<F extends FieldOf<T, Comparable>>(field: F, options: { readonly first?: boolean } = {}): SingleOutputStream<T> {
    return this.combine('minBy', field, options.first);
  }

  /** The record with the greatest value of a field. `first` (default): of equal records the earlier. */
  maxBy<F extends FieldOf<T, Comparable>>(field: F, options: { readonly first?: boolean } = {}): SingleOutputStream<T> {
    return this.combine('maxBy', field, options.first);
  }

  private combine(op: AggregateData['op'], field: string | number | undefined, first = true): SingleOutputStream<T> {
    return this.evaluate({ kind: 'field', data: { op, field: field ?? null, first } }, null, [], this.input.type);
  }

  private evaluate<R>(
    contents: WindowContentsSpec,
    fn: specs.AnyWindowFunction | null,
    lifecycles: readonly f.Lifecycle[],
    type: TypeDescriptor<unknown> | null = null,
  ): SingleOutputStream<R> {
    const spec = specs.windowSpec(this.description, { contents, fn, lifecycles: fn === null ? lifecycles : [...lifecycles, fn] }, false);
    return this.input.declare(specs.windowName(this.description), spec, fn?.output ?? type);
  }
}
