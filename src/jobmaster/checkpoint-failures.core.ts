/** Why a checkpoint did not come about, in Flink's words, and whether it counts against the tolerable failures. */
import type { ErrorCode, ErrorInfo } from '../protocol/errors.ts';

/** Bound on requests that wait. Flink: `execution.checkpointing.max-queued…`, 1000. */
export const REQUESTS_MAX = 1000;

/** How a checkpoint that had begun is aborted. */
export const ABORT_REASONS = {
  declined: { message: 'Checkpoint was declined.', counts: true },
  expired: { message: 'Checkpoint expired before completing.', counts: true },
  storeFailed: { message: 'Failure to finalize checkpoint.', counts: true },
  triggerFailed: { message: 'Trigger checkpoint failure.', counts: true },
  shutdown: { message: 'CheckpointCoordinator shutdown.', counts: false },
  subsumed: { message: 'Checkpoint has been subsumed.', counts: false },
  suspended: { message: 'Checkpoint Coordinator is suspending.', counts: false },
  taskFinished: { message: 'Checkpoint was declined (task is closing)', counts: false },
} as const satisfies Record<string, { readonly message: string; readonly counts: boolean }>;

export type AbortReason = keyof typeof ABORT_REASONS;

const REFUSALS = {
  notRunning: 'Not all required tasks are currently running.',
  stopping: 'The job is being stopped with a savepoint.',
  tooMany: 'The maximum number of queued checkpoint requests exceeded',
  tooManyFailures: 'Exceeded checkpoint tolerable failure threshold.',
} as const;

/** The fault, with what lies behind it. `message` overrides Flink's text. */
export function checkpointFault(
  reason: AbortReason | keyof typeof REFUSALS, message?: string, cause?: ErrorInfo,
): ErrorInfo {
  const text = reason in ABORT_REASONS ? ABORT_REASONS[reason as AbortReason].message : REFUSALS[reason as keyof typeof REFUSALS];
  const code: ErrorCode = 'CHECKPOINT_FAILED';
  return { code, className: 'CheckpointException', message: message ?? text, stack: '', ...(cause ? { cause } : {}) };
}
