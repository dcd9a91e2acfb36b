/** Small makers for what a program declares: states, output tags, tuples. */
import type {
  AggregatingStateSpec, ListStateSpec, MapStateSpec, OutputTag, ReduceFunction, ReducingStateSpec, ValueStateSpec,
} from '../graph/functions.ts';
import type { AggregateFunction } from '../graph/windows.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { PrimitiveKey } from './fields.ts';

/** States of a process function, for its `state: { … }`. Values and elements are copied as they are stored. */
export const state = {
  /** One value per key. */
  value: <T>(type: TypeDescriptor<T>): ValueStateSpec<T> => ({ kind: 'value', type }),
  /** A list per key. `type` is that of its elements. */
  list: <T>(type: TypeDescriptor<T>): ListStateSpec<T> => ({ kind: 'list', type }),
  /** A map per key: changing one entry does not rewrite the others. */
  map: <K extends PrimitiveKey, V>(keyType: TypeDescriptor<K>, type: TypeDescriptor<V>): MapStateSpec<K, V> =>
    ({ kind: 'map', keyType, type }),
  /** The reduction of all values that were added. `reduce` must not change its arguments. */
  reducing: <T>(type: TypeDescriptor<T>, reduce: ReduceFunction<T>): ReducingStateSpec<T> => ({ kind: 'reducing', type, reduce }),
  /** The aggregate of all values that were added. `type` is that of the accumulator, which `add` may change in place. */
  aggregating: <T, A, R>(type: TypeDescriptor<A>, aggregate: AggregateFunction<T, A, R>): AggregatingStateSpec<T, A, R> =>
    ({ kind: 'aggregating', type, aggregate }),
};

/** Names an output besides the main one: emit with `context.output(tag, value)`, read with `getSideOutput(tag)`. */
export function outputTag<T>(id: string, type?: TypeDescriptor<T>): OutputTag<T> {
  return type === undefined ? { id } : { id, type };
}

/** The arguments as a tuple, where TypeScript would infer an array of their union. Prints as `(a,b)`. */
export function tuple<T extends readonly unknown[]>(...items: T): T {
  return items;
}
