/**
 * What one subtask keeps of the records that the barrier of one checkpoint overtook: of its inputs what it has not
 * worked off, of its outputs what the consumer cannot see. The pieces of all channels go to one file, as they come.
 *
 *     source's batch ─┐
 *     input channels ─┼─► pieces, tagged by channel ─► slices of the file
 *     output channels ┘
 *
 * Source: Flink `ChannelStateWriteRequestExecutorImpl`.
 */
import { assert } from '../base/assert.ts';
import { encodePiece, type InFlightPiece } from '../exchange/in-flight.ts';
import type { CheckpointOptions, InFlightChannel, InFlightChannelName } from '../protocol/checkpoint.ts';
import { ClusterError } from '../protocol/errors.ts';

/** Tags are 16 bits. */
const CHANNELS_MAX = 65_536;
/** Pieces that wait for storage. Beyond, the checkpoint is given up: more came before the barriers than was in flight. */
const WAITING_SIZE_BYTES_MAX = 256 * 1024 * 1024;

/** Whether a barrier overtakes by now. */
export function isDue({ unaligned, alignedTimeoutMs }: CheckpointOptions, timestampMs: number, nowMs: number): boolean {
  return unaligned || (alignedTimeoutMs !== null && nowMs >= timestampMs + alignedTimeoutMs);
}

/** See the file's head. */
export class InFlightPart {
  /** Of all pieces. */
  sizeBytes = 0;
  /** The barrier overtook on the way in, or began here so. */
  isEarly = false;
  /** Every input is kept up to its barrier. */
  isRecorded = true;
  /** What went wrong; the checkpoint is declined for it. Null: nothing. */
  failure: unknown = null;
  private readonly opened: { -readonly [K in keyof InFlightChannel]: InFlightChannel[K] }[] = [];
  private waiting: Uint8Array[] = [];
  private waitingSizeBytes = 0;

  /** By tag. */
  get channels(): readonly InFlightChannel[] {
    return this.opened;
  }

  /** Answers the channel's tag. */
  open(name: InFlightChannelName, side: InFlightChannel['side']): number {
    const tag = this.opened.length;
    assert(tag < CHANNELS_MAX, 'a subtask has at most 65,536 channels');
    this.opened.push({ ...name, side, tag, consumed: null });
    return tag;
  }

  /** Past `WAITING_SIZE_BYTES_MAX` it fails with CHECKPOINT_FAILED. */
  keep(tag: number, piece: InFlightPiece): void {
    if (this.failure !== null) return;
    const bytes = encodePiece(tag, piece);
    this.sizeBytes += bytes.length;
    this.waitingSizeBytes += bytes.length;
    this.waiting.push(bytes);
    if (this.waitingSizeBytes <= WAITING_SIZE_BYTES_MAX) return;
    this.waiting = [];
    const message = `more than ${WAITING_SIZE_BYTES_MAX} bytes of in-flight records wait to be written`;
    this.failure = new ClusterError('CHECKPOINT_FAILED', message);
  }

  /** See `Inlet.endRecording`. */
  close(tag: number, consumed: number | null): void {
    const channel = this.opened[tag];
    assert(channel !== undefined, 'a channel is opened before it is closed');
    channel.consumed = consumed;
  }

  /** Pieces of about `sizeBytes`, each whole; null when none waits. */
  take(sizeBytes: number): Uint8Array | null {
    let [count, size] = [0, 0];
    while (count < this.waiting.length && size < sizeBytes) size += (this.waiting[count++] as Uint8Array).length;
    if (count === 0) return null;
    this.waitingSizeBytes -= size;
    return new Uint8Array(Buffer.concat(this.waiting.splice(0, count)));
  }
}
