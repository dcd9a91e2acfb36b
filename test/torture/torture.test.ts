/** A bounded run of the torture: every record counts once at every parallelism, and planted bugs are noticed. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { PLANTS } from './plants.ts';
import { POINTS, runRound, shuffled, type Round, type RoundResult } from './rounds.ts';

const SEED = 1;
/** A round of 1.5 s, when nothing else uses the machine. */
const ROUND = { seed: SEED, records: 2400, ratePerSecond: 1600 };

// Planted bugs are planted in the whole process: they come first, one after another.

async function tortured(t: ExecutionContext, parallelism: number, points: Round['points'], plant: string | null): Promise<RoundResult> {
  const directory = await mkdtemp(join(tmpdir(), 'drey-torture-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const result = await runRound({ ...ROUND, parallelism, points, directory, plant });
  t.log(JSON.stringify({ ...result, reached: [...result.reached] }));
  return result;
}

for (const [parallelism, ...part] of [[1, 0, 5], [2, 5, 9], [5, 9, 13]] as const) {
  test(`every record counts once at parallelism ${parallelism}`, async (t) => {
    const { lost, duplicated, disordered, reached } = await tortured(t, parallelism, shuffled(POINTS, SEED).slice(...part), null);
    t.deepEqual({ lost, duplicated, disordered }, { lost: 0, duplicated: 0, disordered: 0 });
    t.true(reached.size > 0);
  });
}

for (const plant of Object.keys(PLANTS)) {
  test.serial(`the planted bug ${plant} is noticed`, async (t) => {
    const { lost, duplicated, disordered } = await tortured(t, 2, ['pre-commit', 'map', 'snapshot'], plant);
    t.true(lost + duplicated + disordered > 0);
  });
}
