/**
 * The file sink as a value for `stream.sinkTo`, with what decides on directories (`bucket`) and what makes
 * rows of records (`rows`).
 */
import { formatRecord, jsonField } from '../graph/record-format.ts';
import type { BucketContext, SinkSpec } from '../graph/operator-spec.ts';
import { durationMs, type Duration } from './duration.ts';
import { invalidOption, requireFunction } from './option-checks.ts';

/** A sink that the engine knows. */
export interface BuiltInSink<T> {
  readonly name: string;
  readonly spec: SinkSpec;
  /** Says what records it takes; never set. */
  readonly takes?: (value: T) => void;
}

/** The directory of a record below the sink's path: `''` is the path itself. */
export type BucketAssigner<T> = (value: T, context: BucketContext) => string;

/** When a part file ends, besides at every checkpoint. */
export interface RollingOptions {
  /** Default 128 MiB. */
  readonly sizeBytes?: number;
  /** Since the first row; default 60 s. */
  readonly rolloverInterval?: Duration;
  /** Since the last row; default 60 s. */
  readonly inactivityInterval?: Duration;
}

/** Options of `fileSink`. */
export interface FileSinkOptions<T> {
  /** A directory, with the scheme of its file system unless it is local. */
  readonly path: string;
  /** The row of a record, without its line end; by default as `print` writes it. */
  readonly encode?: (value: NoInfer<T>) => string;
  /** Default `bucket.dateTime()`. */
  readonly bucket?: BucketAssigner<NoInfer<T>>;
  readonly rolling?: RollingOptions;
  /** Part files are `<prefix>-<uid>-<count><suffix>`; default `part`. */
  readonly prefix?: string;
  /** For example `.jsonl`. */
  readonly suffix?: string;
}

const SIZE_BYTES = 128 * 1024 * 1024;

/**
 * Rows in files, exactly once: a file gets its name when the checkpoint that holds its rows is complete. Without
 * checkpoints files are finished at the end of the input only.
 */
export function fileSink<T>(options: FileSinkOptions<T>): BuiltInSink<T> {
  const { path, encode = formatRecord, rolling = {}, prefix = 'part', suffix = '' } = options;
  const assigner: BucketAssigner<T> = options.bucket ?? bucket.dateTime();
  if (path === '') throw invalidOption('fileSink', 'path', path, 'the path of a directory');
  requireFunction('fileSink', 'encode', encode);
  requireFunction('fileSink', 'bucket', assigner);
  const { sizeBytes = SIZE_BYTES, rolloverInterval = '60 s', inactivityInterval = '60 s' } = rolling;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 1) {
    throw invalidOption('fileSink', 'rolling.sizeBytes', sizeBytes, 'a positive integer');
  }
  for (const [name, text] of [['prefix', prefix], ['suffix', suffix]] as const) {
    if (text.includes('/')) throw invalidOption('fileSink', name, text, 'part of a file name');
  }
  if (/^[._]|^$/.test(prefix)) throw invalidOption('fileSink', 'prefix', prefix, 'the beginning of a visible name, not of a hidden one');
  const data = {
    path, prefix, suffix, sizeBytesMax: sizeBytes,
    rolloverMs: durationMs(rolloverInterval, 'fileSink: rolling.rolloverInterval'),
    inactivityMs: durationMs(inactivityInterval, 'fileSink: rolling.inactivityInterval'),
  };
  const user = { encode: encode as (value: unknown) => string, bucket: assigner as BucketAssigner<unknown> };
  return { name: 'File Sink', spec: { kind: 'sink.file', data, user } };
}

/** Built-in bucket assigners. */
export const bucket = {
  /** Everything directly below the path. */
  basePath: (): BucketAssigner<unknown> => () => '',
  /** By processing time; default `yyyy-MM-dd--HH` in the host's time zone. Knows yyyy, MM, dd, HH, mm and ss. */
  dateTime: (pattern = 'yyyy-MM-dd--HH', zone: 'local' | 'utc' = 'local'): BucketAssigner<unknown> => {
    return (_, { processingTimeMs }) => formatTime(pattern, processingTimeMs, zone);
  },
};

/** Built-in encoders of rows. */
export const rows = {
  /** JSON lines: each record a line. */
  json: () => (value: unknown): string => {
    const text: unknown = JSON.stringify(value, jsonField);
    if (typeof text === 'string') return text;
    throw new TypeError(`a value of type ${typeof value} cannot be written as JSON`);
  },
  /** CSV as RFC 4180 has it: the elements of arrays, or these `columns` of objects. Null is empty, an empty text is `""`. */
  csv: <T>({ columns, delimiter = ',' }: { readonly columns?: readonly (keyof T & string)[]; readonly delimiter?: string } = {}) => {
    return (value: T): string => cellsOf(value, columns).map((cell) => csvCell(cell, delimiter)).join(delimiter);
  },
};

function formatTime(pattern: string, timeMs: number, zone: 'local' | 'utc'): string {
  const local = new Date(timeMs);
  const date = zone === 'utc' ? local : new Date(timeMs - local.getTimezoneOffset() * 60_000);
  const [, year = '', month = '', day = '', hour = '', minute = '', second = ''] =
    /^(.+)-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)/.exec(date.toISOString()) ?? [];
  const parts: Readonly<Record<string, string>> = { yyyy: year, MM: month, dd: day, HH: hour, mm: minute, ss: second };
  return pattern.replace(/yyyy|MM|dd|HH|mm|ss/g, (part) => parts[part] ?? part);
}

function cellsOf<T>(value: T, columns: readonly (keyof T & string)[] | undefined): readonly unknown[] {
  if (columns !== undefined) return columns.map((column) => value[column]);
  if (Array.isArray(value)) return value;
  throw new TypeError('csv: records that are not arrays need { columns }');
}

function csvCell(cell: unknown, delimiter: string): string {
  if (cell === null || cell === undefined) return '';
  const text = typeof cell === 'object' ? JSON.stringify(cell, jsonField) : formatRecord(cell);
  return text === '' || /["\r\n]/.test(text) || text.includes(delimiter) ? `"${text.replaceAll('"', '""')}"` : text;
}
