/** Stores of the `rocksdb` backend for tests, each with memory and a directory of its own; all are closed after the tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { KeyedStateStore, StateBackend } from '../../src/state/keyed-state-store.ts';
import { lsmBackend } from '../../src/state/lsm-backend.ts';

const directory = mkdtempSync(join(tmpdir(), 'drey-lsm-'));
test.after.always(() => {
  for (const store of open.splice(0)) store.close();
  rmSync(directory, { recursive: true, force: true });
});

/** More than one program has open at once; what was opened before is closed. */
const OPEN_MAX = 300;
const open: KeyedStateStore[] = [];
let count = 0;

/** Opens stores with so much memory. */
export function lsmStores(what: string, memorySizeBytes: number): StateBackend {
  return {
    name: `rocksdb, ${what}`,
    open(options) {
      if (open.length === OPEN_MAX) open.shift()?.close();
      const store = lsmBackend({ directory: join(directory, `${++count}`), memorySizeBytes }).open(options);
      open.push(store);
      return store;
    },
  };
}

