/**
 * Combines the watermarks of several parts into one: the two inputs of an operator, the splits of a source.
 *
 *     input 0: 12      input 1: 17   ─► 12          input 0: idle   input 1: 17   ─► 17
 *
 * Unlike the channels of one input (watermark-valve.core.ts), a part that comes back from idleness is waited for at
 * once, and when the last one turns idle nothing is put out for those that were ahead.
 *
 * Invariants (test/exchange/combined-watermark.test.ts): the watermarks put out rise strictly, and each is the least of
 * the active parts; the whole is idle exactly while there are parts and all of them are.
 *
 * Source: Flink `CombinedWatermarkStatus`, `IndexedCombinedWatermarkStatus`, `WatermarkOutputMultiplexer`.
 */
import { NO_TIMESTAMP } from '../graph/functions.ts';
import type { ValveOutput } from './watermark-valve.core.ts';

interface Part {
  watermarkMs: number;
  isIdle: boolean;
}

const NOTHING: readonly ValveOutput[] = [];

/** Parts by a key of type `K`. */
export class CombinedWatermark<K> {
  private readonly parts = new Map<K, Part>();
  private emittedMs = NO_TIMESTAMP;
  private isIdle = false;

  /** Nothing is put out before the part has a watermark or is idle. */
  add(key: K): void {
    this.parts.set(key, { watermarkMs: NO_TIMESTAMP, isIdle: false });
  }

  remove(key: K): readonly ValveOutput[] {
    return this.parts.delete(key) ? this.update() : NOTHING;
  }

  /** One that goes back is ignored. A watermark makes its part active. */
  onWatermark(key: K, timestampMs: number): readonly ValveOutput[] {
    const part = this.parts.get(key);
    if (part === undefined) return NOTHING;
    part.isIdle = false;
    part.watermarkMs = Math.max(part.watermarkMs, timestampMs);
    return this.update();
  }

  onStatus(key: K, idle: boolean): readonly ValveOutput[] {
    const part = this.parts.get(key);
    if (part === undefined || part.isIdle === idle) return NOTHING;
    part.isIdle = idle;
    return this.update();
  }

  private update(): readonly ValveOutput[] {
    let leastMs = Number.POSITIVE_INFINITY;
    for (const part of this.parts.values()) if (!part.isIdle && part.watermarkMs < leastMs) leastMs = part.watermarkMs;
    if (this.parts.size === 0) return NOTHING;
    const idle = leastMs === Number.POSITIVE_INFINITY;
    const status: readonly ValveOutput[] = idle === this.isIdle ? NOTHING : [{ kind: 'status', idle }];
    this.isIdle = idle;
    if (idle || leastMs <= this.emittedMs) return status;
    this.emittedMs = leastMs;
    return [...status, { kind: 'watermark', timestampMs: leastMs }];
  }
}
