/**
 * From what an operator is (graph/operator-spec.ts) to the operator of one subtask. Sources are not
 * operators: the task reads them.
 */
import { assert, present } from '../base/assert.ts';
import type { AggregateData, SinkSpec, SourceSpec } from '../graph/operator-spec.ts';
import type { StreamNode } from '../graph/stream-graph.ts';
import type { KeyedStateStore } from '../state/keyed-state-store.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { AsyncMapOperator } from './async-map.ts';
import { BroadcastProcessOperator } from './broadcast-process.ts';
import { CoMapOperator, FilterOperator, MapOperator } from './element-wise.ts';
import { CoFlatMapOperator, FlatMapOperator } from './flat-map.ts';
import { aggregation } from './keyed-aggregate.ts';
import { IntervalJoinOperator } from './interval-join.ts';
import { KeyedReduceOperator } from './keyed-reduce.ts';
import { KeyedSumOperator, ownFields } from './keyed-sum.ts';
import type { StreamOperator } from './operator.ts';
import { isPeriodic, PeriodicWindowOperator } from './periodic-window-operator.ts';
import { CoProcessOperator, ProcessOperator } from './process.ts';
import { isSession, SessionWindowOperator } from './session-window-operator.ts';
import { DiscardOperator, SinkOperator } from './sinks.ts';
import type { OpenSinkCommitter, OpenSinkWriter } from './sinks.ts';
import { TimestampsOperator, WatermarksOperator } from './watermarks.ts';
import { WindowOperator } from './window-operator.ts';
import type { WindowSpec } from './windowed-operator.ts';

/** What the task supplies for the making of one operator. */
export interface OperatorSurroundings {
  /** State of the operator's keys; null when no input is keyed. */
  readonly store: KeyedStateStore | null;
  /** Type of the operator's first input; null when not declared. */
  readonly inputType: TypeDescriptor<unknown> | null;
  /** Type of its second input, if it has one and it was declared. */
  readonly secondInputType?: TypeDescriptor<unknown> | null;
  /** Deep copy of a record of the first input. */
  readonly copyInput: (value: unknown) => unknown;
  /** How often watermarks are emitted; 0: only with records. */
  readonly autoWatermarkIntervalMs: number;
  /** Dev mode: values of state are checked and frozen. */
  readonly freezeValues?: boolean;
  openSinkWriter(spec: SinkSpec): OpenSinkWriter;
  openSinkCommitter(spec: SinkSpec): OpenSinkCommitter;
}

/** The specs that become operators. */
export type OperatorNodeSpec = Exclude<StreamNode['spec'], SourceSpec>;

type OperatorNode = Pick<StreamNode, 'name' | 'keys'>;

/** Makes the operator of one subtask, not yet linked nor opened. */
export function createOperator(node: OperatorNode, spec: OperatorNodeSpec, around: OperatorSurroundings): StreamOperator {
  const { name, keys } = node;
  switch (spec.kind) {
    case 'map':
      return new MapOperator(name, spec.user);
    case 'filter':
      return new FilterOperator(name, spec.user);
    case 'flatMap':
      return new FlatMapOperator(name, spec.user);
    case 'asyncMap':
      return new AsyncMapOperator(name, spec.user);
    case 'timestamps':
      return new TimestampsOperator(name, spec.user);
    case 'watermarks':
      return new WatermarksOperator(name, spec.user, { data: spec.data, intervalMs: around.autoWatermarkIntervalMs });
    case 'keyed.reduce':
      return new KeyedReduceOperator(name, spec.user, keyedInput(node, around));
    case 'keyed.aggregate':
      return createAggregate(node, spec.data, around);
    case 'window':
    case 'co.window':
      return createWindow(node, spec, around);
    case 'co.intervalJoin':
      return new IntervalJoinOperator(name, spec, keyedInputs(node, around));
    case 'process':
      return new ProcessOperator(name, spec.user, { keys, store: around.store, freezeValues: around.freezeValues ?? false });
    case 'co.map':
      return new CoMapOperator(name, spec.user);
    case 'co.flatMap':
      return new CoFlatMapOperator(name, spec.user);
    case 'co.broadcast':
      return new BroadcastProcessOperator(name, spec.user.function, {
        keys, store: around.store, broadcast: spec.user.broadcast, freezeValues: around.freezeValues ?? false,
      });
    case 'co.process':
      return new CoProcessOperator(name, spec.user, { keys, store: around.store, freezeValues: around.freezeValues ?? false });
    case 'sink.discard':
      return new DiscardOperator(name, spec.data.fold);
    case 'sink.print':
    case 'sink.text':
    case 'sink.file':
    case 'sink.collect':
    case 'sink.custom':
      return createSink(name, spec, around);
  }
}

function createAggregate(node: OperatorNode, { op, field, first }: AggregateData, around: OperatorSurroundings): StreamOperator {
  const input = keyedInput(node, around);
  if (op === 'sum') return new KeyedSumOperator(node.name, { ...input, field, copy: changeableCopy(around) });
  return new KeyedReduceOperator(node.name, { reduce: aggregation({ op, field, first }) }, input);
}

/** For operators that add up in place: a copy by an immutable type is the record itself. */
function changeableCopy({ inputType, copyInput }: OperatorSurroundings): (record: unknown) => unknown {
  return inputType?.immutable ? ownFields : copyInput;
}

function keyedInputs(node: OperatorNode, around: OperatorSurroundings) {
  const { store } = keyedInput(node, around);
  const keys = node.keys.map((key) => present(key, `operator '${node.name}' has keyed inputs`));
  return { keys, store, types: [around.inputType, around.secondInputType ?? null] as const, copyInput: changeableCopy(around) };
}

function createWindow(node: OperatorNode, spec: WindowSpec, around: OperatorSurroundings): StreamOperator {
  const { user } = spec;
  const Operator = isPeriodic(user) ? PeriodicWindowOperator : isSession(user) ? SessionWindowOperator : WindowOperator;
  return new Operator(node.name, spec, keyedInputs(node, around));
}

/** Only the writers of `print` are known to look at a record and let go: the others run user code or buffer. */
function createSink(name: string, spec: SinkSpec, around: OperatorSurroundings): SinkOperator {
  return new SinkOperator(name, {
    openWriter: around.openSinkWriter(spec), openCommitter: around.openSinkCommitter(spec),
    readsOnly: spec.kind === 'sink.print', copy: around.copyInput,
  });
}

function keyedInput(node: OperatorNode, around: OperatorSurroundings) {
  const key = present(node.keys[0], `operator '${node.name}' has a keyed input`);
  assert(around.store !== null, `operator '${node.name}' has a state store`);
  return { key, store: around.store, type: around.inputType };
}
