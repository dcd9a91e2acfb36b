/**
 * Puts a subtask together: from the deployment (which subtask, which channels) and the rebuilt program
 * (which functions) to segments with their inputs, operators, writers and state.
 */
import type { Ports } from '../base/ports.ts';
import type { SinkContext } from '../connectors/sink-writers.ts';
import type { Logger } from '../base/log.ts';
import { assert, present } from '../base/assert.ts';
import type { OutputStatus, RecordWriter, SlotExchange } from '../exchange/contract.ts';
import { overtakes } from '../exchange/record-writer.ts';
import { channelCodec } from '../exchange/slot-exchange.ts';
import { keyGroupOf, keyGroupRangeOf, operatorIndexOf } from '../graph/key-groups.ts';
import { keyHashOf } from '../graph/key-hash.ts';
import { edgeKeyOf, sourceKeyOf } from '../graph/job-graph.ts';
import type { JobEdge, JobVertex } from '../graph/job-graph.ts';
import type { Committer, ReaderContext, RuntimeContext, SinkWriter, SinkWriterContext, SourceReader } from '../graph/functions.ts';
import type { SinkSpec, SourceSpec } from '../graph/operator-spec.ts';
import type { StreamEdge, StreamGraph, StreamNode } from '../graph/stream-graph.ts';
import { createOperator } from '../operators/create-operator.ts';
import { DiscardOperator } from '../operators/sinks.ts';
import type { StreamOperator } from '../operators/operator.ts';
import type { InFlightChannelName } from '../protocol/checkpoint.ts';
import type { OperatorEventBody } from '../protocol/deployment.ts';
import type { OperatorId } from '../protocol/ids.ts';
import type { KeyGroupRange, KeyedStateStore, StateBackend } from '../state/keyed-state-store.ts';
import { HeapTimerService } from '../state/timer-service.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { TaskAccumulators } from './accumulators.ts';
import { buildChain, isSource } from './chain.ts';
import type { Segment, SegmentFunctions } from './chain.ts';
import { generateSegment } from './chain-generator.ts';
import { interpretSegment } from './chain-interpreter.ts';
import type { Interrupt } from './chain-interpreter.ts';
import { GateInput } from './gate-input.ts';
import type { RecordedChannel } from './gate-recording.ts';
import { channelNameOf, restoredChannels, type RestoredEdge, type UnalignedTask } from './in-flight-channels.ts';
import { KeyedStates } from './keyed-states.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { RestoredInput } from './restored-input.ts';
import { RestoredStates } from './restored-states.ts';
import { copierOfInput, sharingRules } from './record-sharing.ts';
import type { SlotDeployment } from './slot-protocol.ts';
import { runtimeContext, taskNameOf, vertexOf } from './task-context.ts';
import type { UserMetrics } from './task-context.ts';
import { taskSettings } from './task-settings.ts';
import type { TaskSettings } from './task-settings.ts';

/** The connectors room, as the slot sees it. */
export interface Connectors {
  createReader(spec: SourceSpec, context: ReaderContext): SourceReader<unknown>;
  createSinkWriter(spec: SinkSpec, context: SinkContext): SinkWriter<unknown> | Promise<SinkWriter<unknown>>;
  createSinkCommitter(spec: SinkSpec, context: RuntimeContext): Committer | null | Promise<Committer | null>;
}

/** What the slot lends to its subtasks. */
export interface SlotSurroundings {
  readonly ports: Ports;
  readonly exchange: SlotExchange;
  /** By `state.backend.type`; null: the job does not set it. */
  backendOf(type: TaskSettings['stateBackend']): StateBackend;
  readonly connectors: Connectors;
  readonly interrupt: Interrupt;
  readonly log: Logger;
  /** Where state is restored from. */
  readonly files: FileSystems;
  print(stream: 'stdout' | 'stderr', text: string): void | Promise<void>;
  send(task: SlotDeployment, nodeId: number, body: OperatorEventBody): void;
}

/** A source, not yet opened. */
export interface SourcePart {
  readonly node: StreamNode;
  readonly operatorId: OperatorId;
  readonly context: ReaderContext;
  open(): SourceReader<unknown>;
}

/** An operator, not yet opened. */
export interface OperatorPart extends OperatorState {
  readonly operator: StreamOperator;
  readonly context: RuntimeContext;
  readonly segment: Segment;
}

/** What checkpoints and timers know of an operator. `timers` and `keyed` are null when no input is keyed. */
interface OperatorState {
  readonly operatorId: OperatorId;
  readonly timers: HeapTimerService | null;
  readonly keyed: KeyedStates | null;
}

/** The parts of one subtask. */
export interface SubtaskParts {
  readonly taskName: string;
  readonly settings: TaskSettings;
  readonly accumulators: TaskAccumulators;
  readonly metrics: UserMetrics;
  readonly segments: readonly { readonly segment: Segment; readonly functions: SegmentFunctions }[];
  /** Exactly one of `source` and `gate` is set. */
  readonly source: SourcePart | null;
  readonly gate: GateInput | null;
  readonly writers: readonly RecordWriter[];
  readonly stores: readonly KeyedStateStore[];
  /** By operator, in the order of opening: downstream first, so that an operator may emit from `open` on. */
  readonly operators: readonly OperatorPart[];
  /** Receivers of coordinator messages by node id. */
  readonly receivers: Map<number, (body: OperatorEventBody) => void>;
  /** Null: begin empty. */
  readonly restored: RestoredStates | null;
  /** Records that a checkpoint kept, to be read before all others; null: none. */
  restoredInput(): Promise<RestoredInput | null>;
  /** Null: no barrier overtakes. */
  readonly unaligned: Omit<UnalignedTask, 'wake'> | null;
  readonly hasFinalCheckpoint: boolean;
  /** See `TaskDeployment`. */
  readonly isStopped: boolean;
  readonly headNodeId: number;
  readonly subtaskIndex: number;
  readonly parallelism: number;
}

/** Makes the parts. Nothing is opened, but channels are joined. */
export function subtaskParts(task: SlotDeployment, graph: StreamGraph, slot: SlotSurroundings): SubtaskParts {
  return new PartsBuilder(task, graph, slot).build();
}

class PartsBuilder {
  private readonly task: SlotDeployment;
  private readonly graph: StreamGraph;
  private readonly slot: SlotSurroundings;
  private readonly taskName: string;
  private readonly settings: TaskSettings;
  private readonly nodes: readonly StreamNode[];
  private readonly accumulators = new TaskAccumulators();
  private readonly metrics: UserMetrics = { counters: new Map(), gauges: new Map() };
  private readonly writers: RecordWriter[] = [];
  private readonly outputOf = new Map<RecordWriter, number>();
  private readonly restoredStates: RestoredStates | null;
  private readonly stores: KeyedStateStore[] = [];
  private readonly states = new Map<StreamOperator, OperatorState>();
  private readonly receivers = new Map<number, (body: OperatorEventBody) => void>();

  constructor(task: SlotDeployment, graph: StreamGraph, slot: SlotSurroundings) {
    this.task = task;
    this.graph = graph;
    this.slot = slot;
    this.taskName = taskNameOf(task);
    this.settings = taskSettings(task.jobGraph);
    this.nodes = vertexOf(task).operators.map(({ nodeId }) => this.node(nodeId));
    this.restoredStates = this.restored();
  }

  build(): SubtaskParts {
    const ids = new Set(this.nodes.map(({ id }) => id));
    const { deployment } = this.task;
    const edges = this.graph.edges.filter((edge) => ids.has(edge.source) && ids.has(edge.target));
    const outputs = deployment.outputs.map(({ edgeIndex }) => this.jobEdge(edgeIndex));
    const segments = buildChain({ nodes: this.nodes, edges, outputs, sharing: sharingRules(this.settings) }, {
      operator: (node) => this.operator(node),
      writer: (outputIndex, status) => this.writer(outputIndex, status),
    });
    const head = present(this.nodes[0], 'a vertex has operators');
    return {
      taskName: this.taskName,
      settings: this.settings,
      accumulators: this.accumulators,
      metrics: this.metrics,
      segments: segments.map((segment, i) => ({ segment, functions: this.functions(segment, i) })),
      source: isSource(head) ? this.source(head) : null,
      gate: isSource(head) ? null : this.gate(),
      writers: this.writers,
      stores: this.stores,
      operators: this.openingOrder(segments),
      receivers: this.receivers,
      restored: this.restoredStates,
      restoredInput: () => this.restoredInput(head),
      unaligned: this.settings.unaligned ? this.unaligned(head) : null,
      hasFinalCheckpoint: deployment.hasFinalCheckpoint,
      isStopped: deployment.isStopped,
      headNodeId: head.id,
      subtaskIndex: deployment.subtaskIndex,
      parallelism: vertexOf(this.task).parallelism,
    };
  }

  private restored(): RestoredStates | null {
    const { deployment: { restore, localState }, localStateDirectories: directories } = this.task;
    const { files, log } = this.slot;
    return restore === null ? null : new RestoredStates(restore, files, localState.restore ? { directories, log } : null);
  }

  private async restoredInput(head: StreamNode): Promise<RestoredInput | null> {
    const restored = this.restoredStates;
    if (restored === null || restored.inFlight.length === 0) return null;
    const { jobGraph, deployment } = this.task;
    const edges = new Map<string, RestoredEdge>(deployment.inputs.map(({ edgeIndex }) => {
      const jobEdge = this.jobEdge(edgeIndex);
      const edge = this.streamEdge(jobEdge);
      const type = typeOfEdge(this.node(edge.source), edge);
      const restoredEdge = { inputIndex: edge.inputIndex, newCodec: () => channelCodec(type), isOwn: this.ownership(edge) };
      return [edgeKeyOf(jobGraph, jobEdge), restoredEdge];
    }));
    const newCodec = () => channelCodec(head.outputType);
    if (isSource(head)) edges.set(sourceKeyOf(this.operatorId(head.id)), { inputIndex: 0, newCodec, isOwn: null });
    return new RestoredInput(await restoredChannels(restored.inFlight, edges, (channel) => restored.inFlightBytes(channel)));
  }

  /** Whether an edge into this task sends a record here. */
  private ownership({ partitioning }: StreamEdge): RestoredEdge['isOwn'] {
    const { parallelism, maxParallelism } = vertexOf(this.task);
    const { subtaskIndex } = this.task.deployment;
    if (partitioning.kind === 'custom') {
      const { key, partitioner } = partitioning;
      return (value) => partitioner(key.selector(value), parallelism) === subtaskIndex;
    }
    if (partitioning.kind !== 'hash') return null;
    const { selector, type } = partitioning.key;
    const hash = keyHashOf(type);
    return (value) => operatorIndexOf(keyGroupOf(hash(selector(value)), maxParallelism), maxParallelism, parallelism) === subtaskIndex;
  }

  private unaligned(head: StreamNode): SubtaskParts['unaligned'] {
    const { jobGraph, deployment: { outputs, subtaskIndex } } = this.task;
    const channels = new Map<RecordWriter, readonly InFlightChannelName[]>();
    for (const [writer, index] of this.outputOf) {
      const { edgeIndex, channels: deployed } = present(outputs[index], 'an output is deployed');
      channels.set(writer, deployed.map((channel) => channelNameOf(jobGraph, this.jobEdge(edgeIndex), channel)));
    }
    const headId = this.operatorId(head.id);
    const name: InFlightChannelName = {
      edge: sourceKeyOf(headId), producerIndex: subtaskIndex, consumerIndex: subtaskIndex, consumerCount: vertexOf(this.task).parallelism,
    };
    const source = isSource(head) ? { name, newCodec: () => channelCodec(head.outputType) } : null;
    return { headId, source, channelsOf: (writer) => channels.get(writer) ?? [] };
  }

  private recordedChannels(): readonly RecordedChannel[] {
    const { jobGraph, deployment } = this.task;
    return deployment.inputs.flatMap(({ edgeIndex, channels }) => {
      const jobEdge = this.jobEdge(edgeIndex);
      const edge = this.streamEdge(jobEdge);
      const type = typeOfEdge(this.node(edge.source), edge);
      return channels.map((channel) => ({
        name: channelNameOf(jobGraph, jobEdge, channel), overtakes: overtakes(jobEdge.partitioning), newCodec: () => channelCodec(type),
      }));
    });
  }

  private functions(segment: Segment, index: number): SegmentFunctions {
    const { interrupt } = this.slot;
    if (!this.settings.codegen) return interpretSegment(segment, interrupt);
    return generateSegment(segment, interrupt, `${this.task.deployment.attemptId}/segment-${index}`);
  }

  private openingOrder(segments: readonly Segment[]): SubtaskParts['operators'] {
    const all = segments.flatMap((segment) => segment.nodes.map(({ operator }) => ({ operator, segment })));
    return all.toReversed().map(({ operator, segment }) => {
      return { operator, segment, context: this.context(operator.name), ...present(this.states.get(operator), 'an operator is known') };
    });
  }

  private operator(node: StreamNode): StreamOperator {
    const { spec } = node;
    assert(!isSource(node), 'a source is the head of its chain');
    const keyed = node.keys.find((key) => key !== null) ?? null;
    const inputType = this.inputType(node.id, 0);
    const store = keyed === null ? null : this.store(node.name, keyed.type);
    const operator = createOperator(node, spec as Exclude<StreamNode['spec'], SourceSpec>, {
      store,
      inputType,
      secondInputType: this.inputType(node.id, 1),
      copyInput: copierOfInput(inputType),
      freezeValues: this.settings.freezeRecords,
      autoWatermarkIntervalMs: this.settings.autoWatermarkIntervalMs,
      openSinkCommitter: (sink) => (context) => this.slot.connectors.createSinkCommitter(sink, context),
      openSinkWriter: (sink) => (context) => this.slot.connectors.createSinkWriter(sink, this.sinkContext(node, context)),
    });
    const timers = store === null ? null : new HeapTimerService(store, keyed?.type ?? null);
    if (timers !== null) store?.attachTimers(timers);
    this.states.set(operator, {
      operatorId: this.operatorId(node.id), timers, keyed: store === null ? null : new KeyedStates(store, this.keyGroups()),
    });
    if (operator instanceof DiscardOperator && operator.fold !== null) {
      this.accumulators.fold(node.name.replace(/^Sink: /, ''), operator.fold);
    }
    return operator;
  }

  private store(operatorName: string, keyType: TypeDescriptor<unknown> | null): KeyedStateStore {
    const { freezeRecords: freezeValues, stateBackend } = this.settings;
    const store = this.slot.backendOf(stateBackend).open({ keyGroups: this.keyGroups(), keyType, freezeValues, operatorName });
    this.stores.push(store);
    return store;
  }

  private keyGroups(): KeyGroupRange {
    const { parallelism, maxParallelism } = vertexOf(this.task);
    return keyGroupRangeOf(this.task.deployment.subtaskIndex, maxParallelism, parallelism);
  }

  private sinkContext(node: StreamNode, context: SinkWriterContext): SinkContext {
    return {
      ...context,
      print: (stream, text) => this.slot.print(stream, text),
      collect: {
        send: (sequence, values) => this.slot.send(this.task, node.id, { kind: 'collected', sequence, values }),
        onAcknowledged: (acknowledged) => void this.receivers.set(node.id, (body) => {
          if (body.kind === 'collectedAck') acknowledged(body.sequence);
        }),
      },
    };
  }

  private writer(outputIndex: number, status: OutputStatus): RecordWriter {
    const output = present(this.task.deployment.outputs[outputIndex], 'an output is deployed');
    const jobEdge = this.jobEdge(output.edgeIndex);
    const edge = this.streamEdge(jobEdge);
    const producer = this.node(edge.source);
    const { partitioning } = edge;
    const writer = this.slot.exchange.createWriter({
      taskName: this.taskName,
      partitioning,
      key: partitioning.kind === 'hash' ? partitioning.key : null,
      maxParallelism: this.targetVertex(jobEdge).maxParallelism,
      producerIndex: this.task.deployment.subtaskIndex,
      type: typeOfEdge(producer, edge),
      endpoints: present(this.task.outputs[outputIndex], 'an output has its endpoints'),
      bufferTimeoutMs: this.settings.bufferTimeoutMs,
      status,
      seed: edge.source * 31 + this.task.deployment.subtaskIndex,
    });
    this.writers.push(writer);
    this.outputOf.set(writer, outputIndex);
    return writer;
  }

  private gate(): GateInput {
    const inputs = this.task.deployment.inputs.map((input, i) => {
      const edge = this.streamEdge(this.jobEdge(input.edgeIndex));
      const endpoints = present(this.task.inputs[i], 'an input has its endpoints');
      return { inputIndex: edge.inputIndex, type: typeOfEdge(this.node(edge.source), edge), endpoints };
    });
    const gate = this.slot.exchange.createGate({ taskName: this.taskName, inputs });
    const { clock } = this.slot.ports;
    return new GateInput(gate, this.settings.unaligned ? { channels: this.recordedChannels(), nowMs: () => clock.nowMs() } : null);
  }

  private source(node: StreamNode): SourcePart {
    const context: ReaderContext = {
      ...this.context(node.name),
      requestSplit: () => this.slot.send(this.task, node.id, { kind: 'splitRequest' }),
      sendEvent: (event) => this.slot.send(this.task, node.id, { kind: 'sourceEvent', event }),
    };
    const operatorId = this.operatorId(node.id);
    return { node, operatorId, context, open: () => this.slot.connectors.createReader(node.spec as SourceSpec, context) };
  }

  private context(operatorName: string): RuntimeContext {
    return runtimeContext(this.task, operatorName, { accumulators: this.accumulators, metrics: this.metrics, log: this.slot.log });
  }

  private operatorId(nodeId: number): OperatorId {
    return present(vertexOf(this.task).operators.find((each) => each.nodeId === nodeId), 'a chain has its operators').operatorId;
  }

  private node(id: number): StreamNode {
    return present(this.graph.nodes.find((node) => node.id === id), `the program has operator ${id}`);
  }

  private jobEdge(index: number): JobEdge {
    return present(this.task.jobGraph.edges[index], `the job graph has edge ${index}`);
  }

  private targetVertex({ targetVertex }: JobEdge): JobVertex {
    return present(this.task.jobGraph.vertices.find(({ id }) => id === targetVertex), 'an edge ends in a vertex');
  }

  /** Equal edges (a stream united with itself) stand in the same order in both graphs. */
  private streamEdge(jobEdge: JobEdge): StreamEdge {
    const spelled = spellJobEdge(jobEdge);
    const position = this.task.jobGraph.edges.filter((edge) => edge.index < jobEdge.index && spellJobEdge(edge) === spelled).length;
    const alike = this.graph.edges.filter((edge) => spellStreamEdge(edge) === spelled);
    return present(alike[position], `the program has job edge ${jobEdge.index}`);
  }

  /** Type of an input, for state and copies; null when not declared, or not the same for all streams of a union. */
  private inputType(nodeId: number, inputIndex: 0 | 1): TypeDescriptor<unknown> | null {
    const edges = this.graph.edges.filter((edge) => edge.target === nodeId && edge.inputIndex === inputIndex);
    const [type = null, ...others] = new Set(edges.map((edge) => typeOfEdge(this.node(edge.source), edge)));
    return others.length === 0 ? type : null;
  }
}

function spellJobEdge(edge: JobEdge): string {
  return JSON.stringify([edge.sourceNodeId, edge.targetNodeId, edge.inputIndex, edge.sideOutput, edge.partitioning]);
}

function spellStreamEdge(edge: StreamEdge): string {
  return JSON.stringify([edge.source, edge.target, edge.inputIndex, edge.sideOutput, edge.partitioning.kind]);
}

function typeOfEdge(producer: StreamNode, edge: StreamEdge): TypeDescriptor<unknown> | null {
  return edge.sideOutput === null ? producer.outputType : (producer.sideOutputs[edge.sideOutput] ?? null);
}
