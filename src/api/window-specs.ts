/** Windows as the API takes them, and the operator specs made from them. What cannot work is refused here, where it is written. */
import { planError } from '../graph/build-site.ts';
import type * as f from '../graph/functions.ts';
import type { OperatorSpec, WindowContentsSpec, WindowData, WindowUser } from '../graph/operator-spec.ts';
import { nameOf } from '../graph/window-triggers.ts';
import type * as w from '../graph/windows.ts';
import { refuseAsync } from './function-specs.ts';

/** The result of a window's reduction or aggregation with what is known of the window. */
export type WindowResultFunction<V, R, K> = (result: V, context: w.WindowContext<K>) => f.NotPromise<R>;

/** What may follow a reduction or an aggregation. */
export type WindowFunctionInput<V, R, K, W extends f.StateSpecs, G extends f.StateSpecs> =
  | WindowResultFunction<V, R, K>
  | w.ProcessWindowFunction<V, R, K, W, G>;

/** An aggregation, with `open` and `close` if it needs them. */
export type AggregateInput<T, A, R> = w.AggregateFunction<T, A, R> & f.Lifecycle;

/** Windows as a program describes them, before it says what becomes of them. */
export interface WindowDescription {
  readonly assigner: w.WindowAssigner;
  trigger: w.Trigger | null;
  evictor: w.Evictor | null;
  allowedLatenessMs: number;
  lateTag: f.OutputTag<unknown> | null;
}

/** What becomes of a window. */
export interface WindowEvaluationSpec {
  readonly contents: WindowContentsSpec;
  /** Null: the combinations themselves. */
  readonly fn: AnyWindowFunction | null;
  /** The functions with a life of their own, in the order in which they are opened. */
  readonly lifecycles: readonly f.Lifecycle[];
}

export type AnyWindowFunction = w.ProcessWindowFunction<unknown, unknown, unknown, f.StateSpecs, f.StateSpecs>;

/** Windows of an assigner, with nothing else said of them. */
export function describeWindows<T>(assigner: w.WindowAssigner<T>): WindowDescription {
  requireMethods(assigner, 'a window assigner', ['assignWindows', 'defaultTrigger']);
  return { assigner: assigner as w.WindowAssigner, trigger: null, evictor: null, allowedLatenessMs: 0, lateTag: null };
}

export function setTrigger<T, S extends f.StateSpecs>(description: WindowDescription, trigger: w.Trigger<T, S>): void {
  requireMethods(trigger, 'a trigger', ['onElement', 'onEventTime', 'onProcessingTime', 'clear']);
  description.trigger = trigger as unknown as w.Trigger;
}

/** Flink's name of the operator: that of the assigner. */
export function windowName({ assigner }: WindowDescription): string {
  return assigner.name.replace(/\(.*$/s, '');
}

/** Windows of one input, or of two that are joined. */
export function windowSpec(description: WindowDescription, evaluation: WindowEvaluationSpec, joins: boolean): OperatorSpec {
  const { assigner, evictor, allowedLatenessMs, lateTag } = description;
  const trigger = description.trigger ?? assigner.defaultTrigger();
  const { contents, fn, lifecycles } = evaluation;
  if (assigner.isMerging === true) checkMerging(trigger, evaluation);
  const data: WindowData = {
    assigner: assigner.name,
    trigger: nameOf(trigger),
    evictor: evictor === null ? null : (evictor.name ?? 'CustomEvictor()'),
    allowedLatenessMs,
    lateTag: lateTag === null ? null : lateTag.id,
    contents: contents.kind,
  };
  const user: WindowUser = { ...combined(lifecycles), assigner, trigger, evictor, contents, fn, joins, state: declaredStates(trigger, fn) };
  return joins ? { kind: 'co.window', data, user } : { kind: 'window', data, user };
}

/** A window function, or one over the single result of a window as such. */
export function windowFunction<V, R, K, W extends f.StateSpecs, G extends f.StateSpecs>(
  input: WindowFunctionInput<V, R, K, W, G> | undefined,
): AnyWindowFunction | null {
  if (input === undefined) return null;
  if (typeof input !== 'function') return processFunction(input);
  refuseAsync(input, 'a window function');
  const fn = input as (result: unknown, context: w.WindowContext<unknown>) => unknown;
  return {
    process(elements, context, out) {
      for (const element of elements) out.emit(fn(element, context));
    },
  };
}

/** Window function objects are handed over as they are: they are called as methods. */
export function processFunction<T, R, K, W extends f.StateSpecs, G extends f.StateSpecs>(
  fn: w.ProcessWindowFunction<T, R, K, W, G>,
): AnyWindowFunction {
  requireMethods(fn, 'a window function', ['process']);
  return fn as unknown as AnyWindowFunction;
}

/** Throws PLAN_INVALID unless `object` has the methods. */
export function requireMethods(object: unknown, what: string, methods: readonly string[]): void {
  const isObject = typeof object === 'object' && object !== null;
  const missing = methods.filter((name) => !isObject || typeof Reflect.get(object, name) !== 'function');
  if (missing.length > 0) throw planError(`${what} needs the method ${missing.map((name) => `${name}(…)`).join(' and ')}`);
  for (const name of methods) refuseAsync(Reflect.get(object as object, name), what);
}

function checkMerging(trigger: w.Trigger, { contents, fn }: WindowEvaluationSpec): void {
  if (typeof Reflect.get(trigger, 'onMerge') !== 'function') {
    throw planError(`a merging window assigner cannot be used with ${nameOf(trigger)}, which does not support merging (it has no onMerge)`);
  }
  if (contents.kind === 'aggregate' && typeof Reflect.get(contents.aggregate, 'merge') !== 'function') {
    throw planError('a merging window assigner needs an aggregate function with the method merge(…)');
  }
  if (Object.keys(fn?.windowState ?? {}).length > 0) {
    throw planError('windowState is not available with a merging window assigner: its windows have no state of their own; use globalState');
  }
}

/** With the names under which the operator keeps them (operators/window-state.ts). */
function declaredStates(trigger: w.Trigger, fn: AnyWindowFunction | null): f.StateSpecs {
  const declared = [['trigger', trigger.state], ['window', fn?.windowState], ['global', fn?.globalState]] as const;
  return Object.fromEntries(declared.flatMap(([owner, specs]) => {
    return Object.entries(specs ?? {}).map(([name, spec]) => [`${owner}/${name}`, spec]);
  }));
}

/** One life for several functions. */
function combined(lifecycles: readonly f.Lifecycle[]): f.Lifecycle {
  const withLife = lifecycles.filter((each) => typeof each === 'object');
  return {
    async open(context) {
      for (const each of withLife) await each.open?.(context);
    },
    async close() {
      for (const each of withLife) await each.close?.();
    },
  };
}
