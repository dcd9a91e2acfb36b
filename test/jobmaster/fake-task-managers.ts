/** TaskManagers as a checkpoint coordinator sees them: they take triggers, write a file per task, and acknowledge when told to. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { sha256Of } from '../../src/checkpoint/metadata-file.ts';
import { keyGroupRangeOf } from '../../src/graph/key-groups.ts';
import type { Execution } from '../../src/jobmaster/execution-graph.core.ts';
import type { CheckpointOptions, OperatorSubtaskState, StateHandle, TaskCheckpointAck } from '../../src/protocol/checkpoint.ts';
import type { ExecutionAttemptId, ResourceId } from '../../src/protocol/ids.ts';
import type { TaskManagerSession } from '../../src/slots/task-manager-session.ts';

export interface Trigger {
  readonly attemptId: ExecutionAttemptId;
  readonly checkpointId: number;
  readonly options: CheckpointOptions;
}

export class FakeTaskManagers {
  readonly triggers: Trigger[] = [];
  /** `complete 3`, `aborted 4 after 3`. */
  readonly notices: string[] = [];
  /** What a call throws; null: it is answered. */
  fault: Error | null = null;
  private readonly waiting = new Set<() => void>();

  readonly call = (
    _resourceId: ResourceId, act: (session: TaskManagerSession) => Promise<void>, onFault?: (thrown: unknown) => void,
  ): void => {
    void act(this.session()).catch((thrown: unknown) => onFault?.(thrown));
    for (const check of this.waiting) check();
  };

  /** Resolves once `holds`; looked at after each call. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!holds()) return;
        this.waiting.delete(check);
        resolve();
      };
      this.waiting.add(check);
      check();
    });
  }

  /** The options of a checkpoint, once its triggers are out. */
  async triggered(checkpointId: number): Promise<CheckpointOptions> {
    await this.until(() => this.triggers.some((trigger) => trigger.checkpointId === checkpointId));
    const trigger = this.triggers.find((each) => each.checkpointId === checkpointId);
    if (!trigger) throw new Error('the wait was for a trigger');
    return trigger.options;
  }

  private session(): TaskManagerSession {
    const answer = async (act: () => void): Promise<void> => {
      if (this.fault) throw this.fault;
      act();
    };
    return {
      triggerCheckpoint: (task: { attemptId: ExecutionAttemptId }, checkpoint: { checkpointId: number; options: CheckpointOptions }) =>
        answer(() => this.triggers.push({ attemptId: task.attemptId, ...checkpoint })),
      notifyCheckpointComplete: (_job: string, _generation: number, id: number) => answer(() => this.notices.push(`complete ${id}`)),
      notifyCheckpointAborted: (_job: string, _generation: number, ids: { checkpointId: number; latestCompletedId: number }) =>
        answer(() => this.notices.push(`aborted ${ids.checkpointId} after ${ids.latestCompletedId}`)),
    } as unknown as TaskManagerSession;
  }
}

/** What a task acknowledges: a shared file of keyed state, and operator state in a file of this checkpoint. `text` is all of its state. */
export function acknowledgement(execution: Execution, checkpointId: number, options: CheckpointOptions, text: string): TaskCheckpointAck {
  const { vertex, subtaskIndex, attemptNumber } = execution;
  const contents = Buffer.from(text);
  const write = (directory: string | null, shared: boolean): StateHandle => {
    if (directory === null) return { kind: 'inline', base64: contents.toString('base64'), sha256: sha256Of(contents) };
    const path = `${directory}/${vertex.id.slice(-4)}-${subtaskIndex}-${attemptNumber}-${checkpointId}`;
    mkdirSync(dirname(path.replace(/^file:/, '')), { recursive: true });
    writeFileSync(path.replace(/^file:/, ''), contents);
    return { kind: 'file', path, sizeBytes: contents.length, sha256: sha256Of(contents), shared };
  };
  const { first, last } = keyGroupRangeOf(subtaskIndex, vertex.maxParallelism, vertex.parallelism);
  const shared = options.sharedDirectory ?? options.directory;
  const operators = vertex.operators.map(({ operatorId }): OperatorSubtaskState => ({
    operatorId, subtaskIndex, keyed: [{ firstKeyGroup: first, lastKeyGroup: last, meta: {}, data: write(shared, options.sharedDirectory !== null) }],
    operator: write(options.directory, false),
  }));
  const metrics = {
    startDelayMs: 0, alignmentMs: 0, syncMs: 1, asyncMs: 2, stateSizeBytes: 10, checkpointedSizeBytes: 5, processedBytes: 0,
    persistedBytes: 0, unaligned: false,
  };
  return { checkpointId, operators, metrics };
}
