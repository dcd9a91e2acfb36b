/**
 * Fencing of RPC: which leader a frame belongs to, and whether the receiver still obeys that leader.
 *
 * A leader accepts only frames of its own term; a follower refuses every epoch below the highest it has
 * obeyed, also in answers that arrive late. Where epochs cannot tell two leaders apart (each starts at 1
 * with `high-availability: NONE`) the incarnation does, per connection.
 *
 * Source: design/takeover.md, "Fencing".
 */
import { assert } from '../base/assert.ts';
import type { Epoch } from '../protocol/ids.ts';
import type { Method } from '../protocol/control.ts';
import { NO_TERM, type Term } from '../protocol/term.ts';

/** Stamps and judges the frames of one connection. */
export interface Fence {
  /** Stamped on every frame sent. */
  readonly term: Term;
  /** Whether a frame of `term` may be acted on. `method` is null for answers. */
  admits(term: Term, method: Method | null): boolean;
}

/** Fence of a leader: its own term, and registrations, which open a term's conversation. */
export class LeaderFence implements Fence {
  readonly term: Term;

  constructor(term: Term) {
    assert(term.epoch > 0, 'the epoch of a leader is positive');
    this.term = term;
  }

  admits(term: Term, method: Method | null): boolean {
    if (method === 'registerTaskManager') return true;
    return term.epoch === this.term.epoch && term.incarnation === this.term.incarnation;
  }
}

/** The highest epoch a follower has obeyed, over all of its connections. */
export interface EpochMemory {
  highestEpoch: Epoch;
}

/** Fence of a follower, for one connection: the first frame fixes the term, a higher epoch elsewhere ends it. */
export class FollowerFence implements Fence {
  private obeyed: Term = NO_TERM;
  private readonly memory: EpochMemory;

  constructor(memory: EpochMemory) {
    this.memory = memory;
  }

  get term(): Term {
    return this.obeyed;
  }

  admits(term: Term): boolean {
    if (term.epoch < this.memory.highestEpoch || term.epoch === 0) return false;
    if (this.obeyed === NO_TERM) this.obeyed = term;
    if (this.obeyed.epoch !== term.epoch || this.obeyed.incarnation !== term.incarnation) return false;
    this.memory.highestEpoch = term.epoch;
    return true;
  }
}
