/**
 * Operating faults: one class, one table of codes. Users and programs match on `code`, never on text.
 * A code says once whether a retry can help, and how REST shows it.
 */

interface ErrorKind {
  /** Whether the same call may succeed later, unchanged. */
  readonly retriable: boolean;
  /** HTTP status when the fault surfaces through REST. */
  readonly httpStatus: number;
}

/** Every operating fault that can cross a room. Keep in alphabetical order. */
export const ERROR_KINDS = {
  ARTIFACT_CORRUPT: { retriable: true, httpStatus: 500 },
  ARTIFACT_NOT_FOUND: { retriable: false, httpStatus: 404 },
  BAD_REQUEST: { retriable: false, httpStatus: 400 },
  CANCELLATION_TIMEOUT: { retriable: true, httpStatus: 408 },
  CHECKPOINT_CORRUPT: { retriable: true, httpStatus: 500 },
  CHECKPOINT_FAILED: { retriable: true, httpStatus: 500 },
  CHECKPOINT_NOT_FOUND: { retriable: false, httpStatus: 404 },
  CONFIG_INVALID: { retriable: false, httpStatus: 400 },
  CONNECTION_LOST: { retriable: true, httpStatus: 503 },
  DATA_CORRUPT: { retriable: false, httpStatus: 500 },
  DEADLINE_EXCEEDED: { retriable: true, httpStatus: 504 },
  DUPLICATE_JOB: { retriable: false, httpStatus: 409 },
  EMIT_OVERFLOW: { retriable: false, httpStatus: 500 },
  FENCED: { retriable: true, httpStatus: 503 },
  FILE_ACCESS_DENIED: { retriable: false, httpStatus: 400 },
  FILE_EXISTS: { retriable: false, httpStatus: 409 },
  FILE_NOT_FOUND: { retriable: false, httpStatus: 400 },
  FILE_UNREADABLE: { retriable: false, httpStatus: 400 },
  INSUFFICIENT_NETWORK_BUFFERS: { retriable: true, httpStatus: 500 },
  INTERNAL: { retriable: false, httpStatus: 500 },
  JOB_ALREADY_TERMINATED: { retriable: false, httpStatus: 409 },
  JOB_FAILED: { retriable: false, httpStatus: 500 },
  JOB_NOT_FOUND: { retriable: false, httpStatus: 404 },
  JOB_SUBMISSION_FAILED: { retriable: false, httpStatus: 500 },
  KEY_INVALID: { retriable: false, httpStatus: 500 },
  NO_LEADER: { retriable: true, httpStatus: 503 },
  NO_RESOURCE_AVAILABLE: { retriable: true, httpStatus: 503 },
  OVERLOADED: { retriable: true, httpStatus: 503 },
  PARTITION_LOST: { retriable: true, httpStatus: 500 },
  PLAN_INVALID: { retriable: false, httpStatus: 400 },
  PLAN_MISMATCH: { retriable: false, httpStatus: 400 },
  PORT_IN_USE: { retriable: true, httpStatus: 500 },
  PROGRAM_INVALID: { retriable: false, httpStatus: 400 },
  RECORD_TOO_LARGE: { retriable: false, httpStatus: 500 },
  SLOT_LOST: { retriable: true, httpStatus: 500 },
  STATE_INCOMPATIBLE: { retriable: false, httpStatus: 400 },
  STORAGE_FAILED: { retriable: true, httpStatus: 500 },
  STORAGE_FULL: { retriable: true, httpStatus: 507 },
  TASK_CANCELLATION_TIMEOUT: { retriable: true, httpStatus: 500 },
  TASK_MANAGER_LOST: { retriable: true, httpStatus: 500 },
  TIMESTAMP_INVALID: { retriable: false, httpStatus: 500 },
  TIMESTAMP_MISSING: { retriable: false, httpStatus: 500 },
  TYPE_MISMATCH: { retriable: false, httpStatus: 500 },
  UNSUPPORTED: { retriable: false, httpStatus: 400 },
  USER_CODE: { retriable: true, httpStatus: 500 },
} as const satisfies Record<string, ErrorKind>;

/** A stable name for a kind of operating fault. */
export type ErrorCode = keyof typeof ERROR_KINDS;

/** An operating fault. The message names the ids, what happened and, where one exists, what to do next. */
export class ClusterError extends Error {
  override readonly name: string = 'ClusterError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** Whether the same call may succeed later, unchanged. */
  get retriable(): boolean {
    return ERROR_KINDS[this.code].retriable;
  }
}

/** A fault as it crosses a process: what remains of an Error on the wire. `stack` is source-mapped where it was thrown. */
export interface ErrorInfo {
  /** `ErrorCode` for operating faults, `USER_CODE` for what user functions threw. */
  readonly code: ErrorCode;
  /** Constructor name of the thrown error, for example `TypeError`. */
  readonly className: string;
  readonly message: string;
  /** Empty when the thrower had none. */
  readonly stack: string;
  readonly cause?: ErrorInfo;
}

/** Bound on the cause chain that crosses a process; a cyclic chain is cut there. */
const CAUSES_MAX = 8;

/** Describes anything that was thrown, causes included (at most 8 deep). */
export function errorInfo(thrown: unknown, code?: ErrorCode, depth = 0): ErrorInfo {
  if (!(thrown instanceof Error)) {
    return { code: code ?? 'USER_CODE', className: typeof thrown, message: String(thrown), stack: '' };
  }
  const info = {
    code: thrown instanceof ClusterError ? thrown.code : (code ?? 'USER_CODE'),
    className: thrown.name || thrown.constructor.name,
    message: thrown.message,
    stack: thrown.stack ?? '',
  };
  const more = thrown.cause !== undefined && depth < CAUSES_MAX;
  return more ? { ...info, cause: errorInfo(thrown.cause, code, depth + 1) } : info;
}

/** The inverse of `errorInfo`, for rethrowing a remote fault; keeps the remote stack. */
export function errorFromInfo(info: ErrorInfo): ClusterError {
  const error = new ClusterError(
    info.code,
    info.message,
    info.cause ? { cause: errorFromInfo(info.cause) } : undefined,
  );
  if (info.stack !== '') error.stack = info.stack;
  return error;
}
