/** What a path means as the input of a job. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemPorts } from '../../src/base/system-ports.ts';
import { ClusterError } from '../../src/protocol/errors.ts';
import { listInputFiles } from '../../src/storage/file-listing.ts';
import { FileSystems, type FileStatus } from '../../src/storage/file-system.ts';
import { LocalFiles } from '../../src/storage/local-files.ts';
import { storageFault } from '../../src/storage/storage-fault.ts';

const systems = new FileSystems(new Map([['file', () => new LocalFiles(systemPorts.random)]]));
const NAMES = ['a.txt', 'b.log', '.hidden', '_SUCCESS', 'day 1/c.txt', 'day 1/deep/d.txt', 'day 2/e.txt', '_tmp/f.txt', 'x[1].txt'];

async function tree(t: ExecutionContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'drey listing '));
  t.teardown(() => rm(root, { recursive: true }));
  for (const name of NAMES) {
    await mkdir(join(root, name, '..'), { recursive: true });
    await writeFile(join(root, name), 'text');
  }
  return root;
}

async function listed(root: string, path: string): Promise<string[]> {
  const files = await listInputFiles(systems, path);
  return files.map((file) => relative(root, file.path)).toSorted();
}

test('a directory means all files below it that are not hidden; a file means itself', async (t) => {
  const root = await tree(t);
  t.deepEqual(await listed(root, root), ['a.txt', 'b.log', 'day 1/c.txt', 'day 1/deep/d.txt', 'day 2/e.txt', 'x[1].txt']);
  t.deepEqual(await listed(root, join(root, '.hidden')), ['.hidden']);
  t.deepEqual(await listInputFiles(systems, `file://${root}/a.txt`), [{ path: `file://${root}/a.txt`, sizeBytes: 4 }]);
});

for (const [glob, expected] of [
  ['*.txt', ['a.txt', 'x[1].txt']],
  ['{a,b}.*', ['a.txt', 'b.log']],
  ['[!a].log', ['b.log']],
  ['day ?', ['day 1/c.txt', 'day 1/deep/d.txt', 'day 2/e.txt']],
  ['day [1-2]/*.txt', ['day 1/c.txt', 'day 2/e.txt']],
  ['**/*.txt', ['a.txt', 'day 1/c.txt', 'day 1/deep/d.txt', 'day 2/e.txt', 'x[1].txt']],
  ['**/deep/d.*', ['day 1/deep/d.txt']],
  ['_*', ['_SUCCESS', '_tmp/f.txt']],
  ['x[1].txt', ['x[1].txt']],
] as const) {
  test(`the pattern ${glob} means ${expected.join(', ')}`, async (t) => {
    const root = await tree(t);
    t.deepEqual(await listed(root, join(root, glob)), expected);
  });
}

for (const [what, path] of [['a path that does not exist', 'nowhere'], ['a pattern without a match', '*.csv'], ['a pattern below no directory', 'no/*/x']] as const) {
  test(`${what} is an error that names it`, async (t) => {
    const root = await tree(t);
    const error = await t.throwsAsync(listInputFiles(systems, join(root, path)), { instanceOf: ClusterError });
    t.is(error?.code, 'FILE_NOT_FOUND');
    t.true(error?.message.includes(root), error?.message);
  });
}

/** Local files where one directory may not be listed; a mode does not keep root out. */
class GuardedFiles extends LocalFiles {
  override async *list(path: string): AsyncIterable<FileStatus> {
    if (path.endsWith('day 1')) throw storageFault('list', path, 'EACCES');
    yield* super.list(path);
  }
}

test('a directory without rights is an error that names it', async (t) => {
  const root = await tree(t);
  const guarded = new FileSystems(new Map([['file', () => new GuardedFiles(systemPorts.random)]]));
  const error = await t.throwsAsync(listInputFiles(guarded, root), { instanceOf: ClusterError });
  t.is(error?.code, 'FILE_ACCESS_DENIED');
  t.true(error?.message.includes(join(root, 'day 1')));
});

test('a link that leads nowhere is left out', async (t) => {
  const root = await tree(t);
  await symlink(join(root, 'gone'), join(root, 'z.txt'));
  t.false((await listed(root, root)).includes('z.txt'));
});
