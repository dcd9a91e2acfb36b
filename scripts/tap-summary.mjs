/**
 * Reads TAP from standard input, shows each failure with its diagnostics, and ends with the plain line
 * `N passed, N failed, N skipped`. Exit code 1 when a test failed, none ran, or the run was cut short.
 */
import { createInterface } from 'node:readline';

const counts = { passed: 0, failed: 0, skipped: 0 };
let planned = false;
let inFailure = false;

/** @param {string} line */
function read(line) {
  const result = /^(not )?ok \d+ - (.*)$/.exec(line);
  if (result) {
    inFailure = result[1] !== undefined;
    if (inFailure) {
      counts.failed++;
      console.log(`FAILED ${result[2]}`);
    } else if (/# (SKIP|TODO)/i.test(line)) counts.skipped++;
    else counts.passed++;
  } else if (/^1\.\.\d+/.test(line)) {
    planned = true;
    inFailure = false;
  } else if (inFailure || line.startsWith('Bail out!')) console.log(line);
}

for await (const line of createInterface({ input: process.stdin })) read(line);

if (!planned) console.log('The test runner stopped before its end.');
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 || counts.passed === 0 || !planned ? 1 : 0;
