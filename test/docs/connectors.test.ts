/** The page about connectors cannot go stale. */
import test from 'ava';
import { runPrograms } from './page-programs.ts';

test('the programs of the page run in their order, and print what it says', async (t) => {
  t.true((await runPrograms(t, 'connectors.md')) >= 1);
});
