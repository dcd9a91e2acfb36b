/**
 * Records as text, for `print` and the text file sink: strings as they are, arrays like Flink's tuples,
 * objects as JSON.
 */

/** One record on one line, unless it is a string with line breaks of its own. */
export function formatRecord(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return `(${value.map(formatRecord).join(',')})`;
  if (typeof value === 'object' && value !== null) return JSON.stringify(value, bigintAsText) ?? String(value.constructor.name);
  return String(value);
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
