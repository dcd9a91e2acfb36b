/** fromSequence, keyBy of K spread long keys, sums in event-time windows of a kind, discard. The Java twin is java/Windows.java. */
import { arg, job, session, sliding, tumbling, tuple, WatermarkStrategy } from 'drey';

const assigners = {
  tumbling: tumbling.eventTime({ size: '10 s' }),
  sliding: sliding.eventTime({ size: '60 s', slide: '5 s' }),
  session: session.eventTime({ gap: '5 s' }),
};

/** Ten records a millisecond for sessions, with a pause after each million that ends them; else a hundred. */
function timestampOf(kind: keyof typeof assigners, value: number): number {
  return kind === 'session' ? Math.floor(value / 10) + Math.floor(value / 1_000_000) * 6000 : Math.floor(value / 100);
}

const args = {
  records: arg.int(),
  parallelism: arg.int({ default: 1 }),
  keys: arg.int(),
  kind: arg.choice(['tumbling', 'sliding', 'session']),
};

export default job({ name: 'windows', args }, (env, { records, parallelism, keys, kind }) => {
  env.setParallelism(parallelism);
  env
    .fromSequence(1, records)
    .assignTimestampsAndWatermarks(
      WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner((value) => timestampOf(kind, value)),
    )
    .map((value) => tuple((Math.imul(value, 0x9e3779b1) >>> 0) % keys, value % 8))
    .keyBy(([key]) => key)
    .window(assigners[kind])
    .sum(1)
    .discard({ fold: true });
});
