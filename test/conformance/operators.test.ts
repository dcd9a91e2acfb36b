/**
 * Every operator of the DataStream API against its reference: input cut at every position into batches, outputs that
 * refuse after every record, every second, or never, generated and interpreted, with records shared, copied and frozen,
 * and behind an operator that cannot stop. All runs must give the same records with the same event times, in the same order, on every output.
 */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Collector, DataStream } from '../../src/index.ts';
import type { Emitted } from '../operators/operator-driver.ts';
import { declare, emittedBy } from './declared.ts';
import type { Circumstances } from './declared.ts';
import { operatorCases } from './operator-cases.ts';
import type { Case } from './operator-cases.ts';
import { windowCases } from './window-cases.ts';

/** What must leave by each output. */
function expectedOf(each: Case, outputCount: number): readonly (readonly Emitted[])[] {
  const outputs: Emitted[][] = Array.from({ length: outputCount }, () => []);
  const step = each.reference();
  for (const record of each.records) {
    if (record.isWatermark) {
      const fired = each.seesWatermarks ? step(record) : [];
      for (const [output, value, timestampMs = record.timestampMs] of fired) outputs[output]?.push({ value, timestampMs });
      for (const output of outputs) output.push({ event: { kind: 'watermark', timestampMs: record.timestampMs } });
    } else {
      for (const [output, value, timestampMs = record.timestampMs] of step(record)) outputs[output]?.push({ value, timestampMs });
    }
  }
  for (const output of outputs) output.push({ event: { kind: 'end' } });
  return outputs;
}

/** Unordered results by event time between two events; the rest as it is. */
function normalized(each: Case, outputs: readonly (readonly Emitted[])[]): readonly (readonly Emitted[])[] {
  if (!each.isUnordered) return outputs;
  return outputs.map((emitted) => {
    const stretches: Emitted[][] = [[]];
    for (const one of emitted) {
      if ('event' in one) stretches.push([one], []);
      else stretches.at(-1)?.push(one);
    }
    const at = (one: Emitted): number => ('event' in one ? 0 : one.timestampMs);
    return stretches.flatMap((stretch) => stretch.toSorted((a, b) => at(a) - at(b)));
  });
}

/** The same operator behind one that emits each record twice and cannot stop: it is entered although its outputs are full. */
function behindBurst(each: Case): Case {
  const [type = null] = each.types;
  return {
    ...each,
    build: ([input]) => {
      const burst = (input as DataStream<unknown>).flatMap((value, out: Collector<unknown>) => {
        out.emit(value);
        out.emit(value);
      });
      return each.build([type === null ? burst : burst.returns(type)]);
    },
    reference: () => {
      const step = each.reference();
      return (record) => [...step(record), ...step(record)];
    },
  };
}

async function holds(t: ExecutionContext, each: Case, how: readonly Circumstances[]): Promise<void> {
  const graph = declare(each.types, each.build);
  const sinks = graph.nodes.filter(({ spec }) => spec.kind === 'sink.discard').length;
  const expected = expectedOf(each, sinks);
  for (const circumstances of how) {
    const emitted = normalized(each, await emittedBy(graph, each.records, circumstances));
    t.deepEqual(emitted, expected, JSON.stringify(circumstances));
  }
}

/** All ways to cut `count` records. */
function everyCut(count: number): readonly number[] {
  return Array.from({ length: 2 ** (count - 1) }, (_, bits) => bits);
}

const UNCUT = 0;

for (const [name, each] of Object.entries({ ...operatorCases, ...windowCases })) {
  for (const mode of ['generated', 'interpreted'] as const) {
    test(`${name}, ${mode}: the same results wherever the input is cut and whenever an output refuses`, async (t) => {
      const cuts = everyCut(each.records.length);
      const circumstances = cuts.map((bits) => ({ mode, cuts: bits, refusesEvery: 1 }));
      const fewer = circumstances.filter((_, i) => i % 5 === 0).map((how) => ({ ...how, refusesEvery: 2 }));
      await holds(t, each, [...circumstances, ...fewer]);
    });

    test(`${name}, ${mode}: the same results whether records are shared, copied or frozen`, async (t) => {
      const sharings = [{}, { objectReuse: false }, { freezeRecords: true }, { objectReuse: false, freezeRecords: true }];
      await holds(t, each, sharings.flatMap((sharing) => [0, 2].map((refusesEvery) => ({ mode, cuts: UNCUT, refusesEvery, ...sharing }))));
    });

    if (each.types.length > 1) continue; // An operator on two streams is never chained to its inputs.
    test(`${name}, ${mode}: the same results behind an operator that cannot stop`, async (t) => {
      await holds(t, behindBurst(each), [0, 1, 2, 3].map((refusesEvery) => ({ mode, cuts: UNCUT, refusesEvery })));
    });
  }
}
