/**
 * The top speed of each car over its last 10 seconds, evaluated whenever it has driven 50 meters: a global window with a
 * delta trigger and a time evictor.
 *
 *     bin/flink run examples/streaming/TopSpeedWindowing.ts --cars 2 --seconds 100
 */
import { arg, evictor, globalWindows, job, t, trigger, WatermarkStrategy, type Infer } from 'drey';

const Reading = t.object({ car: t.int32, kmPerHour: t.int32, meters: t.float64, at: t.timestamp });
type Reading = Infer<typeof Reading>;

const METERS = 50;
const START_MS = Date.UTC(2026, 0, 1);

/** Cars that speed up and slow down by 5 km/h, each in a rhythm of its own; one reading a second. */
function drive(cars: number, seconds: number): Reading[] {
  const readings: Reading[] = [];
  for (let car = 0; car < cars; car++) {
    let [kmPerHour, meters] = [50, 0];
    for (let second = 0; second < seconds; second++) {
      const speedsUp = Math.sin(second / (5 + car)) + Math.sin(second * 1.7) / 2 > 0;
      kmPerHour = speedsUp ? Math.min(100, kmPerHour + 5) : Math.max(0, kmPerHour - 5);
      meters += kmPerHour / 3.6;
      readings.push({ car, kmPerHour, meters, at: START_MS + second * 1000 });
    }
  }
  return readings.sort((a, b) => a.at - b.at || a.car - b.car);
}

const args = { cars: arg.int({ default: 2 }), seconds: arg.int({ default: 100 }) };

export default job({ name: 'CarTopSpeedWindowingExample', args }, (env, { cars, seconds }) => {
  env
    .fromCollection(drive(cars, seconds), Reading)
    .assignTimestampsAndWatermarks(WatermarkStrategy.forMonotonousTimestamps<Reading>().withTimestampAssigner((reading) => reading.at))
    .setParallelism(1) // The readings of a car stay in order.
    .keyBy('car')
    .window(globalWindows())
    .evictor(evictor.time('10 s'))
    .trigger(trigger.delta(METERS, (last, reading) => reading.meters - last.meters, Reading))
    .maxBy('kmPerHour')
    .print();
});
