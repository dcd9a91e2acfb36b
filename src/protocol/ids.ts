/**
 * Branded ids: strings at run time, distinct types at compile time. Formats follow Flink 1.20, since
 * operators and scripts parse them in logs and URLs.
 */
import type { Random } from '../base/ports.ts';

type Id<Brand extends string> = string & { readonly __brand: Brand };

/** 32 lower-case hex characters. */
export type JobId = Id<'JobId'>;
/** 32 hex characters, derived from the operators' ids; stable across rebuilds of the same plan. */
export type JobVertexId = Id<'JobVertexId'>;
/** 32 hex characters: hash of the `uid`, or of the operator's place in the graph. State is mapped by it. */
export type OperatorId = Id<'OperatorId'>;
/** `<execution graph id>_<vertex id>_<subtask>_<attempt number>` (Flink 1.16+). One attempt of one subtask. */
export type ExecutionAttemptId = Id<'ExecutionAttemptId'>;
/** 32 hex characters; one life of a slot in the hands of one job. */
export type AllocationId = Id<'AllocationId'>;
/** `<host>:<port>-<6 hex>`, or the configured `taskmanager.resource-id`. */
export type ResourceId = Id<'ResourceId'>;
/** 32 hex characters, drawn by the ResourceManager at each registration. */
export type InstanceId = Id<'InstanceId'>;
/** UUID of one grant of leadership. For logs; `Epoch` is what fences. */
export type LeaderSessionId = Id<'LeaderSessionId'>;
/** 64 hex characters: SHA-256 of a job bundle. */
export type ArtifactId = Id<'ArtifactId'>;
/** 64 hex characters: SHA-256 of the canonical JSON of a plan. */
export type PlanDigest = Id<'PlanDigest'>;

/** The leader's fencing token: rises with every grant. 1 with `high-availability: NONE`. */
export type Epoch = number & { readonly __brand: 'Epoch' };
/** Deployment generation of a pipelined region: rises with every (re)deployment, starts at 1. */
export type Generation = number & { readonly __brand: 'Generation' };

const HEX_32 = /^[0-9a-f]{32}$/;

/** A fresh 32-hex id. */
export function newId<T extends JobId | AllocationId | InstanceId>(random: Random): T {
  return random.hex(16) as T;
}

/** The id as a `JobId` (lower-cased), or null when it is not 32 hex characters. */
export function parseJobId(text: string): JobId | null {
  const id = text.toLowerCase();
  return HEX_32.test(id) ? (id as JobId) : null;
}

/** Spells an attempt id. `executionGraphId` is 32 hex, drawn once per JobMaster. */
export function executionAttemptId(
  executionGraphId: string,
  vertex: JobVertexId,
  place: { subtaskIndex: number; attemptNumber: number },
): ExecutionAttemptId {
  return `${executionGraphId}_${vertex}_${place.subtaskIndex}_${place.attemptNumber}` as ExecutionAttemptId;
}
