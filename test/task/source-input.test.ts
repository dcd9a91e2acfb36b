/** Where barriers begin: between batches, before what the coordinator sends later, and at the end of a job. */
import test from 'ava';
import { MAX_WATERMARK } from '../../src/graph/functions.ts';
import type { RecordBatch, SourceReader, SourceSplit } from '../../src/graph/functions.ts';
import type { BarrierEvent } from '../../src/exchange/contract.ts';
import { SourceInput } from '../../src/task/source-input.ts';
import { newBatch } from '../exchange/two-ends.ts';

const barrier = (checkpointId: number, stop = 'no'): BarrierEvent =>
  ({ kind: 'barrier', checkpointId, timestampMs: 0, options: JSON.stringify({ stop }) });

/** Reads one record a poll for each of its splits' `left`. */
class CountingReader implements SourceReader<unknown> {
  splits: { id: string; left: number }[] = [];

  poll(batch: RecordBatch): 'more' | 'nothing' {
    const split = this.splits[0];
    batch.length = 0;
    if (split === undefined) return 'nothing';
    batch.values[0] = `${split.id}${split.left--}`;
    batch.length = 1;
    if (split.left === 0) this.splits.shift();
    return 'more';
  }

  available(): Promise<void> {
    return new Promise(() => undefined);
  }

  addSplits(splits: readonly SourceSplit[]): void {
    this.splits.push(...(splits as unknown as { id: string; left: number }[]).map((split) => ({ ...split })));
  }

  noMoreSplits(): void {
    // It waits for ever.
  }

  snapshot(): readonly SourceSplit[] {
    return this.splits.map((split) => ({ ...split }));
  }

  close(): void {
    // Nothing to close.
  }
}

function newInput(): SourceInput {
  return new SourceInput(new CountingReader(), { name: 'source', send: () => undefined, wake: () => undefined, fail: () => undefined, unaligned: null, time: null });
}

const addSplit = (id: string, left: number) => ({ kind: 'addSplits' as const, splits: [{ id, left }] });
const splitsOf = (input: SourceInput): unknown => JSON.parse(Buffer.from(input.snapshot()).toString());

/** One poll: a record, an event by its name, or what there was instead. */
function step(input: SourceInput): string {
  const batch = newBatch();
  const result = input.poll(batch);
  if (result === 'records') return String(batch.values[0]);
  if (result !== 'event') return result;
  const { event } = input;
  if (event?.kind === 'barrier') return `|${event.checkpointId}`;
  return event?.kind === 'watermark' && event.timestampMs === MAX_WATERMARK ? 'last watermark' : 'event';
}

test('a split that comes after the barrier was asked for is not in its position', (t) => {
  const input = newInput();
  input.onEvent(addSplit('a', 5));
  t.is(step(input), 'a5');
  input.trigger(barrier(1));
  input.onEvent(addSplit('b', 1));
  input.trigger(barrier(2));
  input.onEvent(addSplit('c', 1));
  t.is(step(input), '|1');
  t.deepEqual(splitsOf(input), [{ id: 'a', left: 4 }]);
  t.is(step(input), '|2');
  t.deepEqual(splitsOf(input), [{ id: 'a', left: 4 }, { id: 'b', left: 1 }]);
  t.deepEqual(Array.from({ length: 7 }, () => step(input)), ['a4', 'a3', 'a2', 'a1', 'b1', 'c1', 'nothing']);
  input.trigger(barrier(3));
  t.is(step(input), '|3', 'also while the reader waits');
});

test('a barrier that was given up before it began does not begin', (t) => {
  const input = newInput();
  input.trigger(barrier(1));
  input.onEvent(addSplit('a', 1));
  input.abort(1);
  t.deepEqual([step(input), step(input)], ['a1', 'nothing']);
});

test('splits are dealt out anew when the parallelism has changed, each to one reader', (t) => {
  const states = [['a', 'b'], ['c'], ['d', 'e']].map((ids, subtaskIndex) => ({
    subtaskIndex, formerParallelism: 3, bytes: Buffer.from(JSON.stringify(ids.map((id) => ({ id, left: 1 })))),
  }));
  const dealt = [0, 1].map((subtaskIndex) => {
    const input = newInput();
    input.restore(states, subtaskIndex, 2);
    return (splitsOf(input) as { id: string }[]).map(({ id }) => id);
  });
  t.deepEqual(dealt, [['a', 'c', 'e'], ['b', 'd']]);
  const same = newInput();
  same.restore(states.slice(0, 1), 0, 3);
  t.deepEqual(splitsOf(same), [{ id: 'a', left: 1 }, { id: 'b', left: 1 }]);
});

test('to suspend, nothing follows the barrier until the savepoint is complete; then the end without a watermark', (t) => {
  const input = newInput();
  input.onEvent(addSplit('a', 5));
  input.trigger(barrier(1, 'suspend'));
  t.deepEqual([step(input), step(input)], ['|1', 'nothing']);
  input.complete(1);
  t.is(step(input), 'end');
});

test('to drain, the last watermark goes before the barrier', (t) => {
  const input = newInput();
  input.onEvent(addSplit('a', 5));
  input.trigger(barrier(1, 'drain'));
  t.deepEqual([step(input), step(input), step(input)], ['last watermark', '|1', 'nothing']);
  input.complete(1);
  t.is(step(input), 'end');
});

test('given up, a suspended source reads on, and a drained one fails wherever its barrier is', (t) => {
  const input = newInput();
  input.onEvent(addSplit('a', 5));
  input.trigger(barrier(1, 'suspend'));
  t.is(step(input), '|1');
  input.abort(1);
  t.is(step(input), 'a5');
  input.trigger(barrier(2, 'drain'));
  t.is(step(input), 'last watermark');
  t.throws(() => input.abort(2), { code: 'CHECKPOINT_FAILED', message: /last watermark/ });
});
