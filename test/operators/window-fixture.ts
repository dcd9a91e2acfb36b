/** Windows under the operator harness: records are `[key, value]`, results are written as `key [start,end) what @timestamp`. */
import type { ExecutionContext } from 'ava';
import { outputTag, type DataStream, type KeyedStream, type ProcessWindowFunction, type SingleOutputStream } from '../../src/index.ts';
import { OperatorHarness } from '../../src/testing/operator-harness.ts';

export type Item = [key: string, value: number];
export type ItemStream = KeyedStream<Item, string>;
export type Codegen = 'on' | 'off';

export const late = outputTag<Item>('late');

/** Opens windows of items; closed with the test. */
export async function open<R>(
  t: ExecutionContext, codegen: Codegen, build: (items: ItemStream) => SingleOutputStream<R>,
): Promise<OperatorHarness<Item, R>> {
  const harness = await OperatorHarness.open<Item, R>((items: DataStream<Item>) => build(items.keyBy(([key]) => key)), { codegen, sideOutputs: [late] });
  t.teardown(() => harness.close());
  return harness;
}

/** Shows all records of a window. */
export const shown: ProcessWindowFunction<Item, string, string> = {
  process(items, { key, window }, out) {
    out.emit(`${key} [${window.startMs},${window.endMs}) ${Array.from(items, ([, value]) => value).join(' ')}`);
  },
};

/** Results with their event times, forgotten afterwards. */
export function results(harness: OperatorHarness<Item, unknown>): string[] {
  return harness.extractRecords().map(({ value, timestampMs }) => `${typeof value === 'string' ? value : JSON.stringify(value)} @${timestampMs}`);
}
