/**
 * The in-flight records that a subtask takes over from a checkpoint: channel after channel, in the order of each. Of a
 * channel that several subtasks take over, each keeps the records that its edge now sends to it.
 */
import type { RecordBatch } from '../graph/functions.ts';
import type { PieceReader } from '../exchange/in-flight.ts';

/** One channel. */
export interface RestoredChannel {
  readonly reader: PieceReader;
  readonly inputIndex: 0 | 1;
  /** Null: every record is this subtask's. */
  readonly isOwn: ((value: unknown) => boolean) | null;
}

/** See the file's head. */
export class RestoredInput {
  /** Of the last `read`. */
  inputIndex: 0 | 1 = 0;
  private readonly channels: RestoredChannel[];

  constructor(channels: readonly RestoredChannel[]) {
    this.channels = channels.toReversed();
  }

  /** Fills `batch` from one channel; false: nothing is left. Throws DATA_CORRUPT, CHECKPOINT_CORRUPT, and what a key selector throws. */
  read(batch: RecordBatch): boolean {
    for (let channel = this.channels.at(-1); channel !== undefined; channel = this.channels.at(-1)) {
      while (channel.reader.read(batch)) {
        if (channel.isOwn !== null) keepOwn(batch, channel.isOwn);
        this.inputIndex = channel.inputIndex;
        if (batch.length > 0) return true;
      }
      this.channels.pop();
    }
    return false;
  }
}

function keepOwn(batch: RecordBatch, isOwn: (value: unknown) => boolean): void {
  let kept = 0;
  for (let i = 0; i < batch.length; i++) {
    if (!isOwn(batch.values[i])) continue;
    batch.values[kept] = batch.values[i];
    batch.timestampsMs[kept++] = batch.timestampsMs[i] as number;
  }
  batch.length = kept;
}
