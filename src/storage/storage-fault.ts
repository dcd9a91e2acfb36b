/** Turns what the operating system says about a file into a `ClusterError` that names the path and what to do. */
import type { ErrorCode } from '../protocol/errors.ts';
import { ClusterError } from '../protocol/errors.ts';

/** What was being done. */
export type StorageAction = 'read' | 'list' | 'create' | 'write' | 'rename' | 'delete';

const MEANINGS: Readonly<Record<string, readonly [code: ErrorCode, meaning: string]>> = {
  EACCES: ['FILE_ACCESS_DENIED', 'permission denied; give the user that runs the process access'],
  EDQUOT: ['STORAGE_FULL', 'the disk quota is used up; raise it or free space'],
  EEXIST: ['FILE_EXISTS', 'the name is taken; nothing was replaced'],
  EISDIR: ['FILE_UNREADABLE', 'it is a directory; name a file'],
  EMFILE: ['STORAGE_FAILED', 'too many open files; raise the limit of open files (ulimit -n)'],
  ENAMETOOLONG: ['BAD_REQUEST', 'the name is too long'],
  ENOENT: ['FILE_NOT_FOUND', 'it does not exist; check the path'],
  ENOSPC: ['STORAGE_FULL', 'no space is left on the device; free space or choose another directory'],
  ENOTDIR: ['FILE_NOT_FOUND', 'a part of the path is not a directory; check the path'],
  ENOTEMPTY: ['FILE_EXISTS', 'the directory is not empty; ask for a recursive deletion'],
  ENXIO: ['FILE_UNREADABLE', 'it is not a regular file'],
  EPERM: ['FILE_ACCESS_DENIED', 'operation not permitted; give the user that runs the process access'],
  EROFS: ['FILE_ACCESS_DENIED', 'the file system is read-only; choose another directory'],
};

/** The fault for `thrown`, which is an error of node:fs or a bare code such as `ENOENT`. Keeps it as the cause. */
export function storageFault(action: StorageAction, path: string, thrown: unknown): ClusterError {
  if (thrown instanceof ClusterError) return thrown;
  const systemCode = typeof thrown === 'string' ? thrown : codeOf(thrown);
  const [code, meaning] = MEANINGS[systemCode] ?? ['STORAGE_FAILED', describe(thrown)];
  const options = typeof thrown === 'string' ? undefined : { cause: thrown };
  return new ClusterError(code, `cannot ${action} ${path}: ${meaning}`, options);
}

/** Runs one operation on `path` and gives its failure the meaning of `storageFault`. */
export async function attempt<T>(action: StorageAction, path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (thrown) {
    throw storageFault(action, path, thrown);
  }
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
