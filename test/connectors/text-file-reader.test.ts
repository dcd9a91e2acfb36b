/**
 * Text files: whatever the text and wherever it is cut, each line is read exactly once, and reading goes on
 * where a snapshot said. The model is `split` on the decoded text.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { TextFileReader } from '../../src/connectors/text-file-reader.ts';
import type { FileSplit } from '../../src/graph/splits.ts';
import { ClusterError } from '../../src/protocol/errors.ts';
import { localPorts, readAll, readerContext } from './reading.ts';

const LINE_SIZE_MAX = 1024 * 1024;

async function file(t: ExecutionContext, content: string | Uint8Array): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'drey text '));
  t.teardown(() => rm(directory, { recursive: true }));
  const path = join(directory, 'input.txt');
  await writeFile(path, content);
  return path;
}

function split(path: string, startBytes: number, endBytes: number): FileSplit {
  return { id: `${startBytes}`, path, startBytes, endBytes, positionBytes: null };
}

function read(splits: readonly FileSplit[], capacity = 100, lineSizeBytesMax = LINE_SIZE_MAX): Promise<unknown[]> {
  return readAll(new TextFileReader({ lineSizeBytesMax }, readerContext(), localPorts.files), splits, { capacity });
}

function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line, i, all) => (i < all.length - 1 ? line.replace(/\r$/, '') : line));
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

/** Lines of all sizes up to several blocks, with and without line ends, of one to four bytes a character. */
const text = fc.array(
  fc.oneof(fc.constantFrom('\n', '\r\n', '\n\n', '\r', '', 'ä', '→', '😀'), fc.string({ maxLength: 20 }), fc.integer({ min: 1, max: 20_000 }).map((n) => 'x'.repeat(n))),
  { maxLength: 40 },
).map((parts) => Buffer.from(parts.join('')).toString());

test('each line of a file cut anywhere is read exactly once', async (t) => {
  await fc.assert(fc.asyncProperty(text, fc.array(fc.nat(), { maxLength: 5 }), fc.integer({ min: 1, max: 50 }), async (content, cuts, capacity) => {
    const bytes = Buffer.from(content);
    const path = await file(t, bytes);
    const bounds = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].toSorted((a, b) => a - b);
    const splits = bounds.slice(1).map((end, i) => split(path, bounds[i] as number, end));
    t.deepEqual(await read(splits, capacity), linesOf(content));
  }), { numRuns: 150 });
});

test('reading goes on at the position of a snapshot', async (t) => {
  const content = Array.from({ length: 3000 }, (_, i) => `line ${i} ä${'.'.repeat(i % 90)}`).join('\r\n');
  const path = await file(t, content);
  const size = Buffer.byteLength(content);
  const splits = [split(path, 0, 40_000), split(path, 40_000, size)];
  const reader = new TextFileReader({ lineSizeBytesMax: LINE_SIZE_MAX }, readerContext(), localPorts.files);
  const snapshots: { readonly count: number; readonly splits: readonly FileSplit[] }[] = [];
  let count = 0;
  const all = await readAll(reader, splits, {
    capacity: 97,
    onBatch: (values) => {
      count += values.length;
      snapshots.push({ count, splits: reader.snapshot() });
    },
  });
  t.deepEqual(all, linesOf(content));
  for (const snapshot of snapshots) t.deepEqual(await read(snapshot.splits), all.slice(snapshot.count));
});

test('an empty file has no lines, and a split resumed at its end none either', async (t) => {
  t.deepEqual(await read([split(await file(t, ''), 0, 0)]), []);
  t.deepEqual(await read([{ ...split(await file(t, 'a\nb\n'), 0, 4), positionBytes: 4 }]), []);
});

test('a character across the end of a read is whole', async (t) => {
  const content = `${'a'.repeat(256 * 1024 - 1)}ä\n${'b'.repeat(256 * 1024 - 4)}😀😀\nend`;
  t.deepEqual(await read([split(await file(t, content), 0, Buffer.byteLength(content))]), content.split('\n'));
});

test('lines and positions stay right while the memory of what was read is used again', async (t) => {
  const content = Array.from({ length: 120_000 }, (_, i) => `${i} ${'x'.repeat(i % 60)}`).join('\n');
  const path = await file(t, content);
  const reader = new TextFileReader({ lineSizeBytesMax: LINE_SIZE_MAX }, readerContext(), localPorts.files);
  const size = Buffer.byteLength(content);
  let count = 0;
  const snapshots: { readonly count: number; readonly splits: readonly FileSplit[] }[] = [];
  const all = await readAll(reader, [split(path, 0, 3_000_000), split(path, 3_000_000, size)], {
    onBatch: async (values) => {
      count += values.length;
      await setImmediate(); // What is read ahead arrives in the middle of a chunk.
      if (count % 7 === 0) snapshots.push({ count, splits: reader.snapshot() });
    },
  });
  t.deepEqual(all, content.split('\n'));
  for (const snapshot of snapshots.filter((_, i) => i % 40 === 0)) t.deepEqual(await read(snapshot.splits), all.slice(snapshot.count));
});

test('bytes that are not UTF-8 are replaced and their lines counted', async (t) => {
  const bytes = Buffer.concat([Buffer.from('good\n'), Buffer.from([0xff, 0xfe, 10, 0xc3, 10]), Buffer.from('ä\n')]);
  const context = readerContext();
  const reader = new TextFileReader({ lineSizeBytesMax: LINE_SIZE_MAX }, context, localPorts.files);
  const lines = await readAll(reader, [split(await file(t, bytes), 0, bytes.length)]);
  t.deepEqual(lines, ['good', '\ufffd\ufffd', '\ufffd', 'ä']);
  t.is(context.counts.get('numInvalidUtf8Lines'), 2);
  t.is(context.lines.length, 1, 'one warning a file');
  t.regex(context.lines[0] ?? '', /: there are bytes that are not UTF-8 in the lines from byte 0 on\. .*Is it a text file/);
});

test('a binary file is read as lines of replaced characters, or refused for its line length', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919 + (i >> 8)) & 0xff).filter((byte) => byte !== 10));
  const path = await file(t, bytes);
  t.is((await read([split(path, 0, bytes.length)])).length, 1);
  const error = await t.throwsAsync(read([split(path, 0, bytes.length)], 100, 100_000), { instanceOf: ClusterError });
  t.is(error?.code, 'RECORD_TOO_LARGE');
});

for (const lineSizeMax of [10, 5000, 200_000, 600_000]) {
  test(`a line longer than ${lineSizeMax} bytes is an error that names file and offset`, async (t) => {
    const line = 'x'.repeat(lineSizeMax);
    const longest = `ab\r\n${line}\r\n${line}\n`;
    const path = await file(t, longest);
    t.deepEqual(await read([split(path, 0, longest.length)], 100, lineSizeMax), ['ab', line, line]);
    const tooLong = `ab\r\n${line}\n${line}y\nz`;
    const other = await file(t, tooLong);
    const error = await t.throwsAsync(read([split(other, 0, tooLong.length)], 100, lineSizeMax), { instanceOf: ClusterError });
    t.is(error?.code, 'RECORD_TOO_LARGE');
    t.true(error?.message.includes(`${other}: the line at byte ${5 + lineSizeMax}`), error?.message);
  });
}

test('a file that is gone when its split is read is an error that names it', async (t) => {
  const error = await t.throwsAsync(read([split('/nowhere/gone.txt', 0, 10)]), { instanceOf: ClusterError });
  t.is(error?.code, 'FILE_NOT_FOUND');
  t.regex(error?.message ?? '', /\/nowhere\/gone\.txt/);
});
