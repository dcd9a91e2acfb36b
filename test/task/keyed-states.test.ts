/** How a restore of keyed state shares its thread. */
import test from 'ava';
import type { Clock } from '../../src/base/ports.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { ClusterError } from '../../src/protocol/errors.ts';
import { heapBackend } from '../../src/state/heap-backend.ts';
import { KeyedStates } from '../../src/task/keyed-states.ts';
import type { RestoredKeyedFile } from '../../src/task/restored-states.ts';
import { t as types } from '../../src/types/t.ts';
import { fileOf } from '../conformance/state-snapshots.ts';

const KEY_GROUPS = { first: 0, last: 7, maxParallelism: 8 };
const ROWS = 20_000;

/** Each look at it takes a millisecond. */
function slowClock(): Clock {
  let nowMs = 0;
  return { ...systemPorts.clock, monotonicMs: () => nowMs++ };
}

function store() {
  const opened = heapBackend.open({ keyGroups: KEY_GROUPS, keyType: null, freezeValues: false });
  return { opened, count: opened.value<number>('count', types.float64) };
}

async function* oneFile(): AsyncIterable<RestoredKeyedFile> {
  const { opened, count } = store();
  for (let key = 0; key < ROWS; key++) {
    opened.setKey(key);
    count.set(key);
  }
  const { meta, bytes, offset } = fileOf(opened.snapshot(1, 'full'), 1 << 20);
  yield { handle: { firstKeyGroup: 0, lastKeyGroup: 7, meta, data: { kind: 'inline', base64: '', sha256: '' } }, bytes, offset };
}

test('within one file a restore pauses every few milliseconds', async (t) => {
  const { opened } = store();
  let pauses = 0;
  await new KeyedStates(opened, KEY_GROUPS).restore(oneFile(), slowClock(), () => Promise.resolve(void (pauses += 1)));
  t.is(opened.entryCount, ROWS);
  t.true(pauses >= 5, `${pauses} pauses`);
});

test('a restore whose task was cancelled ends at the next pause', async (t) => {
  const { opened } = store();
  const abandoned = new ClusterError('CHECKPOINT_FAILED', 'abandoned');
  const restoring = new KeyedStates(opened, KEY_GROUPS).restore(oneFile(), slowClock(), () => Promise.reject(abandoned));
  await t.throwsAsync(restoring, { is: abandoned });
  t.true(opened.entryCount > 0 && opened.entryCount < ROWS);
});
