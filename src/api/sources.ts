/**
 * Built-in sources as values for `env.fromSource`. They are data, not readers: their splits are found by cores
 * at the JobMaster and read by the connectors.
 */
import type { FileFormat } from '../graph/file-formats.ts';
import type { SourceSpec } from '../graph/operator-spec.ts';
import { t } from '../types/t.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { durationMs, type Duration } from './duration.ts';
import { formats } from './formats.ts';
import { invalidOption } from './option-checks.ts';

const SPLIT_SIZE_BYTES = 8 * 1024 * 1024;
const LINE_SIZE_BYTES_MAX = 64 * 1024 * 1024;

/** A source that the engine knows. */
export interface BuiltInSource<T> {
  readonly name: string;
  readonly spec: SourceSpec;
  readonly type?: TypeDescriptor<T> | undefined;
  /** The source cannot run in parallel; the reason. */
  readonly serialReason?: string;
}

/** Options of `fileSource`. */
export interface FileSourceOptions<T = string> {
  /** What is in the files; default `formats.text()`. */
  readonly format?: FileFormat<T>;
  /** A file, a directory (read with its sub-directories), or a glob. */
  readonly path: string;
  /** List the path again at this interval and read new files, for ever. Without it the source is bounded. */
  readonly discoveryInterval?: Duration;
  /** Default 8 MiB. Files are read in parallel by ranges of this size. */
  readonly splitSizeBytes?: number;
  /** Default 64 MiB. A longer line fails the job, naming file and offset. */
  readonly lineSizeBytesMax?: number;
}

/**
 * The records of files: by default lines of text, decoded as UTF-8, without their line ends (`\n` or `\r\n`). Text in files
 * named `.gz`, `.deflate` or `.zst` is decompressed.
 */
export function fileSource<T = string>(options: FileSourceOptions<T>): BuiltInSource<T> {
  const format = options.format ?? (formats.text() as FileFormat<unknown> as FileFormat<T>);
  const { path, discoveryInterval, splitSizeBytes = SPLIT_SIZE_BYTES, lineSizeBytesMax = LINE_SIZE_BYTES_MAX } = options;
  if (path === '') throw invalidOption('fileSource', 'path', path, 'the path of a file, a directory or a glob');
  requirePositive('fileSource', 'splitSizeBytes', splitSizeBytes);
  requirePositive('fileSource', 'lineSizeBytesMax', lineSizeBytesMax);
  const discoveryIntervalMs = discoveryInterval === undefined ? null : durationMs(discoveryInterval, 'fileSource: discoveryInterval');
  const splitting = format.kind === 'lines' ? 'text' as const : format.isSplittable ? 'blocks' as const : 'whole' as const;
  const data = { path, splitSizeBytes, discoveryIntervalMs, lineSizeBytesMax, format: format.name, splitting };
  return { name: 'File Source', spec: { kind: 'source.files', data, user: { format } }, type: format.type };
}

/** Options of `dataGenerator`. */
export interface DataGeneratorOptions<T> {
  /** Makes record number `index` (0-based, over all subtasks). The same index must give the same record. */
  readonly generate: (index: number) => T;
  /** Records in all; without it the source is unbounded. */
  readonly count?: number;
  /** Records a second over all subtasks; without it as fast as the job takes them. */
  readonly ratePerSecond?: number;
  readonly type?: TypeDescriptor<T>;
}

/** Records made by a function of their index. */
export function dataGenerator<T>(options: DataGeneratorOptions<T>): BuiltInSource<T> {
  const { generate, count, ratePerSecond, type } = options;
  if (count !== undefined && (!Number.isSafeInteger(count) || count < 0)) {
    throw invalidOption('dataGenerator', 'count', count, 'an integer, 0 or more');
  }
  if (ratePerSecond !== undefined) requirePositive('dataGenerator', 'ratePerSecond', ratePerSecond);
  const data = { count: count ?? null, perSecond: ratePerSecond ?? null };
  return { name: 'Data Generator Source', spec: { kind: 'source.datagen', data, user: { generate } }, type };
}

/** Options of `env.socketTextStream`. */
export interface SocketOptions {
  /** Default `'\n'`. Ends a record. */
  readonly delimiter?: string;
  /** Default 0. Attempts to connect again after the connection was lost; -1: for ever. */
  readonly retriesMax?: number;
}

/** Text that a TCP server sends, one record per delimiter. Cannot be read in parallel, nor again. */
export function socketSource(host: string, port: number, options: SocketOptions): BuiltInSource<string> {
  const { delimiter = '\n', retriesMax = 0 } = options;
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw invalidOption('socketTextStream', 'port', port, 'an integer from 1 to 65535');
  }
  if (!Number.isInteger(retriesMax) || retriesMax < -1) {
    throw invalidOption('socketTextStream', 'retriesMax', retriesMax, 'an integer, 0 or more, or -1 for ever');
  }
  if (delimiter === '') throw invalidOption('socketTextStream', 'delimiter', delimiter, 'a text that is not empty');
  return {
    name: 'Socket Stream',
    spec: { kind: 'source.socket', data: { host, port, delimiter, retriesMax }, user: {} },
    type: t.string,
    serialReason: 'a socket has one reader',
  };
}

/** The integers `from..to`, both included. */
export function sequenceSource(from: number, to: number): BuiltInSource<number> {
  const areIntegers = Number.isSafeInteger(from) && Number.isSafeInteger(to);
  if (!areIntegers || from > to) {
    throw invalidOption('fromSequence', 'bounds', `${from}, ${to}`, 'two safe integers, the first not above the second');
  }
  return { name: 'Sequence Source', spec: { kind: 'source.sequence', data: { from, to }, user: {} }, type: t.number };
}

/** Values of the program itself. */
export function collectionSource<T>(elements: readonly T[], type?: TypeDescriptor<T>): BuiltInSource<T> {
  return {
    name: 'Collection Source',
    spec: { kind: 'source.elements', data: { count: elements.length }, user: { elements } },
    type,
    serialReason: 'a collection has one reader',
  };
}

function requirePositive(source: string, option: string, value: number): void {
  if (!(value > 0)) throw invalidOption(source, option, value, 'a number above 0');
}
