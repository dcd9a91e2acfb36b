/**
 * The watermark of one stream of records: that of an operator's subtask, or of one split of a source.
 *
 *     records ─► generator ─► watermark ─► rises only
 *          └───► idleness: no record for so long ─► idle, until the next watermark
 *
 * Time that the task spent waiting for room does not count as idle: the records that would have come could not.
 *
 * Source: Flink `BoundedOutOfOrdernessWatermarks`, `WatermarksWithIdleness`, `TimestampsAndWatermarksOperator.WatermarkEmitter`.
 */
import { NO_TIMESTAMP } from '../graph/functions.ts';
import type { WatermarkData, WatermarkFunctions, WatermarkGenerator, WatermarkOutput } from '../graph/watermarks.ts';
import { ClusterError } from '../protocol/errors.ts';

/** Hears of every change, in order. */
export interface WatermarkListener {
  onWatermark(timestampMs: number): void;
  onIdle(isIdle: boolean): void;
}

/** Index into `WatermarkTracker.cells`. */
export const MAX_TIMESTAMP_CELL = 0;
export const RECORDS_CELL = 1;

/** See the file's head. */
export class WatermarkTracker implements WatermarkOutput {
  /** The greatest timestamp (of a bounded strategy) and the number of records (with idleness): a record costs two stores. */
  readonly cells = new Float64Array([NO_TIMESTAMP, 0]);
  watermarkMs = NO_TIMESTAMP;
  isIdle = false;
  private readonly data: WatermarkData;
  private readonly generator: WatermarkGenerator<unknown> | null;
  private readonly listener: WatermarkListener;
  private recordsSeen = 0;
  /** Since when there was no record, of the monotonic clock; null while there are. */
  private quietSinceMs: number | null = null;
  /** The generator that idleness is laid over is not asked while there are no records. */
  private isQuiet = false;

  constructor(data: WatermarkData, functions: WatermarkFunctions, listener: WatermarkListener) {
    this.data = data;
    this.generator = functions.createGenerator?.() ?? null;
    this.listener = listener;
  }

  /** One record, whose timestamp was checked. */
  onRecord(value: unknown, timestampMs: number): void {
    const { cells } = this;
    if (timestampMs > (cells[MAX_TIMESTAMP_CELL] as number)) cells[MAX_TIMESTAMP_CELL] = timestampMs;
    if (this.data.idlenessMs !== null) this.countRecord();
    this.generator?.onEvent(value, timestampMs, this);
  }

  /** The interval is over. `pausedMs`: how much of it the task could not take records. */
  onPeriod(nowMs: number, pausedMs: number): void {
    if (this.isPastIdleness(nowMs, pausedMs)) {
      if (!this.isQuiet) this.markIdle();
      this.isQuiet = true;
      return;
    }
    this.isQuiet = false;
    if (this.generator !== null) {
      this.generator.onPeriodicEmit(this);
    } else if (this.data.generator === 'bounded') {
      const timestampMs = this.cells[MAX_TIMESTAMP_CELL] as number;
      if (timestampMs !== NO_TIMESTAMP) this.emitWatermark(timestampMs - this.data.outOfOrdernessMs - 1);
    }
  }

  emitWatermark(timestampMs: number): void {
    if (!Number.isSafeInteger(timestampMs)) throw notATimestamp('a watermark', timestampMs);
    if (timestampMs <= this.watermarkMs) return;
    this.watermarkMs = timestampMs;
    this.markActive();
    this.listener.onWatermark(timestampMs);
  }

  markIdle(): void {
    if (this.isIdle) return;
    this.isIdle = true;
    this.listener.onIdle(true);
  }

  markActive(): void {
    if (!this.isIdle) return;
    this.isIdle = false;
    this.listener.onIdle(false);
  }

  private countRecord(): void {
    this.cells[RECORDS_CELL] = (this.cells[RECORDS_CELL] as number) + 1;
  }

  private isPastIdleness(nowMs: number, pausedMs: number): boolean {
    const { idlenessMs } = this.data;
    if (idlenessMs === null) return false;
    const records = this.cells[RECORDS_CELL] as number;
    if (records !== this.recordsSeen) {
      this.recordsSeen = records;
      this.quietSinceMs = null;
      return false;
    }
    if (this.quietSinceMs === null) {
      this.quietSinceMs = nowMs;
      return false;
    }
    this.quietSinceMs += pausedMs;
    return nowMs - this.quietSinceMs > idlenessMs;
  }
}

/** For what an assigner or a generator answers. */
export function notATimestamp(what: string, timestampMs: unknown): ClusterError {
  const text = typeof timestampMs === 'bigint' ? `${timestampMs}n` : String(timestampMs);
  const hint = timestampMs instanceof Date ? ': use its getTime()' : Number.isFinite(timestampMs) ? ': round it' : '';
  return new ClusterError('TIMESTAMP_INVALID', `${what} is a whole number of ms since the epoch, not ${text}${hint}`);
}
