/**
 * The simulator's command line:
 *
 *     npm run sim -- --seeds 200 [--from 1] [--seed 42] [--plant slotsLeak]
 *
 * Prints each violation with its seed, and ends with one line of figures. Fails on violations; with `--plant`, without one.
 */
import { parseArgs } from 'node:util';
import { PLANTS } from '../test/sim/plants.ts';
import { simulate } from '../test/sim/simulation.ts';

const SEEDS = 200;

const { values } = parseArgs({
  options: { seeds: { type: 'string' }, from: { type: 'string' }, seed: { type: 'string' }, plant: { type: 'string' } },
});
const from = Number(values.seed ?? values.from ?? 1);
const seeds = values.seed === undefined ? Number(values.seeds ?? SEEDS) : 1;
const plant = values.plant === undefined ? null : PLANTS[values.plant];
if (plant === undefined) throw new RangeError(`--plant takes one of ${Object.keys(PLANTS).join(', ')}`);

plant?.();
let [violations, events] = [0, 0];
for (let seed = from; seed < from + seeds; seed++) {
  const result = await simulate(seed);
  events += result.events;
  violations += result.violations.length;
  for (const violation of result.violations) console.log(`seed ${seed}: ${violation}`);
}
console.log(`seeds=${seeds} violations=${violations} events=${events}`);
process.exitCode = (violations > 0) === (plant === null) ? 1 : 0;
