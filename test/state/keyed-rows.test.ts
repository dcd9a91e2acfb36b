/** Rows of a heap store: they wait for their key to come back, but not for ever. */
import test from 'ava';
import { KeyedRows } from '../../src/state/keyed-rows.ts';

class Rows extends KeyedRows {
  protected override beforeChange(): void {}
  protected override onReleased(): void {}
}

function openRows(): Rows {
  return new Rows({ keyGroups: { first: 0, last: 127, maxParallelism: 128 }, keyType: null, freezeValues: false });
}

function fill(rows: Rows, key: unknown): number {
  rows.setKey(key);
  const row = rows.rowForWriting();
  rows.onFilled(row);
  return row;
}

test('a key that comes back finds its row', (t) => {
  const rows = openRows();
  const row = fill(rows, 'a');
  rows.onCleared(row);
  for (let i = 0; i < 500; i++) rows.onCleared(fill(rows, `other ${i}`));
  t.is(fill(rows, 'a'), row);
});

test('keys that never come back give their rows to others', (t) => {
  const rows = openRows();
  let highest = 0;
  for (let key = 0; key < 100_000; key++) {
    const row = fill(rows, key);
    highest = Math.max(highest, row);
    rows.onCleared(row);
  }
  t.true(highest < 1100, `${highest} rows for one live key`);
});

test('rows with values are never given to others, however many are idle', (t) => {
  const rows = openRows();
  const live = new Map<number, number>();
  for (let round = 0; round < 20; round++) {
    for (let key = 0; key < 3000; key++) {
      const row = fill(rows, key * 20 + round);
      if (key % 7 === 0) live.set(key * 20 + round, row);
      else rows.onCleared(row);
    }
  }
  t.is(new Set(live.values()).size, live.size);
  for (const [key, row] of live) {
    rows.setKey(key);
    t.is(rows.row(), row);
  }
});
