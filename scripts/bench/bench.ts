/**
 * Micro-benchmarks that guard the tricks of the record path: `npm run bench [-- words]`.
 *
 * Each `micro-*.ts` beside this file exports a `MicroBenchmark` by default: one way of doing something
 * against another. The variants alternate in one process, after a warm-up of each, and the table shows
 * the median with its spread in millions of records a second.
 */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { clock } from './processes.ts';
import { median } from './report.ts';

const ROUNDS = 7;
const WARM_UP_ROUNDS = 2;

/** One question, with at least two ways to do it. */
export interface MicroBenchmark {
  readonly name: string;
  /** Records that one call of a variant handles. */
  readonly records: number;
  /** What each call returns is compared: all variants must agree. */
  readonly variants: Readonly<Record<string, () => unknown>>;
}

async function load(words: readonly string[]): Promise<MicroBenchmark[]> {
  const directory = new URL('.', import.meta.url);
  const files = readdirSync(fileURLToPath(directory)).filter((name) => /^micro-.*\.js$/u.test(name));
  const wanted = files.filter((name) => words.length === 0 || words.some((word) => name.includes(word)));
  const modules = await Promise.all(
    wanted.map(async (name) => (await import(new URL(name, directory).href)) as { readonly default: MicroBenchmark | readonly MicroBenchmark[] }),
  );
  return modules.flatMap((module) => module.default);
}

/** Runs the variants in turn. Throws when two of them disagree. */
function measure(benchmark: MicroBenchmark): void {
  const rates = new Map<string, number[]>();
  let expected: unknown;
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    for (const [name, variant] of Object.entries(benchmark.variants)) {
      const startedMs = clock.monotonicMs();
      const result = variant();
      const durationMs = clock.monotonicMs() - startedMs;
      expected ??= result;
      if (result !== expected) throw new Error(`${benchmark.name}: '${name}' returned ${String(result)}, others ${String(expected)}`);
      if (round >= 0) rates.set(name, [...(rates.get(name) ?? []), benchmark.records / durationMs / 1000]);
    }
  }
  console.log(`${benchmark.name} (M rec/s)`);
  for (const [name, values] of rates) {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    console.log(`  ${name.padEnd(44)} ${median(values).toFixed(1).padStart(8)}   ${low.toFixed(1)}..${high.toFixed(1)}`);
  }
}

for (const benchmark of await load(process.argv.slice(2))) measure(benchmark);
