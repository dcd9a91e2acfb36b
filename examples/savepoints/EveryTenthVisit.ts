/**
 * The B of an A/B test: other code for the operator that counts visits, begun with the state of the A.
 *
 *     bin/flink savepoint <job id of Visit Counts> /tmp/savepoints
 *     bin/flink run -d -s /tmp/savepoints/savepoint-… examples/savepoints/VisitCounts.ts
 *     bin/flink run -d -s /tmp/savepoints/savepoint-… examples/savepoints/EveryTenthVisit.ts
 *
 * Both leave the savepoint as it is (`--claimMode no_claim`, the default).
 */
import { arg, dataGenerator, job, state, t } from 'drey';

const Visit = t.object({ user: t.string });

export default job({ name: 'Every Tenth Visit', args: { visits: arg.int({ default: 100_000 }), perSecond: arg.int({ default: 1000 }) } }, (env, args) => {
  env
    .fromSource(dataGenerator({ count: args.visits, ratePerSecond: args.perSecond, generate: (index) => ({ user: `user ${index % 5}` }) }))
    .uid('visits')
    .returns(Visit)
    .keyBy('user')
    .process({
      state: { count: state.value(t.int32) },
      output: t.string,
      process(_visit, { key, state: { count } }, out) {
        const next = (count.get() ?? 0) + 1;
        count.set(next);
        if (next % 10 === 0) out.emit(`tenth of ${key}: ${next}`);
      },
    })
    .uid('counts')
    .print();
});
