/**
 * A savepoint or retained checkpoint, opened to be read. Nothing of it is changed; `SavepointWriter.from` makes another one of it.
 */
import { systemPorts } from '../base/system-ports.ts';
import type { CheckpointMetadata, OperatorState } from '../checkpoint/checkpoint-metadata.ts';
import { CheckpointStorage } from '../checkpoint/checkpoint-storage.ts';
import { operatorIdOfUid } from '../graph/operator-ids.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { localFileSystems } from '../storage/local-files.ts';
import { OperatorReader } from './operator-reader.ts';

/** An operator by its uid, or by its id when it has none. */
export type OperatorName = string | { readonly operatorId: string };

/** How a savepoint is opened. */
export interface ReadOptions {
  /** Whether every byte is checked against its SHA-256 first. Default true. */
  readonly verify?: boolean;
}

export class SavepointReader {
  /** Where it lies, `file:/…`. */
  readonly path: string;
  /** For the writer. */
  readonly metadata: CheckpointMetadata;
  readonly files: FileSystems;

  private constructor(path: string, metadata: CheckpointMetadata, files: FileSystems) {
    this.path = path;
    this.metadata = metadata;
    this.files = files;
  }

  /** `path`: its directory or `_metadata`. Throws CHECKPOINT_NOT_FOUND, CHECKPOINT_CORRUPT naming the file, UNSUPPORTED. */
  static async read(path: string, { verify = true }: ReadOptions = {}): Promise<SavepointReader> {
    const files = localFileSystems(systemPorts.random);
    const storage = new CheckpointStorage(files, systemPorts.random);
    const { metadata, directory } = await storage.read(path);
    await storage.verify(metadata, verify);
    return new SavepointReader(directory, metadata, files);
  }

  /** Every operator that the job had, also those without state. */
  operators(): readonly OperatorReader[] {
    return this.metadata.operators.map((state) => new OperatorReader(state, this.files));
  }

  /** Throws STATE_INCOMPATIBLE, with the uids that there are, when there is no such operator. */
  operator(name: OperatorName): OperatorReader {
    return new OperatorReader(operatorNamed(this.metadata.operators, name), this.files);
  }
}

/** Throws STATE_INCOMPATIBLE. */
export function operatorNamed(operators: readonly OperatorState[], name: OperatorName): OperatorState {
  const operatorId = typeof name === 'string' ? operatorIdOfUid(name) : name.operatorId;
  const found = operators.find((state) => state.operatorId === operatorId);
  if (found !== undefined) return found;
  const what = typeof name === 'string' ? `uid '${name}'` : `id ${name.operatorId}`;
  const known = operators.map(({ uid, operatorId: id, name: text }) => (uid === null ? `${id} ('${text}', no uid)` : `'${uid}'`));
  throw new ClusterError('STATE_INCOMPATIBLE', `the savepoint has no operator with ${what}; there is ${known.join(', ') || 'none'}`);
}
