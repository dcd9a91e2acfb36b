/**
 * Operator state of user functions: what belongs to a subtask and not to a key. Flink: `CheckpointedFunction`. It is declared
 * beside the function, as keyed state is, and filled as the function goes or when a checkpoint asks for it.
 */
import type { Nothing } from './functions.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';

/** Declares a list. `operatorList`: dealt out when the parallelism changes; `unionList`: every subtask gets the elements of all. */
export interface OperatorListSpec<T> {
  readonly kind: 'operatorList' | 'unionList';
  /** Of the elements. */
  readonly type: TypeDescriptor<T>;
}

/** Operator states by name. */
export type OperatorStateSpecs = Readonly<Record<string, OperatorListSpec<unknown>>>;

/** A list of this subtask. Elements are copied as they are stored; the list read is shared: change it through the state. */
export interface OperatorList<T> {
  get(): readonly T[];
  add(value: T): void;
  addAll(values: Iterable<T>): void;
  /** Replaces the list. */
  update(values: Iterable<T>): void;
  clear(): void;
}

/** The lists that a function declares, by field name. */
export type OperatorStateHandles<O extends OperatorStateSpecs> = {
  readonly [N in keyof O]: O[N] extends OperatorListSpec<infer T> ? OperatorList<T> : never;
};

/** What `initializeState` learns. */
export interface InitializeContext<O extends OperatorStateSpecs> {
  readonly operatorState: OperatorStateHandles<O>;
  /** Whether there was state of the operator to begin with. */
  readonly isRestored: boolean;
}

/** What `snapshotState` learns. */
export interface SnapshotContext<O extends OperatorStateSpecs> {
  readonly operatorState: OperatorStateHandles<O>;
  readonly checkpointId: number;
}

/** A function that takes part in checkpoints. */
export interface Checkpointed<O extends OperatorStateSpecs> {
  readonly operatorState?: O;
  /** Once, before `open`: the lists hold what was restored. */
  initializeState?(context: InitializeContext<O>): Nothing;
  /** Between two records, as the barrier passes: what is in the lists when it returns is in the checkpoint. What it throws declines it. */
  snapshotState?(context: SnapshotContext<O>): Nothing;
  /** Every checkpoint up to this one is complete. May come late, twice, or never. */
  notifyCheckpointComplete?(checkpointId: number): Nothing;
}
