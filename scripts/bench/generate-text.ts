/**
 * Writes the WordCount input into .cache and prints its checksum: `node dist/scripts/bench/generate-text.js`.
 * Flags: `--scale f` for a smaller text. The file is kept; its name says what it holds.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { textChunks } from './text.ts';

const WORDS = 20_000_000;
const DISTINCT = 50_000;
const SEED = 20_260_101;

/** The benchmark text: path, bytes, words and the SHA-256 of its content. */
export interface BenchmarkText {
  readonly path: string;
  readonly sizeBytes: number;
  readonly words: number;
  readonly sha256: string;
}

/** Makes the text unless it is there. `scale` 1 is 20 M words. */
export function benchmarkText(scale: number): BenchmarkText {
  const words = Math.round(WORDS * scale);
  const directory = resolve('.cache');
  const path = join(directory, `zipf-${DISTINCT}-${words}.txt`);
  const summary = `${path}.json`;
  if (!existsSync(summary)) {
    mkdirSync(directory, { recursive: true });
    writeFileSync(summary, `${JSON.stringify(write(path, words))}\n`);
  }
  return { ...(JSON.parse(readFileSync(summary, 'utf8')) as BenchmarkText), path };
}

function write(path: string, words: number): BenchmarkText {
  const digest = createHash('sha256');
  const partial = `${path}.partial`;
  const file = openSync(partial, 'w');
  let sizeBytes = 0;
  for (const chunk of textChunks({ words, distinct: DISTINCT, seed: SEED })) {
    const bytes = Buffer.from(chunk, 'latin1');
    digest.update(bytes);
    sizeBytes += writeSync(file, bytes);
  }
  closeSync(file);
  renameSync(partial, path);
  return { path, sizeBytes, words, sha256: digest.digest('hex') };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { scale: { type: 'string', default: '1' } } });
  console.log(JSON.stringify(benchmarkText(Number(values.scale))));
}
