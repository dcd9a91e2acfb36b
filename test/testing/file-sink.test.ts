/** The file sink on a cluster: a map fails between checkpoints, and the finished files hold every record once. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { bucket, dataGenerator, fileSink, job, rows, t as types } from '../../src/index.ts';
import { MiniCluster } from '../../src/testing/mini-cluster.ts';

const RECORDS = 4000;

function directory(t: ExecutionContext): string {
  const made = mkdtempSync(join(tmpdir(), 'drey-file-sink-'));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function finishedFiles(path: string): string[] {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => basename(name).startsWith('part-')).map((name) => join(path, name));
}

for (const [name, checkpoints, parallelism, failures] of [
  ['without checkpoints', false, 2, 0], ['with checkpoints', true, 1, 2], ['with checkpoints, in parallel', true, 2, 2],
] as const) {
  test(`every record is in the finished files once ${name}, ${failures} failures`, async (t) => {
    const at = directory(t);
    const out = join(at, 'out');
    const cluster = await MiniCluster.start({
      taskManagers: 1, slots: 2, configuration: {
        'execution.checkpointing.dir': join(at, 'checkpoints'), 'restart-strategy.type': 'fixed-delay',
        'restart-strategy.fixed-delay.delay': '10 ms', 'restart-strategy.fixed-delay.attempts': '10',
      },
    });
    t.teardown(() => cluster.close());
    let failed = 0;
    const running = await cluster.submit(job({ name: 'files' }, (env) => {
      env.setParallelism(parallelism);
      if (checkpoints) env.enableCheckpointing('30 ms');
      const numbers = env.fromSource(dataGenerator({ generate: (n) => n, count: RECORDS, ratePerSecond: 8000, type: types.int32 })).uid('numbers');
      numbers.map((n) => {
        // Each failure waits for files that a checkpoint finished, so that there is something to lose and to repeat.
        if (failed < failures && n > RECORDS / 4 && finishedFiles(out).length > failed) {
          failed++;
          throw new Error('planted');
        }
        return { n, text: `"${n}", twice` };
      }).uid('rows').sinkTo(fileSink({
        path: out, encode: rows.json(), bucket: (value) => `by-ten/${value.n % 10}`, rolling: { sizeBytes: 2000 }, suffix: '.jsonl',
      })).uid('files');
    }));
    await running.result();
    t.is(failed, failures);
    const read = finishedFiles(out).flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(0, -1));
    const numbers = read.map((line) => (JSON.parse(line) as { n: number }).n).toSorted((a, b) => a - b);
    t.deepEqual(numbers, Array.from({ length: RECORDS }, (_, n) => n));
  });
}

test('options of the file sink that cannot be are refused', (t) => {
  const refused = (options: object, message: RegExp): void => void t.throws(() => fileSink({ path: '/out', ...options }), { code: 'PLAN_INVALID', message });
  refused({ path: '' }, /path/);
  refused({ prefix: '.hidden' }, /prefix/);
  refused({ suffix: 'a/b' }, /suffix/);
  refused({ rolling: { sizeBytes: 0 } }, /sizeBytes/);
  refused({ rolling: { rolloverInterval: 'soon' } }, /rolloverInterval/);
  refused({ bucket: 'day' }, /bucket/);
  t.notThrows(() => fileSink({ path: '/out', bucket: bucket.basePath() }));
});
