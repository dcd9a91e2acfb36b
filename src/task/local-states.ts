/**
 * Copies of state files on this host's disk, beside what goes to the checkpoint's directory, so that an attempt that comes
 * back here reads its state without the network. The original counts: a copy that cannot be written is given up, one that
 * is missing or damaged is passed over.
 *
 *     written with the checkpoint ─► complete: what neither it nor a later one needs goes ─► the job is released: all go
 *
 * Source: Flink `TaskLocalStateStoreImpl`, FLIP-201.
 */
import { present } from '../base/assert.ts';
import type { Logger } from '../base/log.ts';
import type { TaskDeployment } from '../protocol/deployment.ts';
import type { ExecutionAttemptId, JobId } from '../protocol/ids.ts';
import type { FileSystems, FileWriter } from '../storage/file-system.ts';

export interface LocalStatesOptions {
  readonly files: FileSystems;
  readonly log: Logger;
  /** `execution.checkpointing.local-backup.dirs`: of this process alone. Subtasks are dealt out over them. */
  readonly directories: readonly string[];
}

interface Copy {
  readonly attemptId: ExecutionAttemptId;
  readonly checkpointId: number;
  /** As the original. */
  readonly name: string;
  readonly location: string;
}

/** The copies of one TaskManager. */
export class LocalStates {
  private readonly options: LocalStatesOptions;
  /** By job, then by vertex and subtask: attempts of a subtask follow each other. */
  private readonly copies = new Map<JobId, Map<string, Copy[]>>();

  constructor(options: LocalStatesOptions) {
    this.options = options;
  }

  /** Where a job's copies lie. */
  directoriesOf(jobId: JobId): readonly string[] {
    return this.options.directories.map((directory) => `${directory}/${jobId}`);
  }

  /** A copy of the file `name` of a part of a checkpoint; null when the job keeps none. */
  begin(task: TaskDeployment, checkpointId: number, name: string): LocalCopy | null {
    const directories = this.directoriesOf(task.jobId);
    if (!task.localState.backup || directories.length === 0) return null;
    const directory = present(directories[task.subtaskIndex % directories.length], 'there is a directory');
    const copy = { attemptId: task.attemptId, checkpointId, name, location: `${directory}/${name}` };
    const bySubtask = this.copies.get(task.jobId) ?? new Map<string, Copy[]>();
    this.copies.set(task.jobId, bySubtask);
    bySubtask.set(keyOf(task), [...(bySubtask.get(keyOf(task)) ?? []), copy]);
    return new LocalCopy(copy.location, this.options);
  }

  /** `needed`: names of the files that the checkpoint, or one that may follow it, consists of. */
  completed(task: TaskDeployment, checkpointId: number, needed: ReadonlySet<string>): void {
    this.drop(task, (copy) => copy.attemptId !== task.attemptId || (copy.checkpointId < checkpointId && !needed.has(copy.name)));
  }

  aborted(task: TaskDeployment, checkpointId: number): void {
    this.drop(task, (copy) => copy.attemptId === task.attemptId && copy.checkpointId === checkpointId);
  }

  /** Nothing of the job will run here any more. */
  releaseJob(jobId: JobId): void {
    if (!this.copies.delete(jobId)) return;
    for (const directory of this.directoriesOf(jobId)) this.delete(directory);
  }

  private drop(task: TaskDeployment, isUnneeded: (copy: Copy) => boolean): void {
    const bySubtask = this.copies.get(task.jobId);
    const copies = bySubtask?.get(keyOf(task)) ?? [];
    for (const copy of copies) if (isUnneeded(copy)) this.delete(copy.location);
    bySubtask?.set(keyOf(task), copies.filter((copy) => !isUnneeded(copy)));
  }

  private delete(location: string): void {
    const { files, path } = this.options.files.resolve(location);
    files.delete(path, { recursive: true }).catch((thrown: unknown) => {
      this.options.log.warn(`The local copy ${location} could not be deleted.`, thrown);
    });
  }
}

function keyOf({ vertexId, subtaskIndex }: TaskDeployment): string {
  return `${vertexId}_${subtaskIndex}`;
}

/** One file that is being copied. Its calls never fail: the copy is given up instead. */
export class LocalCopy {
  private readonly location: string;
  private readonly options: Pick<LocalStatesOptions, 'files' | 'log'>;
  private writer: FileWriter | null = null;
  private isGivenUp = false;

  constructor(location: string, options: Pick<LocalStatesOptions, 'files' | 'log'>) {
    this.location = location;
    this.options = options;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.attempt(async () => {
      const { files, path } = this.options.files.resolve(this.location);
      this.writer ??= await files.create(path);
      await this.writer.write(bytes);
    });
  }

  commit(): Promise<void> {
    return this.attempt(async () => this.writer?.commit());
  }

  /** Nothing that is under way is left. What was committed is `LocalStates`' to delete. */
  abort(): Promise<void> {
    return this.attempt(async () => this.writer?.abort());
  }

  private async attempt(act: () => Promise<void>): Promise<void> {
    if (this.isGivenUp) return;
    try {
      await act();
    } catch (thrown) {
      this.isGivenUp = true;
      this.options.log.warn(`State could not be copied to ${this.location}; it will be restored from its checkpoint.`, thrown);
      await this.writer?.abort().catch(() => undefined); // What went wrong is told.
    }
  }
}
