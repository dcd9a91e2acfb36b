/** The parts of a window operator, made from what the program says of it. */
import type { WindowContentsSpec, WindowUser } from '../graph/operator-spec.ts';
import type { Evictor, EvictorContext, TimestampedValue, TimeWindow } from '../graph/windows.ts';
import type { Namespacing } from '../state/keyed-state-store.ts';
import type { TimerService } from '../state/timer-service.ts';
import { copyAny } from '../state/stored-value.ts';
import { t } from '../types/t.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { aggregating, fieldAccumulation, reducing, type Accumulation } from './window-accumulation.ts';
import { AccumulatedContents, EvictableContents, ListContents, type WindowContents } from './window-contents.ts';
import type { WindowSurroundings } from './windowed-operator.ts';

type Elements = readonly TimestampedValue<unknown>[];

/** How a window combines its records; null when it keeps them. */
export function accumulationOf(contents: WindowContentsSpec, copyInput: (record: unknown) => unknown): Accumulation | null {
  switch (contents.kind) {
    case 'reduce':
      return reducing(contents);
    case 'field':
      return fieldAccumulation(contents.data, copyInput);
    case 'aggregate':
      return aggregating(contents.aggregate);
    case 'list':
      return null;
  }
}

/** Type of what a window keeps while it combines records. */
export function accumulatorType(contents: WindowContentsSpec, inputType: TypeDescriptor<unknown> | null): TypeDescriptor<unknown> | null {
  return contents.kind === 'aggregate' ? (contents.aggregate.accumulator ?? null) : inputType;
}

/** The contents of a window operator's windows. */
export function contentsOf(user: WindowUser, around: WindowSurroundings, namespaced: Namespacing): WindowContents {
  const { store } = around;
  const accumulation = accumulationOf(user.contents, around.copyInput);
  const type = user.joins ? taggedType(around.types) : around.types[0];
  if (user.evictor !== null) return new EvictableContents({ store, type, namespaced });
  if (accumulation === null) return new ListContents({ store, type, namespaced });
  return new AccumulatedContents({ store, type: accumulatorType(user.contents, type), namespaced }, accumulation, copyAny);
}

function taggedType([first, second]: WindowSurroundings['types']): TypeDescriptor<unknown> | null {
  if (first === null || second === null) return null;
  return t.object({ first: t.option(first), second: t.option(second) }) as TypeDescriptor<unknown>;
}

/** Windows with an evictor, or null. */
export function evicting(user: WindowUser, contents: WindowContents, accumulation: Accumulation | null): Evicting | null {
  return user.evictor === null ? null : new Evicting(user.evictor, contents as EvictableContents, accumulation);
}

/** Evaluates windows whose records an evictor goes through first. */
export class Evicting {
  private readonly evictor: Evictor;
  private readonly contents: EvictableContents;
  private readonly accumulation: Accumulation | null;
  private context: EvictorContext | null = null;

  constructor(evictor: Evictor, contents: EvictableContents, accumulation: Accumulation | null) {
    this.evictor = evictor;
    this.contents = contents;
    this.accumulation = accumulation;
  }

  open(timers: TimerService): void {
    this.context = timers;
  }

  /** Answers the records that are left. `emit` gets the values that stay for the window function, combined if the window combines. */
  evaluate(elements: readonly unknown[], window: TimeWindow, emit: (values: readonly unknown[]) => void): Elements {
    const all = elements as Elements;
    const context = this.context as EvictorContext;
    const kept = this.evictor.evictBefore?.(all, window, context) ?? all;
    emit(this.combined(kept.map(({ value }) => value)));
    return this.evictor.evictAfter?.(kept, window, context) ?? kept;
  }

  keep(elements: Elements): void {
    this.contents.replace(elements);
  }

  /** Unlike Flink: where an evictor leaves nothing, reduce has no result. Flink evaluates the window with null. */
  private combined(values: readonly unknown[]): readonly unknown[] {
    const { accumulation } = this;
    if (accumulation === null || values.length === 0) return accumulation === null ? values : [];
    const [first, ...rest] = values;
    const accumulated = rest.reduce((accumulator, value) => accumulation.next(accumulator, value), accumulation.first(first));
    return [accumulation.result(accumulated)];
  }
}
