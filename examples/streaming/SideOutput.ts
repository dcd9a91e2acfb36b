/**
 * Splits a stream in two: words are counted, and what is no word goes to a side output with a type of its own.
 *
 *     bin/flink run examples/streaming/SideOutput.ts --input some.txt
 */
import { arg, job, outputTag, t, tuple } from 'drey';

const Rejected = t.object({ token: t.string, reason: t.string });
const rejected = outputTag('rejected', Rejected);

const TEXT = ['Call me at 555-0199 or write to me,', 'room 12, 3rd floor.', 'Write soon!'];

export default job({ name: 'Side Output', args: { input: arg.path({ optional: true }) } }, (env, { input }) => {
  const lines = input === undefined ? env.fromCollection(TEXT) : env.readTextFile(input);

  const words = lines
    .flatMap((line) => line.toLowerCase().split(/[\s,.!?]+/).filter((token) => token !== ''))
    .process({
      output: t.string,
      process(token, context, out) {
        if (/^[a-z]+$/.test(token)) out.emit(token);
        else context.output(rejected, { token, reason: /\d/.test(token) ? 'has a digit' : 'is no word' });
      },
    })
    .name('split');

  words.getSideOutput(rejected).print('rejected');
  words.map((word) => tuple(word, 1)).keyBy(([word]) => word).sum(1).print('count');
});
