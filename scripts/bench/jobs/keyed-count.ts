/** fromSequence, keyBy of K spread long keys, running count per key, discard. The Java twin is java/KeyedCount.java. */
import { arg, job, state, t, tuple } from 'drey';

export default job(
  { name: 'keyed-count', args: { records: arg.int(), parallelism: arg.int({ default: 1 }), keys: arg.int() } },
  (env, args) => {
    env.setParallelism(args.parallelism);
    env
      .fromSequence(1, args.records)
      .assignTimestamps((value) => value)
      .keyBy((value) => (Math.imul(value, 0x9e3779b1) >>> 0) % args.keys)
      .process({
        state: { count: state.value(t.float64) },
        process(_value, context, out) {
          const { count } = context.state;
          const now = (count.get() ?? 0) + 1;
          count.set(now);
          out.emit(tuple(context.key, now));
        },
      })
      .discard({ fold: true });
  },
);
