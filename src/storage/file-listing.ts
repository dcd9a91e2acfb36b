/**
 * The files that a path means: a file is itself, a directory all files below it, a glob whatever matches (`*`, `?`, `[a-z]`,
 * `{a,b}` within a name, `**` for any directories).
 * Names that begin with `.` or `_` are not input, as everywhere in Hadoop's world: unfinished and marker files.
 */
import { ClusterError } from '../protocol/errors.ts';
import type { FileStatus, FileSystem, FileSystems } from './file-system.ts';

/** Bound on what one path may mean: a typo such as `/` is caught before it fills memory. */
const FILES_MAX = 1_000_000;
const GLOB_CHARACTERS = /[*?[{]/;

/** A file of a listing; `path` can be resolved by the same `FileSystems`. */
export interface InputFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * All input files of `location`, in no order. Throws FILE_NOT_FOUND (no such path, or nothing matches),
 * FILE_ACCESS_DENIED, FILE_UNREADABLE.
 */
export async function listInputFiles(systems: FileSystems, location: string): Promise<InputFile[]> {
  const { files, path } = systems.resolve(location);
  const prefix = location.slice(0, location.length - path.length);
  const found: InputFile[] = [];
  const visitor = new Listing(files, prefix, found);
  if (GLOB_CHARACTERS.test(path) && !(await exists(files, path))) await visitor.visitGlob(path);
  else await visitor.visit(await files.stat(path));
  return found;
}

class Listing {
  private readonly files: FileSystem;
  private readonly prefix: string;
  private readonly found: InputFile[];

  constructor(files: FileSystem, prefix: string, found: InputFile[]) {
    this.files = files;
    this.prefix = prefix;
    this.found = found;
  }

  async visit(status: FileStatus): Promise<void> {
    if (status.kind === 'directory') return this.visitDirectory(status.path);
    if (status.kind === 'other') throw new ClusterError('FILE_UNREADABLE', `cannot read ${status.path}: it is not a regular file`);
    if (this.found.length >= FILES_MAX) throw new ClusterError('BAD_REQUEST', `the input path means more than ${FILES_MAX} files`);
    this.found.push({ path: this.prefix + status.path, sizeBytes: status.sizeBytes });
  }

  /** Walks from the last directory before the first wildcard, and only into directories that can still match. */
  async visitGlob(glob: string): Promise<void> {
    const parts = glob.split('/');
    const wild = parts.findIndex((part) => GLOB_CHARACTERS.test(part));
    const root = parts.slice(0, wild).join('/') || (glob.startsWith('/') ? '/' : '.');
    await this.visitMatches(root, parts.slice(wild).filter((part) => part !== ''));
    if (this.found.length === 0) throw new ClusterError('FILE_NOT_FOUND', `no file matches '${this.prefix}${glob}'; check the pattern`);
  }

  private async visitDirectory(path: string): Promise<void> {
    for await (const entry of this.files.list(path)) {
      if (isInput(entry) && entry.kind !== 'other') await this.visit(entry);
    }
  }

  private async visitMatches(directory: string, parts: readonly string[]): Promise<void> {
    const [part = '', ...rest] = parts;
    if (part === '**') return this.visitAnyDepth(directory, rest);
    const pattern = patternOf(part);
    for await (const entry of this.files.list(directory)) {
      if (!pattern.test(nameOf(entry)) || !(isInput(entry) || /^[._]/.test(part))) continue;
      if (rest.length === 0) await this.visit(entry);
      else if (entry.kind === 'directory') await this.visitMatches(entry.path, rest);
    }
  }

  private async visitAnyDepth(directory: string, rest: readonly string[]): Promise<void> {
    if (rest.length === 0) return this.visitDirectory(directory);
    await this.visitMatches(directory, rest);
    for await (const entry of this.files.list(directory)) {
      if (entry.kind === 'directory' && isInput(entry)) await this.visitAnyDepth(entry.path, rest);
    }
  }
}

async function exists(files: FileSystem, path: string): Promise<boolean> {
  return files.stat(path).then(() => true, (thrown: unknown) => {
    if (thrown instanceof ClusterError && thrown.code === 'FILE_NOT_FOUND') return false;
    throw thrown;
  });
}

function nameOf(status: FileStatus): string {
  return status.path.slice(status.path.lastIndexOf('/') + 1);
}

function isInput(status: FileStatus): boolean {
  return !/^[._]/.test(nameOf(status));
}

/** `*`, `?`, `[a-z]`, `[!a]` and `{a,b}` within one name. */
function patternOf(part: string): RegExp {
  let depth = 0;
  const source = part.replace(/\[!?[^\]]+\]|[{},*?]|[.+^$()|\\[\]]/g, (token) => {
    if (token.length > 2 && token.startsWith('[')) return token.startsWith('[!') ? `[^${token.slice(2)}` : token;
    if (token === '{') return (depth++, '(?:');
    if (token === '}' && depth > 0) return (depth--, ')');
    if (token === ',' && depth > 0) return '|';
    return { '*': '.*', '?': '.' }[token] ?? (token === ',' ? ',' : `\\${token}`);
  });
  try {
    return new RegExp(`^${source}$`);
  } catch (cause) {
    throw new ClusterError('BAD_REQUEST', `'${part}' is not a file name pattern`, { cause });
  }
}
