/** What a writer does to the state of one operator: copies it, transforms it key by key, or makes it of records and elements. */
import type { OperatorState } from '../checkpoint/checkpoint-metadata.ts';
import type { StateSpecs } from '../graph/functions.ts';
import { keyGroupOf } from '../graph/key-groups.ts';
import { keyHashOf } from '../graph/key-hash.ts';
import type { OperatorSubtaskState } from '../protocol/checkpoint.ts';
import { OperatorStates } from '../state/operator-state.ts';
import type { FileSystems } from '../storage/file-system.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { KeyedGroups, KeyGroupState, type KeyedDeclaration, type KeyedRow } from './keyed-groups.ts';
import { writeKeyedFiles, type GroupsOf } from './keyed-file-writer.ts';
import { RecordPartitions } from './record-partitions.ts';
import { copyHandle, writeBytes } from './state-bytes.ts';

/** Where a savepoint is written. */
export interface WriteOptions {
  readonly files: FileSystems;
  readonly directory: string;
}

/** One thing that is done to an operator. `apply` gets the operator as it is so far, and as it was. */
export interface OperatorChange {
  readonly replacesKeyed: boolean;
  apply(state: OperatorState, origin: OperatorState, options: WriteOptions): Promise<OperatorState>;
}

/** Keyed state that is made of records. */
export interface NewKeyedState<T, K, S extends StateSpecs> extends KeyedDeclaration<K, S> {
  readonly records: Iterable<T> | AsyncIterable<T>;
  keyOf(record: T): K;
  /** Called for each record, those of a key in their order. */
  process(record: T, row: KeyedRow<K, S>): void;
  /** Into how many files, and hence how many subtasks read without overlap. Default 1; the job may have any parallelism. */
  readonly parallelism?: number;
}

/** Operator state that is set. */
export type OperatorStateContents = Readonly<Record<string, ListContents<unknown> | BroadcastContents<unknown, unknown>>>;

export interface ListContents<T> {
  readonly kind: 'list' | 'union';
  readonly type: TypeDescriptor<T>;
  readonly elements: Iterable<T>;
}

export interface BroadcastContents<K, V> {
  readonly kind: 'broadcast';
  readonly keyType: TypeDescriptor<K>;
  readonly type: TypeDescriptor<V>;
  readonly entries: Iterable<readonly [K, V]>;
}

const NOTHING_DECLARED = { state: {} };

/** The operator with its files in the new place. `withoutKeyed`: a change makes its keyed state. */
export async function copyOperator(state: OperatorState, options: WriteOptions, withoutKeyed: boolean): Promise<OperatorState> {
  const { files, directory } = options;
  const subtasks: OperatorSubtaskState[] = [];
  let file = 0;
  const isWhole = withoutKeyed || isCopied(state, files);
  for (const subtask of state.subtasks) {
    const name = (): string => `${directory}/${state.operatorId}-${file++}`;
    const operator = subtask.operator && (await copyHandle(files, subtask.operator, name()));
    const keyed: OperatorSubtaskState['keyed'][number][] = [];
    for (const each of isWhole && !withoutKeyed ? subtask.keyed : []) {
      keyed.push({ ...each, data: await copyHandle(files, each.data, name()) });
    }
    subtasks.push({ ...subtask, operator, keyed });
  }
  const copied = { ...state, subtasks };
  return isWhole ? copied : transformedKeyedState(NOTHING_DECLARED, () => undefined).apply(copied, state, options);
}

/** Whether the files of keyed state go as they are. Increments do not: they are made whole. */
function isCopied(state: OperatorState, files: FileSystems): boolean {
  return new KeyedGroups(state, files).isWhole;
}

export function transformedKeyedState<K, S extends StateSpecs>(
  declared: KeyedDeclaration<K, S>, change: (row: KeyedRow<K, S>) => void | 'remove',
): OperatorChange {
  return {
    replacesKeyed: true,
    apply(state, origin, options) {
      const groups = new KeyedGroups(origin, options.files);
      return withKeyed(state, options, (range) => changed(groups.groups(declared as KeyedDeclaration<unknown, StateSpecs>, range)));
    },
  };

  async function* changed(groups: AsyncIterable<KeyGroupState>): AsyncGenerator<KeyGroupState> {
    for await (const group of groups) {
      for (const key of group.keys()) {
        const row = group.row(key) as unknown as KeyedRow<K, S>;
        if (change(row) === 'remove') group.remove(key);
      }
      yield group;
    }
  }
}

export function newKeyedState<T, K, S extends StateSpecs>(contents: NewKeyedState<T, K, S>): OperatorChange {
  const { key = null, state: specs, records } = contents;
  const keyType = key as TypeDescriptor<unknown> | null;
  const hash = keyHashOf(keyType);
  return {
    replacesKeyed: true,
    async apply(state, _origin, options) {
      const partitions = new RecordPartitions(options.files, `${options.directory}/.records-${state.operatorId}`);
      try {
        for await (const record of records) {
          await partitions.add(keyGroupOf(hash(contents.keyOf(record)), state.maxParallelism), record);
        }
        return await withKeyed(state, options, (range) => made(state, partitions, range));
      } finally {
        await partitions.close();
      }
    },
  };

  async function* made(state: OperatorState, partitions: RecordPartitions, range: Parameters<GroupsOf>[0]): AsyncGenerator<KeyGroupState> {
    for (let keyGroup = range.first; keyGroup <= range.last; keyGroup++) {
      const group = new KeyGroupState(keyGroup, state, keyType, specs);
      for await (const record of partitions.of(keyGroup)) {
        contents.process(record as T, group.row(contents.keyOf(record as T)) as unknown as KeyedRow<K, S>);
      }
      yield group;
      group.store.close();
    }
  }
}

export function newOperatorState(wanted: OperatorStateContents): OperatorChange {
  const contents = Object.fromEntries(Object.entries(wanted).map(([name, each]) => [name, iteratedOnce(each)]));
  return {
    replacesKeyed: false,
    async apply(state, _origin, { files, directory }) {
      const subtasks: OperatorSubtaskState[] = [];
      for (let subtaskIndex = 0; subtaskIndex < state.parallelism; subtaskIndex++) {
        const bytes = shareOf(contents, state, subtaskIndex);
        const operator = bytes && (await writeBytes(files, `${directory}/${state.operatorId}-operator-${subtaskIndex}`, bytes));
        const union = Object.values(contents).some(({ kind }) => kind === 'union') ? { union: true as const } : {};
        const keyed = state.subtasks.find((each) => each.subtaskIndex === subtaskIndex)?.keyed ?? [];
        subtasks.push({ operatorId: state.operatorId, subtaskIndex, keyed, operator, ...union });
      }
      return { ...state, subtasks };
    },
  };
}

/** Every subtask looks at them. */
function iteratedOnce(contents: OperatorStateContents[string]): OperatorStateContents[string] {
  if (contents.kind === 'broadcast') return { ...contents, entries: [...contents.entries] };
  return { ...contents, elements: [...contents.elements] };
}

/** Lists are dealt out, the first subtask has the unions, broadcast state is everywhere. */
function shareOf(contents: OperatorStateContents, { name: operatorName, parallelism }: OperatorState, subtaskIndex: number) {
  const states = new OperatorStates({ operatorName, freezeValues: false });
  const isMine = (kind: 'list' | 'union', k: number): boolean => (kind === 'union' ? 0 : k % parallelism) === subtaskIndex;
  for (const [name, each] of Object.entries(contents)) {
    if (each.kind === 'broadcast') states.broadcast(name, each.keyType, each.type).setAll(each.entries);
    else states.list(name, each.type, each.kind).update([...each.elements].filter((_, k) => isMine(each.kind, k)));
  }
  return states.snapshot();
}

async function withKeyed(state: OperatorState, { files, directory }: WriteOptions, groups: GroupsOf): Promise<OperatorState> {
  const { operatorId, parallelism, maxParallelism } = state;
  const handles = await writeKeyedFiles({ files, prefix: `${directory}/${operatorId}-keyed`, parallelism, maxParallelism }, groups);
  const subtasks = handles.map((handle, subtaskIndex): OperatorSubtaskState => {
    const former = state.subtasks.find((each) => each.subtaskIndex === subtaskIndex);
    return { operatorId, subtaskIndex, operator: null, ...former, keyed: [handle] };
  });
  return { ...state, subtasks };
}
