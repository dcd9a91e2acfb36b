/**
 * Counts the words of a text: of the built-in lines, or of a file, directory or glob.
 *
 *     bin/flink run examples/streaming/WordCount.ts --input some.txt --output counts
 *
 * Each word yields its running count, so the last line of a word holds its total.
 */
import { arg, job, tuple } from 'drey';

const TEXT = [
  'A drey is the nest that a squirrel builds high in a tree,',
  'a ball of twigs, leaves, moss and bark, wedged where the branches fork.',
  'The squirrel builds more than one drey, and when a storm takes the first,',
  'it moves to the next and goes on, as if nothing had happened.',
  'In winter the squirrel sleeps in the drey, but not for long:',
  'on a mild day it comes down the tree to look for the nuts it has stored.',
  'Some nuts it finds, some nuts the jay finds first, and some grow into trees.',
];

const args = {
  input: arg.path({ optional: true, description: 'a file, a directory or a glob' }),
  output: arg.path({ optional: true, description: 'a directory for the counts' }),
};

export default job({ name: 'WordCount', args }, (env, { input, output }) => {
  const text = input === undefined
    ? env.fromCollection(TEXT).name('in-memory-input')
    : env.readTextFile(input).name('file-input');

  const counts = text
    .flatMap((line) => line.toLowerCase().split(/\W+/).filter((word) => word !== '').map((word) => tuple(word, 1)))
    .name('tokenizer')
    .keyBy(([word]) => word)
    .sum(1)
    .name('counter');

  if (output === undefined) counts.print().name('print-sink');
  else counts.writeAsText(output).name('file-sink');
});
