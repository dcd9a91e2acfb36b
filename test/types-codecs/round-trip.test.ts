/**
 * Every type over random values: the interpreted codec is the specification, the generated one must
 * write the same bytes and read the same values, and either reads what the other wrote.
 */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import { generatedCodec, interpretedCodec } from '../../src/types/codec.ts';
import { kindOf } from '../../src/types/kind.ts';
import { ByteReader } from '../../src/types/byte-reader.ts';
import { ByteWriter } from '../../src/types/byte-writer.ts';
import type { Codec, TypeDescriptor } from '../../src/types/type-descriptor.ts';
import { t as types } from '../../src/types/t.ts';

interface Sample {
  readonly type: TypeDescriptor<unknown>;
  readonly value: unknown;
}

/** Strings with lone surrogates, multi-byte characters and the replacement character itself. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: fc.constantFrom('a', 'é', '語', '😀', '\ud800', '\udc00', '\uFFFD', '\0'), maxLength: 30 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 300 }),
);
const double = fc.oneof(fc.double(), fc.constantFrom(-0, 0, NaN, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE, Number.MAX_SAFE_INTEGER, 250, 251, 252, 2 ** 31, -(2 ** 31)));

const scalars: fc.Arbitrary<Sample>[] = [
  text.map((value) => ({ type: types.string, value })),
  fc.boolean().map((value) => ({ type: types.boolean, value })),
  fc.integer().map((value) => ({ type: types.int32, value })),
  double.map((value) => ({ type: types.float64, value })),
  fc.oneof(double, fc.integer()).map((value) => ({ type: types.number, value })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => ({ type: types.int64, value })),
  fc.maxSafeInteger().map((value) => ({ type: types.timestamp, value })),
  fc.uint8Array().map((value) => ({ type: types.bytes, value })),
  fc.constantFrom('a', 1, null, true).map((value) => ({ type: types.literal('a', 1, null, true), value })),
  fc.jsonValue().map((value) => ({ type: types.json(), value: JSON.parse(JSON.stringify(value)) as unknown })),
  fc.oneof(text, fc.integer()).map((value) => ({ type: types.oneOf(types.string, types.int32), value })),
];

const samples = fc.letrec<{ sample: Sample }>((tie) => ({
  sample: fc.oneof(
    { maxDepth: 4 },
    ...scalars,
    fc.dictionary(fc.string({ minLength: 1 }).filter((name) => name !== '__proto__'), tie('sample'), { maxKeys: 5 }).map((fields) => ({
      type: types.object(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.type]))),
      value: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value])),
    })),
    fc.array(tie('sample'), { maxLength: 4 }).map((items) => ({
      type: types.tuple(...items.map((item) => item.type)),
      value: items.map((item) => item.value),
    })),
    fc.tuple(tie('sample'), fc.nat(4)).map(([item, count]) => ({ type: types.array(item.type), value: Array(count).fill(item.value) })),
    fc.tuple(fc.uniqueArray(text, { maxLength: 4 }), tie('sample')).map(([keys, item]) => ({
      type: types.map(types.string, item.type),
      value: new Map(keys.map((key) => [key, item.value])),
    })),
    fc.tuple(tie('sample'), fc.boolean()).map(([item, absent]) => ({ type: types.option(item.type), value: absent ? undefined : item.value })),
    fc.tuple(tie('sample'), fc.boolean()).map(([item, absent]) => ({ type: types.nullable(item.type), value: absent ? null : item.value })),
    fc.tuple(tie('sample'), tie('sample'), fc.boolean()).map(([a, b, first]) => ({
      type: types.union('kind', { first: types.object({ a: a.type }), second: types.object({ b: b.type }) }),
      value: first ? { kind: 'first', a: a.value } : { kind: 'second', b: b.value },
    })),
  ),
}));

function bytesOf(codec: Codec<unknown>, value: unknown): Uint8Array {
  const sink = new ByteWriter(1);
  codec.encode(value, sink);
  return sink.toBytes();
}

test('generated and interpreted codecs write the same bytes and read back every value', (t) => {
  fc.assert(
    fc.property(samples.sample, ({ type, value }) => {
      const generated = generatedCodec(kindOf(type));
      const interpreted = interpretedCodec(kindOf(type));
      const bytes = bytesOf(interpreted, value);
      t.deepEqual(bytesOf(generated, value), bytes);
      for (const codec of [generated, interpreted]) {
        const source = new ByteReader(bytes);
        t.deepEqual(codec.decode(source), value);
        t.is(source.position, bytes.length, 'a codec reads exactly what was written');
        t.deepEqual(codec.copy(value), value);
      }
    }),
    { numRuns: 500 },
  );
});

/** Decodes damaged bytes: a value of the type or DATA_CORRUPT, and never past the data. */
function decodeDamaged(t: ExecutionContext, type: TypeDescriptor<unknown>, bytes: Uint8Array): void {
  for (const codec of [generatedCodec(kindOf(type)), interpretedCodec(kindOf(type))]) {
    const source = new ByteReader(bytes);
    try {
      type.check(codec.decode(source));
    } catch (error) {
      t.is((error as { code?: string }).code, 'DATA_CORRUPT', `${type.name}: ${String(error)}`);
    }
    t.true(source.position <= bytes.length);
  }
}

test('arbitrary bytes end in a value of the type or in DATA_CORRUPT', (t) => {
  fc.assert(fc.property(samples.sample, fc.uint8Array({ maxLength: 40 }), ({ type }, bytes) => decodeDamaged(t, type, bytes)));
});

test('a flipped bit ends in a value of the type or in DATA_CORRUPT', (t) => {
  fc.assert(
    fc.property(samples.sample, fc.nat(), fc.nat(7), ({ type, value }, place, bit) => {
      const bytes = bytesOf(generatedCodec(kindOf(type)), value);
      if (bytes.length > 0) (bytes[place % bytes.length] as number) ^= 1 << bit;
      decodeDamaged(t, type, bytes);
    }),
    { numRuns: 500 },
  );
});

test('bytes that were cut off are DATA_CORRUPT, wherever the cut', (t) => {
  fc.assert(
    fc.property(samples.sample, fc.nat(), ({ type, value }, place) => {
      const bytes = bytesOf(generatedCodec(kindOf(type)), value);
      if (bytes.length === 0) return;
      const cut = bytes.subarray(0, place % bytes.length);
      for (const codec of [generatedCodec(kindOf(type)), interpretedCodec(kindOf(type))]) {
        t.throws(() => codec.decode(new ByteReader(cut)), { code: 'DATA_CORRUPT' }, type.name);
      }
    }),
    { numRuns: 300 },
  );
});

test('a damaged count of items that take no bytes does not fill the memory', (t) => {
  const sink = new ByteWriter();
  sink.varint(Number.MAX_SAFE_INTEGER);
  const nothing = types.literal('only');
  for (const type of [types.array(nothing), types.map(nothing, nothing), types.array(types.object({ only: nothing }))]) {
    for (const codec of [generatedCodec(kindOf(type)), interpretedCodec(kindOf(type))]) {
      t.throws(() => codec.decode(new ByteReader(sink.toBytes())), { code: 'DATA_CORRUPT' });
    }
    const value = type === types.array(nothing) ? Array(3).fill('only') : null;
    if (value !== null) t.deepEqual(type.codec().decode(new ByteReader(bytesOf(type.codec(), value))), value);
  }
});

test('what JSON would lose or change without a word is refused, with its path', (t) => {
  const loop: { self?: unknown } = {};
  loop.self = loop;
  const lossy: readonly (readonly [unknown, RegExp])[] = [
    [{ at: new Date(0) }, /^\$\.at: expected json, got Date/],
    [[1, new Map([[1, 2]])], /^\$\[1\]: expected json, got Map/],
    [{ n: NaN }, /^\$\.n: expected json, got number NaN/],
    [{ big: 1n }, /^\$\.big: expected json, got bigint 1/],
    [[undefined], /^\$\[0\]: expected json, got undefined/],
    [{ f: () => 1 }, /^\$\.f: expected json, got a function/],
    [new Uint8Array(2), /^\$: expected json, got Uint8Array/],
    [loop, /nested deeper than/],
  ];
  const anything = types.standard({ '~standard': { version: 1, vendor: 'any', validate: (value) => ({ value }) } });
  for (const type of [types.json(), anything]) {
    for (const [value, message] of lossy) {
      t.throws(() => type.check(value), { code: 'TYPE_MISMATCH', message });
      t.throws(() => bytesOf(type.codec(), value), { code: 'TYPE_MISMATCH', message });
    }
    t.deepEqual(type.codec().decode(new ByteReader(bytesOf(type.codec(), { a: undefined, b: [null, 'x'] }))), { b: [null, 'x'] });
  }
});

test('a literal is a value that has one spelling', (t) => {
  for (const value of [NaN, Infinity, -Infinity, -0]) {
    t.throws(() => types.literal(value), { code: 'PROGRAM_INVALID', message: /t\.literal: / });
  }
});

test('a copy of a value of another type is refused, and never loses it', (t) => {
  const union = types.union('kind', { a: types.object({ n: types.int32 }) });
  const wrong: readonly (readonly [TypeDescriptor<unknown>, unknown])[] = [
    [union, { kind: 'b', n: 1 }], [types.object({ inner: union }), { inner: { kind: 'b' } }],
    [types.oneOf(types.object({ n: types.int32 }), types.array(types.string)), 5],
    [types.tuple(types.object({ n: types.int32 })), null], [types.map(types.string, types.string), 1], [types.json(), () => 1],
  ];
  for (const [type, value] of wrong) {
    for (const codec of [generatedCodec(kindOf(type)), interpretedCodec(kindOf(type))]) {
      t.throws(() => codec.copy(value), { code: 'TYPE_MISMATCH' }, `${type.name}`);
    }
  }
});

test('a string of many megabytes survives, with a lone surrogate inside', (t) => {
  const huge = `${'wörter '.repeat(1 << 20)}\ud83d`;
  const codec = types.string.codec();
  t.true(codec.decode(new ByteReader(bytesOf(codec, huge))) === huge);
});

test('copies share nothing mutable, and immutable values are not copied', (t) => {
  const type = types.object({ tags: types.array(types.string), at: types.map(types.string, types.object({ n: types.int32 })) });
  for (const codec of [generatedCodec(kindOf(type)), interpretedCodec(kindOf(type))]) {
    const value = { tags: ['a'], at: new Map([['x', { n: 1 }]]) };
    const copy = codec.copy(value) as typeof value;
    t.not(copy, value);
    t.not(copy.tags, value.tags);
    t.not(copy.at.get('x'), value.at.get('x'));
    const frozen = types.readonly(type);
    t.is(frozen.codec().copy(value), value);
  }
  t.true(types.readonly(type).immutable);
  t.false(type.immutable);
});

test('a value of another type is refused with the path to the part that does not fit', (t) => {
  const type = types.object({ items: types.array(types.object({ price: types.float64, note: types.option(types.string) })) });
  const wrong = { items: [{ price: 1 }, { price: 'free' }] };
  const expected = { code: 'TYPE_MISMATCH', message: '$.items[1].price: expected float64, got string "free"' };
  t.throws(() => type.check(wrong), expected);
  for (const codec of [generatedCodec(kindOf(type)), interpretedCodec(kindOf(type))]) {
    t.throws(() => bytesOf(codec, wrong), expected);
    t.throws(() => bytesOf(codec, { items: [null] }), { code: 'TYPE_MISMATCH' });
    t.throws(() => bytesOf(codec, undefined), { code: 'TYPE_MISMATCH' });
    t.notThrows(() => bytesOf(codec, { items: [{ price: NaN, note: 'x' }] }));
  }
});

test('a Standard Schema validates what is encoded and names the path', (t) => {
  const even = types.standard<{ n: number }>({
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => {
        const n = (value as { n?: unknown } | null)?.n;
        return typeof n === 'number' && n % 2 === 0 ? { value } : { issues: [{ message: 'expected an even number', path: ['n'] }] };
      },
    },
  });
  t.deepEqual(even.codec().decode(new ByteReader(bytesOf(even.codec(), { n: 2 }))), { n: 2 });
  t.throws(() => bytesOf(even.codec(), { n: 3 }), { code: 'TYPE_MISMATCH', message: '$.n: expected an even number' });
});

test('a custom codec is called for encode, decode and copy, and its version is in the schema', (t) => {
  const date = types.custom<Date>({
    name: 'date',
    version: 2,
    encode: (value, sink) => sink.f64(value.getTime()),
    decode: (source) => new Date(source.f64()),
    copy: (value) => new Date(value),
    is: (value) => value instanceof Date,
  });
  const row = types.object({ at: date });
  const value = { at: new Date(5) };
  t.deepEqual(row.codec().decode(new ByteReader(bytesOf(row.codec(), value))), value);
  t.not((row.codec().copy(value) as typeof value).at, value.at);
  t.throws(() => bytesOf(row.codec(), { at: 5 }), { code: 'TYPE_MISMATCH', message: '$.at: expected date, got number 5' });
  t.like(date.schema, { type: 'custom', name: 'date', version: 2 });
});
