/** Operator state of user functions: filled as a barrier passes, dealt out, united, kept, and on a cluster across a rescale. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { systemPorts } from '../../src/base/system-ports.ts';
import { job, state, t as types } from '../../src/index.ts';
import type { Collector, DataStream, InitializeContext, ProcessContext, RuntimeContext, SnapshotContext } from '../../src/index.ts';
import { MiniCluster, OperatorHarness, type HarnessSnapshot } from '../../src/testing/index.ts';
import { pacedSource, type Tap } from './paced-source.ts';

/** Of the paced source. */
const SPLIT_SIZE = 20;
const operatorState = { pending: state.operatorList(types.object({ n: types.int32 })), seen: state.unionList(types.int32) };

type Held = typeof operatorState;
type Context = ProcessContext<never, Record<never, never>, Held>;

/** Holds numbers back until a negative one comes. */
class Holding {
  readonly operatorState = operatorState;
  private held: number[] = [];
  private readonly calls: string[];

  constructor(calls: string[] = []) {
    this.calls = calls;
  }

  initializeState({ operatorState: { pending, seen }, isRestored }: InitializeContext<Held>): void {
    this.calls.push(`initialize ${isRestored} ${pending.get().map(({ n }) => n).join()} | ${seen.get().join()}`);
    this.held = pending.get().map(({ n }) => n);
  }

  open(): void {
    this.calls.push('open');
  }

  process(n: number, context: Context, out: Collector<number>): void {
    if (n < 0) for (const each of this.held) out.emit(each);
    else this.held.push(n);
    context.operatorState.seen.add(n);
  }

  snapshotState({ operatorState: { pending }, checkpointId }: SnapshotContext<Held>): void {
    this.calls.push(`snapshot ${checkpointId}`);
    pending.update(this.held.map((n) => ({ n })));
  }

  notifyCheckpointComplete(checkpointId: number): void {
    this.calls.push(`complete ${checkpointId}`);
  }
}

const build = (calls?: string[]) => (numbers: DataStream<number>) => numbers.process(new Holding(calls)).uid('holding');

test('a function fills its lists as the barrier passes, and finds them before it is opened', async (t) => {
  const calls: string[] = [];
  const first = await OperatorHarness.open(build(calls));
  first.processElement(1);
  first.processElement(2);
  const restore = [await first.snapshot(7)];
  first.processElement(3);
  first.notifyCheckpointComplete(7);
  await first.close();
  t.deepEqual(calls.splice(0), ['initialize false  | ', 'open', 'snapshot 7', 'complete 7']);
  const second = await OperatorHarness.open(build(calls), { restore });
  t.teardown(() => second.close());
  t.deepEqual(calls.splice(0), ['initialize true 1,2 | 1,2', 'open']);
  second.processElement(-1);
  t.deepEqual(second.extractOutput(), [1, 2]);
});

test('lists are dealt out when the parallelism changes and stay when it does not; a union reaches everybody every time', async (t) => {
  let snapshots: readonly HarnessSnapshot[] = [];
  let all: number[] = [];
  for (const [round, parallelism] of [2, 2, 3, 1].entries()) {
    const next: HarnessSnapshot[] = [];
    const pending: number[][] = [];
    for (let subtaskIndex = 0; subtaskIndex < parallelism; subtaskIndex++) {
      const harness = await OperatorHarness.open(build(), { parallelism, subtaskIndex, restore: snapshots });
      t.teardown(() => harness.close());
      const seen = await harness.snapshot();
      harness.processElement(-1);
      pending.push(harness.extractOutput());
      const restored = await OperatorHarness.open(build(), { parallelism, subtaskIndex, restore: [seen] });
      t.teardown(() => restored.close());
      const mine = 10 * round + subtaskIndex;
      restored.processElement(mine);
      next.push(await restored.snapshot());
      all.push(mine);
    }
    t.deepEqual(pending.flat().toSorted((a, b) => a - b), all.slice(0, all.length - parallelism).toSorted((a, b) => a - b), `round ${round}`);
    const sizes = pending.map(({ length }) => length);
    t.true(Math.max(...sizes) - Math.min(...sizes) <= 1, sizes.join());
    all = all.toSorted((a, b) => a - b);
    snapshots = next;
  }
});

test('a state that the function no longer declares is in the next snapshot too', async (t) => {
  const first = await OperatorHarness.open(build());
  first.processElement(5);
  const without = await OperatorHarness.open((numbers: DataStream<number>) => numbers.process({ process: (n, _context, out) => out.emit(n) }).uid('holding'), {
    restore: [await first.snapshot()],
  });
  const again = await OperatorHarness.open(build(), { restore: [await without.snapshot()] });
  t.teardown(() => Promise.all([first, without, again].map((harness) => harness.close())).then(() => undefined));
  again.processElement(-1);
  t.deepEqual(again.extractOutput(), [5]);
});

test('what cannot be operator state is refused where it is declared', (t) => {
  const bad = job({ name: 'bad' }, (env) => {
    const fn = { operatorState: { count: state.value(types.int32) as never }, process: () => undefined };
    env.fromElements(1).process(fn).discard();
  });
  t.throws(() => bad.build({ args: {}, configuration: {} }), { code: 'PLAN_INVALID', message: /operator state 'count' is value state.*state\.operatorList/ });
  const beside = job({ name: 'beside' }, (env) => {
    const rules = env.fromElements(1).broadcast({ rules: state.map(types.int32, types.int32) });
    const fn = { operatorState, process: () => undefined, processBroadcast: () => undefined };
    env.fromElements(1).connect(rules).process(fn).discard();
  });
  t.throws(() => beside.build({ args: {}, configuration: {} }), { code: 'PLAN_INVALID', message: /beside broadcast state has no operatorState/ });
});

test('on a cluster every held number is there after a stop, at any parallelism, and the union is whole', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'drey-operator-state-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  await using cluster = await MiniCluster.start({ slots: 3 });
  const tap: Tap = { isClosed: false, total: -1 };
  const held = new Map<number, readonly number[]>();
  let unions: number[] = [];
  const program = job({ name: 'holding' }, (env) => {
    let index = 0;
    env.fromSource(pacedSource(tap)).uid('numbers').process({
      operatorState,
      initializeState({ operatorState: { seen } }: InitializeContext<Held>) {
        if (seen.get().length > 0) unions.push(seen.get().length);
      },
      open: (context: RuntimeContext) => void (index = context.subtaskIndex),
      process(n: number, { operatorState: { pending, seen } }: Context) {
        pending.add({ n });
        seen.update([index]);
        held.set(index, pending.get().map((each) => each.n));
      },
    }).uid('holding').discard();
  });
  let path = '';
  for (const parallelism of [2, 2, 3]) {
    held.clear();
    unions = [];
    const before = tap.total;
    const restore = path === '' ? {} : { 'execution.state-recovery.path': path };
    const running = await cluster.submit(program, {}, { 'parallelism.default': `${parallelism}`, ...restore });
    const isBusy = (): boolean => held.size === parallelism && tap.total > before + 100;
    while (!isBusy()) await new Promise((resolve) => systemPorts.clock.after(2, () => resolve(null)));
    await running.running();
    path = await running.stopWithSavepoint({ directory });
    if (path !== '' && before >= 0) t.deepEqual(unions, Array.from({ length: parallelism }, () => 2));
    const numbers = [...held.values()].flat();
    t.is(new Set(numbers).size, numbers.length, 'nothing is held twice');
  }
  const all = [...held.values()].flat().toSorted((a, b) => a - b);
  const unread = 3 * SPLIT_SIZE; // Each reader is somewhere in a split.
  t.true(all.length > 300 && all.length > (all.at(-1) ?? 0) - unread, `${all.length} of ${all.at(-1)}`);
});
