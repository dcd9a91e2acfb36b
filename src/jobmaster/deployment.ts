/** Deployments: from placed executions to what each TaskManager needs to run them. Pure. */
import { present } from '../base/assert.ts';
import { consumersOf, type JobEdge, type JobGraph } from '../graph/job-graph.ts';
import type { ChannelDeployment, InputDeployment, OutputDeployment, TaskDeployment, TaskLocation } from '../protocol/deployment.ts';
import type { JobVertexId } from '../protocol/ids.ts';
import type { Execution } from './execution-graph.core.ts';

/** Finds the current attempt of a subtask; it must have a location. */
export type ExecutionLookup = (vertexId: JobVertexId, subtaskIndex: number) => Execution;

/** The deployment of one placed execution. */
export function deploymentOf(
  jobGraph: JobGraph, execution: Execution, executionOf: ExecutionLookup,
  checkpoints: Pick<TaskDeployment, 'restore' | 'hasFinalCheckpoint' | 'isStopped' | 'localState'>,
): TaskDeployment {
  const { vertex, subtaskIndex, attemptId, attemptNumber, generation, allocationId } = execution;
  const leaving = jobGraph.edges.filter((edge) => edge.sourceVertex === vertex.id);
  const arriving = jobGraph.edges.filter((edge) => edge.targetVertex === vertex.id);
  const find = { jobGraph, executionOf };
  return {
    jobId: jobGraph.jobId,
    attemptId,
    vertexId: vertex.id,
    generation,
    allocationId: present(allocationId, 'a deployed subtask has a slot'),
    subtaskIndex,
    attemptNumber,
    outputs: leaving.map((edge) => outputOf(edge, execution, find)),
    inputs: arriving.map((edge) => inputOf(edge, execution, find)),
    ...checkpoints,
  };
}

interface Find {
  readonly jobGraph: JobGraph;
  readonly executionOf: ExecutionLookup;
}

function outputOf(edge: JobEdge, producer: Execution, find: Find): OutputDeployment {
  const fed = consumersOf(edge.partitioning, producer.subtaskIndex, countsOf(edge, find.jobGraph));
  const channels = fed.map((index) => {
    const consumer = find.executionOf(edge.targetVertex, index);
    return channelOf(edge, { producer, consumer, peer: consumer });
  });
  return { edgeIndex: edge.index, channels };
}

function inputOf(edge: JobEdge, consumer: Execution, find: Find): InputDeployment {
  const counts = countsOf(edge, find.jobGraph);
  const producers = Array.from({ length: counts.producers }, (_, index) => index);
  const feeding = producers.filter((index) => consumersOf(edge.partitioning, index, counts).includes(consumer.subtaskIndex));
  const channels = feeding.map((index) => {
    const producer = find.executionOf(edge.sourceVertex, index);
    return channelOf(edge, { producer, consumer, peer: producer });
  });
  return { edgeIndex: edge.index, channels };
}

function channelOf(
  edge: JobEdge, ends: { readonly producer: Execution; readonly consumer: Execution; readonly peer: Execution },
): ChannelDeployment {
  return {
    channelId: `${edge.index}:${ends.producer.subtaskIndex}:${ends.consumer.subtaskIndex}`,
    producer: ends.producer.attemptId,
    consumer: ends.consumer.attemptId,
    peer: locationOf(ends.peer),
  };
}

function locationOf(execution: Execution): TaskLocation {
  return present(execution.location, 'a pipelined region is deployed once all of its subtasks have slots');
}

function countsOf(edge: JobEdge, { vertices }: JobGraph): { readonly producers: number; readonly consumers: number } {
  const parallelism = (id: JobVertexId): number => {
    return present(vertices.find((vertex) => vertex.id === id), 'an edge joins two vertices').parallelism;
  };
  return { producers: parallelism(edge.sourceVertex), consumers: parallelism(edge.targetVertex) };
}
