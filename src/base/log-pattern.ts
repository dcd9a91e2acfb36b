/**
 * How a log line looks: log4j's pattern language, as far as operators use it.
 *
 *     %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
 *
 * A conversion is `%`, an optional width (`-60`: left-aligned, at least 60; `.20`: at most the last 20) and a word.
 * Source: log4j's PatternLayout.
 */
import type { LogLevel } from './log.ts';

/** One thing to log. */
export interface LogEvent {
  /** Wall clock, ms since the epoch; shown in local time. */
  readonly nowMs: number;
  readonly level: LogLevel;
  /** Full dotted name of the logger. */
  readonly logger: string;
  readonly message: string;
}

/** Turns an event into text, line end included. */
export type LogLayout = (event: LogEvent) => string;

/** The pattern of Flink's log files. */
export const FLINK_PATTERN = '%d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n';

/** Bound on the chain of causes that is printed; a cyclic chain is cut there. */
const CAUSES_MAX = 16;

/** Compiles a pattern once. A conversion that is not known is printed as it stands. */
export function compileLayout(pattern: string): LogLayout {
  const parts = Array.from(pattern.matchAll(/%%|%(-?\d+)?(?:\.(\d+))?([a-zA-Z]+)(?:\{([^}]*)\})?|[^%]+|%/g), compilePart);
  return (event) => parts.map((part) => part(event)).join('');
}

/** The lines that follow a message: the error with its stack, then each cause. Ends with a line end; empty for undefined. */
export function showThrown(thrown: unknown): string {
  if (thrown === undefined) return '';
  const lines: string[] = [];
  let current: unknown = thrown;
  while (current !== undefined && lines.length < CAUSES_MAX) {
    lines.push(`${lines.length === 0 ? '' : 'Caused by: '}${stackOf(current)}\n`);
    current = current instanceof Error ? current.cause : undefined;
  }
  return lines.join('');
}

function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return thrown.stack ?? `${thrown.name}: ${thrown.message}`;
}

function compilePart(match: RegExpMatchArray): LogLayout {
  const [text, width, maxWidth, word, argument] = match;
  if (text === '%%') return () => '%';
  const convert = word === undefined ? undefined : conversion(word, argument);
  if (convert === undefined) return () => text;
  const minimum = Math.abs(Number(width ?? 0));
  const leftAligned = width?.startsWith('-') ?? false;
  const maximum = Number(maxWidth ?? Number.POSITIVE_INFINITY);
  return (event) => {
    const value = convert(event);
    const cut = value.length > maximum ? value.slice(value.length - maximum) : value;
    return leftAligned ? cut.padEnd(minimum) : cut.padStart(minimum);
  };
}

function conversion(word: string, argument: string | undefined): LogLayout | undefined {
  switch (word) {
    case 'd':
    case 'date':
      return compileDate(argument ?? 'yyyy-MM-dd HH:mm:ss,SSS');
    case 'p':
    case 'level':
      return ({ level }) => level;
    case 'c':
    case 'logger':
      return argument === undefined ? ({ logger }) => logger : ({ logger }) => lastParts(logger, Number(argument));
    case 'm':
    case 'msg':
    case 'message':
      return ({ message }) => message;
    case 'n':
      return () => '\n';
    case 't':
    case 'thread':
      return () => 'main';
    case 'x': // The nested diagnostic context, which is always empty here.
      return () => '[]';
    case 'X':
    case 'ex':
    case 'throwable':
      return () => '';
    default:
      return undefined;
  }
}

function lastParts(name: string, count: number): string {
  return count > 0 ? name.split('.').slice(-count).join('.') : name;
}

const DATE_FIELDS: Readonly<Record<string, (date: Date) => string>> = {
  yyyy: (date) => String(date.getFullYear()),
  MM: (date) => padded(date.getMonth() + 1, 2),
  dd: (date) => padded(date.getDate(), 2),
  HH: (date) => padded(date.getHours(), 2),
  mm: (date) => padded(date.getMinutes(), 2),
  ss: (date) => padded(date.getSeconds(), 2),
  SSS: (date) => padded(date.getMilliseconds(), 3),
};

function compileDate(format: string): LogLayout {
  const known = format === 'ISO8601' ? "yyyy-MM-dd'T'HH:mm:ss,SSS" : format;
  const parts = Array.from(known.matchAll(/yyyy|MM|dd|HH|mm|ss|SSS|'([^']*)'|./g), ([text, quoted]) => {
    return DATE_FIELDS[text] ?? ((): string => quoted ?? text);
  });
  return ({ nowMs }) => {
    const date = new Date(nowMs);
    return parts.map((part) => part(date)).join('');
  };
}

function padded(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
