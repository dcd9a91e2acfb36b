/**
 * One kind of type, twice: interpreted (`mismatch`, `encode`, `decode`, `copy`: the specification, and
 * the only maker of error messages) and emitted (the same as generated code). The pairs stand together
 * in scalar-kinds.ts and composite-kinds.ts; codec.ts chooses between them.
 *
 * In generated code `sink`, `source` and `root` (the whole value) are in scope; a guard that fails says
 * `throw fail(root)`, and `fail` asks the interpreter for the words.
 */
import type { CodeWriter } from '../base/code-writer.ts';
import type { JsonObject } from '../protocol/json.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { ByteSink, ByteSource, Codec, TypeDescriptor } from './type-descriptor.ts';

/** See `TypeDescriptor` for `schema`, `name` and `immutable`. Stateless. */
export interface Kind {
  readonly schema: JsonObject;
  readonly name: string;
  readonly immutable: boolean;
  /** Null when `value` is of this kind; else a sentence that starts with the path of the part that is not. */
  mismatch(value: unknown, path: string): string | null;
  /** Assumes that `mismatch` found nothing. */
  encode(value: unknown, sink: ByteSink): void;
  decode(source: ByteSource): unknown;
  copy(value: unknown): unknown;
  /** Lines that check and write the variable `value`. */
  emitEncode(writer: CodeWriter, value: string): void;
  /** Lines that read; answers the variable that holds the value. */
  emitDecode(writer: CodeWriter): string;
  /** Lines that copy; answers the copy's variable (or `value` itself when immutable). */
  emitCopy(writer: CodeWriter, value: string): string;
}

/** Adds `const <name> = <expression>;` and answers the name. */
export function emitConst(writer: CodeWriter, hint: string, expression: string): string {
  const name = writer.name(hint);
  writer.line(`const ${name} = ${expression};`);
  return name;
}

/** Adds the guard of an encoder. `test` is an expression over generated names. */
export function emitGuard(writer: CodeWriter, test: string): void {
  writer.line(`if (!(${test})) throw fail(root);`);
}

const SHOWN_TEXT_MAX = 40;

/** `$.price: expected float64, got string "abc"`. */
export function expected(path: string, name: string, value: unknown): string {
  return `${path}: expected ${name}, got ${shown(value)}`;
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string') return `string ${JSON.stringify(value.slice(0, SHOWN_TEXT_MAX))}`;
  if (typeof value === 'object') return value.constructor?.name ?? 'object';
  return typeof value === 'function' || typeof value === 'symbol' ? `a ${typeof value}` : `${typeof value} ${String(value)}`;
}

/** The error that every codec and `check` throws. */
export function typeMismatch(sentence: string): ClusterError {
  return new ClusterError('TYPE_MISMATCH', sentence);
}

/** The kinds of the descriptors that this room made. */
const kinds = new WeakMap<TypeDescriptor<unknown>, Kind>();

/** Remembers the kind behind a descriptor, so that composites emit their parts inline. */
export function registerKind(type: TypeDescriptor<unknown>, kind: Kind): void {
  kinds.set(type, kind);
}

/** The kind behind a descriptor; one made elsewhere is called through its codec. */
export function kindOf(type: TypeDescriptor<unknown>): Kind {
  return kinds.get(type) ?? foreignKind(type);
}

function foreignKind(type: TypeDescriptor<unknown>): Kind {
  return codecKind(type, () => type.codec(), (value, path) => {
    try {
      type.check(value);
      return null;
    } catch (error) {
      return `${path}: ${error instanceof Error ? error.message : String(error)}`;
    }
  });
}

type Described = Pick<Kind, 'schema' | 'name' | 'immutable'>;

/** A kind that always runs through a codec: custom types, JSON, Standard Schema, oneOf. */
export function codecKind(described: Described, codec: () => Codec<unknown>, mismatch: Kind['mismatch']): Kind {
  return {
    schema: described.schema,
    name: described.name,
    immutable: described.immutable,
    mismatch,
    encode: (value, sink) => codec().encode(value, sink),
    decode: (source) => codec().decode(source),
    copy: (value) => (described.immutable ? value : codec().copy(value)),
    emitEncode(writer, value) {
      emitGuard(writer, `${writer.constant('mismatch', mismatch)}(${value}, "$") === null`);
      writer.line(`${writer.constant('codec', codec())}.encode(${value}, sink);`);
    },
    emitDecode: (writer) => emitConst(writer, 'v', `${writer.constant('codec', codec())}.decode(source)`),
    emitCopy: (writer, value) =>
      described.immutable ? value : emitConst(writer, 'v', `${writer.constant('codec', codec())}.copy(${value})`),
  };
}
