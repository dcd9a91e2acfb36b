/**
 * State that triggers and window functions declare. Each declares its own names, so a prefix keeps them apart from each
 * other and from the operator's.
 */
import type { StateHandles, StateSpecs } from '../graph/functions.ts';
import { declareState } from '../state/declare-state.ts';
import type { KeyedStateStore, StateOptions } from '../state/keyed-state-store.ts';

/** Where the states belong. */
export type WindowStateOptions = Pick<StateOptions, 'namespaced'> & { readonly prefix: string };

/** Handles by name. */
export function stateHandles<S extends StateSpecs>(store: KeyedStateStore, specs: S, options: WindowStateOptions): StateHandles<S> {
  const { prefix, ...rest } = options;
  const handles = Object.entries(specs).map(([name, spec]) => [name, declareState(store, `${prefix}${name}`, spec, rest)]);
  return Object.fromEntries(handles) as StateHandles<S>;
}
