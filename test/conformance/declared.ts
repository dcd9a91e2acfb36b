/**
 * Operators exactly as a program declares them: built through the public API, and then run by the operator driver
 * under whatever conditions a test thinks up. What stands between the sources and the `discard` sinks is one chain.
 */
import { job } from '../../src/index.ts';
import type { DataStream } from '../../src/index.ts';
import type { StreamGraph, StreamNode } from '../../src/graph/stream-graph.ts';
import { heapBackend } from '../../src/state/heap-backend.ts';
import { copierOfInput, sharingRules } from '../../src/task/record-sharing.ts';
import type { TypeDescriptor } from '../../src/types/type-descriptor.ts';
import { OperatorDriver } from '../operators/operator-driver.ts';
import type { Emitted } from '../operators/operator-driver.ts';

/** A stream of any type that a test listens to. */
export type Listened = Pick<DataStream<unknown>, 'discard'>;

/** One record that goes in, or a watermark (a record without a value). */
export interface Incoming {
  readonly inputIndex: 0 | 1;
  readonly value: unknown;
  readonly timestampMs: number;
  readonly isWatermark?: true;
}

/** What the engine may choose, and an operator must not depend on. */
export interface Circumstances {
  readonly mode: 'generated' | 'interpreted';
  /** Bit i set: a batch ends after record i. */
  readonly cuts: number;
  /** 0: never; k: the outputs are full after every k-th record. */
  readonly refusesEvery: number;
  readonly objectReuse?: boolean;
  readonly freezeRecords?: boolean;
}

const KEY_GROUPS = { first: 0, last: 127, maxParallelism: 128 };

/** A declared program; `types`: of its inputs, null where not declared. `build` answers the streams to listen to. */
export function declare(
  types: readonly (TypeDescriptor<unknown> | null)[],
  build: (inputs: readonly DataStream<unknown>[]) => readonly Listened[],
): StreamGraph {
  const program = job({ name: 'conformance' }, (env) => {
    const inputs = types.map((type) => env.fromCollection<unknown>([], type ?? undefined));
    for (const output of build(inputs)) output.discard();
  });
  return program.build({ args: {}, configuration: {} });
}

/** Runs a program over its records once; answers what left by each output, in order, with events. */
export async function emittedBy(graph: StreamGraph, records: readonly Incoming[], how: Circumstances): Promise<readonly (readonly Emitted[])[]> {
  const driver = driverOf(graph, how);
  await driver.open();
  for (const stretch of stretchesOf(records, how.cuts)) {
    const [first] = stretch as [Incoming];
    if (first.isWatermark) await driver.event({ kind: 'watermark', timestampMs: first.timestampMs });
    else {
      const timestampsMs = stretch.map(({ timestampMs }) => timestampMs);
      await driver.run(stretch.map(({ value }) => value), { batchSize: stretch.length, inputIndex: first.inputIndex, timestampsMs });
    }
  }
  await driver.event({ kind: 'end' });
  await driver.settle();
  await driver.close();
  return driver.writers.map(({ emitted }) => emitted);
}

function driverOf(graph: StreamGraph, how: Circumstances): OperatorDriver {
  const nodes = graph.nodes.filter(({ spec }) => !spec.kind.startsWith('source.') && spec.kind !== 'sink.discard');
  const ids = new Set(nodes.map(({ id }) => id));
  const edges = graph.edges.filter(({ source, target }) => ids.has(source) && ids.has(target));
  const outputs = graph.edges.filter(({ source, target }) => ids.has(source) && !ids.has(target));
  return new OperatorDriver(nodes, edges, {
    mode: how.mode,
    refusesEvery: how.refusesEvery,
    outputs: outputs.map(({ source, sideOutput }) => ({ sourceNodeId: source, sideOutput })),
    sharing: sharingRules({ objectReuse: how.objectReuse ?? true, freezeRecords: how.freezeRecords ?? false }),
    around: (node) => surroundings(graph, node, how),
  });
}

function surroundings(graph: StreamGraph, node: StreamNode, how: Circumstances) {
  const edge = graph.edges.find(({ target }) => target === node.id);
  const inputType = graph.nodes.find(({ id }) => id === edge?.source)?.outputType ?? null;
  const key = node.keys.find((each) => each !== null) ?? null;
  const freezeValues = how.freezeRecords ?? false;
  const store = key === null ? null : heapBackend.open({ keyGroups: KEY_GROUPS, keyType: key.type, freezeValues });
  return { store, inputType, copyInput: copierOfInput(inputType) };
}

/** Records that go in together: of one input, not across a cut. A watermark goes alone. */
function stretchesOf(records: readonly Incoming[], cuts: number): readonly (readonly Incoming[])[] {
  const stretches: Incoming[][] = [];
  records.forEach((record, i) => {
    const before = records[i - 1];
    const joins = before !== undefined && !before.isWatermark && !record.isWatermark && before.inputIndex === record.inputIndex;
    const isCut = ((cuts >> (i - 1)) & 1) === 1;
    if (joins && !isCut) stretches.at(-1)?.push(record);
    else stretches.push([record]);
  });
  return stretches;
}
