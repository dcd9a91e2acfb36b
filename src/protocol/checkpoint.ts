/**
 * Checkpoints as plain data: what the JobManager asks of a task, what the task hands back, and what a new
 * attempt starts from. State itself lies in files (or inline, when small); these are the handles to it.
 *
 * Acknowledgements end in `_metadata` files that outlive the cluster, so they are validated where they
 * arrive: `parseCheckpointAck` names the field that is wrong.
 */
import { ClusterError } from './errors.ts';
import type { OperatorId } from './ids.ts';
import type { JsonObject, JsonValue } from './json.ts';

export type CheckpointKind = 'checkpoint' | 'savepoint';

/**
 * How a savepoint holds keyed state. `CANONICAL`: alike for every state backend, so that a job may change its backend and tools can
 * read it. `NATIVE`: as the backend keeps it, which is faster to take; the same backend restores it.
 */
export type SavepointFormat = 'CANONICAL' | 'NATIVE';

/** What is asked of a savepoint. `targetDirectory` null: the configured one. */
export interface SavepointWish {
  readonly targetDirectory: string | null;
  readonly format: SavepointFormat;
}

/** How a task takes part in one checkpoint. */
export interface CheckpointOptions {
  readonly kind: CheckpointKind;
  readonly alignment: 'exactly-once' | 'at-least-once';
  readonly unaligned: boolean;
  /** An aligned barrier that waits longer than this overtakes the buffers; null: never. */
  readonly alignedTimeoutMs: number | null;
  readonly incremental: boolean;
  /** A terminal savepoint: tasks stop after it. `drain`: MAX watermark first. */
  readonly stop: 'no' | 'suspend' | 'drain';
  /** Null: not a savepoint. */
  readonly format: SavepointFormat | null;
  /** For files of this checkpoint alone; null: the bytes travel inline to the JobManager. */
  readonly directory: string | null;
  /** For files that later checkpoints may refer to. */
  readonly sharedDirectory: string | null;
  /** State up to this size travels inline also when there is a directory. */
  readonly inlineSizeBytesMax: number;
}

/** Where some bytes of state lie. `shared` files are referred to by several checkpoints. */
export type StateHandle =
  | { readonly kind: 'file'; readonly path: string; readonly sizeBytes: number; readonly sha256: string; readonly shared: boolean }
  | { readonly kind: 'inline'; readonly base64: string; readonly sha256: string };

/** Keyed state of a range of key groups (both ends included). `meta` is the state backend's, opaque here. */
export interface KeyedStateHandle {
  readonly firstKeyGroup: number;
  readonly lastKeyGroup: number;
  readonly meta: JsonObject;
  readonly data: StateHandle;
}

/** Names a channel in a checkpoint. */
export interface InFlightChannelName {
  /** `edgeKeyOf`, or `sourceKeyOf` for records that a source had read and not emitted. */
  readonly edge: string;
  readonly producerIndex: number;
  readonly consumerIndex: number;
  /** How many consumers the edge had. */
  readonly consumerCount: number;
}

/** What one end of a channel kept of the records that a barrier overtook. */
export interface InFlightChannel extends InFlightChannelName {
  readonly side: 'input' | 'output';
  /** Marks its pieces in the file. */
  readonly tag: number;
  /** Input side: the first buffer that it neither kept nor worked off; null: the channel has no buffers. */
  readonly consumed: number | null;
}

/** In-flight records of one subtask, of all its channels in one file; the form is the exchange's. */
export interface InFlightState {
  readonly channels: readonly InFlightChannel[];
  readonly data: StateHandle;
}

/** State of one operator of one subtask. */
export interface OperatorSubtaskState {
  readonly operatorId: OperatorId;
  readonly subtaskIndex: number;
  /** Base first, then increments. */
  readonly keyed: readonly KeyedStateHandle[];
  /** Operator state: lists, union lists, broadcast, splits of a reader, state and committables of a writer. The operator's own format. */
  readonly operator: StateHandle | null;
  /** `operator` holds union list state: every subtask is restored from the `operator` of all. */
  readonly union?: true;
  /** At the head of a chain, when the barrier overtook records. */
  readonly inFlight?: InFlightState;
}

/** Whether nothing of it need be kept. */
export function isStateless({ keyed, operator, inFlight }: OperatorSubtaskState): boolean {
  return keyed.length === 0 && operator === null && inFlight === undefined;
}

/** Flink's figures of one subtask's part. */
export interface CheckpointMetrics {
  readonly startDelayMs: number;
  readonly alignmentMs: number;
  readonly syncMs: number;
  readonly asyncMs: number;
  readonly stateSizeBytes: number;
  readonly checkpointedSizeBytes: number;
  readonly processedBytes: number;
  readonly persistedBytes: number;
  readonly unaligned: boolean;
}

/** One subtask's part of a checkpoint is written and safe. */
export interface TaskCheckpointAck {
  readonly checkpointId: number;
  readonly operators: readonly OperatorSubtaskState[];
  readonly metrics: CheckpointMetrics;
}

/**
 * What an attempt starts from: one entry for each operator and former subtask that it takes state of. With the parallelism
 * unchanged that is its own. Otherwise keyed handles are those that meet its key groups, and `operator` comes of every
 * former subtask, ascending: the operator takes element k of their concatenated lists when k mod parallelism is its index.
 */
export interface TaskRestore {
  readonly checkpointId: number;
  /** `subtaskIndex` is the former one. */
  readonly operators: readonly OperatorSubtaskState[];
  /** By operator id: how many subtasks wrote the checkpoint. */
  readonly formerParallelism: Readonly<Record<string, number>>;
  /** Records to work off before any other. */
  readonly inFlight?: readonly RestoredInFlight[];
}

/** A channel of the checkpoint whose records a subtask takes over. */
export interface RestoredInFlight extends InFlightChannel {
  readonly data: StateHandle;
  /** Other subtasks take it too: each keeps the records that its edge now sends to it. */
  readonly isShared: boolean;
}

const SHA_256 = /^[0-9a-f]{64}$/;
const OPERATOR_ID = /^[0-9a-f]{32}$/;
const BASE_64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The acknowledgement, checked field by field; unknown fields are dropped. Throws BAD_REQUEST naming the first that is wrong. */
export function parseCheckpointAck(data: JsonValue): TaskCheckpointAck {
  const ack = new Fields(data, 'acknowledgement');
  return {
    checkpointId: ack.count('checkpointId'),
    operators: ack.list('operators').map((operator, index) => parseOperatorSubtaskState(operator, `operators[${index}]`)),
    metrics: parseCheckpointMetrics(ack.value('metrics')),
  };
}

/** One operator's state, checked. `place` leads the message of a fault. */
export function parseOperatorSubtaskState(data: JsonValue, place: string): OperatorSubtaskState {
  const state = new Fields(data, place);
  const operator = state.value('operator');
  return {
    operatorId: state.text('operatorId', OPERATOR_ID) as OperatorId,
    subtaskIndex: state.count('subtaskIndex'),
    keyed: state.list('keyed').map((keyed, index) => parseKeyedStateHandle(keyed, `${place}.keyed[${index}]`)),
    operator: operator === null ? null : parseStateHandle(operator, `${place}.operator`),
    ...(state.value('union') === null ? {} : { union: state.literalTrue('union') }),
    ...(state.value('inFlight') === null ? {} : { inFlight: parseInFlightState(state.value('inFlight'), `${place}.inFlight`) }),
  };
}

function parseInFlightState(data: JsonValue, place: string): InFlightState {
  const state = new Fields(data, place);
  const channels = state.list('channels').map((each, index) => parseInFlightChannel(each, `${place}.channels[${index}]`));
  return { channels, data: parseStateHandle(state.value('data'), `${place}.data`) };
}

function parseInFlightChannel(data: JsonValue, place: string): InFlightChannel {
  const channel = new Fields(data, place);
  return {
    edge: channel.text('edge', /./),
    producerIndex: channel.count('producerIndex'),
    consumerIndex: channel.count('consumerIndex'),
    consumerCount: channel.count('consumerCount'),
    side: channel.text('side', /^(input|output)$/) as InFlightChannel['side'],
    tag: channel.count('tag'),
    consumed: channel.value('consumed') === null ? null : channel.count('consumed'),
  };
}

function parseKeyedStateHandle(data: JsonValue, place: string): KeyedStateHandle {
  const keyed = new Fields(data, place);
  const [firstKeyGroup, lastKeyGroup] = [keyed.count('firstKeyGroup'), keyed.count('lastKeyGroup')];
  if (lastKeyGroup < firstKeyGroup) throw keyed.fault('lastKeyGroup', 'is below firstKeyGroup');
  const handle = parseStateHandle(keyed.value('data'), `${place}.data`);
  return { firstKeyGroup, lastKeyGroup, meta: new Fields(keyed.value('meta'), `${place}.meta`).object, data: handle };
}

/** A handle, checked. */
function parseStateHandle(data: JsonValue, place: string): StateHandle {
  const handle = new Fields(data, place);
  const sha256 = handle.text('sha256', SHA_256);
  if (handle.value('kind') === 'inline') return { kind: 'inline', base64: handle.text('base64', BASE_64), sha256 };
  if (handle.value('kind') !== 'file') throw handle.fault('kind', "is neither 'file' nor 'inline'");
  return {
    kind: 'file', path: handle.text('path', /./), sizeBytes: handle.count('sizeBytes'), sha256, shared: handle.flag('shared'),
  };
}

function parseCheckpointMetrics(data: JsonValue): CheckpointMetrics {
  const metrics = new Fields(data, 'metrics');
  return {
    startDelayMs: metrics.amount('startDelayMs'),
    alignmentMs: metrics.amount('alignmentMs'),
    syncMs: metrics.amount('syncMs'),
    asyncMs: metrics.amount('asyncMs'),
    stateSizeBytes: metrics.count('stateSizeBytes'),
    checkpointedSizeBytes: metrics.count('checkpointedSizeBytes'),
    processedBytes: metrics.count('processedBytes'),
    persistedBytes: metrics.count('persistedBytes'),
    unaligned: metrics.flag('unaligned'),
  };
}

/** Typed reading of an object's fields; every fault names the place. */
class Fields {
  readonly object: JsonObject;
  private readonly place: string;

  constructor(data: JsonValue | undefined, place: string) {
    this.place = place;
    if (data === null || data === undefined || typeof data !== 'object' || Array.isArray(data)) throw this.fault('', 'is not an object');
    this.object = data as JsonObject;
  }

  /** Null for a field that is not there. */
  value(name: string): JsonValue {
    return Object.hasOwn(this.object, name) ? (this.object[name] ?? null) : null;
  }

  count(name: string): number {
    const value = this.amount(name);
    if (!Number.isSafeInteger(value)) throw this.fault(name, 'is not a whole number');
    return value;
  }

  amount(name: string): number {
    const value = this.value(name);
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw this.fault(name, 'is not a number from 0 on');
    return value;
  }

  text(name: string, pattern: RegExp): string {
    const value = this.value(name);
    if (typeof value !== 'string' || !pattern.test(value)) throw this.fault(name, `does not match ${pattern.source}`);
    return value;
  }

  flag(name: string): boolean {
    const value = this.value(name);
    if (typeof value !== 'boolean') throw this.fault(name, 'is not true or false');
    return value;
  }

  literalTrue(name: string): true {
    if (this.value(name) !== true) throw this.fault(name, 'is not true');
    return true;
  }

  list(name: string): readonly JsonValue[] {
    const value = this.value(name);
    if (!Array.isArray(value)) throw this.fault(name, 'is not a list');
    return value as readonly JsonValue[];
  }

  fault(name: string, what: string): ClusterError {
    return new ClusterError('BAD_REQUEST', `checkpoint data: ${this.place}${name === '' ? '' : `.${name}`} ${what}`);
  }
}
