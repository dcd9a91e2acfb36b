/**
 * Hands the in-flight records of a checkpoint to the consumers of their edges; producers get none back. With the
 * consumers' number unchanged each channel stays where it was. Otherwise by the edge:
 *
 *     hash, custom            every channel that may hold records of the subtask; it keeps those that are its own
 *     rebalance, shuffle      channel by channel, round and round (as what a source holds)
 *     global                  the first subtask
 *     forward, rescale, broadcast   refused: such a record has only its one place, or has been everywhere in part
 *
 * Source: Flink `SubtaskStateMapper`, `StateAssignmentOperation.reDistributeInputChannelStates`.
 */
import type { CheckpointMetadata } from '../checkpoint/checkpoint-metadata.ts';
import { edgeKeyOf, sourceKeyOf, type JobGraph, type JobVertex } from '../graph/job-graph.ts';
import { keyGroupRangeOf } from '../graph/key-groups.ts';
import type { PartitioningKind } from '../graph/stream-graph.ts';
import type { InFlightChannel, RestoredInFlight } from '../protocol/checkpoint.ts';
import { ClusterError } from '../protocol/errors.ts';

/** Where records of an edge, or of a source, go now. */
interface Place {
  readonly vertex: JobVertex;
  readonly partitioning: PartitioningKind | 'source';
}

/** Throws STATE_INCOMPATIBLE for in-flight records that have no place in the job. */
export function checkInFlight(jobGraph: JobGraph, metadata: CheckpointMetadata): void {
  const places = placesOf(jobGraph);
  for (const { channel, operatorName } of channelsOf(metadata)) {
    const place = places.get(channel.edge);
    if (place === undefined) throw noPlace(metadata, operatorName, 'the program has no such edge any more');
    shareOf(channel, place, 0, () => noPlace(metadata, operatorName, cannotTake(place)));
  }
}

/** The channels that one subtask takes over. Throws STATE_INCOMPATIBLE as `checkInFlight` does. */
export function inFlightOf(jobGraph: JobGraph, vertex: JobVertex, subtaskIndex: number, metadata: CheckpointMetadata): RestoredInFlight[] {
  const places = placesOf(jobGraph);
  return channelsOf(metadata).flatMap(({ channel, data, operatorName }) => {
    const place = places.get(channel.edge);
    if (place?.vertex.id !== vertex.id) return [];
    const fault = (): ClusterError => noPlace(metadata, operatorName, cannotTake(place));
    const share = shareOf(channel, place, subtaskIndex, fault);
    return share === 'none' ? [] : [{ ...channel, data, isShared: share === 'shared' }];
  });
}

function shareOf(
  { consumerIndex, consumerCount }: InFlightChannel, { vertex, partitioning }: Place, subtaskIndex: number, fault: () => ClusterError,
): 'none' | 'whole' | 'shared' {
  const { parallelism, maxParallelism } = vertex;
  if (consumerCount === parallelism) return consumerIndex === subtaskIndex ? 'whole' : 'none';
  switch (partitioning) {
    case 'source':
    case 'rebalance':
    case 'shuffle':
      return consumerIndex % parallelism === subtaskIndex ? 'whole' : 'none';
    case 'global':
      return subtaskIndex === 0 ? 'whole' : 'none';
    case 'custom':
      return 'shared';
    case 'hash': {
      const former = keyGroupRangeOf(consumerIndex, maxParallelism, consumerCount);
      const own = keyGroupRangeOf(subtaskIndex, maxParallelism, parallelism);
      return former.first <= own.last && former.last >= own.first ? 'shared' : 'none';
    }
    case 'forward':
    case 'rescale':
    case 'broadcast':
      throw fault();
  }
}

function placesOf(jobGraph: JobGraph): Map<string, Place> {
  const vertices = new Map(jobGraph.vertices.map((vertex) => [vertex.id, vertex]));
  const places = new Map<string, Place>();
  for (const edge of jobGraph.edges) {
    const vertex = vertices.get(edge.targetVertex);
    if (vertex) places.set(edgeKeyOf(jobGraph, edge), { vertex, partitioning: edge.partitioning });
  }
  for (const vertex of jobGraph.vertices) {
    const [head] = vertex.operators;
    if (head) places.set(sourceKeyOf(head.operatorId), { vertex, partitioning: 'source' });
  }
  return places;
}

interface PlacedChannel {
  readonly channel: InFlightChannel;
  readonly data: RestoredInFlight['data'];
  readonly operatorName: string;
}

function channelsOf({ operators }: CheckpointMetadata): PlacedChannel[] {
  return operators.flatMap(({ subtasks, name }) => subtasks.flatMap(({ inFlight }) => {
    return inFlight === undefined ? [] : inFlight.channels.map((channel) => ({ channel, data: inFlight.data, operatorName: name }));
  }));
}

function cannotTake({ partitioning }: Place): string {
  return `a ${partitioning} edge cannot take them at another parallelism`;
}

function noPlace({ checkpointId }: CheckpointMetadata, operatorName: string, why: string): ClusterError {
  return new ClusterError(
    'STATE_INCOMPATIBLE',
    `Checkpoint ${checkpointId} is unaligned and has in-flight records of operator '${operatorName}', but ${why}. ` +
      'Start from a savepoint (those are always aligned), or with the same program and parallelism.',
  );
}
