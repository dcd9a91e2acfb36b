/**
 * Job bundles on local disk, by content: `<directory>/<artifact id>.mjs`. Beside them `node_modules/drey` links to the
 * installed package, so that the `drey` which a bundle imports is the cluster's own copy. The packages that a bundle names
 * as external in its first line are linked in the same way, from where Node.js would find them for the installation.
 *
 * Invariant: a file in the cache has the content that its name promises; it is checked on every load, and a
 * file that does not is removed and reported.
 */
import { createHash } from 'node:crypto';
import { lstat, mkdir, readFile, readlink, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ClusterError } from '../protocol/errors.ts';
import type { ArtifactId } from '../protocol/ids.ts';

/** The package that holds this file: `dist/src/storage/` is three levels below its root. */
const PACKAGE_ROOT = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

const HEAD_SIZE_BYTES_MAX = 4096;
const PACKAGE_NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/i;

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

  /**
   * Stores a bundle and answers its path. Throws ARTIFACT_CORRUPT when the content is not what the id says, PROGRAM_INVALID
   * when a package that it names as external is not installed here.
   */
  async put(artifactId: ArtifactId, content: Uint8Array): Promise<string> {
    if (artifactIdOf(content) !== artifactId) throw corrupt(artifactId, 'the content received does not match');
    await this.prepare();
    await this.linkExternals(content);
    const path = this.pathFor(artifactId);
    writes += 1;
    const partial = `${path}.${process.pid}-${writes}.part`;
    await writeFile(partial, content);
    await rename(partial, path);
    return path;
  }

  /**
   * Path of a stored and verified bundle; null when it is not here. Throws ARTIFACT_CORRUPT after removing a damaged file;
   * else as `put`.
   */
  async find(artifactId: ArtifactId): Promise<string | null> {
    await this.prepare();
    const path = this.pathFor(artifactId);
    const content = await readFile(path).catch(absentAsNull);
    if (content === null) return null;
    if (artifactIdOf(content) === artifactId) {
      await this.linkExternals(content);
      return path;
    }
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
    this.ready ??= linkPackage(this.directory, 'drey', PACKAGE_ROOT);
    return this.ready;
  }

  private async linkExternals(content: Uint8Array): Promise<void> {
    for (const name of externalsOf(content)) if (name !== 'drey') await linkPackage(this.directory, name, await installed(name));
  }
}

/** The first line of a bundle. `externals`: packages that it imports and does not hold. */
export function bundleHead(version: string, externals: readonly string[]): string {
  return `/* job bundle for drey ${version}${externals.map((name) => ` external:${name}`).join('')} */`;
}

/** Names come from whoever uploads: what is no name of a package is no path either. */
function externalsOf(content: Uint8Array): readonly string[] {
  const [head = ''] = Buffer.from(content.subarray(0, HEAD_SIZE_BYTES_MAX)).toString('utf8').split(' */', 1);
  if (!head.startsWith('/* job bundle for drey ')) return [];
  const names = head.split(' external:').slice(1);
  const bad = names.find((name) => !PACKAGE_NAME.test(name));
  if (bad !== undefined) {
    throw new ClusterError('PROGRAM_INVALID', `the bundle names an external package '${bad}': not the name of a package`);
  }
  return names;
}

/** Where Node.js would find a package for this installation. */
async function installed(name: string): Promise<string> {
  for (let directory = PACKAGE_ROOT; ; directory = dirname(directory)) {
    const found = await realpath(join(directory, 'node_modules', name)).catch(absentAsNull);
    if (found !== null) return found;
    if (directory === dirname(directory)) break;
  }
  throw new ClusterError(
    'PROGRAM_INVALID',
    `the job needs the external package '${name}', which is not installed on ${hostname()}: run 'npm install --no-save ${name}' in ` +
      `${PACKAGE_ROOT}, there and on every other host of the cluster.`,
  );
}

/** Makes `<directory>/node_modules/<name>` point to a package; a link that points elsewhere is replaced. */
async function linkPackage(directory: string, name: string, root: string): Promise<void> {
  const link = join(directory, 'node_modules', name);
  await mkdir(dirname(link), { recursive: true });
  const target = await readlink(link).catch(absentAsNull);
  if (target === root) return;
  if (target !== null) await rm(link, { force: true });
  await symlink(root, link, 'dir').catch(async (thrown: unknown) => {
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
