/**
 * Job bundles on local disk, by content: `<directory>/<artifact id>.mjs`. Beside them `node_modules/drey` links to the
 * installed package, so that the `drey` which a bundle imports is the cluster's own copy.
 *
 * Invariant: a file in the cache has the content that its name promises; it is checked on every load, and a
 * file that does not is removed and reported.
 */
import { createHash } from 'node:crypto';
import { lstat, mkdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ClusterError } from '../protocol/errors.ts';
import type { ArtifactId } from '../protocol/ids.ts';

/** The package that holds this file: `dist/src/storage/` is three levels below its root. */
const PACKAGE_ROOT = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

const ARTIFACT_ID = /^[0-9a-f]{64}$/;

/** Writes so far: together with the process id, a name of its own for each unfinished file. */
let writes = 0;

/** The artifact id of some bytes: their SHA-256 in hex. */
export function artifactIdOf(content: Uint8Array): ArtifactId {
  return createHash('sha256').update(content).digest('hex') as ArtifactId;
}

/** One cache directory. Several processes may share it; within a process, one thread stores. */
export class ArtifactCache {
  private readonly directory: string;
  private ready: Promise<void> | null = null;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Stores a bundle and answers its path. Throws ARTIFACT_CORRUPT when the content is not what the id says. */
  async put(artifactId: ArtifactId, content: Uint8Array): Promise<string> {
    if (artifactIdOf(content) !== artifactId) throw corrupt(artifactId, 'the content received does not match');
    await this.prepare();
    const path = this.pathFor(artifactId);
    writes += 1;
    const partial = `${path}.${process.pid}-${writes}.part`;
    await writeFile(partial, content);
    await rename(partial, path);
    return path;
  }

  /** Path of a stored and verified bundle; null when it is not here. Throws ARTIFACT_CORRUPT after removing a damaged file. */
  async find(artifactId: ArtifactId): Promise<string | null> {
    await this.prepare();
    const path = this.pathFor(artifactId);
    const content = await readFile(path).catch(absentAsNull);
    if (content === null) return null;
    if (artifactIdOf(content) === artifactId) return path;
    await rm(path, { force: true });
    throw corrupt(artifactId, `${path} was damaged and has been removed`);
  }

  /** Content of a stored bundle, verified. Null when it is not here. */
  async read(artifactId: ArtifactId): Promise<Uint8Array | null> {
    const path = await this.find(artifactId);
    return path === null ? null : readFile(path);
  }

  /** An id comes from other processes, and a damaged artifact is deleted: it must not lead out of the directory. */
  private pathFor(artifactId: ArtifactId): string {
    if (!ARTIFACT_ID.test(artifactId)) throw new ClusterError('BAD_REQUEST', `not the id of an artifact: ${artifactId.slice(0, 100)}`);
    return join(this.directory, `${artifactId}.mjs`);
  }

  private prepare(): Promise<void> {
    this.ready ??= linkPackage(this.directory);
    return this.ready;
  }
}

/** Makes `<directory>/node_modules/drey` point to this package; a link that points elsewhere is replaced. */
async function linkPackage(directory: string): Promise<void> {
  const link = join(directory, 'node_modules', 'drey');
  await mkdir(join(directory, 'node_modules'), { recursive: true });
  const target = await readlink(link).catch(absentAsNull);
  if (target === PACKAGE_ROOT) return;
  if (target !== null) await rm(link, { force: true });
  await symlink(PACKAGE_ROOT, link, 'dir').catch(async (thrown: unknown) => {
    const raced = await lstat(link).catch(absentAsNull); // Another process was faster.
    if (raced === null) throw thrown;
  });
}

function absentAsNull(thrown: unknown): null {
  if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return null;
  throw thrown;
}

function corrupt(artifactId: ArtifactId, what: string): ClusterError {
  return new ClusterError('ARTIFACT_CORRUPT', `artifact ${artifactId}: ${what}`);
}
