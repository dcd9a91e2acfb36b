/**
 * The coordinator of a `collect` sink: takes batches from its subtasks, keeps a bounded number of values for
 * the client that polls, and acknowledges a batch only when there is room for more. That is the back-pressure.
 */
import type { Ports } from '../base/ports.ts';
import type { OperatorEvent } from '../protocol/deployment.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { JsonValue } from '../protocol/json.ts';
import type { CollectingCoordinator, CoordinatorContext } from './operator-coordinator.ts';

/** Values kept for the client; subtasks wait for their acknowledgements beyond. */
const VALUES_MAX = 10_000;
/** Values in one answer to the client. */
const ANSWER_VALUES_MAX = 5_000;

interface PendingAck {
  readonly subtaskIndex: number;
  readonly sequence: number;
}

/** See `CollectingCoordinator`. */
export class CollectCoordinator implements CollectingCoordinator {
  readonly collectId: string;
  private readonly ports: Ports;
  private readonly context: CoordinatorContext;
  /** Values from index `first` on, oldest first. */
  private values: JsonValue[] = [];
  private first = 0;
  private readonly unacknowledged: PendingAck[] = [];
  private readonly waiting = new Set<() => void>();
  private hasEnded = false;

  constructor(collectId: string, ports: Ports, context: CoordinatorContext) {
    this.collectId = collectId;
    this.ports = ports;
    this.context = context;
  }

  start(): void {
    // Subtasks begin by themselves.
  }

  onOperatorEvent({ subtaskIndex, body }: OperatorEvent): void {
    if (body.kind !== 'collected') return;
    this.values.push(...body.values);
    this.unacknowledged.push({ subtaskIndex, sequence: body.sequence });
    this.acknowledge();
    this.wake();
  }

  onSubtaskFailed(subtaskIndex: number): void {
    const others = this.unacknowledged.filter((ack) => ack.subtaskIndex !== subtaskIndex);
    this.unacknowledged.splice(0, this.unacknowledged.length, ...others);
  }

  subtasksRestarted(): void {
    this.unacknowledged.length = 0; // Their successors count from 0 again.
  }

  async poll(
    from: number, waitMs: number,
  ): Promise<{ readonly from: number; readonly values: readonly JsonValue[]; readonly ended: boolean }> {
    this.forgetBefore(from);
    if (this.values.length === 0 && !this.hasEnded && waitMs > 0) await this.change(waitMs);
    const values = this.values.slice(from - this.first, from - this.first + ANSWER_VALUES_MAX);
    return { from, values, ended: this.hasEnded && from + values.length === this.first + this.values.length };
  }

  jobEnded(): void {
    this.hasEnded = true;
    this.wake();
  }

  close(): void {
    this.jobEnded();
  }

  /** The client has what came before `from`. */
  private forgetBefore(from: number): void {
    const count = Math.min(Math.max(0, from - this.first), this.values.length);
    this.values = this.values.slice(count);
    this.first += count;
    if (from !== this.first) {
      throw new ClusterError(
        'BAD_REQUEST',
        `collect '${this.collectId}': index ${from} is not here: values ${this.first} to ${this.first + this.values.length} are`,
      );
    }
    this.acknowledge();
  }

  private acknowledge(): void {
    while (this.values.length < VALUES_MAX) {
      const ack = this.unacknowledged.shift();
      if (!ack) return;
      this.context.sendToSubtask(ack.subtaskIndex, { kind: 'collectedAck', sequence: ack.sequence });
    }
  }

  private change(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        this.waiting.delete(done);
        resolve();
      };
      const timer = this.ports.clock.after(waitMs, done);
      this.waiting.add(done);
    });
  }

  private wake(): void {
    for (const done of [...this.waiting]) done();
  }
}
