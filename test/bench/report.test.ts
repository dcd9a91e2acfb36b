import test from 'ava';

import { rowOf, table } from '../../scripts/bench/report.ts';

const RATE = { workload: 'chain', parallelism: 1, unit: 'M rec/s', bar: 2 } as const;
const TIME = { workload: 'start', parallelism: 4, unit: 's', bar: 5 } as const;

test('a ratio of rates is above 1 when Drey handles more', (t) => {
  const row = rowOf(RATE, [{ drey: 60, flink: 30 }, { drey: 50, flink: 50 }, { drey: 90, flink: 30 }]);
  t.like(row, { ratio: 2, ratioMin: 1, ratioMax: 3, drey: 60, flink: 30, rounds: 3, unit: 'M rec/s' });
});

test('a ratio of times is above 1 when Drey takes less', (t) => {
  t.is(rowOf(TIME, [{ drey: 0.5, flink: 6 }]).ratio, 12);
});

test('a table says which bars are missed', (t) => {
  const text = table([rowOf(RATE, [{ drey: 60, flink: 30 }]), rowOf(TIME, [{ drey: 2, flink: 6 }])]);
  t.regex(text, /chain .*2\.0 met/u);
  t.regex(text, /start .*5\.0 MISSED/u);
});
