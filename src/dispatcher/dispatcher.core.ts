/**
 * Dispatcher: the life of submissions, as a pure state machine. The I/O is in dispatcher.ts.
 *
 *     submit ─► checking ─► persisting ─► running ─► storing ─► cleaning ─► (archived)
 *                  │            └─ refused: the store failed
 *                  └─ refused: this id ran before
 *
 * A job is acknowledged only once its graph is durable, and runs only after that. At its end the result is
 * durable (dirty) before the graph is removed, and clean only after it: whoever finds the stores in between
 * knows what is left to do, and no job runs twice.
 */
import { present } from '../base/assert.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import type { JobId } from '../protocol/ids.ts';

export type DispatcherEvent =
  | { readonly kind: 'submitted'; readonly jobId: JobId }
  | { readonly kind: 'checked'; readonly jobId: JobId; readonly ranBefore: boolean }
  | { readonly kind: 'persisted'; readonly jobId: JobId }
  | { readonly kind: 'terminated'; readonly jobId: JobId }
  | { readonly kind: 'resultStored'; readonly jobId: JobId }
  | { readonly kind: 'graphRemoved'; readonly jobId: JobId }
  /** The store call of the job's current step failed. */
  | { readonly kind: 'storeFailed'; readonly jobId: JobId; readonly error: ErrorInfo };

export type DispatcherEffect =
  | { readonly kind: 'checkResult'; readonly jobId: JobId }
  | { readonly kind: 'persistGraph'; readonly jobId: JobId }
  | { readonly kind: 'run'; readonly jobId: JobId }
  | { readonly kind: 'acknowledge'; readonly jobId: JobId }
  | { readonly kind: 'refuse'; readonly jobId: JobId; readonly error: ErrorInfo }
  | { readonly kind: 'storeResult'; readonly jobId: JobId }
  | { readonly kind: 'removeGraph'; readonly jobId: JobId }
  | { readonly kind: 'markClean'; readonly jobId: JobId }
  /** The result may be told. It was durable first, unless the store refused it. */
  | { readonly kind: 'archive'; readonly jobId: JobId }
  | { readonly kind: 'reportStoreFailure'; readonly jobId: JobId; readonly error: ErrorInfo };

type Step = 'checking' | 'persisting' | 'running' | 'storing' | 'cleaning';

export class DispatcherCore {
  private readonly steps = new Map<JobId, Step>();

  /** Whether a job of this id is between its submission and its archive. */
  holds(jobId: JobId): boolean {
    return this.steps.has(jobId);
  }

  /** Applies one event; returns the effects to perform, in order. */
  step(event: DispatcherEvent): DispatcherEffect[] {
    const { jobId } = event;
    switch (event.kind) {
      case 'submitted':
        return this.enter(jobId, 'checking', { kind: 'checkResult', jobId });
      case 'checked':
        return event.ranBefore ? this.refuse(jobId, duplicate(jobId)) : this.enter(jobId, 'persisting', { kind: 'persistGraph', jobId });
      case 'persisted':
        return this.enter(jobId, 'running', { kind: 'run', jobId }, { kind: 'acknowledge', jobId });
      case 'terminated':
        return this.enter(jobId, 'storing', { kind: 'storeResult', jobId });
      case 'resultStored':
        return this.enter(jobId, 'cleaning', { kind: 'removeGraph', jobId });
      case 'graphRemoved':
        this.steps.delete(jobId);
        return [{ kind: 'markClean', jobId }, { kind: 'archive', jobId }];
      case 'storeFailed':
        return this.storeFailed(jobId, event.error);
    }
  }

  private enter(jobId: JobId, step: Step, ...effects: DispatcherEffect[]): DispatcherEffect[] {
    this.steps.set(jobId, step);
    return effects;
  }

  private refuse(jobId: JobId, error: ErrorInfo): DispatcherEffect[] {
    this.steps.delete(jobId);
    return [{ kind: 'refuse', jobId, error }];
  }

  /** Before the job ran its submitter is told; afterwards the job is over all the same, and the next leader repeats the clean-up. */
  private storeFailed(jobId: JobId, error: ErrorInfo): DispatcherEffect[] {
    const step = present(this.steps.get(jobId), 'a store call belongs to a job');
    if (step === 'checking' || step === 'persisting') return this.refuse(jobId, error);
    this.steps.delete(jobId);
    return [{ kind: 'reportStoreFailure', jobId, error }, { kind: 'archive', jobId }];
  }
}

function duplicate(jobId: JobId): ErrorInfo {
  const message = `Job has already been submitted and has ended: ${jobId}. Submit it again under another id.`;
  return { code: 'DUPLICATE_JOB', className: 'DuplicateJobSubmissionException', message, stack: '' };
}
