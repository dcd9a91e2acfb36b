import test, { type ExecutionContext } from 'ava';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClusterError } from '../../src/protocol/errors.ts';
import type { ArtifactId } from '../../src/protocol/ids.ts';
import { ArtifactCache, artifactIdOf, bundleHead } from '../../src/storage/artifact-cache.ts';

const CONTENT = new TextEncoder().encode('export default 1;');

async function newDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'drey-cache-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test('an artifact is found again by its content id, also by another process', async (t) => {
  const directory = await newDirectory(t);
  const id = artifactIdOf(CONTENT);
  const path = await new ArtifactCache(directory).put(id, CONTENT);
  t.is(await new ArtifactCache(directory).find(id), path);
  t.deepEqual(new Uint8Array(await readFile(path)), CONTENT);
});

test('an artifact that was never stored is not found', async (t) => {
  t.is(await new ArtifactCache(await newDirectory(t)).find('0'.repeat(64) as ArtifactId), null);
});

test('content that is not what its id says is refused', async (t) => {
  const cache = new ArtifactCache(await newDirectory(t));
  const error = await t.throwsAsync(cache.put('0'.repeat(64) as ArtifactId, CONTENT), { instanceOf: ClusterError });
  t.is(error?.code, 'ARTIFACT_CORRUPT');
});

test('a damaged file is reported once and removed, so that it can be fetched again', async (t) => {
  const cache = new ArtifactCache(await newDirectory(t));
  const id = artifactIdOf(CONTENT);
  await writeFile(await cache.put(id, CONTENT), 'something else');
  await t.throwsAsync(cache.find(id), { instanceOf: ClusterError, message: /was damaged and has been removed/ });
  t.is(await cache.find(id), null);
});

test('several caches in one directory store at once', async (t) => {
  const directory = await newDirectory(t);
  const id = artifactIdOf(CONTENT);
  const paths = await Promise.all(Array.from({ length: 8 }, () => new ArtifactCache(directory).put(id, CONTENT)));
  t.is(new Set(paths).size, 1);
  t.true((await stat(join(directory, 'node_modules', 'drey', 'package.json'))).isFile());
});

test('an external package is linked from the installation; one that is missing or no package is told', async (t) => {
  const directory = await newDirectory(t);
  const cache = new ArtifactCache(directory);
  const bundle = (...externals: string[]): Uint8Array => new TextEncoder().encode(`${bundleHead('0.1.0', externals)}export default 1;`);
  const both = bundle('ws', '@sinclair/typebox');
  await cache.put(artifactIdOf(both), both);
  for (const name of ['ws', '@sinclair/typebox']) t.true((await stat(join(directory, 'node_modules', name, 'package.json'))).isFile(), name);
  await rm(join(directory, 'node_modules', 'ws'));
  await cache.find(artifactIdOf(both));
  t.true((await stat(join(directory, 'node_modules', 'ws', 'package.json'))).isFile());
  const missing = bundle('no-such-package');
  await t.throwsAsync(cache.put(artifactIdOf(missing), missing), { code: 'PROGRAM_INVALID', message: /external package 'no-such-package'.*'npm install/s });
  for (const name of ['../../etc', '..', '.bin', 'a/b/c', '@x', '/etc']) {
    const bad = bundle(name);
    await t.throwsAsync(cache.put(artifactIdOf(bad), bad), { code: 'PROGRAM_INVALID', message: /not the name of a package/ }, name);
  }
});

test('an id that is none never leads out of the directory', async (t) => {
  const directory = await newDirectory(t);
  await writeFile(join(directory, 'outside.mjs'), 'precious');
  const cache = new ArtifactCache(join(directory, 'cache'));
  for (const id of ['../outside', '', 'a'.repeat(63), `${'a'.repeat(64)}/..`]) {
    const error = await t.throwsAsync(cache.find(id as ArtifactId), { instanceOf: ClusterError });
    t.is(error?.code, 'BAD_REQUEST');
  }
  t.is(await readFile(join(directory, 'outside.mjs'), 'utf8'), 'precious');
});
