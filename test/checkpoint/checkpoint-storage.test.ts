/** Checkpoints on disk: what was written is read back, savepoints can be moved, and every damage is named. */
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { systemPorts } from '../../src/base/system-ports.ts';
import { checkpointDirectory, checkpointLayout, normalLocation } from '../../src/checkpoint/checkpoint-layout.ts';
import type { CheckpointMetadata } from '../../src/checkpoint/checkpoint-metadata.ts';
import { CheckpointStorage } from '../../src/checkpoint/checkpoint-storage.ts';
import { decodeMetadata, encodeMetadata, sha256Of } from '../../src/checkpoint/metadata-file.ts';
import type { JobId, OperatorId } from '../../src/protocol/ids.ts';
import { localFileSystems } from '../../src/storage/local-files.ts';

const JOB_ID = 'a1b2c3d4e5f60718293a4b5c6d7e8f90' as JobId;
const storage = new CheckpointStorage(localFileSystems(systemPorts.random), systemPorts.random);

async function temporary(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'drey-checkpoint-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Two subtasks: one with a file of its own and a shared one, one with inline state. */
function metadataOf(own: string, shared: string, contents: Uint8Array): CheckpointMetadata {
  const file = (path: string, isShared: boolean) => ({
    kind: 'file' as const, path, sizeBytes: contents.length, sha256: sha256Of(contents), shared: isShared,
  });
  const keyed = (path: string, isShared: boolean) => ({ firstKeyGroup: 0, lastKeyGroup: 63, meta: { states: [] }, data: file(path, isShared) });
  return {
    jobId: JOB_ID, checkpointId: 7, kind: 'checkpoint', format: null, timestampMs: 1,
    operators: [{
      operatorId: '1'.repeat(32) as OperatorId, name: 'count', uid: 'count-uid', parallelism: 2, maxParallelism: 128, finished: 'none',
      coordinator: { assigned: ['a'] },
      subtasks: [
        { operatorId: '1'.repeat(32) as OperatorId, subtaskIndex: 0, keyed: [keyed(shared, true), keyed(own, false)], operator: null },
        {
          operatorId: '1'.repeat(32) as OperatorId, subtaskIndex: 1, keyed: [],
          operator: { kind: 'inline', base64: Buffer.from(contents).toString('base64'), sha256: sha256Of(contents) },
        },
      ],
    }],
  };
}

async function written(root: string): Promise<{ readonly directory: string; readonly metadata: CheckpointMetadata }> {
  const layout = checkpointLayout(root, JOB_ID, true);
  const directory = checkpointDirectory(layout, 7);
  const contents = new TextEncoder().encode('state of some keys');
  const metadata = metadataOf(`${directory}/own`, `${layout.shared}/base`, contents);
  await storage.makeDirectories(layout);
  await storage.makeDirectory(directory);
  for (const path of [`${directory}/own`, `${layout.shared}/base`]) await writeFile(local(path), contents);
  await storage.write(directory, metadata);
  return { directory, metadata };
}

const local = (location: string): string => location.replace(/^file:/, '');

test('a checkpoint is found by its directory and by its _metadata, with all files verified', async (t) => {
  const root = await temporary(t);
  const { directory, metadata } = await written(root);
  t.is(directory, `file:${root}/${JOB_ID}/chk-7`);
  for (const pointer of [directory, local(directory), `${directory}/`, `${directory}/_metadata`]) {
    t.deepEqual((await storage.read(pointer)).metadata, metadata, pointer);
  }
  await t.notThrowsAsync(storage.verify(metadata, true));
});

test('a savepoint can be moved: its own files are found at the new place', async (t) => {
  const root = await temporary(t);
  const { directory } = await written(root);
  const moved = join(root, 'elsewhere/savepoint');
  await mkdir(dirname(moved));
  await rename(local(directory), moved);
  const { metadata } = await storage.read(moved);
  t.deepEqual(metadata.operators[0]?.subtasks[0]?.keyed.map(({ data }) => (data.kind === 'file' ? data.path : '')), [
    `file:${root}/${JOB_ID}/shared/base`, `${normalLocation(moved)}/own`,
  ]);
  await t.notThrowsAsync(storage.verify(metadata, true));
});

test('a flipped byte anywhere in _metadata is found', (t) => {
  const metadata = metadataOf('file:/c/chk-7/own', 'file:/c/shared/base', new Uint8Array([1, 2]));
  const bytes = encodeMetadata(metadata, 'file:/c/chk-7');
  t.deepEqual(decodeMetadata(bytes, 'm', 'file:/c/chk-7'), metadata);
  fc.assert(fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
    const flipped = new Uint8Array(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ bits;
    t.throws(() => decodeMetadata(flipped, 'path/_metadata', 'd'), { message: /^path\/_metadata is (damaged|no checkpoint)/ });
  }));
  for (const length of [0, 10, bytes.length - 1]) {
    t.throws(() => decodeMetadata(bytes.subarray(0, length), 'm', 'd'), { message: /^m is/ });
  }
});

test('a damaged, shortened or missing state file is named with its operator and subtask', async (t) => {
  const { directory, metadata } = await written(await temporary(t));
  const path = `${local(directory)}/own`;
  const contents = await readFile(path);
  const named = { code: 'CHECKPOINT_CORRUPT', message: new RegExp(`operator 'count' \\(1+\\), subtask 0 cannot be used: .*${path}`) };
  const flipped = Buffer.from(contents);
  flipped[3] = (flipped[3] ?? 0) ^ 1;
  await writeFile(path, flipped);
  await t.notThrowsAsync(storage.verify(metadata, false), 'sizes alone do not show it');
  await t.throwsAsync(storage.verify(metadata, true), named);
  await writeFile(path, contents.subarray(1));
  await t.throwsAsync(storage.verify(metadata, false), named);
  await rm(path);
  await t.throwsAsync(storage.verify(metadata, false), named);
});

test('a directory without checkpoint, and a file of another system, are told apart', async (t) => {
  const root = await temporary(t);
  await t.throwsAsync(storage.read(join(root, 'nothing')), { code: 'CHECKPOINT_NOT_FOUND', message: /^Cannot find checkpoint or savepoint file\/directory/ });
  await writeFile(join(root, '_metadata'), Buffer.from([0x49, 0x60, 0x67, 0x18]));
  await t.throwsAsync(storage.read(root), { code: 'UNSUPPORTED' });
});

test('disposing of a savepoint leaves nothing of it, and does not touch what it shares', async (t) => {
  const root = await temporary(t);
  const { directory } = await written(root);
  await storage.dispose(directory);
  await t.throwsAsync(storage.read(directory), { code: 'CHECKPOINT_NOT_FOUND' });
  await t.throwsAsync(readFile(`${local(directory)}/own`));
  t.is((await readFile(`${root}/${JOB_ID}/shared/base`)).length, 18);
});

test('a savepoint directory has a fresh name of Flink’s form', async (t) => {
  const root = await temporary(t);
  const first = await storage.makeSavepointDirectory(root, JOB_ID);
  t.regex(first, new RegExp(`^file:${root}/savepoint-a1b2c3-[0-9a-f]{12}$`));
  t.not(await storage.makeSavepointDirectory(root, JOB_ID), first);
});
