/** fromSequence, map, filter, map, discard. The Java twin is java/Chain.java. */
import { arg, job } from 'drey';

export default job({ name: 'chain', args: { records: arg.int(), parallelism: arg.int({ default: 1 }) } }, (env, args) => {
  env.setParallelism(args.parallelism);
  env
    .fromSequence(1, args.records)
    .assignTimestamps((value) => value)
    .map((value) => value + 1)
    .filter((value) => value % 3 !== 0)
    .map((value) => value * 2)
    .discard({ fold: true });
});
