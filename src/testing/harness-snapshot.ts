/**
 * What a harness keeps of its operators, and how others begin with it: at the same parallelism each takes its own, at another
 * one keyed state and timers go by key group, and operator state as every operator deals it out.
 */
import type { RestoredState, StreamOperator } from '../operators/operator.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { JsonObject } from '../protocol/json.ts';
import type { KeyedStateStore, KeyGroupRange } from '../state/keyed-state-store.ts';
import { keyedFilePart } from '../state/snapshot-format.ts';

/** The state of the operators of one harness. Opaque: it is made by `snapshot` and goes into `OperatorHarnessOptions.restore`. */
export interface HarnessSnapshot {
  readonly subtaskIndex: number;
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** By operator id. */
  readonly operators: Readonly<Record<string, HarnessOperatorState>>;
}

interface HarnessKeyedState {
  readonly meta: JsonObject;
  readonly bytes: Uint8Array;
}

interface HarnessOperatorState {
  readonly name: string;
  readonly keyed: HarnessKeyedState | null;
  readonly operator: Uint8Array | null;
}

/** Which subtask a harness stands for. */
export interface HarnessSubtask {
  readonly subtaskIndex: number;
  readonly parallelism: number;
  readonly keyGroups: KeyGroupRange;
}

/** An operator of a harness. */
export interface HarnessOperator {
  readonly operatorId: string;
  readonly operator: StreamOperator;
  readonly store: KeyedStateStore | null;
  /** It takes the operator state of all subtasks. */
  readonly hasUnionState: boolean;
}

const SLICE_SIZE_BYTES = 64 * 1024;

/** The state of an operator as of now. */
export async function snapshotOf({ operator, store }: HarnessOperator, checkpointId: number): Promise<HarnessOperatorState> {
  const taken = operator.snapshot?.(checkpointId) ?? null;
  const snapshot = store?.snapshot(checkpointId, 'canonical') ?? null;
  try {
    const slices: Uint8Array[] = [];
    for (let slice = snapshot?.next(SLICE_SIZE_BYTES); slice; slice = snapshot?.next(SLICE_SIZE_BYTES)) slices.push(slice);
    const keyed = snapshot === null ? null : { meta: snapshot.meta, bytes: new Uint8Array(Buffer.concat(slices)) };
    return { name: operator.name, keyed, operator: await taken };
  } finally {
    snapshot?.release();
  }
}

/** Before `open`. Throws STATE_INCOMPATIBLE naming operator and state. */
export function restoreOperator(
  { operatorId, operator, store, hasUnionState }: HarnessOperator, snapshots: readonly HarnessSnapshot[], to: HarnessSubtask,
): void {
  const isSame = snapshots.every(({ parallelism }) => parallelism === to.parallelism);
  const former: RestoredState[] = [];
  for (const { subtaskIndex, parallelism, operators } of snapshots) {
    const state = operators[operatorId];
    if (state?.operator && (!isSame || hasUnionState || subtaskIndex === to.subtaskIndex)) {
      former.push({ subtaskIndex, formerParallelism: parallelism, bytes: state.operator });
    }
    if (state?.keyed) restoreKeyed(operator.name, store, state.keyed, to.keyGroups);
  }
  store?.endRestore();
  if (former.length > 0) operator.restore?.(former);
}

/** Throws STATE_INCOMPATIBLE for state of an operator that is none of `operatorIds`. */
export function checkClaimed(snapshots: readonly HarnessSnapshot[], operatorIds: ReadonlySet<string>): void {
  for (const [id, { name, keyed, operator }] of snapshots.flatMap(({ operators }) => Object.entries(operators))) {
    if (operatorIds.has(id) || (keyed === null && operator === null)) continue;
    const message = `the snapshot has state of operator '${name}' (${id}), which the harness does not run: keep its uid`;
    throw new ClusterError('STATE_INCOMPATIBLE', message);
  }
}

function restoreKeyed(operatorName: string, store: KeyedStateStore | null, { meta, bytes }: HarnessKeyedState, range: KeyGroupRange): void {
  if (store === null) throw new ClusterError('STATE_INCOMPATIBLE', `operator '${operatorName}' had keyed state and is not keyed any more`);
  const { start, end } = keyedFilePart(meta, range);
  store.restore({ meta, bytes: bytes.subarray(start, end), offset: start }, range);
}
