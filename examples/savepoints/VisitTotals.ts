/**
 * The next version of Visit Counts: another operator, whose state has another shape. No rule of evolution leads from one to the other,
 * so `migrate` writes a savepoint for it:
 *
 *     bin/flink stop --savepointPath /tmp/savepoints <job id of Visit Counts>
 *     node --input-type=module -e "(await import('./dist/examples/savepoints/VisitTotals.js')).migrate('/tmp/savepoints/savepoint-…', '/tmp/migrated')"
 *     bin/flink run -d -s /tmp/migrated examples/savepoints/VisitTotals.ts       # the same cluster, or another one
 */
import { arg, dataGenerator, job, state, t } from 'drey';
import { SavepointReader, SavepointWriter } from 'drey/state';

const Visit = t.object({ user: t.string });
const totals = { total: state.value(t.object({ visits: t.int32, isRegular: t.boolean })) };
const REGULAR_VISITS = 100;

export default job({ name: 'Visit Totals', args: { visits: arg.int({ default: 100_000 }), perSecond: arg.int({ default: 1000 }) } }, (env, args) => {
  env
    .fromSource(dataGenerator({ count: args.visits, ratePerSecond: args.perSecond, generate: (index) => ({ user: `user ${index % 5}` }) }))
    .uid('visits')
    .returns(Visit)
    .keyBy('user')
    .process({
      state: totals,
      output: t.string,
      process(_visit, { key, state: { total } }, out) {
        const visits = (total.get()?.visits ?? 0) + 1;
        total.set({ visits, isRegular: visits >= REGULAR_VISITS });
        out.emit(`${key}: ${visits}`);
      },
    })
    .uid('totals')
    .print();
});

/** From the state of Visit Counts to that of Visit Totals; the source goes on where it was. Answers where it is. */
export async function migrate(from: string, to: string): Promise<string> {
  const savepoint = await SavepointReader.read(from);
  async function* counts(): AsyncGenerator<{ readonly user: string; readonly visits: number }> {
    const declared = { key: t.string, state: { count: state.value(t.int32) } };
    for await (const { key, state: { count } } of savepoint.operator('counts').keyed(declared)) yield { user: key, visits: count.get() ?? 0 };
  }
  return SavepointWriter.from(savepoint)
    .withKeyedState('totals', {
      state: totals,
      records: counts(),
      keyOf: ({ user }) => user,
      process: ({ visits }, { state: { total } }) => total.set({ visits, isRegular: visits >= REGULAR_VISITS }),
    })
    .removeOperator('counts')
    .write(to);
}
