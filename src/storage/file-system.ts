/**
 * Bytes at rest, behind one seam: local files here, HDFS beside it. Implementations pass
 * test/conformance/file-system.ts.
 *
 * The rules that recovery relies on: a file appears under its name complete or not at all, a file that
 * exists is never replaced by accident, and a success was verified. Files are never reopened for writing.
 *
 * Faults are `ClusterError`s that name the path and what to do: FILE_NOT_FOUND, FILE_EXISTS, FILE_ACCESS_DENIED,
 * FILE_UNREADABLE (not a regular file), STORAGE_FULL, STORAGE_FAILED (anything else; may pass).
 */
import { ClusterError } from '../protocol/errors.ts';
import type { ReadBuffers } from './read-buffers.ts';

/** What is known of a file or directory. */
export interface FileStatus {
  /** As it can be given back to the same file system. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'other';
  /** 0 for directories. */
  readonly sizeBytes: number;
  /** Wall clock, ms since the epoch. */
  readonly modifiedMs: number;
}

/** Bytes `[startBytes, endBytes)` of a file; an end beyond the file is the file's end. */
export interface ByteRange {
  readonly startBytes: number;
  readonly endBytes: number;
}

/** A file that is being written. Nobody sees it before `commit`. */
export interface FileWriter {
  /** Bytes written so far. */
  readonly sizeBytes: number;
  /** Appends `bytes`, which belong to the caller again when the promise resolves. One call at a time. */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the file durable and visible under its name, after checking its length. */
  commit(): Promise<void>;
  /** Throws the file away. Idempotent; does nothing after `commit`. */
  abort(): Promise<void>;
}

/** One kind of storage. Paths are absolute within it. */
export interface FileSystem {
  /** Throws FILE_NOT_FOUND. */
  stat(path: string): Promise<FileStatus>;
  /** The entries of a directory, in no order, fetched page by page. */
  list(path: string): AsyncIterable<FileStatus>;
  /** The bytes of a file or of a range, in chunks that belong to the reader, at the reader's pace. They may lie in `buffers`. */
  read(path: string, range?: ByteRange, buffers?: ReadBuffers): AsyncIterable<Uint8Array>;
  /** Starts a new file; missing directories are made. `commit` throws FILE_EXISTS when the name is taken, unless `replace`. */
  create(path: string, options?: { readonly replace?: boolean }): Promise<FileWriter>;
  /** Moves a file or directory. Throws FILE_EXISTS rather than replace anything. */
  rename(source: string, target: string): Promise<void>;
  /** False when there was nothing. A directory that is not empty needs `recursive`. */
  delete(path: string, options?: { readonly recursive?: boolean }): Promise<boolean>;
  /** Makes a directory and those above it. Idempotent. */
  makeDirectories(path: string): Promise<void>;
}

/** A path as users write it, taken apart: `hdfs://name/a/b` is `hdfs`, `name` and `/a/b`. */
export interface FileLocation {
  /** `file` for paths without one. */
  readonly scheme: string;
  /** Empty when there is none. */
  readonly authority: string;
  readonly path: string;
}

/** Takes a path apart. Nothing is decoded: as in Flink, `%20` is three characters and a blank is a blank. */
export function parseLocation(text: string): FileLocation {
  const match = /^([a-z][a-z0-9+.-]+):(?:\/\/([^/]*))?(.*)$/i.exec(text);
  if (match === null) return { scheme: 'file', authority: '', path: text };
  const [, scheme = '', authority = '', path = ''] = match;
  if (path === '' && authority === '') throw new ClusterError('BAD_REQUEST', `'${text}' is not a path: nothing follows the scheme`);
  return { scheme: scheme.toLowerCase(), authority, path: path === '' ? '/' : path };
}

/** Opens the file system of one scheme and authority. */
export type OpenFileSystem = (authority: string) => FileSystem;

/** The file systems that this process can reach, by scheme. */
export class FileSystems {
  private readonly openByScheme: ReadonlyMap<string, OpenFileSystem>;

  constructor(openByScheme: ReadonlyMap<string, OpenFileSystem>) {
    this.openByScheme = openByScheme;
  }

  /** The file system of `location`, and the path in it. Throws UNSUPPORTED for a scheme that is not known. */
  resolve(location: string): { readonly files: FileSystem; readonly path: string } {
    const { scheme, authority, path } = parseLocation(location);
    const open = this.openByScheme.get(scheme);
    if (open === undefined) {
      const known = [...this.openByScheme.keys()].join(', ');
      throw new ClusterError('UNSUPPORTED', `no file system for the scheme '${scheme}' of '${location}'; there is ${known}`);
    }
    return { files: open(authority), path };
  }
}
