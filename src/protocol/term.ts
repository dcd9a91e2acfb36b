/** A leader's term: what fences RPC and HA storage. */
import type { Epoch } from './ids.ts';

/** One grant of leadership. */
export interface Term {
  readonly epoch: Epoch;
  /** Random, one per grant: tells two leaders apart where epochs cannot (`high-availability: NONE`). */
  readonly incarnation: string;
}

/** The term of a frame that was sent before its sender knew any. */
export const NO_TERM: Term = { epoch: 0 as Epoch, incarnation: '' };
