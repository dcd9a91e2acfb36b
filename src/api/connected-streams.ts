/**
 * Two streams that enter one operator as its first and second input. There is no order between the inputs. When both
 * are keyed, the operator's state is shared by the records of a key, whichever input they came from.
 */
import type * as f from '../graph/functions.ts';
import type { OperatorStateSpecs } from '../graph/operator-state-functions.ts';
import type { OperatorSpec } from '../graph/operator-spec.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { DataStream, KeyedStream, SingleOutputStream } from './data-stream.ts';
import type { PrimitiveKey } from './fields.ts';
import { keySpec } from './keys.ts';
import * as specs from './function-specs.ts';

/** Streams of `A` and `B`, keyed by `K` (`never`: not keyed). */
export class ConnectedStreams<A, B, K = never> {
  private readonly first: DataStream<A>;
  private readonly second: DataStream<B>;

  /** @internal */
  constructor(first: DataStream<A>, second: DataStream<B>) {
    this.first = first;
    this.second = second;
  }

  /** Keys both streams alike. */
  keyBy<L extends PrimitiveKey>(first: f.KeySelector<A, L>, second: f.KeySelector<B, L>): ConnectedStreams<A, B, L>;
  keyBy<L>(first: f.KeySelector<A, L>, second: f.KeySelector<B, L>, type: TypeDescriptor<L>): ConnectedStreams<A, B, L>;
  keyBy<L>(first: f.KeySelector<A, L>, second: f.KeySelector<B, L>, type?: TypeDescriptor<L>): ConnectedStreams<A, B, L> {
    return new ConnectedStreams<A, B, L>(keyed(this.first, first, type), keyed(this.second, second, type));
  }

  /** One result per record, by the function of its input. */
  map<R>(fn: specs.CoMapFunction<A, B, R>): SingleOutputStream<R> {
    return this.transform('Co-Map', specs.coMapSpec(fn));
  }

  /** Any number of results per record, by the function of its input. */
  flatMap<R>(fn: specs.CoFlatMapFunction<A, B, R>): SingleOutputStream<R> {
    return this.transform('Co-Flat Map', specs.coFlatMapSpec(fn));
  }

  /** Full control; keyed streams may declare state. */
  process<R, S extends f.StateSpecs = Record<never, never>, O extends OperatorStateSpecs = Record<never, never>>(
    fn: f.CoProcessFunction<A, B, R, K, S, O>,
  ): SingleOutputStream<R> {
    const isKeyed = this.first.key !== null;
    return this.transform(isKeyed ? 'Co-Keyed-Process' : 'Co-Process', specs.coProcessSpec(fn, isKeyed), fn.output);
  }

  private transform<R>(name: string, spec: OperatorSpec, outputType?: TypeDescriptor<unknown>): SingleOutputStream<R> {
    const { environment, outlets, key } = this.first;
    const { second } = this;
    const draft = environment.builder.add({ spec, name, inputs: [outlets, second.outlets], keys: [key, second.key], outputType });
    return new SingleOutputStream(environment, draft);
  }
}

function keyed<T, K>(stream: DataStream<T>, selector: f.KeySelector<T, K>, type: TypeDescriptor<K> | undefined): KeyedStream<T, K> {
  return new KeyedStream(stream.environment, stream.outlets, keySpec(selector, type));
}
