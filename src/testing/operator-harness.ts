/**
 * The operator harness: one operator, or a chain of them, without a cluster. Records go in one by one and
 * results come out at once; a function that throws throws to the caller.
 *
 *     const harness = await OperatorHarness.open((words: DataStream<Word>) =>
 *       words.keyBy((each) => each.word).process(new CountWords()));
 *     harness.processElement({ word: 'a' }, 1000);
 *     t.deepEqual(harness.extractOutput(), [{ word: 'a', count: 1 }]);
 *     await harness.close();
 *
 * Records are frozen between operators unless `freezeRecords` is false, so that a function that changes a
 * record it was given fails in the test and not in production.
 */
import { silentLoggers } from '../base/log.ts';
import { systemPorts } from '../base/system-ports.ts';
import { present } from '../base/assert.ts';
import type { DataStream, SingleOutputStream } from '../api/data-stream.ts';
import { job } from '../api/job.ts';
import type { RecordWriter, StreamEvent } from '../exchange/contract.ts';
import { keyGroupRangeOf } from '../graph/key-groups.ts';
import { MAX_WATERMARK, NO_TIMESTAMP } from '../graph/functions.ts';
import type { OutputTag, RecordBatch, RuntimeContext } from '../graph/functions.ts';
import type { SourceSpec } from '../graph/operator-spec.ts';
import { checkParallelism } from '../graph/stream-graph-builder.ts';
import type { StreamEdge, StreamGraph, StreamNode } from '../graph/stream-graph.ts';
import { AsyncMapOperator } from '../operators/async-map.ts';
import { createOperator } from '../operators/create-operator.ts';
import { blaming } from '../operators/failure.ts';
import type { StreamOperator } from '../operators/operator.ts';
import type { AccumulatorValue } from '../protocol/deployment.ts';
import { ClusterError } from '../protocol/errors.ts';
import { heapBackend } from '../state/heap-backend.ts';
import type { KeyedStateStore } from '../state/keyed-state-store.ts';
import { HeapTimerService, type TimeDomain } from '../state/timer-service.ts';
import { TaskAccumulators } from '../task/accumulators.ts';
import { buildChain, isSource } from '../task/chain.ts';
import type { Segment } from '../task/chain.ts';
import { generateSegment } from '../task/chain-generator.ts';
import { interpretSegment } from '../task/chain-interpreter.ts';
import { copierOfInput, sharingRules } from '../task/record-sharing.ts';
import { dutyAccess } from '../task/segment-duties.ts';
import { SegmentRunner } from '../task/segment-runner.ts';
import type { InputResult, RunnerInput } from '../task/segment-runner.ts';
import { checkClaimed, restoreOperator, snapshotOf } from './harness-snapshot.ts';
import type { HarnessOperator, HarnessSnapshot, HarnessSubtask } from './harness-snapshot.ts';
import { ManualClock, timerClockOf } from './manual-clock.ts';

/** How a harness runs its operators. */
export interface OperatorHarnessOptions {
  /** Side outputs of the last operator that the test reads. */
  readonly sideOutputs?: readonly OutputTag<unknown>[];
  /** Default true. */
  readonly freezeRecords?: boolean;
  /** Default `'on'`: as in production. `'off'` interprets the operators. */
  readonly codegen?: 'on' | 'off';
  /** Of how many subtasks this one is one. Default 1. */
  readonly parallelism?: number;
  /** Which of them, from 0. Default 0. */
  readonly subtaskIndex?: number;
  /** Number of key groups. Default 128. */
  readonly maxParallelism?: number;
  /** What the operators begin with: snapshots of every subtask there was, in their order. Their parallelism may have been another. */
  readonly restore?: readonly HarnessSnapshot[];
  /** Where the clock begins, ms since the epoch. Default 0. */
  readonly processingTimeMs?: number;
}

/** A result with its event time; `NO_TIMESTAMP` without one. */
export interface OutputRecord<T> {
  readonly value: T;
  readonly timestampMs: number;
}

const MAX_PARALLELISM = 128;
/** As by default in a cluster; of the harness's clock. */
const AUTO_WATERMARK_INTERVAL_MS = 200;
let harnesses = 0;

/** Feeds one or two inputs of an operator and keeps what comes out. */
export class OperatorHarness<A, R, B = never> {
  private readonly chain: HarnessChain;

  private constructor(chain: HarnessChain) {
    this.chain = chain;
  }

  /** Builds the operators that `build` applies to its input, and opens them. */
  static async open<A, R>(
    build: (input: DataStream<A>) => SingleOutputStream<R>,
    options: OperatorHarnessOptions = {},
  ): Promise<OperatorHarness<A, R>> {
    const chain = new HarnessChain(graphOf(1, ([input]) => build(input as DataStream<A>), options), options);
    await chain.open();
    return new OperatorHarness<A, R>(chain);
  }

  /** The same for an operator on two connected streams. */
  static async openTwoInput<A, B, R>(
    build: (first: DataStream<A>, second: DataStream<B>) => SingleOutputStream<R>,
    options: OperatorHarnessOptions = {},
  ): Promise<OperatorHarness<A, R, B>> {
    const graph = graphOf(2, ([first, second]) => build(first as DataStream<A>, second as DataStream<B>), options);
    const chain = new HarnessChain(graph, options);
    await chain.open();
    return new OperatorHarness<A, R, B>(chain);
  }

  /** One record into the (first) input. Throws what the user's function throws, naming the operator. */
  processElement(value: A, timestampMs = NO_TIMESTAMP): void {
    this.chain.push({ kind: 'record', value, timestampMs, inputIndex: 0 });
  }

  /** One record into the second input. */
  processElement2(value: B, timestampMs = NO_TIMESTAMP): void {
    this.chain.push({ kind: 'record', value, timestampMs, inputIndex: 1 });
  }

  /** Nothing with an event time up to `timestampMs` will follow. */
  processWatermark(timestampMs: number): void {
    this.chain.push({ kind: 'event', event: { kind: 'watermark', timestampMs } });
  }

  /**
   * It is `timeMs` now, ms since the epoch; the clock of a harness begins at 0 and stands. Processing timers up to then fire.
   * Requests of `asyncMap` take real time.
   */
  setProcessingTime(timeMs: number): void {
    this.chain.setProcessingTime(timeMs);
  }

  /** Values of the main output so far, which are forgotten: the next call answers only what is new. */
  extractOutput(): R[] {
    return this.extractRecords().map(({ value }) => value);
  }

  /** `extractOutput` with event times. */
  extractRecords(): OutputRecord<R>[] {
    return this.chain.take(null) as OutputRecord<R>[];
  }

  /** Watermarks that left the last operator so far, which are forgotten. */
  extractWatermarks(): number[] {
    return this.chain.takeWatermarks();
  }

  /** Values of a side output so far, which are forgotten. The tag must be among `options.sideOutputs`. */
  sideOutput<T>(tag: OutputTag<T>): T[] {
    return this.chain.take(tag.id).map(({ value }) => value as T);
  }

  /** Timers that are set and have not fired, of all operators. */
  timerCount(domain: TimeDomain): number {
    return this.chain.timerCount(domain);
  }

  /** The state of all operators as of now, with their timers; records may follow. `checkpointId` as the functions see it. */
  snapshot(checkpointId = 1): Promise<HarnessSnapshot> {
    return this.chain.snapshot(checkpointId);
  }

  /** Tells the operators that a snapshot belongs to a complete checkpoint. */
  notifyCheckpointComplete(checkpointId = 1): void {
    this.chain.notifyCheckpointComplete(checkpointId);
  }

  /** What the functions added to their accumulators. */
  accumulators(): Readonly<Record<string, AccumulatorValue>> {
    return this.chain.accumulators.snapshot();
  }

  /** Resolves when no asynchronous request is under way. Throws what one of them failed with. */
  settle(): Promise<void> {
    return this.chain.settle();
  }

  /** The end of all inputs: the last watermark, then the end; waits for what is under way. */
  async endInput(): Promise<void> {
    this.processWatermark(MAX_WATERMARK);
    this.chain.push({ kind: 'event', event: { kind: 'end' } });
    await this.chain.settle();
  }

  /** Closes the functions. Idempotent. */
  close(): Promise<void> {
    return this.chain.close();
  }
}

type InputItem =
  | { readonly kind: 'record'; readonly value: unknown; readonly timestampMs: number; readonly inputIndex: 0 | 1 }
  | { readonly kind: 'event'; readonly event: StreamEvent };

/** What the test pushes, one item per poll. */
class PushedInput implements RunnerInput {
  inputIndex: 0 | 1 = 0;
  event: StreamEvent | null = null;
  readonly items: InputItem[] = [];

  poll(batch: RecordBatch): InputResult {
    const item = this.items.shift();
    if (item === undefined) return 'nothing';
    if (item.kind === 'event') {
      this.event = item.event;
      return 'event';
    }
    this.inputIndex = item.inputIndex;
    batch.values[0] = item.value;
    batch.timestampsMs[0] = item.timestampMs;
    batch.length = 1;
    return 'records';
  }
}

/** Keeps everything, is never full. */
class KeepingWriter implements RecordWriter {
  records: OutputRecord<unknown>[] = [];
  watermarksMs: number[] = [];
  recordsOut = 0;
  readonly bytesOut = 0;

  emit(value: unknown, timestampMs: number): void {
    this.recordsOut++;
    this.records.push({ value, timestampMs });
  }

  broadcast(event: StreamEvent): void {
    if (event.kind === 'watermark') this.watermarksMs.push(event.timestampMs);
  }

  showsBarrier(): boolean {
    return true;
  }

  overtake(): void {
    // Nothing is in flight.
  }

  flush(): void {
    // Nothing is buffered.
  }

  refresh(): boolean {
    return true;
  }

  isDrained(): boolean {
    return true;
  }

  close(): void {
    // Nothing to release.
  }
}

/** The operators at work. */
class HarnessChain {
  readonly accumulators = new TaskAccumulators();
  private readonly graph: StreamGraph;
  private readonly input = new PushedInput();
  private readonly clock: ManualClock;
  private readonly writers = new Map<string | null, KeepingWriter>();
  private readonly hosted: HarnessOperator[] = [];
  private readonly subtask: HarnessSubtask;
  private readonly restored: readonly HarnessSnapshot[];
  private readonly timers = new Map<StreamOperator, HeapTimerService>();
  private readonly segments: readonly Segment[];
  private readonly runners: readonly SegmentRunner[];
  private posted: (() => void)[] = [];
  private onPosted: (() => void) | null = null;
  private isClosed = false;

  constructor(graph: StreamGraph, options: OperatorHarnessOptions) {
    this.graph = graph;
    const { parallelism = 1, subtaskIndex = 0, maxParallelism = MAX_PARALLELISM } = options;
    checkSubtask(subtaskIndex, parallelism, maxParallelism);
    this.subtask = { parallelism, subtaskIndex, keyGroups: keyGroupRangeOf(subtaskIndex, maxParallelism, parallelism) };
    this.restored = options.restore ?? [];
    this.clock = new ManualClock(options.processingTimeMs);
    const sharing = { objectReuse: true, freezeRecords: options.freezeRecords ?? true };
    const nodes = operatorsOf(graph);
    const ids = new Set(nodes.map(({ id }) => id));
    const edges = graph.edges.filter((edge) => ids.has(edge.source) && ids.has(edge.target));
    const outputs = graph.edges.filter((edge) => ids.has(edge.source) && !ids.has(edge.target));
    this.segments = buildChain({ nodes, edges, outputs: outputs.map(outputOf), sharing: sharingRules(sharing) }, {
      operator: (node) => this.operator(node, sharing.freezeRecords),
      writer: (index) => this.writer(present(outputs[index], 'an output has its edge').sideOutput),
    });
    this.runners = this.segments.map((segment) => this.runner(segment, options.codegen ?? 'on')).toReversed();
  }

  async open(): Promise<void> {
    checkClaimed(this.restored, new Set(this.hosted.map(({ operatorId }) => operatorId)));
    for (const hosted of this.restored.length > 0 ? this.hosted : []) {
      blaming(hosted.operator.name, () => restoreOperator(hosted, this.restored, this.subtask));
    }
    for (const segment of this.segments.toReversed()) {
      for (const { operator } of segment.nodes.toReversed()) {
        const clock = operator instanceof AsyncMapOperator ? systemPorts.clock : this.clock;
        const duties = dutyAccess(segment, operator, () => this.post(() => undefined));
        const timers = this.timers.get(operator) ?? null;
        timers?.attach({ clock: timerClockOf(this.clock), schedule: duties.schedule });
        const post = (action: () => void) => this.post(() => blaming(operator.name, action));
        const hasFinalCheckpoint = false;
        await operator.open({ runtime: this.runtimeContext(), status: segment.status, post, ...duties, clock, hasFinalCheckpoint, timers });
      }
    }
  }

  push(item: InputItem): void {
    this.input.items.push(item);
    this.run();
  }

  setProcessingTime(timeMs: number): void {
    this.clock.advanceTo(timeMs, () => this.run());
  }

  async snapshot(checkpointId: number): Promise<HarnessSnapshot> {
    const { subtaskIndex, parallelism, keyGroups: { maxParallelism } } = this.subtask;
    const taken = this.hosted.map(async (hosted) => [hosted.operatorId, await snapshotOf(hosted, checkpointId)] as const);
    return { subtaskIndex, parallelism, maxParallelism, operators: Object.fromEntries(await Promise.all(taken)) };
  }

  notifyCheckpointComplete(checkpointId: number): void {
    for (const { operator } of this.hosted) blaming(operator.name, () => operator.checkpointComplete?.(checkpointId));
  }

  timerCount(domain: TimeDomain): number {
    return [...this.timers.values()].reduce((sum, timers) => sum + timers.capture(domain).length, 0);
  }

  take(tag: string | null): OutputRecord<unknown>[] {
    const writer = this.writers.get(tag);
    if (writer === undefined) {
      throw new ClusterError('UNSUPPORTED', `side output '${tag}' is not read: name it in the harness's options.sideOutputs`);
    }
    const { records } = writer;
    writer.records = [];
    return records;
  }

  takeWatermarks(): number[] {
    return this.writers.get(null)?.watermarksMs.splice(0) ?? [];
  }

  async settle(): Promise<void> {
    this.run();
    while (this.operators().some((operator) => operator.isIdle?.() === false)) {
      await new Promise<void>((resolve) => (this.onPosted = resolve));
      this.run();
    }
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const timers of this.timers.values()) timers.close();
    for (const operator of this.operators()) await operator.close();
    for (const { store } of this.hosted) store?.close();
  }

  /** Until nothing moves any more. */
  private run(): void {
    for (let ran = true; ran; ) {
      const actions = this.posted;
      this.posted = [];
      for (const action of actions) action();
      ran = actions.length > 0;
      for (const runner of this.runners) ran = runner.step() === 'ran' || ran;
    }
  }

  private post(action: () => void): void {
    this.posted.push(action);
    this.onPosted?.();
    this.onPosted = null;
  }

  private operators(): readonly StreamOperator[] {
    return this.segments.flatMap((segment) => segment.nodes.map(({ operator }) => operator));
  }

  private operator(node: StreamNode, freezeValues: boolean): StreamOperator {
    const key = node.keys.find((each) => each !== null) ?? null;
    const edge = this.graph.edges.find((each) => each.target === node.id);
    const producer = this.graph.nodes.find((each) => each.id === edge?.source);
    const inputType = producer?.outputType ?? null;
    const store = key === null ? null : this.store(node.name, key.type, freezeValues);
    const operator = createOperator(node, node.spec as Exclude<StreamNode['spec'], SourceSpec>, {
      store,
      inputType,
      copyInput: copierOfInput(inputType),
      freezeValues,
      autoWatermarkIntervalMs: AUTO_WATERMARK_INTERVAL_MS,
      openSinkCommitter: () => () => null,
      openSinkWriter: () => () => {
        throw new ClusterError('UNSUPPORTED', 'the operator harness runs no sinks: test them in a MiniCluster');
      },
    });
    const hasUnionState = 'unionState' in node.spec.data;
    this.hosted.push({ operatorId: node.operatorId, operator, store, hasUnionState });
    if (store === null) return operator;
    const timers = new HeapTimerService(store, key?.type ?? null);
    store.attachTimers(timers);
    this.timers.set(operator, timers);
    return operator;
  }

  private store(operatorName: string, keyType: Parameters<typeof heapBackend.open>[0]['keyType'], freezeValues: boolean): KeyedStateStore {
    return heapBackend.open({ keyGroups: this.subtask.keyGroups, keyType, freezeValues, operatorName });
  }

  private writer(tag: string | null): KeepingWriter {
    const writer = new KeepingWriter();
    this.writers.set(tag, writer);
    return writer;
  }

  private runner(segment: Segment, codegen: 'on' | 'off'): SegmentRunner {
    const interrupt = new Int32Array(1);
    const functions =
      codegen === 'on' ? generateSegment(segment, interrupt, `harness-${harnesses++}`) : interpretSegment(segment, interrupt);
    return new SegmentRunner(segment, functions, segment.input ?? this.input, () => systemPorts.clock.monotonicMs());
  }

  private runtimeContext(): RuntimeContext {
    const { subtaskIndex, parallelism, keyGroups: { maxParallelism } } = this.subtask;
    return {
      jobId: '0'.repeat(32),
      jobName: 'harness',
      taskName: `harness (${subtaskIndex + 1}/${parallelism})#0`,
      subtaskIndex,
      parallelism,
      maxParallelism,
      attemptNumber: 0,
      accumulators: this.accumulators,
      counter: () => ({ inc: () => undefined }),
      gauge: () => undefined,
      log: silentLoggers.logger('harness'),
    };
  }
}

function checkSubtask(subtaskIndex: number, parallelism: number, maxParallelism: number): void {
  checkParallelism('the max parallelism of a harness', maxParallelism);
  checkParallelism('the parallelism of a harness', parallelism);
  const isInside = Number.isInteger(subtaskIndex) && subtaskIndex >= 0 && subtaskIndex < parallelism;
  if (isInside && parallelism <= maxParallelism) return;
  const message = `a harness cannot be subtask ${subtaskIndex} of ${parallelism} with max parallelism ${maxParallelism}`;
  throw new ClusterError('PLAN_INVALID', message);
}

/** The program around the operators: sources that are never read, and discard sinks as places to listen. */
function graphOf<R>(
  inputCount: number,
  build: (inputs: readonly DataStream<unknown>[]) => SingleOutputStream<R>,
  options: OperatorHarnessOptions,
): StreamGraph {
  const program = job({ name: 'harness' }, (env) => {
    env.setParallelism(1).setMaxParallelism(options.maxParallelism ?? MAX_PARALLELISM);
    const inputs = Array.from({ length: inputCount }, () => env.fromSequence(0, 0) as unknown as DataStream<unknown>);
    const output = build(inputs);
    output.discard();
    for (const tag of options.sideOutputs ?? []) output.getSideOutput(tag).discard();
  });
  return program.build({ args: {}, configuration: {} });
}

/** Everything between the sources and the sinks. */
function operatorsOf(graph: StreamGraph): readonly StreamNode[] {
  return graph.nodes.filter((node) => !isSource(node) && node.spec.kind !== 'sink.discard');
}

function outputOf(edge: StreamEdge): { readonly sourceNodeId: number; readonly sideOutput: string | null } {
  return { sourceNodeId: edge.source, sideOutput: edge.sideOutput };
}
