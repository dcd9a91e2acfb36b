/**
 * Adds up events by user and session: a session ends when its user has done nothing for 3 ms of event time.
 *
 *     bin/flink run examples/streaming/SessionWindowing.ts
 *
 * Prints (user, start of the session's first event, events).
 */
import { job, session, tuple, WatermarkStrategy } from 'drey';

type Event = [user: string, at: number, count: number];

const EVENTS: readonly Event[] = [
  ['a', 1, 1],
  ['b', 1, 1],
  ['b', 3, 1],
  ['b', 5, 1],
  ['c', 6, 1],
  ['a', 10, 1],
  ['c', 11, 1],
];

export default job({ name: 'Session Windowing' }, (env) => {
  env
    .fromCollection(EVENTS)
    .assignTimestampsAndWatermarks(WatermarkStrategy.forMonotonousTimestamps<Event>().withTimestampAssigner(([, at]) => at))
    .keyBy(([user]) => user)
    .window(session.eventTime({ gap: '3 ms' }))
    .reduce(([user, at, count], [, other, more]) => tuple(user, Math.min(at, other), count + more))
    .print();
});
