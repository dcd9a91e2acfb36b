/** The vectors were computed by a JVM (Flink `KeyGroupRangeAssignment`): they must never change. */
import test from 'ava';
import fc from 'fast-check';
import { deriveMaxParallelism, keyGroupOf, keyGroupRangeOf, operatorIndexOf } from '../../src/graph/key-groups.ts';
import { hashKey, keyHashOf } from '../../src/graph/key-hash.ts';
import { ClusterError } from '../../src/protocol/errors.ts';
import type { JsonObject } from '../../src/protocol/json.ts';
import { t as types } from '../../src/types/t.ts';
import type { TypeDescriptor } from '../../src/types/type-descriptor.ts';

const MAX_PARALLELISM = 128;

function hashAs(schema: JsonObject, key: unknown): number {
  return keyHashOf({ schema, name: 'test' } as TypeDescriptor<unknown>)(key);
}

test('strings fall into the key groups of Flink', (t) => {
  const groups = { a: 81, b: 22, c: 62, hello: 35, '/index': 16, '/help': 111, 'user-1': 121 };
  for (const [key, group] of Object.entries(groups)) t.is(keyGroupOf(hashKey(key), MAX_PARALLELISM), group, key);
});

test('int32 keys fall into the key groups of Flink ints', (t) => {
  const groups: readonly (readonly [number, number])[] = [[0, 94], [1, 86], [2, 127], [3, 113], [42, 29], [-1, 80]];
  for (const [key, group] of groups) t.is(keyGroupOf(hashAs({ type: 'int32' }, key), MAX_PARALLELISM), group, String(key));
});

test('longs, doubles and booleans fall into the key groups of Flink', (t) => {
  const groups: readonly (readonly [unknown, number])[] = [[42, 29], [-1, 94], [42n, 29], [-1n, 94], [1.5, 65], [true, 77]];
  for (const [key, group] of groups) t.is(keyGroupOf(hashKey(key), MAX_PARALLELISM), group, String(key));
});

test('three subtasks own the key-group ranges of Flink', (t) => {
  const ranges = [0, 1, 2].map((index) => keyGroupRangeOf(index, MAX_PARALLELISM, 3));
  t.deepEqual(ranges.map(({ first, last }) => [first, last]), [[0, 42], [43, 85], [86, 127]]);
});

test('the derived max parallelism is that of Flink', (t) => {
  const derived: readonly (readonly [number, number])[] = [[1, 128], [85, 128], [86, 256], [200, 512], [1000, 2048], [21845, 32768]];
  for (const [parallelism, max] of derived) t.is(deriveMaxParallelism(parallelism), max, String(parallelism));
  t.is(deriveMaxParallelism(32768), 32768);
});

test('a safe integer and the equal bigint share a hash', (t) => {
  fc.assert(fc.property(fc.maxSafeInteger(), (key) => hashKey(key) === hashKey(BigInt(key))));
  t.pass();
});

test('ranges partition the key groups, and every group belongs to the subtask that owns its range', (t) => {
  const shapes = fc.integer({ min: 1, max: 4096 }).chain((max) => fc.tuple(fc.constant(max), fc.integer({ min: 1, max })));
  fc.assert(
    fc.property(shapes, ([max, parallelism]) => {
      let next = 0;
      for (let index = 0; index < parallelism; index++) {
        const { first, last } = keyGroupRangeOf(index, max, parallelism);
        if (first !== next || last < first) return false;
        if (operatorIndexOf(first, max, parallelism) !== index || operatorIndexOf(last, max, parallelism) !== index) return false;
        next = last + 1;
      }
      return next === max;
    }),
    { numRuns: 50 },
  );
  t.pass();
});

test('every key has a group within bounds', (t) => {
  const keys = fc.oneof(fc.string(), fc.double({ noNaN: true }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.boolean());
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 32768 }), (key, max) => {
      const group = keyGroupOf(hashKey(key), max);
      return Number.isInteger(group) && group >= 0 && group < max;
    }),
  );
  t.pass();
});

test('minus zero hashes as zero, as a number and as a declared double', (t) => {
  t.is(hashKey(-0), hashKey(0));
  t.is(hashAs({ type: 'float64' }, -0), hashAs({ type: 'float64' }, 0));
});

test('structured keys fold by 31 over the declared fields, absent ones as 0', (t) => {
  const pair = { type: 'object', fields: [{ name: 'a', type: { type: 'string' } }, { name: 'b', type: { type: 'int32' } }] };
  t.is(hashAs(pair, { b: 7, a: 'x' }), 31 * (31 + 120) + 7);
  t.is(hashAs(pair, { a: 'x' }), 31 * (31 + 120));
  t.is(hashAs({ type: 'tuple', items: [{ type: 'string' }, { type: 'int32' }] }, ['x', 7]), 31 * (31 + 120) + 7);
  t.is(hashAs({ type: 'array', of: { type: 'int32' } }, [1, 2]), 31 * (31 + 1) + 2);
  t.is(hashAs({ type: 'bytes' }, new Uint8Array([255])), 31 - 1);
});

test('declared types hash by their schema', (t) => {
  const pair = types.object({ a: types.string, b: types.option(types.int32) });
  t.is(keyHashOf(pair)({ b: 7, a: 'x' }), 31 * (31 + 120) + 7);
  t.is(keyHashOf(types.tuple(types.string, types.number))(['x', 7]), 31 * (31 + 120) + 7);
  t.is(keyHashOf(types.literal('a', 'b'))('a'), hashKey('a'));
  t.is(keyHashOf(types.int64)(-1n), 0);
  t.throws(() => keyHashOf(types.map(types.string, types.string)), { message: /cannot be a key/ });
});

test('what cannot be a key is refused with KEY_INVALID', (t) => {
  for (const key of [NaN, undefined, null, {}, [], Symbol('k'), 2n ** 63n]) {
    const error = t.throws(() => hashKey(key), { instanceOf: ClusterError });
    t.is(error?.code, 'KEY_INVALID');
  }
  t.throws(() => hashAs({ type: 'map' }, new Map()), { message: /test cannot be a key/ });
});
