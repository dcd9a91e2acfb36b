/**
 * Drives one vertex as a task would, but with the adversary's choices: where batches split, when an
 * output refuses, generated or interpreted.
 */
import type { Clock } from '../../src/base/ports.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { HeapTimerService } from '../../src/state/timer-service.ts';
import type { OutputStatus, RecordWriter, StreamEvent } from '../../src/exchange/contract.ts';
import type { RecordBatch, RuntimeContext, SinkWriter } from '../../src/graph/functions.ts';
import { NO_TIMESTAMP } from '../../src/graph/functions.ts';
import type { OperatorSpec } from '../../src/graph/operator-spec.ts';
import type { StreamEdge, StreamNode } from '../../src/graph/stream-graph.ts';
import { createOperator } from '../../src/operators/create-operator.ts';
import type { OperatorNodeSpec, OperatorSurroundings } from '../../src/operators/create-operator.ts';
import type { StreamOperator } from '../../src/operators/operator.ts';
import { heapBackend } from '../../src/state/heap-backend.ts';
import type { KeyedStateStore } from '../../src/state/keyed-state-store.ts';
import { buildChain, refresh } from '../../src/task/chain.ts';
import type { BatchFunction, ChainPlan, Segment, SharingRules } from '../../src/task/chain.ts';
import { generateSegment } from '../../src/task/chain-generator.ts';
import { interpretSegment } from '../../src/task/chain-interpreter.ts';
import { EventPass } from '../../src/task/event-pass.ts';
import { dutyAccess } from '../../src/task/segment-duties.ts';

/** A record, or an event, that left the chain. */
export type Emitted = { readonly value: unknown; readonly timestampMs: number } | { readonly event: StreamEvent };

/** Keeps what it is given; with `refusesEvery` k it is full after every k-th record, and every other `refresh` fails. */
export class CollectingWriter implements RecordWriter {
  readonly emitted: Emitted[] = [];
  recordsOut = 0;
  readonly bytesOut = 0;
  /** Records that came while `status.full`: overdraft. */
  overdraft = 0;
  private readonly status: OutputStatus;
  /** 0: never. */
  private readonly refusesEvery: number;
  private refusals = 0;

  constructor(status: OutputStatus, refusesEvery: number) {
    this.status = status;
    this.refusesEvery = refusesEvery;
  }

  emit(value: unknown, timestampMs: number): void {
    if (this.status.full) this.overdraft++;
    this.emitted.push({ value, timestampMs });
    this.recordsOut++;
    if (this.refusesEvery > 0 && this.recordsOut % this.refusesEvery === 0) this.status.full = true;
  }

  broadcast(event: StreamEvent): void {
    this.emitted.push({ event });
  }

  showsBarrier(): boolean {
    return true;
  }

  overtake(): void {
    // Nothing is in flight.
  }

  flush(): void {}

  refresh(): boolean {
    return this.refusesEvery === 0 || this.refusals++ % 2 === 1;
  }

  isDrained(): boolean {
    return true;
  }

  close(): void {}
}

export interface DriverOptions {
  readonly mode: 'generated' | 'interpreted';
  readonly refuses?: boolean;
  /** Instead of `refuses`: every how many records. */
  readonly refusesEvery?: number;
  readonly sharing?: Partial<SharingRules>;
  /** Instead of the main output and `sideOutputs` of the last operator. */
  readonly outputs?: ChainPlan['outputs'];
  /** What differs from the driver's plain surroundings, by operator. */
  readonly around?: (node: StreamNode) => Partial<OperatorSurroundings>;
  /** Side outputs of the last operator that are read, each by a writer of its own. */
  readonly sideOutputs?: readonly string[];
  readonly sinkWriter?: SinkWriter<unknown>;
  readonly runtime?: Partial<RuntimeContext>;
  /** Instead of the system's. */
  readonly clock?: Clock;
}

let serial = 0;

/** A chain of operators, the first at the head, the last with one writer and one per side output. */
export class OperatorDriver {
  readonly segments: readonly Segment[];
  readonly writers: CollectingWriter[] = [];
  readonly store = heapBackend.open({ keyGroups: { first: 0, last: 127, maxParallelism: 128 }, keyType: null, freezeValues: false });
  readonly interrupt = new Int32Array(1);
  private readonly batches: readonly (readonly [BatchFunction, BatchFunction])[];
  private readonly stores = new Map<StreamOperator, KeyedStateStore>();
  private readonly posted: (() => void)[] = [];
  private readonly options: DriverOptions;

  constructor(nodes: readonly StreamNode[], edges: readonly StreamEdge[], options: DriverOptions) {
    this.options = options;
    const last = nodes.at(-1)?.id ?? 0;
    const isSink = nodes.at(-1)?.spec.kind.startsWith('sink.') === true;
    const ownOutputs = isSink ? [] : [null, ...(options.sideOutputs ?? [])].map((sideOutput) => ({ sourceNodeId: last, sideOutput }));
    const outputs = options.outputs ?? ownOutputs;
    const sharing = { objectReuse: true, freeze: null, copierOf: () => structuredClone, ...options.sharing };
    this.segments = buildChain({ nodes, edges, outputs, sharing }, {
      operator: (node) => {
        const around: OperatorSurroundings = {
          store: node.keys.some((key) => key !== null) ? this.store : null,
          inputType: null,
          copyInput: structuredClone,
          autoWatermarkIntervalMs: 0,
          openSinkCommitter: () => () => null,
          openSinkWriter: () => () => options.sinkWriter as SinkWriter<unknown>,
          ...options.around?.(node),
        };
        const operator = createOperator(node, node.spec as OperatorNodeSpec, around);
        this.stores.set(operator, around.store ?? this.store);
        return operator;
      },
      writer: (index, status) => {
        const writer = new CollectingWriter(status, options.refusesEvery ?? (options.refuses === true ? 1 : 0));
        this.writers[index] = writer;
        return writer;
      },
    });
    this.batches = this.segments.map((segment) =>
      options.mode === 'generated' ? generateSegment(segment, this.interrupt, `test-${serial++}`).batches : interpretSegment(segment, this.interrupt).batches);
  }

  async open(): Promise<void> {
    for (const segment of this.segments) {
      for (const { operator } of segment.nodes.toReversed()) {
        await operator.open({
          runtime: { counter: () => ({ inc: () => undefined }), ...this.options.runtime } as unknown as RuntimeContext,
          status: segment.status,
          post: (action) => void this.posted.push(action),
          ...dutyAccess(segment, operator, () => undefined),
          clock: this.options.clock ?? systemPorts.clock,
          hasFinalCheckpoint: false,
          timers: this.timersOf(segment, operator),
        });
      }
    }
  }

  private timersOf(segment: Segment, operator: StreamOperator): HeapTimerService {
    const timers = new HeapTimerService(this.stores.get(operator) ?? this.store, null);
    timers.attach({ clock: systemPorts.clock, ...dutyAccess(segment, operator, () => undefined) });
    return timers;
  }

  /** Runs records through the head in batches of `batchSize`. */
  async run(values: readonly unknown[], input: { readonly batchSize: number; readonly inputIndex?: 0 | 1; readonly timestampsMs?: readonly number[] }): Promise<void> {
    const timestampsMs = input.timestampsMs ?? values.map(() => NO_TIMESTAMP);
    for (let from = 0; from < values.length; from += input.batchSize) {
      const to = Math.min(from + input.batchSize, values.length);
      await this.runBatch(0, input.inputIndex ?? 0, { values: values.slice(from, to), timestampsMs: timestampsMs.slice(from, to) });
    }
  }

  /** Passes an event once there is room. */
  async event(event: StreamEvent, segmentIndex = 0): Promise<void> {
    await this.room(segmentIndex);
    const pass = new EventPass(this.segments[segmentIndex] as Segment);
    pass.begin(event);
    while (!pass.advance(1)) await this.room(segmentIndex);
    await this.perform(segmentIndex);
  }

  /** Waits until nothing is under way. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 2; quiet++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (await this.pump()) quiet = -1;
      for (const i of this.segments.keys()) await this.room(i);
      if (this.segments.some((segment) => segment.nodes.some(({ operator }) => operator.isIdle?.() === false))) quiet = -1;
    }
  }

  /** Does what operators have scheduled. */
  async work(): Promise<void> {
    for (const i of this.segments.keys()) await this.perform(i);
  }

  /** Lets promises and what they post run, without waiting for anything that is under way. */
  async turn(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      await this.pump();
    }
  }

  async close(): Promise<void> {
    for (const segment of this.segments) for (const { operator } of segment.nodes) await operator.close();
  }

  /** Values of the main output. */
  values(writer = 0): unknown[] {
    return (this.writers[writer]?.emitted ?? []).map((each) => ('event' in each ? each.event.kind : each.value));
  }

  private async runBatch(segmentIndex: number, inputIndex: 0 | 1, batch: { values: readonly unknown[]; timestampsMs: readonly number[] }): Promise<void> {
    for (let from = 0; from < batch.values.length; ) {
      await this.room(segmentIndex);
      const run = (this.batches[segmentIndex] as readonly [BatchFunction, BatchFunction])[inputIndex];
      from = run(batch.values, batch.timestampsMs, from, batch.values.length);
      await this.perform(segmentIndex);
    }
  }

  /** What operators want done between two records. */
  private async perform(segmentIndex: number): Promise<void> {
    const { duties } = this.segments[segmentIndex] as Segment;
    for (let duty = duties.first; duty !== null; duty = duties.first) {
      await this.room(segmentIndex);
      if (duty.kind === 'work') {
        if (duty.work() !== 'more') duties.done(duty);
        continue;
      }
      duties.done(duty);
      const pass = new EventPass(this.segments[segmentIndex] as Segment);
      pass.beginAfter(duty.nodeIndex, duty.event);
      while (!pass.advance(1)) await this.room(segmentIndex);
    }
  }

  private async room(segmentIndex: number): Promise<void> {
    while (!refresh(this.segments[segmentIndex] as Segment)) {
      await new Promise((resolve) => setImmediate(resolve));
      await this.pump(segmentIndex + 1);
    }
  }

  private runPosted(): boolean {
    const actions = this.posted.splice(0);
    for (const action of actions) action();
    return actions.length > 0;
  }

  /** Runs posted actions and feeds the segments behind asynchronous operators. True when there was something. */
  private async pump(first = 1): Promise<boolean> {
    let progress = this.runPosted();
    for (const [i, segment] of this.segments.entries()) {
      if (segment.input === null || i < first) continue;
      const batch: RecordBatch = { values: [], timestampsMs: [], length: 0, capacity: 2 };
      for (let found = segment.input.poll(batch); found !== 'nothing'; found = segment.input.poll(batch)) {
        progress = true;
        if (found === 'records') await this.runBatch(i, 0, { values: batch.values.slice(0, batch.length), timestampsMs: batch.timestampsMs });
        else if (segment.input.event !== null) await this.event(segment.input.event, i);
      }
    }
    return progress;
  }
}

/** A node with the fields that operators read. */
export function node(id: number, spec: OperatorSpec, more: Partial<StreamNode> = {}): StreamNode {
  return { id, name: spec.kind, spec, keys: [], outputType: null, sideOutputs: {}, ...more } as unknown as StreamNode;
}

/** A forward edge. */
export function edge(source: number, target: number, sideOutput: string | null = null): StreamEdge {
  return { source, target, inputIndex: 0, partitioning: { kind: 'forward' }, sideOutput };
}
