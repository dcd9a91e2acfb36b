/**
 * Keeps the records of one channel within a slot that lie before a barrier, without taking them: encoded at once,
 * since the reader may change a record once it has it.
 */
import type { ChannelCodec } from './contract.ts';
import { PieceWriter, type InFlightPiece } from './in-flight.ts';
import type { LocalQueue } from './local-channel.ts';

/** See the file's head. */
export class LocalRecorder {
  private readonly queue: LocalQueue;
  private readonly checkpointId: number;
  private readonly writer: PieceWriter;
  private readonly keep: (piece: InFlightPiece) => void;
  /** Position of the first record that is not kept. */
  private due: number;
  private isDone = false;
  private failure: Error | null = null;

  constructor(queue: LocalQueue, codec: ChannelCodec, checkpoint: { readonly id: number; readonly keep: (piece: InFlightPiece) => void }) {
    this.queue = queue;
    this.checkpointId = checkpoint.id;
    this.keep = checkpoint.keep;
    this.writer = new PieceWriter(codec);
    this.due = queue.tail;
  }

  /** Keeps what is there; before any of it is taken. What goes wrong is told by `isRecorded`. */
  advance(): void {
    if (this.isDone || this.failure !== null) return;
    const { queue, checkpointId, writer } = this;
    const end = queue.events.find(({ event }) => event.kind === 'end' || (event.kind === 'barrier' && event.checkpointId >= checkpointId));
    const limit = end === undefined ? queue.head : end.position;
    this.isDone = end !== undefined;
    try {
      for (; this.due < limit; this.due++) {
        writer.add(queue.values[this.due & queue.mask], queue.timestampsMs[this.due & queue.mask] as number);
      }
      for (const piece of writer.take()) this.keep(piece);
    } catch (thrown) {
      this.failure = thrown as Error;
    }
  }

  /** Throws TYPE_MISMATCH. */
  isRecorded(): boolean {
    this.advance();
    if (this.failure !== null) throw this.failure;
    return this.isDone;
  }
}
