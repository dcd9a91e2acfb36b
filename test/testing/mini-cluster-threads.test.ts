/** A bundled program in a MiniCluster whose slots are worker threads: what a TaskManager runs. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { bundleJob } from '../../src/client/bundle.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { MiniCluster } from '../../src/testing/index.ts';

const WORD_COUNT = new URL('../../../examples/streaming/WordCount.ts', import.meta.url).pathname;

test('WordCount at parallelism 2 in two worker threads counts every word', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'drey-word-count-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const words = Array.from({ length: 20_000 }, (_, i) => `w${(i * 7919) % 113}`);
  await writeFile(join(directory, 'in.txt'), `${Array.from({ length: 2000 }, (_, i) => words.slice(i * 10, i * 10 + 10).join(' ')).join('\n')}\n`);
  const { code } = await bundleJob(WORD_COUNT);
  await using cluster = await MiniCluster.start({ slots: 2, threads: true });
  await cluster.runArtifact(code, ['--input', join(directory, 'in.txt'), '--output', join(directory, 'out')], { 'parallelism.default': '2' });
  const counts = await lastCounts(join(directory, 'out'));
  const expected = new Map<string, number>();
  for (const word of words) expected.set(word, (expected.get(word) ?? 0) + 1);
  const byWord = ([a]: readonly [string, number], [b]: readonly [string, number]): number => (a < b ? -1 : 1);
  t.deepEqual([...counts].toSorted(byWord), [...expected].toSorted(byWord));
});

test('A MiniCluster starts in less than 300 ms', async (t) => {
  const startMs = systemPorts.clock.monotonicMs();
  await using cluster = await MiniCluster.start({ slots: 4 });
  const elapsedMs = systemPorts.clock.monotonicMs() - startMs;
  t.is(cluster.gateway.overview().slotsAvailable, 4);
  t.true(elapsedMs < 300, `it took ${elapsedMs} ms`);
});

/** The highest count of each word over all part files. */
async function lastCounts(directory: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const files = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  for (const file of files) {
    const lines = (await readFile(join(file.parentPath, file.name), 'utf8')).split('\n').filter((line) => line !== '');
    for (const line of lines) {
      const [, word = '', count = '0'] = /^\((.*),(\d+)\)$/.exec(line) ?? [];
      counts.set(word, Math.max(counts.get(word) ?? 0, Number(count)));
    }
  }
  return counts;
}
