/** Small makers for what a program declares: states, output tags, tuples. */
import type {
  AggregatingStateSpec, ListStateSpec, MapStateSpec, OutputTag, ReduceFunction, ReducingStateSpec, StateTtl, ValueStateSpec,
} from '../graph/functions.ts';
import type { OperatorListSpec } from '../graph/operator-state-functions.ts';
import type { AggregateFunction } from '../graph/windows.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { durationMs, type Duration } from './duration.ts';
import { invalidOption } from './option-checks.ts';
import type { PrimitiveKey } from './fields.ts';

/** How long the values, elements or entries of a state live after their last use. Processing time. */
export interface TimeToLive {
  readonly timeToLive: Duration;
  /** What counts as a use. Default `onCreateAndWrite`. */
  readonly updateType?: 'onCreateAndWrite' | 'onReadAndWrite';
  /** Default `neverReturnExpired`; otherwise a value that has expired and not been removed is read once more. */
  readonly visibility?: 'neverReturnExpired' | 'returnExpiredIfNotCleanedUp';
  /** Keys that each access looks at to remove what has expired. Default 5; 0: only what is accessed is removed. */
  readonly keysPerAccess?: number;
  /** Snapshots leave out what has expired. Default false. */
  readonly cleanupInSnapshots?: boolean;
}

/** Options of a state. */
export interface StateDeclaration {
  readonly ttl?: Duration | TimeToLive;
}

/** As in Flink's heap backend. */
const KEYS_PER_ACCESS = 5;

/** States of a process function, for its `state: { … }`. Values and elements are copied as they are stored. */
export const state = {
  /** One value per key. */
  value: <T>(type: TypeDescriptor<T>, options?: StateDeclaration): ValueStateSpec<T> => ({ kind: 'value', type, ...ttlOf(options) }),
  /** A list per key. `type` is that of its elements. */
  list: <T>(type: TypeDescriptor<T>, options?: StateDeclaration): ListStateSpec<T> => ({ kind: 'list', type, ...ttlOf(options) }),
  /** A map per key: changing one entry does not rewrite the others. */
  map: <K extends PrimitiveKey, V>(keyType: TypeDescriptor<K>, type: TypeDescriptor<V>, options?: StateDeclaration): MapStateSpec<K, V> =>
    ({ kind: 'map', keyType, type, ...ttlOf(options) }),
  /** The reduction of all values that were added. `reduce` must not change its arguments. */
  reducing: <T>(type: TypeDescriptor<T>, reduce: ReduceFunction<T>, options?: StateDeclaration): ReducingStateSpec<T> =>
    ({ kind: 'reducing', type, reduce, ...ttlOf(options) }),
  /** The aggregate of all values that were added. `type` is that of the accumulator, which `add` may change in place. */
  aggregating: <T, A, R>(
    type: TypeDescriptor<A>, aggregate: AggregateFunction<T, A, R>, options?: StateDeclaration,
  ): AggregatingStateSpec<T, A, R> => ({ kind: 'aggregating', type, aggregate, ...ttlOf(options) }),
  /** For `operatorState: { … }`: a list of the subtask, dealt out when the parallelism changes. `type` is that of its elements. */
  operatorList: <T>(type: TypeDescriptor<T>): OperatorListSpec<T> => ({ kind: 'operatorList', type }),
  /** For `operatorState: { … }`: a list of the subtask; after a restore every subtask has the elements of all. */
  unionList: <T>(type: TypeDescriptor<T>): OperatorListSpec<T> => ({ kind: 'unionList', type }),
};

function ttlOf(options: StateDeclaration | undefined): { readonly ttl?: StateTtl } {
  if (options?.ttl === undefined) return {};
  const given = typeof options.ttl === 'object' ? options.ttl : { timeToLive: options.ttl };
  const { updateType = 'onCreateAndWrite', visibility = 'neverReturnExpired' } = given;
  const { keysPerAccess = KEYS_PER_ACCESS, cleanupInSnapshots = false } = given;
  const timeToLiveMs = durationMs(given.timeToLive, 'ttl');
  if (timeToLiveMs <= 0) throw invalidOption('state', 'ttl', given.timeToLive, 'a time above 0');
  if (!Number.isInteger(keysPerAccess) || keysPerAccess < 0) {
    throw invalidOption('state', 'ttl.keysPerAccess', keysPerAccess, 'an integer from 0 on');
  }
  return { ttl: { timeToLiveMs, updateType, visibility, keysPerAccess, cleanupInSnapshots } };
}

/** Names an output besides the main one: emit with `context.output(tag, value)`, read with `getSideOutput(tag)`. */
export function outputTag<T>(id: string, type?: TypeDescriptor<T>): OutputTag<T> {
  return type === undefined ? { id } : { id, type };
}

/** The arguments as a tuple, where TypeScript would infer an array of their union. Prints as `(a,b)`. */
export function tuple<T extends readonly unknown[]>(...items: T): T {
  return items;
}
