/** The guide cannot go stale: each of its programs is type-checked, bundled, loaded and built. */
import test from 'ava';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundleJob } from '../../src/client/bundle.ts';
import { typecheck } from '../../src/client/typecheck.ts';
import { buildProgram, loadProgram } from '../../src/graph/program.ts';
import { ArtifactCache } from '../../src/storage/artifact-cache.ts';

/** Pages with programs, and how many blocks each has at least. */
const PAGES = { programs: 4, state: 4 };

for (const [page, count] of Object.entries(PAGES)) test(`the programs of docs/${page}.md compile and build`, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'drey-guide-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const blocks = [...(await readFile(fileURLToPath(new URL(`../../../docs/${page}.md`, import.meta.url)), 'utf8')).matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
  t.true(blocks.length >= count);
  const cache = new ArtifactCache(join(directory, 'cache'));
  for (const [i, text] of blocks.entries()) {
    const file = join(directory, `block-${i}.ts`);
    await writeFile(file, text);
    t.deepEqual(await typecheck(file), { kind: 'passed' }, text);
    if (!text.includes('export default')) continue;
    const bundle = await bundleJob(file);
    const program = await loadProgram(pathToFileURL(await cache.put(bundle.artifactId, bundle.code)).href);
    const args = program.parseArgs(text.includes('arg.path') ? ['--input', 'some.txt'] : []);
    t.true(buildProgram(program, { args, configuration: {} }).nodes.length > 1, text);
  }
});
