/**
 * What a checkpoint or savepoint is once it is complete: the state of every operator, as handles to files or
 * inline, with what is needed to hand it to another parallelism or another version of the program. Plain data;
 * metadata-file.ts gives it its form on disk.
 */
import { isStateless, parseOperatorSubtaskState } from '../protocol/checkpoint.ts';
import type { CheckpointKind, OperatorSubtaskState, SavepointFormat, StateHandle } from '../protocol/checkpoint.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { JobId, OperatorId } from '../protocol/ids.ts';
import type { JsonObject, JsonValue } from '../protocol/json.ts';

/** All subtasks of one operator. */
export interface OperatorState {
  readonly operatorId: OperatorId;
  /** For messages: ids mean nothing to people. */
  readonly name: string;
  readonly uid: string | null;
  /** Of the operator when the checkpoint was taken. */
  readonly parallelism: number;
  /** Number of key groups; fixed for as long as there is keyed state. */
  readonly maxParallelism: number;
  /** How many subtasks had finished: those have no state, and nothing left to do. */
  readonly finished: 'none' | 'some' | 'all';
  /** Of the operator coordinator (split enumerator); null when it has none. */
  readonly coordinator: JsonValue;
  /** Ascending; subtasks without state are left out. */
  readonly subtasks: readonly OperatorSubtaskState[];
}

/** A complete checkpoint. */
export interface CheckpointMetadata {
  readonly jobId: JobId;
  readonly checkpointId: number;
  readonly kind: CheckpointKind;
  /** Null: not a savepoint. */
  readonly format: SavepointFormat | null;
  /** Wall clock at which it was triggered, ms. */
  readonly timestampMs: number;
  readonly operators: readonly OperatorState[];
}

/** Whether the operator has anything that must not be lost. */
export function hasState({ subtasks, coordinator }: OperatorState): boolean {
  return coordinator !== null || !subtasks.every(isStateless);
}

/** A handle inside of the metadata, with where it belongs. */
export interface PlacedHandle {
  readonly state: OperatorState;
  readonly subtaskIndex: number;
  readonly handle: StateHandle;
}

/** Every handle, operator by operator. A file that two increments share comes twice. */
export function placedHandles({ operators }: CheckpointMetadata): PlacedHandle[] {
  return operators.flatMap((state) => state.subtasks.flatMap((subtask) => {
    return handlesOf([subtask]).map((handle) => ({ state, subtaskIndex: subtask.subtaskIndex, handle }));
  }));
}

/** The handles of some operators of a subtask. */
export function handlesOf(subtasks: readonly OperatorSubtaskState[]): StateHandle[] {
  return subtasks.flatMap(({ keyed, operator, inFlight }) => {
    return [...keyed.map(({ data }) => data), ...(operator ? [operator] : []), ...(inFlight ? [inFlight.data] : [])];
  });
}

/** Paths of the files that some handles refer to. */
export function filesOf(handles: readonly StateHandle[]): string[] {
  return handles.flatMap((handle) => (handle.kind === 'file' ? [handle.path] : []));
}

/** The same metadata with each file's path passed through `change`. */
export function withPaths(metadata: CheckpointMetadata, change: (path: string) => string): CheckpointMetadata {
  const moved = (handle: StateHandle): StateHandle => (handle.kind === 'file' ? { ...handle, path: change(handle.path) } : handle);
  const subtask = (state: OperatorSubtaskState): OperatorSubtaskState => ({
    ...state,
    keyed: state.keyed.map((keyed) => ({ ...keyed, data: moved(keyed.data) })),
    operator: state.operator && moved(state.operator),
    ...(state.inFlight === undefined ? {} : { inFlight: { ...state.inFlight, data: moved(state.inFlight.data) } }),
  });
  return { ...metadata, operators: metadata.operators.map((state) => ({ ...state, subtasks: state.subtasks.map(subtask) })) };
}

const FINISHED: readonly OperatorState['finished'][] = ['none', 'some', 'all'];

/** Metadata from parsed JSON, checked. Throws BAD_REQUEST naming the field. */
export function parseCheckpointMetadata(data: JsonValue): CheckpointMetadata {
  const { jobId, checkpointId, kind, format, timestampMs, operators } = object(data, 'metadata');
  return {
    jobId: text(jobId, 'jobId') as JobId,
    checkpointId: count(checkpointId, 'checkpointId'),
    kind: kind === 'savepoint' ? 'savepoint' : 'checkpoint',
    format: format === 'NATIVE' || format === 'CANONICAL' ? format : null,
    timestampMs: count(timestampMs, 'timestampMs'),
    operators: list(operators, 'operators').map(parseOperator),
  };
}

function parseOperator(data: JsonValue, index: number): OperatorState {
  const place = `operators[${index}]`;
  const state = object(data, place);
  return {
    operatorId: text(state['operatorId'], `${place}.operatorId`) as OperatorId,
    name: text(state['name'], `${place}.name`),
    uid: state['uid'] === null ? null : text(state['uid'], `${place}.uid`),
    parallelism: count(state['parallelism'], `${place}.parallelism`),
    maxParallelism: count(state['maxParallelism'], `${place}.maxParallelism`),
    finished: FINISHED.find((each) => each === state['finished']) ?? fail(`${place}.finished`),
    coordinator: state['coordinator'] ?? null,
    subtasks: list(state['subtasks'], `${place}.subtasks`).map((each, i) => parseOperatorSubtaskState(each, `${place}.subtasks[${i}]`)),
  };
}

function object(value: JsonValue, place: string): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : fail(place);
}

function list(value: JsonValue | undefined, place: string): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : fail(place);
}

function text(value: JsonValue | undefined, place: string): string {
  return typeof value === 'string' ? value : fail(place);
}

function count(value: JsonValue | undefined, place: string): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : fail(place);
}

function fail(place: string): never {
  throw new ClusterError('BAD_REQUEST', `checkpoint metadata: ${place} is missing or of a wrong type`);
}
