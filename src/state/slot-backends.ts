/** The state backends of one slot, by the names that `state.backend.type` has. */
import { deleteLocalDirectory } from '../storage/lsm/sorted-file.ts';
import { heapBackend } from './heap-backend.ts';
import type { StateBackend } from './keyed-state-store.ts';
import { lsmBackend } from './lsm-backend.ts';

/** What a slot may use for state that is not on the heap. */
export interface DiskState {
  /** The slot's own. Made when it is first needed. */
  readonly directory: string;
  /** For caches and memtables of all stores of the slot. */
  readonly memorySizeBytes: number;
  /** `state.backend.type` for jobs that do not set it. */
  readonly backend: 'hashmap' | 'rocksdb';
}

/** Backends that keep their files in `local`. What a former attempt that was killed left there is deleted first. */
export function slotBackends(local: DiskState): (type: 'hashmap' | 'rocksdb' | null) => StateBackend {
  let rocksdb: StateBackend | null = null;
  return (type) => {
    if ((type ?? local.backend) === 'hashmap') return heapBackend;
    if (rocksdb !== null) return rocksdb;
    deleteLocalDirectory(local.directory);
    return (rocksdb = lsmBackend(local));
  };
}
