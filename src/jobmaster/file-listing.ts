/**
 * Finds the files of a file source: the path itself, everything below a directory, or what a glob matches.
 * Names that begin with `.` or `_` are hidden, as in Flink, unless the path names them.
 *
 * Globs: `*` and `?` within a name, `**` over directories, `[a-z]`, `{a,b}`.
 */
import { ClusterError } from '../protocol/errors.ts';
import type { FileSystem, FileSystems } from '../storage/file-system.ts';
import type { ListedFile } from './split-enumerators.core.ts';

/** Bound on the files of one source. */
export const FILES_MAX = 1_000_000;

/** Lists the files of `location`. Throws FILE_NOT_FOUND for a missing path and for a glob that matches nothing. */
export async function listFiles(systems: FileSystems, location: string): Promise<ListedFile[]> {
  const { files, path } = systems.resolve(location);
  const prefix = location.slice(0, location.length - path.length);
  const wildcard = path.search(/[*?[{]/);
  const found: ListedFile[] = [];
  if (wildcard < 0) await collect(files, path, { found, matches: () => true });
  else {
    const base = path.slice(0, path.lastIndexOf('/', wildcard)) || '/';
    const pattern = globPattern(path);
    await collect(files, base, { found, matches: (candidate) => pattern.test(candidate) });
    if (found.length === 0) throw new ClusterError('FILE_NOT_FOUND', `no file matches '${location}'`);
  }
  return found.map((file) => ({ ...file, path: prefix + file.path }));
}

interface Collection {
  readonly found: ListedFile[];
  readonly matches: (path: string) => boolean;
}

async function collect(files: FileSystem, path: string, collection: Collection): Promise<void> {
  const status = await files.stat(path);
  if (status.kind === 'file') {
    if (collection.matches(status.path)) add(collection, status.path, status.sizeBytes);
    return;
  }
  if (status.kind === 'other') throw new ClusterError('FILE_UNREADABLE', `${path} is neither a file nor a directory`);
  for await (const entry of files.list(path)) {
    if (/^[._]/.test(entry.path.slice(entry.path.lastIndexOf('/') + 1))) continue;
    if (entry.kind === 'directory') await collect(files, entry.path, collection);
    else if (entry.kind === 'file' && collection.matches(entry.path)) add(collection, entry.path, entry.sizeBytes);
  }
}

function add({ found }: Collection, path: string, sizeBytes: number): void {
  if (found.length >= FILES_MAX) throw new ClusterError('UNSUPPORTED', `a file source reads at most ${FILES_MAX} files; narrow its path`);
  found.push({ path, sizeBytes });
}

/** The glob as a regular expression over whole paths. */
export function globPattern(glob: string): RegExp {
  const tokens = glob.match(/\*\*\/?|[*?]|\[[^\]]*\]|[{},]|[^*?[\]{},]+|[[\]]/g) ?? [];
  let depth = 0;
  const text = tokens.map((token) => {
    if (token === '**/') return '(?:.*/)?';
    if (token === '**') return '.*';
    if (token === '*') return '[^/]*';
    if (token === '?') return '[^/]';
    if (token === '{') return depth++, '(?:';
    if (token === '}' && depth > 0) return depth--, ')';
    if (token === ',' && depth > 0) return '|';
    if (token.startsWith('[') && token.length > 2) return token.replace(/^\[!/, '[^').replaceAll('\\', '\\\\');
    return token.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${text.join('')}${')'.repeat(depth)}$`);
}
