/**
 * Records as text, for `print` and the text file sink: strings as they are, arrays like Flink's tuples,
 * objects as JSON, in which a Map is an array of its entries, a Set and bytes an array.
 */

/** One record on one line, unless it is a string with line breaks of its own. */
export function formatRecord(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return `(${value.map(formatRecord).join(',')})`;
  if (typeof value === 'object' && value !== null) return JSON.stringify(value, jsonField) ?? String(value.constructor.name);
  return String(value);
}

/** Replaces, for `JSON.stringify`, what JSON cannot write, or would write as `{}`. */
export function jsonField(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Map || value instanceof Set || value instanceof Uint8Array ? [...value] : value;
}
