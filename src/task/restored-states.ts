/**
 * The state that an attempt begins with: fetched by the handles of its deployment, each file checked against
 * its SHA-256 before anything of it is used.
 */
import { createHash } from 'node:crypto';
import type { Logger } from '../base/log.ts';
import type { KeyedStateHandle, RestoredInFlight, StateHandle, TaskRestore } from '../protocol/checkpoint.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { OperatorId } from '../protocol/ids.ts';
import type { RestoredState } from '../operators/operator.ts';
import type { KeyGroupRange } from '../state/keyed-state-store.ts';
import { keyedFilePart } from '../state/snapshot-format.ts';
import type { FileSystems } from '../storage/file-system.ts';

/** Keyed state of one file: the part of it that a range of key groups needs. */
export interface RestoredKeyedFile {
  readonly handle: KeyedStateHandle;
  readonly bytes: Uint8Array;
  /** Where `bytes` begin in the file. */
  readonly offset: number;
}

/** Bytes `[start, end)` of a file. */
interface Part {
  readonly start: number;
  readonly end: number;
}

/** Where copies on this host lie. */
export interface LocalRestore {
  readonly directories: readonly string[];
  readonly log: Logger;
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The states of one deployment. */
export class RestoredStates {
  private readonly restore: TaskRestore;
  private readonly files: FileSystems;
  private readonly local: LocalRestore | null;
  private isAbandoned = false;

  /** `local` null: copies on this host are not used. */
  constructor(restore: TaskRestore, files: FileSystems, local: LocalRestore | null) {
    this.restore = restore;
    this.files = files;
    this.local = local;
  }

  get inFlight(): readonly RestoredInFlight[] {
    return this.restore.inFlight ?? [];
  }

  /** The file that holds the channel's pieces, and those of others. Throws CHECKPOINT_CORRUPT. */
  inFlightBytes({ data, edge }: RestoredInFlight): Promise<Uint8Array> {
    return this.read(data, `in-flight records of ${edge}`);
  }

  /** What `StreamOperator.restore` takes. `operatorName` is for messages. Throws CHECKPOINT_CORRUPT. */
  async operatorStates(operatorId: OperatorId, operatorName: string): Promise<readonly RestoredState[]> {
    const states: RestoredState[] = [];
    for (const { subtaskIndex, operator } of this.of(operatorId)) {
      if (operator === null) continue;
      const bytes = await this.read(operator, `operator '${operatorName}'`);
      states.push({ subtaskIndex, formerParallelism: this.restore.formerParallelism[operatorId] ?? 0, bytes });
    }
    return states;
  }

  /** Files of keyed state, one at a time: each former subtask's base first, then what builds on it. Throws CHECKPOINT_CORRUPT. */
  async *keyedFiles(operatorId: OperatorId, operatorName: string, range: KeyGroupRange): AsyncIterable<RestoredKeyedFile> {
    for (const handle of this.of(operatorId).flatMap(({ keyed }) => keyed)) {
      const part = keyedFilePart(handle.meta, range);
      yield { handle, bytes: await this.read(handle.data, `operator '${operatorName}', keyed state`, part), offset: part.start };
    }
  }

  /** Lets the other tasks of the thread, and its messages, have their turn. Throws once the task was cancelled. */
  async pause(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.isAbandoned) throw abandoned(`checkpoint ${this.restore.checkpointId}`);
  }

  /** The task was cancelled: nothing more is read, and whoever reads is told. */
  abandon(): void {
    this.isAbandoned = true;
  }

  hasKeyedState(operatorId: OperatorId): boolean {
    return this.of(operatorId).some(({ keyed }) => keyed.length > 0);
  }

  private of(operatorId: OperatorId): TaskRestore['operators'] {
    return this.restore.operators.filter((state) => state.operatorId === operatorId);
  }

  /** All of it is checked, `part` is kept. */
  private async read(handle: StateHandle, what: string, part: Part | null = null): Promise<Uint8Array> {
    const place = `${what}, checkpoint ${this.restore.checkpointId}`;
    return await this.readCopy(handle, place, part) ?? this.readAt(handle, place, part);
  }

  /** From this host's disk; null when there is no copy, or a damaged one. */
  private async readCopy(handle: StateHandle, place: string, part: Part | null): Promise<Uint8Array | null> {
    if (this.local === null || handle.kind === 'inline') return null;
    for (const directory of this.local.directories) {
      const path = `${directory}/${baseName(handle.path)}`;
      const { files, path: localPath } = this.files.resolve(path);
      if (await files.stat(localPath).then(() => false, () => true)) continue;
      try {
        return await this.readAt({ ...handle, path }, place, part);
      } catch (thrown) {
        if (!(thrown instanceof ClusterError) || thrown.code !== 'CHECKPOINT_CORRUPT') throw thrown;
        this.local.log.warn(`The local copy of ${handle.path} is not used: ${thrown.message}`);
      }
    }
    return null;
  }

  private async readAt(handle: StateHandle, place: string, part: Part | null): Promise<Uint8Array> {
    const isInline = handle.kind === 'inline';
    const file = isInline ? 'its state' : `the file ${handle.path}`;
    const chunks = isInline ? [Buffer.from(handle.base64, 'base64')] : this.chunksOf(handle.path, `${place}: ${file}`);
    const sizeBytes = isInline ? Buffer.byteLength(handle.base64, 'base64') : handle.sizeBytes;
    const { start, end } = part ?? { start: 0, end: sizeBytes };
    const kept = Buffer.allocUnsafeSlow(end - start);
    const hash = createHash('sha256');
    let position = 0;
    for await (const chunk of chunks) {
      if (this.isAbandoned) throw abandoned(place);
      hash.update(chunk);
      const [from, to] = [Math.max(start - position, 0), Math.min(end - position, chunk.length)];
      if (from < to) kept.set(chunk.subarray(from, to), position + from - start);
      position += chunk.length;
    }
    if (position !== sizeBytes) throw corrupt(`${place}: ${file} has ${position} bytes, not ${sizeBytes}`);
    const sha256 = hash.digest('hex');
    if (sha256 !== handle.sha256) throw corrupt(`${place}: ${file} has the SHA-256 ${sha256}, not ${handle.sha256}`);
    return kept;
  }

  private async *chunksOf(location: string, place: string): AsyncIterable<Uint8Array> {
    const { files, path } = this.files.resolve(location);
    try {
      yield* files.read(path);
    } catch (thrown) {
      throw corrupt(`${place} cannot be read`, thrown);
    }
  }
}

function abandoned(place: string): ClusterError {
  return new ClusterError('CHECKPOINT_FAILED', `${place}: abandoned, since the task was cancelled`);
}

function corrupt(message: string, cause?: unknown): ClusterError {
  return new ClusterError('CHECKPOINT_CORRUPT', message, { cause });
}
