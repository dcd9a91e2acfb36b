/**
 * Prints the most frequent words that WordCount wrote, and checks every word against a count of its own.
 *
 *     node dist/scripts/word-count-summary.js <text file> <output directory>
 *
 * The output holds running counts, `(word,count)` a line; they only grow, so the greatest of a word is its last.
 * Exits with 1 when a count differs.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const WORDS_SHOWN = 10;
const DIFFERENCES_SHOWN = 5;

/** Last count by word, of every file below a directory. */
function countsOf(path: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const file of filesBelow(path)) {
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const comma = line.lastIndexOf(',');
      if (comma < 0) continue;
      const word = line.slice(1, comma);
      counts.set(word, Math.max(counts.get(word) ?? 0, Number(line.slice(comma + 1, -1))));
    }
  }
  return counts;
}

function filesBelow(path: string): readonly string[] {
  return statSync(path).isFile() ? [path] : readdirSync(path).flatMap((name) => filesBelow(join(path, name)));
}

function countedHere(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of text.toLowerCase().split(/\W+/)) if (word !== '') counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

function differences(counts: ReadonlyMap<string, number>, expected: ReadonlyMap<string, number>): readonly string[] {
  const words = new Set([...counts.keys(), ...expected.keys()]);
  return [...words]
    .filter((word) => counts.get(word) !== expected.get(word))
    .map((word) => `'${word}': ${counts.get(word) ?? 'missing'} instead of ${expected.get(word) ?? 'none'}`);
}

const [textFile, output] = process.argv.slice(2);
if (textFile === undefined || output === undefined) throw new Error('usage: word-count-summary.js <text file> <output directory>');
const text = readFileSync(textFile, 'utf8');
const counts = countsOf(output);
const top = [...counts].toSorted(([, a], [, b]) => b - a).slice(0, WORDS_SHOWN);
const width = Math.max(...top.map(([word]) => word.length));
for (const [word, count] of top) console.log(`  ${word.padEnd(width)}  ${String(count).padStart(7)}`);

const wrong = differences(counts, countedHere(text));
if (wrong.length === 0) {
  console.log(`\n${counts.size} words in ${(text.length / 1e6).toFixed(1)} MB of text; every count equals a plain count of the file.`);
} else {
  console.error(`${wrong.length} counts are wrong:\n  ${wrong.slice(0, DIFFERENCES_SHOWN).join('\n  ')}`);
  process.exitCode = 1;
}
