/** The page about connectors cannot go stale: each of its programs is type-checked, bundled and run, and prints what the page says. */
import test from 'ava';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundleJob } from '../../src/client/bundle.ts';
import { typecheck } from '../../src/client/typecheck.ts';
import { loadProgram } from '../../src/graph/program.ts';
import { ArtifactCache } from '../../src/storage/artifact-cache.ts';
import { MiniCluster } from '../../src/testing/index.ts';

const PAGE = fileURLToPath(new URL('../../../docs/connectors.md', import.meta.url));

test('the programs of the page run in their order, and print what it says', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'drey-connectors-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const blocks = [...(await readFile(PAGE, 'utf8')).matchAll(/```ts\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/g)];
  t.true(blocks.length >= 1);
  const cache = new ArtifactCache(join(directory, 'cache'));
  for (const [i, [, source = '', expected]] of blocks.entries()) {
    const file = join(directory, `block-${i}.ts`);
    await writeFile(file, source.replaceAll('/var/', `${directory}/`));
    t.deepEqual(await typecheck(file), { kind: 'passed' }, source);
    const bundle = await bundleJob(file);
    const program = await loadProgram(pathToFileURL(await cache.put(bundle.artifactId, bundle.code)).href);
    let printed = '';
    await using cluster = await MiniCluster.start({ onPrint: (_stream, text) => void (printed += text) });
    await cluster.run(program, program.parseArgs([]));
    t.is(printed, expected ?? '');
  }
});
