/**
 * BlobStore: job artifacts by content, at the JobManager. TaskManagers fetch them piece by piece over their
 * RPC connection. Content is verified against its hash whenever it is loaded from disk.
 *
 * Unlike Flink: no server and no port of its own.
 */
import { ClusterError } from '../protocol/errors.ts';
import type { ArtifactId } from '../protocol/ids.ts';
import type { ArtifactReader } from '../slots/task-manager-session.ts';
import { artifactIdOf, type ArtifactCache } from '../storage/artifact-cache.ts';

/** Bound of one artifact. */
export const ARTIFACT_SIZE_BYTES_MAX = 100 * 1024 * 1024;
/** Contents kept in memory while TaskManagers fetch them. The one used longest ago goes first. */
const CONTENTS_MAX = 4;

export class BlobStore {
  private readonly cache: ArtifactCache;
  private readonly contents = new Map<ArtifactId, Promise<Uint8Array>>();

  constructor(cache: ArtifactCache) {
    this.cache = cache;
  }

  /** Stores content under its hash. Idempotent. Throws BAD_REQUEST when it is too large. */
  async put(content: Uint8Array): Promise<ArtifactId> {
    if (content.length > ARTIFACT_SIZE_BYTES_MAX) {
      throw new ClusterError('BAD_REQUEST', `the artifact has ${content.length} bytes; at most ${ARTIFACT_SIZE_BYTES_MAX} are taken`);
    }
    const artifactId = artifactIdOf(content);
    await this.cache.put(artifactId, content);
    this.keep(artifactId, Promise.resolve(content));
    return artifactId;
  }

  /** Local path of an artifact, verified. Throws ARTIFACT_NOT_FOUND, ARTIFACT_CORRUPT. */
  async path(artifactId: ArtifactId): Promise<string> {
    const path = await this.cache.find(artifactId);
    if (path === null) throw missing(artifactId);
    return path;
  }

  async sizeBytes(artifactId: ArtifactId): Promise<number> {
    return (await this.content(artifactId)).length;
  }

  /** Serves TaskManagers. */
  readonly read: ArtifactReader = async (artifactId, offset, sizeMax) => {
    const content = await this.content(artifactId);
    return { data: content.subarray(offset, offset + sizeMax), totalSize: content.length };
  };

  private content(artifactId: ArtifactId): Promise<Uint8Array> {
    const known = this.contents.get(artifactId) ?? this.load(artifactId);
    this.keep(artifactId, known);
    return known;
  }

  private async load(artifactId: ArtifactId): Promise<Uint8Array> {
    const content = await this.cache.read(artifactId);
    if (content === null) throw missing(artifactId);
    return content;
  }

  private keep(artifactId: ArtifactId, content: Promise<Uint8Array>): void {
    this.contents.delete(artifactId);
    this.contents.set(artifactId, content);
    content.catch(() => this.contents.delete(artifactId));
    const oldest = this.contents.keys().next();
    if (this.contents.size > CONTENTS_MAX && !oldest.done) this.contents.delete(oldest.value);
  }
}

function missing(artifactId: ArtifactId): ClusterError {
  return new ClusterError('ARTIFACT_NOT_FOUND', `artifact ${artifactId} is not stored at this JobManager; upload it again`);
}
