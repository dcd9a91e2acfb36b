/**
 * process on a stream and a broadcast one: the first input as `process` has it, with broadcast state to look at; the
 * second has no key, and alone changes broadcast state.
 */
import { ClusterError } from '../protocol/errors.ts';
import { assert } from '../base/assert.ts';
import { NO_TIMESTAMP } from '../graph/functions.ts';
import type { Collector, OutputTag, StateHandle, StateSpec, StateSpecs, TimeView } from '../graph/functions.ts';
import type {
  BroadcastHandles, BroadcastStateSpecs, KeyedBroadcastContext, KeyedBroadcastProcessFunction, ReadOnlyBroadcastHandles,
} from '../graph/broadcast-functions.ts';
import { sharesMutable } from '../state/declare-state.ts';
import { OperatorStates, readOnlyView } from '../state/operator-state.ts';
import type { OperatorCode, OperatorOutputs, RecordVariables, RestoredState } from './operator.ts';
import { Processing, RecordContext, type ProcessKeys } from './process.ts';

type User = KeyedBroadcastProcessFunction<unknown, unknown, unknown, unknown, BroadcastStateSpecs, StateSpecs>;
type Handles = BroadcastHandles<BroadcastStateSpecs>;

/** What the operator needs besides its function. */
export interface BroadcastParts extends ProcessKeys {
  readonly broadcast: BroadcastStateSpecs;
  readonly freezeValues: boolean;
}

class ReadingContext extends RecordContext {
  readonly broadcastState: ReadOnlyBroadcastHandles<BroadcastStateSpecs>;

  constructor(keys: ProcessKeys, specs: StateSpecs, broadcastState: Handles) {
    super(keys.store, specs);
    this.broadcastState = Object.fromEntries(Object.entries(broadcastState).map(([name, map]) => [name, readOnlyView(map)]));
  }
}

/** The context of the broadcast side. */
class WritingContext implements KeyedBroadcastContext<unknown, BroadcastStateSpecs, StateSpecs> {
  timestampMs = NO_TIMESTAMP;
  outputs: OperatorOutputs | null = null;
  readonly broadcastState: Handles;
  private readonly reading: ReadingContext;
  private readonly keys: ProcessKeys;

  constructor(broadcastState: Handles, reading: ReadingContext, keys: ProcessKeys) {
    this.broadcastState = broadcastState;
    this.reading = reading;
    this.keys = keys;
  }

  get timers(): TimeView {
    return this.reading.timers;
  }

  output<T>(tag: OutputTag<T>, value: T): void {
    this.outputs?.side(tag.id)?.collect(value, this.timestampMs);
  }

  applyToKeyedState(name: string, visit: (key: unknown, state: StateHandle<StateSpec>) => void): void {
    const { store } = this.keys;
    const handle = this.reading.state[name];
    if (store === null || handle === undefined) {
      throw new ClusterError('PROGRAM_INVALID', `applyToKeyedState: there is no state '${name}'; name a field of 'state: { … }'`);
    }
    for (const key of store.keysOf(name)) {
      store.setKey(key);
      visit(key, handle);
    }
    store.unsetKey();
  }
}

/** See the file's head. */
export class BroadcastProcessOperator extends Processing<User> {
  private readonly states: OperatorStates;
  private readonly writing: WritingContext;
  private readonly writingCollector: Collector<unknown>;

  constructor(name: string, user: User, parts: BroadcastParts) {
    const states = new OperatorStates({ operatorName: name, freezeValues: parts.freezeValues });
    const handles = Object.fromEntries(Object.entries(parts.broadcast).map(([state, { keyType, type }]) => {
      return [state, states.broadcast(state, keyType, type)];
    }));
    const reading = new ReadingContext(parts, user.state ?? {}, handles);
    super(name, user, parts, { context: reading, retainsOutput: Object.values(parts.broadcast).some(sharesMutable) });
    this.states = states;
    this.writing = new WritingContext(handles, reading, parts);
    this.writingCollector = { emit: (value) => this.outputs.main.collect(value, this.writing.timestampMs) };
  }

  override link(outputs: OperatorOutputs): void {
    super.link(outputs);
    this.writing.outputs = outputs;
  }

  override snapshot(): Uint8Array | null {
    return this.states.snapshot();
  }

  override restore(states: readonly RestoredState[]): void {
    this.states.restore(states, { subtaskIndex: 0, parallelism: 1 }); // Broadcast state is alike everywhere: nothing is dealt out.
  }

  override process(value: unknown, timestampMs: number, inputIndex: 0 | 1): void {
    if (inputIndex === 0) super.process(value, timestampMs, 0);
    else this.processBroadcast(value, timestampMs);
  }

  override generate(code: OperatorCode, record: RecordVariables, inputIndex: 0 | 1): void {
    if (inputIndex === 0) return super.generate(code, record, 0);
    code.collector();
    code.line(`${code.constant('operator', this)}.processBroadcast(${record.value}, ${record.timestampMs});`);
  }

  /** Public for generated code. No key is selected: keyed state refuses to be touched. */
  processBroadcast(value: unknown, timestampMs: number): void {
    this.keys.store?.unsetKey();
    this.writing.timestampMs = timestampMs;
    this.user.processBroadcast(value, this.writing, this.writingCollector);
  }

  protected method(inputIndex: 0 | 1): string {
    assert(inputIndex === 0, 'the broadcast side is called by the operator');
    return 'process';
  }

  protected call(value: unknown): void {
    this.user.process(value, this.context as ReadingContext & { readonly timers: never }, this.collector);
  }
}
