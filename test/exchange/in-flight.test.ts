/**
 * Barriers that overtake, over each kind of channel: whatever was written, read and moved before, a record is read
 * before the consumer's part of the checkpoint, or is in flight, or came after the barrier; never two of these.
 */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { BarrierEvent } from '../../src/exchange/contract.ts';
import { PieceReader, PieceWriter, decodePieces, encodePiece, joinPieces, type InFlightPiece } from '../../src/exchange/in-flight.ts';
import { GenericCodec } from '../../src/types/generic.ts';
import { t as types } from '../../src/types/t.ts';
import type { TypeDescriptor } from '../../src/types/type-descriptor.ts';
import { joinLocal, joinRings, joinTcp, newBatch, type Edge, type Joiner } from './two-ends.ts';

const barrierOf = (checkpointId: number): BarrierEvent => ({ kind: 'barrier', checkpointId, timestampMs: 7, options: '{}' });
const ROW = types.object({ n: types.int32, text: types.string });

function recordOf(n: number): unknown {
  // Every 50th spans several buffers; three shapes, so that buffers have shapes of their own.
  const text = 'x'.repeat(n % 50 === 49 ? 80_000 : n % 7);
  return n % 3 === 0 ? { n, text } : n % 3 === 1 ? { text, n } : { n, text, more: [n] };
}

/** Takes `polls` batches; the numbers of their records. */
function read(edge: Edge, polls: number, capacity: number): number[] {
  const seen: number[] = [];
  const batch = newBatch(capacity);
  for (let i = 0; i < polls; i++) {
    if (edge.gates[0]?.poll(batch) === 'records') for (let at = 0; at < batch.length; at++) seen.push((batch.values[at] as { n: number }).n);
  }
  return seen;
}

function decoded(type: TypeDescriptor<unknown> | null, pieces: readonly InFlightPiece[]): number[] {
  const reader = new PieceReader(type?.codec() ?? new GenericCodec(), pieces);
  const batch = newBatch(5);
  const numbers: number[] = [];
  while (reader.read(batch)) {
    for (let at = 0; at < batch.length; at++) {
      const { n } = batch.values[at] as { n: number };
      if (batch.timestampsMs[at] !== n * 3) throw new Error(`record ${n} came back with time ${batch.timestampsMs[at]}`);
      numbers.push(n);
    }
  }
  return numbers;
}

interface Steps {
  readonly declared: boolean;
  /** Records before the barrier, and how much is read meanwhile. */
  readonly rounds: readonly { readonly emits: number; readonly polls: number; readonly capacity: number; readonly flush: boolean; readonly settle: boolean }[];
  /** Written between the barrier and its announcement; and read on that side meanwhile. */
  readonly late: number;
  readonly latePolls: number;
  readonly loss?: 'output' | 'input';
}

async function overtaken(join: Joiner, { declared, rounds, late, latePolls, loss }: Steps): Promise<string | null> {
  const type = declared ? ROW : null;
  const edge = await join({ type, buffers: 3, writer: { partitioning: { kind: 'hash', key: { selector: () => 1, type: null } as never } } });
  try {
    const gate = edge.gates[0]!;
    const before: number[] = [];
    let next = 0;
    const emit = (count: number): void => {
      for (let i = 0; i < count; i++) edge.writer.emit(declared ? { n: next, text: (recordOf(next) as { text: string }).text } : recordOf(next), 3 * next++);
    };
    for (const { emits, polls, capacity, flush, settle } of rounds) {
      emit(emits);
      if (emits > 0) edge.writer.broadcast({ kind: 'watermark', timestampMs: next });
      if (flush) edge.writer.flush();
      if (settle) await edge.settle();
      edge.writer.refresh();
      before.push(...read(edge, polls, capacity));
    }
    edge.writer.broadcast(barrierOf(4));
    const atBarrier = next;
    emit(late);
    before.push(...read(edge, latePolls, 7)); // It may come to the barrier at its place.
    const kept: { output: InFlightPiece[]; input: InFlightPiece[] } = { output: [], input: [] };
    edge.writer.overtake(barrierOf(4), (_, piece) => kept.output.push(piece));
    for (let turn = 0; turn < 200 && gate.announced() === null; turn++) await edge.settle();
    const isPast = before.length > 0 && before.at(-1)! >= atBarrier;
    if (isPast || gate.event?.kind === 'barrier') return null; // Read in its place: nothing is overtaken.
    gate.record(0, 4, (piece) => kept.input.push(piece));
    const after = read(edge, 3, 11);
    if (!gate.isRecorded(0)) return 'the announced channel is not wholly kept';
    const consumed = gate.endRecording(0);
    if (loss !== undefined) kept[loss].splice(-2);
    const bytes = Buffer.concat(kept.input.map((piece) => encodePiece(3, piece)));
    const all = joinPieces(decodePieces(bytes).get(3) ?? [], kept.output, consumed);
    const whole = [...before, ...decoded(type, all)];
    if (whole.length !== atBarrier || whole.some((n, i) => n !== i)) return `of ${atBarrier} records: ${before.length} read, in flight ${decoded(type, all).join(' ')}`;
    if (after.some((n, i) => n !== before.length + i)) return 'recording changes what is read';
    return null;
  } finally {
    await edge.close();
  }
}

const round = fc.record({ emits: fc.nat(180), polls: fc.nat(4), capacity: fc.integer({ min: 1, max: 60 }), flush: fc.boolean(), settle: fc.boolean() });
const steps = fc.record({ declared: fc.boolean(), rounds: fc.array(round, { minLength: 1, maxLength: 6 }), late: fc.nat(60), latePolls: fc.nat(2) });

async function holds(join: Joiner, loss: 'output' | 'input' | undefined, numRuns: number): Promise<void> {
  await fc.assert(fc.asyncProperty(steps, async (drawn) => {
    const broken = await overtaken(join, loss === undefined ? drawn : { ...drawn, loss });
    if (broken !== null) throw new Error(broken);
  }), { numRuns });
}

for (const [kind, join, numRuns] of [['local', joinLocal, 150], ['ring', joinRings, 150], ['tcp', joinTcp, 40]] as const) {
  test(`${kind}: a record is read before the barrier, or in flight, exactly once`, async (t: ExecutionContext) => {
    await t.notThrowsAsync(holds(join, undefined, numRuns));
  });
}

test('a piece that is not kept is noticed, at either end', async (t) => {
  await t.throwsAsync(holds(joinLocal, 'input', 100));
  await t.throwsAsync(holds(joinRings, 'input', 100));
  await t.throwsAsync(holds(joinRings, 'output', 100));
  await t.throwsAsync(holds(joinTcp, 'output', 60));
});

test('records from memory come back as they were, however many', (t) => {
  const writer = new PieceWriter(new GenericCodec());
  for (let n = 0; n < 3000; n++) writer.add(recordOf(n), 3 * n);
  const pieces = writer.take();
  t.true(pieces.length > 3);
  t.deepEqual(decoded(null, pieces), Array.from({ length: 3000 }, (_, n) => n));
  t.deepEqual(writer.take(), []);
});

test('pieces that are cut short, and a buffer that is missing, are damage', (t) => {
  const piece: InFlightPiece = { sequence: 9, partial: false, skip: 0, payload: new Uint8Array(10) };
  t.throws(() => decodePieces(encodePiece(0, piece).subarray(0, 20)), { code: 'CHECKPOINT_CORRUPT' });
  t.throws(() => joinPieces([], [piece], 8), { code: 'CHECKPOINT_CORRUPT', message: /buffer 8 is missing/ });
  t.deepEqual(joinPieces([], [piece], 10), []);
  t.throws(() => new PieceReader(new GenericCodec(), [{ ...piece, partial: true }]).read(newBatch()), { code: 'CHECKPOINT_CORRUPT' });
});
