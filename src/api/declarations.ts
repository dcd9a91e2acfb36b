/** Small makers for what a program declares: states, output tags, tuples. */
import type { OutputTag, ValueStateSpec } from '../graph/functions.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';

/** States of a process function, for its `state: { … }`. */
export const state = {
  /** One value per key. */
  value: <T>(type: TypeDescriptor<T>): ValueStateSpec<T> => ({ kind: 'value', type }),
};

/** Names an output besides the main one: emit with `context.output(tag, value)`, read with `getSideOutput(tag)`. */
export function outputTag<T>(id: string, type?: TypeDescriptor<T>): OutputTag<T> {
  return type === undefined ? { id } : { id, type };
}

/** The arguments as a tuple, where TypeScript would infer an array of their union. Prints as `(a,b)`. */
export function tuple<T extends readonly unknown[]>(...items: T): T {
  return items;
}
