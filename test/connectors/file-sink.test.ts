/**
 * The file sink: names and buckets, rolling, and exactly-once when storage fails at any call: whatever the crash,
 * restore and commit again, finished files hold every record of completed checkpoints once.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { bucket, fileSink, rows, type FileSinkOptions } from '../../src/api/file-sink.ts';
import type { Clock } from '../../src/base/ports.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { FileCommitter, FileSinkWriter, type PendingFile } from '../../src/connectors/file-sink.ts';
import { createSinkCommitter } from '../../src/connectors/sink-writers.ts';
import { NO_TIMESTAMP } from '../../src/graph/functions.ts';
import type { FileSinkSpec } from '../../src/graph/operator-spec.ts';
import { FileSystems, type FileSystem, type FileWriter } from '../../src/storage/file-system.ts';
import { storageFault } from '../../src/storage/storage-fault.ts';
import { localPorts, readerContext } from './reading.ts';

/** Files in memory. Call number `failsAt` and those after it fail, before or (`late`) after they took effect. */
class FailingFiles implements FileSystem {
  readonly content = new Map<string, string>();
  failsAt = Infinity;
  late = false;
  calls = 0;

  private async call<R>(path: string, effect: () => R): Promise<R> {
    const fails = ++this.calls >= this.failsAt;
    if (fails && !(this.late && this.calls === this.failsAt)) throw storageFault('write', path, 'EIO');
    const result = effect();
    if (fails) throw storageFault('write', path, 'EIO');
    return result;
  }

  async stat(path: string) {
    return this.call(path, () => {
      const text = this.content.get(path);
      if (text === undefined) throw storageFault('read', path, 'ENOENT');
      return { path, kind: 'file' as const, sizeBytes: text.length, modifiedMs: 0 };
    });
  }

  async create(path: string): Promise<FileWriter> {
    let text = '';
    await this.call(path, () => undefined);
    return {
      get sizeBytes() {
        return text.length;
      },
      write: (bytes) => this.call(path, () => void (text += Buffer.from(bytes).toString())),
      commit: () => this.call(path, () => void this.content.set(path, text)),
      abort: async () => undefined,
    };
  }

  async rename(source: string, target: string): Promise<void> {
    await this.call(source, () => {
      const text = this.content.get(source);
      if (text === undefined) throw storageFault('rename', source, 'ENOENT');
      if (this.content.has(target)) throw storageFault('rename', target, 'EEXIST');
      this.content.delete(source);
      this.content.set(target, text);
    });
  }

  async delete(path: string): Promise<boolean> {
    return this.call(path, () => this.content.delete(path));
  }

  list(): AsyncIterable<never> {
    throw new Error('the sink lists nothing');
  }

  read(): AsyncIterable<never> {
    throw new Error('the sink reads nothing');
  }

  async makeDirectories(): Promise<void> {}

  finished(): string[] {
    return [...this.content].filter(([path]) => !path.includes('/.')).flatMap(([, text]) => text.split('\n').slice(0, -1));
  }
}

function specOf<T>(options: Partial<FileSinkOptions<T>> = {}): FileSinkSpec {
  return fileSink<T>({ path: '/out', bucket: bucket.basePath(), encode: String, ...options }).spec as FileSinkSpec;
}

/** Nothing rolls by time. */
const untimed: Clock = { ...systemPorts.clock, every: () => ({ cancel: () => undefined }) };

/** A job with one sink: what a checkpoint holds survives its crashes, all else does not. */
class Attempts {
  readonly files = new FailingFiles();
  readonly systems = new FileSystems(new Map([['file', () => this.files]]));
  private readonly spec = specOf<number>({ bucket: (n) => `b${n % 2}`, rolling: { sizeBytes: 4 } });
  private writer = this.newWriter();
  /** Of the newest complete checkpoint: where to go on, and what is (to be) committed. */
  private complete: { readonly position: number; readonly pending: readonly PendingFile[] } = { position: 0, pending: [] };
  position = 0;

  private newWriter(): FileSinkWriter {
    return new FileSinkWriter(this.spec, { ...localPorts, clock: untimed, files: this.systems });
  }

  async write(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.writer.write(this.position++, NO_TIMESTAMP);
  }

  /** `completes` false: the barrier passed, but the checkpoint was lost with the crash that follows. */
  async checkpoint(completes = true): Promise<void> {
    await this.writer.flush();
    const pending = await this.writer.prepareCommit();
    if (!completes) return this.crash();
    this.complete = { position: this.position, pending };
    await new FileCommitter(this.systems).commit(pending);
  }

  async crash(cleanly = false): Promise<void> {
    if (cleanly) await this.writer.close();
    else void this.writer.close();
    this.files.failsAt = Infinity;
    await new FileCommitter(this.systems).commit(this.complete.pending);
    this.writer = this.newWriter();
    this.position = this.complete.position;
  }

  /** Whatever happened: the finished files hold `0 … position`. */
  holds(): boolean {
    const numbers = this.files.finished().map(Number).toSorted((a, b) => a - b);
    return numbers.length === this.complete.position && numbers.every((n, index) => n === index);
  }
}

async function run(attempts: Attempts, step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch {
    await attempts.crash(true);
  }
}

for (const late of [false, true]) {
  test(`storage fails at each call, ${late ? 'after it took' : 'without'} effect: nothing is lost, nothing twice`, async (t) => {
    let reached = 0;
    for (let failsAt = 1; ; failsAt++) {
      const attempts = new Attempts();
      Object.assign(attempts.files, { failsAt, late });
      for (let round = 0; round < 3; round++) {
        await run(attempts, () => attempts.write(5));
        await run(attempts, () => attempts.checkpoint());
        if (attempts.files.failsAt === Infinity) t.true(attempts.holds(), `call ${failsAt}: ${attempts.files.finished().join(' ')}`);
      }
      const hasFailed = attempts.files.failsAt === Infinity;
      await attempts.crash(true);
      t.true(attempts.holds(), `call ${failsAt}`);
      if (!hasFailed) break;
      reached++;
    }
    t.true(reached > 30, `${reached} calls`);
  });
}

test('any order of records, checkpoints, lost checkpoints, crashes and restores', async (t) => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('write' as const), n: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ kind: fc.constantFrom('checkpoint' as const, 'lost' as const, 'crash' as const, 'stop' as const), n: fc.constant(0) }),
    fc.record({ kind: fc.constantFrom('fail' as const, 'late' as const), n: fc.integer({ min: 1, max: 12 }) }),
  );
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
    const attempts = new Attempts();
    for (const { kind, n } of steps) {
      if (kind === 'write') await run(attempts, () => attempts.write(n));
      else if (kind === 'checkpoint' || kind === 'lost') await run(attempts, () => attempts.checkpoint(kind === 'checkpoint'));
      else if (kind === 'fail' || kind === 'late') Object.assign(attempts.files, { failsAt: attempts.files.calls + n, late: kind === 'late' });
      else await attempts.crash(kind === 'stop');
    }
    await attempts.crash(true);
    return attempts.holds();
  }), { numRuns: 200 });
  t.pass();
});

async function directory(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'drey-file-sink-'));
  t.teardown(() => rm(path, { recursive: true }));
  return join(path, 'out');
}

test('on a disk: files have their names after the commit, and not before', async (t) => {
  const path = await directory(t);
  const spec = specOf({ path, bucket: (n) => (n === 3 ? 'odd/three' : ''), prefix: 'rows', suffix: '.txt' });
  const writer = new FileSinkWriter(spec, localPorts);
  for (let n = 0; n < 5; n++) await writer.write(n, NO_TIMESTAMP);
  await writer.flush();
  const pending = await writer.prepareCommit();
  const visible = async () => (await readdir(path, { recursive: true })).filter((name) => /(^|\/)rows/.test(name)).toSorted();
  t.deepEqual(await visible(), []);
  const committer = await createSinkCommitter(spec, readerContext(), localPorts);
  await committer?.commit(pending);
  await committer?.commit(pending);
  const [three = '', base = ''] = await visible();
  t.regex(three, /^odd\/three\/rows-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}-1\.txt$/);
  t.regex(base, /^rows-[-0-9a-f]{36}-0\.txt$/);
  t.is(await readFile(join(path, base), 'utf8'), '0\n1\n2\n4\n');
  await writer.write(9, NO_TIMESTAMP);
  await writer.close();
  t.deepEqual((await readdir(path, { recursive: true })).filter((name) => name.includes('inprogress')), []);
});

test('a pending file that is gone, and was never finished, is an error', async (t) => {
  const { systems } = new Attempts();
  const commit = new FileCommitter(systems).commit([{ pending: '/out/.part-0.inprogress.1', target: '/out/part-0' }]);
  await t.throwsAsync(commit, { code: 'FILE_NOT_FOUND' });
});

test('files roll by age and by idleness', async (t) => {
  for (const [rolling, times, expected] of [
    [{ rolloverInterval: 100 }, [0, 60, 110], 1], [{ inactivityInterval: 100 }, [0, 60, 110], 0], [{ inactivityInterval: 100 }, [0, 120], 1],
  ] as const) {
    let nowMs = 0;
    let tick = (): void => undefined;
    const { files, systems } = new Attempts();
    const every = (_: number, callback: () => void) => {
      tick = callback;
      return { cancel: () => undefined };
    };
    const writer = new FileSinkWriter(specOf({ rolling }), { ...localPorts, clock: { ...systemPorts.clock, nowMs: () => nowMs, every }, files: systems });
    for (const time of times) {
      nowMs = time;
      tick();
      await writer.write(time, NO_TIMESTAMP);
    }
    await writer.flush();
    t.is(files.content.size, expected + 1, JSON.stringify(rolling));
    await writer.close();
  }
});

test('buckets by time, and buckets that would hide or escape', async (t) => {
  const at = { timestampMs: NO_TIMESTAMP, processingTimeMs: Date.UTC(2024, 1, 3, 4, 5, 6) };
  t.is(bucket.dateTime('yyyy-MM-dd--HH', 'utc')(0, at), '2024-02-03--04');
  t.is(bucket.dateTime('yyyy/MM/dd/HHmmss', 'utc')(0, at), '2024/02/03/040506');
  for (const bad of ['/a', '../a', 'a/../b', '.a', '_a', 'a/', 'a//b']) {
    const writer = new FileSinkWriter(specOf({ bucket: () => bad }), localPorts);
    t.teardown(() => writer.close());
    t.throws(() => writer.write(1, NO_TIMESTAMP), { code: 'BAD_REQUEST' }, bad);
  }
});

test('rows of JSON and CSV', (t) => {
  t.is(rows.json()({ a: 'x\ny', b: 1n, c: [null] }), '{"a":"x\\ny","b":"1","c":[null]}');
  t.throws(() => rows.json()(undefined), { instanceOf: TypeError });
  const csv = rows.csv<{ a: unknown; b: unknown }>({ columns: ['a', 'b'] });
  t.is(csv({ a: 'x,"y"', b: null }), '"x,""y""",');
  t.is(csv({ a: '', b: 'l1\nl2' }), '"","l1\nl2"');
  t.is(rows.csv({ delimiter: ';' })([1, 'a;b', true, { c: 'd' }]), '1;"a;b";true;"{""c"":""d""}"');
  t.throws(() => rows.csv()({ a: 1 }), { instanceOf: TypeError });
});
