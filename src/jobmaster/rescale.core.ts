/**
 * Which parallelism a job may have and gets: the bounds that people set per vertex, checked against the plan, and the
 * parallelism that fits them and the slots there are. Pure.
 *
 *     bounds ─► checked ─► as wide as the upper bounds and the slots allow, never below the lower bounds ─► next JobGraph
 *
 * Subtasks joined by a forward edge are pairs, so such vertices have equal bounds and equal parallelism.
 *
 * Source: Flink `JobResourceRequirements`, `SlotSharingSlotAllocator.determineParallelism` (FLIP-291).
 */
import type { JobGraph, JobVertex, ParallelismBounds, ResourceRequirements } from '../graph/job-graph.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { JobVertexId } from '../protocol/ids.ts';
import { present } from '../base/assert.ts';

/** Problems that one answer names. */
const PROBLEMS_MAX = 20;

/** The bounds in force: those that were set, else from one subtask to as many as there are. */
export function requirementsOf({ vertices, resourceRequirements }: JobGraph): ResourceRequirements {
  const bounds = vertices.map(({ id, parallelism }) => [id, resourceRequirements?.[id] ?? { lowerBound: 1, upperBound: parallelism }]);
  return Object.fromEntries(bounds) as ResourceRequirements;
}

/** Throws BAD_REQUEST naming what is wrong: vertices that are unknown or missing, bounds that cannot be. */
export function checkRequirements(jobGraph: JobGraph, requirements: ResourceRequirements): void {
  const known = new Map(jobGraph.vertices.map((vertex) => [vertex.id as string, vertex]));
  const unknown = Object.keys(requirements).filter((id) => !known.has(id));
  const problems = [
    ...unknown.map((id) => `The job has no vertex ${id}.`),
    ...jobGraph.vertices.flatMap((vertex) => boundsProblems(vertex, requirements[vertex.id])),
  ];
  if (problems.length === 0) problems.push(...pairProblems(jobGraph, requirements));
  if (problems.length === 0) return;
  const text = problems.slice(0, PROBLEMS_MAX).join(' ');
  throw new ClusterError('BAD_REQUEST', `Invalid resource requirements of job ${jobGraph.jobId}: ${text}`);
}

/** The job at the parallelism that fits the bounds and `slotCount` slots; null: too few slots for the lower bounds. */
export function rescaledGraph(jobGraph: JobGraph, requirements: ResourceRequirements, slotCount: number): JobGraph | null {
  const widths = groupWidths(jobGraph, requirements, slotCount);
  if (widths === null) return null;
  const room = (vertex: JobVertex): number => {
    const { upperBound } = boundsOf(requirements, vertex.id);
    return Math.min(upperBound, present(widths.get(vertex.slotSharingGroup), 'every vertex is in a group'));
  };
  const vertices = jobGraph.vertices.map((vertex) => {
    const parallelism = Math.min(...pairedWith(jobGraph, vertex.id).map(room));
    return parallelism === vertex.parallelism ? vertex : { ...vertex, parallelism };
  });
  return { ...jobGraph, vertices, resourceRequirements: requirements, revision: (jobGraph.revision ?? 0) + 1 };
}

/** Slots that the job needs at the least. */
export function slotsNeeded(jobGraph: JobGraph, requirements: ResourceRequirements): number {
  return [...groupsOf(jobGraph, requirements).values()].reduce((sum, { least }) => sum + least, 0);
}

function boundsOf(requirements: ResourceRequirements, id: JobVertexId): ParallelismBounds {
  return present(requirements[id], 'checked requirements name every vertex');
}

function boundsProblems({ id, name, maxParallelism, isSerial }: JobVertex, bounds: ParallelismBounds | undefined): string[] {
  const vertex = `vertex ${id} ('${name}')`;
  if (bounds === undefined) return [`The bounds of ${vertex} are missing; every vertex must be named.`];
  const { lowerBound, upperBound } = bounds;
  if (![lowerBound, upperBound].every(Number.isInteger) || lowerBound < 1) {
    return [`The bounds of ${vertex} are ${lowerBound} to ${upperBound}: they must be integers from 1 on.`];
  }
  if (lowerBound > upperBound) return [`The lower bound ${lowerBound} of ${vertex} is above its upper bound ${upperBound}.`];
  if (isSerial && upperBound > 1) return [`The upper bound ${upperBound} of ${vertex} is too high: it works in one subtask only.`];
  if (upperBound <= maxParallelism) return [];
  return [
    `The upper bound ${upperBound} of ${vertex} exceeds its maximum parallelism ${maxParallelism}. The number of key groups of a ` +
      'running job is fixed; pipeline.max-parallelism sets it for a new one.',
  ];
}

function pairProblems({ edges, vertices }: JobGraph, requirements: ResourceRequirements): string[] {
  const nameOf = (id: JobVertexId): string => present(vertices.find((vertex) => vertex.id === id), 'an edge joins two vertices').name;
  return edges.filter(({ partitioning }) => partitioning === 'forward').flatMap(({ sourceVertex, targetVertex }) => {
    const [source, target] = [boundsOf(requirements, sourceVertex), boundsOf(requirements, targetVertex)];
    if (source.lowerBound === target.lowerBound && source.upperBound === target.upperBound) return [];
    return [
      `'${nameOf(sourceVertex)}' (${sourceVertex}) and '${nameOf(targetVertex)}' (${targetVertex}) are joined by a forward edge: ` +
        'their bounds must be equal, or the program must rebalance between them.',
    ];
  });
}

/** `vertexId` and what forward edges join it with. */
function pairedWith({ edges, vertices }: JobGraph, vertexId: JobVertexId): JobVertex[] {
  const paired = new Set([vertexId]);
  for (let size = 0; size < paired.size; ) {
    size = paired.size;
    for (const { sourceVertex, targetVertex, partitioning } of edges) {
      if (partitioning === 'forward' && (paired.has(sourceVertex) || paired.has(targetVertex))) paired.add(sourceVertex).add(targetVertex);
    }
  }
  return vertices.filter(({ id }) => paired.has(id));
}

interface GroupBounds {
  readonly least: number;
  readonly most: number;
}

/** A group of vertices that share slots needs as many as its widest vertex. */
function groupsOf({ vertices }: JobGraph, requirements: ResourceRequirements): Map<string, GroupBounds> {
  const groups = new Map<string, GroupBounds>();
  for (const { id, slotSharingGroup } of vertices) {
    const { lowerBound, upperBound } = boundsOf(requirements, id);
    const { least, most } = groups.get(slotSharingGroup) ?? { least: 0, most: 0 };
    groups.set(slotSharingGroup, { least: Math.max(least, lowerBound), most: Math.max(most, upperBound) });
  }
  return groups;
}

/** Slots for each group: at first what it must have, then what is left, in turns. */
function groupWidths(jobGraph: JobGraph, requirements: ResourceRequirements, slotCount: number): Map<string, number> | null {
  const groups = groupsOf(jobGraph, requirements);
  const widths = new Map([...groups].map(([group, { least }]) => [group, least]));
  let left = slotCount - slotsNeeded(jobGraph, requirements);
  if (left < 0) return null;
  for (let given = true; given && left > 0; ) {
    given = false;
    for (const [group, { most }] of groups) {
      const width = widths.get(group) ?? 0;
      if (left === 0 || width >= most) continue;
      widths.set(group, width + 1);
      left -= 1;
      given = true;
    }
  }
  return widths;
}
