/**
 * Reads TAP from standard input, shows what failed and a dot-free progress line per file, and ends with
 * the plain line `N passed, N failed, N skipped`. Exit code 1 when a test failed or none ran.
 */
import { createInterface } from 'node:readline';

let passed = 0;
let failed = 0;
let skipped = 0;
let inFailure = false;

for await (const line of createInterface({ input: process.stdin })) {
  const result = /^(not )?ok \d+ - (.*)$/.exec(line);
  if (!result) {
    if (inFailure || /^\s*#|^Bail out!/.test(line) === false) {
      if (inFailure) console.log(line);
    }
    continue;
  }
  inFailure = false;
  if (/# (SKIP|TODO)/i.test(line)) skipped++;
  else if (result[1]) {
    failed++;
    inFailure = true;
    console.log(`FAILED ${result[2]}`);
  } else passed++;
}

console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
