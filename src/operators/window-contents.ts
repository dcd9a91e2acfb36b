/**
 * What a window holds of a key until it is evaluated: an accumulator, or all of its records, with their timestamps if
 * an evictor asks for them. Everything acts on the selected key and namespace of the store.
 *
 * State: `window-contents`. Reductions and aggregations are value states of accumulators, so that the fast path
 * (periodic-window-operator.ts) and this one read each other's state.
 */
import type { ListState, ValueState } from '../graph/functions.ts';
import type { TimestampedValue } from '../graph/windows.ts';
import type { KeyedStateStore, MergingState, StateOptions } from '../state/keyed-state-store.ts';
import type { Namespace } from '../state/namespace.ts';
import { t } from '../types/t.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { Accumulation } from './window-accumulation.ts';

/** Name of the state, as in Flink. */
const CONTENTS = 'window-contents';

/** The contents of all windows of a subtask. */
export interface WindowContents {
  add(value: unknown, timestampMs: number): void;
  /** What the window function evaluates; null when there is nothing. */
  elements(): readonly unknown[] | null;
  clear(): void;
  /** All of `sources` goes to `target`. Leaves any namespace selected. */
  merge(target: Namespace, sources: readonly Namespace[]): void;
}

/** How a store keeps the state of windows. */
export interface ContentsOptions {
  readonly store: KeyedStateStore;
  /** Of the records or the accumulators; null when not declared. */
  readonly type: TypeDescriptor<unknown> | null;
  readonly namespaced: NonNullable<StateOptions['namespaced']>;
}

/** The state of accumulators. */
export function accumulatorState({ store, type, namespaced }: ContentsOptions): ValueState<unknown> {
  return store.value(CONTENTS, type, { ownership: 'owned', namespaced });
}

/** Combines records as they come. `copy`: for results that later records would change. */
export class AccumulatedContents implements WindowContents {
  private readonly store: KeyedStateStore;
  private readonly state: ValueState<unknown>;
  private readonly accumulation: Accumulation;
  private readonly copy: (value: unknown) => unknown;

  constructor(options: ContentsOptions, accumulation: Accumulation, copy: (value: unknown) => unknown) {
    this.store = options.store;
    this.state = accumulatorState(options);
    this.accumulation = accumulation;
    this.copy = copy;
  }

  add(value: unknown): void {
    const accumulator = this.state.get();
    this.state.set(accumulator === undefined ? this.accumulation.first(value) : this.accumulation.next(accumulator, value));
  }

  elements(): readonly unknown[] | null {
    const accumulator = this.state.get();
    if (accumulator === undefined) return null;
    const result = this.accumulation.result(accumulator);
    return [result === accumulator && this.accumulation.changesInPlace ? this.copy(result) : result];
  }

  clear(): void {
    this.state.clear();
  }

  merge(target: Namespace, sources: readonly Namespace[]): void {
    let merged: unknown;
    for (const source of sources) {
      this.store.setNamespace(source);
      const accumulator = this.state.get();
      if (accumulator === undefined) continue;
      this.state.clear();
      merged = merged === undefined ? accumulator : this.accumulation.merge(merged, accumulator);
    }
    if (merged === undefined) return;
    this.store.setNamespace(target);
    const accumulator = this.state.get();
    this.state.set(accumulator === undefined ? merged : this.accumulation.merge(accumulator, merged));
  }
}

/** Keeps all records, in the order of their arrival. */
export class ListContents implements WindowContents {
  private readonly state: ListState<unknown> & MergingState;

  constructor({ store, type, namespaced }: ContentsOptions) {
    this.state = store.list(CONTENTS, type, { ownership: 'owned', namespaced });
  }

  add(value: unknown): void {
    this.state.add(value);
  }

  elements(): readonly unknown[] | null {
    const elements = this.state.get();
    return elements.length === 0 ? null : elements;
  }

  clear(): void {
    this.state.clear();
  }

  merge(target: Namespace, sources: readonly Namespace[]): void {
    this.state.mergeNamespaces(target, sources);
  }
}

/** Keeps all records with their timestamps. */
export class EvictableContents implements WindowContents {
  private readonly state: ListState<TimestampedValue<unknown>> & MergingState;

  constructor({ store, type, namespaced }: ContentsOptions) {
    const elementType = type && (t.object({ value: type, timestampMs: t.number }) as TypeDescriptor<TimestampedValue<unknown>>);
    this.state = store.list(CONTENTS, elementType, { ownership: 'owned', namespaced });
  }

  add(value: unknown, timestampMs: number): void {
    this.state.add({ value, timestampMs });
  }

  elements(): readonly TimestampedValue<unknown>[] | null {
    const elements = this.state.get();
    return elements.length === 0 ? null : elements;
  }

  /** The records that an evictor has left. */
  replace(elements: readonly TimestampedValue<unknown>[]): void {
    this.state.update(elements);
  }

  clear(): void {
    this.state.clear();
  }

  merge(target: Namespace, sources: readonly Namespace[]): void {
    this.state.mergeNamespaces(target, sources);
  }
}
