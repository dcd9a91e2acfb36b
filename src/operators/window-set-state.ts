/** The windows in flight as state: value state `merging-window-set` by key, absent while there are none. */
import type { ValueState } from '../graph/functions.ts';
import type { TimeWindow } from '../graph/windows.ts';
import type { KeyedStateStore } from '../state/keyed-state-store.ts';
import { t } from '../types/t.ts';
import { addWindow, retireWindow, type Addition, type WindowSet } from './merging-windows.ts';

export function windowSetOf(store: KeyedStateStore): ValueState<WindowSet> {
  return store.value<WindowSet>('merging-window-set', t.array(t.number), { ownership: 'owned' });
}

/** Adds a window to the set of the selected key. A set that is there is changed in place. */
export function addTo(state: ValueState<WindowSet>, added: TimeWindow): Addition {
  const set = state.get();
  if (set !== undefined) return addWindow(set, added);
  const first: WindowSet = [];
  const addition = addWindow(first, added);
  state.set(first);
  return addition;
}

/** Takes a window out of the set of the selected key. */
export function retireFrom(state: ValueState<WindowSet>, window: TimeWindow): void {
  const set = state.get() ?? [];
  retireWindow(set, window);
  if (set.length === 0) state.clear();
}
