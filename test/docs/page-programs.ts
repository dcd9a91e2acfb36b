/** Runs the programs of a page: each is type-checked, bundled and run, and prints what the page says. */
import type { ExecutionContext } from 'ava';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundleJob } from '../../src/client/bundle.ts';
import { typecheck } from '../../src/client/typecheck.ts';
import { loadProgram } from '../../src/graph/program.ts';
import { ArtifactCache } from '../../src/storage/artifact-cache.ts';
import { MiniCluster } from '../../src/testing/index.ts';

/** `page`: a file of docs. In their order, in one directory, which stands for `/var` in the programs. Answers how many there were. */
export async function runPrograms(t: ExecutionContext, page: string): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'drey-page-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const text = await readFile(fileURLToPath(new URL(`../../../docs/${page}`, import.meta.url)), 'utf8');
  const blocks = [...text.matchAll(/```ts\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/g)];
  const cache = new ArtifactCache(join(directory, 'cache'));
  for (const [i, [, source = '', expected]] of blocks.entries()) {
    const file = join(directory, `block-${i}.ts`);
    await writeFile(file, source.replaceAll('/var/', `${directory}/`));
    t.deepEqual(await typecheck(file), { kind: 'passed' }, source);
    const bundle = await bundleJob(file);
    const program = await loadProgram(pathToFileURL(await cache.put(bundle.artifactId, bundle.code)).href);
    let printed = '';
    await using cluster = await MiniCluster.start({ onPrint: (_stream, output) => void (printed += output) });
    await cluster.run(program, program.parseArgs([]));
    t.is(printed, expected ?? '');
  }
  return blocks.length;
}
