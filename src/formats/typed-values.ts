/**
 * Values of files made values of a type: what JSON and CSV can only say in their own words. The inverse of what `rows.json`
 * and `rows.csv` write: bigints are texts, bytes and maps are arrays, a missing optional field is undefined.
 *
 * What cannot be made a value of the type is left as it is, for `type.check` to name.
 */
import type { JsonObject } from '../protocol/json.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';

/** Makes one value. */
export type Conversion = (value: unknown) => unknown;

const same: Conversion = (value) => value;

/** What a schema of `TypeDescriptor` says of its parts. */
interface Schema {
  readonly type: string;
  readonly of?: Schema;
  readonly key?: Schema;
  readonly value?: Schema;
  readonly items?: readonly Schema[];
  readonly fields?: readonly { readonly name: string; readonly type: Schema }[];
}

/** Makes JSON values values of `type`, checked: throws TYPE_MISMATCH naming the part that is not. */
export function fromJson<T>(type: TypeDescriptor<T>): (value: unknown) => T {
  const convert = jsonConversion(schemaOf(type));
  return (value) => {
    const made: unknown = convert(value);
    type.check(made);
    return made;
  };
}

/** The schema, typed. */
export function schemaOf(type: TypeDescriptor<unknown>): Schema {
  return type.schema as JsonObject as unknown as Schema;
}

function jsonConversion(schema: Schema): Conversion {
  const of = schema.of === undefined ? same : jsonConversion(schema.of);
  switch (schema.type) {
    case 'int64':
      return toBigInt;
    case 'bytes':
      return (value) => (Array.isArray(value) ? Uint8Array.from(value as number[]) : value);
    case 'option':
    case 'nullable':
      return (value) => (value === null || value === undefined ? (schema.type === 'option' ? undefined : value) : of(value));
    case 'array':
      return of === same ? same : (value) => (Array.isArray(value) ? value.map(of) : value);
    case 'map':
      return mapConversion(schema);
    case 'tuple':
      return tupleConversion((schema.items ?? []).map(jsonConversion));
    case 'object':
      return objectConversion(schema.fields ?? []);
    default:
      return same;
  }
}

function toBigInt(value: unknown): unknown {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  return typeof value === 'string' && /^-?\d{1,19}$/.test(value) ? BigInt(value) : value;
}

function mapConversion({ key, value }: Schema): Conversion {
  const convert = tupleConversion([key === undefined ? same : jsonConversion(key), value === undefined ? same : jsonConversion(value)]);
  return (entries) => {
    const areEntries = Array.isArray(entries) && entries.every(Array.isArray);
    return areEntries ? new Map(entries.map(convert) as [unknown, unknown][]) : entries;
  };
}

function tupleConversion(items: readonly Conversion[]): Conversion {
  return (value) => (Array.isArray(value) ? value.map((item, i) => (items[i] ?? same)(item)) : value);
}

/** Fields that the type does not have are dropped; those that are missing are undefined. */
function objectConversion(fields: NonNullable<Schema['fields']>): Conversion {
  const conversions = fields.map(({ name, type }) => ({ name, convert: jsonConversion(type) }));
  return (value) => {
    if (typeof value !== 'object' || value === null) return value;
    const made: Record<string, unknown> = {};
    for (const { name, convert } of conversions) made[name] = convert((value as Readonly<Record<string, unknown>>)[name]);
    return made;
  };
}

/** A cell of CSV: its text, and whether it was quoted. Empty without quotes is null, where the type has that. */
export type CellConversion = (text: string, isQuoted: boolean) => unknown;

/** Makes cells values of `schema`; what is no plain text is JSON. */
export function cellConversion(schema: Schema): CellConversion {
  const of: CellConversion = schema.of === undefined ? (text) => text : cellConversion(schema.of);
  switch (schema.type) {
    case 'string':
      return (text) => text;
    case 'boolean':
      return (text) => ({ true: true, false: false })[text] ?? text;
    case 'int32':
    case 'float64':
    case 'number':
    case 'timestamp':
      return toNumber;
    case 'int64':
      return toBigInt;
    case 'literal':
      return literalConversion(schema);
    case 'option':
    case 'nullable':
      return (text, isQuoted) => (text === '' && !isQuoted ? (schema.type === 'option' ? undefined : null) : of(text, isQuoted));
    default: {
      const convert = jsonConversion(schema);
      return (text) => convert(JSON.parse(text));
    }
  }
}

const NUMBER = /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*$/;

function toNumber(text: string): unknown {
  if (NUMBER.test(text)) return Number(text);
  return ({ NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY, '-Infinity': Number.NEGATIVE_INFINITY } as const)[text] ?? text;
}

/** The literal that is written like the cell. */
function literalConversion(schema: Schema): CellConversion {
  const values = (schema as unknown as { readonly values: readonly unknown[] }).values;
  const byText = new Map(values.map((value) => [String(value), value]));
  return (text) => (byText.has(text) ? byText.get(text) : text);
}
