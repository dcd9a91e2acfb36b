/**
 * Random programs on random input, cut and refused at random: what leaves every output of a chain equals what plain
 * arrays give, generated and interpreted, however records are shared. See random-programs.ts.
 */
import test from 'ava';
import fc from 'fast-check';
import type { DataStream } from '../../src/index.ts';
import type { Emitted } from '../operators/operator-driver.ts';
import { declare, emittedBy } from './declared.ts';
import type { Incoming } from './declared.ts';
import { Row, declareProgram, inputs, programs, referenceOf, textOf } from './random-programs.ts';
import type { Item } from './random-programs.ts';

const RUNS = 250;

function expectedOf(items: readonly Item[]): readonly Emitted[] {
  const emitted = items.map(({ value, timestampMs }): Emitted => {
    return value === null ? { event: { kind: 'watermark', timestampMs } } : { value, timestampMs };
  });
  return [...emitted, { event: { kind: 'end' } }];
}

function incomingOf(items: readonly Item[]): readonly Incoming[] {
  return items.map(({ value, timestampMs }) => ({
    inputIndex: 0, value: structuredClone(value), timestampMs, ...(value === null ? { isWatermark: true as const } : {}),
  }));
}

test('random programs give what plain arrays give, generated and interpreted', async (t) => {
  const circumstances = fc.record({ cuts: fc.nat(2 ** 8 - 1), refusesEvery: fc.nat(3), objectReuse: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(programs, fc.boolean(), inputs, circumstances, async (program, isTyped, items, how) => {
      const graph = declare([isTyped ? Row : null], ([input]) => {
        const head = (input as DataStream<Row>).map((row) => row);
        return declareProgram(program, isTyped ? head.returns(Row) : head);
      });
      const expected = referenceOf(program, items).map(expectedOf);
      for (const mode of ['generated', 'interpreted'] as const) {
        const emitted = await emittedBy(graph, incomingOf(items), { mode, ...how });
        t.deepEqual(emitted, expected, `${mode}: ${textOf(program)}`);
      }
    }),
    { numRuns: RUNS },
  );
});
