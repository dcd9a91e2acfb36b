/**
 * Visits per user, which outlive the job: the program behind the examples of what savepoints are for.
 *
 * Pause, and go on later, at another parallelism if you like:
 *
 *     bin/flink run -d examples/savepoints/VisitCounts.ts
 *     bin/flink stop --savepointPath /tmp/savepoints <job id>
 *     bin/flink run -d -p 2 -s /tmp/savepoints/savepoint-… examples/savepoints/VisitCounts.ts
 */
import { arg, dataGenerator, job, state, t } from 'drey';

const Visit = t.object({ user: t.string });

export default job({ name: 'Visit Counts', args: { visits: arg.int({ default: 100_000 }), perSecond: arg.int({ default: 1000 }) } }, (env, args) => {
  env
    .fromSource(dataGenerator({ count: args.visits, ratePerSecond: args.perSecond, generate: (index) => ({ user: `user ${index % 5}` }) }))
    .uid('visits')
    .returns(Visit)
    .keyBy('user')
    .process({
      state: { count: state.value(t.int32) },
      output: t.string,
      process(_visit, { key, state: { count } }, out) {
        count.set((count.get() ?? 0) + 1);
        out.emit(`${key}: ${count.get()}`);
      },
    })
    .uid('counts')
    .print();
});
