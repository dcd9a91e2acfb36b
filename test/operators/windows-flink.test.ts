/** Windows against the recorded output of Flink, line for line in its order (test/data/datastream). */
import test from 'ava';
import { readFileSync } from 'node:fs';
import { MAX_WATERMARK, outputTag, session, tumbling, type DataStream, type SingleOutputStream } from '../../src/index.ts';
import { OperatorHarness } from '../../src/testing/operator-harness.ts';

interface Reading {
  readonly key: string;
  readonly ms: number;
  readonly value: number;
}

const DIRECTORY = 'test/data/datastream';
const BOUND_MS = 2000;
/** Flink's last watermark is the greatest of 64 bits. */
const shownWatermark = (ms: number): string => (ms === MAX_WATERMARK ? '9223372036854775807' : String(ms));
const late = outputTag<Reading>('late');

function lines(file: string): string[] {
  return readFileSync(`${DIRECTORY}/${file}`, 'utf8').trimEnd().split('\n');
}

const readings = lines('left.csv').map((line): Reading => {
  const [key = '', ms, value] = line.split(',');
  return { key, ms: Number(ms), value: Number(value) };
});

/** Runs all readings through an operator, as the recorded jobs did. */
async function run(build: (readings: DataStream<Reading>) => SingleOutputStream<string>, codegen: 'on' | 'off') {
  const harness = await OperatorHarness.open(build, { codegen, sideOutputs: [late] });
  let highestMs = -Infinity;
  for (const reading of readings) {
    harness.processElement(reading, reading.ms);
    highestMs = Math.max(highestMs, reading.ms);
    harness.processWatermark(highestMs - BOUND_MS - 1);
  }
  await harness.endInput();
  await harness.close();
  return { results: harness.extractOutput(), late: harness.sideOutput(late) };
}

for (const codegen of ['on', 'off'] as const) {
  for (const form of ['sum', 'process'] as const) {
    test(`tumbling windows with lateness (${form}), codegen ${codegen}`, async (t) => {
      const output = await run((stream) => {
        const windows = stream.keyBy('key').window(tumbling.eventTime({ size: '10 s' })).allowedLateness('5 s').sideOutputLateData(late);
        const line = (key: string, { startMs, endMs }: { startMs: number; endMs: number }, sum: number, watermarkMs: number): string =>
          `${key} [${startMs},${endMs}) sum=${sum} wm=${shownWatermark(watermarkMs)}`;
        if (form === 'sum') {
          return windows.reduce((a, b) => ({ ...a, value: a.value + b.value }), ({ value }, { key, window, currentWatermarkMs }) => line(key, window, value, currentWatermarkMs));
        }
        return windows.process({
          process(all, { key, window, currentWatermarkMs }, out) {
            out.emit(line(key, window, [...all].reduce((sum, { value }) => sum + value, 0), currentWatermarkMs));
          },
        });
      }, codegen);
      const expected = lines('tumbling-lateness.txt');
      t.deepEqual(output.results, expected.filter((line) => !line.startsWith('LATE ')));
      t.deepEqual(output.late.map(({ key, ms, value }) => `LATE (${key},${ms},${value})`), expected.filter((line) => line.startsWith('LATE ')));
    });
  }

  test(`sessions whose gap comes from the record, codegen ${codegen}`, async (t) => {
    const { results } = await run((stream) => stream.keyBy('key').window(session.eventTime({ gap: ({ value }) => 800 + 50 * Math.abs(value) })).process({
      process(all, { key, window }, out) {
        out.emit(`${key} [${window.startMs},${window.endMs}) ${Array.from(all, ({ ms, value }) => `${ms}:${value}`).join(' ')}`);
      },
    }), codegen);
    t.deepEqual(results, lines('session-dynamic.txt').map((line) => line.trimEnd()));
  });
}
