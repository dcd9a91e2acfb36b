/**
 * Kinds without parts. Each row gives the interpreted form and, beside it, the emitted one.
 *
 * Bytes: `int32` 4, `float64` and `timestamp` 8, `int64` 8, `boolean` 1, `string` and `bytes` a varint
 * of the size and the bytes. `number` is 1 byte for 0..250, else a tag and 4 (int32) or 8 bytes. A
 * `literal` of one value takes no bytes, of several one varint.
 */
import type { CodeWriter } from '../base/code-writer.ts';
import type { JsonObject } from '../protocol/json.ts';
import { ClusterError } from '../protocol/errors.ts';
import { emitConst, emitGuard, expected, type Kind } from './kind.ts';
import type { ByteSink, ByteSource } from './type-descriptor.ts';

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

interface ScalarRow<T> {
  readonly is: (value: unknown) => boolean;
  /** The same test as an expression over the variable `v`. */
  readonly test: (v: string) => string;
  readonly write: (value: T, sink: ByteSink) => void;
  readonly emitWrite: (v: string, writer: CodeWriter) => string;
  readonly read: (source: ByteSource) => T;
  readonly emitRead: (writer: CodeWriter) => string;
}

function scalar<T>(type: string, row: ScalarRow<T>): Kind {
  return {
    schema: { type },
    name: type,
    immutable: true,
    mismatch: (value, path) => (row.is(value) ? null : expected(path, type, value)),
    encode: (value, sink) => row.write(value as T, sink),
    decode: row.read,
    copy: (value) => value,
    emitEncode(writer, value) {
      emitGuard(writer, row.test(value));
      writer.line(`${row.emitWrite(value, writer)};`);
    },
    emitDecode: (writer) => emitConst(writer, type, row.emitRead(writer)),
    emitCopy: (_writer, value) => value,
  };
}

export const stringKind = scalar<string>('string', {
  is: (value) => typeof value === 'string',
  test: (v) => `typeof ${v} === "string"`,
  write: (value, sink) => sink.string(value),
  emitWrite: (v) => `sink.string(${v})`,
  read: (source) => source.string(),
  emitRead: () => 'source.string()',
});

export const booleanKind = scalar<boolean>('boolean', {
  is: (value) => typeof value === 'boolean',
  test: (v) => `typeof ${v} === "boolean"`,
  write: (value, sink) => sink.u8(value ? 1 : 0),
  emitWrite: (v) => `sink.u8(${v} ? 1 : 0)`,
  read: (source) => source.u8() === 1,
  emitRead: () => 'source.u8() === 1',
});

export const int32Kind = scalar<number>('int32', {
  is: (value) => typeof value === 'number' && (value | 0) === value,
  test: (v) => `typeof ${v} === "number" && (${v} | 0) === ${v}`,
  write: (value, sink) => sink.i32(value),
  emitWrite: (v) => `sink.i32(${v})`,
  read: (source) => source.i32(),
  emitRead: () => 'source.i32()',
});

export const float64Kind = scalar<number>('float64', {
  is: (value) => typeof value === 'number',
  test: (v) => `typeof ${v} === "number"`,
  write: (value, sink) => sink.f64(value),
  emitWrite: (v) => `sink.f64(${v})`,
  read: (source) => source.f64(),
  emitRead: () => 'source.f64()',
});

export const numberKind = scalar<number>('number', {
  is: (value) => typeof value === 'number',
  test: (v) => `typeof ${v} === "number"`,
  write: writeNumber,
  emitWrite: (v, writer) => `${writer.constant('writeNumber', writeNumber)}(${v}, sink)`,
  read: readNumber,
  emitRead: (writer) => `${writer.constant('readNumber', readNumber)}(source)`,
});

export const timestampKind = scalar<number>('timestamp', {
  is: (value) => Number.isSafeInteger(value),
  test: (v) => `Number.isSafeInteger(${v})`,
  write: (value, sink) => sink.f64(value),
  emitWrite: (v) => `sink.f64(${v})`,
  read: readTimestamp,
  emitRead: (writer) => `${writer.constant('readTimestamp', readTimestamp)}(source)`,
});

function readTimestamp(source: ByteSource): number {
  const value = source.f64();
  if (Number.isSafeInteger(value)) return value;
  throw new ClusterError('DATA_CORRUPT', `${value} is no timestamp: the data is damaged, or of another type`);
}

export const int64Kind = scalar<bigint>('int64', {
  is: (value) => typeof value === 'bigint' && value >= INT64_MIN && value <= INT64_MAX,
  test: (v) => `typeof ${v} === "bigint" && BigInt.asIntN(64, ${v}) === ${v}`,
  write: (value, sink) => sink.i64(value),
  emitWrite: (v) => `sink.i64(${v})`,
  read: (source) => source.i64(),
  emitRead: () => 'source.i64()',
});

/** Mutable, hence copied. A Buffer decodes as a Uint8Array. */
export const bytesKind: Kind = {
  ...scalar<Uint8Array>('bytes', {
    is: (value) => value instanceof Uint8Array,
    test: (v) => `${v} instanceof Uint8Array`,
    write: (value, sink) => sink.bytes(value),
    emitWrite: (v) => `sink.bytes(${v})`,
    read: (source) => source.bytes(),
    emitRead: () => 'source.bytes()',
  }),
  immutable: false,
  copy: (value) => new Uint8Array(value as Uint8Array),
  emitCopy: (writer, value) => emitConst(writer, 'bytes', `new Uint8Array(${value})`),
};

const SMALL_NUMBER_MAX = 250;
const TAG_INT32 = 251;
const TAG_FLOAT64 = 252;

/** -0 is equal to 0 but not the same: it goes as a float. */
export function writeNumber(value: number, sink: ByteSink): void {
  const int = value | 0;
  if (int !== value || (int === 0 && 1 / value < 0)) {
    sink.u8(TAG_FLOAT64);
    sink.f64(value);
  } else if (int >= 0 && int <= SMALL_NUMBER_MAX) {
    sink.u8(int);
  } else {
    sink.u8(TAG_INT32);
    sink.i32(int);
  }
}

/** Reads what `writeNumber` wrote. */
export function readNumber(source: ByteSource): number {
  const tag = source.u8();
  if (tag <= SMALL_NUMBER_MAX) return tag;
  if (tag === TAG_INT32) return source.i32();
  if (tag === TAG_FLOAT64) return source.f64();
  throw unknownIndex(tag);
}

/** A value of a `literal`. */
export type LiteralValue = string | number | boolean | null;

/** One of the given values, by identity. */
export function literalKind(values: readonly LiteralValue[]): Kind {
  const name = values.map((value) => JSON.stringify(value)).join(' | ');
  const schema: JsonObject = { type: 'literal', values };
  return {
    schema,
    name,
    immutable: true,
    mismatch: (value, path) => (values.includes(value as LiteralValue) ? null : expected(path, name, value)),
    encode(value, sink) {
      if (values.length > 1) sink.varint(values.indexOf(value as LiteralValue));
    },
    decode: (source) => valueAt(values, values.length > 1 ? source.varint() : 0),
    copy: (value) => value,
    emitEncode(writer, value) {
      const tests = values.map((literal, i) => `${value} === ${JSON.stringify(literal)} ? ${i} : `).join('');
      const index = emitConst(writer, 'index', `${tests}-1`);
      emitGuard(writer, `${index} !== -1`);
      if (values.length > 1) writer.line(`sink.varint(${index});`);
    },
    emitDecode(writer) {
      if (values.length === 1) return emitConst(writer, 'literal', JSON.stringify(values[0]));
      const [at, all] = [writer.constant('valueAt', valueAt), writer.constant('values', values)];
      return emitConst(writer, 'literal', `${at}(${all}, source.varint())`);
    },
    emitCopy: (_writer, value) => value,
  };
}

function valueAt<T>(values: readonly T[], index: number): T {
  if (index >= values.length) throw unknownIndex(index);
  return values[index] as T;
}

/** The data names a choice that the type does not have. */
export function unknownIndex(index: number): ClusterError {
  return new ClusterError('DATA_CORRUPT', `choice ${index} does not exist in this type: the data is damaged, or of another type`);
}
