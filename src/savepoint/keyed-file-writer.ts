/**
 * Writes keyed state key group by key group into one file for each range of key groups: their sections one behind the other, as
 * the snapshot of a store of the whole range would be.
 */
import { assert, present } from '../base/assert.ts';
import { keyGroupRangeOf } from '../graph/key-groups.ts';
import type { KeyedStateHandle } from '../protocol/checkpoint.ts';
import { canonicalJson, type JsonValue } from '../protocol/json.ts';
import { metaFromJson, metaToJson, type SnapshotMeta } from '../state/snapshot-format.ts';
import type { FileSystems } from '../storage/file-system.ts';
import type { KeyGroupState } from './keyed-groups.ts';
import { StateFileWriter, writing } from './state-bytes.ts';

const SLICE_SIZE_BYTES = 1024 * 1024;

/** Where the files of an operator go, and how its key groups are spread. */
export interface KeyedFilesPlace {
  readonly files: FileSystems;
  /** Files are named `<prefix>-<n>`. */
  readonly prefix: string;
  readonly parallelism: number;
  readonly maxParallelism: number;
}

/** Groups of a range, ascending. */
export type GroupsOf = (range: { readonly first: number; readonly last: number }) => AsyncIterable<KeyGroupState>;

/** Writes what `groups` gives; answers a handle for each subtask. */
export async function writeKeyedFiles(place: KeyedFilesPlace, groups: GroupsOf): Promise<readonly KeyedStateHandle[]> {
  const handles: KeyedStateHandle[] = [];
  for (let subtaskIndex = 0; subtaskIndex < place.parallelism; subtaskIndex++) {
    const range = keyGroupRangeOf(subtaskIndex, place.maxParallelism, place.parallelism);
    const metas: SnapshotMeta[] = [];
    const data = await writing(await StateFileWriter.create(place.files, `${place.prefix}-${subtaskIndex}`), async (writer) => {
      for await (const group of groups(range)) metas.push(await writeGroup(group, writer));
    });
    handles.push({ firstKeyGroup: range.first, lastKeyGroup: range.last, meta: metaToJson(joined(metas, range)), data });
  }
  return handles;
}

async function writeGroup(group: KeyGroupState, writer: StateFileWriter): Promise<SnapshotMeta> {
  const snapshot = group.store.snapshot(1, 'canonical');
  try {
    for (let slice = snapshot.next(SLICE_SIZE_BYTES); slice !== null; slice = snapshot.next(SLICE_SIZE_BYTES)) await writer.write(slice);
    return metaFromJson(snapshot.meta);
  } finally {
    snapshot.release();
  }
}

function joined(metas: readonly SnapshotMeta[], range: { readonly first: number; readonly last: number }): SnapshotMeta {
  const one = present(metas[0], 'a range has key groups');
  const states = canonicalJson(one.states as unknown as JsonValue);
  const offsets = [0];
  for (const meta of metas) {
    assert(canonicalJson(meta.states as unknown as JsonValue) === states, 'all key groups have the same states');
    offsets.push((offsets.at(-1) as number) + (meta.offsets.at(-1) as number) - (meta.offsets[0] as number));
  }
  const sum = (of: (meta: SnapshotMeta) => number): number => metas.reduce((total, meta) => total + of(meta), 0);
  return {
    ...one, first: range.first, last: range.last, offsets,
    rowCount: sum(({ rowCount }) => rowCount), timerCount: sum(({ timerCount }) => timerCount),
  };
}
