/**
 * Timers of one keyed operator: registered by key and namespace, fired one at a time.
 *
 *     event time       operator.onEvent(watermark) ─► advanceWatermark ─► one timer ─► 'more' …
 *     processing time  Clock ─► schedule ─► between two records, with room ─► one timer ─► 'more' …
 *
 * One timer per call, so that a watermark from the far future neither blocks the slot nor fills the outputs:
 * the task goes on when there is room, and no record of the operator overtakes what is still to fire.
 * There is one pending alarm of the Clock however many processing timers there are.
 *
 * Source: Flink `InternalTimerServiceImpl`.
 */
import type { Clock, Timer } from '../base/ports.ts';
import { present } from '../base/assert.ts';
import { NO_TIMESTAMP } from '../graph/functions.ts';
import { keyGroupOf } from '../graph/key-groups.ts';
import { keyHashOf } from '../graph/key-hash.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { KeyGroupRange, KeyedStateStore, SnapshotTimer, SnapshotTimers } from './keyed-state-store.ts';
import type { Namespace } from './namespace.ts';
import { copyAny } from './stored-value.ts';
import { TimerQueue, type TimerMoment } from './timer-queue.ts';

export type TimeDomain = 'event' | 'processing';

/** Whom timers fire at. */
export interface TimerTarget {
  /** The timer's key is the selected key of the store. The namespace is not selected. */
  onTimer(domain: TimeDomain, timestampMs: number, namespace: Namespace): void;
}

/** Timers of one keyed operator subtask. */
export interface TimerService {
  /** `NO_TIMESTAMP` before the first. */
  readonly currentWatermarkMs: number;
  currentProcessingTimeMs(): number;
  /** For the selected key. A timer that is there already, by domain, timestamp, key and namespace, stays where it is. */
  register(domain: TimeDomain, timestampMs: number, namespace: Namespace): void;
  /** For the selected key. A timer that is not there is no error. */
  delete(domain: TimeDomain, timestampMs: number, namespace: Namespace): void;
  /**
   * For the selected key and event time: as `register(to)` and then `delete(from)`, with one search instead of two: a session
   * that grows does it for each record. Only when `to` is not there.
   */
  move(from: TimerMoment, to: TimerMoment): void;
  /** Called in the operator's `open`. */
  fireTo(target: TimerTarget): void;
  /**
   * Takes the watermark, and fires the earliest timer that is due by it. `'more'`: another one is due, call again.
   * For `StreamOperator.onEvent` to return.
   */
  advanceWatermark(timestampMs: number): void | 'more';
}

/** One timer, as a snapshot sees it. */
export interface TimerEntry {
  readonly domain: TimeDomain;
  readonly keyGroup: number;
  readonly key: unknown;
  readonly namespace: Namespace;
  readonly timestampMs: number;
}

/** Work between two records, while there is room; called again for as long as it answers `'more'`. */
export type ScheduledWork = () => void | 'more';

/** What the task lends to a timer service. */
export interface TimerSurroundings {
  readonly clock: Clock;
  readonly schedule: (work: ScheduledWork) => void;
}

/** An alarm is at most this far off: `setTimeout` ends at 24 days, and the wall clock may jump meanwhile. */
const ALARM_DELAY_MS_MAX = 60_000;

/** Timers on the heap. See the file's head. */
export class HeapTimerService implements TimerService, SnapshotTimers {
  currentWatermarkMs = NO_TIMESTAMP;
  private readonly store: Pick<KeyedStateStore, 'key' | 'setKey'>;
  private readonly keyType: TypeDescriptor<unknown> | null;
  private readonly queues: Readonly<Record<TimeDomain, TimerQueue>>;
  private around: TimerSurroundings | null = null;
  private target: TimerTarget | null = null;
  private alarm: Timer | null = null;
  private alarmMs = Number.POSITIVE_INFINITY;
  /** Processing timers up to `dueMs` are being fired. */
  private isFiring = false;
  private dueMs = NO_TIMESTAMP;
  private isClosed = false;

  constructor(store: Pick<KeyedStateStore, 'key' | 'setKey'>, keyType: TypeDescriptor<unknown> | null) {
    this.store = store;
    this.keyType = keyType;
    this.queues = { event: new TimerQueue(keyType), processing: new TimerQueue(keyType) };
  }

  /** Called once, before the operator's `open`. Restored processing timers that are overdue fire at once. */
  attach(around: TimerSurroundings): void {
    this.around = around;
    this.setAlarm();
  }

  fireTo(target: TimerTarget): void {
    this.target = target;
  }

  currentProcessingTimeMs(): number {
    return present(this.around, 'timers are used from open on').clock.nowMs();
  }

  register(domain: TimeDomain, timestampMs: number, namespace: Namespace): void {
    checkTimestamp(timestampMs);
    const queue = this.queues[domain];
    if (queue.has(timestampMs, this.store.key(), namespace)) return;
    queue.add(timestampMs, this.ownedKey(), namespace);
    if (domain === 'processing') this.setAlarm();
  }

  move(from: TimerMoment, to: TimerMoment): void {
    checkTimestamp(to.timestampMs);
    if (!this.queues.event.move(this.store.key(), from, to)) this.register('event', to.timestampMs, to.namespace);
  }

  delete(domain: TimeDomain, timestampMs: number, namespace: Namespace): void {
    checkTimestamp(timestampMs);
    this.queues[domain].delete(timestampMs, this.store.key(), namespace);
  }

  advanceWatermark(timestampMs: number): void | 'more' {
    if (timestampMs > this.currentWatermarkMs) this.currentWatermarkMs = timestampMs;
    return this.fireDue('event', timestampMs);
  }

  /** How many timers wait. */
  count(domain: TimeDomain): number {
    return this.queues[domain].size;
  }

  capture(domain: TimeDomain): readonly SnapshotTimer[] {
    return this.queues[domain].toArray();
  }

  /** All timers of a key-group range, by ascending key group. */
  entries(range: KeyGroupRange): readonly TimerEntry[] {
    const hash = keyHashOf(this.keyType);
    const entries: TimerEntry[] = [];
    for (const domain of ['event', 'processing'] as const) {
      for (const { key, namespace, timestampMs } of this.queues[domain]) {
        const keyGroup = keyGroupOf(hash(key), range.maxParallelism);
        if (keyGroup >= range.first && keyGroup <= range.last) entries.push({ domain, keyGroup, key, namespace, timestampMs });
      }
    }
    return entries.sort((a, b) => a.keyGroup - b.keyGroup);
  }

  /** Puts a timer back. Before `attach`, or while no timer fires. */
  restore(entry: Omit<TimerEntry, 'keyGroup'>): void {
    this.queues[entry.domain].add(entry.timestampMs, entry.key, entry.namespace);
    if (entry.domain === 'processing' && this.around !== null) this.setAlarm();
  }

  /** Nothing fires any more. Idempotent. */
  close(): void {
    this.isClosed = true;
    this.alarm?.cancel();
    this.alarm = null;
  }

  /** One timer, if one is due. Registering while it runs may make others due. */
  private fireDue(domain: TimeDomain, dueMs: number): void | 'more' {
    const queue = this.queues[domain];
    if (queue.peekMs() > dueMs) return undefined;
    const { key, timestampMs, namespace } = queue.take();
    this.store.setKey(key);
    present(this.target, 'who registers timers receives them').onTimer(domain, timestampMs, namespace);
    return queue.peekMs() <= dueMs ? 'more' : undefined;
  }

  /** Moves the alarm to the earliest timer. One that rings early sets the next. */
  private setAlarm(): void {
    const earliestMs = this.queues.processing.peekMs();
    if (this.isFiring || this.isClosed || earliestMs === Number.POSITIVE_INFINITY) return;
    if (this.alarm !== null && this.alarmMs <= earliestMs) return;
    this.alarm?.cancel();
    this.alarmMs = earliestMs;
    const { clock } = present(this.around, 'timers are used from open on');
    // The millisecond of a timer belongs to what comes before it, as with watermarks.
    const delayMs = Math.max(0, earliestMs - clock.nowMs()) + 1;
    this.alarm = clock.after(Math.min(delayMs, ALARM_DELAY_MS_MAX), () => this.onAlarm());
  }

  private onAlarm(): void {
    this.alarm = null;
    const { clock, schedule } = present(this.around, 'alarms ring after attach');
    const nowMs = clock.nowMs();
    if (nowMs < this.alarmMs) {
      this.setAlarm();
      return;
    }
    this.dueMs = Math.max(this.alarmMs, nowMs - 1);
    this.isFiring = true;
    schedule(() => this.fireProcessing());
  }

  private fireProcessing(): void | 'more' {
    if (this.isClosed) return undefined;
    if (this.fireDue('processing', this.dueMs) === 'more') return 'more';
    this.isFiring = false;
    this.setAlarm();
    return undefined;
  }

  /** A key that is an object may be changed by the user after this record. */
  private ownedKey(): unknown {
    const key = this.store.key();
    if (typeof key !== 'object') return key;
    if (this.keyType === null) return copyAny(key);
    return this.keyType.immutable ? key : this.keyType.codec().copy(key);
  }
}

function checkTimestamp(timestampMs: number): void {
  if (Number.isSafeInteger(timestampMs)) return;
  throw new ClusterError('TIMESTAMP_INVALID', `a timer's timestamp is a whole number of ms, not ${String(timestampMs)}`);
}
