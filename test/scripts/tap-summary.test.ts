import { spawnSync } from 'node:child_process';
import test from 'ava';

function summarise(...lines: string[]): { output: string; code: number | null } {
  const { stdout, status } = spawnSync(process.execPath, ['scripts/tap-summary.mjs'], { input: lines.join('\n'), encoding: 'utf8' });
  return { output: stdout, code: status };
}

test('a clean run ends with its counts and exit code 0', (t) => {
  t.deepEqual(summarise('TAP version 13', 'ok 1 - a', 'ok 2 - b # SKIP', '1..2'), { output: '1 passed, 0 failed, 1 skipped\n', code: 0 });
});

test('a failure is shown with its diagnostics, and nothing of the tests after it', (t) => {
  const { output, code } = summarise('not ok 1 - room › breaks', '  ---', '    message: why', '  ...', 'ok 2 - b', '  stray', '1..2');
  t.is(output, 'FAILED room › breaks\n  ---\n    message: why\n  ...\n1 passed, 1 failed, 0 skipped\n');
  t.is(code, 1);
});

test('a run without tests, or one that was cut short, fails', (t) => {
  t.is(summarise('1..0').code, 1);
  t.deepEqual(summarise('ok 1 - a'), { output: 'The test runner stopped before its end.\n1 passed, 0 failed, 0 skipped\n', code: 1 });
});
