/**
 * `high-availability: NONE`: the one JobManager leads from start to end, TaskManagers know its address from
 * the configuration, and what it keeps is lost with its process.
 *
 * The session id is the fixed one that Flink prints; what fences is a random incarnation per process.
 */
import type { Random } from '../base/ports.ts';
import type { Epoch, JobId, LeaderSessionId } from '../protocol/ids.ts';
import type { JobResult } from '../protocol/job-result.ts';
import type { HaStores, LeaderElection, LeaderRetrieval } from './high-availability.ts';
import { issuePermit } from './leader-permit.ts';

/** Flink: `HighAvailabilityServices.DEFAULT_LEADER_ID`. */
export const STANDALONE_SESSION_ID = '00000000-0000-0000-0000-000000000000' as LeaderSessionId;

const INCARNATION_SIZE_BYTES = 8;
/** Results remembered to refuse a second submission of the same job id. The oldest go first. */
const RESULTS_MAX = 10_000;

/** Grants leadership as soon as it is started. */
export function standaloneElection(random: Random): LeaderElection {
  let revoke: (() => void) | null = null;
  return {
    start(contender): void {
      const term = { epoch: 1 as Epoch, incarnation: random.hex(INCARNATION_SIZE_BYTES) };
      revoke = () => contender.revokeLeadership('the JobManager is stopping');
      contender.grantLeadership(issuePermit(term, STANDALONE_SESSION_ID));
    },
    close(): Promise<void> {
      revoke?.();
      revoke = null;
      return Promise.resolve();
    },
  };
}

/** Always answers the configured address. */
export function standaloneRetrieval(address: { readonly host: string; readonly port: number }): LeaderRetrieval {
  return {
    start: (listener) => listener.leaderChanged({ ...address, sessionId: STANDALONE_SESSION_ID }),
    close: () => Promise.resolve(),
  };
}

/** Stores that live as long as the process. */
export function memoryStores(): HaStores {
  const graphs = new Map<JobId, Uint8Array>();
  const results = new Map<JobId, { readonly result: JobResult; clean: boolean }>();
  return {
    jobGraphs: {
      put: async (_permit, jobId, content) => void graphs.set(jobId, content),
      jobIds: async () => [...graphs.keys()],
      load: async (jobId) => graphs.get(jobId) ?? null,
      remove: async (_permit, jobId) => void graphs.delete(jobId),
    },
    jobResults: {
      createDirty: async (_permit, result) => {
        results.set(result.jobId, { result, clean: false });
        const oldest = results.keys().next();
        if (results.size > RESULTS_MAX && !oldest.done) results.delete(oldest.value);
      },
      markClean: async (_permit, jobId) => {
        const entry = results.get(jobId);
        if (entry) entry.clean = true;
      },
      has: async (jobId) => results.has(jobId),
      dirty: async () => [...results.values()].filter(({ clean }) => !clean).map(({ result }) => result),
    },
  };
}
