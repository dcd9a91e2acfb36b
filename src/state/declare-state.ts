/** From the states that a user function declares to their handles. */
import type { StateHandle, StateSpec } from '../graph/functions.ts';
import { declareTtlState, refuseTtl } from './ttl-state.ts';
import type { KeyedStateStore, StateOptions } from './keyed-state-store.ts';

/** Declares a state of a user function in the store of its operator. `nowMs` null: it cannot have a time to live. */
export function declareState(
  store: KeyedStateStore, name: string, spec: StateSpec, options: Pick<StateOptions, 'namespaced'> = {},
  nowMs: (() => number) | null = null,
): StateHandle<StateSpec> {
  const { ttl } = spec;
  if (ttl !== undefined) {
    if (nowMs === null) throw refuseTtl(name);
    return declareTtlState(store, name, { ...spec, ttl }, nowMs);
  }
  switch (spec.kind) {
    case 'value':
      return store.value(name, spec.type, options);
    case 'list':
      return store.list(name, spec.type, options);
    case 'map':
      return store.map(name, spec.keyType, spec.type, options);
    case 'reducing':
      return store.reducing(name, spec.type, (accumulated, value) => spec.reduce(accumulated, value), options);
    case 'aggregating':
      return store.aggregating(name, spec.type, spec.aggregate, options);
  }
}

/** Whether what is read from the state could be changed by whoever gets it: an array, a Map's values, an object. */
export function sharesMutable(spec: StateSpec): boolean {
  return spec.kind === 'list' || !spec.type.immutable;
}
