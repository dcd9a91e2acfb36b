/**
 * The contract of an operator: what happens to a record between two edges of a chain.
 *
 * Each operator is written twice in one file. `process` is the specification: direct, called through an
 * interface. `generate` writes the same steps as text, so that a whole chain becomes one function whose
 * call sites see one user function each (`task/chain-generator.ts`). The suites run both.
 *
 *     upstream ── process(value, timestampMs) ──► operator ── outputs.main.collect ──► downstream
 *
 * Laws, held by test/conformance/operators.test.ts for every operator:
 *  - `process` is synchronous and may be called between any two records of a batch.
 *  - It may be entered while `status.full`: an upstream that emits from a callback cannot stop. What an
 *    operator cannot pass on it holds, in order, and gives out in `resume`.
 *  - Events arrive in order with the records, and only while the segment holds nothing.
 */
import type { OutputStatus, StreamEvent } from '../exchange/contract.ts';
import type { RuntimeContext } from '../graph/functions.ts';
import type { Clock } from '../base/ports.ts';
import type { ScheduledWork, TimerService } from '../state/timer-service.ts';

/** Where results go. */
export interface Output {
  collect(value: unknown, timestampMs: number): void;
}

/** The outputs of one operator, linked before `open`. */
export interface OperatorOutputs {
  readonly main: Output;
  /** Null when nobody reads the tag: the record disappears. */
  side(tagId: string): Output | null;
}

/** What an operator may use from `open` on. */
export interface OperatorContext {
  readonly runtime: RuntimeContext;
  /** Raised by an operator that takes no further record; the task lowers it once every `resume` is true. */
  readonly status: OutputStatus;
  /** Runs `action` on the task's thread between two records; the only way back in for a promise. */
  post(action: () => void): void;
  /** Runs `work` between two records as soon as there is room, and again while it answers `'more'`. It may emit. */
  schedule(work: ScheduledWork): void;
  /** Sends an event of the operator's own to everything downstream of it, before the next batch of records at the latest. */
  emitEvent(event: StreamEvent): void;
  readonly clock: Clock;
  /** Whether checkpoints are taken to the last one, after the end of the input; without, nothing may wait for one. */
  readonly hasFinalCheckpoint: boolean;
  /** Timers of the operator's keys; null when no input is keyed. */
  readonly timers: TimerService | null;
}

/** See `StreamOperator.snapshot`. */
export type OperatorSnapshot = Uint8Array | null;

/** State of an operator as a former subtask left it. */
export interface RestoredState {
  /** Of the former subtask. */
  readonly subtaskIndex: number;
  readonly formerParallelism: number;
  readonly bytes: Uint8Array;
}

/** One operator of one subtask. */
export interface StreamOperator {
  /** For error messages. */
  readonly name: string;
  /** Whether it keeps a record beyond `process`: the record it is given must not be shared. */
  readonly retainsInput: boolean;
  /** Whether it keeps what it emits: consumers that could change a record get a copy. */
  readonly retainsOutput: boolean;
  /** Whether it only looks at records while `process` runs: it may be given a shared one. */
  readonly readsOnly: boolean;
  /** Called once, before `open`. */
  link(outputs: OperatorOutputs): void;
  open(context: OperatorContext): void | Promise<void>;
  process(value: unknown, timestampMs: number, inputIndex: 0 | 1): void;
  /** Writes what `process` does with the record in the variables `record`. */
  generate(code: OperatorCode, record: RecordVariables, inputIndex: 0 | 1): void;
  /** Gives out what is held while `status.full` is false. True when nothing is held and a record may come. */
  resume?(): boolean;
  /**
   * An event passes, before it goes downstream. `end` is the last. `'more'`: it is not done, because it has no room or has
   * taken its turn; it is called again with the same event, and gets no record before it is done. `'stop'`: the event ends here.
   */
  onEvent?(event: StreamEvent): void | 'more' | 'stop';
  /**
   * The state beyond the keyed one, as of the barrier that has just passed: encoded, in a format of the operator's own; null
   * for none. A promise may settle after records have followed. What it throws declines the checkpoint and nothing else.
   */
  snapshot?(checkpointId: number): OperatorSnapshot | Promise<OperatorSnapshot>;
  /** Before `open`: what `snapshot` gave, of each former subtask whose state this one takes over. */
  restore?(states: readonly RestoredState[]): void;
  /** Every checkpoint up to this one has been completed. May come late, twice, or never. */
  checkpointComplete?(checkpointId: number): void;
  checkpointAborted?(checkpointId: number): void;
  /** After `end`: it must not finish before a checkpoint that was taken since is complete. */
  awaitsCheckpoint?(): boolean;
  /** False while work of the past is under way that the end of the task waits for. */
  isIdle?(): boolean;
  /** Also after a failure and without `open`; idempotent. */
  close(): void | Promise<void>;
}

/** Names of the variables that hold a record in generated code. */
export interface RecordVariables {
  readonly value: string;
  readonly timestampMs: string;
}

/** What `generate` writes into. Text of the user never enters: values go through `constant`. */
export interface OperatorCode {
  /** Identifier of the segment's `OutputStatus`. */
  readonly status: string;
  line(text: string): void;
  block(head: string, body: () => void): void;
  /** A fresh identifier. */
  name(hint: string): string;
  /** An identifier bound to `value`. */
  constant(hint: string, value: unknown): string;
  /** Adds a declaration that lives as long as the task; called while the batch function is being written. */
  declare(text: string): void;
  /** Writes the consumers of the main output in place, once per operator. */
  collect(record: RecordVariables): void;
  /** A function `(value, timestampMs)` that does the same; for operators that emit from several places. */
  collector(): string;
}
