/**
 * Finds accounts whose card somebody tries out: a payment below 1.00 and, within a minute, one above 500.00.
 *
 *     bin/flink run examples/streaming/FraudDetection.ts
 *
 * The minute is one of event time, so that the same payments raise the same alerts however fast they are read.
 */
import { job, state, t, tuple, WatermarkStrategy, type Infer } from 'drey';

const Transaction = t.object({ accountId: t.int32, at: t.timestamp, amount: t.float64 });
type Transaction = Infer<typeof Transaction>;
const Alert = t.object({ id: t.int32 });

const SMALL_AMOUNT = 1;
const LARGE_AMOUNT = 500;
const MINUTE_MS = 60_000;

/** Seconds, account and amount. */
const PAYMENTS = [
  tuple(0, 1, 188.23), tuple(4, 2, 374.79), tuple(9, 3, 0.42), tuple(15, 4, 478.75), tuple(21, 3, 612.1), tuple(30, 5, 0.99),
  tuple(38, 1, 0.05), tuple(52, 1, 12.5), tuple(60, 1, 871.15), tuple(75, 2, 0.2), tuple(91, 5, 501.0), tuple(110, 2, 499.99),
  tuple(111, 2, 731.16), tuple(140, 4, 0.7), tuple(141, 4, 0.7), tuple(203, 4, 921.3), tuple(204, 3, 800), tuple(230, 2, 0.5), tuple(289, 2, 500.01),
];

export default job({ name: 'Fraud Detection' }, (env) => {
  env
    .fromCollection(PAYMENTS.map(([second, accountId, amount]) => ({ accountId, at: second * 1000, amount })), Transaction)
    .assignTimestampsAndWatermarks(WatermarkStrategy.forMonotonousTimestamps<Transaction>().withTimestampAssigner(({ at }) => at))
    .name('transactions')
    .setParallelism(1) // The payments of an account stay in order.
    .keyBy('accountId')
    .process({
      output: Alert,
      /** The end of the minute after a small payment. */
      state: { smallUntil: state.value(t.timestamp) },
      process({ amount, at }, { key, state: { smallUntil }, timers }, out) {
        const timeoutMs = smallUntil.get();
        if (timeoutMs !== undefined) {
          // The watermark, and so the timer, may come some records late.
          if (amount > LARGE_AMOUNT && at < timeoutMs) out.emit({ id: key });
          timers.deleteEventTimeTimer(timeoutMs);
          smallUntil.clear();
        }
        if (amount >= SMALL_AMOUNT) return;
        smallUntil.set(at + MINUTE_MS);
        timers.registerEventTimeTimer(at + MINUTE_MS);
      },
      onTimer(_timeoutMs, { state: { smallUntil } }) {
        smallUntil.clear();
      },
    })
    .name('fraud-detector')
    .map(({ id }) => `Alert{id=${id}}`)
    .print()
    .name('send-alerts');
});
