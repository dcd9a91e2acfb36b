/**
 * The ends of a chain: the discard sink, which is generated in place, and the sink over a `SinkWriter`
 * of the connectors, whose promises are awaited as back-pressure.
 *
 *     barrier ─► flush ─► prepareCommit ─► snapshot ─► the barrier is through ─► … complete ─► commit
 *     end     ─► flush ─► prepareCommit ─► (final checkpoint) ─► commit ─► finished
 */
import { RecordFold } from '../graph/record-hash.ts';
import type { Committer, RuntimeContext, SinkWriter, SinkWriterContext } from '../graph/functions.ts';
import type { StreamEvent } from '../exchange/contract.ts';
import { fromJsonBytes, jsonBytes } from '../protocol/control.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { JsonValue } from '../protocol/json.ts';
import { operatorFailure } from './failure.ts';
import { HeldRecords } from './held-records.ts';
import type { OperatorCode, OperatorContext, OperatorSnapshot, RecordVariables, RestoredState, StreamOperator } from './operator.ts';
import { SinkCommits } from './sink-commits.ts';

/** Forgets records; with a fold it first adds them to a count and a hash (graph/record-hash.ts). */
export class DiscardOperator implements StreamOperator {
  readonly name: string;
  readonly retainsInput = false;
  readonly retainsOutput = false;
  readonly readsOnly = true;
  /** Null: records are forgotten unseen. */
  readonly fold: RecordFold | null;

  constructor(name: string, fold: boolean) {
    this.name = name;
    this.fold = fold ? new RecordFold() : null;
  }

  link(): void {
    // A sink has no outputs.
  }

  open(): void {
    // Nothing to open.
  }

  process(value: unknown): void {
    this.fold?.add(value);
  }

  generate(code: OperatorCode, record: RecordVariables): void {
    if (this.fold !== null) code.line(`${code.constant('fold', this.fold)}.add(${record.value});`);
  }

  close(): void {
    // Nothing to close.
  }
}

/** Makes the writer of a sink when its task opens. */
export type OpenSinkWriter = (context: SinkWriterContext) => SinkWriter<unknown> | Promise<SinkWriter<unknown>>;

/** Makes its committer. Null: what is written is visible at once. */
export type OpenSinkCommitter = (context: RuntimeContext) => Committer | null | Promise<Committer | null>;

/** What a sink is made of, and how it treats records. */
export interface SinkParts {
  readonly openWriter: OpenSinkWriter;
  readonly openCommitter: OpenSinkCommitter;
  /** The writer is done with a record when `write` returns, and calls no user code that could change it. */
  readonly readsOnly: boolean;
  readonly copy: (value: unknown) => unknown;
}

/** The state of a sink's subtask in a checkpoint, as JSON. */
interface SinkState {
  readonly version: 1;
  /** Null: the writer has none. */
  readonly writer: { readonly state: JsonValue } | null;
  readonly committables: readonly JsonValue[];
}

/**
 * Gives records to a writer. A promise from the writer raises `status.full` until it settles; records
 * that arrive in between (from an upstream that cannot stop) wait in order.
 */
export class SinkOperator implements StreamOperator {
  readonly name: string;
  readonly retainsInput: boolean;
  readonly retainsOutput = false;
  readonly readsOnly: boolean;
  private readonly parts: SinkParts;
  private writer: SinkWriter<unknown> | null = null;
  private commits: SinkCommits | null = null;
  private context: Pick<OperatorContext, 'status' | 'post' | 'hasFinalCheckpoint'> = {
    status: { full: false }, post: () => undefined, hasFinalCheckpoint: false,
  };
  private readonly waiting: HeldRecords<{ readonly value: unknown; readonly timestampMs: number }>;
  /** A promise of the writer has not settled. Read by generated code for every record. */
  private writing = false;
  /** The barrier or end that the writer is being prepared for. */
  private preparing: StreamEvent | null = null;
  private restored: readonly RestoredState[] = [];
  private hasEnded = false;
  /** Commits that are being made. */
  private commitCount = 0;

  constructor(name: string, parts: SinkParts) {
    this.name = name;
    this.parts = parts;
    this.readsOnly = parts.readsOnly;
    this.retainsInput = !parts.readsOnly;
    this.waiting = new HeldRecords(name);
  }

  link(): void {
    // A sink has no outputs.
  }

  restore(states: readonly RestoredState[]): void {
    this.restored = states;
  }

  async open(context: OperatorContext): Promise<void> {
    this.context = context;
    const { runtime } = context;
    const { writers, committables } = shareOf(this.restored, runtime);
    const committer = await this.parts.openCommitter(runtime);
    this.commits = committer === null ? null : new SinkCommits(committer);
    if (committables.length > 0) await this.commitRestored(committables);
    this.writer = await this.parts.openWriter({ ...runtime, restored: writers });
  }

  process(value: unknown, timestampMs: number): void {
    if (this.writing) this.waiting.add({ value: this.parts.copy(value), timestampMs });
    else this.settle(this.writer?.write(value, timestampMs));
  }

  generate(code: OperatorCode, record: RecordVariables): void {
    code.line(`${code.constant('sink', this)}.process(${record.value}, ${record.timestampMs});`);
  }

  resume(): boolean {
    return !this.writing;
  }

  onEvent(event: StreamEvent): void | 'more' {
    if (event.kind === 'watermark') this.writer?.writeWatermark?.(event.timestampMs);
    if (event.kind !== 'barrier' && event.kind !== 'end') return undefined;
    if (this.preparing !== event) {
      this.preparing = event;
      this.settle(this.prepare(event.kind === 'end'));
    }
    if (this.writing) return 'more';
    this.preparing = null;
    if (event.kind === 'end') this.onEnd();
    return undefined;
  }

  snapshot(checkpointId: number): OperatorSnapshot | Promise<OperatorSnapshot> {
    const committables = this.commits?.take(checkpointId) ?? [];
    if (this.writer?.snapshot === undefined) return committables.length === 0 ? null : encode({ version: 1, writer: null, committables });
    const state = this.writer.snapshot(checkpointId);
    if (!(state instanceof Promise)) return encode({ version: 1, writer: { state }, committables });
    return state.then((settled) => encode({ version: 1, writer: { state: settled }, committables }));
  }

  checkpointComplete(checkpointId: number): void {
    this.commit((commits) => commits.commit(checkpointId));
  }

  awaitsCheckpoint(): boolean {
    return this.hasEnded && this.commits?.isEmpty === false;
  }

  isIdle(): boolean {
    return this.preparing === null && this.commitCount === 0;
  }

  async close(): Promise<void> {
    const { writer, commits } = this;
    this.writer = null;
    this.commits = null;
    await writer?.close();
    await commits?.close();
  }

  /** Everything written so far is safe, or ready to be committed, once this has settled. */
  private prepare(isEnd: boolean): void | Promise<void> {
    const flushed = this.writer?.flush(isEnd);
    return this.commits === null || this.writer?.prepareCommit === undefined ? flushed : this.prepareCommit(flushed);
  }

  private async prepareCommit(flushed: void | Promise<void>): Promise<void> {
    await flushed;
    this.commits?.add(await this.writer?.prepareCommit?.() ?? []);
  }

  /** Without a final checkpoint nothing would ever commit what is left. */
  private onEnd(): void {
    this.hasEnded = true;
    if (!this.context.hasFinalCheckpoint) this.commit((commits) => commits.commitNow());
  }

  private commit(begin: (commits: SinkCommits) => Promise<void>): void {
    if (this.commits === null || this.commits.isEmpty) return;
    this.commitCount++;
    begin(this.commits).then(
      () => this.context.post(() => void this.commitCount--),
      (thrown: unknown) => this.fail(thrown),
    );
  }

  private async commitRestored(committables: readonly JsonValue[]): Promise<void> {
    if (this.commits === null) {
      const message = `sink '${this.name}' has no committer, but the checkpoint holds ${committables.length} of its commits`;
      throw new ClusterError('STATE_INCOMPATIBLE', message);
    }
    this.commits.add(committables);
    await this.commits.commitNow();
  }

  /** Waits for the writer when it asked for that. */
  private settle(written: void | Promise<void>): void {
    if (written === undefined) return;
    this.writing = true;
    this.context.status.full = true;
    written.then(() => this.context.post(() => this.onWritten()), (thrown: unknown) => this.fail(thrown));
  }

  private fail(thrown: unknown): void {
    this.context.post(() => {
      throw operatorFailure(this.name, thrown);
    });
  }

  private onWritten(): void {
    this.writing = false;
    while (!this.writing && this.waiting.length > 0) {
      const next = this.waiting.take();
      if (next !== undefined) this.process(next.value, next.timestampMs);
    }
  }
}

function encode(state: SinkState): Uint8Array {
  return jsonBytes(state);
}

/** What one subtask takes over. With another parallelism writers' states and committables are dealt out one by one. */
function shareOf(
  states: readonly RestoredState[], runtime: RuntimeContext,
): { readonly writers: readonly JsonValue[]; readonly committables: readonly JsonValue[] } {
  const decoded = states.map(({ bytes }) => fromJsonBytes<SinkState>(bytes));
  const writers = decoded.flatMap(({ writer }) => (writer === null ? [] : [writer.state]));
  const committables = decoded.flatMap((state) => state.committables);
  if (states.every(({ formerParallelism }) => formerParallelism === runtime.parallelism)) return { writers, committables };
  const isMine = (_: unknown, index: number): boolean => index % runtime.parallelism === runtime.subtaskIndex;
  return { writers: writers.filter(isMine), committables: committables.filter(isMine) };
}
