/** The page about time cannot go stale. */
import test from 'ava';
import { runPrograms } from './page-programs.ts';

test('the programs of the page print what it says', async (t) => {
  t.is(await runPrograms(t, 'time.md'), 2);
});
