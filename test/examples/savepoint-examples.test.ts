/** What savepoints are for, as the examples show it: pause, A/B, migrate, archive. Every visit counts once in each of them. */
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { archivedCounts } from '../../examples/savepoints/archive.ts';
import everyTenthVisit from '../../examples/savepoints/EveryTenthVisit.ts';
import visitCounts from '../../examples/savepoints/VisitCounts.ts';
import visitTotals, { migrate } from '../../examples/savepoints/VisitTotals.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import type { JobProgram } from '../../src/index.ts';
import { MiniCluster } from '../../src/testing/index.ts';

const VISITS = 1000;
const USERS = 5;
const WORDS = ['--visits', `${VISITS}`, '--perSecond', '500'];

async function temporary(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'drey-examples-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

interface Run {
  readonly lines: readonly string[];
  /** Null: it ran to its end. */
  readonly path: string | null;
}

/** Runs an example on a cluster of its own; `stopAfter`: it is stopped once that much was printed. */
async function run(program: JobProgram, options: { readonly from?: string; readonly directory?: string; readonly parallelism?: number }): Promise<Run> {
  const { from, directory, parallelism = 1 } = options;
  let text = '';
  await using cluster = await MiniCluster.start({ slots: parallelism, onPrint: (_stream, part) => void (text += part) });
  const running = await cluster.submit(program, program.parseArgs(WORDS), {
    'parallelism.default': `${parallelism}`, ...(from === undefined ? {} : { 'execution.state-recovery.path': from }),
  });
  let path: string | null = null;
  if (directory === undefined) await running.result();
  else {
    while (text.split('\n').length < VISITS / 4) await new Promise((resolve) => systemPorts.clock.after(2, () => resolve(null)));
    await running.running();
    path = await running.stopWithSavepoint({ directory });
  }
  return { lines: text.split('\n').slice(0, -1).map((line) => line.replace(/^\d+> /, '')), path };
}

const each = Array.from({ length: USERS }, (_, user) => Array.from({ length: VISITS / USERS }, (__, n) => `user ${user}: ${n + 1}`)).flat().toSorted();

async function stopped(t: ExecutionContext): Promise<{ readonly lines: readonly string[]; readonly path: string }> {
  const { lines, path } = await run(visitCounts, { directory: await temporary(t) });
  t.true(lines.length < VISITS, 'it was stopped on the way');
  return { lines, path: path ?? '' };
}

test('pause: what was stopped goes on later, at another parallelism, and every visit was counted once', async (t) => {
  const before = await stopped(t);
  const { lines } = await run(visitCounts, { from: before.path, parallelism: 2 });
  t.deepEqual([...before.lines, ...lines].toSorted(), each);
});

test('A/B: two versions begin with the same state, and neither changes it for the other', async (t) => {
  const before = await stopped(t);
  const [a, b] = [await run(visitCounts, { from: before.path }), await run(everyTenthVisit, { from: before.path })];
  t.deepEqual([...before.lines, ...a.lines].toSorted(), each);
  const tenths = a.lines.filter((line) => line.endsWith('0')).map((line) => `tenth of ${line}`);
  t.deepEqual(b.lines.toSorted(), tenths.toSorted());
});

test('migrate: a version with another operator and other state goes on with what was counted, on another cluster', async (t) => {
  const before = await stopped(t);
  const migrated = await migrate(before.path, join(await temporary(t), 'migrated'));
  const { lines } = await run(visitTotals, { from: migrated });
  t.deepEqual([...before.lines, ...lines].toSorted(), each);
});

test('archive: a savepoint that was moved is read without its job, and a job can still start from it', async (t) => {
  const before = await stopped(t);
  const archive = join(await temporary(t), '2026-visits');
  await rename(before.path.replace('file:', ''), archive);
  t.true((await readdir(archive)).includes('_metadata'));
  const counts = await archivedCounts(archive);
  const expected = new Map<string, number>();
  for (const line of before.lines) expected.set(line.split(':')[0] ?? '', Number(line.split(': ')[1]));
  t.deepEqual(Object.fromEntries(counts), Object.fromEntries(expected));
  const { lines } = await run(visitCounts, { from: archive });
  t.deepEqual([...before.lines, ...lines].toSorted(), each);
});
