/**
 * Reads the part of a `log4j.properties` that has a meaning here: levels, pattern, size and number of files,
 * and how often the file is read again. Other lines are left alone, so that an operator's file works unchanged.
 *
 * `${env:NAME}`, `${env:NAME:-otherwise}` and `${sys:NAME}` are replaced from what the process was given.
 */
import type { LogLevels, LogThreshold } from '../base/log-levels.ts';
import { parseThreshold } from '../base/log-levels.ts';
import { FLINK_PATTERN } from '../base/log-pattern.ts';

/** What a logging configuration says. */
export interface LogSettings {
  readonly levels: LogLevels;
  readonly pattern: string;
  /** The size at which a file is rolled. */
  readonly sizeBytesMax: number;
  /** Old files that are kept. */
  readonly filesMax: number;
  /** How often the configuration is read again; 0 for never. */
  readonly monitorIntervalMs: number;
}

const SIZE_BYTES_MAX = 100 * 1024 * 1024;
const FILES_MAX = 10;
const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

/** Reads `text`; what it does not say is as Flink ships it. `environment` overrides nothing, it only fills `${env:…}`. */
export function parseLogSettings(text: string, environment: Readonly<Record<string, string | undefined>>): LogSettings {
  const properties = parseProperties(text, environment);
  const byEnding = (ending: string): string | undefined => {
    return [...properties].find(([key]) => key.startsWith('appender.') && key.endsWith(ending))?.[1];
  };
  return {
    levels: { root: rootLevel(properties, environment), byPrefix: loggerLevels(properties) },
    pattern: byEnding('.layout.pattern') ?? FLINK_PATTERN,
    sizeBytesMax: parseSize(byEnding('.policies.size.size')) ?? SIZE_BYTES_MAX,
    filesMax: parseCount(byEnding('.strategy.max') ?? environment['MAX_LOG_FILE_NUMBER']) ?? FILES_MAX,
    monitorIntervalMs: (parseCount(properties.get('monitorInterval')) ?? 0) * 1000,
  };
}

function rootLevel(properties: ReadonlyMap<string, string>, environment: Readonly<Record<string, string | undefined>>): LogThreshold {
  return parseThreshold(properties.get('rootLogger.level') ?? '') ?? parseThreshold(environment['ROOT_LOG_LEVEL'] ?? '') ?? 'INFO';
}

/** Pairs `logger.<id>.name` with `logger.<id>.level`. */
function loggerLevels(properties: ReadonlyMap<string, string>): Map<string, LogThreshold> {
  const levels = new Map<string, LogThreshold>();
  for (const [key, name] of properties) {
    const id = /^logger\.(.+)\.name$/.exec(key)?.[1];
    const level = parseThreshold(properties.get(`logger.${id}.level`) ?? '');
    if (id !== undefined && level !== null) levels.set(name, level);
  }
  return levels;
}

/** Java's properties as far as they occur: `key = value`, comments with `#` or `!`, a backslash continues a line. */
function parseProperties(text: string, environment: Readonly<Record<string, string | undefined>>): Map<string, string> {
  const properties = new Map<string, string>();
  for (const line of text.replace(/\\\r?\n\s*/g, '').split(/\r?\n/)) {
    const match = /^\s*([^#!\s=:][^\s=:]*)\s*[=:]\s*(.*?)\s*$/.exec(line);
    if (match !== null) properties.set(match[1] ?? '', substitute(match[2] ?? '', environment));
  }
  return properties;
}

function substitute(value: string, environment: Readonly<Record<string, string | undefined>>): string {
  return value.replace(/\$\{(?:env|sys):([^}:]+)(?::-([^}]*))?\}/g, (_, name: string, otherwise = '') => environment[name] ?? otherwise);
}

function parseSize(text: string | undefined): number | null {
  const match = /^(\d+)\s*(KB|MB|GB)?$/i.exec(text ?? '');
  return match === null ? null : Number(match[1]) * (SIZE_UNITS[(match[2] ?? '').toUpperCase()] ?? 1);
}

function parseCount(text: string | undefined): number | null {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}
