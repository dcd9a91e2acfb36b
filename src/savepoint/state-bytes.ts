/** Bytes of state between handles, files and memory. */
import { createHash } from 'node:crypto';
import type { StateHandle } from '../protocol/checkpoint.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { ByteRange, FileSystems, FileWriter } from '../storage/file-system.ts';

/** Up to this size state lies in `_metadata`. Flink: `execution.checkpointing.data-inline-threshold`. */
const INLINE_SIZE_BYTES_MAX = 20 * 1024;

/** What a handle refers to, or a part of it. Throws CHECKPOINT_CORRUPT when the file is too short. */
export async function readBytes(files: FileSystems, handle: StateHandle, range?: ByteRange): Promise<Uint8Array> {
  if (handle.kind === 'inline') return Buffer.from(handle.base64, 'base64').subarray(range?.startBytes ?? 0, range?.endBytes);
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(files, handle.path, range)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const wanted = range === undefined ? handle.sizeBytes : range.endBytes - range.startBytes;
  if (bytes.length !== wanted) throw corrupt(`${handle.path} is too short: ${bytes.length} bytes where ${wanted} were written`);
  return bytes;
}

function chunksOf(files: FileSystems, location: string, range?: ByteRange): AsyncIterable<Uint8Array> {
  const { files: system, path } = files.resolve(location);
  return system.read(path, range);
}

/** One file of a savepoint that is being written. */
export class StateFileWriter {
  sizeBytes = 0;
  private readonly location: string;
  private readonly writer: FileWriter;
  private readonly hash = createHash('sha256');

  private constructor(location: string, writer: FileWriter) {
    this.location = location;
    this.writer = writer;
  }

  static async create(files: FileSystems, location: string): Promise<StateFileWriter> {
    const { files: system, path } = files.resolve(location);
    return new StateFileWriter(location, await system.create(path));
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.hash.update(bytes);
    this.sizeBytes += bytes.length;
    await this.writer.write(bytes);
  }

  async commit(): Promise<StateHandle> {
    await this.writer.commit();
    return { kind: 'file', path: this.location, sizeBytes: this.sizeBytes, sha256: this.hash.digest('hex'), shared: false };
  }

  async abort(): Promise<void> {
    await this.writer.abort();
  }
}

/** Stores bytes below `location`, or inline when they are few. */
export async function writeBytes(files: FileSystems, location: string, bytes: Uint8Array): Promise<StateHandle> {
  if (bytes.length <= INLINE_SIZE_BYTES_MAX) return inline(bytes);
  return writing(await StateFileWriter.create(files, location), (writer) => writer.write(bytes));
}

/** The same bytes below another location. Throws CHECKPOINT_CORRUPT when they are not what was written. */
export async function copyHandle(files: FileSystems, handle: StateHandle, location: string): Promise<StateHandle> {
  if (handle.kind === 'inline') return handle;
  const copy = await writing(await StateFileWriter.create(files, location), async (writer) => {
    for await (const chunk of chunksOf(files, handle.path)) await writer.write(chunk);
  });
  if (copy.sha256 !== handle.sha256) throw corrupt(`the SHA-256 of ${handle.path} is not the one that was written`);
  return copy;
}

/** Commits what `write` writes, and leaves nothing when it throws. */
export async function writing(writer: StateFileWriter, write: (writer: StateFileWriter) => Promise<void>): Promise<StateHandle> {
  try {
    await write(writer);
    return await writer.commit();
  } catch (thrown) {
    await writer.abort();
    throw thrown;
  }
}

function corrupt(message: string): ClusterError {
  return new ClusterError('CHECKPOINT_CORRUPT', message);
}

function inline(bytes: Uint8Array): StateHandle {
  return { kind: 'inline', base64: Buffer.from(bytes).toString('base64'), sha256: createHash('sha256').update(bytes).digest('hex') };
}
