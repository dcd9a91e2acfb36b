/** One line of the job table, from a job's details. */
import type { JobDetails } from '../jobmaster/job-details.ts';
import { EXECUTION_TRANSITIONS, type ExecutionState } from '../protocol/states.ts';
import type { JobOverview } from './gateway.ts';

/** `nowMs` ends the duration of a job that runs. */
export function jobOverviewOf(details: JobDetails, lastModificationMs: number, nowMs: number): JobOverview {
  const { jobId, name, status, startTimeMs, endTimeMs } = details;
  const durationMs = (endTimeMs === -1 ? nowMs : endTimeMs) - startTimeMs;
  return { jobId, name, status, startTimeMs, endTimeMs, durationMs, lastModificationMs, tasks: taskCounts(details) };
}

function taskCounts({ vertices }: JobDetails): JobOverview['tasks'] {
  const states = Object.keys(EXECUTION_TRANSITIONS) as ExecutionState[];
  const counts = Object.fromEntries(states.map((state) => [state, 0])) as Record<ExecutionState, number>;
  const subtasks = vertices.flatMap((vertex) => vertex.subtasks);
  for (const { state } of subtasks) counts[state] += 1;
  return { ...counts, total: subtasks.length };
}
