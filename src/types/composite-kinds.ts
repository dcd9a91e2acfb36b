/**
 * Kinds with parts: object, tuple, array, map, option, nullable, union. Parts are emitted inline, so a
 * row type becomes one straight function, and decoding builds every object with one literal (one hidden
 * class, all fields present; an absent optional field is `undefined`).
 *
 * Bytes: fields and items in declared order without tags; `array` and `map` a varint count first;
 * `option` and `nullable` one presence byte; `union` a varint with the variant's index.
 */
import type { CodeWriter } from '../base/code-writer.ts';
import { emitConst, emitGuard, expected, typeMismatch, type Kind } from './kind.ts';
import { unknownIndex } from './scalar-kinds.ts';

/** Field of an object kind. */
export interface Field {
  readonly name: string;
  readonly kind: Kind;
}

/** An object kind; unions of objects need its parts. */
export interface ObjectKind extends Kind {
  readonly fields: readonly Field[];
}

/** Extra fields of a value are ignored: they are not encoded and not copied. */
export function objectKind(fields: readonly Field[]): ObjectKind {
  const name = `{ ${fields.map((field) => `${field.name}: ${field.kind.name}`).join(', ')} }`;
  return {
    fields,
    schema: { type: 'object', fields: fields.map((field) => ({ name: field.name, type: field.kind.schema })) },
    name,
    immutable: false,
    mismatch(value, path) {
      if (typeof value !== 'object' || value === null) return expected(path, name, value);
      return firstOf(fields, (field) => field.kind.mismatch(read(value, field), `${path}.${field.name}`));
    },
    encode(value, sink) {
      for (const field of fields) field.kind.encode(read(value, field), sink);
    },
    decode: (source) => record(fields, (field) => field.kind.decode(source)),
    copy: (value) => record(fields, (field) => field.kind.copy(read(value, field))),
    emitEncode(writer, value) {
      emitGuard(writer, `typeof ${value} === "object" && ${value} !== null`);
      for (const field of fields) field.kind.emitEncode(writer, emitField(writer, value, field));
    },
    emitDecode: (writer) => emitLiteral(writer, fields.map((field) => [field, field.kind.emitDecode(writer)])),
    emitCopy: (writer, value) =>
      emitLiteral(writer, fields.map((field) => [field, field.kind.emitCopy(writer, emitField(writer, value, field))])),
  };
}

function read(value: unknown, field: Field): unknown {
  return (value as Record<string, unknown>)[field.name];
}

function record(fields: readonly Field[], valueOf: (field: Field) => unknown): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const field of fields) value[field.name] = valueOf(field);
  return value;
}

function emitField(writer: CodeWriter, value: string, field: Field): string {
  return emitConst(writer, field.name, `${value}[${JSON.stringify(field.name)}]`);
}

function emitLiteral(writer: CodeWriter, parts: readonly (readonly [Field, string])[]): string {
  return emitConst(writer, 'object', `{ ${parts.map(([field, part]) => `${JSON.stringify(field.name)}: ${part}`).join(', ')} }`);
}

/** A fixed number of items. */
export function tupleKind(items: readonly Kind[]): Kind {
  const name = `[${items.map((item) => item.name).join(', ')}]`;
  const emitItem = (writer: CodeWriter, value: string, i: number): string => emitConst(writer, 'item', `${value}[${i}]`);
  return {
    schema: { type: 'tuple', items: items.map((item) => item.schema) },
    name,
    immutable: false,
    mismatch(value, path) {
      if (!Array.isArray(value) || value.length !== items.length) return expected(path, name, value);
      return firstOf(items, (item, i) => item.mismatch(value[i], `${path}[${i}]`));
    },
    encode: (value, sink) => items.forEach((item, i) => item.encode((value as unknown[])[i], sink)),
    decode: (source) => items.map((item) => item.decode(source)),
    copy: (value) => items.map((item, i) => item.copy((value as unknown[])[i])),
    emitEncode(writer, value) {
      emitGuard(writer, `Array.isArray(${value}) && ${value}.length === ${items.length}`);
      items.forEach((item, i) => item.emitEncode(writer, emitItem(writer, value, i)));
    },
    emitDecode: (writer) => emitConst(writer, 'tuple', `[${items.map((item) => item.emitDecode(writer)).join(', ')}]`),
    emitCopy: (writer, value) =>
      emitConst(writer, 'tuple', `[${items.map((item, i) => item.emitCopy(writer, emitItem(writer, value, i))).join(', ')}]`),
  };
}

/** Any number of items. */
export function arrayKind(item: Kind): Kind {
  const name = `${item.name}[]`;
  return {
    schema: { type: 'array', of: item.schema },
    name,
    immutable: false,
    mismatch(value, path) {
      if (!Array.isArray(value)) return expected(path, name, value);
      return firstOf(value as unknown[], (part, i) => item.mismatch(part, `${path}[${i}]`));
    },
    encode(value, sink) {
      sink.varint((value as unknown[]).length);
      for (const part of value as unknown[]) item.encode(part, sink);
    },
    decode(source) {
      const values: unknown[] = [];
      for (let left = source.count(); left > 0; left--) values.push(item.decode(source));
      return values;
    },
    copy: (value) => (value as unknown[]).map((part) => item.copy(part)),
    emitEncode(writer, value) {
      emitGuard(writer, `Array.isArray(${value})`);
      writer.line(`sink.varint(${value}.length);`);
      const i = writer.name('i');
      writer.block(`for (let ${i} = 0; ${i} < ${value}.length; ${i}++)`, () =>
        item.emitEncode(writer, emitConst(writer, 'item', `${value}[${i}]`)));
    },
    emitDecode(writer) {
      const values = emitConst(writer, 'array', '[]');
      const left = writer.name('left');
      writer.block(`for (let ${left} = source.count(); ${left} > 0; ${left}--)`, () =>
        writer.line(`${values}.push(${item.emitDecode(writer)});`));
      return values;
    },
    emitCopy(writer, value) {
      if (item.immutable) return emitConst(writer, 'array', `${value}.slice()`);
      const values = emitConst(writer, 'array', '[]');
      const i = writer.name('i');
      writer.block(`for (let ${i} = 0; ${i} < ${value}.length; ${i}++)`, () =>
        writer.line(`${values}.push(${item.emitCopy(writer, emitConst(writer, 'item', `${value}[${i}]`))});`));
      return values;
    },
  };
}

/** A Map; entries keep their order. */
export function mapKind(key: Kind, value: Kind): Kind {
  const name = `Map<${key.name}, ${value.name}>`;
  return {
    schema: { type: 'map', key: key.schema, value: value.schema },
    name,
    immutable: false,
    mismatch(map, path) {
      if (!(map instanceof Map)) return expected(path, name, map);
      return firstOf([...(map as Map<unknown, unknown>)], ([k, v], i) =>
        key.mismatch(k, `${path}.key(${i})`) ?? value.mismatch(v, `${path}.value(${i})`));
    },
    encode(map, sink) {
      sink.varint((map as Map<unknown, unknown>).size);
      for (const [k, v] of map as Map<unknown, unknown>) {
        key.encode(k, sink);
        value.encode(v, sink);
      }
    },
    decode(source) {
      const map = new Map<unknown, unknown>();
      for (let left = source.count(); left > 0; left--) {
        const k = key.decode(source);
        map.set(k, value.decode(source));
      }
      return map;
    },
    copy: (map) => new Map([...(map as Map<unknown, unknown>)].map(([k, v]) => [key.copy(k), value.copy(v)])),
    emitEncode(writer, map) {
      emitGuard(writer, `${map} instanceof Map`);
      writer.line(`sink.varint(${map}.size);`);
      const [k, v] = [writer.name('key'), writer.name('value')];
      writer.block(`for (const [${k}, ${v}] of ${map})`, () => {
        key.emitEncode(writer, k);
        value.emitEncode(writer, v);
      });
    },
    emitDecode(writer) {
      const map = emitConst(writer, 'map', 'new Map()');
      const left = writer.name('left');
      writer.block(`for (let ${left} = source.count(); ${left} > 0; ${left}--)`, () => {
        const k = key.emitDecode(writer);
        writer.line(`${map}.set(${k}, ${value.emitDecode(writer)});`);
      });
      return map;
    },
    emitCopy(writer, map) {
      const copied = emitConst(writer, 'map', 'new Map()');
      const [k, v] = [writer.name('key'), writer.name('value')];
      writer.block(`for (const [${k}, ${v}] of ${map})`, () =>
        writer.line(`${copied}.set(${key.emitCopy(writer, k)}, ${value.emitCopy(writer, v)});`));
      return copied;
    },
  };
}

/** `absent` is undefined for `option`, null for `nullable`. */
export function absentKind(type: 'option' | 'nullable', of: Kind): Kind {
  const absent = type === 'option' ? undefined : null;
  const text = String(absent);
  const name = `${of.name} | ${text}`;
  return {
    schema: { type, of: of.schema },
    name,
    immutable: of.immutable,
    mismatch: (value, path) => (value === absent || of.mismatch(value, path) === null ? null : expected(path, name, value)),
    encode(value, sink) {
      sink.u8(value === absent ? 0 : 1);
      if (value !== absent) of.encode(value, sink);
    },
    decode: (source) => (source.u8() === 0 ? absent : of.decode(source)),
    copy: (value) => (value === absent ? absent : of.copy(value)),
    emitEncode(writer, value) {
      writer.line(`sink.u8(${value} === ${text} ? 0 : 1);`);
      writer.block(`if (${value} !== ${text})`, () => of.emitEncode(writer, value));
    },
    emitDecode: (writer) => emitMaybe(writer, 'source.u8() !== 0', text, () => of.emitDecode(writer)),
    emitCopy: (writer, value) =>
      of.immutable ? value : emitMaybe(writer, `${value} !== ${text}`, text, () => of.emitCopy(writer, value)),
  };
}

function emitMaybe(writer: CodeWriter, test: string, otherwise: string, emit: () => string): string {
  const result = writer.name('maybe');
  writer.line(`let ${result} = ${otherwise};`);
  writer.block(`if (${test})`, () => writer.line(`${result} = ${emit()};`));
  return result;
}

/** Objects told apart by the value of one field; each variant holds that field as its first, a literal. */
export function unionKind(discriminator: string, variants: ReadonlyMap<string, Kind>): Kind {
  const tags = [...variants.keys()];
  const kinds = [...variants.values()];
  const name = kinds.map((kind) => kind.name).join(' | ');
  const tagOf = (value: unknown): number => tags.indexOf((value as Record<string, string>)[discriminator] as string);
  const kindAt = (index: number): Kind => {
    const kind = kinds[index];
    if (!kind) throw unknownIndex(index);
    return kind;
  };
  return {
    schema: { type: 'union', discriminator, variants: kinds.map((kind) => kind.schema) },
    name,
    immutable: false,
    mismatch(value, path) {
      if (typeof value !== 'object' || value === null || tagOf(value) < 0) return expected(path, name, value);
      return kindAt(tagOf(value)).mismatch(value, path);
    },
    encode(value, sink) {
      sink.varint(tagOf(value));
      kindAt(tagOf(value)).encode(value, sink);
    },
    decode: (source) => kindAt(source.varint()).decode(source),
    copy(value) {
      const tag = tagOf(value);
      if (tag < 0) throw typeMismatch(expected('$', name, value));
      return kindAt(tag).copy(value);
    },
    emitEncode(writer, value) {
      emitGuard(writer, `typeof ${value} === "object" && ${value} !== null`);
      emitVariants(writer, emitConst(writer, 'tag', `${value}[${JSON.stringify(discriminator)}]`), tags, 'throw fail(root);', (i) => {
        writer.line(`sink.varint(${i});`);
        kindAt(i).emitEncode(writer, value);
      });
    },
    emitDecode(writer) {
      const [result, index] = [writer.name('variant'), emitConst(writer, 'index', 'source.varint()')];
      writer.line(`let ${result};`);
      const unknown = `throw ${writer.constant('unknownIndex', unknownIndex)}(${index});`;
      emitVariants(writer, index, kinds.map((_, i) => i), unknown, (i) => writer.line(`${result} = ${kindAt(i).emitDecode(writer)};`));
      return result;
    },
    emitCopy(writer, value) {
      const result = writer.name('variant');
      writer.line(`let ${result};`);
      emitVariants(writer, `${value}[${JSON.stringify(discriminator)}]`, tags, 'throw fail(root);', (i) =>
        writer.line(`${result} = ${kindAt(i).emitCopy(writer, value)};`));
      return result;
    },
  };
}

function emitVariants(
  writer: CodeWriter,
  subject: string,
  labels: readonly (string | number)[],
  otherwise: string,
  emit: (index: number) => void,
): void {
  writer.block(`switch (${subject})`, () => {
    labels.forEach((label, i) => writer.block(`case ${JSON.stringify(label)}:`, () => {
      emit(i);
      writer.line('break;');
    }));
    writer.line(`default: ${otherwise}`);
  });
}

function firstOf<T>(items: readonly T[], mismatch: (item: T, index: number) => string | null): string | null {
  for (let i = 0; i < items.length; i++) {
    const found = mismatch(items[i] as T, i);
    if (found !== null) return found;
  }
  return null;
}
