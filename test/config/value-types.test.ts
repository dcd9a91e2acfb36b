/** Spellings of values. */
import test from 'ava';
import fc from 'fast-check';
import { ValueError, boolean, double, duration, eachPort, enumeration, int, list, map, memory, portRange } from '../../src/config/value-types.ts';

test('durations accept every unit of Flink, with and without a blank', (t) => {
  const spellings: readonly [string, number][] = [
    ['10 s', 10_000], ['10s', 10_000], ['1 min', 60_000], ['500 ms', 500], ['500', 500], ['1 d', 86_400_000], ['2 h', 7_200_000],
    ['3 hours', 10_800_000], ['60 SECONDS', 60_000], ['5 m', 300_000], ['250 µs', 0.25], ['1000000 ns', 1], ['0', 0],
  ];
  for (const [text, expectedMs] of spellings) t.is(duration.parse(text), expectedMs, text);
});

test('sizes accept every unit of Flink as powers of 1024', (t) => {
  const spellings: readonly [string, number][] = [
    ['16384m', 16384 * 1024 ** 2], ['1g', 1024 ** 3], ['64kb', 65536], ['1 gb', 1024 ** 3], ['201326592b', 201326592], ['0 bytes', 0],
    ['128 MB', 128 * 1024 ** 2], ['42', 42], ['2 tb', 2 * 1024 ** 4], ['3 mebibytes', 3 * 1024 ** 2],
  ];
  for (const [text, expectedBytes] of spellings) t.is(memory.parse(text), expectedBytes, text);
});

test('a value that does not fit its type is refused with what was expected', (t) => {
  const refused: readonly [{ parse(text: string): unknown }, readonly string[]][] = [
    [duration, ['', '-1 s', '1.5 s', 's', '10 parsecs', '1 gb']],
    [memory, ['', '-1', '1 s', 'lots', '99999999999 tb']],
    [int(0, 10), ['', '11', '-1', '1.0', '1e1', 'x']],
    [double, ['', 'x', 'Infinity', '1,5']],
    [boolean, ['', 'yes', '1']],
    [enumeration(['a', 'b']), ['', 'c']],
    [map, ['a', ':b']],
    [portRange, ['', '65536', '2-1', '1-2-3', 'x', '1;2']],
  ];
  for (const [type, texts] of refused) {
    for (const text of texts) t.throws(() => type.parse(text), { instanceOf: ValueError }, text);
  }
});

test('an enumeration ignores case, hyphens and underscores, and knows aliases', (t) => {
  const type = enumeration(['fixed-delay', 'none'], { off: 'none' });
  t.deepEqual(['FIXED_DELAY', 'fixeddelay', 'Off', 'none'].map((text) => type.parse(text)), ['fixed-delay', 'fixed-delay', 'none', 'none']);
});

test('lists drop blanks and empty items, maps split at the first colon', (t) => {
  t.deepEqual(list(',').parse(' a, ,b '), ['a', 'b']);
  t.deepEqual([...map.parse('k:v, u:http://x')], [['k', 'v'], ['u', 'http://x']]);
});

test('a port range names its ports in the order in which they are tried', (t) => {
  t.deepEqual([...eachPort(portRange.parse('50010,50020-50022'))], [50010, 50020, 50021, 50022]);
});

test('any whole number of milliseconds or bytes is read back exactly', (t) => {
  fc.assert(fc.property(fc.nat(2 ** 40), (value) => duration.parse(`${value} ms`) === value && memory.parse(`${value}b`) === value));
  t.pass();
});
