/**
 * The torture's command line:
 *
 *     npm run torture -- --minutes N --seed S [--keep DIR] [--plant NAME]
 *
 * Rounds at parallelism 1, 2 and 5 until the time is over; each round crashes the verification job at points
 * that its seed decides, and checks every record. One line for each round with its seed, one final line of
 * figures. Fails when anything was lost, duplicated or out of order, or when a crash point was not reached by
 * any round; so with a planted bug it must fail. `--keep`: the files of every round stay below this directory.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { systemPorts } from '../src/base/system-ports.ts';
import { PLANTS } from '../test/torture/plants.ts';
import { POINTS, runRound, shuffled } from '../test/torture/rounds.ts';

const PARALLELISMS = [1, 2, 5] as const;
/** Crash points of one round. */
const POINTS_PER_ROUND = 5;
const RECORDS = 6000;
const PER_SECOND = 3000;
const MINUTE_MS = 60_000;

const { values } = parseArgs({
  options: { minutes: { type: 'string' }, seed: { type: 'string' }, keep: { type: 'string' }, plant: { type: 'string' } },
});
const minutes = Number(values.minutes ?? 1);
const firstSeed = Number(values.seed ?? 1);
if (!Number.isFinite(minutes) || !Number.isSafeInteger(firstSeed)) throw new RangeError('--minutes takes a number, --seed an integer');
const plant = values.plant ?? null;
if (plant !== null && PLANTS[plant] === undefined) throw new RangeError(`--plant takes one of ${Object.keys(PLANTS).join(', ')}`);
const kept = values.keep === undefined ? null : resolve(values.keep);
const root = kept ?? await mkdtemp(join(tmpdir(), 'drey-torture-'));

const unreached = new Set<string>(POINTS);
const total = { lost: 0, duplicated: 0, disordered: 0 };
let kills = 0;
const endMs = systemPorts.clock.monotonicMs() + minutes * MINUTE_MS;
for (let number = 0; number === 0 || systemPorts.clock.monotonicMs() < endMs; number++) {
  const parallelism = PARALLELISMS[number % PARALLELISMS.length] ?? 1;
  const seed = firstSeed + Math.floor(number / PARALLELISMS.length);
  const from = (number % PARALLELISMS.length) * POINTS_PER_ROUND;
  const points = shuffled(POINTS, seed).slice(from, from + POINTS_PER_ROUND);
  const directory = join(root, `round-${number}`);
  const round = { seed, parallelism, records: RECORDS, ratePerSecond: PER_SECOND, points, directory, plant };
  const { lost, duplicated, disordered, crashes, reached } = await runRound(round);
  await writeFile(join(directory, 'manifest.json'), `${JSON.stringify(round, null, 2)}\n`);
  console.log(`round=${number} seed=${seed} parallelism=${parallelism} points=${[...reached].join(',')} lost=${lost} duplicated=${duplicated} disordered=${disordered}`);
  for (const point of reached) unreached.delete(point);
  kills += crashes;
  total.lost += lost;
  total.duplicated += duplicated;
  total.disordered += disordered;
  if (kept === null) await rm(directory, { recursive: true, force: true });
}
if (kept === null) await rm(root, { recursive: true, force: true });
const { lost, duplicated, disordered } = total;
console.log(`lost=${lost} duplicated=${duplicated} disordered=${disordered} kills=${kills} unreached=${[...unreached].join(',') || 0}`);
process.exitCode = lost + duplicated + disordered + unreached.size > 0 ? 1 : 0;
