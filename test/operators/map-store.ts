/** Keyed state in a plain Map: enough to test operators without a state backend. */
import { ClusterError } from '../../src/protocol/errors.ts';
import type { ValueState } from '../../src/graph/functions.ts';
import type { KeyedStateStore, StateEntry } from '../../src/state/keyed-state-store.ts';

export class MapStore implements KeyedStateStore {
  private current: unknown = undefined;
  private readonly states = new Map<string, Map<unknown, unknown>>();

  get entryCount(): number {
    return [...this.states.values()].reduce((sum, entries) => sum + entries.size, 0);
  }

  setKey(key: unknown): void {
    this.current = key;
  }

  key(): unknown {
    if (this.current === undefined) throw new ClusterError('KEY_INVALID', 'no key is selected');
    return this.current;
  }

  value<T>(name: string): ValueState<T> {
    const entries = this.states.get(name) ?? new Map<unknown, unknown>();
    this.states.set(name, entries);
    return {
      get: () => entries.get(this.current) as T | undefined,
      set: (value) => void entries.set(this.current, value),
      clear: () => void entries.delete(this.current),
    };
  }

  *entries(): Iterable<StateEntry> {
    for (const [state, entries] of this.states) for (const [key, value] of entries) yield { state, key, value, keyGroup: 0 };
  }

  restore(entry: StateEntry): void {
    this.current = entry.key;
    this.value(entry.state).set(entry.value);
  }

  close(): void {
    this.states.clear();
  }
}
