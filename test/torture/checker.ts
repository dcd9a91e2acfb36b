/**
 * Knows every record: reads what was committed and counts what is not exactly as it must be.
 *
 * Each number must come once, each timer once. A key's counts are 1, 2, 3 …, its timers ascend, and so do its
 * numbers within a split of the source: number n came from split n % splits.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KEYS, TIMER_DELAY_MS } from './program.ts';

/** All zero: exactly once. */
export interface Verdict {
  lost: number;
  duplicated: number;
  disordered: number;
}

/** What was read in. */
export interface Expectation {
  readonly records: number;
  /** Parallelism of the source when it began. */
  readonly splits: number;
}

type Line = { readonly key: number; readonly count: number; readonly number: number };

/** Committed lines, in the order of their commits for each key. */
function committedLines(directory: string): Line[] {
  const committed = join(directory, 'committed');
  return readdirSync(committed).toSorted().flatMap((name) => {
    return readFileSync(join(committed, name), 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Line);
  });
}

export function check(directory: string, { records, splits }: Expectation): Verdict {
  return verdictOf(committedLines(directory), { records, splits });
}

/** The verdict over lines in their order. */
export function verdictOf(lines: readonly Line[], { records, splits }: Expectation): Verdict {
  const seen = { numbers: new Uint32Array(records), timers: new Uint32Array(records) };
  const verdict: Verdict = { lost: 0, duplicated: 0, disordered: 0 };
  const last = new Map<string, number>();
  const ascends = (row: string, value: number): void => {
    if (value <= (last.get(row) ?? -1)) verdict.disordered += 1;
    last.set(row, value);
  };
  for (const { key, count, number } of lines) {
    const isTimer = count === 0;
    const index = isTimer ? number - TIMER_DELAY_MS : number;
    const counts = isTimer ? seen.timers : seen.numbers;
    if (index % KEYS !== key || index >= records) verdict.duplicated += 1; // It never was: more than what came in.
    else counts[index] = (counts[index] ?? 0) + 1;
    if (isTimer) {
      ascends(`timers of ${key}`, number);
      continue;
    }
    ascends(`numbers of ${key} from ${number % splits}`, number);
    const row = `counts of ${key}`;
    if (count !== (last.get(row) ?? 0) + 1) verdict.disordered += 1;
    last.set(row, count);
  }
  for (const counts of [seen.numbers, seen.timers]) {
    for (const times of counts) {
      if (times === 0) verdict.lost += 1;
      else verdict.duplicated += times - 1;
    }
  }
  return verdict;
}
