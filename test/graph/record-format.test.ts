import test from 'ava';
import { formatRecord } from '../../src/graph/record-format.ts';

test('records print as Flink prints tuples, strings as they are, objects as JSON', (t) => {
  const lines: readonly (readonly [unknown, string])[] = [
    ['plain, "text"', 'plain, "text"'],
    [['drey', 3], '(drey,3)'],
    [['a', ['b', 1.5]], '(a,(b,1.5))'],
    [{ word: 'drey', count: 3n }, '{"word":"drey","count":"3"}'],
    [new Map([['a', 1n]]), '[["a","1"]]'],
    [{ seen: new Set(['x']), raw: new Uint8Array([1, 255]) }, '{"seen":["x"],"raw":[1,255]}'],
    [-0.5, '-0.5'],
    [12345678901234567890n, '12345678901234567890'],
    [true, 'true'],
    [null, 'null'],
    [undefined, 'undefined'],
  ];
  for (const [value, line] of lines) t.is(formatRecord(value), line);
});
