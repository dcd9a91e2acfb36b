/**
 * The built-in evictors: they keep the last records of a window, those of its last stretch of time, or those that are
 * near its last record. Before the window function by default, after it on request.
 *
 * Source: Flink `CountEvictor`, `TimeEvictor`, `DeltaEvictor`.
 */
import { NO_TIMESTAMP } from './functions.ts';
import type { Evictor, TimestampedValue } from './windows.ts';

type Elements<T> = readonly TimestampedValue<T>[];

/** Keeps the last `countMax` records. */
export function countEvictor<T>(countMax: number, after: boolean): Evictor<T> {
  return evictor(`CountEvictor(${countMax})`, after, (elements) => elements.slice(Math.max(0, elements.length - countMax)));
}

/** Keeps the records later than the latest one minus `sizeMs`. Without timestamps nothing is evicted. */
export function timeEvictor<T>(sizeMs: number, after: boolean): Evictor<T> {
  return evictor(`TimeEvictor(${sizeMs})`, after, (elements) => {
    if ((elements[0]?.timestampMs ?? NO_TIMESTAMP) === NO_TIMESTAMP) return elements;
    let latestMs = NO_TIMESTAMP;
    for (const { timestampMs } of elements) latestMs = Math.max(latestMs, timestampMs);
    return elements.filter(({ timestampMs }) => timestampMs > latestMs - sizeMs);
  });
}

/** Keeps the records whose `delta` to the last one is below the threshold. */
export function deltaEvictor<T>(threshold: number, delta: (a: T, b: T) => number, after: boolean): Evictor<T> {
  return evictor(`DeltaEvictor(${threshold})`, after, (elements) => {
    const last = elements.at(-1);
    return last === undefined ? elements : elements.filter(({ value }) => delta(value, last.value) < threshold);
  });
}

function evictor<T>(name: string, after: boolean, keep: (elements: Elements<T>) => Elements<T>): Evictor<T> {
  return after ? { name, evictAfter: keep } : { name, evictBefore: keep };
}
