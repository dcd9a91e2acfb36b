/**
 * Formats of files through the readers that use them: what was written is read, wherever a file is cut and wherever a restore
 * goes on; files that are damaged, cut off or gone are named, with the byte.
 */
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { fileSource } from '../../src/api/sources.ts';
import { rows } from '../../src/api/file-sink.ts';
import { formats } from '../../src/api/formats.ts';
import { createReader } from '../../src/connectors/source-readers.ts';
import type { BlockFormat, FileFormat, FormatInput } from '../../src/graph/file-formats.ts';
import type { SourceReader } from '../../src/graph/functions.ts';
import { fileSplits, isCompressedName, type FileSplit } from '../../src/graph/splits.ts';
import { t as type } from '../../src/types/t.ts';
import { localPorts, readAll, readerContext } from './reading.ts';

async function newFile(t: ExecutionContext, name: string, content: string | Uint8Array): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'drey formats '));
  t.teardown(() => rm(directory, { recursive: true }));
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

function newReader(format: FileFormat<unknown>, context = readerContext()): SourceReader<unknown, FileSplit> {
  return createReader(fileSource({ path: '/in', format }).spec, context, localPorts) as SourceReader<unknown, FileSplit>;
}

/** The splits that the enumerator would make. */
async function splitsOf(path: string, format: FileFormat<unknown>, splitSizeBytes = Infinity): Promise<FileSplit[]> {
  const { sizeBytes } = { sizeBytes: (await stat(path)).size };
  const isWhole = format.kind === 'lines' ? isCompressedName(path) : !format.isSplittable;
  return fileSplits({ path, sizeBytes }, isWhole ? Infinity : splitSizeBytes);
}

/** Reads all of it; then again from every snapshot on the way, which must give the rest. */
async function readsAndResumes(t: ExecutionContext, path: string, format: FileFormat<unknown>, expected: readonly unknown[], splitSizeBytes?: number) {
  const reader = newReader(format);
  const snapshots: { readonly count: number; readonly splits: readonly FileSplit[] }[] = [];
  let count = 0;
  const all = await readAll(reader, await splitsOf(path, format, splitSizeBytes), {
    capacity: 7,
    onBatch: (values) => {
      count += values.length;
      snapshots.push({ count, splits: JSON.parse(JSON.stringify(reader.snapshot())) as FileSplit[] });
    },
  });
  t.deepEqual(all, expected);
  const step = Math.ceil(snapshots.length / 8);
  for (const snapshot of snapshots.filter((_, i) => i % step === 0)) {
    t.deepEqual(await readAll(newReader(format), snapshot.splits), expected.slice(snapshot.count));
  }
}

const Row = type.object({
  id: type.int64, name: type.string, price: type.float64, ok: type.boolean, note: type.option(type.string), tag: type.nullable(type.string),
  kind: type.literal('a', 'b'), points: type.array(type.int32),
});
const text = fc.oneof(fc.string(), fc.constantFrom('', '"', ',', '\n', '\r\n', 'ä→😀', 'a"b', '""', ' x '), fc.string({ unit: 'grapheme' }));
const row = fc.record({
  id: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), name: text, price: fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
  ok: fc.boolean(), note: fc.option(text, { nil: undefined }), tag: fc.option(text, { nil: null }), kind: fc.constantFrom('a' as const, 'b' as const),
  points: fc.array(fc.integer()),
});

/** Cuts a text into chunks that share their memory, as a reader's do. */
function cutInput(content: string, chunkSizeBytes: number): FormatInput {
  const bytes = Buffer.from(content);
  const memory = Buffer.alloc(chunkSizeBytes);
  return {
    path: 'cut.csv',
    sizeBytes: bytes.length,
    async *read(startBytes) {
      for (let at = startBytes; at < bytes.length; at += chunkSizeBytes) {
        yield memory.subarray(0, bytes.copy(memory, 0, at, at + chunkSizeBytes));
      }
    },
    skipped() {},
  };
}

async function readCut(content: string, chunkSizeBytes: number): Promise<unknown[]> {
  const format = formats.csv() as BlockFormat<unknown>;
  const records: unknown[] = [];
  const range = { startBytes: 0, endBytes: Infinity, positionBytes: null };
  for await (const run of format.read(cutInput(content, chunkSizeBytes), range)) records.push(...run.records);
  return records;
}

test('CSV is the same wherever its chunks end', async (t) => {
  const content = fc.string({ unit: fc.constantFrom('a', '"', '""', ',', '\n', '\r\n', 'ä'), maxLength: 40 });
  await fc.assert(fc.asyncProperty(content, fc.integer({ min: 1, max: 9 }), async (drawn, chunkSizeBytes) => {
    const closed = `${drawn}"\n`; // One of the two is whole.
    for (const candidate of [drawn, closed]) {
      const whole = await readCut(candidate, 1024).catch((error: Error) => error.message);
      const cut = await readCut(candidate, chunkSizeBytes).catch((error: Error) => error.message);
      t.deepEqual(cut, whole);
    }
  }));
});

test('JSON lines and CSV: rows of a type are read as they were written', async (t) => {
  const csvColumns = ['id', 'name', 'price', 'ok', 'note', 'tag', 'kind', 'points'] as const;
  const shuffled = ['tag', 'points', 'id', 'name', 'ok', 'note', 'kind', 'price'] as const;
  await fc.assert(fc.asyncProperty(fc.array(row, { maxLength: 30 }), fc.integer({ min: 1, max: 300 }), async (values, splitSizeBytes) => {
    const json = await newFile(t, 'rows.jsonl', values.map((value) => `${rows.json()(value)}\n`).join(''));
    await readsAndResumes(t, json, formats.jsonLines({ type: Row }), values, splitSizeBytes);
    const csv = await newFile(t, 'rows.csv', values.map((value) => `${rows.csv<typeof value>({ columns: csvColumns })(value)}\n`).join(''));
    await readsAndResumes(t, csv, formats.csv({ type: Row }), values, splitSizeBytes);
    const named = [shuffled.join('|'), '\r\n', values.map((value) => rows.csv<typeof value>({ columns: shuffled, delimiter: '|' })(value)).join('\r\n')];
    const headed = await newFile(t, 'rows.csv.gz', gzipSync(named.join('')));
    await readsAndResumes(t, headed, formats.csv({ type: Row, header: true, delimiter: '|' }), values);
  }), { numRuns: 15 });
});

test('a type of one field, and texts without a type', async (t) => {
  const One = type.object({ a: type.nullable(type.string) });
  const values = [{ a: null }, { a: '' }, { a: 'x' }, { a: null }];
  const path = await newFile(t, 'one.csv', values.map((value) => `${rows.csv<typeof value>({ columns: ['a'] })(value)}\n`).join(''));
  t.deepEqual(await readAll(newReader(formats.csv({ type: One })), await splitsOf(path, formats.csv())), values);
  const plain = await newFile(t, 'plain.csv', '\uFEFFa,b\n\n1,"x ""y"" z"\n5",7\n"a"b,"c\nd"');
  const expected = [{ a: '1', b: 'x "y" z' }, { a: '5"', b: '7' }, { a: 'ab', b: 'c\nd' }];
  t.deepEqual(await readAll(newReader(formats.csv({ header: true })), await splitsOf(plain, formats.csv())), expected);
  t.deepEqual((await readAll(newReader(formats.csv()), await splitsOf(plain, formats.csv()))).slice(1), expected.map(({ a, b }) => [a, b]));
});

test('compressed text is read as the text, at the positions of the text', async (t) => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i} ä${'.'.repeat(i % 70)}`);
  const bytes = Buffer.from(`${lines.join('\n')}\n`);
  const middle = bytes.indexOf('\n', bytes.length / 2) + 3;
  const members = Buffer.concat([gzipSync(bytes.subarray(0, middle)), gzipSync(bytes.subarray(middle))]);
  for (const [name, content] of [['a.gz', gzipSync(bytes)], ['b.GZ', members], ['c.deflate', deflateSync(bytes)]] as const) {
    const path = await newFile(t, name, content);
    await readsAndResumes(t, path, formats.text(), lines, 1000);
    await writeFile(path, content.subarray(0, content.length - 40));
    const cutOff = readAll(newReader(formats.text()), await splitsOf(path, formats.text()));
    await t.throwsAsync(cutOff, { code: 'DATA_CORRUPT', message: new RegExp(`${name}: what is compressed is damaged or cut off behind byte \\d{4,}`) });
  }
  const bz2 = await newFile(t, 'd.bz2', 'x');
  await t.throwsAsync(readAll(newReader(formats.text()), await splitsOf(bz2, formats.text())), { code: 'UNSUPPORTED', message: /d\.bz2/ });
});

test('what is no record fails with its byte, or is left out and counted', async (t) => {
  const json = await newFile(t, 'x.jsonl', '{"a":1}\n{"a":"b"}\n{"a":\n{"a":4}\n');
  const csv = await newFile(t, 'x.csv', '1\nb\n3,4\n4\n"5');
  const A = type.object({ a: type.int32 });
  const cases = [
    [json, { type: A }, formats.jsonLines, /x\.jsonl: the line at byte 8 is not json: \$\.a: expected int32, got string "b"/, [{ a: 1 }, { a: 4 }], 2],
    [csv, { type: A }, formats.csv, /x\.csv: the CSV record at byte 2: \$\.a: expected int32, got string "b"/, [{ a: 1 }, { a: 4 }], 3],
  ] as const;
  for (const [path, options, make, message, kept, errors] of cases) {
    const splits = await splitsOf(path, make(options));
    await t.throwsAsync(readAll(newReader(make(options)), splits), { code: 'DATA_CORRUPT', message });
    const context = readerContext();
    t.deepEqual(await readAll(newReader(make({ ...options, ignoreParseErrors: true }), context), splits, { capacity: 1 }), kept);
    t.is(context.counts.get('numRecordsInErrors'), errors);
  }
  const open = await newFile(t, 'open.csv', 'a\n"b\nc');
  await t.throwsAsync(readAll(newReader(formats.csv()), await splitsOf(open, formats.csv())), { code: 'DATA_CORRUPT', message: /open\.csv: .* at byte 2 has a quote/ });
  const long = await newFile(t, 'long.csv', `a\n"${'x'.repeat(600_000)}\n`);
  const bounded = formats.csv({ recordSizeBytesMax: 1000 });
  await t.throwsAsync(readAll(newReader(bounded), await splitsOf(long, bounded)), { code: 'RECORD_TOO_LARGE', message: /long\.csv: .* at byte 2 is longer than 1000/ });
});

test('a file that was cut off or removed after it was found is named', async (t) => {
  for (const format of [formats.text(), formats.csv()] as FileFormat<unknown>[]) {
    const path = await newFile(t, 'in.csv', 'a\n'.repeat(1000));
    const splits = await splitsOf(path, format, 500);
    await truncate(path, 101);
    await t.throwsAsync(readAll(newReader(format), splits), { code: 'DATA_CORRUPT', message: /in\.csv ends at byte 101, but it had \d+ bytes when it was found/ });
    await rm(path);
    await t.throwsAsync(readAll(newReader(format), splits), { code: 'FILE_NOT_FOUND', message: /in\.csv/ });
  }
  const path = await newFile(t, 'in.gz', gzipSync('a\n'.repeat(10)));
  const [split] = await splitsOf(path, formats.text());
  const resumed = readAll(newReader(formats.text()), [{ ...(split as FileSplit), positionBytes: 40 }]);
  await t.throwsAsync(resumed, { code: 'DATA_CORRUPT', message: /in\.gz ends at byte 20, but it was read up to byte 40/ });
  t.truthy(await readFile(path));
});
