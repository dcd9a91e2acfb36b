/**
 * Joins grades and salaries of the same person that fall into the same 2 seconds.
 *
 *     bin/flink run examples/streaming/WindowJoin.ts --records 200
 */
import { arg, dataGenerator, job, t, tumbling, tuple, WatermarkStrategy, type Infer } from 'drey';

const Grade = t.object({ name: t.string, grade: t.int32, at: t.timestamp });
const Salary = t.object({ name: t.string, salary: t.int32, at: t.timestamp });

const NAMES = ['tom', 'jerry', 'alice', 'bob', 'john', 'grace'];
const nameOf = (index: number): string => NAMES[(index * 7 + (index % 3)) % NAMES.length] ?? '';

const args = {
  records: arg.int({ default: 200, description: 'of each kind' }),
  windowSize: arg.int({ default: 2000, description: 'in ms' }),
};

export default job({ name: 'Windowed Join Example', args }, (env, { records, windowSize }) => {
  const grades = env
    .fromSource(dataGenerator({
      count: records,
      type: Grade,
      generate: (index) => ({ name: nameOf(index), grade: 1 + ((index * 3) % 5), at: index * 100 }),
    }))
    .assignTimestampsAndWatermarks(WatermarkStrategy.forMonotonousTimestamps<Infer<typeof Grade>>().withTimestampAssigner(({ at }) => at))
    .name('grades');

  const salaries = env
    .fromSource(dataGenerator({
      count: records,
      type: Salary,
      generate: (index) => ({ name: nameOf(index + 1), salary: 1 + ((index * 37) % 10_000), at: index * 100 }),
    }))
    .assignTimestampsAndWatermarks(WatermarkStrategy.forMonotonousTimestamps<Infer<typeof Salary>>().withTimestampAssigner(({ at }) => at))
    .name('salaries');

  grades
    .join(salaries)
    .where(({ name }) => name)
    .equalTo(({ name }) => name)
    .window(tumbling.eventTime({ size: windowSize }))
    .apply(({ name, grade }, { salary }) => tuple(name, grade, salary))
    .print();
});
