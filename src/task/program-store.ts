/** Programs at a TaskManager: artifacts are fetched once from the JobManager, piece by piece, and verified against their hash. */
import type { ProgramRef } from '../graph/job-graph.ts';
import type { RequestOf, ResponseOf } from '../protocol/control.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { ArtifactId } from '../protocol/ids.ts';
import type { ArtifactCache } from '../storage/artifact-cache.ts';
import type { LocalProgram } from './slot-protocol.ts';

/** One chunk from the JobManager; has its own deadline. */
export type FetchChunk = (request: RequestOf<'fetchArtifact'>) => Promise<ResponseOf<'fetchArtifact'>>;

const CHUNK_SIZE_BYTES = 1024 * 1024;
/** Attempts to fetch one artifact. Flink: `blob.fetch.retries`. */
const ATTEMPTS_MAX = 3;
const ARTIFACT_SIZE_BYTES_MAX = 100 * 1024 * 1024;

export class ProgramStore {
  private readonly cache: ArtifactCache;
  private readonly fetchChunk: FetchChunk;
  private readonly fetching = new Map<ArtifactId, Promise<string>>();

  constructor(cache: ArtifactCache, fetchChunk: FetchChunk) {
    this.cache = cache;
    this.fetchChunk = fetchChunk;
  }

  /** The program as a slot can load it. Throws ARTIFACT_NOT_FOUND, ARTIFACT_CORRUPT, CONNECTION_LOST, DEADLINE_EXCEEDED. */
  async load(ref: ProgramRef): Promise<LocalProgram> {
    return ref.kind === 'registered' ? { ref } : { ref, artifactPath: await this.path(ref.artifactId) };
  }

  /** Two jobs that need the same artifact share one fetch. */
  private path(artifactId: ArtifactId): Promise<string> {
    const known = this.fetching.get(artifactId);
    if (known) return known;
    const fetching = this.findOrFetch(artifactId).finally(() => this.fetching.delete(artifactId));
    this.fetching.set(artifactId, fetching);
    return fetching;
  }

  private async findOrFetch(artifactId: ArtifactId): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.cache.find(artifactId)) ?? (await this.cache.put(artifactId, await this.fetch(artifactId)));
      } catch (thrown) {
        if (attempt === ATTEMPTS_MAX || !(thrown instanceof ClusterError) || !thrown.retriable) throw thrown;
      }
    }
  }

  private async fetch(artifactId: ArtifactId): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for (let offset = 0, totalSize = Infinity; offset < totalSize; ) {
      const chunk = await this.fetchChunk({ artifact: artifactId, offset, sizeMax: CHUNK_SIZE_BYTES });
      if (chunk.data.length === 0 && chunk.totalSize > offset) {
        throw new ClusterError('ARTIFACT_CORRUPT', `artifact ${artifactId} ends at byte ${offset}`);
      }
      if (chunk.totalSize > ARTIFACT_SIZE_BYTES_MAX) {
        throw new ClusterError('ARTIFACT_CORRUPT', `artifact ${artifactId} claims ${chunk.totalSize} bytes`);
      }
      chunks.push(chunk.data);
      offset += chunk.data.length;
      totalSize = chunk.totalSize;
    }
    return Buffer.concat(chunks);
  }
}
