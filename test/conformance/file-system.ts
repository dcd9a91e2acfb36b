/** What every implementation of `FileSystem` must do. Each storage runs this suite over a directory of its own. */
import type { TestFn } from 'ava';
import type { FileSystem } from '../../src/storage/file-system.ts';

/** Where one case works: a file system, an empty directory in it, and what tidies up. */
export interface Workplace {
  readonly files: FileSystem;
  readonly directory: string;
  release(): Promise<void>;
}

/** All bytes of a file or range. */
async function contentOf(files: FileSystem, path: string, range?: { startBytes: number; endBytes: number }): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of files.read(path, range)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

async function store(files: FileSystem, path: string, text: string, replace = false): Promise<void> {
  const writer = await files.create(path, { replace });
  await writer.write(Buffer.from(text, 'latin1'));
  await writer.commit();
}

async function namesIn({ files, directory }: Workplace): Promise<string[]> {
  const names: string[] = [];
  for await (const { path } of files.list(directory)) names.push(path.slice(directory.length + 1));
  return names.toSorted();
}

const cases: Readonly<Record<string, (place: Workplace, expect: Expectations) => Promise<void>>> = {
  'a committed file has exactly the bytes that were written, in chunks of any size': async ({ files, directory }, t) => {
    const writer = await files.create(`${directory}/a`);
    for (const part of ['', 'ab', 'c'.repeat(700_000), 'd']) await writer.write(Buffer.from(part));
    t.equal(writer.sizeBytes, 700_003);
    await writer.commit();
    t.equal(await contentOf(files, `${directory}/a`), `ab${'c'.repeat(700_000)}d`);
    t.equal((await files.stat(`${directory}/a`)).sizeBytes, 700_003);
  },
  'an empty file is a file': async ({ files, directory }, t) => {
    await store(files, `${directory}/empty`, '');
    t.equal(await contentOf(files, `${directory}/empty`), '');
    t.equal((await files.stat(`${directory}/empty`)).kind, 'file');
  },
  'a range ends where it says, or at the end of the file': async ({ files, directory }, t) => {
    const path = `${directory}/a`;
    await store(files, path, '0123456789');
    const range = (startBytes: number, endBytes: number) => contentOf(files, path, { startBytes, endBytes });
    t.equal([await range(0, 4), await range(4, 7), await range(7, 99), await range(5, 5), await range(50, 60)], ['0123', '456', '789', '', '']);
  },
  'a reader may stop early': async ({ files, directory }, t) => {
    await store(files, `${directory}/a`, 'x'.repeat(1_000_000));
    let chunks = 0;
    for await (const _ of files.read(`${directory}/a`)) if (++chunks === 1) break;
    t.equal(chunks, 1);
  },
  'nobody sees a file before it is committed, nor after it was aborted': async (place, t) => {
    const writer = await place.files.create(`${place.directory}/a`);
    await writer.write(Buffer.from('x'));
    await t.fails(() => place.files.stat(`${place.directory}/a`), 'FILE_NOT_FOUND');
    await writer.abort();
    await writer.abort();
    t.equal(await namesIn(place), []);
  },
  'a name that is taken is refused, and the first file stays': async (place, t) => {
    const path = `${place.directory}/a`;
    await store(place.files, path, 'first');
    await t.fails(() => store(place.files, path, 'second'), 'FILE_EXISTS');
    t.equal(await contentOf(place.files, path), 'first');
    t.equal(await namesIn(place), ['a']);
  },
  'of two writers of one name only the first to commit succeeds': async (place, t) => {
    const path = `${place.directory}/a`;
    const [early, late] = [await place.files.create(path), await place.files.create(path)];
    await early.write(Buffer.from('early'));
    await late.write(Buffer.from('late'));
    await early.commit();
    await t.fails(() => late.commit(), 'FILE_EXISTS');
    t.equal(await contentOf(place.files, path), 'early');
    t.equal(await namesIn(place), ['a']);
  },
  'a file is replaced only on request': async ({ files, directory }, t) => {
    await store(files, `${directory}/a`, 'first');
    await store(files, `${directory}/a`, 'second', true);
    t.equal(await contentOf(files, `${directory}/a`), 'second');
  },
  'creating a file makes the directories above it': async ({ files, directory }, t) => {
    await store(files, `${directory}/x/y/z`, 'deep');
    t.equal((await files.stat(`${directory}/x/y`)).kind, 'directory');
  },
  'a rename moves files and directories and replaces nothing': async (place, t) => {
    const { files, directory } = place;
    await store(files, `${directory}/a`, 'A');
    await store(files, `${directory}/b`, 'B');
    await t.fails(() => files.rename(`${directory}/a`, `${directory}/b`), 'FILE_EXISTS');
    await files.rename(`${directory}/a`, `${directory}/sub/c`);
    await files.rename(`${directory}/sub`, `${directory}/moved`);
    t.equal(await contentOf(files, `${directory}/moved/c`), 'A');
    t.equal(await namesIn(place), ['b', 'moved']);
    await t.fails(() => files.rename(`${directory}/none`, `${directory}/d`), 'FILE_NOT_FOUND');
  },
  'a listing names every entry with its kind and size': async (place, t) => {
    const { files, directory } = place;
    const expected = Array.from({ length: 600 }, (_, index) => `f${index}`);
    await files.makeDirectories(`${directory}/d`);
    for (const name of expected) await store(files, `${directory}/${name}`, 'xx');
    t.equal(await namesIn(place), ['d', ...expected].toSorted());
    for await (const status of files.list(directory)) t.equal(status.sizeBytes, status.kind === 'file' ? 2 : 0);
  },
  'deleting says whether there was something, and spares full directories unless told': async ({ files, directory }, t) => {
    await store(files, `${directory}/d/a`, 'x');
    t.equal(await files.delete(`${directory}/none`), false);
    await t.fails(() => files.delete(`${directory}/d`), 'FILE_EXISTS');
    t.equal(await files.delete(`${directory}/d`, { recursive: true }), true);
    await t.fails(() => files.stat(`${directory}/d`), 'FILE_NOT_FOUND');
  },
  'directories are made with those above them, again without complaint': async ({ files, directory }, t) => {
    await files.makeDirectories(`${directory}/a/b`);
    await files.makeDirectories(`${directory}/a/b`);
    t.equal((await files.stat(`${directory}/a/b`)).kind, 'directory');
  },
  'what is not there is named in the error': async ({ files, directory }, t) => {
    const path = `${directory}/none`;
    await t.fails(() => files.stat(path), 'FILE_NOT_FOUND', path);
    await t.fails(() => contentOf(files, path), 'FILE_NOT_FOUND', path);
    await t.fails(async () => void (await files.list(path)[Symbol.asyncIterator]().next()), 'FILE_NOT_FOUND', path);
  },
  'a directory is not read as a file': async ({ files, directory }, t) => {
    await t.fails(() => contentOf(files, directory), 'FILE_UNREADABLE', directory);
  },
  'names may hold blanks, percent signs and letters of any script': async (place, t) => {
    const names = ['a b', '100%20', 'Größe-数', "it's"].toSorted();
    for (const name of names) await store(place.files, `${place.directory}/${name}`, name.slice(0, 1));
    t.equal(await namesIn(place), names);
  },
};

/** The few assertions that the cases need. */
interface Expectations {
  equal(actual: unknown, expected: unknown): void;
  /** The call fails with a `ClusterError` of this code whose message holds `text`. */
  fails(call: () => Promise<unknown>, code: string, text?: string): Promise<void>;
}

/** Registers every case with ava under `storage`. */
export function fileSystemConformance(test: TestFn, storage: string, open: () => Promise<Workplace>): void {
  for (const [name, run] of Object.entries(cases)) {
    test(`${storage}: ${name}`, async (t) => {
      const place = await open();
      t.teardown(() => place.release());
      await run(place, {
        equal: (actual, expected) => void t.deepEqual(actual, expected),
        async fails(call, code, text = '') {
          const failure = await t.throwsAsync(call);
          t.like(failure, { code });
          t.true(failure?.message.includes(text));
        },
      });
      t.pass();
    });
  }
}
