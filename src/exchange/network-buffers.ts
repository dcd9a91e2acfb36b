/**
 * The budget of network memory: how many buffers the rings of one TaskManager may have. A channel gets
 * as many buffers as pay off while memory is plenty, and the fewest that work once half of it is gone.
 *
 * Source: Flink `NetworkBufferPool` (the message is its own, since operators look for it).
 */
import { ClusterError } from '../protocol/errors.ts';
import { BUFFER_SIZE_BYTES } from './contract.ts';
import { RING_BUFFERS_MIN } from './ring.ts';

/** Buffers of one channel while memory is plenty: more gains nothing (bench/micro-exchange). */
const RING_BUFFERS_MAX = 8;

/** Counts buffers; the memory itself is allocated by the rings. */
export class NetworkBuffers {
  readonly total: number;
  private used = 0;

  constructor(sizeBytes: number) {
    this.total = Math.floor(sizeBytes / BUFFER_SIZE_BYTES);
  }

  get available(): number {
    return this.total - this.used;
  }

  /** Takes the buffers of one channel; answers how many. Throws INSUFFICIENT_NETWORK_BUFFERS. */
  reserve(): number {
    const wanted = this.used * 2 < this.total ? RING_BUFFERS_MAX : RING_BUFFERS_MIN;
    const count = Math.min(wanted, this.available);
    if (count < RING_BUFFERS_MIN) throw this.insufficient();
    this.used += count;
    return count;
  }

  release(count: number): void {
    this.used -= count;
  }

  private insufficient(): ClusterError {
    return new ClusterError(
      'INSUFFICIENT_NETWORK_BUFFERS',
      `Insufficient number of network buffers: required ${RING_BUFFERS_MIN}, but only ${this.available} available. ` +
        `The total number of network buffers is currently set to ${this.total} of ${BUFFER_SIZE_BYTES} bytes each. ` +
        "You can increase this number by setting the configuration keys 'taskmanager.memory.network.fraction', " +
        "'taskmanager.memory.network.min', and 'taskmanager.memory.network.max'.",
    );
  }
}
