/** Retention: no file goes that somebody may need, and in the end none is left. */
import test from 'ava';
import fc from 'fast-check';
import type { CheckpointMetadata } from '../../src/checkpoint/checkpoint-metadata.ts';
import { CompletedCheckpointsCore, type CompletedCheckpoint } from '../../src/jobmaster/completed-checkpoints.core.ts';
import type { OperatorSubtaskState, StateHandle } from '../../src/protocol/checkpoint.ts';
import type { JobId, OperatorId } from '../../src/protocol/ids.ts';

const OPERATOR_ID = '1'.repeat(32) as OperatorId;
const SHA_256 = '0'.repeat(64);

function stateOf(files: readonly string[]): OperatorSubtaskState {
  const handle = (path: string): StateHandle => ({ kind: 'file', path, sizeBytes: 1, sha256: SHA_256, shared: !path.includes('chk-') });
  return {
    operatorId: OPERATOR_ID, subtaskIndex: 0, operator: null,
    keyed: files.map((path) => ({ firstKeyGroup: 0, lastKeyGroup: 1, meta: {}, data: handle(path) })),
  };
}

function checkpoint(checkpointId: number, files: readonly string[], isOwned = true): CompletedCheckpoint {
  const metadata: CheckpointMetadata = {
    jobId: 'j' as JobId, checkpointId, kind: 'checkpoint', format: null, timestampMs: 0,
    operators: [{
      operatorId: OPERATOR_ID, name: 'o', uid: null, parallelism: 1, maxParallelism: 128, finished: 'none', coordinator: null,
      subtasks: [stateOf(files)],
    }],
  };
  return { metadata, directory: `/c/chk-${checkpointId}`, isOwned };
}

/** Files on a disk that forgets nothing: what was deleted may not be read again. */
class Disk {
  readonly written = new Set<string>();
  readonly deleted = new Set<string>();

  delete(paths: readonly string[]): void {
    for (const path of paths) {
      for (const file of this.written) if (file === path || file.startsWith(`${path}/`)) this.deleted.add(file);
    }
  }
}

const step = fc.record({
  completes: fc.boolean(),
  /** Of the chain it builds on, how many files it goes on using. */
  keeps: fc.nat(4),
  /** It had not heard of the newest one yet. */
  isBehind: fc.boolean(),
  overlapsNext: fc.boolean(),
});

test('No file goes that a kept or running checkpoint refers to; at the end none is left', (t) => {
  fc.assert(fc.property(fc.array(step, { maxLength: 25 }), fc.integer({ min: 1, max: 3 }), (steps, retained) => {
    const core = new CompletedCheckpointsCore(retained);
    const disk = new Disk();
    let chains: string[][] = [[]];
    let running: { readonly id: number; readonly files: string[]; readonly completes: boolean }[] = [];
    const finish = (each: (typeof running)[number]): void => {
      if (each.completes) {
        t.false(each.files.some((file) => disk.deleted.has(file)), 'a completed checkpoint has all of its files');
        disk.delete(core.add(checkpoint(each.id, each.files)));
        chains = [...chains, each.files.filter((file) => file.startsWith('/c/shared'))];
      } else disk.delete([...core.ended(each.id), ...core.abandon([[stateOf(each.files)]])]);
      for (const { metadata } of core.all) {
        const files = metadata.operators.flatMap(({ subtasks }) => subtasks.flatMap(({ keyed }) => keyed.map(({ data }) => (data.kind === 'file' ? data.path : ''))));
        t.false(files.some((file) => disk.deleted.has(file)), 'a kept checkpoint has all of its files');
      }
    };
    for (const [index, each] of steps.entries()) {
      const id = index + 1;
      core.begun(id);
      const base = chains.at(each.isBehind ? -2 : -1) ?? [];
      const fresh = [`/c/shared/${id}`, `/c/chk-${id}/own`];
      for (const file of fresh) disk.written.add(file);
      running.push({ id, files: [...base.slice(0, each.keeps), ...fresh], completes: each.completes });
      if (each.overlapsNext) continue;
      for (const done of running) finish(done);
      running = [];
    }
    for (const done of running) finish({ ...done, completes: false });
    disk.delete(core.close(false));
    t.deepEqual([...disk.written].filter((file) => !disk.deleted.has(file)), []);
  }), { numRuns: 500 });
});

test('What the job was restored from without claim is never deleted, nor are its files', (t) => {
  const core = new CompletedCheckpointsCore(1);
  core.add(checkpoint(1, ['/other/shared/a'], false));
  t.deepEqual([...core.add(checkpoint(2, ['/other/shared/a', '/c/shared/b'])), ...core.add(checkpoint(3, [])), ...core.close(false)].toSorted(), [
    '/c/chk-2', '/c/chk-3', '/c/shared/b',
  ]);
});

test('A checkpoint that cannot be read is dropped: the one before is the newest, and its files stay', (t) => {
  const core = new CompletedCheckpointsCore(2);
  core.add(checkpoint(1, ['/c/shared/a']));
  core.add(checkpoint(2, ['/c/shared/a', '/c/shared/b']));
  t.is(core.dropLatest()?.metadata.checkpointId, 2);
  t.is(core.latest?.metadata.checkpointId, 1);
  t.deepEqual(core.close(true), []);
});
