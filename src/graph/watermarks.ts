/**
 * Watermark strategies as the engine sees them: which event time a record has, and which watermarks follow from the
 * records seen. `WatermarkStrategy` of the api room makes them.
 *
 * Source: Flink `WatermarkStrategy`, `WatermarkGenerator`, `WatermarkOutput`.
 */
import type { JsonObject } from '../protocol/json.ts';
import type { Nothing } from './functions.ts';

/** Event time of a record, whole ms since the epoch. `recordTimestampMs`: what the source gave it, or `NO_TIMESTAMP`. */
export type TimestampAssigner<T> = (value: T, recordTimestampMs: number) => number;

/** Where a generator puts its watermarks. */
export interface WatermarkOutput {
  /** No record with an event time up to `timestampMs` will follow. One that does not advance is ignored. Ends idleness. */
  emitWatermark(timestampMs: number): void;
  /** Nothing is to be waited for here, until the next watermark or `markActive`. */
  markIdle(): void;
  markActive(): void;
}

/** Makes watermarks from records. One for each subtask, or each split of a source. */
export interface WatermarkGenerator<T> {
  /** After each record. A watermark emitted here reaches the next operators before the next record. */
  onEvent(value: T, timestampMs: number, output: WatermarkOutput): Nothing;
  /** Every `pipeline.auto-watermark-interval`. */
  onPeriodicEmit(output: WatermarkOutput): Nothing;
}


/** Sources of a group that are ahead of the slowest by more than `driftMsMax` pause. */
export interface WatermarkAlignmentData extends JsonObject {
  readonly group: string;
  readonly driftMsMax: number;
  readonly updateIntervalMs: number;
}

/** The plain half of a strategy. */
export interface WatermarkData extends JsonObject {
  /** `bounded`: the greatest timestamp so far, minus `outOfOrdernessMs`, minus 1. */
  readonly generator: 'none' | 'bounded' | 'custom';
  readonly outOfOrdernessMs: number;
  /** Idle after so long without a record. */
  readonly idlenessMs: number | null;
  readonly assigns: boolean;
  /** At sources only. */
  readonly alignment: WatermarkAlignmentData | null;
}

/** The user's half. */
export interface WatermarkFunctions {
  /** Null: records keep the timestamps that they have. */
  readonly timestampMs: TimestampAssigner<unknown> | null;
  /** For `custom`. */
  readonly createGenerator: (() => WatermarkGenerator<unknown>) | null;
}

/** A strategy, as a source has it. */
export interface WatermarkSpec {
  readonly data: WatermarkData;
  readonly functions: WatermarkFunctions;
}
