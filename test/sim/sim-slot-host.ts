/**
 * Slots without threads: a deployed task lives a scripted life on virtual time. Each host draws from its own
 * stream of chance, so a task's life does not depend on what other parts of the scenario draw.
 */
import type { CheckpointOptions } from '../../src/protocol/checkpoint.ts';
import type { ErrorInfo } from '../../src/protocol/errors.ts';
import type { ExecutionAttemptId } from '../../src/protocol/ids.ts';
import type { FromSlot, SlotDeployment, SlotHandle, SlotHost, SlotListener, ToSlot } from '../../src/task/slot-protocol.ts';
import type { CheckpointLedger } from './checkpoint-ledger.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { VirtualClock } from './virtual-time.ts';

/** How tasks behave; drawn once per scenario (swarm: most kinds of trouble are off in most seeds). */
export interface TaskBehaviour {
  /** A task runs at least and at most this long before it finishes by itself; null: until it is cancelled. */
  readonly lifeMs: readonly [min: number, max: number] | null;
  readonly failureChance: number;
  /** The task ignores cancellation: only termination of its slot ends it. */
  readonly deafChance: number;
  /** The slot's thread dies under the task. */
  readonly slotDeathChance: number;
  /** The task declines a checkpoint. */
  readonly declineChance: number;
}

/** A task that runs now, as checkers see it. */
export interface LiveTask {
  readonly resourceId: string;
  readonly slotIndex: number;
  readonly task: SlotDeployment;
  isRunning: boolean;
  /** A barrier reaches the task, once for each checkpoint. */
  readonly takeBarrier: (checkpointId: number, options: CheckpointOptions) => void;
}

const NO_METRICS = {
  numRecordsIn: 0, numRecordsOut: 0, numBytesIn: 0, numBytesOut: 0, busyTimeMs: 0, idleTimeMs: 0, backPressuredTimeMs: 0,
  currentInputWatermarkMs: null,
};
const STARTUP_MS_MAX = 20;

/** Hosts the slots of one simulated TaskManager. `live` holds the tasks of all TaskManagers. */
export class SimSlotHost implements SlotHost {
  private readonly clock: VirtualClock;
  private readonly random: SeededRandom;
  private readonly behaviour: TaskBehaviour;
  private readonly live: Set<LiveTask>;
  private readonly resourceId: string;
  readonly ledger: CheckpointLedger;
  private isDead = false;

  constructor(parts: {
    clock: VirtualClock; random: SeededRandom; behaviour: TaskBehaviour; live: Set<LiveTask>; ledger: CheckpointLedger; resourceId: string;
  }) {
    this.ledger = parts.ledger;
    this.clock = parts.clock;
    this.random = parts.random;
    this.behaviour = parts.behaviour;
    this.live = parts.live;
    this.resourceId = parts.resourceId;
  }

  start(slotIndex: number, listener: SlotListener): SlotHandle {
    const slot = new SimSlot(slotIndex, listener, this);
    this.soon(() => slot.send({ kind: 'ready', doorbell: new SharedArrayBuffer(8) }));
    return slot;
  }

  /** The process is killed: no slot says anything any more. */
  kill(): void {
    this.isDead = true;
    for (const task of this.live) if (task.resourceId === this.resourceId) this.live.delete(task);
  }

  soon(callback: () => void, delayMs = this.random.unit() * STARTUP_MS_MAX): void {
    this.clock.after(delayMs, () => {
      if (!this.isDead) callback();
    });
  }

  begin(task: SlotDeployment, slotIndex: number, takeBarrier: LiveTask['takeBarrier']): LiveTask {
    const live = { resourceId: this.resourceId, slotIndex, task, isRunning: false, takeBarrier };
    this.live.add(live);
    this.ledger.deployed(task);
    return live;
  }

  /** A source let the barrier go: it reaches every task that runs in the same generation, wherever it is. */
  barrier({ deployment }: SlotDeployment, checkpointId: number, options: CheckpointOptions): void {
    for (const { task, isRunning, takeBarrier } of this.live) {
      const { jobId, generation } = task.deployment;
      if (isRunning && jobId === deployment.jobId && generation === deployment.generation) takeBarrier(checkpointId, options);
    }
  }

  drawDecline(): boolean {
    return this.random.chance(this.behaviour.declineChance);
  }

  end(task: LiveTask): void {
    this.live.delete(task);
  }

  /** What becomes of a task that has begun to run. */
  drawFate(): { readonly kind: 'finish' | 'fail' | 'slotDeath' | 'endless'; readonly afterMs: number; readonly isDeaf: boolean } {
    const { behaviour, random } = this;
    const isDeaf = random.chance(behaviour.deafChance);
    const afterMs = behaviour.lifeMs ? random.int(...behaviour.lifeMs) : random.int(0, 5000);
    if (random.chance(behaviour.slotDeathChance)) return { kind: 'slotDeath', afterMs, isDeaf };
    if (random.chance(behaviour.failureChance)) return { kind: 'fail', afterMs, isDeaf };
    return { kind: behaviour.lifeMs ? 'finish' : 'endless', afterMs, isDeaf };
  }
}

interface Running {
  readonly live: LiveTask;
  readonly isDeaf: boolean;
}

class SimSlot implements SlotHandle {
  private readonly index: number;
  private readonly listener: SlotListener;
  private readonly host: SimSlotHost;
  private readonly tasks = new Map<ExecutionAttemptId, Running>();
  private isGone = false;

  constructor(index: number, listener: SlotListener, host: SimSlotHost) {
    this.index = index;
    this.listener = listener;
    this.host = host;
  }

  send(message: FromSlot): void {
    if (!this.isGone) this.listener.onMessage(message);
  }

  post(message: ToSlot): void {
    if (this.isGone) return;
    if (message.kind === 'deploy') this.deploy(message.task);
    else if (message.kind === 'cancel') this.host.soon(() => this.cancel(message.attemptId));
    else if (message.kind === 'triggerCheckpoint') this.trigger(message);
    else if (message.kind === 'checkpointComplete') this.complete(message.attemptId, message.checkpointId);
  }

  private trigger({ attemptId, checkpointId, timestampMs, options }: Extract<ToSlot, { kind: 'triggerCheckpoint' }>): void {
    const running = this.tasks.get(attemptId);
    if (!running) return;
    const { task } = running.live;
    this.host.ledger.triggered(task.deployment.jobId, checkpointId, timestampMs, options);
    this.host.barrier(task, checkpointId, options);
  }

  private complete(attemptId: ExecutionAttemptId, checkpointId: number): void {
    const running = this.tasks.get(attemptId);
    if (running) this.host.ledger.complete(running.live.task, checkpointId);
  }

  /** Declines, or writes its state and acknowledges. */
  private snapshot(task: SlotDeployment, checkpointId: number, options: CheckpointOptions): void {
    const { attemptId, vertexId } = task.deployment;
    if (this.isGone || !this.tasks.has(attemptId)) return;
    if (this.host.drawDecline()) return this.send({ kind: 'checkpointDecline', attemptId, checkpointId, error: fault('no snapshot today') });
    const operators = task.jobGraph.vertices.find(({ id }) => id === vertexId)?.operators ?? [];
    for (const [file, { operatorId }] of operators.entries()) {
      const bytes = new Uint8Array(Buffer.from(this.host.ledger.stateOf(task, operatorId, checkpointId)));
      this.send({ kind: 'checkpointBytes', attemptId, checkpointId, options, file, shared: false, bytes });
    }
    this.host.ledger.gave(attemptId, checkpointId);
    const states = operators.map(({ operatorId }, file) => ({ operatorId, operatorFile: file, keyed: null }));
    const figures = { startDelayMs: 0, alignmentMs: 0, syncMs: 0, asyncMs: 0, processedBytes: 0, persistedBytes: 0, unaligned: false };
    this.send({ kind: 'checkpointAck', attemptId, checkpointId, options, operators: states, inFlight: null, figures });
  }

  terminate(): Promise<void> {
    this.vanish();
    return Promise.resolve();
  }

  private deploy(task: SlotDeployment): void {
    const { attemptId } = task.deployment;
    const fate = this.host.drawFate();
    const barriers = new Set<number>();
    const live = this.host.begin(task, this.index, (checkpointId, options) => {
      if (barriers.has(checkpointId)) return;
      barriers.add(checkpointId);
      this.host.soon(() => this.snapshot(task, checkpointId, options));
    });
    this.tasks.set(attemptId, { live, isDeaf: fate.isDeaf });
    this.host.soon(() => this.state(attemptId, 'INITIALIZING'));
    this.host.soon(() => {
      if (!this.tasks.has(attemptId)) return;
      live.isRunning = true;
      this.state(attemptId, 'RUNNING');
      if (fate.kind === 'endless') return;
      this.host.soon(() => this.meet(attemptId, fate.kind), fate.afterMs);
    }, STARTUP_MS_MAX);
  }

  private meet(attemptId: ExecutionAttemptId, fate: string): void {
    if (this.isGone || !this.tasks.has(attemptId)) return;
    if (fate === 'finish') return this.finish(attemptId, 'FINISHED', null);
    if (fate === 'fail') return this.finish(attemptId, 'FAILED', fault('the user function threw'));
    this.vanish();
    this.listener.onExit(fault('the slot thread ran out of memory'));
  }

  private cancel(attemptId: ExecutionAttemptId): void {
    const running = this.tasks.get(attemptId);
    if (running && !running.isDeaf) this.finish(attemptId, 'CANCELED', null);
  }

  private finish(attemptId: ExecutionAttemptId, state: 'FINISHED' | 'CANCELED' | 'FAILED', error: ErrorInfo | null): void {
    const running = this.tasks.get(attemptId);
    if (!running) return;
    this.tasks.delete(attemptId);
    this.host.end(running.live);
    this.send({ kind: 'state', attemptId, state, error, metrics: NO_METRICS, accumulators: {} });
  }

  private state(attemptId: ExecutionAttemptId, state: 'INITIALIZING' | 'RUNNING'): void {
    if (this.tasks.has(attemptId)) this.send({ kind: 'state', attemptId, state, error: null, metrics: NO_METRICS, accumulators: {} });
  }

  private vanish(): void {
    this.isGone = true;
    for (const { live } of this.tasks.values()) this.host.end(live);
    this.tasks.clear();
  }
}

function fault(message: string): ErrorInfo {
  return { code: 'USER_CODE', className: 'Error', message, stack: '' };
}
