import test from 'ava';

import { RecordFold } from '../../src/graph/record-hash.ts';

/** Records with the hashes that scripts/bench/java/RecordHash.java gave them. */
const SAMPLES: readonly (readonly [record: unknown, mixed: bigint])[] = [
  [0, 0n],
  [1, 1364076727n],
  [-1, 0n],
  [200000000, 3406512936n],
  [4294967296, 1364076727n],
  [-9007199254740991, 405349449n],
  [1.5, 2321223580n],
  [-0.25, 2677964564n],
  ['', 0n],
  ['hit', 4128394655n],
  ['Straße €', 754964249n],
  [true, 262886248n],
  [false, 3416284795n],
  [['hit', 3], 3532700865n],
  [[99999, 200], 2920502915n],
  [['a', 2.5, true], 705317719n],
  [[[1, 'x'], 'y'], 1454543099n],
];

for (const [record, mixed] of SAMPLES) {
  test(`${JSON.stringify(record)} folds as in Java`, (t) => {
    const fold = new RecordFold();
    fold.add(record);
    t.is(fold.sum(), mixed.toString());
  });
}

test('a fold is the sum over its records, exact beyond 2^53', (t) => {
  const fold = new RecordFold();
  let expected = 0n;
  const repeats = 500_000;
  for (let i = 0; i < repeats; i++) {
    for (const [record] of SAMPLES) fold.add(record);
  }
  for (const [, mixed] of SAMPLES) expected += mixed * BigInt(repeats);
  t.true(expected > BigInt(Number.MAX_SAFE_INTEGER));
  t.is(fold.count, SAMPLES.length * repeats);
  t.is(fold.sum(), expected.toString());
});
