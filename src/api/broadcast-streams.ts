/**
 * A stream whose records every subtask gets, to keep what they say in broadcast state: rules, thresholds, models.
 *
 *     const rules = ruleStream.broadcast({ rules: state.map(t.string, Rule) });
 *     events.keyBy('user').connect(rules).process({ process(event, { broadcastState }) { … }, processBroadcast(rule, …) { … } });
 */
import type * as b from '../graph/broadcast-functions.ts';
import type * as f from '../graph/functions.ts';
import { DataStream, SingleOutputStream } from './data-stream.ts';
import { broadcastProcessSpec } from './function-specs.ts';

/** A broadcast stream and the state that it feeds. Only to be connected. */
export class BroadcastStream<U, B extends b.BroadcastStateSpecs> {
  /** @internal */
  readonly stream: DataStream<U>;
  /** @internal */
  readonly states: B;

  /** @internal */
  constructor(stream: DataStream<U>, states: B) {
    this.stream = stream;
    this.states = states;
  }
}

type Function<T, U, R, K, B extends b.BroadcastStateSpecs, S extends f.StateSpecs> =
  [K] extends [never] ? b.BroadcastProcessFunction<T, U, R, B> : b.KeyedBroadcastProcessFunction<T, U, R, K, B, S>;

/** A stream of `T`, keyed by `K` (`never`: not keyed), and a broadcast one of `U`. */
export class BroadcastConnectedStream<T, U, K, B extends b.BroadcastStateSpecs> {
  private readonly first: DataStream<T>;
  private readonly second: BroadcastStream<U, B>;

  /** @internal */
  constructor(first: DataStream<T>, second: BroadcastStream<U, B>) {
    this.first = first;
    this.second = second;
  }

  /** Any number of results for the records of both streams. */
  process<R, S extends f.StateSpecs = Record<never, never>>(fn: Function<T, U, R, K, B, S>): SingleOutputStream<R> {
    const { environment, outlets, key } = this.first;
    const { stream, states } = this.second;
    const spec = broadcastProcessSpec(fn, states, key !== null);
    const name = key === null ? 'Co-Process-Broadcast' : 'Co-Process-Broadcast-Keyed';
    const inputs = [outlets, stream.outlets];
    const draft = environment.builder.add({ spec, name, inputs, keys: [key, null], outputType: fn.output });
    return new SingleOutputStream(environment, draft);
  }
}
