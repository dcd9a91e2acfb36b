/**
 * The chain's own speed, without an exchange: a batch of integers → map → filter → map → discard with a
 * fold, generated and interpreted.
 *
 *     node dist/scripts/bench/micro-chain.js [records in millions]
 */
import type { StreamNode } from '../../src/graph/stream-graph.ts';
import type { OperatorSpec } from '../../src/graph/operator-spec.ts';
import { createOperator } from '../../src/operators/create-operator.ts';
import type { OperatorNodeSpec } from '../../src/operators/create-operator.ts';
import { buildChain } from '../../src/task/chain.ts';
import type { BatchFunction, Segment } from '../../src/task/chain.ts';
import { generateSegment } from '../../src/task/chain-generator.ts';
import { interpretSegment } from '../../src/task/chain-interpreter.ts';

const BATCH_SIZE = 1024;
const ROUNDS = 5;
const records = Number(process.argv[2] ?? 20) * 1_000_000;

const specs: readonly OperatorSpec[] = [
  { kind: 'source.sequence', data: { from: 1, to: records }, user: {} },
  { kind: 'map', data: {}, user: { map: (value) => (value as number) * 3 + 1 } },
  { kind: 'filter', data: {}, user: { filter: (value) => (value as number) % 7 !== 0 } },
  { kind: 'map', data: {}, user: { map: (value) => (value as number) + 5 } },
  { kind: 'sink.discard', data: { fold: true }, user: {} },
];

function segment(): Segment {
  const nodes = specs.map((spec, i) => ({ id: i + 1, name: spec.kind, spec, keys: [], outputType: null, sideOutputs: {} }) as unknown as StreamNode);
  const edges = specs.slice(1).map((_, i) => ({ source: i + 1, target: i + 2, inputIndex: 0 as const, partitioning: { kind: 'forward' as const }, sideOutput: null }));
  const sharing = { objectReuse: true, freeze: null, copierOf: () => null };
  const around = { store: null, inputType: null, autoWatermarkIntervalMs: 0, copyInput: (value: unknown) => value, openSinkCommitter: () => () => null, openSinkWriter: () => () => { throw new Error('no sink'); } };
  const [first] = buildChain(
    { nodes, edges, outputs: [], sharing },
    { operator: (node) => createOperator(node, node.spec as OperatorNodeSpec, around), writer: () => { throw new Error('no writer'); } },
  );
  if (first === undefined) throw new Error('a chain has a segment');
  return first;
}

function millionsPerSecond(batch: BatchFunction): number {
  const values = Array.from({ length: BATCH_SIZE }, () => 0);
  const timestampsMs = Array.from({ length: BATCH_SIZE }, () => Number.MIN_SAFE_INTEGER);
  const started = performance.now();
  for (let next = 1; next <= records; ) {
    const length = Math.min(BATCH_SIZE, records - next + 1);
    for (let i = 0; i < length; i++) values[i] = next++;
    batch(values, timestampsMs, 0, length);
  }
  return records / (performance.now() - started) / 1000;
}

const interrupt = new Int32Array(1);
const generated = generateSegment(segment(), interrupt, 'micro-chain');
if (process.argv.includes('--text')) console.log(generated.text);
const interpreted = interpretSegment(segment(), interrupt);
for (const [name, batch] of [['generated', generated.batches[0]], ['interpreted', interpreted.batches[0]]] as const) {
  const rounds = Array.from({ length: ROUNDS }, () => millionsPerSecond(batch).toFixed(1));
  console.log(`${name.padEnd(12)} ${rounds.join('  ')} M records/s`);
}
