/** The control plane under faults, on virtual time. `npm run sim -- --seeds 200` runs more seeds. */
import test from 'ava';
import { PLANTS } from './plants.ts';
import { simulate } from './simulation.ts';

/** Seeds of one test run. */
const SEEDS = 60;
/** A planted bug must show within this many seeds. */
const PLANT_SEEDS_MAX = 100;

test.serial('No seed violates an invariant, and all endings are reached', async (t) => {
  const endings = new Set<string>();
  let [completions, restores, rescales] = [0, 0, 0];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = await simulate(seed);
    t.deepEqual(result.violations, [], `seed ${seed}`);
    for (const ending of result.endings) endings.add(ending);
    completions += result.completions;
    restores += result.restores;
    rescales += result.rescales;
  }
  t.deepEqual([...endings].toSorted(), ['CANCELED', 'FAILED', 'FINISHED']);
  t.true(completions > 0 && restores > 0, `${completions} completed checkpoints announced, ${restores} attempts restored`);
  t.true(rescales > 0, 'the parallelism of a running job changed');
});

test.serial('The same seed plays the same events', async (t) => {
  t.deepEqual(await simulate(7), await simulate(7));
});

for (const [name, plant] of Object.entries(PLANTS)) {
  test.serial(`The simulator catches ${name}`, async (t) => {
    const mend = plant();
    try {
      let caught = false;
      for (let seed = 1; seed <= PLANT_SEEDS_MAX && !caught; seed++) caught = (await simulate(seed)).violations.length > 0;
      t.true(caught, `no seed up to ${PLANT_SEEDS_MAX} shows it`);
    } finally {
      mend();
    }
  });
}
