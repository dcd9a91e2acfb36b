/** The right to write as leader. Handed out by elections only; stores check its term with every write. */
import type { LeaderSessionId } from '../protocol/ids.ts';
import type { Term } from '../protocol/term.ts';

const ISSUER: unique symbol = Symbol('leader election');

/** Held by a leader for the length of its term. */
export interface LeaderPermit {
  readonly [ISSUER]: true;
  readonly term: Term;
  /** For logs. */
  readonly sessionId: LeaderSessionId;
}

/** For implementations of `LeaderElection` in this room, and for nobody else. */
export function issuePermit(term: Term, sessionId: LeaderSessionId): LeaderPermit {
  return { [ISSUER]: true, term, sessionId };
}
