/**
 * Combines the watermarks and idle statuses of many channels into those of one stream.
 *
 *     channel 0: 12        aligned ┐
 *     channel 1: 17        aligned ├─► min = 12
 *     channel 2: idle              ┘   left out
 *     channel 3: 9, just active again, behind the 11 that was put out: left out until it catches up
 *
 * Invariants (test/exchange/watermark-valve.test.ts): the watermarks put out rise strictly; the stream is
 * idle exactly while all channels are; one late channel that was idle never holds the others back.
 *
 * Source: Flink `StatusWatermarkValve`.
 */
import { NO_TIMESTAMP } from '../graph/functions.ts';

/** What the valve puts out, in order. */
export type ValveOutput =
  | { readonly kind: 'watermark'; readonly timestampMs: number }
  | { readonly kind: 'status'; readonly idle: boolean };

interface ChannelTime {
  watermarkMs: number;
  isIdle: boolean;
  /** Counts for the minimum: active, and not behind what was put out. */
  isAligned: boolean;
}

/** One gate's valve. */
export class WatermarkValve {
  private readonly channels: readonly ChannelTime[];
  private emittedMs = NO_TIMESTAMP;
  private isIdle = false;

  constructor(channelCount: number) {
    this.channels = Array.from({ length: channelCount }, () => ({ watermarkMs: NO_TIMESTAMP, isIdle: false, isAligned: true }));
  }

  /** A watermark of an idle channel, or one that goes back, is ignored. */
  onWatermark(channelIndex: number, timestampMs: number): readonly ValveOutput[] {
    const channel = this.channels[channelIndex] as ChannelTime;
    if (channel.isIdle || timestampMs <= channel.watermarkMs) return [];
    channel.watermarkMs = timestampMs;
    channel.isAligned ||= timestampMs >= this.emittedMs;
    return this.advanceTo(this.leastAligned());
  }

  onStatus(channelIndex: number, idle: boolean): readonly ValveOutput[] {
    const channel = this.channels[channelIndex] as ChannelTime;
    if (channel.isIdle === idle) return [];
    channel.isIdle = idle;
    return idle ? this.onIdle(channel) : this.onActive(channel);
  }

  private onIdle(channel: ChannelTime): readonly ValveOutput[] {
    channel.isAligned = false;
    const heldBack = channel.watermarkMs === this.emittedMs;
    if (this.channels.some((other) => !other.isIdle)) return heldBack ? this.advanceTo(this.leastAligned()) : [];
    this.isIdle = true;
    // Nobody is left to be waited for: the furthest watermark holds.
    const rest = heldBack ? this.advanceTo(Math.max(...this.channels.map(({ watermarkMs }) => watermarkMs))) : [];
    return [...rest, { kind: 'status', idle: true }];
  }

  private onActive(channel: ChannelTime): readonly ValveOutput[] {
    channel.isAligned = channel.watermarkMs >= this.emittedMs;
    if (!this.isIdle) return [];
    this.isIdle = false;
    return [{ kind: 'status', idle: false }];
  }

  private leastAligned(): number {
    let leastMs = Number.POSITIVE_INFINITY;
    for (const { isAligned, watermarkMs } of this.channels) if (isAligned && watermarkMs < leastMs) leastMs = watermarkMs;
    return leastMs === Number.POSITIVE_INFINITY ? NO_TIMESTAMP : leastMs;
  }

  private advanceTo(timestampMs: number): readonly ValveOutput[] {
    if (timestampMs <= this.emittedMs) return [];
    this.emittedMs = timestampMs;
    return [{ kind: 'watermark', timestampMs }];
  }
}
