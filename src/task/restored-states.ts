/**
 * The state that an attempt begins with: fetched by the handles of its deployment, each file checked against
 * its SHA-256 before anything of it is used.
 */
import { createHash } from 'node:crypto';
import type { KeyedStateHandle, StateHandle, TaskRestore } from '../protocol/checkpoint.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { OperatorId } from '../protocol/ids.ts';
import type { RestoredState } from '../operators/operator.ts';
import type { FileSystems } from '../storage/file-system.ts';

/** Keyed state of one file. */
interface RestoredKeyedFile {
  readonly handle: KeyedStateHandle;
  readonly bytes: Uint8Array;
}

/** The states of one deployment. */
export class RestoredStates {
  private readonly restore: TaskRestore;
  private readonly files: FileSystems;

  constructor(restore: TaskRestore, files: FileSystems) {
    this.restore = restore;
    this.files = files;
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
  async *keyedFiles(operatorId: OperatorId, operatorName: string): AsyncIterable<RestoredKeyedFile> {
    for (const { keyed } of this.of(operatorId)) {
      for (const handle of keyed) yield { handle, bytes: await this.read(handle.data, `operator '${operatorName}', keyed state`) };
    }
  }

  private of(operatorId: OperatorId): TaskRestore['operators'] {
    return this.restore.operators.filter((state) => state.operatorId === operatorId);
  }

  private async read(handle: StateHandle, what: string): Promise<Uint8Array> {
    const place = `${what}, checkpoint ${this.restore.checkpointId}`;
    const isInline = handle.kind === 'inline';
    const bytes = isInline ? Buffer.from(handle.base64, 'base64') : await this.readFile(handle.path, handle.sizeBytes, place);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const file = isInline ? 'its state' : `the file ${handle.path}`;
    if (sha256 !== handle.sha256) throw corrupt(`${place}: ${file} has the SHA-256 ${sha256}, not ${handle.sha256}`);
    return bytes;
  }

  private async readFile(location: string, sizeBytes: number, place: string): Promise<Uint8Array> {
    const { files, path } = this.files.resolve(location);
    const bytes = Buffer.allocUnsafe(sizeBytes);
    let position = 0;
    try {
      for await (const chunk of files.read(path)) {
        if (position + chunk.length <= sizeBytes) bytes.set(chunk, position);
        position += chunk.length;
      }
    } catch (thrown) {
      throw corrupt(`${place}: the file ${location} cannot be read`, thrown);
    }
    if (position !== sizeBytes) throw corrupt(`${place}: the file ${location} has ${position} bytes, not ${sizeBytes}`);
    return bytes;
  }
}

function corrupt(message: string, cause?: unknown): ClusterError {
  return new ClusterError('CHECKPOINT_CORRUPT', message, { cause });
}
