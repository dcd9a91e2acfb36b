/**
 * Reads, writes and verifies checkpoints in file systems. What has been written is read back before anybody is told:
 * a checkpoint that cannot be read is worse than none.
 */
import { createHash } from 'node:crypto';
import type { Random } from '../base/ports.ts';
import type { StateHandle } from '../protocol/checkpoint.ts';
import { ClusterError, errorInfo, type ErrorCode } from '../protocol/errors.ts';
import type { JobId } from '../protocol/ids.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { METADATA_NAME, normalLocation, savepointDirectory, type CheckpointLayout } from './checkpoint-layout.ts';
import { filesOf, placedHandles, type CheckpointMetadata, type PlacedHandle } from './checkpoint-metadata.ts';
import { decodeMetadata, encodeMetadata, sha256Of } from './metadata-file.ts';

/** A checkpoint that was found. */
export interface FoundCheckpoint {
  readonly metadata: CheckpointMetadata;
  readonly directory: string;
  readonly metadataSizeBytes: number;
}

const METADATA_SIZE_BYTES_MAX = 1024 * 1024 * 1024;
/** Faults that say something of the file; others (storage out of reach) may pass. */
const DAMAGE: readonly ErrorCode[] = ['CHECKPOINT_CORRUPT', 'FILE_NOT_FOUND', 'FILE_UNREADABLE'];
const SAVEPOINT_NAMES_MAX = 10;
/** Deletions at once. */
const DELETIONS_MAX = 16;

export class CheckpointStorage {
  private readonly files: FileSystems;
  private readonly random: Random;

  constructor(files: FileSystems, random: Random) {
    this.files = files;
    this.random = random;
  }

  async makeDirectories(layout: CheckpointLayout): Promise<void> {
    for (const directory of [layout.shared, layout.taskOwned]) await this.makeDirectory(directory);
  }

  async makeDirectory(directory: string): Promise<void> {
    const { files, path } = this.files.resolve(directory);
    await files.makeDirectories(path);
  }

  /** Makes a directory for a savepoint and answers it. Throws FILE_EXISTS when no free name was found. */
  async makeSavepointDirectory(target: string, jobId: JobId): Promise<string> {
    for (let attempt = 0; attempt < SAVEPOINT_NAMES_MAX; attempt++) {
      const directory = savepointDirectory(target, jobId, this.random.hex(6));
      if (await this.exists(directory)) continue;
      await this.makeDirectory(directory);
      return directory;
    }
    throw new ClusterError('FILE_EXISTS', `no free name for a savepoint was found in ${target}`);
  }

  /** Writes `_metadata` and reads it back. Answers its size. */
  async write(directory: string, metadata: CheckpointMetadata): Promise<number> {
    const bytes = encodeMetadata(metadata, directory);
    const { files, path } = this.files.resolve(`${directory}/${METADATA_NAME}`);
    const writer = await files.create(path);
    try {
      await writer.write(bytes);
      await writer.commit();
    } catch (thrown) {
      await writer.abort();
      throw thrown;
    }
    const stored = await this.readAll(`${directory}/${METADATA_NAME}`);
    if (sha256Of(stored) !== sha256Of(bytes)) {
      throw new ClusterError('CHECKPOINT_CORRUPT', `${directory}/${METADATA_NAME} is not what was written to it`);
    }
    return bytes.length;
  }

  /** `pointer`: the directory or its `_metadata`. Throws CHECKPOINT_NOT_FOUND, CHECKPOINT_CORRUPT, UNSUPPORTED. */
  async read(pointer: string): Promise<FoundCheckpoint> {
    const location = normalLocation(pointer);
    const directory = location.endsWith(`/${METADATA_NAME}`) ? location.slice(0, -METADATA_NAME.length - 1) : location;
    const path = `${directory}/${METADATA_NAME}`;
    const bytes = await this.readAll(path).catch((thrown: unknown) => {
      const isMissing = errorInfo(thrown).code === 'FILE_NOT_FOUND';
      if (!isMissing) throw thrown;
      const message = `Cannot find checkpoint or savepoint file/directory '${pointer}': there is no ${path}`;
      throw new ClusterError('CHECKPOINT_NOT_FOUND', message, { cause: thrown });
    });
    return { metadata: decodeMetadata(bytes, path, directory), directory, metadataSizeBytes: bytes.length };
  }

  /** Every state file must be there with its size; with `contents`, each byte is read. Throws CHECKPOINT_CORRUPT naming the first fault. */
  async verify(metadata: CheckpointMetadata, contents: boolean): Promise<void> {
    const seen = new Set<string>();
    for (const placed of placedHandles(metadata)) {
      const name = placed.handle.kind === 'file' ? placed.handle.path : '';
      if (name !== '' && seen.has(name)) continue;
      seen.add(name);
      await this.verifyHandle(placed, contents);
    }
  }

  /** Deletes files and directories; what is gone already is fine. Answers what could not be deleted. */
  async delete(paths: readonly string[]): Promise<string[]> {
    const failed: string[] = [];
    for (let first = 0; first < paths.length; first += DELETIONS_MAX) {
      await Promise.all(paths.slice(first, first + DELETIONS_MAX).map(async (location) => {
        const { files, path } = this.files.resolve(location);
        await files.delete(path, { recursive: true }).catch((thrown: unknown) => failed.push(`${location}: ${errorInfo(thrown).message}`));
      }));
    }
    return failed;
  }

  /** Deletes a savepoint: its metadata first, so that half a deletion is not taken for a savepoint. */
  async dispose(pointer: string): Promise<void> {
    const { metadata, directory } = await this.read(pointer);
    const inside = `${directory}/`;
    const failed = [
      ...(await this.delete([`${directory}/${METADATA_NAME}`])),
      ...(await this.delete([...filesOf(placedHandles(metadata).map(({ handle }) => handle)).filter((path) => path.startsWith(inside))])),
      ...(await this.delete([directory])),
    ];
    if (failed.length > 0) throw new ClusterError('STORAGE_FAILED', `the savepoint ${pointer} is not wholly deleted: ${failed.join('; ')}`);
  }

  private async verifyHandle({ state, subtaskIndex, handle }: PlacedHandle, contents: boolean): Promise<void> {
    try {
      if (handle.kind === 'inline') checkInline(handle);
      else await this.verifyFile(handle, contents);
    } catch (thrown) {
      const { code, message } = errorInfo(thrown, 'INTERNAL');
      const where = `the state of operator '${state.name}' (${state.operatorId}), subtask ${subtaskIndex}`;
      throw new ClusterError(DAMAGE.includes(code) ? 'CHECKPOINT_CORRUPT' : code, `${where} cannot be used: ${message}`, { cause: thrown });
    }
  }

  private async verifyFile({ path: location, sizeBytes, sha256 }: StateHandle & { kind: 'file' }, contents: boolean): Promise<void> {
    const { files, path } = this.files.resolve(location);
    const status = await files.stat(path);
    if (status.sizeBytes !== sizeBytes) throw damaged(`${location} has ${status.sizeBytes} bytes, ${sizeBytes} were written`);
    if (!contents) return;
    const hash = createHash('sha256');
    for await (const chunk of files.read(path)) hash.update(chunk);
    if (hash.digest('hex') !== sha256) throw damaged(`the SHA-256 of ${location} is not the one that was written`);
  }

  private async readAll(location: string): Promise<Uint8Array> {
    const { files, path } = this.files.resolve(location);
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const chunk of files.read(path)) {
      sizeBytes += chunk.length;
      if (sizeBytes > METADATA_SIZE_BYTES_MAX) throw damaged(`${location} is larger than ${METADATA_SIZE_BYTES_MAX} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  private async exists(location: string): Promise<boolean> {
    const { files, path } = this.files.resolve(location);
    return files.stat(path).then(() => true, (thrown: unknown) => {
      if (errorInfo(thrown).code === 'FILE_NOT_FOUND') return false;
      throw thrown;
    });
  }
}

function checkInline({ base64, sha256 }: StateHandle & { kind: 'inline' }): void {
  if (sha256Of(Buffer.from(base64, 'base64')) !== sha256) throw damaged('the SHA-256 of the inline bytes is not the one that was written');
}

function damaged(message: string): ClusterError {
  return new ClusterError('CHECKPOINT_CORRUPT', message);
}
