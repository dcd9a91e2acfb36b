/** The sorted store on disk: it answers like a Map, keeps what was pinned, and names what is damaged. */
import { existsSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import { ClusterError } from '../../src/protocol/errors.ts';
import { BlockCache } from '../../src/storage/lsm/block-cache.ts';
import { placeOf, Span, type EntryCursor } from '../../src/storage/lsm/entry.ts';
import { LsmTree } from '../../src/storage/lsm/lsm-tree.ts';

function treeIn(t: ExecutionContext, memtableSizeBytes: number): { readonly tree: LsmTree; readonly directory: string } {
  const root = mkdtempSync(join(tmpdir(), 'drey-tree-'));
  const directory = join(root, 'tree');
  const tree = new LsmTree({
    directory, cache: new BlockCache(64 * 1024), fileSizeBytes: 16 * 1024, memtableSizeBytes: () => memtableSizeBytes,
  });
  t.teardown(() => {
    tree.close();
    rmSync(root, { recursive: true, force: true });
  });
  return { tree, directory };
}

function span(text: string): Span {
  const made = new Span();
  made.set(Buffer.from(text), 0, Buffer.byteLength(text));
  return made;
}

/** Few places for many keys: keys of one place are told apart by their bytes. */
function placeOfKey(key: number): number {
  return placeOf(key % 3, key % 50);
}

function put(tree: LsmTree, key: number, value: string): void {
  tree.put(placeOfKey(key), span(`key ${key}`), span(value));
}

function get(tree: LsmTree, key: number): string | undefined {
  const { value } = tree;
  return tree.find(placeOfKey(key), span(`key ${key}`)) ? value.store.toString('utf8', value.start, value.end) : undefined;
}

/** Gone keys have an empty value. */
function contents(cursor: EntryCursor): Map<string, string> {
  const found = new Map<string, string>();
  let last = -1;
  while (cursor.next()) {
    const { key, value, place } = cursor;
    if (place < last) throw new Error('entries are out of order');
    last = place;
    const text = key.store.toString('utf8', key.start, key.end);
    if (found.has(text)) throw new Error(`${text} comes twice`);
    found.set(text, value.store.toString('utf8', value.start, value.end));
  }
  return found;
}

const commands = fc.array(fc.oneof(
  { weight: 20, arbitrary: fc.record({ op: fc.constant('put' as const), key: fc.nat(200), size: fc.constantFrom(1, 5, 40, 9000) }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('remove' as const), key: fc.nat(200) }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('work' as const), sizeBytes: fc.constantFrom(10, 5000, 1_000_000) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('pin' as const) }) },
), { maxLength: 400, size: 'max' });

test('a tree answers like a Map, and what was pinned stays as it was', (t) => {
  fc.assert(fc.property(commands, (program) => {
    const { tree } = treeIn(t, 4096);
    const model = new Map<number, string>();
    const pins: { readonly pinned: ReturnType<LsmTree['pin']>; readonly model: Map<number, string> }[] = [];
    let count = 0;
    for (const command of program) {
      if (command.op === 'put') {
        const value = `${++count}`.padEnd(command.size, '.');
        put(tree, command.key, value);
        model.set(command.key, value);
      } else if (command.op === 'remove') {
        put(tree, command.key, '');
        model.delete(command.key);
      } else if (command.op === 'work') {
        tree.work(command.sizeBytes);
      } else {
        tree.closeSeal(tree.openSeal().sequence);
        pins.push({ pinned: tree.pin(), model: new Map(model) });
      }
    }
    for (let key = 0; key <= 200; key++) t.is(get(tree, key), model.get(key));
    for (const { pinned, model: former } of pins) {
      const found = [...contents(pinned.cursor())].filter(([, value]) => value !== '');
      t.deepEqual(found.map(String).toSorted(), [...former].map(([key, value]) => `key ${key},${value}`).toSorted());
      pinned.release();
    }
    tree.close();
    return true;
  }), { numRuns: 60 });
});

test('what came after a table can be had by itself, however it was merged since', (t) => {
  const { tree } = treeIn(t, 2048);
  for (let key = 0; key < 200; key++) put(tree, key, 'old');
  tree.keepSince(0);
  const { sequence } = tree.openSeal();
  tree.closeSeal(sequence);
  tree.keepSince(sequence);
  for (let key = 0; key < 200; key += 4) put(tree, key, 'new');
  put(tree, 1, '');
  tree.closeSeal(tree.openSeal().sequence);
  const since = tree.pinSince(sequence);
  for (let key = 0; key < 2000; key++) put(tree, key, 'later');
  tree.work(10_000_000);
  const expected = new Map([...Array.from({ length: 50 }, (_, i) => [`key ${4 * i}`, 'new'] as const), ['key 1', '']]);
  t.deepEqual([...contents(since.cursor())].map(String).toSorted(), [...expected].map(String).toSorted());
  since.release();
  t.true(contents(tree.pinSince(sequence).cursor()).size > 1000, 'and so it is when it lies in files');
});

test('files are merged, and those that nobody needs are gone at once; after close nothing is left', (t) => {
  const { tree, directory } = treeIn(t, 4096);
  for (let round = 0; round < 40; round++) {
    for (let key = 0; key < 200; key++) put(tree, key, `${round}`.padEnd(20, '.'));
    tree.work(1_000_000);
  }
  t.true(readdirSync(directory).length < 10, `${readdirSync(directory).length} files`);
  tree.closeSeal(tree.openSeal().sequence);
  const pinned = tree.pin();
  tree.close();
  t.is(contents(pinned.cursor()).size, 200, 'what is pinned is read after close');
  pinned.release();
  t.false(existsSync(directory));
});

test('a byte that is flipped is found, and file and block are named', (t) => {
  const { tree, directory } = treeIn(t, 4096);
  for (let key = 0; key < 2000; key++) put(tree, key, 'x'.repeat(20));
  tree.work(1_000_000);
  for (const file of readdirSync(directory)) {
    const fd = openSync(join(directory, file), 'r+');
    writeSync(fd, Buffer.from([255]), 0, 1, 40);
  }
  const error = t.throws(() => {
    for (let key = 0; key < 2000; key++) get(tree, key);
  }, { instanceOf: ClusterError });
  t.is(error?.code, 'DATA_CORRUPT');
  t.regex(error?.message ?? '', /block 0 of .*\.sorted \(bytes 0 to \d+\) is not what was written/);
  t.throws(() => contents(tree.view().cursor()), { code: 'DATA_CORRUPT' });
});

test('a directory that cannot be made is a storage error that names it', (t) => {
  const { tree, directory } = treeIn(t, 1024);
  writeFileSync(directory, 'a file');
  const error = t.throws(() => {
    for (let key = 0; key < 2000; key++) put(tree, key, 'x'.repeat(20));
    tree.work(1_000_000);
  }, { instanceOf: ClusterError });
  t.regex(error?.code ?? '', /^(FILE_|STORAGE_)/);
  t.true(error?.message.includes(directory));
});
