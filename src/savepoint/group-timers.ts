/** The timers of one key group, by key, while its state is looked at or written. */
import type { SnapshotTimer, SnapshotTimers } from '../state/keyed-state-store.ts';
import { TIMER_DOMAINS } from '../state/keyed-state-store.ts';
import { VOID_NAMESPACE, type Namespace } from '../state/namespace.ts';
import { ByteWriter } from '../types/byte-writer.ts';
import { GenericCodec } from '../types/generic.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';

type Domain = (typeof TIMER_DOMAINS)[number];

/** Timers of the key at hand. */
export interface KeyTimers {
  /** Timestamps, ascending. */
  readonly eventTimeMs: readonly number[];
  readonly processingTimeMs: readonly number[];
  registerEventTimeTimer(timestampMs: number): void;
  registerProcessingTimeTimer(timestampMs: number): void;
  /** A timer that is not there is no error. */
  deleteEventTimeTimer(timestampMs: number): void;
  deleteProcessingTimeTimer(timestampMs: number): void;
}

interface TimersOfKey {
  readonly key: unknown;
  readonly domains: Readonly<Record<Domain, Map<string, SnapshotTimer>>>;
}

export class GroupTimers implements SnapshotTimers {
  private readonly keyType: TypeDescriptor<unknown> | null;
  /** By the text of a key, then by time and namespace. */
  private readonly byKey = new Map<string, TimersOfKey>();

  constructor(keyType: TypeDescriptor<unknown> | null) {
    this.keyType = keyType;
  }

  capture(domain: Domain): readonly SnapshotTimer[] {
    return [...this.byKey.values()].flatMap(({ domains }) => [...domains[domain].values()]);
  }

  restore({ domain, ...timer }: SnapshotTimer & { readonly domain: Domain }): void {
    this.add(domain, timer);
  }

  /** Keys that have timers. */
  keys(): readonly unknown[] {
    return [...this.byKey.values()].map(({ key }) => key);
  }

  /** Two equal keys have one text. */
  textOf(key: unknown): string {
    if (typeof key !== 'object') return `${typeof key} ${String(key)}`;
    const sink = new ByteWriter();
    (this.keyType?.codec() ?? new GenericCodec()).encode(key, sink);
    return Buffer.from(sink.toBytes()).toString('latin1');
  }

  forget(key: unknown): void {
    this.byKey.delete(this.textOf(key));
  }

  of(key: unknown): KeyTimers {
    const timesOf = (domain: Domain): number[] => {
      const timers = this.byKey.get(this.textOf(key))?.domains[domain].values() ?? [];
      return Array.from(timers, ({ timestampMs }) => timestampMs).toSorted((a, b) => a - b);
    };
    const register = (domain: Domain) => (timestampMs: number): void => this.add(domain, { key, namespace: VOID_NAMESPACE, timestampMs });
    const remove = (domain: Domain) => (timestampMs: number): void => {
      this.byKey.get(this.textOf(key))?.domains[domain].delete(timerText(timestampMs, VOID_NAMESPACE));
    };
    return {
      get eventTimeMs() {
        return timesOf('event');
      },
      get processingTimeMs() {
        return timesOf('processing');
      },
      registerEventTimeTimer: register('event'),
      registerProcessingTimeTimer: register('processing'),
      deleteEventTimeTimer: remove('event'),
      deleteProcessingTimeTimer: remove('processing'),
    };
  }

  private add(domain: Domain, timer: SnapshotTimer): void {
    const text = this.textOf(timer.key);
    const found = this.byKey.get(text) ?? { key: timer.key, domains: { event: new Map(), processing: new Map() } };
    this.byKey.set(text, found);
    found.domains[domain].set(timerText(timer.timestampMs, timer.namespace), timer);
  }
}

function timerText(timestampMs: number, { startMs, endMs }: Namespace): string {
  return `${timestampMs} ${startMs} ${endMs}`;
}
