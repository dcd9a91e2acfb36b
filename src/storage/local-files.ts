/**
 * The local file system behind the seam of file-system.ts.
 *
 * A file is written beside its target under a hidden name, flushed, measured, and then linked to its name:
 * a hard link fails when the name is taken, where a rename would replace.
 */
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { link, lstat, mkdir, open, opendir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { assert } from '../base/assert.ts';
import type { Random } from '../base/ports.ts';
import { ClusterError } from '../protocol/errors.ts';
import { FileSystems } from './file-system.ts';
import type { ByteRange, FileStatus, FileSystem, FileWriter } from './file-system.ts';
import { READ_SIZE_BYTES, type ReadBuffers } from './read-buffers.ts';
import { attempt, storageFault } from './storage-fault.ts';

/** Directory entries fetched at once. */
const LIST_PAGE_COUNT = 256;

/** The file systems of a process that has local files alone. */
export function localFileSystems(random: Random): FileSystems {
  const files = new LocalFiles(random);
  return new FileSystems(new Map([['file', () => files]]));
}

/** Files of this host. Relative paths count from the working directory. */
export class LocalFiles implements FileSystem {
  private readonly random: Random;

  /** `random` names unfinished files. */
  constructor(random: Random) {
    this.random = random;
  }

  async stat(path: string): Promise<FileStatus> {
    const found = await attempt('read', path, () => stat(path));
    const kind = found.isFile() ? 'file' : found.isDirectory() ? 'directory' : 'other';
    return { path, kind, sizeBytes: kind === 'file' ? found.size : 0, modifiedMs: found.mtimeMs };
  }

  async *list(path: string): AsyncIterable<FileStatus> {
    const directory = await attempt('list', path, () => opendir(path, { bufferSize: LIST_PAGE_COUNT }));
    for await (const entry of directory) {
      const status = await this.stat(join(path, entry.name)).catch(vanished);
      if (status !== null) yield status;
    }
  }

  async *read(path: string, range?: ByteRange, buffers?: ReadBuffers): AsyncIterable<Uint8Array> {
    assert(range === undefined || (range.startBytes >= 0 && range.startBytes <= range.endBytes), 'a range runs forwards');
    const handle = await openRegularFile(path);
    try {
      const endBytes = range?.endBytes ?? Number.POSITIVE_INFINITY;
      let position = range?.startBytes ?? 0;
      while (position < endBytes) {
        const sizeBytes = Math.min(READ_SIZE_BYTES, endBytes - position);
        const chunk = await readChunk({ handle, path, position }, buffers?.take().subarray(0, sizeBytes) ?? new Uint8Array(sizeBytes));
        if (chunk.length === 0) return;
        position += chunk.length;
        yield chunk;
      }
    } finally {
      await handle.close();
    }
  }

  async create(path: string, { replace = false } = {}): Promise<FileWriter> {
    await this.makeDirectories(dirname(resolve(path)));
    if (!replace && (await exists(path))) throw storageFault('create', path, 'EEXIST');
    const partial = join(dirname(path), `.${basename(path)}.${this.random.hex(8)}.inprogress`);
    const handle = await attempt('create', path, () => open(partial, 'wx'));
    return new LocalFileWriter({ handle, partial, path, replace });
  }

  async rename(source: string, target: string): Promise<void> {
    await attempt('rename', source, () => lstat(source));
    await this.makeDirectories(dirname(resolve(target)));
    if (await exists(target)) throw storageFault('rename', target, 'EEXIST');
    await attempt('rename', source, () => rename(source, target));
    const directories = new Set([dirname(resolve(target)), dirname(resolve(source))]); // In this order: better twice than not at all.
    for (const directory of directories) await syncDirectory(directory);
  }

  async delete(path: string, { recursive = false } = {}): Promise<boolean> {
    const found = await lstat(path).catch(absent('delete', path));
    if (found === null) return false;
    await attempt('delete', path, () => {
      if (!found.isDirectory()) return unlink(path);
      return recursive ? rm(path, { recursive: true }) : rmdir(path);
    });
    return true;
  }

  async makeDirectories(path: string): Promise<void> {
    await attempt('create', path, () => mkdir(path, { recursive: true }));
  }
}

interface UnfinishedFile {
  readonly handle: FileHandle;
  /** Where the bytes are until `commit`. */
  readonly partial: string;
  readonly path: string;
  readonly replace: boolean;
}

class LocalFileWriter implements FileWriter {
  sizeBytes = 0;
  private readonly file: UnfinishedFile;
  private finished = false;

  constructor(file: UnfinishedFile) {
    this.file = file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    assert(!this.finished, 'a file is written before it is committed');
    const { handle, path } = this.file;
    let offset = 0;
    while (offset < bytes.length) {
      const { bytesWritten } = await attempt('write', path, () => handle.write(bytes, offset, bytes.length - offset));
      offset += bytesWritten;
    }
    this.sizeBytes += bytes.length;
  }

  async commit(): Promise<void> {
    assert(!this.finished, 'a file is committed once');
    try {
      await this.flush();
      await this.publish();
    } catch (failure) {
      await this.abort();
      throw failure;
    }
    this.finished = true;
  }

  async abort(): Promise<void> {
    if (this.finished) return;
    this.finished = true;
    await this.file.handle.close();
    await rm(this.file.partial, { force: true });
  }

  private async flush(): Promise<void> {
    const { handle, path } = this.file;
    await attempt('write', path, () => handle.sync());
    const { size } = await attempt('write', path, () => handle.stat());
    if (size !== this.sizeBytes) {
      throw new ClusterError('STORAGE_FAILED', `${path}: ${this.sizeBytes} bytes were written, the disk holds ${size}`);
    }
    await handle.close();
  }

  private async publish(): Promise<void> {
    const { partial, path, replace } = this.file;
    if (replace) await attempt('create', path, () => rename(partial, path));
    else {
      await attempt('create', path, () => link(partial, path));
      await attempt('delete', partial, () => unlink(partial));
    }
    await syncDirectory(dirname(resolve(path)));
  }
}

/** A name is durable once its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await attempt('write', path, () => open(path, 'r'));
  try {
    await attempt('write', path, () => handle.sync());
  } finally {
    await handle.close();
  }
}

/** Refuses directories, pipes and devices; does not wait for a pipe's other end. */
async function openRegularFile(path: string): Promise<FileHandle> {
  const handle = await attempt('read', path, () => open(path, constants.O_RDONLY | constants.O_NONBLOCK));
  const found = await handle.stat();
  if (found.isFile()) return handle;
  await handle.close();
  throw storageFault('read', path, found.isDirectory() ? 'EISDIR' : 'ENXIO');
}

/** Where to read. */
interface Place {
  readonly handle: FileHandle;
  readonly path: string;
  readonly position: number;
}

async function readChunk({ handle, path, position }: Place, buffer: Uint8Array): Promise<Uint8Array> {
  const { bytesRead } = await attempt('read', path, () => handle.read(buffer, 0, buffer.length, position));
  return bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead);
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(absent('read', path))) !== null;
}

/** A file that went away between listing and asking is not listed. */
function vanished(thrown: unknown): null {
  if (thrown instanceof ClusterError && thrown.code === 'FILE_NOT_FOUND') return null;
  throw thrown;
}

function absent(action: 'read' | 'delete', path: string): (thrown: unknown) => null {
  return (thrown) => {
    const fault = storageFault(action, path, thrown);
    if (fault.code === 'FILE_NOT_FOUND') return null;
    throw fault;
  };
}
