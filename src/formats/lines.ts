/** Formats whose records are lines: text, and JSON lines. */
import type { LineFormat } from '../graph/file-formats.ts';
import { t } from '../types/t.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { fromJson } from './typed-values.ts';

/** Lines as they are, without their ends. */
export function textFormat(): LineFormat<string> {
  return { kind: 'lines', name: 'text', type: t.string, decode: null, skipsErrors: false };
}

/** A JSON value on each line; of `type`, if it is given. Blank lines are no records, and so errors. */
export function jsonLinesFormat<T>(type: TypeDescriptor<T> | undefined, skipsErrors: boolean): LineFormat<T> {
  const convert = type === undefined ? (value: unknown) => value as T : fromJson(type);
  return { kind: 'lines', name: 'json', type, decode: (line) => convert(JSON.parse(line)), skipsErrors };
}
