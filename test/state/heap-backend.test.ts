/** The `hashmap` backend against the contract, and what is its own: declared keys. */
import test from 'ava';
import { heapBackend } from '../../src/state/heap-backend.ts';
import type { Codec, TypeDescriptor } from '../../src/types/type-descriptor.ts';
import { testStateBackend } from '../conformance/state-store.ts';

testStateBackend(test, heapBackend);

/** A descriptor that knows its schema and how to copy: all that keys need. */
function keyType(schema: TypeDescriptor<unknown>['schema']): TypeDescriptor<unknown> {
  const codec = { copy: (value: unknown) => structuredClone(value) } as Codec<unknown>;
  return { schema, name: 'key', immutable: false, codec: () => codec, check: () => undefined };
}

const word = { name: 'word', type: { type: 'string' } };
const day = { name: 'day', type: { type: 'option', of: { type: 'int32' } } };

test('objects with equal declared fields are one key, whatever else they hold', (t) => {
  const store = heapBackend.open({
    keyGroups: { first: 0, last: 127, maxParallelism: 128 },
    keyType: keyType({ type: 'object', fields: [word, day] }),
    freezeValues: false,
  });
  const count = store.value<number>('count', null);
  for (const key of [{ word: 'a', day: 1 }, { day: 1, word: 'a', more: true }, { word: 'a' }, { word: 'a', day: null }]) {
    store.setKey(key);
    count.set((count.get() ?? 0) + 1);
  }
  const entries = [...store.entries({ first: 0, last: 127, maxParallelism: 128 })].map((entry) => [entry.key, entry.value]);
  t.is(entries.length, 2);
  t.true(entries.every(([, value]) => value === 2));
});

test('a key object that the user changes later stays the key it was', (t) => {
  const store = heapBackend.open({
    keyGroups: { first: 0, last: 127, maxParallelism: 128 },
    keyType: keyType({ type: 'tuple', items: [{ type: 'string' }, { type: 'float64' }] }),
    freezeValues: false,
  });
  const count = store.value<number>('count', null);
  const key: [string, number] = ['a', 1];
  store.setKey(key);
  count.set(7);
  key[0] = 'b';
  store.setKey(['a', 1]);
  t.is(count.get(), 7);
  store.setKey(['b', 1]);
  t.is(count.get(), undefined);
});
