/** Sinks: what they write, when they ask to wait, and what they leave behind. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemPorts } from '../../src/base/system-ports.ts';
import { CollectWriter } from '../../src/connectors/collect-writer.ts';
import { PrintWriter } from '../../src/connectors/print-writer.ts';
import { TextFileWriter } from '../../src/connectors/text-file-writer.ts';
import { ClusterError } from '../../src/protocol/errors.ts';
import type { JsonValue } from '../../src/protocol/json.ts';
import { FileSystems, type FileWriter } from '../../src/storage/file-system.ts';
import { LocalFiles } from '../../src/storage/local-files.ts';
import { storageFault } from '../../src/storage/storage-fault.ts';
import { localPorts, readerContext } from './reading.ts';

async function directory(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'drey sink '));
  t.teardown(() => rm(path, { recursive: true }));
  return join(path, 'out');
}

function textWriter(path: string, attemptNumber = 0, files = localPorts.files): TextFileWriter {
  return new TextFileWriter({ path, format: String }, { ...readerContext(), attemptNumber }, files);
}

test('a text file appears complete when the input ends', async (t) => {
  const path = await directory(t);
  const writer = textWriter(path);
  for (let i = 0; i < 50_000; i++) await writer.write(i);
  t.deepEqual((await readdir(path)).filter((name) => !name.startsWith('.')), []);
  await writer.flush(true);
  await writer.close();
  t.deepEqual(await readdir(path), ['part-0']);
  t.is(await readFile(join(path, 'part-0'), 'utf8'), Array.from({ length: 50_000 }, (_, i) => `${i}\n`).join(''));
});

test('a text file of a job that failed leaves nothing behind', async (t) => {
  const path = await directory(t);
  const writer = textWriter(path);
  await writer.write('half');
  await writer.flush(false);
  await writer.close();
  t.deepEqual(await readdir(path), []);
});

test("an earlier job's file is not overwritten; a later attempt replaces its own", async (t) => {
  const path = await directory(t);
  const run = async (text: string, attemptNumber: number): Promise<void> => {
    const writer = textWriter(path, attemptNumber);
    try {
      await writer.write(text);
      await writer.flush(true);
    } finally {
      await writer.close();
    }
  };
  await run('first', 0);
  const error = await t.throwsAsync(run('second', 0), { instanceOf: ClusterError });
  t.is(error?.code, 'FILE_EXISTS');
  t.true(error?.message.includes(join(path, 'part-0')));
  await run('third', 1);
  t.is(await readFile(join(path, 'part-0'), 'utf8'), 'third\n');
});

/** A disk whose writes are answered by hand, and that is full from the second on. */
class FullDisk extends LocalFiles {
  override async create(path: string): Promise<FileWriter> {
    let writes = 0;
    const write = async (): Promise<void> => {
      if (++writes > 1) throw storageFault('write', path, 'ENOSPC');
    };
    return { sizeBytes: 0, write, commit: async () => undefined, abort: async () => undefined };
  }
}

test('a full disk is an error that names the path, and the writer waits for a slow one', async (t) => {
  const files = new FileSystems(new Map([['file', () => new FullDisk(systemPorts.random)]]));
  const writer = textWriter('/full/out', 0, files);
  const line = 'x'.repeat(70_000);
  t.is(writer.write(line), undefined);
  t.true(writer.write(line) instanceof Promise);
  const error = await t.throwsAsync(writer.flush(true), { instanceOf: ClusterError });
  t.is(error?.code, 'STORAGE_FULL');
  t.regex(error?.message ?? '', /\/full\/out\/part-0/);
  await writer.close();
});

test('print puts id and subtask before each line, as there are several', async (t) => {
  for (const [prefix, parallelism, expected] of [[null, 1, 'a\n'], ['id', 1, 'id> a\n'], [null, 2, '1> a\n'], ['id', 2, 'id:1> a\n']] as const) {
    let printed = '';
    const writer = new PrintWriter({ stream: 'stdout', prefix }, { ...readerContext(), parallelism, print: (_stream, text) => void (printed += text) });
    await writer.write('a');
    await writer.flush();
    t.is(printed, expected);
  }
});

/** A channel that keeps what was sent, and acknowledges when told. */
function channel(): { sent: (readonly JsonValue[])[]; acknowledge: (sequence: number) => void; writer: CollectWriter } {
  const sent: (readonly JsonValue[])[] = [];
  let acknowledge: (sequence: number) => void = () => undefined;
  const writer = new CollectWriter({
    send: (sequence, values) => void (sent[sequence] = values),
    onAcknowledged: (acknowledged) => void (acknowledge = acknowledged),
  });
  return { sent, writer, acknowledge: (sequence) => acknowledge(sequence) };
}

test('a collect sink waits when its window is full, and goes on with acknowledgements', async (t) => {
  const { sent, writer, acknowledge } = channel();
  let waits: Promise<void> | void = undefined;
  let written = 0;
  while (waits === undefined && written < 100_000) waits = writer.write(written++);
  t.true(waits instanceof Promise);
  const before = sent.length;
  acknowledge(0);
  await waits;
  t.is(sent.length, before + 1);
  t.deepEqual(sent.flat(), Array.from({ length: written }, (_, i) => i));
  let flushed = false;
  const flush = writer.flush().then(() => (flushed = true));
  acknowledge(before - 1);
  await Promise.resolve();
  t.false(flushed);
  acknowledge(before);
  await flush;
});

test('a collect sink refuses what plain data cannot say, naming where', (t) => {
  const { writer } = channel();
  for (const [value, message] of [[{ a: [1, Number.NaN] }, /\$\.a\[1\]/], [{ at: new Map() }, /\$\.at is a Map/], [1n, /bigint/]] as const) {
    const error = t.throws(() => writer.write(value), { instanceOf: ClusterError });
    t.is(error?.code, 'TYPE_MISMATCH');
    t.regex(error?.message ?? '', message);
  }
});
