/** The fallback codec over streams of random values: shapes are learned, so order matters. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import { useGeneratedCodecs } from '../../src/types/codec.ts';
import { ByteReader } from '../../src/types/byte-reader.ts';
import { ByteWriter } from '../../src/types/byte-writer.ts';
import { GenericCodec, NESTING_MAX, genericCopy } from '../../src/types/generic.ts';
import { SHAPES_MAX } from '../../src/types/object-shapes.ts';

const leaf = fc.oneof(
  fc.constantFrom(null, undefined, true, false, -0, NaN, 2 ** 31, 223, 224, -1),
  fc.integer(),
  fc.double(),
  fc.bigInt(),
  fc.string({ unit: 'binary' }),
  fc.date(),
  fc.uint8Array(),
);
const fieldName = fc.oneof(fc.constantFrom('a', 'b', 'c', 'constructor', '', '0', '10'), fc.string()).filter((name) => name !== '__proto__');
const values = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fieldName, tie('value'), { maxKeys: 5, noNullPrototype: true }),
    fc.array(fc.tuple(leaf, tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
    fc.array(leaf, { maxLength: 3 }).map((items) => new Set(items)),
  ),
}));

for (const generated of [true, false]) {
  test.serial(`a stream of undeclared values arrives as it was sent, ${generated ? 'generated' : 'interpreted'}`, (t) => {
    useGeneratedCodecs(generated);
    t.teardown(() => useGeneratedCodecs(null));
    fc.assert(
      fc.property(fc.array(values.value, { maxLength: 12 }), (stream) => {
        const [sink, encoder, decoder] = [new ByteWriter(), new GenericCodec(), new GenericCodec()];
        for (const value of stream) encoder.encode(value, sink);
        const source = new ByteReader(sink.toBytes());
        for (const value of stream) t.deepEqual(decoder.decode(source), value);
        t.is(source.position, sink.position);
        t.deepEqual(genericCopy(stream), stream);
      }),
      { numRuns: 300 },
    );
  });
}

function roundTrip(stream: readonly unknown[]): unknown[] {
  const [sink, encoder, decoder] = [new ByteWriter(), new GenericCodec(), new GenericCodec()];
  for (const value of stream) encoder.encode(value, sink);
  const source = new ByteReader(sink.toBytes());
  return stream.map(() => decoder.decode(source));
}

test('objects used as dictionaries do not exhaust the shapes', (t) => {
  const stream = Array.from({ length: 3 * SHAPES_MAX }, (_, i) => ({ [`key${i}`]: i, also: 'x' }));
  t.deepEqual(roundTrip([...stream, { also: 1 }]), [...stream, { also: 1 }]);
});

test('an object of many fields travels', (t) => {
  const wide = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}`, i]));
  t.deepEqual(roundTrip([wide, wide]), [wide, wide]);
});

class Point {
  x = 1;
}
class Counter {
  n = 1;
  inc(): void {
    this.n++;
  }
}

test('an instance of a class without methods travels as its fields', (t) => {
  t.deepEqual(roundTrip([new Point()]), [{ x: 1 }]);
  t.deepEqual(genericCopy(new Point()), { x: 1 });
});

test('what cannot travel is refused with TYPE_MISMATCH', (t) => {
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  const refused = [() => 1, Symbol('s'), new Counter(), /x/, new Error('x'), { [Symbol('k')]: 1, f: Symbol('s') }, cyclic, new WeakMap(), Promise.resolve()];
  for (const value of refused) {
    t.throws(() => roundTrip([value]), { code: 'TYPE_MISMATCH' });
    t.throws(() => genericCopy({ deep: [value] }), { code: 'TYPE_MISMATCH' });
  }
  t.throws(() => roundTrip([{ items: [1, { run: () => 1 }] }]), { code: 'TYPE_MISMATCH', message: /^\$\.items\[1\]\.run: / });
  t.throws(() => genericCopy({ items: [1, { run: () => 1 }] }), { code: 'TYPE_MISMATCH', message: /^\$\.items\[1\]\.run: / });
  t.true(NESTING_MAX > 50);
});

/** Decodes a stream of damaged bytes to its end or to the damage, which must be called that. */
function decodeDamaged(t: ExecutionContext, bytes: Uint8Array): void {
  const [source, decoder] = [new ByteReader(bytes), new GenericCodec()];
  try {
    while (source.position < bytes.length) decoder.decode(source);
  } catch (error) {
    t.is((error as { code?: string }).code, 'DATA_CORRUPT', String(error));
  }
}

test('damaged bytes of undeclared values end in values or in DATA_CORRUPT', (t) => {
  fc.assert(
    fc.property(fc.array(values.value, { minLength: 1, maxLength: 4 }), fc.nat(), fc.nat(7), (stream, place, bit) => {
      const [sink, encoder] = [new ByteWriter(), new GenericCodec()];
      for (const value of stream) encoder.encode(value, sink);
      const bytes = sink.toBytes();
      t.throws(() => {
        const [source, decoder] = [new ByteReader(bytes.subarray(0, place % bytes.length)), new GenericCodec()];
        for (let i = 0; i < stream.length; i++) decoder.decode(source);
      }, { code: 'DATA_CORRUPT' });
      (bytes[place % bytes.length] as number) ^= 1 << bit;
      decodeDamaged(t, bytes);
    }),
    { numRuns: 500 },
  );
});

test('damage that nests without end, or names what no object may have, is DATA_CORRUPT', (t) => {
  const nested = new Uint8Array(100_000).map((_, i) => (i % 2 === 0 ? 10 : 1)); // Arrays of one array.
  t.throws(() => new GenericCodec().decode(new ByteReader(nested)), { code: 'DATA_CORRUPT' });
  const shapes = new Uint8Array(100_000).fill(0);
  shapes.set([14, 1, 1, 97]); // A new shape of the one field `a`, whose value is of that shape, whose value…
  for (let i = 4; i < shapes.length; i += 2) shapes[i] = 13;
  t.throws(() => new GenericCodec().decode(new ByteReader(shapes)), { code: 'DATA_CORRUPT' });
  for (const tag of [14, 15]) {
    const sink = new ByteWriter();
    sink.u8(tag);
    sink.varint(1);
    sink.string('__proto__');
    sink.bytes(new Uint8Array([10, 0]));
    t.throws(() => new GenericCodec().decode(new ByteReader(sink.toBytes())), { code: 'DATA_CORRUPT' });
  }
});
