/** The timers of a snapshot, grouped by key group a slice at a time. */
import type { SnapshotTimer } from './keyed-state-store.ts';

/** Looked at in one step. */
const TIMERS_GROUPED = 16_384;

export class TimerGroups {
  /** Over all domains. */
  readonly count: number;
  private readonly timers: readonly (readonly SnapshotTimer[])[];
  private readonly keyGroupOf: (key: unknown) => number;
  private readonly groups: readonly Map<number, SnapshotTimer[]>[];
  private domain = 0;
  private index = 0;

  /** `timers` by domain. */
  constructor(timers: readonly (readonly SnapshotTimer[])[], keyGroupOf: (key: unknown) => number) {
    this.timers = timers;
    this.keyGroupOf = keyGroupOf;
    this.groups = timers.map(() => new Map<number, SnapshotTimer[]>());
    this.count = timers.reduce((count, ofDomain) => count + ofDomain.length, 0);
  }

  get isDone(): boolean {
    return this.domain === this.timers.length;
  }

  step(): void {
    const timers = this.timers[this.domain] as readonly SnapshotTimer[];
    const groups = this.groups[this.domain] as Map<number, SnapshotTimer[]>;
    const end = Math.min(this.index + TIMERS_GROUPED, timers.length);
    for (const timer of timers.slice(this.index, end)) {
      const keyGroup = this.keyGroupOf(timer.key);
      const group = groups.get(keyGroup);
      if (group === undefined) groups.set(keyGroup, [timer]);
      else group.push(timer);
    }
    this.index = end;
    if (end < timers.length) return;
    this.domain += 1;
    this.index = 0;
  }

  /** By domain, when all is done. */
  of(keyGroup: number): readonly (readonly SnapshotTimer[])[] {
    return this.groups.map((groups) => groups.get(keyGroup) ?? []);
  }
}
