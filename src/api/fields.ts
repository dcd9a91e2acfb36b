/**
 * Fields of records at the type level: which of them can be summed, compared or used as a key. Tuples are
 * addressed by index, objects by name.
 */

/** Values that are keys without a declared type. */
export type PrimitiveKey = string | number | bigint | boolean;

/** The fields of `T` whose values are a `V`: indexes of a tuple, names of an object. */
export type FieldOf<T, V> = T extends readonly unknown[] ? TupleIndexOf<T, V> : T extends object ? NameOf<T, V> : never;

type NameOf<T, V> = { readonly [K in keyof T]-?: T[K] extends V ? K : never }[keyof T] & string;
type TupleIndexOf<T extends readonly unknown[], V> = {
  readonly [K in keyof T & `${number}`]: T[K] extends V ? (K extends `${infer N extends number}` ? N : never) : never;
}[keyof T & `${number}`];

/** The field argument of an aggregation: none for a stream of `V` itself, else a field whose values are a `V`. */
export type FieldArgument<T, V> = [T] extends [V] ? [] : [field: FieldOf<T, V>];

/** What can be summed. */
export type Summable = number | bigint;
/** What has an order. */
export type Comparable = number | bigint | string;
