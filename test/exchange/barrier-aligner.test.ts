/**
 * The aligner against a model: channels with arbitrary contents, read in arbitrary order. Whatever the
 * order, a checkpoint that blocks holds exactly the records before its barrier. Planted bugs must be seen.
 */
import test from 'ava';
import fc from 'fast-check';
import { BarrierAligner } from '../../src/exchange/barrier-aligner.core.ts';
import type { AlignerOutput, Barrier } from '../../src/exchange/barrier-aligner.core.ts';

type Output = AlignerOutput<Barrier>;
/** A number is a barrier's id. A channel ends after its last item. */
type Item = 'record' | number;

/** What a test drives: the aligner, or one with a bug. */
type Aligner = Pick<BarrierAligner<Barrier>, 'onBarrier' | 'onOvertaking' | 'onEnd' | 'onAborted' | 'onTrigger'>;

const barrier = (checkpointId: number) => ({ checkpointId });
const taken = (checkpointId: number): Output => ({ kind: 'taken', barrier: { checkpointId } });
const begun = (checkpointId: number): Output => ({ kind: 'begun', checkpointId });
const overtaken = (checkpointId: number): Output => ({ kind: 'overtaken', checkpointId });
const block = (channelIndex: number): Output => ({ kind: 'block', channelIndex });
const unblock = (channelIndex: number): Output => ({ kind: 'unblock', channelIndex });

test('a channel is blocked behind its barrier until the last channel has it too', (t) => {
  const aligner = new BarrierAligner(3);
  t.deepEqual(aligner.onBarrier(1, barrier(1), true), [begun(1), block(1)]);
  t.deepEqual(aligner.onBarrier(0, barrier(1), true), [block(0)]);
  t.deepEqual(aligner.onBarrier(2, barrier(1), true), [block(2), unblock(0), unblock(1), unblock(2), taken(1)]);
});

test('at-least-once counts and blocks nothing, also with several checkpoints under way', (t) => {
  const aligner = new BarrierAligner(2);
  t.deepEqual(aligner.onBarrier(0, barrier(1), false), [begun(1)]);
  t.deepEqual(aligner.onBarrier(0, barrier(2), false), [begun(2)]);
  t.deepEqual(aligner.onBarrier(1, barrier(1), false), [taken(1)]);
  t.deepEqual(aligner.onBarrier(1, barrier(2), false), [taken(2)]);
});

test('a channel that has ended is not waited for, neither now nor later', (t) => {
  const aligner = new BarrierAligner(2);
  aligner.onBarrier(0, barrier(1), true);
  t.deepEqual(aligner.onEnd(1), [unblock(0), taken(1)]);
  t.deepEqual(aligner.onBarrier(0, barrier(2), true), [begun(2), block(0), unblock(0), taken(2)]);
});

test('a channel that goes past a checkpoint gives it up, and its barrier counts no more', (t) => {
  const aligner = new BarrierAligner(2);
  aligner.onBarrier(0, barrier(1), true);
  t.deepEqual(aligner.onBarrier(1, barrier(2), true), [unblock(0), overtaken(1), begun(2), block(1)]);
  t.deepEqual(aligner.onBarrier(0, barrier(2), true), [block(0), unblock(0), unblock(1), taken(2)]);
});

test('a checkpoint that a channel is past already is never begun', (t) => {
  const aligner = new BarrierAligner(3);
  aligner.onBarrier(0, barrier(2), false);
  t.deepEqual(aligner.onBarrier(1, barrier(1), false), [begun(1), overtaken(1)]);
  t.deepEqual(aligner.onBarrier(2, barrier(1), false), [], 'told once');
  aligner.onBarrier(1, barrier(2), false);
  t.deepEqual(aligner.onBarrier(2, barrier(2), false), [taken(2)]);
});

test('an aborted checkpoint frees its channels, and its later barriers are passed over', (t) => {
  const aligner = new BarrierAligner(3);
  aligner.onBarrier(0, barrier(1), true);
  t.deepEqual(aligner.onAborted(1), [unblock(0)]);
  t.deepEqual(aligner.onBarrier(1, barrier(1), true), []);
  t.deepEqual(aligner.onAborted(2), [], 'before its first barrier');
  t.deepEqual(aligner.onBarrier(2, barrier(2), true), []);
  t.deepEqual(aligner.onBarrier(1, barrier(3), true), [begun(3), block(1)]);
});

test('the abort of a later checkpoint does not touch the one under way, however many are aborted', (t) => {
  const aligner = new BarrierAligner(2);
  aligner.onBarrier(0, barrier(1), true);
  for (let id = 2; id < 500; id++) t.deepEqual(aligner.onAborted(id), []);
  t.deepEqual(aligner.onBarrier(1, barrier(1), true), [block(1), unblock(0), unblock(1), taken(1)]);
  t.deepEqual(aligner.onBarrier(1, barrier(499), true), []);
  t.deepEqual(aligner.onBarrier(1, barrier(500), true), [begun(500), block(1)]);
});

test('asked directly, the checkpoint is taken when all channels have ended, and at once when they had', (t) => {
  const aligner = new BarrierAligner(2);
  aligner.onEnd(0);
  t.deepEqual(aligner.onTrigger(barrier(1), true), [begun(1)]);
  t.deepEqual(aligner.onEnd(1), [taken(1)]);
  t.deepEqual(aligner.onTrigger(barrier(2), true), [begun(2), taken(2)]);
  t.deepEqual(aligner.onTrigger(barrier(2), true), [], 'once');
});

test('a barrier that overtakes frees the blocked channels, and what comes before the others is recorded', (t) => {
  const aligner = new BarrierAligner(4);
  aligner.onEnd(3);
  t.deepEqual(aligner.onBarrier(1, barrier(1), true), [begun(1), block(1)]);
  t.deepEqual(aligner.onOvertaking(0, barrier(1), false), [
    unblock(1), { kind: 'takenEarly', barrier: barrier(1), recording: [0, 2] }, { kind: 'recorded', checkpointId: 1, channelIndex: 0 },
  ]);
  t.deepEqual(aligner.onBarrier(0, barrier(1), true), [], 'in its place it holds nothing back');
  t.deepEqual(aligner.onEnd(2), [{ kind: 'recorded', checkpointId: 1, channelIndex: 2 }, { kind: 'complete', checkpointId: 1 }]);
  t.deepEqual(aligner.onOvertaking(1, barrier(1), false), [], 'too late to matter');
  t.deepEqual(aligner.onOvertaking(0, barrier(2), true), [begun(2), { kind: 'takenEarly', barrier: barrier(2), recording: [1] }]);
  t.deepEqual(aligner.onOvertaking(1, barrier(3), false), [
    begun(3), overtaken(2), { kind: 'takenEarly', barrier: barrier(3), recording: [0, 1] }, { kind: 'recorded', checkpointId: 3, channelIndex: 1 },
  ]);
  t.deepEqual(aligner.onAborted(3), []);
  t.deepEqual(aligner.onBarrier(0, barrier(3), true), []);
});

/** What one run over the model's channels came to. */
interface Outcome {
  readonly takenIds: readonly number[];
  readonly overtakenIds: readonly number[];
  /** First invariant that did not hold; null when all did. */
  readonly broken: string | null;
}

interface Steps {
  readonly channels: readonly (readonly Item[])[];
  readonly blocks: boolean;
  /** Which channel is read next, and now and then an abort. */
  readonly order: readonly { readonly channel: number; readonly abort: number | null; readonly announces: boolean }[];
  /** Barriers in their place overtake too, where they may. */
  readonly overtakes: boolean;
}

/** A checkpoint that was taken early: where each channel was then, and how many of its items were recorded since. */
interface Early {
  readonly cut: readonly number[];
  readonly recorded: number[];
  readonly recording: Set<number>;
}

/** Reads everything, the drawn order first, and checks each checkpoint as it is taken. */
function run(steps: Steps, aligner: Aligner): Outcome {
  const count = steps.channels.length;
  const position = Array.from({ length: count }, () => 0);
  const blocked = new Set<number>();
  const ended = new Set<number>();
  const aborted = new Set<number>();
  const takenIds: number[] = [];
  const overtakenIds: number[] = [];
  const announced = Array.from({ length: count }, () => 0);
  const early = new Map<number, Early>();
  let broken: string | null = null;
  const check = (holds: boolean, what: string): void => {
    if (!holds) broken ??= what;
  };
  const checkTaken = (id: number): void => {
    check(id > (takenIds.at(-1) ?? 0), 'ids ascend');
    check(!aborted.has(id), 'what was aborted is not taken');
    takenIds.push(id);
    for (const [channel, items] of steps.channels.entries()) {
      const at = items.indexOf(id);
      const due = at < 0 ? items.length : at + 1;
      const read = position[channel] as number;
      check(steps.blocks ? read === due : read >= due, `checkpoint ${id} on channel ${channel}: read ${read}, due ${due}`);
      check(at >= 0 || ended.has(channel), `checkpoint ${id} waits for channel ${channel}`);
    }
  };
  const dueOf = (channel: number, id: number): number => {
    const at = steps.channels[channel]!.indexOf(id);
    return at < 0 ? steps.channels[channel]!.length : at;
  };
  const checkComplete = (id: number): void => {
    const { cut, recorded, recording } = early.get(id) as Early;
    check(recording.size === 0, 'complete once all channels are');
    for (const channel of steps.channels.keys()) {
      const due = dueOf(channel, id);
      const before = Math.min(cut[channel]!, due);
      check(before + recorded[channel]! === due, `early checkpoint ${id} on channel ${channel}: ${before} read, ${recorded[channel]} recorded, due ${due}`);
      check(cut[channel]! <= due + 1, `early checkpoint ${id} has what is behind its barrier on channel ${channel}`);
    }
    takenIds.push(id);
  };
  const takeEarly = (id: number, recording: readonly number[]): void => {
    check(id > (takenIds.at(-1) ?? 0) && !aborted.has(id), 'ids ascend, and what was aborted is not taken');
    early.set(id, { cut: position.slice(), recorded: position.map(() => 0), recording: new Set(recording) });
  };
  /** The channel keeps all that is left before the barrier. */
  const recorded = (id: number, channel: number): void => {
    const each = early.get(id) as Early;
    if (each.recording.delete(channel)) each.recorded[channel]! += Math.max(0, dueOf(channel, id) - position[channel]!);
  };
  const perform = (outputs: readonly Output[]): void => {
    for (const output of outputs) {
      if (output.kind === 'block') blocked.add(output.channelIndex);
      else if (output.kind === 'unblock') check(blocked.delete(output.channelIndex), 'only what is blocked is freed');
      else if (output.kind === 'taken') checkTaken(output.barrier.checkpointId);
      else if (output.kind === 'takenEarly') takeEarly(output.barrier.checkpointId, output.recording);
      else if (output.kind === 'recorded') recorded(output.checkpointId, output.channelIndex);
      else if (output.kind === 'complete') checkComplete(output.checkpointId);
      else if (output.kind === 'overtaken') overtakenIds.push(output.checkpointId);
    }
  };
  const read = (channel: number): boolean => {
    if (blocked.has(channel) || ended.has(channel)) return false;
    const item = steps.channels[channel]?.[position[channel] as number];
    const isRead = item !== undefined && item !== 0;
    for (const [id, { recording, recorded: kept }] of early) if (isRead && recording.has(channel) && item !== id) kept[channel]!++;
    if (item !== undefined) position[channel]!++;
    else ended.add(channel);
    if (item === undefined) perform(aligner.onEnd(channel));
    else if (item !== 'record' && steps.blocks && steps.overtakes) perform(aligner.onOvertaking(channel, barrier(item), true));
    else if (item !== 'record') perform(aligner.onBarrier(channel, barrier(item), steps.blocks));
    return true;
  };
  /** The channel's next barrier is told ahead of its place. */
  const announce = (channel: number): void => {
    const next = steps.channels[channel]!.slice(position[channel]).find((item) => item !== 'record' && item > announced[channel]!);
    if (!steps.blocks || ended.has(channel) || typeof next !== 'number') return;
    announced[channel] = next;
    perform(aligner.onOvertaking(channel, barrier(next), false));
  };
  for (const { channel, abort, announces } of steps.order) {
    if (announces) announce(channel % count);
    if (abort !== null) {
      aborted.add(abort);
      perform(aligner.onAborted(abort));
    }
    read(channel % count);
  }
  while (steps.channels.map((_, channel) => read(channel)).some(Boolean)) { /* until nothing moves */ }
  check(ended.size === count, 'every channel is read to its end');
  return { takenIds, overtakenIds, broken };
}

/** Channels of up to 4 checkpoints; a producer may have given some up, and may end at any point. */
const channelItems = fc.array(fc.record({ records: fc.nat(3), has: fc.boolean() }), { minLength: 0, maxLength: 4 }).map((parts) =>
  parts.flatMap(({ records, has }, i): Item[] => [...Array<Item>(records).fill('record'), ...(has ? [i + 1] : [])]));
const steps = fc.record({
  channels: fc.array(channelItems, { minLength: 1, maxLength: 4 }),
  blocks: fc.boolean(),
  overtakes: fc.boolean(),
  order: fc.array(fc.record({ channel: fc.nat(3), announces: fc.boolean(), abort: fc.option(fc.integer({ min: 1, max: 4 }), { freq: 8 }) }), { maxLength: 40 }),
});

/** A checkpoint that every channel has (or has ended before), and nobody aborts, is taken. */
function expectedIds({ channels, order, overtakes }: Steps): number[] {
  const last = order.some(({ announces }) => announces) || overtakes ? [4] : [1, 2, 3, 4]; // One that overtakes gives up those before it.
  const aborted = new Set(order.map(({ abort }) => abort));
  const isWhole = (id: number): boolean => channels.every((items) => items.includes(id) || items.every((item) => item === 'record' || item < id));
  return last.filter((id) => !aborted.has(id) && isWhole(id) && channels.some((items) => items.includes(id)));
}

function holds(model: Steps, newAligner: (channelCount: number) => Aligner): void {
  const { takenIds, overtakenIds, broken } = run(model, newAligner(model.channels.length));
  if (broken !== null) throw new Error(broken);
  for (const id of expectedIds(model)) if (!takenIds.includes(id)) throw new Error(`checkpoint ${id} was not taken`);
  for (const id of takenIds) if (overtakenIds.includes(id)) throw new Error(`checkpoint ${id} was taken and given up`);
}

const RUNS = { numRuns: 2000 };

test('whatever the order, exactly the records before each channel\'s barrier are inside, and nothing waits for ever', (t) => {
  t.notThrows(() => fc.assert(fc.property(steps, (model) => holds(model, (channelCount) => new BarrierAligner(channelCount))), RUNS));
});

/** Filters what the true aligner puts out. */
class Planted extends BarrierAligner<Barrier> {
  private readonly keep: (output: Output) => boolean;

  constructor(channelCount: number, keep: (output: Output) => boolean) {
    super(channelCount);
    this.keep = keep;
  }

  override onBarrier(...args: Parameters<BarrierAligner<Barrier>['onBarrier']>): readonly Output[] {
    return super.onBarrier(...args).filter((output) => this.keep(output));
  }

  override onOvertaking(...args: Parameters<BarrierAligner<Barrier>['onOvertaking']>): readonly Output[] {
    return super.onOvertaking(...args).filter((output) => this.keep(output));
  }

  override onEnd(channelIndex: number): readonly Output[] {
    return super.onEnd(channelIndex).filter((output) => this.keep(output));
  }

  override onAborted(checkpointId: number): readonly Output[] {
    return super.onAborted(checkpointId).filter((output) => this.keep(output));
  }
}

class IgnoresEnds extends BarrierAligner<Barrier> {
  override onEnd(): readonly Output[] {
    return [];
  }
}

class KeepsWaiting extends BarrierAligner<Barrier> {
  override onAborted(): readonly Output[] {
    return [];
  }
}

class TakesTheFirst extends BarrierAligner<Barrier> {
  override onBarrier(channelIndex: number, one: Barrier, blocks: boolean): readonly Output[] {
    const outputs = super.onBarrier(channelIndex, one, blocks);
    return outputs.some(({ kind }) => kind === 'begun') ? [...outputs, { kind: 'taken', barrier: one }] : outputs;
  }
}

test('planted bugs are seen', (t) => {
  const bugs: Record<string, (channelCount: number) => Aligner> = {
    'channels are not blocked': (count) => new Planted(count, ({ kind }) => kind !== 'block' && kind !== 'unblock'),
    'channels stay blocked': (count) => new Planted(count, ({ kind }) => kind !== 'unblock'),
    'a barrier is dropped': (count) => new Planted(count, ({ kind }) => kind !== 'taken'),
    'a channel is not recorded to its barrier': (count) => new Planted(count, ({ kind }) => kind !== 'recorded'),
    'ends do not count': (count) => new IgnoresEnds(count),
    'aborts are not heard': (count) => new KeepsWaiting(count),
    'the first barrier is taken for the last': (count) => new TakesTheFirst(count),
  };
  for (const [bug, newAligner] of Object.entries(bugs)) {
    t.throws(() => fc.assert(fc.property(steps, (model) => holds(model, newAligner)), RUNS), undefined, bug);
  }
});
