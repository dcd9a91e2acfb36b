/** The shipped WordCount (examples/streaming/WordCount.ts) with a folding sink; a line's timestamp is its length. The Java twin is java/WordCount.java. */
import { arg, job, tuple } from 'drey';

export default job({ name: 'WordCount', args: { input: arg.path(), parallelism: arg.int({ default: 1 }) } }, (env, args) => {
  env.setParallelism(args.parallelism);
  env
    .readTextFile(args.input)
    .name('file-input')
    .assignTimestamps((line) => line.length)
    .flatMap((line) => line.toLowerCase().split(/\W+/).filter((word) => word !== '').map((word) => tuple(word, 1)))
    .name('tokenizer')
    .keyBy(([word]) => word)
    .sum(1)
    .name('counter')
    .discard({ fold: true });
});
