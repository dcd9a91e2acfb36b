/** Writes dist/revision.json: which commit was built, so that `flink -v` and the logs can say it. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

function git(...words) {
  try {
    return execFileSync('git', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return ''; // Built from a tarball: there is no repository to ask.
  }
}

const revision = { commit: git('rev-parse', '--short=7', 'HEAD') || 'unknown', date: git('log', '-1', '--format=%cI') || 'unknown' };
writeFileSync(new URL('../dist/revision.json', import.meta.url), `${JSON.stringify(revision)}\n`);
