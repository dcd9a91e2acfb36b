/**
 * Blocks of sorted files that were read lately, within a bound. A file knows the slots of its blocks, so a hit is two array
 * accesses. The clock hand passes a slot over once after each use; the memory of a block that goes serves the next.
 */
import { BLOCK_SIZE_BYTES } from './block-format.ts';

/** Blocks of usual size fit. */
const SLOT_SIZE_BYTES = 2 * BLOCK_SIZE_BYTES;
const SLOTS_MIN = 4;

/** Who has blocks in the cache. */
export interface BlockOwner {
  /** By block; -1: it is not in the cache. */
  readonly slots: Int32Array;
}

export class BlockCache {
  private readonly slotsMax: number;
  private readonly buffers: Buffer[] = [];
  private readonly owners: (BlockOwner | null)[] = [];
  private readonly blocks: number[] = [];
  private readonly used: boolean[] = [];
  private hand = 0;

  constructor(sizeBytes: number) {
    this.slotsMax = Math.max(SLOTS_MIN, Math.floor(sizeBytes / SLOT_SIZE_BYTES));
  }

  /** What is in a slot that its owner has. */
  at(slot: number): Buffer {
    this.used[slot] = true;
    return this.buffers[slot] as Buffer;
  }

  /** A buffer of at least `sizeBytes` for the block, to be filled at once. */
  take(owner: BlockOwner, block: number, sizeBytes: number): Buffer {
    const slot = this.freeSlot();
    let buffer = this.buffers[slot];
    const length = Math.max(SLOT_SIZE_BYTES, sizeBytes);
    if (buffer === undefined || buffer.length < sizeBytes || buffer.length > length) {
      buffer = Buffer.allocUnsafeSlow(length);
      this.buffers[slot] = buffer;
    }
    this.owners[slot] = owner;
    this.blocks[slot] = block;
    this.used[slot] = false;
    owner.slots[block] = slot;
    return buffer;
  }

  /** The owner's blocks are of no use any more. */
  drop(owner: BlockOwner): void {
    for (const slot of owner.slots) if (slot >= 0) this.owners[slot] = null;
    owner.slots.fill(-1);
  }

  private freeSlot(): number {
    if (this.buffers.length < this.slotsMax) return this.buffers.length;
    while (this.owners[this.hand] !== null && this.used[this.hand] === true) {
      this.used[this.hand] = false;
      this.hand = (this.hand + 1) % this.slotsMax;
    }
    const slot = this.hand;
    this.hand = (slot + 1) % this.slotsMax;
    const owner = this.owners[slot];
    if (owner !== null && owner !== undefined) owner.slots[this.blocks[slot] as number] = -1;
    return slot;
  }
}
