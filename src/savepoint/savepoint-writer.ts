/**
 * Makes a savepoint: of another one, or of nothing. Says what becomes of each operator first, and writes all of it at once.
 *
 *     const savepoint = await SavepointReader.read(path);
 *     await SavepointWriter.from(savepoint)
 *       .transformKeyedState('counts', counts, ({ state: { count } }) => count.set((count.get() ?? 0) * 2))
 *       .changeUid('old', 'new')
 *       .removeOperator('gone')
 *       .write('savepoints/doubled');
 *
 * The result is a canonical savepoint and stands for itself: what is not touched is copied, and increments become whole files.
 */
import { systemPorts } from '../base/system-ports.ts';
import { METADATA_NAME, normalLocation } from '../checkpoint/checkpoint-layout.ts';
import type { CheckpointMetadata, OperatorState } from '../checkpoint/checkpoint-metadata.ts';
import { CheckpointStorage } from '../checkpoint/checkpoint-storage.ts';
import type { StateSpecs } from '../graph/functions.ts';
import { operatorIdOfUid } from '../graph/operator-ids.ts';
import { checkParallelism } from '../graph/stream-graph-builder.ts';
import { ClusterError, errorInfo } from '../protocol/errors.ts';
import type { JobId } from '../protocol/ids.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { localFileSystems } from '../storage/local-files.ts';
import type { KeyedDeclaration, KeyedRow } from './keyed-groups.ts';
import { copyOperator, newKeyedState, newOperatorState, transformedKeyedState } from './operator-changes.ts';
import type { NewKeyedState, OperatorChange, OperatorStateContents, WriteOptions } from './operator-changes.ts';
import { operatorNamed, type OperatorName, type SavepointReader } from './savepoint-reader.ts';

const MAX_PARALLELISM = 128;
const NO_JOB = '0'.repeat(32) as JobId;

/** An operator of the new savepoint, and what is done to its state, in order. */
interface Draft {
  readonly state: OperatorState;
  readonly changes: readonly OperatorChange[];
}

/** See the file's head. Each method changes the writer and answers it. */
export class SavepointWriter {
  private readonly origin: CheckpointMetadata | null;
  private readonly maxParallelism: number;
  private drafts: readonly Draft[];

  private constructor(origin: CheckpointMetadata | null, maxParallelism: number) {
    this.origin = origin;
    this.maxParallelism = maxParallelism;
    this.drafts = (origin?.operators ?? []).map((state) => ({ state, changes: [] }));
  }

  /** Begins with everything that a savepoint has. */
  static from(savepoint: SavepointReader): SavepointWriter {
    return new SavepointWriter(savepoint.metadata, savepoint.metadata.operators[0]?.maxParallelism ?? MAX_PARALLELISM);
  }

  /** Begins with nothing. `maxParallelism`: that of the job which will start from it, default 128. */
  static create({ maxParallelism = MAX_PARALLELISM }: { readonly maxParallelism?: number } = {}): SavepointWriter {
    checkParallelism('the max parallelism of a savepoint', maxParallelism);
    return new SavepointWriter(null, maxParallelism);
  }

  /** The operator and its state will not be there. Throws STATE_INCOMPATIBLE when it is not. */
  removeOperator(name: OperatorName): this {
    const { operatorId } = this.named(name);
    this.drafts = this.drafts.filter(({ state }) => state.operatorId !== operatorId);
    return this;
  }

  /** The state of an operator goes to the one that has the uid `to`. */
  changeUid(from: OperatorName, to: string): this {
    const { operatorId: former } = this.named(from);
    const operatorId = operatorIdOfUid(to);
    this.refuseExisting(to);
    this.drafts = this.drafts.map((draft) => {
      if (draft.state.operatorId !== former) return draft;
      const subtasks = draft.state.subtasks.map((subtask) => ({ ...subtask, operatorId }));
      return { ...draft, state: { ...draft.state, operatorId, uid: to, subtasks } };
    });
    return this;
  }

  /**
   * Calls `change` for each key of an operator, which may change its declared states and timers, or answer `'remove'` to forget the
   * key with all that belongs to it. States that are not declared, windows and operator state stay as they are.
   */
  transformKeyedState<K, S extends StateSpecs>(
    name: OperatorName, declared: KeyedDeclaration<K, S>, change: (row: KeyedRow<K, S>) => void | 'remove',
  ): this {
    return this.change(this.named(name), transformedKeyedState(declared, change));
  }

  /** Makes keyed state from records, for an operator that the savepoint does not have. Records may be more than fit into memory. */
  withKeyedState<T, K, S extends StateSpecs>(uid: string, contents: NewKeyedState<T, K, S>): this {
    this.refuseExisting(uid);
    return this.change(this.added(uid, contents.parallelism ?? 1), newKeyedState(contents));
  }

  /** Sets the operator state of an operator, in the place of all it had; the operator may be new. */
  withOperatorState(uid: string, contents: OperatorStateContents): this {
    const known = this.drafts.find(({ state }) => state.operatorId === operatorIdOfUid(uid))?.state;
    return this.change(known ?? this.added(uid, 1), newOperatorState(contents));
  }

  /**
   * Writes the savepoint into the directory `path`; answers where it is, for `flink run -s`. Throws FILE_EXISTS when there is one,
   * and what a change throws; then nothing is left.
   */
  async write(path: string): Promise<string> {
    const directory = normalLocation(path);
    const files = localFileSystems(systemPorts.random);
    const storage = new CheckpointStorage(files, systemPorts.random);
    const isTaken = await exists(files, `${directory}/${METADATA_NAME}`);
    if (isTaken) throw new ClusterError('FILE_EXISTS', `there is a savepoint in ${directory} already`);
    await storage.makeDirectory(directory);
    const written: OperatorState[] = [];
    const options: WriteOptions = { files, directory };
    try {
      for (const { state, changes } of this.drafts) {
        let next = await copyOperator(state, options, changes.some(({ replacesKeyed }) => replacesKeyed));
        for (const change of changes) next = await change.apply(next, state, options);
        written.push(next);
      }
      await storage.write(directory, this.metadata(written));
    } catch (thrown) {
      await storage.delete([directory]);
      throw thrown;
    }
    return directory;
  }

  private metadata(operators: readonly OperatorState[]): CheckpointMetadata {
    const { jobId, checkpointId } = this.origin ?? { jobId: NO_JOB, checkpointId: 1 };
    return { jobId, checkpointId, kind: 'savepoint', format: 'CANONICAL', timestampMs: systemPorts.clock.nowMs(), operators };
  }

  private named(name: OperatorName): OperatorState {
    return operatorNamed(this.drafts.map(({ state }) => state), name);
  }

  private change(operator: OperatorState, change: OperatorChange): this {
    this.drafts = this.drafts.map((draft) => {
      if (draft.state.operatorId !== operator.operatorId) return draft;
      const isTwice = change.replacesKeyed && draft.changes.some(({ replacesKeyed }) => replacesKeyed);
      const place = `the keyed state of operator '${operator.name}'`;
      if (isTwice) throw new ClusterError('BAD_REQUEST', `${place} is changed twice: write in between`);
      return { ...draft, changes: [...draft.changes, change] };
    });
    return this;
  }

  private added(uid: string, parallelism: number): OperatorState {
    checkParallelism(`the parallelism of operator '${uid}'`, parallelism);
    const state: OperatorState = {
      operatorId: operatorIdOfUid(uid), name: uid, uid, parallelism: Math.min(parallelism, this.maxParallelism),
      maxParallelism: this.maxParallelism, finished: 'none', coordinator: null, subtasks: [],
    };
    this.drafts = [...this.drafts, { state, changes: [] }];
    return state;
  }

  private refuseExisting(uid: string): void {
    if (!this.drafts.some(({ state }) => state.operatorId === operatorIdOfUid(uid))) return;
    throw new ClusterError('BAD_REQUEST', `the savepoint has an operator with uid '${uid}' already: remove it first, or transform it`);
  }
}

async function exists(files: FileSystems, location: string): Promise<boolean> {
  const { files: system, path } = files.resolve(location);
  return system.stat(path).then(() => true, (thrown: unknown) => {
    if (errorInfo(thrown).code === 'FILE_NOT_FOUND') return false;
    throw thrown;
  });
}
