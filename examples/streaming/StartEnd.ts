/**
 * How long rides take: the START and the END of a ride become one duration. What does not end is forgotten four
 * hours after its start, by a timer, so that state does not grow for ever.
 *
 *     bin/flink run examples/streaming/StartEnd.ts
 */
import { job, outputTag, state, t, tuple, WatermarkStrategy, type Infer } from 'drey';

const RideEvent = t.object({ ride: t.string, kind: t.literal('START', 'END'), at: t.timestamp });
type Event = Infer<typeof RideEvent>;
const unfinished = outputTag('unfinished', t.string);

const MINUTE_MS = 60_000;
const TIMEOUT_MS = 240 * MINUTE_MS;

const at = (minute: number, ride: string, kind: 'START' | 'END'): Event => ({ ride, kind, at: minute * MINUTE_MS });

const EVENTS = [
  at(0, 'a', 'START'), at(5, 'b', 'START'), at(12, 'a', 'END'), at(20, 'c', 'START'), at(35, 'b', 'END'),
  at(200, 'a', 'START'), at(259, 'c', 'END'), at(300, 'd', 'START'), at(441, 'a', 'END'),
];

export default job({ name: 'Start End' }, (env) => {
  const durations = env
    .fromCollection(EVENTS, RideEvent)
    .assignTimestampsAndWatermarks(WatermarkStrategy.forMonotonousTimestamps<Event>().withTimestampAssigner((event) => event.at))
    .setParallelism(1) // More subtasks would mix the order up in which a ride's events come.
    .keyBy('ride')
    .process({
      output: t.tuple(t.string, t.float64),
      state: { start: state.value(t.timestamp) },
      process({ kind, at: nowMs, ride }, { state: { start }, timers }, out) {
        const startMs = start.get();
        if (kind === 'START') {
          start.set(nowMs);
          timers.registerEventTimeTimer(nowMs + TIMEOUT_MS);
        } else if (startMs !== undefined) {
          out.emit(tuple(ride, (nowMs - startMs) / MINUTE_MS));
          timers.deleteEventTimeTimer(startMs + TIMEOUT_MS);
          start.clear();
        }
      },
      onTimer(_timeoutMs, context) {
        context.output(unfinished, context.key);
        context.state.start.clear();
      },
    })
    .name('durations');

  durations.print('minutes');
  durations.getSideOutput(unfinished).print('unfinished');
});
