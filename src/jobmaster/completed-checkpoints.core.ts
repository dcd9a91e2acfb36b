/**
 * The completed checkpoints that a job keeps, and which files may go. Shared files are counted by reference:
 * a file goes when no kept checkpoint refers to it, and no checkpoint that began before that can either.
 *
 * A task may build its increment on the checkpoint before the newest, when it has not heard of that yet. So a file
 * without reference goes only when a checkpoint has completed that began later, and those that were running then are
 * over. What an aborted checkpoint wrote goes at once: tasks build on completed checkpoints alone.
 *
 * Invariants (test/jobmaster/completed-checkpoints.test.ts): a file of a kept checkpoint is never given up; a file that
 * belongs to others (a savepoint, a checkpoint restored without claim) never is; after the end none is left over.
 */
import { filesOf, handlesOf, placedHandles, type CheckpointMetadata } from '../checkpoint/checkpoint-metadata.ts';
import type { OperatorSubtaskState } from '../protocol/checkpoint.ts';

/** A checkpoint that can be restored. */
export interface CompletedCheckpoint {
  readonly metadata: CheckpointMetadata;
  /** Null: it lives in this process only. */
  readonly directory: string | null;
  /** Whether the job may delete it. False for savepoints and for what it was restored from without claim. */
  readonly isOwned: boolean;
}

interface Unreferenced {
  /** The newest checkpoint that had begun when the last reference went. */
  readonly begun: number;
  /** A later one has completed; this was the newest that had begun by then. */
  waitsFor: number | null;
}

export class CompletedCheckpointsCore {
  private readonly retainedMax: number;
  /** Oldest first. */
  private kept: CompletedCheckpoint[] = [];
  private readonly unreferenced = new Map<string, Unreferenced>();
  private readonly running = new Set<number>();
  private readonly foreign = new Set<string>();
  private newestBegun = 0;

  constructor(retainedMax: number) {
    this.retainedMax = retainedMax;
  }

  /** The newest one; null: none. */
  get latest(): CompletedCheckpoint | null {
    return this.kept.at(-1) ?? null;
  }

  /** Oldest first. */
  get all(): readonly CompletedCheckpoint[] {
    return this.kept;
  }

  /** A checkpoint begins. */
  begun(checkpointId: number): void {
    this.newestBegun = Math.max(this.newestBegun, checkpointId);
    this.running.add(checkpointId);
  }

  /** Keeps a checkpoint; answers the files and directories that may go now. */
  add(checkpoint: CompletedCheckpoint): string[] {
    const { checkpointId } = checkpoint.metadata;
    const files = filesIn(checkpoint);
    if (!checkpoint.isOwned) for (const file of files) this.foreign.add(file);
    for (const file of files) this.unreferenced.delete(file);
    this.newestBegun = Math.max(this.newestBegun, checkpointId);
    this.running.delete(checkpointId);
    for (const each of this.unreferenced.values()) if (each.begun < checkpointId) each.waitsFor ??= this.newestBegun;
    this.kept.push(checkpoint);
    const subsumed = this.kept.splice(0, Math.max(0, this.kept.length - this.retainedMax));
    return [...this.takeDue(), ...this.release(subsumed)];
  }

  /** A checkpoint is over and was not added: a savepoint, or one that was aborted. Answers what may go now. */
  ended(checkpointId: number): string[] {
    this.running.delete(checkpointId);
    return this.takeDue();
  }

  private takeDue(): string[] {
    const oldestRunning = Math.min(...this.running);
    const due = [...this.unreferenced].filter(([, { waitsFor }]) => waitsFor !== null && waitsFor < oldestRunning).map(([file]) => file);
    for (const file of due) this.unreferenced.delete(file);
    return due;
  }

  /** What a checkpoint that came to nothing had written: the files of these acknowledgements that nothing else refers to. */
  abandon(acknowledged: readonly (readonly OperatorSubtaskState[])[]): string[] {
    const referenced = this.referenced();
    const files = new Set(acknowledged.flatMap((operators) => filesOf(handlesOf(operators))));
    return [...files].filter((file) => !referenced.has(file) && !this.foreign.has(file) && !this.unreferenced.has(file));
  }

  /** The newest one cannot be read: forgets it, and leaves its files for whoever wants to know why. */
  dropLatest(): CompletedCheckpoint | null {
    const dropped = this.kept.pop() ?? null;
    if (dropped) for (const file of filesIn(dropped)) this.foreign.add(file);
    return dropped;
  }

  /** The job is over. Answers what may go: everything, or with `retain` what no kept checkpoint refers to. */
  close(retain: boolean): string[] {
    const subsumed = retain ? [] : this.kept.splice(0);
    const directories = this.release(subsumed);
    const files = [...this.unreferenced.keys()];
    this.unreferenced.clear();
    return [...directories, ...files];
  }

  /** Directories to delete now; shared files are noted as without reference. */
  private release(checkpoints: readonly CompletedCheckpoint[]): string[] {
    const referenced = this.referenced();
    const directories: string[] = [];
    for (const checkpoint of checkpoints.filter(({ isOwned }) => isOwned)) {
      const { directory } = checkpoint;
      if (directory === null) continue;
      directories.push(directory);
      const outside = filesIn(checkpoint).filter((file) => !file.startsWith(`${directory}/`));
      for (const file of outside) if (!referenced.has(file) && !this.foreign.has(file)) {
        this.unreferenced.set(file, { begun: this.newestBegun, waitsFor: null });
      }
    }
    return directories;
  }

  private referenced(): Set<string> {
    return new Set(this.kept.flatMap(filesIn));
  }
}

function filesIn({ metadata }: CompletedCheckpoint): string[] {
  return filesOf(placedHandles(metadata).map(({ handle }) => handle));
}
