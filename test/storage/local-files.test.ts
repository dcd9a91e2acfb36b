import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { systemPorts } from '../../src/base/system-ports.ts';
import { FileSystems, parseLocation } from '../../src/storage/file-system.ts';
import { LocalFiles } from '../../src/storage/local-files.ts';
import { storageFault } from '../../src/storage/storage-fault.ts';
import { fileSystemConformance } from '../conformance/file-system.ts';

const files = new LocalFiles(systemPorts.random);

async function workplace() {
  const directory = await mkdtemp(join(tmpdir(), 'drey files '));
  return { files, directory, release: () => rm(directory, { recursive: true, force: true }) };
}

fileSystemConformance(test, 'local files', workplace);

test('a full disk is told as such while writing, and nothing becomes visible', async (t) => {
  const place = await workplace();
  t.teardown(place.release);
  await symlink('/dev/full', join(place.directory, 'full'));
  const failure = storageFault('write', '/data/a', await writeFile(join(place.directory, 'full'), 'x').catch((thrown: unknown) => thrown));
  t.is(failure.code, 'STORAGE_FULL');
  t.true(failure.retriable);
  t.is(failure.message, 'cannot write /data/a: no space is left on the device; free space or choose another directory');
});

test('a pipe is refused without waiting for its writer', async (t) => {
  const place = await workplace();
  t.teardown(place.release);
  const pipe = join(place.directory, 'pipe');
  execFileSync('mkfifo', [pipe]);
  await t.throwsAsync(() => files.read(pipe)[Symbol.asyncIterator]().next(), { message: /not a regular file/ });
});

test('errors of the operating system keep their meaning, and unknown ones their message', (t) => {
  const codes = ['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'EISDIR', 'ENOSPC', 'EDQUOT', 'EMFILE'];
  t.deepEqual(codes.map((code) => storageFault('read', '/p', Object.assign(new Error('x'), { code })).code), [
    'FILE_ACCESS_DENIED', 'FILE_ACCESS_DENIED', 'FILE_ACCESS_DENIED', 'FILE_NOT_FOUND', 'FILE_NOT_FOUND', 'FILE_UNREADABLE',
    'STORAGE_FULL', 'STORAGE_FULL', 'STORAGE_FAILED',
  ]);
  t.is(storageFault('read', '/p', new Error('the disk caught fire')).message, 'cannot read /p: the disk caught fire');
});

test('a path is taken apart into scheme, authority and path, and nothing is decoded', (t) => {
  t.deepEqual(['/a b', 'rel/x', 'file:/a%20b', 'file:///a', 'hdfs://ns/x/y', 'HDFS://h:1/'].map((text) => Object.values(parseLocation(text))), [
    ['file', '', '/a b'], ['file', '', 'rel/x'], ['file', '', '/a%20b'], ['file', '', '/a'], ['hdfs', 'ns', '/x/y'], ['hdfs', 'h:1', '/'],
  ]);
  t.throws(() => parseLocation('hdfs:'), { message: /not a path/ });
});

test('an unknown scheme is refused with those that are known', (t) => {
  const systems = new FileSystems(new Map([['file', () => files]]));
  t.is(systems.resolve('file:///tmp/x').path, '/tmp/x');
  t.is(systems.resolve('relative').files, files);
  t.throws(() => systems.resolve('s3://bucket/x'), { message: "no file system for the scheme 's3' of 's3://bucket/x'; there is file" });
});
