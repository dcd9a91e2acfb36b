/**
 * Numbered records through counts by key into a two-phase sink, and what has to be outside when all is committed: every
 * count of every key, once and in order.
 */
import type { ExecutionContext } from 'ava';
import { dataGenerator, state, t as types } from '../../src/index.ts';
import type { DataStream, Sink, StreamExecutionEnvironment } from '../../src/index.ts';

const KEYS = 17;

// Types, since an interface is no JsonValue.
type Count = { readonly key: number; readonly count: number };
type Prepared = { readonly id: string; readonly counts: Count[] };

/** The outside of the sink: commits by id, so that one that is made again changes nothing. */
export class Outside {
  /** How long each write takes. */
  slowMs = 0;
  private readonly commits = new Map<string, readonly Count[]>();
  private readonly waiting: (() => void)[] = [];
  private writers = 0;

  counts(): Count[] {
    return [...this.commits.values()].flat();
  }

  /** Resolves once `count` more records are committed. */
  async more(count: number): Promise<void> {
    const due = this.counts().length + count;
    while (this.counts().length < due) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  sink(): Sink<Count, Prepared> {
    return {
      name: 'two-phase',
      createWriter: () => {
        const writer = ++this.writers;
        let serial = 0;
        let counts: Count[] = [];
        return {
          write: (value) => {
            counts.push(value);
            return this.slowMs === 0 ? undefined : new Promise((resolve) => setTimeout(resolve, this.slowMs));
          },
          flush: () => undefined,
          prepareCommit: () => {
            const prepared = counts;
            counts = [];
            return prepared.length === 0 ? [] : [{ id: `${writer}-${serial++}`, counts: prepared }];
          },
          close: () => undefined,
        };
      },
      createCommitter: () => ({
        commit: async (committables) => {
          for (const prepared of committables) this.commit(prepared);
        },
      }),
    };
  }

  /** Each key's counts are 1, 2, 3 … as often as its numbers came, in the order of their commits. */
  holds(t: ExecutionContext, records: number): void {
    t.is(this.counts().length, records);
    for (let each = 0; each < KEYS; each++) {
      const counts = this.counts().filter(({ key }) => key === each);
      t.true(counts.every(({ count }, index) => count === index + 1), `key ${each}: ${JSON.stringify(counts.slice(0, 20))}`);
    }
  }

  private commit({ id, counts }: Prepared): void {
    if (!this.commits.has(id)) this.commits.set(id, counts);
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

/** The numbers 0, 1, 2 …, each as the count of its key so far. */
export function counted(env: StreamExecutionEnvironment, source: { readonly count: number; readonly ratePerSecond?: number }): DataStream<Count> {
  return env.fromSource(dataGenerator({ generate: (n) => n, ...source, type: types.int32 })).uid('numbers')
    .keyBy((n) => n % KEYS).process({
      state: { count: state.value(types.int32) },
      output: types.object({ key: types.int32, count: types.int32 }),
      process: (_, { key, state: { count } }, out) => {
        const next = (count.get() ?? 0) + 1;
        count.set(next);
        out.emit({ key: Number(key), count: next });
      },
    }).uid('counts');
}
