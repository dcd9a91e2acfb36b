/**
 * Runs whole jobs over slots without a control plane: deploys every subtask at once, assigns the splits
 * of built-in sources, collects what the slots report.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { silentLoggers } from '../../src/base/log.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { job } from '../../src/api/job.ts';
import type { StreamExecutionEnvironment } from '../../src/api/environment.ts';
import { TaskManagerChannels } from '../../src/exchange/broker.ts';
import { consumersOf } from '../../src/graph/job-graph.ts';
import type { JobEdge, JobGraph, JobVertex } from '../../src/graph/job-graph.ts';
import { jobGraphOf } from '../../src/graph/job-graph-builder.ts';
import { sequenceSplits } from '../../src/graph/splits.ts';
import type { AccumulatorValue, ChannelDeployment, OperatorEvent, TaskDeployment, TaskLocation } from '../../src/protocol/deployment.ts';
import type { AllocationId, ExecutionAttemptId, Generation, JobId, ResourceId } from '../../src/protocol/ids.ts';
import type { JsonValue } from '../../src/protocol/json.ts';
import { InlineSlotHost } from '../../src/task/inline-slot-host.ts';
import type { CheckpointOptions, TaskCheckpointAck, TaskRestore } from '../../src/protocol/checkpoint.ts';
import type { ErrorInfo } from '../../src/protocol/errors.ts';
import type { FileSystems } from '../../src/storage/file-system.ts';
import { localFileSystems } from '../../src/storage/local-files.ts';
import type { FromSlot, SlotDeployment, SlotHandle, SlotHost } from '../../src/task/slot-protocol.ts';
import { LocalStates } from '../../src/task/local-states.ts';
import { TaskCheckpoints } from '../../src/task/task-checkpoints.ts';

export type StateMessage = Extract<FromSlot, { kind: 'state' }>;

export interface RunOptions {
  readonly slots?: number;
  readonly configuration?: Readonly<Record<string, string>>;
  readonly host?: SlotHost;
  /** State for each subtask to begin with. */
  readonly restore?: (task: TaskDeployment) => TaskRestore | null;
  readonly files?: FileSystems;
}

const GENERATION = 1 as Generation;
const NETWORK_SIZE_BYTES = 64 * 1024 * 1024;
const DEADLINE_MS = 20_000;

/** One job on its slots. */
export class RunningJob {
  readonly jobGraph: JobGraph;
  readonly states: StateMessage[] = [];
  readonly metrics: FromSlot[] = [];
  readonly collected: JsonValue[] = [];
  printed = '';
  /** Tasks that have no data left and wait for a checkpoint. */
  readonly ended: ExecutionAttemptId[] = [];
  readonly acks: { readonly task: TaskDeployment; readonly ack: TaskCheckpointAck }[] = [];
  readonly declines: { readonly attemptId: ExecutionAttemptId; readonly checkpointId: number; readonly error: ErrorInfo }[] = [];
  readonly checkpoints: TaskCheckpoints;
  readonly attempts: readonly { readonly task: TaskDeployment; readonly slotIndex: number }[];
  private readonly slots: SlotHandle[] = [];
  private readonly broker: TaskManagerChannels;
  private readonly waiting: (() => void)[] = [];

  constructor(jobGraph: JobGraph, slotCount: number, options: RunOptions = {}) {
    const restore = options.restore ?? (() => null);
    this.jobGraph = jobGraph;
    this.broker = new TaskManagerChannels({ ports: systemPorts, log: silentLoggers.logger('test'), networkSizeBytes: NETWORK_SIZE_BYTES });
    this.attempts = jobGraph.vertices.flatMap((vertex) =>
      Array.from({ length: vertex.parallelism }, (_, subtaskIndex) => ({ task: restored(taskOf(jobGraph, vertex, subtaskIndex, slotCount), restore), slotIndex: subtaskIndex % slotCount })));
    this.checkpoints = this.taskCheckpoints(options.files ?? localFileSystems(systemPorts.random));
  }

  private taskCheckpoints(files: FileSystems): TaskCheckpoints {
    const find = (attemptId: ExecutionAttemptId) => this.attempts.find(({ task }) => task.attemptId === attemptId);
    const isOver = (attemptId: ExecutionAttemptId) => this.finals.some((state) => state.attemptId === attemptId);
    return new TaskCheckpoints({
      ports: systemPorts,
      log: silentLoggers.logger('test'),
      files,
      local: new LocalStates({ files, log: silentLoggers.logger('test'), directories: [] }),
      deploymentOf: (attemptId) => (isOver(attemptId) ? null : find(attemptId)?.task ?? null),
      toSlot: (attemptId, message) => this.slots[find(attemptId)?.slotIndex ?? -1]?.post(message),
      toJobManager: {
        acknowledgeCheckpoint: (task, ack) => {
          this.acks.push({ task, ack });
          this.changed();
          return Promise.resolve();
        },
        declineCheckpoint: ({ attemptId }, checkpointId, error) => {
          this.declines.push({ attemptId, checkpointId, error });
          this.changed();
        },
      },
    });
  }

  /** Asks all sources for a checkpoint. */
  trigger(checkpointId: number, options: CheckpointOptions): void {
    for (const { task } of this.attempts) {
      if (task.inputs.length === 0) this.checkpoints.trigger(task.attemptId, checkpointId, systemPorts.clock.nowMs(), options);
    }
  }

  /** Everybody's part of a checkpoint, once it is there. */
  async acknowledged(checkpointId: number): Promise<readonly TaskCheckpointAck[]> {
    const parts = () => this.acks.filter(({ ack }) => ack.checkpointId === checkpointId);
    await this.until(() => parts().length === this.attempts.length, `checkpoint ${checkpointId}: ${JSON.stringify(this.declines)}`);
    return parts().map(({ ack }) => ack);
  }

  async start(host: SlotHost, slotCount: number): Promise<void> {
    const ready = Array.from({ length: slotCount }, (_, slotIndex) => new Promise<void>((resolve) => {
      this.slots.push(host.start(slotIndex, {
        onMessage: (message) => {
          if (message.kind === 'ready') {
            this.broker.addSlot(slotIndex, message.doorbell);
            resolve();
          } else {
            this.onMessage(slotIndex, message);
          }
        },
        onExit: (cause) => this.onExit(slotIndex, cause),
      }));
    }));
    await Promise.all(ready);
    for (const { task, slotIndex } of this.attempts) this.slots[slotIndex]?.post({ kind: 'deploy', task: this.slotDeployment(task, slotIndex) });
  }

  cancel(): void {
    for (const { task, slotIndex } of this.attempts) this.slots[slotIndex]?.post({ kind: 'cancel', attemptId: task.attemptId });
  }

  async close(): Promise<void> {
    await Promise.all(this.slots.map((slot) => slot.terminate()));
    await this.broker.close();
  }

  terminate(slotIndex: number): Promise<void> {
    return this.slots[slotIndex]?.terminate() ?? Promise.resolve();
  }

  /** Resolves when `condition` holds; it is asked again after every message. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`gave up waiting: ${what}; states: ${this.states.map((s) => `${s.attemptId}=${s.state}`).join(' ')}`);
      await Promise.race([new Promise<void>((resolve) => this.waiting.push(resolve)), new Promise((resolve) => setTimeout(resolve, 50))]);
    }
  }

  async finished(): Promise<this> {
    await this.until(() => this.finals.length === this.attempts.length, 'every task ends');
    const failed = this.finals.find(({ state }) => state === 'FAILED');
    if (failed) throw new Error(`${failed.error?.message} ${failed.error?.stack}`);
    return this;
  }

  get finals(): readonly StateMessage[] {
    return this.states.filter(({ state }) => ['FINISHED', 'CANCELED', 'FAILED'].includes(state));
  }

  /** Counters and sums over all tasks, as text. */
  get accumulators(): Record<string, string> {
    const totals: Record<string, bigint> = {};
    for (const { accumulators } of this.finals) {
      for (const [name, value] of Object.entries(accumulators)) totals[name] = BigInt.asUintN(64, (totals[name] ?? 0n) + amount(value));
    }
    return Object.fromEntries(Object.entries(totals).map(([name, total]) => [name, String(total)]));
  }

  private onMessage(slotIndex: number, message: FromSlot): void {
    if (message.kind === 'state') this.onState(message);
    if (message.kind === 'metrics') this.metrics.push(message);
    if (message.kind === 'operatorEvent') this.onOperatorEvent(slotIndex, message.event);
    if (message.kind === 'print') {
      this.printed += message.text;
      this.slots[slotIndex]?.post({ kind: 'printed', bytes: Buffer.byteLength(message.text) });
    }
    if ('checkpointId' in message) this.checkpoints.onMessage(message.attemptId, message);
    this.changed();
  }

  private changed(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  private onState(message: StateMessage): void {
    this.states.push(message);
    if (!['FINISHED', 'CANCELED', 'FAILED'].includes(message.state)) return;
    this.checkpoints.end(message.attemptId);
    this.broker.release(message.attemptId, message.error);
  }

  private onExit(slotIndex: number, error: StateMessage['error']): void {
    for (const attempt of this.attempts.filter((each) => each.slotIndex === slotIndex)) {
      this.states.push({ kind: 'state', attemptId: attempt.task.attemptId, state: 'FAILED', error, metrics: {} as never, accumulators: {} });
    }
  }

  /** As the built-in enumerators do. */
  private onOperatorEvent(slotIndex: number, { attemptId, nodeId, subtaskIndex, body }: OperatorEvent): void {
    const answer = (event: Parameters<typeof this.post>[3]) => this.post(slotIndex, attemptId, nodeId, event);
    if (body.kind === 'collected') {
      this.collected.push(...body.values);
      answer({ kind: 'collectedAck', sequence: body.sequence });
    }
    if (body.kind === 'endOfData') this.ended.push(attemptId);
    if (body.kind !== 'readerRegistered') return;
    if (this.attempts.some(({ task }) => task.attemptId === attemptId && task.restore !== null)) return answer({ kind: 'noMoreSplits' });
    const operator = this.jobGraph.vertices.flatMap(({ operators }) => operators).find((each) => each.nodeId === nodeId);
    const { parallelism } = this.jobGraph.vertices.find(({ operators }) => operators.some((each) => each.nodeId === nodeId)) as JobVertex;
    if (operator?.kind === 'source.sequence') {
      const data = operator.data as { from: number; to: number };
      const split = sequenceSplits(data.from, data.to, parallelism)[subtaskIndex];
      if (split) answer({ kind: 'addSplits', splits: [split] });
    } else if (subtaskIndex === 0) {
      answer({ kind: 'addSplits', splits: [{ id: 'elements', next: 0 }] });
    }
    answer({ kind: 'noMoreSplits' });
  }

  private post(slotIndex: number, attemptId: ExecutionAttemptId, nodeId: number, body: OperatorEvent['body']): void {
    this.slots[slotIndex]?.post({ kind: 'operatorEvent', attemptId, nodeId, body });
  }

  private slotDeployment(task: TaskDeployment, slotIndex: number): SlotDeployment {
    const own = location(slotIndex);
    return {
      deployment: task,
      jobGraph: this.jobGraph,
      program: this.jobGraph.program.kind === 'registered'
        ? { ref: this.jobGraph.program }
        : { ref: this.jobGraph.program, artifactPath: this.jobGraph.program.artifactId },
      localStateDirectories: [],
      outputs: task.outputs.map(({ channels }) => channels.map((channel) => this.broker.openOutput(channel, GENERATION, own))),
      inputs: task.inputs.map(({ channels }) => channels.map((channel) => this.broker.openInput(channel, GENERATION, own))),
    };
  }
}

/** Where slots keep what is not on the heap. */
export const DISK_STATE = {
  directory: join(tmpdir(), `drey-slots-${process.pid}`), memorySizeBytes: 1024 * 1024, backend: 'hashmap',
} as const;

/** Builds and starts a job on inline slots; it is closed when the test ends. */
export async function start(t: ExecutionContext, build: (env: StreamExecutionEnvironment) => void, options: RunOptions = {}): Promise<RunningJob> {
  const program = job({ name: 'test' }, (env) => build(env));
  const configuration = options.configuration ?? {};
  const jobGraph = jobGraphOf(program.build({ args: {}, configuration }), {
    jobId: systemPorts.random.hex(16) as JobId,
    program: { kind: 'registered', id: 'test' },
    args: {},
    configuration,
    submittedAtMs: 0,
  });
  const shared = { ports: systemPorts, loggers: silentLoggers, diskState: DISK_STATE };
  const host = options.host ?? new InlineSlotHost({ ...shared, programs: new Map([['test', program]]) });
  return startJob(t, jobGraph, host, options.slots ?? 1, options);
}

export async function startJob(
  t: ExecutionContext, jobGraph: JobGraph, host: SlotHost, slots: number, options: RunOptions = {},
): Promise<RunningJob> {
  const running = new RunningJob(jobGraph, slots, options);
  t.teardown(() => running.close());
  await running.start(host, slots);
  return running;
}

function restored(task: TaskDeployment, restore: (task: TaskDeployment) => TaskRestore | null): TaskDeployment {
  return { ...task, restore: restore(task) };
}

function amount(value: AccumulatorValue): bigint {
  return value.kind === 'histogram' ? 0n : BigInt(value.value);
}

function location(slotIndex: number): TaskLocation {
  return { resourceId: 'local' as ResourceId, host: '127.0.0.1', dataPort: 0, slotIndex };
}

function taskOf(jobGraph: JobGraph, vertex: JobVertex, subtaskIndex: number, slotCount: number): TaskDeployment {
  const attempt = (of: JobVertex, index: number) => `test_${of.id}_${index}_0` as ExecutionAttemptId;
  const find = (id: string) => jobGraph.vertices.find((each) => each.id === id) as JobVertex;
  const channel = (edge: JobEdge, producer: number, consumer: number, peer: number): ChannelDeployment => ({
    channelId: `${edge.index}:${producer}:${consumer}`,
    producer: attempt(find(edge.sourceVertex), producer),
    consumer: attempt(find(edge.targetVertex), consumer),
    peer: location(peer % slotCount),
  });
  const counts = (edge: JobEdge) => ({ producers: find(edge.sourceVertex).parallelism, consumers: find(edge.targetVertex).parallelism });
  return {
    jobId: jobGraph.jobId,
    attemptId: attempt(vertex, subtaskIndex),
    vertexId: vertex.id,
    generation: GENERATION,
    allocationId: 'slot' as AllocationId,
    subtaskIndex,
    attemptNumber: 0,
    restore: null,
    isStopped: false,
    localState: { backup: false, restore: false },
    hasFinalCheckpoint: 'execution.checkpointing.interval' in jobGraph.configuration,
    outputs: jobGraph.edges.filter((edge) => edge.sourceVertex === vertex.id).map((edge) => ({
      edgeIndex: edge.index,
      channels: consumersOf(edge.partitioning, subtaskIndex, counts(edge)).map((consumer) => channel(edge, subtaskIndex, consumer, consumer)),
    })),
    inputs: jobGraph.edges.filter((edge) => edge.targetVertex === vertex.id).map((edge) => ({
      edgeIndex: edge.index,
      channels: Array.from({ length: counts(edge).producers }, (_, producer) => producer)
        .filter((producer) => consumersOf(edge.partitioning, producer, counts(edge)).includes(subtaskIndex))
        .map((producer) => channel(edge, producer, subtaskIndex, producer)),
    })),
  };
}
