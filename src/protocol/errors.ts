/**
 * Operating faults: one class, one table of codes. Users and programs match on `code`, never on text.
 * A code says once whether a retry can help, and how REST shows it.
 */
import { inspect } from 'node:util';

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
  STATE_TOO_LARGE: { retriable: false, httpStatus: 500 },
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
/** Bound on a message and on a stack that cross a process: user code may put a record of any size into them. */
const TEXT_LENGTH_MAX = 16 * 1024;

/** Describes anything that was thrown, causes included (at most 8 deep). Never throws, whatever the value's getters do. */
export function errorInfo(thrown: unknown, code?: ErrorCode, depth = 0): ErrorInfo {
  if (!(thrown instanceof Error)) {
    return { code: code ?? 'USER_CODE', className: thrown === null ? 'null' : typeof thrown, message: shownValue(thrown), stack: '' };
  }
  const info = {
    code: thrown instanceof ClusterError ? thrown.code : (code ?? 'USER_CODE'),
    className: textOf(() => thrown.name || thrown.constructor.name),
    message: textOf(() => thrown.message),
    stack: textOf(() => thrown.stack ?? ''),
  };
  const cause = depth < CAUSES_MAX ? causeOf(thrown) : undefined;
  return cause === undefined ? info : { ...info, cause: errorInfo(cause, code, depth + 1) };
}

/** One line for what was thrown: `TypeError: …`, or what it is when it is no Error. Never throws. */
export function thrownText(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `it threw ${shownValue(thrown)}, which is no Error and knows no place: throw new Error(…)`;
  const { className, message } = errorInfo(thrown, undefined, CAUSES_MAX);
  return `${className}: ${message}`;
}

/** Without calling any code of the value. */
function shownValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(cut(value));
  const limits = { depth: 2, maxArrayLength: 10, maxStringLength: 1000, breakLength: Infinity, customInspect: false };
  return textOf(() => inspect(value, limits));
}

function causeOf(thrown: Error): unknown {
  try {
    return thrown.cause;
  } catch {
    return undefined;
  }
}

function textOf(read: () => unknown): string {
  try {
    return cut(String(read()));
  } catch {
    return '(its text cannot be read)';
  }
}

/** The end stays: the frames of a stack come after its message. */
function cut(text: string): string {
  if (text.length <= TEXT_LENGTH_MAX) return text;
  const half = TEXT_LENGTH_MAX / 2;
  return `${text.slice(0, half)} … (${text.length - TEXT_LENGTH_MAX} characters left out) … ${text.slice(-half)}`;
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
