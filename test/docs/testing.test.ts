/** The page about testing cannot go stale: each of its examples is type-checked and run. */
import test from 'ava';
import { transform } from 'esbuild';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { typecheck } from '../../src/client/typecheck.ts';

const PAGE = fileURLToPath(new URL('../../../docs/testing.md', import.meta.url));
const ENTRIES = { drey: '../../src/index.js', 'drey/testing': '../../src/testing/index.js' };

test('the examples of the page hold what they assert', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'drey-testing-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const blocks = Array.from((await readFile(PAGE, 'utf8')).matchAll(/```ts\n([\s\S]*?)```/g), ([, source = '']) => source);
  t.is(blocks.length, 3);
  const compilerOptions = { strict: true, target: 'es2022', module: 'nodenext', types: ['node'] };
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  for (const [i, source] of blocks.entries()) {
    const file = join(directory, `block-${i}.mts`);
    await writeFile(file, source);
    t.deepEqual(await typecheck(file), { kind: 'passed' }, source);
    const { code } = await transform(source, { loader: 'ts', format: 'esm', target: 'node20' });
    const bound = Object.entries(ENTRIES).reduce((text, [name, entry]) => text.replaceAll(`"${name}"`, `"${new URL(entry, import.meta.url).href}"`), code);
    await writeFile(join(directory, `block-${i}.mjs`), bound);
    await t.notThrowsAsync(import(pathToFileURL(join(directory, `block-${i}.mjs`)).href), source);
  }
});
