/**
 * Which event time records have, and how long the program waits for those that are late.
 *
 *     WatermarkStrategy.forBoundedOutOfOrderness<Order>('20 s')
 *       .withTimestampAssigner((order) => order.at)
 *       .withIdleness('1 min')
 *
 * A strategy is a value: each `with…` answers a new one.
 */
import { planError } from '../graph/build-site.ts';
import type { TimestampAssigner, WatermarkData, WatermarkFunctions, WatermarkGenerator } from '../graph/watermarks.ts';
import { durationMs, type Duration } from './duration.ts';

/** For records of type `T`. */
export class WatermarkStrategy<T = unknown> {
  /** @internal */
  readonly data: WatermarkData;
  private readonly assigner: TimestampAssigner<T> | null;
  private readonly create: (() => WatermarkGenerator<T>) | null;

  private constructor(data: WatermarkData, assigner: TimestampAssigner<T> | null, create: (() => WatermarkGenerator<T>) | null) {
    this.data = data;
    this.assigner = assigner;
    this.create = create;
  }

  /** Timestamps rise within each subtask (of a source: within each split). */
  static forMonotonousTimestamps<T = unknown>(): WatermarkStrategy<T> {
    return WatermarkStrategy.forBoundedOutOfOrderness<T>(0);
  }

  /** A record comes at most so much later than one with a greater timestamp; what comes later still is late. */
  static forBoundedOutOfOrderness<T = unknown>(outOfOrderness: Duration): WatermarkStrategy<T> {
    const outOfOrdernessMs = wholeMs(outOfOrderness, 'forBoundedOutOfOrderness');
    return new WatermarkStrategy<T>(dataOf('bounded', outOfOrdernessMs), null, null);
  }

  /** Watermarks of a generator of one's own; `create` is called for each subtask (of a source: for each split). */
  static forGenerator<T>(create: () => WatermarkGenerator<T>): WatermarkStrategy<T> {
    if (typeof create !== 'function') throw planError('forGenerator needs a function that makes a generator');
    return new WatermarkStrategy<T>(dataOf('custom', 0), null, create);
  }

  /** None but at the end of a bounded input: for programs of processing time. */
  static noWatermarks<T = unknown>(): WatermarkStrategy<T> {
    return new WatermarkStrategy<T>(dataOf('none', 0), null, null);
  }

  /** The event time of a record, whole ms since the epoch. Without it records keep the timestamps that their source gave them. */
  withTimestampAssigner<S extends T>(timestampMs: TimestampAssigner<S>): WatermarkStrategy<S> {
    if (typeof timestampMs !== 'function') throw planError('withTimestampAssigner needs a function');
    return new WatermarkStrategy<S>({ ...this.data, assigns: true }, timestampMs, this.create);
  }

  /** A subtask or split without a record for so long is not waited for. */
  withIdleness(timeout: Duration): WatermarkStrategy<T> {
    const idlenessMs = wholeMs(timeout, 'withIdleness');
    if (idlenessMs === 0) throw planError('withIdleness: the timeout must be above 0');
    return new WatermarkStrategy<T>({ ...this.data, idlenessMs }, this.assigner, this.create);
  }

  /**
   * Sources of one group stay together: one that is ahead of the slowest by more than `driftMax` pauses, so that what waits for
   * the slowest does not pile up in state. For `fromSource`.
   */
  withWatermarkAlignment(group: string, driftMax: Duration, updateInterval: Duration = '1 s'): WatermarkStrategy<T> {
    const driftMsMax = wholeMs(driftMax, 'withWatermarkAlignment');
    const updateIntervalMs = wholeMs(updateInterval, 'withWatermarkAlignment: updateInterval');
    if (group === '') throw planError('withWatermarkAlignment: the group needs a name');
    if (updateIntervalMs === 0) throw planError('withWatermarkAlignment: the update interval must be above 0');
    const alignment = { group, driftMsMax, updateIntervalMs };
    return new WatermarkStrategy<T>({ ...this.data, alignment }, this.assigner, this.create);
  }

  /** @internal */
  get functions(): WatermarkFunctions {
    return {
      timestampMs: this.assigner as TimestampAssigner<unknown> | null,
      createGenerator: this.create as (() => WatermarkGenerator<unknown>) | null,
    };
  }
}

function dataOf(generator: WatermarkData['generator'], outOfOrdernessMs: number): WatermarkData {
  return { generator, outOfOrdernessMs, idlenessMs: null, assigns: false, alignment: null };
}

function wholeMs(duration: Duration, option: string): number {
  const ms = durationMs(duration, option);
  if (!Number.isSafeInteger(ms)) throw planError(`${option}: ${ms} ms is not a whole number of ms`);
  return ms;
}
