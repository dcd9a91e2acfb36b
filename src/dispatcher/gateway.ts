/**
 * JobManagerGateway: everything that clients may ask of a JobManager. REST serves it, MiniCluster and the
 * simulator call it directly. Faults are `ClusterError`s; their codes carry the HTTP status.
 */
import type { JobGraph, ResourceRequirements } from '../graph/job-graph.ts';
import type { JobDetails } from '../jobmaster/job-details.ts';
import type { CheckpointDetails } from '../jobmaster/job-master.ts';
import type { SavepointWish } from '../protocol/checkpoint.ts';
import type { ArtifactId, JobId, ResourceId } from '../protocol/ids.ts';
import type { JobResult } from '../protocol/job-result.ts';
import type { JsonValue } from '../protocol/json.ts';
import type { ExecutionState, JobStatus } from '../protocol/states.ts';
import type { TaskManagerDetails } from '../slots/task-manager-details.ts';

export type { JobDetails, JobFailure, SubtaskDetails, TaskFailure, VertexDetails } from '../jobmaster/job-details.ts';
export type { CheckpointFigures, CheckpointStatistics, VertexCheckpointFigures } from '../jobmaster/checkpoint-statistics.ts';
export type { CheckpointDetails } from '../jobmaster/job-master.ts';
export type { JobResult } from '../protocol/job-result.ts';
export type { TaskManagerDetails } from '../slots/task-manager-details.ts';

/** The counters of `GET /overview`. */
export interface ClusterOverview {
  readonly taskManagerCount: number;
  readonly slotsTotal: number;
  readonly slotsAvailable: number;
  /** Every job that is not globally terminal. */
  readonly jobsRunning: number;
  readonly jobsFinished: number;
  readonly jobsCancelled: number;
  readonly jobsFailed: number;
}

/** One line of the job table (`GET /jobs/overview`). */
export interface JobOverview {
  readonly jobId: JobId;
  readonly name: string;
  readonly status: JobStatus;
  readonly startTimeMs: number;
  /** -1 while the job runs. */
  readonly endTimeMs: number;
  readonly durationMs: number;
  readonly lastModificationMs: number;
  /** Subtasks by state; states without subtasks are 0. */
  readonly tasks: Readonly<Record<ExecutionState, number>> & { readonly total: number };
}

/** A program to be built at the JobManager, in a worker thread. */
export interface ProgramRequest {
  readonly artifactId: ArtifactId;
  /** Program arguments as words, for example `['--input', 'a.txt']`. */
  readonly programArgs: readonly string[];
  /** Overlays the cluster's configuration; `-p` arrives as `parallelism.default`. */
  readonly configuration: Readonly<Record<string, string>>;
  /** Null: drawn by the JobManager. */
  readonly jobId: JobId | null;
  /** Digest of the plan as the client built it; PLAN_MISMATCH when the JobManager's differs. Null: the client did not build it. */
  readonly expectedPlanDigest: string | null;
}

/** What the program builder answers. */
export interface BuiltProgram {
  readonly jobGraph: JobGraph;
  /** The execution plan by operators, as `flink info` prints it. */
  readonly executionPlan: JsonValue;
}

/** A piece of what a `collect` sink received. Asking again with the same `from` answers the same values. */
export interface CollectedValues {
  /** Index of `values[0]` in the whole result. */
  readonly from: number;
  readonly values: readonly JsonValue[];
  /** No value follows after these. */
  readonly ended: boolean;
}

/** A JobManager. Every call may throw NO_LEADER. */
export interface JobManagerGateway {
  /** The configuration the cluster runs with, secrets included (mask before showing). Flat dotted keys. */
  readonly configuration: Readonly<Record<string, string>>;

  overview(): ClusterOverview;

  /** Stores a bundled program under its hash. Idempotent. */
  putArtifact(bytes: Uint8Array): Promise<ArtifactId>;
  /** Builds a program without running it. Throws ARTIFACT_NOT_FOUND, PROGRAM_INVALID, PLAN_INVALID, DEADLINE_EXCEEDED. */
  buildProgram(request: ProgramRequest): Promise<BuiltProgram>;
  /** Builds a program and submits it. Throws what `buildProgram` and `submitJob` throw. */
  submitProgram(request: ProgramRequest): Promise<JobId>;
  /** Resolves once the job is persisted. Throws DUPLICATE_JOB, JOB_SUBMISSION_FAILED. */
  submitJob(jobGraph: JobGraph): Promise<JobId>;

  /** Running and archived jobs; running ones first, then newest first. */
  jobs(): readonly JobOverview[];
  /** Throws JOB_NOT_FOUND. */
  job(jobId: JobId): JobDetails;
  /** Resolves once cancelling has begun. Throws JOB_NOT_FOUND, JOB_ALREADY_TERMINATED. */
  cancelJob(jobId: JobId): Promise<void>;
  /** Throws JOB_NOT_FOUND. */
  checkpoints(jobId: JobId): CheckpointDetails;
  /** Takes a checkpoint now; answers its id. Throws JOB_NOT_FOUND, CHECKPOINT_FAILED. */
  triggerCheckpoint(jobId: JobId, full: boolean): Promise<number>;
  /** Answers where it is. `targetDirectory` null: the configured one. Throws JOB_NOT_FOUND, BAD_REQUEST, CHECKPOINT_FAILED. */
  triggerSavepoint(jobId: JobId, request: SavepointWish & { readonly cancelJob: boolean }): Promise<string>;
  /** Resolves once the job has finished. Throws JOB_NOT_FOUND, BAD_REQUEST, CHECKPOINT_FAILED. */
  stopWithSavepoint(jobId: JobId, request: SavepointWish & { readonly drain: boolean }): Promise<string>;
  /** How many subtasks each vertex may have. Throws JOB_NOT_FOUND. */
  resourceRequirements(jobId: JobId): ResourceRequirements;
  /**
   * Sets the bounds of every vertex. Resolves once they are stored; the job is then rescaled within them, from a checkpoint
   * that is taken for it. Throws JOB_NOT_FOUND, BAD_REQUEST, NO_RESOURCE_AVAILABLE, OVERLOADED.
   */
  updateResourceRequirements(jobId: JobId, requirements: ResourceRequirements): Promise<void>;
  /** Throws CHECKPOINT_NOT_FOUND, CHECKPOINT_CORRUPT, STORAGE_FAILED. */
  disposeSavepoint(path: string): Promise<void>;
  /** The result, or null when the job has not ended within `waitMs` (0: answers at once). Throws JOB_NOT_FOUND. */
  jobResult(jobId: JobId, waitMs: number): Promise<JobResult | null>;
  /**
   * What `sink.collect` with this id has received from index `from` on; waits up to `waitMs` for the first value. Values
   * before `from` are forgotten. Throws JOB_NOT_FOUND.
   */
  collected(
    jobId: JobId, request: { readonly collectId: string; readonly from: number; readonly waitMs: number },
  ): Promise<CollectedValues>;

  /** By resource id. */
  taskManagers(): readonly TaskManagerDetails[];
  /** Null when it is not registered. */
  taskManager(resourceId: ResourceId): TaskManagerDetails | null;
}
