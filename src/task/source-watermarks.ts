/**
 * Event time at a source: a timestamp for each record of a batch, and watermarks for each split, combined.
 *
 *     batch of split A ─► assigner ─► tracker A ─┐
 *     batch of split B ─► assigner ─► tracker B ─┴► the least ─► event, between two batches or within one
 *
 * Records of one split are often in order where those of all splits together are not; so each split has its own
 * watermark, and none overtakes the slowest. A built-in reader reads one split after the other: there the split at
 * hand is the only one. Readers that do not say which split a batch is of have one watermark for all.
 *
 * Source: Flink `ProgressiveTimestampsAndWatermarks`, `WatermarkOutputMultiplexer`.
 */
import { CodeWriter } from '../base/code-writer.ts';
import type { Clock, Timer } from '../base/ports.ts';
import { CombinedWatermark } from '../exchange/combined-watermark.core.ts';
import type { StreamEvent } from '../exchange/contract.ts';
import type { ValveOutput } from '../exchange/watermark-valve.core.ts';
import { MAX_WATERMARK, NO_TIMESTAMP } from '../graph/functions.ts';
import type { RecordBatch } from '../graph/functions.ts';
import type { TimestampAssigner, WatermarkAlignmentData, WatermarkSpec } from '../graph/watermarks.ts';
import { MAX_TIMESTAMP_CELL, notATimestamp, RECORDS_CELL, WatermarkTracker } from '../operators/watermark-tracker.ts';

/** An event that belongs behind so many records of a batch. */
export interface EventWithin {
  readonly behind: number;
  readonly event: StreamEvent;
}

/** How a source's strategy is run. */
export interface SourceTimeOptions {
  readonly spec: WatermarkSpec;
  /** 0: no periodic watermarks. */
  readonly intervalMs: number;
  readonly codegen: boolean;
  /** The reader reads its splits one after the other. */
  readonly isSequential: boolean;
  readonly clock: Clock;
  /** Makes the task poll. */
  wake(): void;
  /** Tells the JobManager how far the source is. */
  report(timestampMs: number, alignment: WatermarkAlignmentData): void;
  /** Ids of the splits that the reader holds. */
  heldSplits(): readonly string[];
}

/** In place of a split's id: the records of all splits. */
const ALL = null;
type SplitKey = string | typeof ALL;

/** Sets the timestamps of a batch, and cells[0] to the greatest. */
type AssignAll = (values: readonly unknown[], timestampsMs: number[], count: number, cells: Float64Array) => void;

/** See the file's head. */
export class SourceWatermarks {
  /** Events that belong within the last batch. */
  within: readonly EventWithin[] = [];
  private readonly options: SourceTimeOptions;
  private readonly assignAll: AssignAll;
  private readonly combined = new CombinedWatermark<SplitKey>();
  private readonly trackers = new Map<SplitKey, WatermarkTracker>();
  private events: StreamEvent[] = [];
  private found: EventWithin[] | null = null;
  /** Records of the current batch before the events found now. */
  private seen = 0;
  private alarm: Timer | null = null;
  /** When the interval was over; null while it is not. */
  private dueMs: number | null = null;
  private isIdle = false;
  private lastPeriodMs: number;
  private emittedMs = NO_TIMESTAMP;
  private reports: Timer | null = null;
  /** The greatest watermark at which the source goes on reading. */
  private alignedMsMax = MAX_WATERMARK;

  constructor(options: SourceTimeOptions) {
    this.options = options;
    this.lastPeriodMs = options.clock.monotonicMs();
    this.assignAll = assignAllOf(options.spec.functions.timestampMs, options.codegen);
    this.track(ALL);
  }

  start(): void {
    const { clock, spec: { data: { alignment } } } = this.options;
    if (alignment !== null) this.reports = clock.every(alignment.updateIntervalMs, () => this.report());
    this.setAlarm();
  }

  /** Whether the source is to wait for others of its alignment group. */
  get isAhead(): boolean {
    return this.emittedMs > this.alignedMsMax;
  }

  onAlignment(timestampMsMax: number): void {
    this.alignedMsMax = timestampMsMax;
  }

  /** An event that is due before the next batch. */
  next(): StreamEvent | null {
    if (this.dueMs !== null) this.onPeriod(this.dueMs);
    return this.events.shift() ?? null;
  }

  /** Splits were assigned. The watermark waits for all splits once the reader has told them apart. */
  onSplits(ids: readonly string[]): void {
    if (!this.options.isSequential && !this.trackers.has(ALL)) for (const id of ids) this.track(id);
  }

  /** Gives the records of a batch their timestamps, and takes note of them. */
  onBatch(batch: RecordBatch): void {
    this.found = [];
    this.seen = 0;
    const tracker = this.trackerOf(batch.splitId ?? ALL);
    const { values, timestampsMs, length } = batch;
    this.assignAll(values, timestampsMs, length, tracker.cells);
    tracker.cells[RECORDS_CELL] = (tracker.cells[RECORDS_CELL] as number) + length;
    if (this.options.spec.data.generator === 'custom') this.generate(tracker, batch);
    this.within = this.found;
    this.found = null;
  }

  /** Only the last watermark is to come; what must come before it, so that those who take the source for idle hear it. */
  end(): StreamEvent | null {
    this.close();
    this.events = [];
    this.emittedMs = MAX_WATERMARK;
    this.report(); // Nobody waits for a source that has ended.
    if (!this.isIdle) return null;
    this.isIdle = false;
    return { kind: 'status', idle: false };
  }

  close(): void {
    this.alarm?.cancel();
    this.reports?.cancel();
    this.dueMs = null;
  }

  private report(): void {
    const { alignment } = this.options.spec.data;
    if (alignment !== null) this.options.report(this.isIdle ? MAX_WATERMARK : this.emittedMs, alignment);
  }

  private setAlarm(): void {
    const { generator, idlenessMs } = this.options.spec.data;
    const { clock, intervalMs } = this.options;
    if (intervalMs === 0 || (generator === 'none' && idlenessMs === null)) return;
    this.alarm = clock.after(intervalMs, () => {
      this.dueMs = clock.monotonicMs();
      this.options.wake();
    });
  }

  private generate(tracker: WatermarkTracker, { values, timestampsMs, length }: RecordBatch): void {
    for (this.seen = 1; this.seen <= length; this.seen++) tracker.onRecord(values[this.seen - 1], timestampsMs[this.seen - 1] as number);
  }

  private onPeriod(dueMs: number): void {
    this.dueMs = null;
    const nowMs = this.options.clock.monotonicMs();
    if (!this.options.isSequential) this.dropFinished();
    const pausedMs = nowMs - (this.isAhead ? this.lastPeriodMs : dueMs); // Who waits for others is not idle.
    this.lastPeriodMs = nowMs;
    for (const tracker of this.trackers.values()) tracker.onPeriod(nowMs, pausedMs);
    this.setAlarm();
  }

  private dropFinished(): void {
    if (this.trackers.has(ALL)) return;
    const held = new Set<SplitKey>(this.options.heldSplits());
    const finished = [...this.trackers.keys()].filter((key) => !held.has(key));
    if (finished.length === this.trackers.size) this.track(ALL); // Idleness goes on to be watched.
    for (const key of finished) this.drop(key);
  }

  private trackerOf(key: SplitKey): WatermarkTracker {
    const known = this.trackers.get(key);
    if (known !== undefined) return known;
    const former = [...this.trackers.keys()];
    const tracker = this.track(key);
    if (key === ALL) return tracker;
    if (!this.options.isSequential) for (const id of this.options.heldSplits()) this.track(id);
    for (const each of former) if (each === ALL || this.options.isSequential) this.drop(each);
    return tracker;
  }

  private track(key: SplitKey): WatermarkTracker {
    const known = this.trackers.get(key);
    if (known !== undefined) return known;
    const { data, functions } = this.options.spec;
    const tracker = new WatermarkTracker(data, functions, {
      onWatermark: (timestampMs) => this.put(this.combined.onWatermark(key, timestampMs)),
      onIdle: (idle) => this.put(this.combined.onStatus(key, idle)),
    });
    this.trackers.set(key, tracker);
    this.combined.add(key);
    return tracker;
  }

  private drop(key: SplitKey): void {
    this.trackers.delete(key);
    this.put(this.combined.remove(key));
  }

  private put(outputs: readonly ValveOutput[]): void {
    for (const event of outputs) {
      if (event.kind === 'status') this.isIdle = event.idle;
      else this.emittedMs = event.timestampMs;
      if (this.found !== null) {
        this.found.push({ behind: this.seen, event });
        continue;
      }
      // The trackers of the splits move one after the other, and what comes of all of them is one watermark.
      if (event.kind === 'watermark' && this.events.at(-1)?.kind === 'watermark') this.events.pop();
      this.events.push(event);
    }
  }
}

/** A loop for each source: a shared one would call the assigners of many jobs from one place. */
function assignAllOf(assign: TimestampAssigner<unknown> | null, codegen: boolean): AssignAll {
  return codegen ? generated(assign) : interpreted(assign);
}

function interpreted(assign: TimestampAssigner<unknown> | null): AssignAll {
  return (values, timestampsMs, count, cells) => {
    for (let i = 0; i < count; i++) {
      const timestampMs = assign === null ? (timestampsMs[i] as number) : assign(values[i], timestampsMs[i] as number);
      if (!Number.isSafeInteger(timestampMs)) refuse(timestampMs);
      timestampsMs[i] = timestampMs;
      cells[MAX_TIMESTAMP_CELL] = Math.max(cells[MAX_TIMESTAMP_CELL] as number, timestampMs);
    }
  };
}

function generated(assign: TimestampAssigner<unknown> | null): AssignAll {
  const code = new CodeWriter();
  const call = assign === null ? 'timestampsMs[i]' : `${code.constant('assign', assign)}(values[i], timestampsMs[i])`;
  code.block('return function assignAll(values, timestampsMs, count, cells)', () => {
    code.line(`let greatest = cells[${MAX_TIMESTAMP_CELL}];`);
    code.block('for (let i = 0; i < count; i++)', () => {
      code.line(`const timestampMs = ${call};`);
      code.line(`if (!Number.isSafeInteger(timestampMs)) ${code.constant('refuse', refuse)}(timestampMs);`);
      code.line('timestampsMs[i] = timestampMs;');
      code.line('if (timestampMs > greatest) greatest = timestampMs;');
    });
    code.line(`cells[${MAX_TIMESTAMP_CELL}] = greatest;`);
  });
  return code.build('source-timestamps') as AssignAll;
}

function refuse(timestampMs: unknown): never {
  throw notATimestamp('the timestamp of a record', timestampMs);
}
