/** State on its way from slots to storage and to the JobManager, with everything that can go wrong; and back. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { silentLoggers } from '../../src/base/log.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import type { CheckpointOptions, StateHandle, TaskCheckpointAck } from '../../src/protocol/checkpoint.ts';
import type { TaskDeployment } from '../../src/protocol/deployment.ts';
import { ClusterError } from '../../src/protocol/errors.ts';
import type { ErrorInfo } from '../../src/protocol/errors.ts';
import type { ExecutionAttemptId, OperatorId } from '../../src/protocol/ids.ts';
import { FileSystems } from '../../src/storage/file-system.ts';
import type { FileWriter } from '../../src/storage/file-system.ts';
import { LocalFiles, localFileSystems } from '../../src/storage/local-files.ts';
import { LocalStates } from '../../src/task/local-states.ts';
import { RestoredStates } from '../../src/task/restored-states.ts';
import type { SlotOperatorState, ToSlot } from '../../src/task/slot-protocol.ts';
import { TaskCheckpoints } from '../../src/task/task-checkpoints.ts';

const ATTEMPT = 'a_0_0' as ExecutionAttemptId;
const OPERATOR = 'f'.repeat(32) as OperatorId;
const TASK = { jobId: 'j', attemptId: ATTEMPT, vertexId: 'v', subtaskIndex: 0, localState: { backup: true, restore: true } } as unknown as TaskDeployment;
const FIGURES = { startDelayMs: 0, alignmentMs: 0, syncMs: 0, asyncMs: 0, processedBytes: 0, persistedBytes: 0, unaligned: false };

/** One task, its slot, and a JobManager that answers as `answer` says. */
class Bench {
  readonly directory: string;
  readonly options: CheckpointOptions;
  readonly toSlot: ToSlot[] = [];
  readonly acks: TaskCheckpointAck[] = [];
  readonly declines: ErrorInfo[] = [];
  readonly checkpoints: TaskCheckpoints;
  answer: () => Promise<void> = () => Promise.resolve();
  private readonly waiting: (() => void)[] = [];

  constructor(t: ExecutionContext, files: FileSystems = localFileSystems(systemPorts.random)) {
    const directory = mkdtempSync(join(tmpdir(), 'drey-task-checkpoints-'));
    t.teardown(() => rmSync(directory, { recursive: true }));
    this.directory = directory;
    this.options = {
      kind: 'checkpoint', alignment: 'exactly-once', unaligned: false, alignedTimeoutMs: null, incremental: true, stop: 'no', format: null,
      directory, sharedDirectory: directory, inlineSizeBytesMax: 4,
    };
    this.checkpoints = new TaskCheckpoints({
      ports: { ...systemPorts, clock: { ...systemPorts.clock, after: (_, callback) => systemPorts.clock.after(0, callback) } },
      log: silentLoggers.logger('test'),
      files,
      local: new LocalStates({ files, log: silentLoggers.logger('test'), directories: [] }),
      deploymentOf: (attemptId) => (attemptId === ATTEMPT ? TASK : null),
      toSlot: (_, message) => this.note(this.toSlot, message),
      toJobManager: {
        acknowledgeCheckpoint: async (_, ack) => {
          await this.answer();
          this.note(this.acks, ack);
        },
        declineCheckpoint: (_, _id, error) => this.note(this.declines, error),
      },
    });
  }

  bytes(checkpointId: number, bytes: string, file = 0, options = this.options): void {
    this.checkpoints.onMessage(ATTEMPT, { kind: 'checkpointBytes', checkpointId, options, file, shared: false, bytes: Buffer.from(bytes) });
  }

  ack(checkpointId: number, state: Partial<SlotOperatorState> = {}): void {
    const operators = [{ operatorId: OPERATOR, operatorFile: 0, keyed: null, ...state }];
    this.checkpoints.onMessage(ATTEMPT, { kind: 'checkpointAck', checkpointId, options: this.options, operators, inFlight: null, figures: FIGURES });
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await Promise.race([new Promise<void>((resolve) => this.waiting.push(resolve)), new Promise((resolve) => setTimeout(resolve, 5))]);
  }

  files(): string[] {
    return readdirSync(this.directory);
  }

  private note<T>(list: T[], item: T): void {
    list.push(item);
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

const fileHandle = (ack: TaskCheckpointAck | undefined): StateHandle & { kind: 'file' } => {
  const handle = ack?.operators[0]?.operator;
  if (handle?.kind !== 'file') throw new Error('the state is in a file');
  return handle;
};

test('slices become a file with its size and digest, each slice answered', async (t) => {
  const bench = new Bench(t);
  bench.bytes(1, 'hello ');
  bench.bytes(1, 'world');
  bench.ack(1);
  await bench.until(() => bench.acks.length === 1);
  const handle = fileHandle(bench.acks[0]);
  t.is(readFileSync(handle.path, 'utf8'), 'hello world');
  t.is(handle.sizeBytes, 11);
  t.is(handle.sha256, 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9');
  const taken = [6, 5].map((sizeBytes) => ({ kind: 'checkpointBytesTaken' as const, attemptId: ATTEMPT, sizeBytes }));
  await bench.until(() => bench.toSlot.length === 3);
  t.deepEqual(bench.toSlot, [...taken, { kind: 'checkpointAcknowledged', attemptId: ATTEMPT, checkpointId: 1 }]);
  t.is(bench.acks[0]?.metrics.checkpointedSizeBytes, 11);
});

for (const [what, giveUp] of [
  ['an abort', (bench: Bench) => bench.checkpoints.abort(ATTEMPT, 1)],
  ['a decline', (bench: Bench) => bench.checkpoints.onMessage(ATTEMPT, { kind: 'checkpointDecline', checkpointId: 1, error: { code: 'USER_CODE', className: 'E', message: '', stack: '' } })],
  ['the end of the task', (bench: Bench) => bench.checkpoints.end(ATTEMPT)],
] as const) {
  test(`${what} leaves no file behind, also when slices come late`, async (t) => {
    const bench = new Bench(t);
    bench.bytes(1, 'hello world');
    await bench.until(() => bench.toSlot.length === 1);
    t.is(bench.files().length, 1);
    giveUp(bench);
    if (what !== 'the end of the task') bench.bytes(1, 'too late, too late');
    bench.ack(1);
    await bench.until(() => bench.files().length === 0);
    bench.bytes(2, 'the next one');
    bench.ack(2);
    await bench.until(() => bench.acks.some(({ checkpointId }) => checkpointId === 2));
    t.false(bench.acks.some(({ checkpointId }) => checkpointId === 1 && what !== 'the end of the task'));
    t.false(bench.files().some((name) => name.includes('-1-')));
  });
}

test('a checkpoint that was given up while its acknowledgement was repeated is removed', async (t) => {
  const bench = new Bench(t);
  let asked = 0;
  bench.answer = () => {
    asked++;
    return Promise.reject(new ClusterError('CONNECTION_LOST', 'away'));
  };
  bench.bytes(1, 'hello world');
  bench.ack(1);
  await bench.until(() => asked > 1);
  t.is(bench.files().length, 1);
  bench.checkpoints.abort(ATTEMPT, 1);
  await bench.until(() => bench.files().length === 0);
  t.deepEqual([bench.acks.length, bench.declines.length], [0, 0]);
});

test('an acknowledgement is repeated until the JobManager is back', async (t) => {
  const bench = new Bench(t);
  let asked = 0;
  bench.answer = () => ++asked < 3 ? Promise.reject(new ClusterError('CONNECTION_LOST', 'away')) : Promise.resolve();
  bench.bytes(1, 'hello world');
  bench.ack(1);
  await bench.until(() => bench.acks.length === 1);
  t.is(asked, 3);
  t.is(bench.files().length, 1);
});

class FullDisk extends LocalFiles {
  override async create(path: string): Promise<FileWriter> {
    const writer = await super.create(path);
    let calls = 0;
    return {
      sizeBytes: 0,
      write: (bytes) => ++calls > 1 ? Promise.reject(new ClusterError('STORAGE_FULL', `${path}: the disk is full`)) : writer.write(bytes),
      commit: () => writer.commit(),
      abort: () => writer.abort(),
    };
  }
}

test('a full disk declines the checkpoint once, tells the slot, and leaves nothing', async (t) => {
  const bench = new Bench(t, new FileSystems(new Map([['file', () => new FullDisk(systemPorts.random)]])));
  for (const slice of ['hello ', 'world ', 'again ']) bench.bytes(1, slice);
  bench.ack(1);
  await bench.until(() => bench.declines.length > 0 && bench.files().length === 0);
  t.deepEqual(bench.declines.map(({ code }) => code), ['STORAGE_FULL']);
  t.true(bench.toSlot.some(({ kind }) => kind === 'checkpointAborted'));
  await bench.until(() => bench.toSlot.filter(({ kind }) => kind === 'checkpointBytesTaken').length === 3);
});

test('without a directory state is held in memory, up to a bound that says what to do', async (t) => {
  const bench = new Bench(t);
  const options = { ...bench.options, directory: null };
  bench.bytes(1, 'hello world', 0, options);
  bench.ack(1);
  await bench.until(() => bench.acks.length === 1);
  t.is(bench.acks[0]?.operators[0]?.operator?.kind, 'inline');
  bench.bytes(2, 'x'.repeat(6 << 20), 0, options);
  await bench.until(() => bench.declines.length === 1);
  t.is(bench.declines[0]?.code, 'STATE_TOO_LARGE');
  t.regex(bench.declines[0]?.message ?? '', /execution\.checkpointing\.dir/);
});

test('what builds on an earlier checkpoint comes after all that one is made of', async (t) => {
  const bench = new Bench(t);
  const take = async (checkpointId: number, baseId: number | null) => {
    bench.bytes(checkpointId, `state ${checkpointId}`);
    bench.ack(checkpointId, { operatorFile: null, keyed: { file: 0, firstKeyGroup: 0, lastKeyGroup: 127, meta: { id: checkpointId }, baseId } });
    await bench.until(() => bench.acks.at(-1)?.checkpointId === checkpointId);
    return bench.acks.at(-1)?.operators[0]?.keyed.map(({ meta }) => meta['id']);
  };
  t.deepEqual(await take(1, null), [1]);
  bench.checkpoints.complete(ATTEMPT, 1);
  t.deepEqual(await take(2, 1), [1, 2]);
  bench.checkpoints.abort(ATTEMPT, 2);
  t.deepEqual(await take(3, 1), [1, 3]);
  bench.checkpoints.complete(ATTEMPT, 3);
  t.deepEqual(await take(4, 1), [1, 4], 'it was begun before 3 was complete');
  t.deepEqual(await take(5, 3), [1, 3, 5]);
  t.is(bench.acks.at(-1)?.metrics.checkpointedSizeBytes, 7);
  t.is(bench.acks.at(-1)?.metrics.stateSizeBytes, 21);
});

test('a restore of a cancelled task reads no further', async (t) => {
  const bench = new Bench(t);
  bench.bytes(1, 'hello world');
  bench.ack(1);
  await bench.until(() => bench.acks.length === 1);
  let chunks = 0;
  class EndlessFiles extends LocalFiles {
    override async *read(): AsyncIterable<Uint8Array> {
      for (;;) {
        if (++chunks === 3) restored.abandon();
        yield Buffer.alloc(1);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
  const restored = new RestoredStates(
    { checkpointId: 1, operators: bench.acks[0]?.operators ?? [], formerParallelism: { [OPERATOR]: 1 } },
    new FileSystems(new Map([['file', () => new EndlessFiles(systemPorts.random)]])), null,
  );
  await t.throwsAsync(restored.operatorStates(OPERATOR, 'counter'), { code: 'CHECKPOINT_FAILED', message: /counter.*abandoned/ });
  t.is(chunks, 3);
});

test('state that is damaged on its way back is named, with its operator and file', async (t) => {
  const bench = new Bench(t);
  bench.bytes(1, 'hello world');
  bench.ack(1);
  await bench.until(() => bench.acks.length === 1);
  const handle = fileHandle(bench.acks[0]);
  const restored = new RestoredStates(
    { checkpointId: 1, operators: bench.acks[0]?.operators ?? [], formerParallelism: { [OPERATOR]: 1 } }, localFileSystems(systemPorts.random), null,
  );
  const read = () => restored.operatorStates(OPERATOR, 'counter');
  t.deepEqual((await read()).map(({ bytes }) => Buffer.from(bytes).toString()), ['hello world']);
  const corrupt = { code: 'CHECKPOINT_CORRUPT', message: new RegExp(`counter.*checkpoint 1.*${handle.path}`) };
  writeFileSync(handle.path, 'hello wOrld');
  await t.throwsAsync(read, corrupt);
  writeFileSync(handle.path, 'hello');
  await t.throwsAsync(read, corrupt);
  writeFileSync(handle.path, 'hello world, and more');
  await t.throwsAsync(read, corrupt);
  rmSync(handle.path);
  await t.throwsAsync(read, corrupt);
});

test('the report says what is in flight with its files, what was announced last, and how far a stop is', async (t) => {
  const bench = new Bench(t);
  const report = () => bench.checkpoints.report(ATTEMPT);
  t.deepEqual(report(), { inFlight: [], lastCompletedId: 0, lastAbortedId: 0, stop: null });
  bench.bytes(1, 'slices');
  t.deepEqual(report().inFlight, [{ checkpointId: 1, acknowledgedFiles: null }]);
  bench.ack(1);
  await bench.until(() => bench.acks.length === 1);
  const stop = { ...bench.options, kind: 'savepoint' as const, stop: 'drain' as const, format: 'CANONICAL' as const };
  bench.checkpoints.trigger(ATTEMPT, 2, 0, stop);
  t.deepEqual(report(), {
    inFlight: [{ checkpointId: 1, acknowledgedFiles: [fileHandle(bench.acks[0]).path] }], lastCompletedId: 0, lastAbortedId: 0,
    stop: { checkpointId: 2, mode: 'drain', isCompleted: false },
  });
  bench.checkpoints.complete(ATTEMPT, 1);
  bench.checkpoints.complete(ATTEMPT, 2);
  t.deepEqual(report(), { inFlight: [], lastCompletedId: 2, lastAbortedId: 0, stop: { checkpointId: 2, mode: 'drain', isCompleted: true } });
  bench.bytes(4, 'slices');
  bench.checkpoints.trigger(ATTEMPT, 5, 0, stop);
  for (const id of [5, 4, 3]) bench.checkpoints.abort(ATTEMPT, id);
  t.deepEqual(report(), { inFlight: [], lastCompletedId: 2, lastAbortedId: 5, stop: null });
  bench.checkpoints.end(ATTEMPT);
  t.deepEqual(report(), { inFlight: [], lastCompletedId: 0, lastAbortedId: 0, stop: null });
});
