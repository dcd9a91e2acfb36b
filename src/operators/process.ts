/**
 * process on one stream and on two connected streams: state, timers, side outputs and any number of results.
 *
 * The context is one object, changed from record to record, so a function must not keep it. What a
 * function emits may be what it read from state, so with mutable state consumers that could change it get a copy.
 */
import { present } from '../base/assert.ts';
import { ClusterError } from '../protocol/errors.ts';
import { NO_TIMESTAMP } from '../graph/functions.ts';
import type { Collector, Lifecycle, OutputTag, StateHandles, StateSpecs } from '../graph/functions.ts';
import type { CoProcessFunction, OnTimerContext, ProcessFunction } from '../graph/functions.ts';
import type { Checkpointed, OperatorStateHandles, OperatorStateSpecs } from '../graph/operator-state-functions.ts';
import type { KeySpec } from '../graph/operator-spec.ts';
import type { StreamEvent } from '../exchange/contract.ts';
import { declareState, sharesMutable } from '../state/declare-state.ts';
import type { KeyedStateStore } from '../state/keyed-state-store.ts';
import { OperatorStates } from '../state/operator-state.ts';
import type { TimeDomain, TimerTarget } from '../state/timer-service.ts';
import { FunctionOperator } from './function-operator.ts';
import type { OperatorCode, OperatorContext, OperatorOutputs, OperatorSnapshot, RecordVariables, RestoredState } from './operator.ts';
import { UserTimers } from './user-timers.ts';

/** Keys by input, and the state they share; `store` null for streams that are not keyed. */
export interface ProcessKeys {
  readonly keys: readonly (KeySpec | null)[];
  readonly store: KeyedStateStore | null;
  /** Dev mode: elements of operator state are frozen. */
  readonly freezeValues?: boolean;
}

type User = Lifecycle & Checkpointed<OperatorStateSpecs> &
  Pick<ProcessFunction<unknown, unknown, unknown, StateSpecs, OperatorStateSpecs>, 'state' | 'onTimer'>;

/** The one context of an operator. */
export class RecordContext implements OnTimerContext<unknown, StateSpecs, OperatorStateSpecs> {
  timestampMs = NO_TIMESTAMP;
  timeDomain: TimeDomain = 'event';
  outputs: OperatorOutputs | null = null;
  readonly state: StateHandles<StateSpecs>;
  readonly timers = new UserTimers();
  readonly operatorState: OperatorStateHandles<OperatorStateSpecs>;
  private readonly store: KeyedStateStore | null;

  constructor(store: KeyedStateStore | null, specs: StateSpecs, operatorState: OperatorStateHandles<OperatorStateSpecs> = {}) {
    this.store = store;
    this.operatorState = operatorState;
    const nowMs = (): number => this.timers.currentProcessingTimeMs();
    this.state = Object.fromEntries(Object.entries(specs).map(([name, spec]) => {
      return [name, declareState(present(store, 'state is declared on keyed streams only'), name, spec, {}, nowMs)];
    }));
  }

  get key(): unknown {
    if (this.store === null) throw new ClusterError('KEY_INVALID', 'the stream is not keyed: use keyBy(…) before process to have a key');
    return this.store.key();
  }

  output<T>(tag: OutputTag<T>, value: T): void {
    this.outputs?.side(tag.id)?.collect(value, this.timestampMs);
  }
}

/** Shared by the two forms, which differ in how they call the user. */
export abstract class Processing<U extends User> extends FunctionOperator<U> implements TimerTarget {
  override readonly retainsOutput: boolean;
  protected readonly context: RecordContext;
  protected readonly collector: Collector<unknown>;
  protected readonly keys: ProcessKeys;
  private readonly timeless: Collector<unknown>;
  private readonly operatorStates: OperatorStates;
  private restored: readonly RestoredState[] = [];

  /** `own`: what a subclass has instead of a plain context. */
  constructor(name: string, user: U, keys: ProcessKeys, own?: { readonly context: RecordContext; readonly retainsOutput: boolean }) {
    super(name, user);
    this.keys = keys;
    const specs = Object.values(user.state ?? {});
    const lists = Object.entries(user.operatorState ?? {});
    this.retainsOutput = own?.retainsOutput === true || specs.some(sharesMutable) || lists.some(([, { type }]) => !type.immutable);
    this.operatorStates = new OperatorStates({ operatorName: name, freezeValues: keys.freezeValues ?? false });
    const handles = lists.map(([list, { kind, type }]) => {
      return [list, this.operatorStates.list(list, type, kind === 'unionList' ? 'union' : 'list')];
    });
    this.context = own?.context ?? new RecordContext(keys.store, user.state ?? {}, Object.fromEntries(handles));
    this.collector = { emit: (value) => this.outputs.main.collect(value, this.context.timestampMs) };
    this.timeless = { emit: (value) => this.outputs.main.collect(value, NO_TIMESTAMP) };
  }

  override link(outputs: OperatorOutputs): void {
    super.link(outputs);
    this.context.outputs = outputs;
  }

  override open(context: OperatorContext): void | Promise<void> {
    this.context.timers.attach(context, this.user.onTimer !== undefined);
    context.timers?.fireTo(this);
    const isRestored = this.restored.length > 0;
    if (isRestored) this.operatorStates.restore(this.restored, context.runtime);
    this.restored = [];
    this.user.initializeState?.({ operatorState: this.context.operatorState, isRestored });
    return super.open(context);
  }

  snapshot(checkpointId: number): OperatorSnapshot {
    this.user.snapshotState?.({ operatorState: this.context.operatorState, checkpointId });
    return this.operatorStates.snapshot();
  }

  /** The parallelism by which it is dealt out is known in `open`. */
  restore(states: readonly RestoredState[]): void {
    this.restored = states;
  }

  checkpointComplete(checkpointId: number): void {
    this.user.notifyCheckpointComplete?.(checkpointId);
  }

  onEvent(event: StreamEvent): void | 'more' {
    return event.kind === 'watermark' ? this.context.timers.advanceWatermark(event.timestampMs) : undefined;
  }

  onTimer(domain: TimeDomain, timestampMs: number): void {
    this.context.timestampMs = timestampMs;
    this.context.timeDomain = domain;
    this.user.onTimer?.(timestampMs, this.context, domain === 'event' ? this.collector : this.timeless);
  }

  /** `process`, or `process1` and `process2`. */
  protected abstract method(inputIndex: 0 | 1): string;

  process(value: unknown, timestampMs: number, inputIndex: 0 | 1): void {
    const key = this.keys.keys[inputIndex];
    if (key) this.keys.store?.setKey(key.selector(value));
    this.context.timestampMs = timestampMs;
    this.call(value, inputIndex);
  }

  protected abstract call(value: unknown, inputIndex: 0 | 1): void;

  generate(code: OperatorCode, record: RecordVariables, inputIndex: 0 | 1): void {
    const key = this.keys.keys[inputIndex];
    const [user, context, out] = [code.constant('user', this.user), code.constant('context', this.context), code.name('out')];
    code.declare(`const ${out} = { emit(value) { ${code.collector()}(value, ${context}.timestampMs); } };`);
    if (key) {
      code.line(`${code.constant('store', this.keys.store)}.setKey(${code.constant('selector', key.selector)}(${record.value}));`);
    }
    code.line(`${context}.timestampMs = ${record.timestampMs};`);
    code.line(`${user}.${this.method(inputIndex)}(${record.value}, ${context}, ${out});`);
  }
}

type OneInput = ProcessFunction<unknown, unknown, unknown, StateSpecs, OperatorStateSpecs>;

/** `process` on one stream. */
export class ProcessOperator extends Processing<OneInput> {
  protected method(): string {
    return 'process';
  }

  protected call(value: unknown): void {
    this.user.process(value, this.context, this.collector);
  }
}

type TwoInputs = CoProcessFunction<unknown, unknown, unknown, unknown, StateSpecs, OperatorStateSpecs>;

/** `process` on two connected streams. */
export class CoProcessOperator extends Processing<TwoInputs> {
  protected method(inputIndex: 0 | 1): string {
    return inputIndex === 0 ? 'process1' : 'process2';
  }

  protected call(value: unknown, inputIndex: 0 | 1): void {
    if (inputIndex === 0) this.user.process1(value, this.context, this.collector);
    else this.user.process2(value, this.context, this.collector);
  }
}
