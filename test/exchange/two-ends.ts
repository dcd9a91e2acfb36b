/** Both ends of an edge in one process, over each kind of channel, for the conformance suite. */
import { silentLoggers } from '../../src/base/log.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { TaskManagerChannels } from '../../src/exchange/broker.ts';
import type { ChannelEndpoint, InputGate, OutputStatus, RecordWriter, StreamEvent, WriterOptions } from '../../src/exchange/contract.ts';
import { allocateRing } from '../../src/exchange/ring.ts';
import { SlotChannels } from '../../src/exchange/slot-exchange.ts';
import type { RecordBatch } from '../../src/graph/functions.ts';
import type { ChannelDeployment, TaskLocation } from '../../src/protocol/deployment.ts';
import type { ExecutionAttemptId, Generation, ResourceId } from '../../src/protocol/ids.ts';
import type { TypeDescriptor } from '../../src/types/type-descriptor.ts';

const log = silentLoggers.logger('test');
export const GENERATION = 1 as Generation;

/** One edge: a writer and, for each of its channels, a gate with that channel alone. */
export interface Edge {
  readonly writer: RecordWriter;
  readonly gates: readonly InputGate[];
  readonly status: OutputStatus;
  /** Lets the main thread move buffers; resolves when something may have arrived. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export interface EdgeOptions {
  readonly channels?: number;
  readonly type?: TypeDescriptor<unknown> | null;
  readonly buffers?: number;
  readonly writer?: Partial<WriterOptions>;
}

/** How the two ends are joined. */
export type Joiner = (options?: EdgeOptions) => Promise<Edge>;

/** Channels between two tasks in one slot. */
export const joinLocal: Joiner = async (options = {}) => {
  const slot = new SlotChannels(log);
  const endpoints = channelIds(options).map((channelId): ChannelEndpoint => ({ kind: 'local', channelId, generation: GENERATION }));
  return edgeOf(slot, slot, { outputs: endpoints, inputs: endpoints, options });
};

/** Shared-memory rings between two slots; here both run on this thread. */
export const joinRings: Joiner = async (options = {}) => {
  const [source, target] = [new SlotChannels(log), new SlotChannels(log)];
  const rings = channelIds(options).map((channelId) => ({ channelId, ring: allocateRing(options.buffers ?? 4) }));
  const ends = (doorbell: SharedArrayBuffer): ChannelEndpoint[] =>
    rings.map(({ channelId, ring }) => ({ kind: 'ring', channelId, generation: GENERATION, ring, doorbell, isRemote: false }));
  return edgeOf(source, target, { outputs: ends(target.doorbell.shared), inputs: ends(source.doorbell.shared), options });
};

/** Two TaskManagers over loopback TCP; the producer's has the greater id, so the consumer's dials. */
export const joinTcp: Joiner = async (options = {}) => {
  const [source, target] = [new SlotChannels(log), new SlotChannels(log)];
  const [producer, consumer] = [await newTaskManager('tm-b', source), await newTaskManager('tm-a', target)];
  const channels = channelIds(options);
  const inputs = channels.map((channelId) => consumer.broker.openInput(deployment(channelId, producer), GENERATION, consumer.location));
  const outputs = channels.map((channelId) => producer.broker.openOutput(deployment(channelId, consumer), GENERATION, producer.location));
  const edge = edgeOf(source, target, { outputs, inputs, options });
  return {
    ...edge,
    close: async () => {
      await Promise.all([producer.broker.close(), consumer.broker.close()]);
    },
  };
};

/** One broker on loopback, with one slot. */
export interface TestTaskManager {
  readonly broker: TaskManagerChannels;
  readonly location: TaskLocation;
}

export async function newTaskManager(id: string, slot: SlotChannels, networkSizeBytes = 64 << 20): Promise<TestTaskManager> {
  const broker = new TaskManagerChannels({ ports: systemPorts, log, networkSizeBytes });
  broker.addSlot(0, slot.doorbell.shared);
  const dataPort = await broker.listen('127.0.0.1', 0);
  return { broker, location: { resourceId: id as ResourceId, host: '127.0.0.1', dataPort, slotIndex: 0 } };
}

export const PRODUCER = 'graph_source_0_0' as ExecutionAttemptId;
export const CONSUMER = 'graph_sink_0_0' as ExecutionAttemptId;

/** A channel as deployed to the end opposite of `peer`. */
export function deployment(channelId: string, peer: TestTaskManager): ChannelDeployment {
  return { channelId, producer: PRODUCER, consumer: CONSUMER, peer: peer.location };
}

function channelIds(options: EdgeOptions): string[] {
  return Array.from({ length: options.channels ?? 1 }, (_, i) => `0:0:${i}`);
}

interface Ends {
  readonly outputs: readonly ChannelEndpoint[];
  readonly inputs: readonly ChannelEndpoint[];
  readonly options: EdgeOptions;
}

/** A writer in one slot and a gate per channel in the other. */
export function edgeOf(source: SlotChannels, target: SlotChannels, { outputs, inputs, options }: Ends): Edge {
  const status = { full: false };
  const type = options.type ?? null;
  const writer = source.createWriter({
    taskName: 'source (1/1)', partitioning: { kind: 'rebalance' }, key: null, maxParallelism: 128, producerIndex: 0,
    bufferTimeoutMs: 100, seed: 7, ...options.writer, type, endpoints: outputs, status,
  });
  const gates = inputs.map((endpoint) => target.createGate({ taskName: 'sink (1/1)', inputs: [{ inputIndex: 0, type, endpoints: [endpoint] }] }));
  return { writer, gates, status, settle: () => new Promise((resolve) => setImmediate(resolve)), close: () => Promise.resolve() };
}

export function newBatch(capacity = 256): RecordBatch {
  return { values: [], timestampsMs: [], length: 0, capacity };
}

/** What a gate yielded: records as `[value, timestampMs]`, events, and the end. */
export type Seen = readonly [value: unknown, timestampMs: number] | StreamEvent;

/** Everything a gate has now. */
export function drain(gate: InputGate, batch = newBatch()): Seen[] {
  const seen: Seen[] = [];
  for (;;) {
    const result = gate.poll(batch);
    if (result === 'nothing') return seen;
    if (result === 'records') for (let i = 0; i < batch.length; i++) seen.push([batch.values[i], batch.timestampsMs[i] as number]);
    else if (result === 'event' && gate.event && gate.event.kind !== 'end') seen.push(gate.event);
    else return [...seen, { kind: 'end' }];
  }
}

/** Takes from every gate until all have ended. */
export async function drainToEnd(edge: Edge, batch = newBatch()): Promise<Seen[][]> {
  const seen = edge.gates.map((): Seen[] => []);
  const ended = new Set<number>();
  while (ended.size < edge.gates.length) {
    for (const [i, gate] of edge.gates.entries()) {
      if (ended.has(i)) continue;
      for (const item of drain(gate, batch)) {
        if ('kind' in item && item.kind === 'end') ended.add(i);
        else seen[i]?.push(item);
      }
    }
    edge.status.full = !edge.writer.refresh();
    await edge.settle();
  }
  return seen;
}

/** Settles until `condition` holds; fails the test by its timeout otherwise. */
export async function eventually(edge: Pick<Edge, 'settle'>, condition: () => boolean): Promise<void> {
  while (!condition()) await edge.settle();
}
