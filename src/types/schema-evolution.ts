/**
 * What may change in the type of stored data. Data is read with the type it was written with, which is rebuilt from its
 * schema, and passes into the new type as it is:
 *
 *     object      fields may come (optional ones), go, and change places; a required field may become optional
 *     any type    T may become option(T) or nullable(T)
 *     union, oneOf, literal    choices may come and change places
 *     array, tuple, map        as their parts
 *
 * Everything else is a change of type: it would need a rule for the values that exist.
 */
import { ClusterError } from '../protocol/errors.ts';
import { canonicalJson, type JsonObject, type JsonValue } from '../protocol/json.ts';
import { t } from './t.ts';
import type { TypeDescriptor } from './type-descriptor.ts';

type AnyType = TypeDescriptor<unknown>;
type Schemas = readonly JsonObject[];
interface FieldSchema {
  readonly name: string;
  readonly type: JsonObject;
}

/** Whether two schemas describe the same bytes. */
export function isSameSchema(a: JsonObject | null, b: JsonObject | null): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/** Null when data written as `from` can be taken over as `to`; else a sentence that starts with the path of the part that cannot. */
export function schemaConflict(from: JsonObject, to: JsonObject, path = '$'): string | null {
  if (isSameSchema(from, to)) return null;
  const [kind, target] = [from['type'], to['type']];
  if ((target === 'option' || target === 'nullable') && kind !== target) return schemaConflict(from, to['of'] as JsonObject, path);
  if (kind !== target) return `${path} was ${String(kind)} and is now ${String(target)}`;
  switch (kind) {
    case 'option':
    case 'nullable':
    case 'array':
      return schemaConflict(from['of'] as JsonObject, to['of'] as JsonObject, kind === 'array' ? `${path}[]` : path);
    case 'tuple':
      return tupleConflict(from['items'] as Schemas, to['items'] as Schemas, path);
    case 'map':
      return schemaConflict(from['key'] as JsonObject, to['key'] as JsonObject, `${path}.key`) ??
        schemaConflict(from['value'] as JsonObject, to['value'] as JsonObject, `${path}.value`);
    case 'object':
      return objectConflict(fieldsOf(from), fieldsOf(to), path);
    case 'literal':
      return literalConflict(from['values'] as readonly JsonValue[], to['values'] as readonly JsonValue[], path);
    case 'union':
      return unionConflict(from, to, path);
    case 'oneOf':
      return choiceConflict(from['of'] as Schemas, to['of'] as Schemas, path);
    default:
      return `${path} was ${canonicalJson(from)} and is now ${canonicalJson(to)}`;
  }
}

function fieldsOf(schema: JsonObject): readonly FieldSchema[] {
  return schema['fields'] as unknown as readonly FieldSchema[];
}

function firstOf<T>(items: readonly T[], conflict: (item: T, index: number) => string | null): string | null {
  for (const [i, item] of items.entries()) {
    const found = conflict(item, i);
    if (found !== null) return found;
  }
  return null;
}

function tupleConflict(from: Schemas, to: Schemas, path: string): string | null {
  if (from.length !== to.length) return `${path} had ${from.length} items and now has ${to.length}`;
  return firstOf(from, (item, i) => schemaConflict(item, to[i] as JsonObject, `${path}[${i}]`));
}

function objectConflict(from: readonly FieldSchema[], to: readonly FieldSchema[], path: string): string | null {
  return firstOf(to, ({ name, type }) => {
    const former = from.find((field) => field.name === name);
    if (former !== undefined) return schemaConflict(former.type, type, `${path}.${name}`);
    return type['type'] === 'option' ? null : `${path}.${name} is new: it must be optional, t.option(…)`;
  });
}

function literalConflict(from: readonly JsonValue[], to: readonly JsonValue[], path: string): string | null {
  const gone = from.filter((value) => !to.includes(value));
  return gone.length === 0 ? null : `${path} could be ${gone.map((value) => JSON.stringify(value)).join(', ')} and no longer can`;
}

function unionConflict(from: JsonObject, to: JsonObject, path: string): string | null {
  if (from['discriminator'] !== to['discriminator']) return `${path} was told apart by ${String(from['discriminator'])}`;
  return firstOf(from['variants'] as Schemas, (variant) => {
    const match = (to['variants'] as Schemas).find((candidate) => tagOf(candidate) === tagOf(variant));
    return match === undefined ? `${path} no longer has the variant ${tagOf(variant)}` : schemaConflict(variant, match, path);
  });
}

/** The discriminator is the first field of a variant, a literal. */
function tagOf(variant: JsonObject): string {
  const [discriminator] = fieldsOf(variant);
  return String((discriminator?.type['values'] as readonly JsonValue[] | undefined)?.[0]);
}

/** Values are told apart by trying: only choices that are the same are safe. */
function choiceConflict(from: Schemas, to: Schemas, path: string): string | null {
  const gone = from.find((choice) => !to.some((candidate) => isSameSchema(choice, candidate)));
  return gone === undefined ? null : `${path} no longer has the choice ${canonicalJson(gone)}`;
}

/** The type that a schema describes. Throws STATE_INCOMPATIBLE for types whose codec only the program has. */
export function typeOfSchema(schema: JsonObject): AnyType {
  const part = (name: string): AnyType => typeOfSchema(schema[name] as JsonObject);
  const kind = schema['type'];
  switch (kind) {
    case 'string':
    case 'boolean':
    case 'int32':
    case 'float64':
    case 'number':
    case 'int64':
    case 'timestamp':
    case 'bytes':
      return t[kind];
    case 'literal':
      return t.literal(...(schema['values'] as [string]));
    case 'option':
      return t.option(part('of'));
    case 'nullable':
      return t.nullable(part('of'));
    case 'array':
      return t.array(part('of'));
    case 'map':
      return t.map(part('key'), part('value'));
    case 'tuple':
      return t.tuple(...(schema['items'] as Schemas).map(typeOfSchema)) as AnyType;
    case 'object':
      return objectOfSchema(schema);
    case 'union':
      return unionOfSchema(schema);
    case 'oneOf':
      return t.oneOf(...(schema['of'] as Schemas).map(typeOfSchema));
    case 'json':
    case 'standard':
      return t.json();
    default:
      throw new ClusterError('STATE_INCOMPATIBLE', `values of type ${String(schema['name'] ?? kind)} can be read by its own codec only`);
  }
}

function objectOfSchema(schema: JsonObject): TypeDescriptor<object> {
  return t.object(Object.fromEntries(fieldsOf(schema).map(({ name, type }) => [name, typeOfSchema(type)])));
}

function unionOfSchema(schema: JsonObject): AnyType {
  const variants = (schema['variants'] as Schemas).map((variant) => {
    return [tagOf(variant), objectOfSchema(variant)] as const;
  });
  return t.union(schema['discriminator'] as string, Object.fromEntries(variants));
}
