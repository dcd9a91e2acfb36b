/** A task's channels as checkpoints name them, and the in-flight records that it takes over, by channel. */
import { present } from '../base/assert.ts';
import { decodePieces, joinPieces, PieceReader, type InFlightPiece } from '../exchange/in-flight.ts';
import type { ChannelCodec, RecordWriter } from '../exchange/contract.ts';
import { edgeKeyOf, type JobEdge, type JobGraph } from '../graph/job-graph.ts';
import type { InFlightChannelName, RestoredInFlight } from '../protocol/checkpoint.ts';
import type { ChannelDeployment } from '../protocol/deployment.ts';
import type { OperatorId } from '../protocol/ids.ts';
import type { RestoredChannel } from './restored-input.ts';

/** What is known of a task's channels, so that barriers may overtake. */
export interface UnalignedTask {
  /** Head of the chain. */
  readonly headId: OperatorId;
  /** What a source holds; null: the subtask has a gate. */
  readonly source: { readonly name: InFlightChannelName; newCodec(): ChannelCodec } | null;
  /** By channel of an output. */
  channelsOf(writer: RecordWriter): readonly InFlightChannelName[];
  /** Makes the task take a turn. */
  wake(): void;
}

/** The channel's name; its id holds the subtasks at its ends. */
export function channelNameOf(jobGraph: JobGraph, edge: JobEdge, { channelId }: ChannelDeployment): InFlightChannelName {
  const [, producerIndex = 0, consumerIndex = 0] = channelId.split(':').map(Number);
  const consumer = present(jobGraph.vertices.find(({ id }) => id === edge.targetVertex), 'an edge ends in a vertex');
  return { edge: edgeKeyOf(jobGraph, edge), producerIndex, consumerIndex, consumerCount: consumer.parallelism };
}

/** Where the records of one edge, or of a source, come in. */
export interface RestoredEdge {
  readonly inputIndex: 0 | 1;
  readonly newCodec: () => ChannelCodec;
  /** Whether the edge now sends a record to this subtask; null: it may not be asked. */
  readonly isOwn: ((value: unknown) => boolean) | null;
}

/**
 * Readers of the channels, each of what both of its ends kept. A channel whose consumer kept nothing had been read up to
 * the barrier there. Throws CHECKPOINT_CORRUPT.
 */
export async function restoredChannels(
  inFlight: readonly RestoredInFlight[], edges: ReadonlyMap<string, RestoredEdge>,
  read: (channel: RestoredInFlight) => Promise<Uint8Array>,
): Promise<RestoredChannel[]> {
  const files = new Map<string, Map<number, InFlightPiece[]>>();
  for (const channel of inFlight) {
    const key = fileOf(channel);
    if (!files.has(key)) files.set(key, decodePieces(await read(channel)));
  }
  const piecesOf = (channel: RestoredInFlight | undefined): readonly InFlightPiece[] => {
    return (channel && files.get(fileOf(channel))?.get(channel.tag)) ?? [];
  };
  const outputs = new Map(inFlight.filter(({ side }) => side === 'output').map((output) => [spell(output), output]));
  return inFlight.filter(({ side }) => side === 'input').map((input) => {
    const edge = present(edges.get(input.edge), 'in-flight records are handed out by the edges of the job');
    const { inputIndex, newCodec, isOwn } = edge;
    const whole = joinPieces(piecesOf(input), piecesOf(outputs.get(spell(input))), input.consumed);
    return { reader: new PieceReader(newCodec(), whole), inputIndex, isOwn: input.isShared ? isOwn : null };
  });
}

/** Files of equal bytes are one. */
function fileOf({ data }: RestoredInFlight): string {
  return data.kind === 'file' ? data.path : data.sha256;
}

function spell({ edge, producerIndex, consumerIndex }: InFlightChannelName): string {
  return `${edge}/${producerIndex}/${consumerIndex}`;
}
