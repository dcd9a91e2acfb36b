/**
 * The seam of high availability: who leads, where the leader is, and what must survive it. `high-availability:
 * NONE` fills it with a fixed leader and stores in memory or local files; ZooKeeper and HDFS fill it the same way.
 *
 * Writers must hold a `LeaderPermit`, which only an election hands out: a store checks it in the same
 * transaction as the write, so that a leader that was deposed without noticing cannot write.
 */
import type { JobId, LeaderSessionId } from '../protocol/ids.ts';
import type { JobResult } from '../protocol/job-result.ts';
import type { LeaderPermit } from './leader-permit.ts';

/** Told by an election. Calls alternate, beginning with a grant. */
export interface LeaderContender {
  grantLeadership(permit: LeaderPermit): void;
  revokeLeadership(reason: string): void;
}

/** One candidacy of this process. */
export interface LeaderElection {
  start(contender: LeaderContender): void;
  /** Withdraws; a leader is revoked first. */
  close(): Promise<void>;
}

/** Where the leader listens. */
export interface LeaderAddress {
  readonly host: string;
  readonly port: number;
  /** For logs. */
  readonly sessionId: LeaderSessionId;
}

/** Told by a retrieval, at first and whenever it changes. Null: nobody leads. */
export interface LeaderListener {
  leaderChanged(leader: LeaderAddress | null): void;
}

/** Watches who leads. */
export interface LeaderRetrieval {
  start(listener: LeaderListener): void;
  close(): Promise<void>;
}

/** Submitted jobs that are not over. Content is opaque bytes (a JobGraph as JSON). */
export interface JobGraphStore {
  /** Durable when it resolves. Replaces an older revision. */
  put(permit: LeaderPermit, jobId: JobId, content: Uint8Array): Promise<void>;
  jobIds(): Promise<readonly JobId[]>;
  /** Null when it is not stored. */
  load(jobId: JobId): Promise<Uint8Array | null>;
  remove(permit: LeaderPermit, jobId: JobId): Promise<void>;
}

/**
 * Results of jobs that are over, so that none ever runs twice. A result is *dirty* until the job's other
 * traces are gone, then *clean*; a leader that finds dirty ones finishes their clean-up first.
 */
export interface JobResultStore {
  createDirty(permit: LeaderPermit, result: JobResult): Promise<void>;
  markClean(permit: LeaderPermit, jobId: JobId): Promise<void>;
  has(jobId: JobId): Promise<boolean>;
  dirty(): Promise<readonly JobResult[]>;
}

/** Everything that must survive a JobManager. */
export interface HaStores {
  readonly jobGraphs: JobGraphStore;
  readonly jobResults: JobResultStore;
}
