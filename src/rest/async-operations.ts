/**
 * Operations that outlast a request: a trigger answers with an id at once, and clients poll by it. A client that chooses
 * the id itself may trigger again without harm. Results are kept for a while, then forgotten.
 */
import type { Clock } from '../base/ports.ts';
import { ClusterError, errorInfo } from '../protocol/errors.ts';
import type { JsonObject } from '../protocol/json.ts';
import { notFound, stackTrace } from './answers.ts';

/** `rest.async.store-duration` of Flink. */
const KEPT_MS = 300_000;
/** Operations that are remembered; the oldest that is over goes first. */
const OPERATIONS_MAX = 10_000;

interface Operation {
  /** Null while it runs. */
  result: JsonObject | null;
  endedMs: number;
}

/** Where a failure stands in the answer: savepoints and checkpoints spell it differently. */
export type FailureField = 'failure-cause' | 'failureCause';

export class AsyncOperations {
  private readonly clock: Clock;
  private readonly failureField: FailureField;
  private readonly operations = new Map<string, Operation>();

  constructor(clock: Clock, failureField: FailureField) {
    this.clock = clock;
    this.failureField = failureField;
  }

  /** Starts `act`, unless an operation of this key runs or is known. */
  start(key: string, act: () => Promise<JsonObject>): void {
    this.forget();
    if (this.operations.has(key)) return;
    if (this.operations.size >= OPERATIONS_MAX) throw new ClusterError('OVERLOADED', `${OPERATIONS_MAX} operations are in progress`);
    const operation: Operation = { result: null, endedMs: Number.POSITIVE_INFINITY };
    this.operations.set(key, operation);
    void act().catch((thrown: unknown): JsonObject => ({ [this.failureField]: causeOf(thrown) })).then((result) => {
      operation.result = result;
      operation.endedMs = this.clock.monotonicMs();
    });
  }

  /** Flink's status wrapper. Throws 404 for a key that is not known. */
  status(key: string, triggerId: string): JsonObject {
    this.forget();
    const operation = this.operations.get(key);
    if (!operation) throw notFound(`Operation not found under key: ${triggerId}`);
    if (operation.result === null) return { status: { id: 'IN_PROGRESS' }, operation: null };
    return { status: { id: 'COMPLETED' }, operation: operation.result };
  }

  private forget(): void {
    const nowMs = this.clock.monotonicMs();
    for (const [key, { endedMs }] of this.operations) {
      const isExcess = this.operations.size >= OPERATIONS_MAX && endedMs <= nowMs;
      if (nowMs - endedMs > KEPT_MS || isExcess) this.operations.delete(key);
    }
  }
}

function causeOf(thrown: unknown): JsonObject {
  const error = errorInfo(thrown, 'INTERNAL');
  return { class: error.className, 'stack-trace': stackTrace(error), 'serialized-throwable': '' };
}
