/** Copies of state on the TaskManager's disk: what is kept for how long, what is read, and that they never do harm. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { silentLoggers, type Logger } from '../../src/base/log.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import type { CheckpointOptions, TaskCheckpointAck } from '../../src/protocol/checkpoint.ts';
import type { TaskDeployment } from '../../src/protocol/deployment.ts';
import type { ExecutionAttemptId, JobId, OperatorId } from '../../src/protocol/ids.ts';
import { localFileSystems } from '../../src/storage/local-files.ts';
import { LocalStates } from '../../src/task/local-states.ts';
import { RestoredStates } from '../../src/task/restored-states.ts';
import { TaskCheckpoints } from '../../src/task/task-checkpoints.ts';

const OPERATOR = 'f'.repeat(32) as OperatorId;
const JOB = 'job' as JobId;
const FILES = localFileSystems(systemPorts.random);

function taskOf(attempt: number, backup = true): TaskDeployment {
  const localState = { backup, restore: true };
  return { jobId: JOB, attemptId: `a_${attempt}` as ExecutionAttemptId, vertexId: 'v', subtaskIndex: 0, localState } as unknown as TaskDeployment;
}

class Bench {
  readonly directory: string;
  readonly checkpointDirectory: string;
  readonly copies: string;
  readonly acks: TaskCheckpointAck[] = [];
  readonly warnings: string[] = [];
  readonly log: Logger = { ...silentLoggers.logger('test'), warn: (message) => void this.warnings.push(message) };
  readonly local: LocalStates;
  readonly checkpoints: TaskCheckpoints;
  task = taskOf(0);

  constructor(t: ExecutionContext, copies?: string) {
    this.directory = mkdtempSync(join(tmpdir(), 'drey-local-states-'));
    t.teardown(() => rmSync(this.directory, { recursive: true, force: true }));
    this.checkpointDirectory = join(this.directory, 'checkpoints');
    this.copies = copies ?? join(this.directory, 'copies');
    this.local = new LocalStates({ files: FILES, log: this.log, directories: [this.copies] });
    this.checkpoints = new TaskCheckpoints({
      ports: systemPorts, log: this.log, files: FILES, local: this.local,
      deploymentOf: () => this.task,
      toSlot: () => undefined,
      toJobManager: {
        acknowledgeCheckpoint: (_, ack) => Promise.resolve(void this.acks.push(ack)),
        declineCheckpoint: () => undefined,
      },
    });
  }

  /** An increment on `baseId`, or a whole. */
  async take(checkpointId: number, bytes: string, baseId: number | null = null, change: Partial<CheckpointOptions> = {}): Promise<TaskCheckpointAck> {
    const options: CheckpointOptions = {
      kind: 'checkpoint', alignment: 'exactly-once', unaligned: false, alignedTimeoutMs: null, incremental: true, stop: 'no', format: null,
      directory: this.checkpointDirectory, sharedDirectory: this.checkpointDirectory, inlineSizeBytesMax: 0, ...change,
    };
    const { attemptId } = this.task;
    this.checkpoints.onMessage(attemptId, { kind: 'checkpointBytes', checkpointId, options, file: 0, shared: true, bytes: Buffer.from(bytes) });
    const keyed = { file: 0, firstKeyGroup: 0, lastKeyGroup: 1, meta: {}, baseId };
    const count = this.acks.length;
    this.checkpoints.onMessage(attemptId, {
      kind: 'checkpointAck', checkpointId, options, operators: [{ operatorId: OPERATOR, operatorFile: null, keyed }], inFlight: null,
      figures: { startDelayMs: 0, alignmentMs: 0, syncMs: 0, asyncMs: 0, processedBytes: 0, persistedBytes: 0, unaligned: false },
    });
    await eventually(() => this.acks.length > count);
    return this.acks.at(-1) as TaskCheckpointAck;
  }

  /** Checkpoints that have copies. */
  kept(): string[] {
    const directory = join(this.copies, JOB);
    return existsSync(directory) ? readdirSync(directory).toSorted() : [];
  }
}

async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

function pathOf(ack: TaskCheckpointAck): string {
  const data = ack.operators[0]?.keyed.at(-1)?.data;
  return data?.kind === 'file' ? data.path : '';
}

/** Reads the last file of a part as its operator state. */
async function restored(bench: Bench, ack: TaskCheckpointAck): Promise<string> {
  const operators = ack.operators.map((state) => ({ ...state, operator: state.keyed.at(-1)?.data ?? null, keyed: [] }));
  const local = { directories: bench.local.directoriesOf(JOB), log: bench.log };
  const states = new RestoredStates({ checkpointId: ack.checkpointId, operators, formerParallelism: { [OPERATOR]: 1 } }, FILES, local);
  const [state] = await states.operatorStates(OPERATOR, 'counter');
  return Buffer.from(state?.bytes ?? []).toString();
}

test('a copy is kept beside each file: until neither the completed checkpoint nor a later one needs it', async (t) => {
  const bench = new Bench(t);
  const names: string[] = [];
  for (const [id, baseId] of [[1, null], [2, 1], [3, 2]] as const) {
    names.push(pathOf(await bench.take(id, `state ${id}`, baseId)).split('/').at(-1) ?? '');
    bench.checkpoints.complete(bench.task.attemptId, id);
  }
  t.deepEqual(bench.kept(), names, 'the chain is whole');
  t.is(readFileSync(join(bench.copies, JOB, names[0] ?? ''), 'utf8'), 'state 1');
  const begun = pathOf(await bench.take(4, 'anew')).split('/').at(-1) ?? '';
  bench.checkpoints.complete(bench.task.attemptId, 4);
  await bench.take(5, 'given up', 4);
  bench.checkpoints.abort(bench.task.attemptId, 5);
  bench.checkpoints.complete(bench.task.attemptId, 4);
  const last = pathOf(await bench.take(6, 'whole again')).split('/').at(-1) ?? '';
  bench.checkpoints.complete(bench.task.attemptId, 6);
  await eventually(() => bench.kept().length <= 2);
  t.deepEqual(bench.kept(), [begun, last].toSorted());
});

test('the copies of an attempt stay for the next one, until that has a checkpoint of its own; all go with the job', async (t) => {
  const bench = new Bench(t);
  const ack = await bench.take(1, 'one');
  bench.checkpoints.complete(bench.task.attemptId, 1);
  bench.checkpoints.end(bench.task.attemptId);
  bench.task = taskOf(1);
  t.is(await restored(bench, ack), 'one');
  await bench.take(2, 'two');
  t.is(bench.kept().length, 2);
  bench.checkpoints.complete(bench.task.attemptId, 2);
  await eventually(() => bench.kept().length === 1);
  bench.local.releaseJob(JOB);
  await eventually(() => !existsSync(join(bench.copies, JOB)));
});

test('the copy is read, not the original; one that is missing or damaged is passed over', async (t) => {
  const bench = new Bench(t);
  const ack = await bench.take(1, 'state');
  const original = pathOf(ack);
  writeFileSync(original, 'STATE');
  t.is(await restored(bench, ack), 'state', 'not from the original, which is damaged');
  writeFileSync(original, 'state');
  const copy = join(bench.copies, JOB, original.split('/').at(-1) ?? '');
  writeFileSync(copy, 'sTate');
  t.is(await restored(bench, ack), 'state');
  t.regex(bench.warnings.at(-1) ?? '', /^The local copy of .* is not used: .*SHA-256/);
  rmSync(copy);
  t.is(await restored(bench, ack), 'state');
  rmSync(original);
  await t.throwsAsync(restored(bench, ack), { code: 'CHECKPOINT_CORRUPT' });
});

test('no copies without the setting, of savepoints, or where none can be written; the checkpoint does not suffer', async (t) => {
  const bench = new Bench(t);
  bench.task = taskOf(0, false);
  await bench.take(1, 'state');
  bench.task = taskOf(0);
  await bench.take(2, 'state', null, { kind: 'savepoint', format: 'CANONICAL', incremental: false });
  t.deepEqual(bench.kept(), []);
  const broken = new Bench(t, '/dev/null/nowhere');
  t.is(await restored(broken, await broken.take(1, 'state')), 'state');
  t.regex(broken.warnings[0] ?? '', /could not be copied to \/dev\/null\/nowhere/);
});
